//! What the caller does once a step is durable. Each is a row of the step, so that a restart finds it again.

use std::sync::Arc;

use crate::execution::{TaskId, Timer};

/// Something to do outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send [`Event::Timer`](crate::Event::Timer) when it is due.
    SetTimer(Timer),
    /// It is not needed any more.
    ClearTimer(Timer),
    /// Put a task into an activity's queue.
    Offer {
        /// Which task.
        task: TaskId,
        /// The activity's ARN.
        activity: Arc<str>,
    },
    /// Take it out again: a worker has it, or its state is over.
    Withdraw {
        /// Which task.
        task: TaskId,
        /// The activity's ARN.
        activity: Arc<str>,
    },
    /// Push a task to its resource; it stays in the outbox until it is settled.
    Call(TaskId),
    /// A pushed task is settled or not wanted any more.
    Settle(TaskId),
}
