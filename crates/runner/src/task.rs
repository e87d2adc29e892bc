//! One task, from its token to its report: the function runs, heartbeats go out beside it, the report is delivered.
//!
//! ```text
//!   invoke ───────────────► report ──► deliver, again and again while the server is away
//!   heartbeat, heartbeat…
//!        └ the token is closed: kill the process, report nothing
//! ```
//!
//! It knows one task; which comes next is the worker's business.

use std::time::Duration;

use lambda::sandbox::{Ending, Sandbox};
use tokio_util::sync::CancellationToken;

use crate::{
    report::{Report, TaskFacts},
    runtime::Runtime,
    step_functions::{CallError, StepFunctions, Task},
};

/// First and longest wait before a failed call is repeated.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// A heartbeat that could not be sent is sent again after this, if the interval is not shorter.
const HEARTBEAT_AGAIN: Duration = Duration::from_secs(1);
/// Once tasks are given up, how long their last reports may take.
const LAST_REPORT_MAX: Duration = Duration::from_secs(3);

/// What the tasks of one worker share.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) server: StepFunctions,
    pub(crate) runtime: Runtime,
    pub(crate) activity_arn: String,
    pub(crate) heartbeat: Duration,
    pub(crate) killed: CancellationToken,
}

impl Desk {
    /// Runs a task to its delivered report; gives back the process if it may take another.
    pub(crate) async fn run(&self, task: &Task, sandbox: Sandbox, worker_name: &str) -> Option<Sandbox> {
        let request_id = uuid::Uuid::new_v4().to_string();
        tracing::info!(%request_id, bytes = task.input.len(), "task taken");
        let (report, sandbox) = tokio::select! {
            invoked = self.invoke(task, sandbox, &request_id) => invoked,
            closed = self.beat(&task.token) => {
                tracing::warn!(%request_id, %closed, "the task is closed; its process was killed");
                return None;
            }
            () = self.killed.cancelled() => (Report::drained(worker_name), None),
        };
        self.deliver(&task.token, &request_id, report).await;
        sandbox
    }

    /// Runs the function on the task's input. A process that turns out to be dead is replaced once.
    async fn invoke(&self, task: &Task, mut sandbox: Sandbox, request_id: &str) -> (Report, Option<Sandbox>) {
        let deadline = self.runtime.deadline();
        let facts = TaskFacts { request_id, activity_arn: &self.activity_arn, deadline };
        let mut ending =
            sandbox.invoke(self.runtime.invocation(request_id, task.input.clone()), deadline).await;
        if matches!(ending, Ending::Exited { taken: false, .. }) {
            sandbox = match self.runtime.start().await {
                Ok(sandbox) => sandbox,
                Err(failed) => return (Report::function_error(&failed.error(request_id)), None),
            };
            ending = sandbox.invoke(self.runtime.invocation(request_id, task.input.clone()), deadline).await;
        }
        let (report, reusable) = Report::of(ending, &facts);
        (report, Some(sandbox).filter(|_| reusable))
    }

    /// Sends heartbeats for as long as the token is good; returns why it no longer is.
    async fn beat(&self, token: &str) -> CallError {
        let mut wait = self.heartbeat;
        loop {
            tokio::time::sleep(wait).await;
            wait = match self.server.heartbeat(token).await {
                Ok(()) => self.heartbeat,
                Err(closed) if closed.is_closed() => return closed,
                Err(error) => {
                    tracing::warn!(%error, "a heartbeat could not be sent");
                    self.heartbeat.min(HEARTBEAT_AGAIN)
                }
            };
        }
    }

    /// Sends a report until the server has it or the task is closed; a result is not lost while the server is away.
    async fn deliver(&self, token: &str, request_id: &str, mut report: Report) {
        let last = async {
            self.killed.cancelled().await;
            tokio::time::sleep(LAST_REPORT_MAX).await;
        };
        let sending = async {
            let mut back_off = BackOff::default();
            loop {
                let error = match self.send(token, &report).await {
                    Ok(()) => return tracing::info!(%request_id, report = report.name(), "task done"),
                    Err(error) => error,
                };
                if error.is_closed() {
                    return tracing::warn!(%request_id, %error, "the task was closed before its report");
                }
                let is_unfit = error.is_any(&["InvalidOutput", "ValidationException", "ValidationError"]);
                match (is_unfit, &report) {
                    (true, Report::Success { .. }) => report = Report::refused_output(&error.to_string()),
                    (true, Report::Failure { .. }) => {
                        return tracing::error!(%request_id, %error, "the failure's report was refused");
                    }
                    (false, _) => {
                        tracing::warn!(%request_id, %error, "the report could not be sent; trying again");
                        back_off.wait().await;
                    }
                }
            }
        };
        tokio::select! {
            () = sending => {}
            () = last => tracing::error!(%request_id, "the report was not delivered; the server did not answer in time"),
        }
    }

    async fn send(&self, token: &str, report: &Report) -> Result<(), CallError> {
        match report {
            Report::Success { output } => self.server.success(token, output).await,
            Report::Failure { error, cause } => self.server.failure(token, error, cause).await,
        }
    }
}

/// Waits that double from the first to the longest.
#[derive(Debug, Default)]
pub(crate) struct BackOff {
    failures: u32,
}

impl BackOff {
    pub(crate) async fn wait(&mut self) {
        let (first, longest) = BACK_OFF;
        let wait = first.saturating_mul(2_u32.saturating_pow(self.failures)).min(longest);
        self.failures += 1;
        // Workers that lost the same server should not all come back in the same instant: up to a quarter more.
        let quarters = u32::from(uuid::Uuid::new_v4().as_bytes()[0]);
        tokio::time::sleep(wait + wait * quarters / 1024).await;
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}
