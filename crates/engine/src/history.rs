//! The history of an execution, as `GetExecutionHistory` tells it: 62 event types in AWS's words.
//!
//! Events hold payload ids, not texts. How an event looks on the wire is the API's business.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::payload::PayloadId;

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryEvent {
    /// From 1, without gaps.
    pub id: u64,
    /// The event that it follows, 0 for none.
    pub previous: u64,
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    /// What happened.
    pub kind: HistoryKind,
}

/// The type of a state, as event names begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateType {
    /// `Pass…`
    Pass,
    /// `Task…`
    Task,
    /// `Choice…`
    Choice,
    /// `Wait…`
    Wait,
    /// `Succeed…`
    Succeed,
    /// `Fail…`
    Fail,
    /// `Parallel…`
    Parallel,
    /// `Map…`
    Map,
}

/// What happened, with the details that the event carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "names and fields are those of the Step Functions API, told in asl-facts 7")]
pub enum HistoryKind {
    ExecutionStarted {
        input: PayloadId,
        role_arn: Arc<str>,
        through: Through,
    },
    ExecutionSucceeded {
        output: PayloadId,
    },
    ExecutionFailed(Failure),
    ExecutionAborted(Failure),
    ExecutionTimedOut(Failure),
    /// `from` and `onto` are ours: the state at which a redrive was told to begin, and that it went on with another
    /// definition.
    ExecutionRedriven {
        count: u32,
        from: Option<Arc<str>>,
        onto: Option<Arc<str>>,
    },
    StateEntered {
        state: StateType,
        name: Arc<str>,
        input: PayloadId,
    },
    StateExited {
        state: StateType,
        name: Arc<str>,
        output: PayloadId,
        assigned: Vec<(Arc<str>, PayloadId)>,
    },
    StateAborted(StateType),
    EvaluationFailed {
        failure: Failure,
        location: Option<Arc<str>>,
        state: Arc<str>,
    },
    ParallelStateStarted,
    ParallelStateSucceeded,
    ParallelStateFailed,
    MapStateStarted {
        length: u32,
    },
    MapStateSucceeded,
    MapStateFailed,
    MapRunStarted {
        arn: Arc<str>,
    },
    MapRunRedriven {
        arn: Arc<str>,
        count: u32,
    },
    MapRunSucceeded,
    MapRunFailed(Failure),
    MapIterationStarted {
        name: Arc<str>,
        index: u32,
    },
    MapIterationSucceeded {
        name: Arc<str>,
        index: u32,
    },
    MapIterationFailed {
        name: Arc<str>,
        index: u32,
    },
    MapIterationAborted {
        name: Arc<str>,
        index: u32,
    },
    LambdaFunction(TaskEvent),
    Activity(TaskEvent),
    Task {
        service: Arc<str>,
        resource: Arc<str>,
        event: TaskEvent,
    },
}

/// What an execution was started through, besides its machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Through {
    /// The ARN of the version that it runs.
    pub version_arn: Option<Arc<str>>,
    /// The ARN of the alias that chose the version.
    pub alias_arn: Option<Arc<str>>,
}

/// What happened to a task; the same for a function, an activity and a service, under other names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "names and fields are those of the Step Functions API, told in asl-facts 7")]
pub enum TaskEvent {
    Scheduled {
        resource: Arc<str>,
        region: Arc<str>,
        input: PayloadId,
        timeout_seconds: Option<u64>,
        heartbeat_seconds: Option<u64>,
        credentials: Option<Arc<str>>,
    },
    Started {
        worker: Option<Arc<str>>,
    },
    Submitted {
        output: PayloadId,
    },
    Succeeded {
        output: PayloadId,
    },
    Failed(Failure),
    TimedOut(Failure),
}
