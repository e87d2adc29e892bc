//! What can happen to an execution.

use std::sync::Arc;

use crate::execution::{Child, Origin, TaskId, TimerId};
use crate::failure::Failure;
use crate::redrive::{NotRedrivable, Redrive};

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// It is to start. Always the first event, and never another.
    Start(Box<Start>),
    /// A timer is due.
    Timer(TimerId),
    /// A worker gets an activity's task.
    TaskTaken {
        /// Which.
        task: TaskId,
        /// What the worker calls itself.
        worker: Option<Arc<str>>,
    },
    /// The task reached the worker: the queue can forget it.
    TaskDelivered(TaskId),
    /// The task never reached the worker: it waits for another.
    TaskReturned(TaskId),
    /// A call for a task that waits for its token was answered.
    TaskSubmitted {
        /// Which.
        task: TaskId,
        /// The answer.
        output: Arc<str>,
    },
    /// A task is done.
    TaskSucceeded {
        /// Which.
        task: TaskId,
        /// Its result, a JSON text.
        output: Arc<str>,
    },
    /// A task failed.
    TaskFailed {
        /// Which.
        task: TaskId,
        /// The error's name.
        error: Option<Arc<str>>,
        /// What happened.
        cause: Option<Arc<str>>,
    },
    /// A worker is still at it.
    Heartbeat(TaskId),
    /// RedriveExecution: it goes on where it ended without success.
    Redrive(Box<Redrive>),
    /// It has run for as long as any execution may (a year on AWS).
    Expired,
    /// A Map Run is done.
    MapRunSucceeded {
        /// The number that it was asked for under.
        task: TaskId,
        /// The result of the Map, a JSON text.
        output: Arc<str>,
    },
    /// A Map Run failed.
    MapRunFailed {
        /// The number that it was asked for under.
        task: TaskId,
        /// The error's name and what happened.
        failure: Failure,
    },
    /// StopExecution.
    Stop {
        /// The error's name.
        error: Option<Arc<str>>,
        /// Why.
        cause: Option<Arc<str>>,
    },
}

/// How an execution starts.
#[derive(Clone, Debug)]
pub struct Start {
    /// The execution's ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its machine's ARN.
    pub machine_arn: String,
    /// Its machine's name.
    pub machine_name: String,
    /// The role that it runs under.
    pub role_arn: String,
    /// The region of its service tasks.
    pub region: String,
    /// Its input, a JSON text, kept verbatim.
    pub input: Arc<str>,
    /// The trace header of the request.
    pub trace_header: Option<String>,
    /// Whether its machine is an EXPRESS one.
    pub express: bool,
    /// How the caller logs it, in the caller's own words; nothing here depends on it.
    pub log: Option<Arc<str>>,
    /// Through which of its machine's versions and aliases.
    pub origin: Origin,
    /// What it is when a Map Run starts it: one container of the machine, and not the whole.
    pub child: Option<Child>,
}

/// Why an event changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// The execution has ended.
    Ended,
    /// The task is closed: completed, timed out, retried or cut off.
    TaskClosed,
    /// The task is there, and this cannot happen to it now: it was already taken, or never was.
    TaskElsewhere,
    /// The timer was cleared.
    TimerCleared,
    /// It has started already.
    Started,
    /// It cannot be taken up again.
    NotRedrivable(NotRedrivable),
    /// The same request has redriven it before, at this moment in milliseconds since the epoch.
    RedrivenBefore(i64),
}
