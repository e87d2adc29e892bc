//! What is told to logs: the history events of executions whose machine has `loggingConfiguration`, as far as its level
//! goes.
//!
//! An execution keeps the configuration that it started with. Events are told after the step that they belong to is
//! durable, and never hold it up: whoever listens takes them or drops them at once. This file refuses to know where
//! logs are kept and how a record looks.

use std::collections::HashMap;
use std::sync::Arc;

use engine::{Execution, HistoryEvent, HistoryKind, PayloadId, StateType, TaskEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::history::payloads_of;

/// Events of one execution, for a log.
#[derive(Clone, Debug)]
pub struct Told {
    /// The ARN of the log group.
    pub group_arn: String,
    /// The execution's ARN.
    pub execution_arn: String,
    /// Its machine's name.
    pub machine_name: String,
    /// Whether its machine is an EXPRESS one.
    pub express: bool,
    /// How often it has been redriven.
    pub redrive_count: u32,
    /// Whether inputs and outputs are shown.
    pub with_data: bool,
    /// The events, oldest first.
    pub events: Vec<HistoryEvent>,
    /// The texts of their payloads.
    pub texts: HashMap<PayloadId, Arc<str>>,
}

/// Who listens.
pub trait LogSink: std::fmt::Debug + Send + Sync + 'static {
    /// Whether there is a log group with this ARN.
    fn has_group(&self, arn: &str) -> bool;

    /// Takes events, or drops and counts them when there is no room. It must not wait.
    fn tell(&self, told: Told);
}

/// Nobody: there is no log group.
#[derive(Debug)]
pub struct NoLogs;

impl LogSink for NoLogs {
    fn has_group(&self, _: &str) -> bool {
        false
    }

    fn tell(&self, _: Told) {}
}

/// From which gravity on events are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Level {
    /// Everything.
    All,
    /// What failed, and what led to it.
    Error,
    /// The end of an execution that did not succeed.
    Fatal,
}

/// How an execution is logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogPlan {
    level: Level,
    with_data: bool,
    group_arn: String,
}

impl LogPlan {
    /// What a `loggingConfiguration` asks for; `None` when that is nothing.
    pub(crate) fn of(configuration: Option<&Value>) -> Option<LogPlan> {
        let configuration = configuration?;
        let level = match configuration["level"].as_str()? {
            "ALL" => Level::All,
            "ERROR" => Level::Error,
            "FATAL" => Level::Fatal,
            _ => return None,
        };
        let group_arn = destination(configuration)?.to_owned();
        let with_data = configuration["includeExecutionData"] == true;
        Some(LogPlan { level, with_data, group_arn })
    }

    /// As an execution keeps it.
    pub(crate) fn kept(&self) -> Arc<str> {
        serde_json::to_string(self).expect("a plan is plain data").into()
    }
}

/// The log group that a `loggingConfiguration` names.
pub(crate) fn destination(configuration: &Value) -> Option<&str> {
    configuration["destinations"][0]["cloudWatchLogsLogGroup"]["logGroupArn"].as_str()
}

/// What of these events is told of an execution, which still holds their texts.
pub(crate) fn told(execution: &Execution, events: &[HistoryEvent]) -> Option<Told> {
    let facts = execution.facts.as_ref()?;
    let plan: LogPlan = serde_json::from_str(facts.log.as_deref()?).ok()?;
    let events: Vec<HistoryEvent> =
        events.iter().filter(|event| level_of(&event.kind) >= plan.level).cloned().collect();
    if events.is_empty() {
        return None;
    }
    let named = events.iter().flat_map(|event| payloads_of(&event.kind));
    let texts = named.filter_map(|id| Some((id, execution.text(id)?))).collect();
    Some(Told {
        group_arn: plan.group_arn,
        execution_arn: facts.arn.clone(),
        machine_name: facts.machine_name.clone(),
        express: facts.express,
        redrive_count: execution.redrives.count(),
        with_data: plan.with_data,
        events,
        texts,
    })
}

/// The gravest level at which an event is still told (asl-facts 23).
fn level_of(kind: &HistoryKind) -> Level {
    match kind {
        HistoryKind::ExecutionFailed(_)
        | HistoryKind::ExecutionAborted(_)
        | HistoryKind::ExecutionTimedOut(_) => Level::Fatal,
        HistoryKind::StateEntered { state: StateType::Fail, .. }
        | HistoryKind::StateAborted(_)
        | HistoryKind::EvaluationFailed { .. }
        | HistoryKind::ParallelStateFailed
        | HistoryKind::MapStateFailed
        | HistoryKind::MapIterationFailed { .. }
        | HistoryKind::MapIterationAborted { .. } => Level::Error,
        HistoryKind::LambdaFunction(event)
        | HistoryKind::Activity(event)
        | HistoryKind::Task { event, .. } => match event {
            TaskEvent::Failed(_) | TaskEvent::TimedOut(_) => Level::Error,
            TaskEvent::Scheduled { .. }
            | TaskEvent::Started { .. }
            | TaskEvent::Submitted { .. }
            | TaskEvent::Succeeded { .. } => Level::All,
        },
        _ => Level::All,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_configuration_becomes_a_plan_and_comes_back() {
        let destinations = json!([{"cloudWatchLogsLogGroup": {"logGroupArn": "arn:g:*"}}]);
        let of = |level: &str| LogPlan::of(Some(&json!({"level": level, "destinations": destinations})));
        assert_eq!(LogPlan::of(None), None);
        assert_eq!(of("OFF"), None);
        let plan = of("ERROR").unwrap();
        assert_eq!((plan.level, plan.with_data, &*plan.group_arn), (Level::Error, false, "arn:g:*"));
        assert_eq!(serde_json::from_str::<LogPlan>(&plan.kept()).unwrap(), plan);
    }

    #[test]
    fn levels_are_those_of_aws() {
        let failure = engine::Failure { error: None, cause: None };
        let cases = [
            (HistoryKind::ParallelStateStarted, Level::All),
            (HistoryKind::LambdaFunction(TaskEvent::Started { worker: None }), Level::All),
            (HistoryKind::LambdaFunction(TaskEvent::Failed(failure.clone())), Level::Error),
            (HistoryKind::StateAborted(StateType::Task), Level::Error),
            (HistoryKind::ExecutionFailed(failure.clone()), Level::Fatal),
            (HistoryKind::ExecutionAborted(failure), Level::Fatal),
        ];
        for (kind, level) in cases {
            assert_eq!(level_of(&kind), level, "{kind:?}");
        }
    }
}
