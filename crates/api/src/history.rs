//! History events as `GetExecutionHistory` shows them: the names and members of the event types.
//!
//! An event becomes a list of members that borrow its texts, and is written from there: a page of large payloads is
//! copied once, into the response.

use std::collections::HashMap;
use std::sync::Arc;

use engine::{Failure, HistoryEvent, HistoryKind, PayloadId, TaskEvent};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::operations::seconds;

/// The events of a page with their texts.
pub(crate) struct Events<'a> {
    pub(crate) events: &'a [HistoryEvent],
    pub(crate) texts: &'a HashMap<PayloadId, Arc<str>>,
    /// Whether inputs and outputs are shown.
    pub(crate) with_data: bool,
    /// What is longer is cut off, and said to be.
    pub(crate) payload_bytes_max: usize,
}

impl Serialize for Events<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.events.iter().map(|event| self.event(event)))
    }
}

/// Members in the order they are written.
pub(crate) struct Members<'a>(Vec<(&'a str, Part<'a>)>);

/// The value of a member.
pub(crate) enum Part<'a> {
    Text(&'a str),
    Name(String),
    Number(u64),
    Seconds(f64),
    Flag(bool),
    Members(Members<'a>),
}

/// The name of an event, and the name of its details with them, if it has any.
pub(crate) type Named<'a> = (String, Option<(&'static str, Members<'a>)>);

impl<'a> Events<'a> {
    fn event(&self, event: &'a HistoryEvent) -> Members<'a> {
        let (name, details) = self.named(&event.kind);
        let mut members = vec![
            ("timestamp", Part::Seconds(seconds(event.at_ms))),
            ("type", Part::Name(name)),
            ("id", Part::Number(event.id)),
            ("previousEventId", Part::Number(event.previous)),
        ];
        members.extend(details.map(|(name, details)| (name, Part::Members(details))));
        Members(members)
    }

    /// The name of an event, and its details.
    pub(crate) fn named(&self, kind: &'a HistoryKind) -> Named<'a> {
        use HistoryKind as K;
        let plain = |name: &str| (name.to_owned(), None);
        let with = |name: &str, member, details| (name.to_owned(), Some((member, details)));
        match kind {
            K::ExecutionStarted { input, role_arn, through } => {
                let details = (self.input(*input).and("roleArn", Part::Text(role_arn)))
                    .and_text("stateMachineAliasArn", through.alias_arn.as_ref())
                    .and_text("stateMachineVersionArn", through.version_arn.as_ref());
                with("ExecutionStarted", "executionStartedEventDetails", details)
            }
            K::ExecutionSucceeded { output } => {
                with("ExecutionSucceeded", "executionSucceededEventDetails", self.output(*output))
            }
            K::ExecutionFailed(failure) => {
                with("ExecutionFailed", "executionFailedEventDetails", failed(failure))
            }
            K::ExecutionAborted(failure) => {
                with("ExecutionAborted", "executionAbortedEventDetails", failed(failure))
            }
            K::ExecutionTimedOut(failure) => {
                with("ExecutionTimedOut", "executionTimedOutEventDetails", failed(failure))
            }
            K::ExecutionRedriven { count, from, onto } => {
                let details = none()
                    .and("redriveCount", Part::Number(u64::from(*count)))
                    .and_text("fromState", from.as_ref())
                    .and_text("revisionId", onto.as_ref());
                with("ExecutionRedriven", "executionRedrivenEventDetails", details)
            }
            K::StateEntered { state, name, input } => {
                let details = none().and("name", Part::Text(name)).join(self.input(*input));
                with(&format!("{state:?}StateEntered"), "stateEnteredEventDetails", details)
            }
            K::StateExited { state, name, output, assigned } => {
                let mut details = none().and("name", Part::Text(name)).join(self.output(*output));
                if !assigned.is_empty() {
                    details = details
                        .and("assignedVariables", Part::Members(self.variables(assigned)))
                        .and("assignedVariablesDetails", truncation(false));
                }
                with(&format!("{state:?}StateExited"), "stateExitedEventDetails", details)
            }
            K::StateAborted(state) => plain(&format!("{state:?}StateAborted")),
            K::EvaluationFailed { failure, location, state } => {
                let details =
                    failed(failure).and_text("location", location.as_ref()).and("state", Part::Text(state));
                with("EvaluationFailed", "evaluationFailedEventDetails", details)
            }
            K::ParallelStateStarted => plain("ParallelStateStarted"),
            K::ParallelStateSucceeded => plain("ParallelStateSucceeded"),
            K::ParallelStateFailed => plain("ParallelStateFailed"),
            K::MapStateStarted { length } => {
                let details = none().and("length", Part::Number(u64::from(*length)));
                with("MapStateStarted", "mapStateStartedEventDetails", details)
            }
            K::MapStateSucceeded => plain("MapStateSucceeded"),
            K::MapStateFailed => plain("MapStateFailed"),
            K::MapRunStarted { arn } => {
                let details = none().and("mapRunArn", Part::Text(arn));
                with("MapRunStarted", "mapRunStartedEventDetails", details)
            }
            K::MapRunRedriven { arn, count } => {
                let details = none()
                    .and("mapRunArn", Part::Text(arn))
                    .and("redriveCount", Part::Number(u64::from(*count)));
                with("MapRunRedriven", "mapRunRedrivenEventDetails", details)
            }
            K::MapRunSucceeded => plain("MapRunSucceeded"),
            K::MapRunFailed(failure) => with("MapRunFailed", "mapRunFailedEventDetails", failed(failure)),
            K::MapIterationStarted { name, index } => {
                with("MapIterationStarted", "mapIterationStartedEventDetails", iteration(name, *index))
            }
            K::MapIterationSucceeded { name, index } => {
                with("MapIterationSucceeded", "mapIterationSucceededEventDetails", iteration(name, *index))
            }
            K::MapIterationFailed { name, index } => {
                with("MapIterationFailed", "mapIterationFailedEventDetails", iteration(name, *index))
            }
            K::MapIterationAborted { name, index } => {
                with("MapIterationAborted", "mapIterationAbortedEventDetails", iteration(name, *index))
            }
            K::LambdaFunction(event) => self.function(event),
            K::Activity(event) => self.activity(event),
            K::Task { service, resource, event } => self.task(service, resource, event),
        }
    }

    fn function(&self, event: &'a TaskEvent) -> Named<'a> {
        let (verb, member, details) = match event {
            TaskEvent::Scheduled { resource, input, timeout_seconds, credentials, .. } => {
                let details = none()
                    .and("resource", Part::Text(resource))
                    .join(self.input(*input))
                    .and_number("timeoutInSeconds", *timeout_seconds)
                    .join(task_credentials(credentials.as_ref()));
                ("Scheduled", "lambdaFunctionScheduledEventDetails", details)
            }
            // A function's start has no details at all (BEHAVIOURS 8, recorded).
            TaskEvent::Started { .. } => return ("LambdaFunctionStarted".into(), None),
            TaskEvent::Submitted { output } | TaskEvent::Succeeded { output } => {
                ("Succeeded", "lambdaFunctionSucceededEventDetails", self.output(*output))
            }
            TaskEvent::Failed(failure) => ("Failed", "lambdaFunctionFailedEventDetails", failed(failure)),
            TaskEvent::TimedOut(failure) => {
                ("TimedOut", "lambdaFunctionTimedOutEventDetails", failed(failure))
            }
        };
        (format!("LambdaFunction{verb}"), Some((member, details)))
    }

    fn activity(&self, event: &'a TaskEvent) -> Named<'a> {
        let (verb, member, details) = match event {
            TaskEvent::Scheduled { resource, input, timeout_seconds, heartbeat_seconds, .. } => {
                let details = none()
                    .and("resource", Part::Text(resource))
                    .join(self.input(*input))
                    .and_number("timeoutInSeconds", *timeout_seconds)
                    .and_number("heartbeatInSeconds", *heartbeat_seconds);
                ("Scheduled", "activityScheduledEventDetails", details)
            }
            TaskEvent::Started { worker } => {
                ("Started", "activityStartedEventDetails", none().and_text("workerName", worker.as_ref()))
            }
            TaskEvent::Submitted { output } | TaskEvent::Succeeded { output } => {
                ("Succeeded", "activitySucceededEventDetails", self.output(*output))
            }
            TaskEvent::Failed(failure) => ("Failed", "activityFailedEventDetails", failed(failure)),
            TaskEvent::TimedOut(failure) => ("TimedOut", "activityTimedOutEventDetails", failed(failure)),
        };
        (format!("Activity{verb}"), Some((member, details)))
    }

    fn task(&self, service: &'a str, resource: &'a str, event: &'a TaskEvent) -> Named<'a> {
        let (verb, member, details) = match event {
            TaskEvent::Scheduled {
                region, input, timeout_seconds, heartbeat_seconds, credentials, ..
            } => {
                // The parameters are shown even where inputs are not, and without details (BEHAVIOURS 2, recorded).
                let text = self.texts.get(input).map(|text| self.cut(text).0);
                let parameters = text.map_or_else(none, |text| none().and("parameters", Part::Text(text)));
                let details = none()
                    .and("region", Part::Text(region))
                    .join(parameters)
                    .and_number("timeoutInSeconds", *timeout_seconds)
                    .and_number("heartbeatInSeconds", *heartbeat_seconds)
                    .join(task_credentials(credentials.as_ref()));
                ("Scheduled", "taskScheduledEventDetails", details)
            }
            TaskEvent::Started { .. } => ("Started", "taskStartedEventDetails", none()),
            TaskEvent::Submitted { output } => {
                ("Submitted", "taskSubmittedEventDetails", self.output(*output))
            }
            TaskEvent::Succeeded { output } => {
                ("Succeeded", "taskSucceededEventDetails", self.output(*output))
            }
            TaskEvent::Failed(failure) => ("Failed", "taskFailedEventDetails", failed(failure)),
            TaskEvent::TimedOut(failure) => ("TimedOut", "taskTimedOutEventDetails", failed(failure)),
        };
        let what = none().and("resourceType", Part::Text(service)).and("resource", Part::Text(resource));
        (format!("Task{verb}"), Some((member, what.join(details))))
    }

    fn input(&self, id: PayloadId) -> Members<'a> {
        self.data("input", "inputDetails", id)
    }

    fn output(&self, id: PayloadId) -> Members<'a> {
        self.data("output", "outputDetails", id)
    }

    fn data(&self, member: &'static str, details: &'static str, id: PayloadId) -> Members<'a> {
        match self.texts.get(&id).filter(|_| self.with_data) {
            Some(text) => {
                let (text, truncated) = self.cut(text);
                none().and(member, Part::Text(text)).and(details, truncation(truncated))
            }
            None => none(),
        }
    }

    /// A text, and whether a part of it is missing.
    fn cut(&self, text: &'a str) -> (&'a str, bool) {
        match text.len() > self.payload_bytes_max {
            true => (&text[..text.floor_char_boundary(self.payload_bytes_max)], true),
            false => (text, false),
        }
    }

    fn variables(&self, assigned: &'a [(Arc<str>, PayloadId)]) -> Members<'a> {
        let text = |id| Some(Part::Text(self.texts.get(id)?));
        Members(assigned.iter().filter_map(|(name, id)| Some((&**name, text(id)?))).collect())
    }
}

fn none<'a>() -> Members<'a> {
    Members(Vec::new())
}

/// What stands beside every payload that is shown.
fn truncation<'a>(truncated: bool) -> Part<'a> {
    Part::Members(none().and("truncated", Part::Flag(truncated)))
}

/// Error and cause, each only when there is one.
fn failed(failure: &Failure) -> Members<'_> {
    none().and_text("error", failure.error.as_ref()).and_text("cause", failure.cause.as_ref())
}

fn iteration(name: &str, index: u32) -> Members<'_> {
    none().and("name", Part::Text(name)).and("index", Part::Number(u64::from(index)))
}

fn task_credentials(role_arn: Option<&Arc<str>>) -> Members<'_> {
    match role_arn {
        Some(role) => none().and("taskCredentials", Part::Members(none().and("roleArn", Part::Text(role)))),
        None => none(),
    }
}

impl<'a> Members<'a> {
    /// The same for a log: numbers are texts there (asl-facts 23).
    pub(crate) fn for_log(self) -> Self {
        let part = |part| match part {
            Part::Number(number) => Part::Name(number.to_string()),
            Part::Members(members) => Part::Members(members.for_log()),
            other => other,
        };
        Members(self.0.into_iter().map(|(name, value)| (name, part(value))).collect())
    }

    /// The same without this member.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(member, _)| *member != name);
        self
    }

    fn and(mut self, name: &'a str, part: Part<'a>) -> Self {
        self.0.push((name, part));
        self
    }

    fn and_text(self, name: &'a str, text: Option<&'a Arc<str>>) -> Self {
        match text {
            Some(text) => self.and(name, Part::Text(text)),
            None => self,
        }
    }

    fn and_number(self, name: &'a str, number: Option<u64>) -> Self {
        match number {
            Some(number) => self.and(name, Part::Number(number)),
            None => self,
        }
    }

    fn join(mut self, others: Members<'a>) -> Self {
        self.0.extend(others.0);
        self
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, part) in &self.0 {
            map.serialize_entry(name, part)?;
        }
        map.end()
    }
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Part::Text(text) => serializer.serialize_str(text),
            Part::Name(name) => serializer.serialize_str(name),
            Part::Number(number) => serializer.serialize_u64(*number),
            Part::Seconds(seconds) => serializer.serialize_f64(*seconds),
            Part::Flag(flag) => serializer.serialize_bool(*flag),
            Part::Members(members) => members.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::{StateType, Through};
    use serde_json::{Value, json};

    use super::*;

    const INPUT: PayloadId = PayloadId { step: 1, slot: 0 };

    /// The event as it is shown with and without data, without what every event has.
    fn shown(kind: HistoryKind) -> [Value; 2] {
        let events = [HistoryEvent { id: 7, previous: 6, at_ms: 1_700_000_000_123, kind }];
        let texts = HashMap::from([(INPUT, Arc::from(r#"{"a": 1}"#))]);
        [true, false].map(|with_data| {
            let mut value = serde_json::to_value(Events {
                events: &events,
                texts: &texts,
                with_data,
                payload_bytes_max: usize::MAX,
            })
            .unwrap();
            let mut event = value[0].take();
            let members = event.as_object_mut().unwrap();
            assert_eq!(members.remove("id"), Some(json!(7)));
            assert_eq!(members.remove("previousEventId"), Some(json!(6)));
            assert_eq!(members.remove("timestamp"), Some(json!(1_700_000_000.123)));
            event
        })
    }

    fn check(kind: HistoryKind, expected: Value) {
        assert_eq!(shown(kind)[0], expected);
    }

    fn scheduled(resource: &str, timeout: Option<u64>, role: Option<&str>) -> TaskEvent {
        TaskEvent::Scheduled {
            resource: resource.into(),
            region: "us-east-1".into(),
            input: INPUT,
            timeout_seconds: timeout,
            heartbeat_seconds: timeout,
            credentials: role.map(Into::into),
        }
    }

    fn failure() -> Failure {
        Failure { error: Some("E".into()), cause: None }
    }

    fn service_task(event: TaskEvent) -> HistoryKind {
        HistoryKind::Task { service: "lambda".into(), resource: "invoke".into(), event }
    }

    #[test]
    fn executions_and_states() {
        let data = json!({"truncated": false});
        check(
            HistoryKind::ExecutionStarted {
                input: INPUT,
                role_arn: "arn:role".into(),
                through: Through::default(),
            },
            json!({"type": "ExecutionStarted", "executionStartedEventDetails":
                {"input": "{\"a\": 1}", "inputDetails": data, "roleArn": "arn:role"}}),
        );
        check(
            HistoryKind::ExecutionStarted {
                input: INPUT,
                role_arn: "arn:role".into(),
                through: Through {
                    version_arn: Some("arn:m:2".into()),
                    alias_arn: Some("arn:m:live".into()),
                },
            },
            json!({"type": "ExecutionStarted", "executionStartedEventDetails":
                {"input": "{\"a\": 1}", "inputDetails": data, "roleArn": "arn:role",
                 "stateMachineAliasArn": "arn:m:live", "stateMachineVersionArn": "arn:m:2"}}),
        );
        check(
            HistoryKind::ExecutionSucceeded { output: INPUT },
            json!({"type": "ExecutionSucceeded", "executionSucceededEventDetails":
                {"output": "{\"a\": 1}", "outputDetails": data}}),
        );
        check(
            HistoryKind::ExecutionFailed(Failure::default()),
            json!({"type": "ExecutionFailed", "executionFailedEventDetails": {}}),
        );
        check(
            HistoryKind::ExecutionAborted(failure()),
            json!({"type": "ExecutionAborted", "executionAbortedEventDetails": {"error": "E"}}),
        );
        check(
            HistoryKind::ExecutionTimedOut(failure()),
            json!({"type": "ExecutionTimedOut", "executionTimedOutEventDetails": {"error": "E"}}),
        );
        check(
            HistoryKind::StateEntered { state: StateType::Fail, name: "F".into(), input: INPUT },
            json!({"type": "FailStateEntered", "stateEnteredEventDetails":
                {"name": "F", "input": "{\"a\": 1}", "inputDetails": data}}),
        );
        check(
            HistoryKind::StateExited {
                state: StateType::Choice,
                name: "C".into(),
                output: INPUT,
                assigned: vec![("x".into(), INPUT)],
            },
            json!({"type": "ChoiceStateExited", "stateExitedEventDetails":
                {"name": "C", "output": "{\"a\": 1}", "outputDetails": data,
                 "assignedVariables": {"x": "{\"a\": 1}"}, "assignedVariablesDetails": data}}),
        );
        check(
            HistoryKind::ExecutionRedriven { count: 2, from: None, onto: None },
            json!({"type": "ExecutionRedriven", "executionRedrivenEventDetails": {"redriveCount": 2}}),
        );
        check(
            HistoryKind::ExecutionRedriven { count: 1, from: Some("S".into()), onto: Some("r".into()) },
            json!({"type": "ExecutionRedriven", "executionRedrivenEventDetails":
                {"redriveCount": 1, "fromState": "S", "revisionId": "r"}}),
        );
        check(HistoryKind::StateAborted(StateType::Wait), json!({"type": "WaitStateAborted"}));
        for (location, details) in [
            (Some("Output/a".into()), json!({"error": "E", "location": "Output/a", "state": "S"})),
            (None, json!({"error": "E", "state": "S"})),
        ] {
            check(
                HistoryKind::EvaluationFailed { failure: failure(), location, state: "S".into() },
                json!({"type": "EvaluationFailed", "evaluationFailedEventDetails": details}),
            );
        }
    }

    #[test]
    fn parallels_and_maps() {
        for (kind, name) in [
            (HistoryKind::ParallelStateStarted, "ParallelStateStarted"),
            (HistoryKind::ParallelStateSucceeded, "ParallelStateSucceeded"),
            (HistoryKind::ParallelStateFailed, "ParallelStateFailed"),
            (HistoryKind::MapStateSucceeded, "MapStateSucceeded"),
            (HistoryKind::MapStateFailed, "MapStateFailed"),
            (HistoryKind::MapRunSucceeded, "MapRunSucceeded"),
        ] {
            check(kind, json!({"type": name}));
        }
        check(
            HistoryKind::MapStateStarted { length: 3 },
            json!({"type": "MapStateStarted", "mapStateStartedEventDetails": {"length": 3}}),
        );
        check(
            HistoryKind::MapRunStarted { arn: "arn:run".into() },
            json!({"type": "MapRunStarted", "mapRunStartedEventDetails": {"mapRunArn": "arn:run"}}),
        );
        check(
            HistoryKind::MapRunRedriven { arn: "arn:run".into(), count: 2 },
            json!({"type": "MapRunRedriven",
                "mapRunRedrivenEventDetails": {"mapRunArn": "arn:run", "redriveCount": 2}}),
        );
        check(
            HistoryKind::MapRunFailed(failure()),
            json!({"type": "MapRunFailed", "mapRunFailedEventDetails": {"error": "E"}}),
        );
        check(
            HistoryKind::MapIterationAborted { name: "M".into(), index: 0 },
            json!({"type": "MapIterationAborted", "mapIterationAbortedEventDetails": {"name": "M", "index": 0}}),
        );
    }

    #[test]
    fn functions_and_activities() {
        let data = json!({"truncated": false});
        check(
            HistoryKind::LambdaFunction(scheduled("arn:f", Some(9), Some("arn:role"))),
            json!({"type": "LambdaFunctionScheduled", "lambdaFunctionScheduledEventDetails":
                {"resource": "arn:f", "input": "{\"a\": 1}", "inputDetails": data, "timeoutInSeconds": 9,
                 "taskCredentials": {"roleArn": "arn:role"}}}),
        );
        check(
            HistoryKind::LambdaFunction(TaskEvent::Started { worker: None }),
            json!({"type": "LambdaFunctionStarted"}),
        );
        check(
            HistoryKind::LambdaFunction(TaskEvent::TimedOut(failure())),
            json!({"type": "LambdaFunctionTimedOut", "lambdaFunctionTimedOutEventDetails": {"error": "E"}}),
        );
        check(
            HistoryKind::Activity(scheduled("arn:a", Some(9), None)),
            json!({"type": "ActivityScheduled", "activityScheduledEventDetails":
                {"resource": "arn:a", "input": "{\"a\": 1}", "inputDetails": data, "timeoutInSeconds": 9,
                 "heartbeatInSeconds": 9}}),
        );
        check(
            HistoryKind::Activity(TaskEvent::Started { worker: None }),
            json!({"type": "ActivityStarted", "activityStartedEventDetails": {}}),
        );
        check(
            HistoryKind::Activity(TaskEvent::Started { worker: Some("w".into()) }),
            json!({"type": "ActivityStarted", "activityStartedEventDetails": {"workerName": "w"}}),
        );
    }

    #[test]
    fn service_tasks() {
        check(
            service_task(scheduled("arn:r", None, None)),
            json!({"type": "TaskScheduled", "taskScheduledEventDetails":
                {"resourceType": "lambda", "resource": "invoke", "region": "us-east-1",
                 "parameters": "{\"a\": 1}"}}),
        );
        check(
            service_task(TaskEvent::Started { worker: None }),
            json!({"type": "TaskStarted", "taskStartedEventDetails":
                {"resourceType": "lambda", "resource": "invoke"}}),
        );
        check(
            service_task(TaskEvent::Failed(failure())),
            json!({"type": "TaskFailed", "taskFailedEventDetails":
                {"resourceType": "lambda", "resource": "invoke", "error": "E"}}),
        );
        check(
            service_task(TaskEvent::Submitted { output: INPUT }),
            json!({"type": "TaskSubmitted", "taskSubmittedEventDetails":
                {"resourceType": "lambda", "resource": "invoke", "output": "{\"a\": 1}",
                 "outputDetails": {"truncated": false}}}),
        );
    }

    #[test]
    fn data_is_left_out_when_it_is_not_asked_for() {
        let entered = HistoryKind::StateEntered { state: StateType::Pass, name: "P".into(), input: INPUT };
        assert_eq!(shown(entered)[1]["stateEnteredEventDetails"], json!({"name": "P"}));
        let task = shown(service_task(scheduled("arn:r", None, None)));
        assert_eq!(task[0], task[1], "the parameters of a task stay");
    }
}
