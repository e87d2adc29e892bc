//! The context object (`$$`): what a state may know about its execution.

use asl::json::Json;
use asl::timestamp;

use crate::execution::{Activation, Execution, Facts, FrameId, Phase, Position};
use crate::payload::Payload;
use crate::trial::Trial;

/// What a path of this state sees under `$$`.
pub(crate) struct Surroundings<'a> {
    pub(crate) execution: &'a Execution,
    pub(crate) frame: FrameId,
    pub(crate) activation: &'a Activation,
    pub(crate) state_name: &'a str,
    /// Task-like states know how often they were retried.
    pub(crate) with_retries: bool,
    /// The token of the attempt that is about to begin.
    pub(crate) token: Option<String>,
    /// The item that ItemSelector is being evaluated for.
    pub(crate) item: Option<(u32, Json)>,
    /// What is tried, in place of an execution.
    pub(crate) trial: Option<&'a Trial>,
}

impl Surroundings<'_> {
    /// Builds the object; only paths that look into it pay for it.
    pub(crate) fn context(&self) -> Json {
        if let Some(given) = self.trial.and_then(|trial| trial.context.as_ref()) {
            return self.given(given);
        }
        let facts = self.execution.facts();
        let mut members = vec![
            ("Execution", self.execution_object(facts)),
            (
                "StateMachine",
                Json::object([
                    ("Id", Json::from(facts.machine_arn.as_str())),
                    ("Name", Json::from(facts.machine_name.as_str())),
                ]),
            ),
            ("State", self.state_object()),
        ];
        if let Some((index, value)) = self.item.clone().or_else(|| self.enclosing_item()) {
            members.push(("Map", map_object(index, value)));
        }
        if let Some(token) = &self.token {
            members.push(("Task", Json::object([("Token", Json::from(token.as_str()))])));
        }
        Json::object(members)
    }

    /// A context that came with a trial: whole as it is, but for the item, which nobody can give.
    fn given(&self, given: &Json) -> Json {
        let (Some((index, value)), Some(members)) = (&self.item, given.as_object()) else {
            return given.clone();
        };
        let mut members = members.clone();
        members.insert("Map".into(), map_object(*index, value.clone()));
        Json::from(members)
    }

    fn execution_object(&self, facts: &Facts) -> Json {
        let input =
            self.execution.heap.get(facts.input).map_or(Json::Null, |payload| payload.value().clone());
        let mut members = vec![
            ("Id", Json::from(facts.arn.as_str())),
            ("Input", input),
            ("StartTime", Json::from(timestamp::format(facts.started_ms).as_str())),
            ("Name", Json::from(facts.name.as_str())),
        ];
        // What is tried alone may have no role (recorded).
        let role = Some(&*facts.role_arn).filter(|role| self.trial.is_none() || !role.is_empty());
        members.push(("RoleArn", Json::from(role)));
        // An EXPRESS execution cannot be redriven (recorded).
        if !facts.express {
            let redrives = &self.execution.redrives;
            members.push(("RedriveCount", Json::from(i64::from(redrives.count()))));
            // Only after a redrive (asl-facts 14).
            let last = redrives.last_ms().map(|ms| Json::from(timestamp::format(ms).as_str()));
            members.extend(last.map(|time| ("RedriveTime", time)));
        }
        Json::object(members)
    }

    fn state_object(&self) -> Json {
        let mut members = vec![
            ("Name", Json::from(self.state_name)),
            ("EnteredTime", Json::from(timestamp::format(self.activation.entered_ms).as_str())),
        ];
        if self.with_retries {
            let before = self.trial.map_or(0, |trial| trial.retries);
            let retries = i64::from(self.activation.retry_count()) + i64::from(before);
            members.push(("RetryCount", Json::from(retries)));
        }
        Json::object(members)
    }

    /// The item of the innermost iteration that this frame is in.
    fn enclosing_item(&self) -> Option<(u32, Json)> {
        let mut frame = self.frame;
        loop {
            let seat = self.execution.frames.get(&frame)?.seat?;
            if seat.iteration {
                let parent = self.execution.frames.get(&seat.parent)?;
                let Position::In(Activation { phase: Phase::Iterations(run), .. }) = &parent.position else {
                    return None;
                };
                let items = self.execution.heap.get(run.items).map(Payload::value)?;
                return Some((seat.index, items.index(seat.index as usize)?.clone()));
            }
            frame = seat.parent;
        }
    }
}

fn map_object(index: u32, value: Json) -> Json {
    let item = Json::object([("Index", Json::from(i64::from(index))), ("Value", value)]);
    Json::object([("Item", item)])
}
