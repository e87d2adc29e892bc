//! The sandboxes of one function: warm ones reused, new ones started on demand, spent and idle ones discarded.
//!
//! ```text
//!   run ─► admitted (concurrency_max, else TooManyRequests) ─► a place (sandboxes_max, waits)
//!       ─► warm sandbox, or launch and wait for its init ─► invoke ─► keep warm | discard
//! ```
//!
//! It knows a function's limits and Lambda's rules for a failed start; it knows no names and no HTTP.
//!
//! **Start-up.** Init may take ten seconds. If it takes longer, Lambda kills the sandbox and starts another whose init
//! counts against the function's own Timeout; so does this. An init that *fails* is reported at once with what the
//! runtime posted. (Lambda tries it a second time before it reports; a second run of failing start-up code only
//! doubles its side effects.)

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use base64::Engine as _;
use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::{
    clock,
    failure::ErrorBody,
    function::{FunctionConfig, LATEST},
    invoke::InvokeError,
    launcher::Launcher,
    logs::{Logs, Mark, TAIL_BYTES_MAX},
    runtime_api::{Invocation, Outcome},
    sandbox::{Ending, Sandbox, StartError, Started},
};

/// Time for a new sandbox to ask for its first event (AWS: 10 s).
pub(crate) const INIT_MAX: Duration = Duration::from_secs(10);
/// A response may overtake the log lines that were written before it, since they come by another pipe; a caller that
/// wants the tail waits this long for them.
const LOG_SETTLE: Duration = Duration::from_millis(20);

/// Bounds of one function's pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolLimits {
    pub(crate) concurrency_max: usize,
    pub(crate) sandboxes_max: usize,
}

/// One invocation, checked and named.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) request_id: String,
    pub(crate) payload: Bytes,
    pub(crate) function_arn: String,
    pub(crate) trace_id: String,
    pub(crate) client_context: Option<String>,
    pub(crate) log_tail: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) payload: Bytes,
    pub(crate) error: Option<ErrorBody>,
    pub(crate) log_tail: Option<String>,
    pub(crate) trace_id: String,
}

/// The sandboxes of one function as it was registered; a changed function gets a new pool.
#[derive(Debug)]
pub(crate) struct Pool {
    function: Arc<FunctionConfig>,
    launcher: Arc<Launcher>,
    admitted: Semaphore,
    places: Semaphore,
    warm: Mutex<Warm>,
}

#[derive(Debug, Default)]
struct Warm {
    /// The longest unused first.
    idle: Vec<(Sandbox, Instant)>,
    /// No sandbox comes back any more.
    retired: bool,
}

impl Pool {
    pub(crate) fn new(function: Arc<FunctionConfig>, launcher: Arc<Launcher>, limits: PoolLimits) -> Pool {
        Pool {
            function,
            launcher,
            admitted: Semaphore::new(limits.concurrency_max),
            places: Semaphore::new(limits.sandboxes_max),
            warm: Mutex::default(),
        }
    }

    pub(crate) fn function(&self) -> &Arc<FunctionConfig> {
        &self.function
    }

    /// Runs one invocation in a sandbox of its own.
    pub(crate) async fn run(self: Arc<Self>, call: Call) -> Result<Run, InvokeError> {
        let _admitted = self.admitted.try_acquire().map_err(|_| InvokeError::TooManyRequests)?;
        let _place = self.places.acquire().await.expect("the semaphore is never closed");
        let limit = Duration::from_secs(self.function.timeout_s.into());
        loop {
            let warm = self.take_warm();
            let was_warm = warm.is_some();
            let mut sandbox = match warm {
                Some(sandbox) => sandbox,
                None => match self.start(&call).await? {
                    Ok(sandbox) => sandbox,
                    Err(error) => return Ok(failed(call, error)),
                },
            };
            let mark = sandbox.logs().mark();
            let began = Instant::now();
            let ending = sandbox.invoke(self.invocation(&call, limit), Some(limit)).await;
            // A warm sandbox may have died unseen since it was last used. Nothing ran; another one takes over.
            if matches!(ending, Ending::Exited { taken: false, .. }) && was_warm {
                continue;
            }
            let log_tail = if call.log_tail {
                Some(self.log_tail(&sandbox, mark, &call.request_id, began.elapsed()).await)
            } else {
                None
            };
            let (payload, error, reusable) = read_ending(ending, &call.request_id, limit);
            if reusable {
                self.keep_warm(sandbox);
            }
            return Ok(Run { payload, error, log_tail, trace_id: call.trace_id });
        }
    }

    /// Discards every idle sandbox now, and busy ones when they are done.
    pub(crate) fn retire(&self) {
        let mut warm = self.warm();
        warm.retired = true;
        warm.idle.clear();
    }

    /// Discards sandboxes that were idle for longer than `idle_max`, or died.
    pub(crate) fn reap(&self, idle_max: Duration) {
        self.warm().idle.retain(|(sandbox, since)| sandbox.is_alive() && since.elapsed() < idle_max);
    }

    /// A new sandbox that is ready, or about to be within the invocation's own time; or the error to report.
    async fn start(&self, call: &Call) -> Result<Result<Sandbox, ErrorBody>, InvokeError> {
        let mut sandbox = match self.launcher.launch(&self.function).await {
            Ok(sandbox) => sandbox,
            Err(StartError::Entrypoint(problem)) => {
                return Ok(Err(ErrorBody::invalid_entrypoint(&call.request_id, &problem)));
            }
            Err(other) => return Err(refusal(other)),
        };
        match sandbox.started(Some(INIT_MAX)).await {
            Started::Ready => Ok(Ok(sandbox)),
            Started::Failed(error) => Ok(Err(error)),
            Started::Exited(exit) => {
                let last = sandbox.logs().last(10);
                tracing::warn!(function = %self.function.name, %exit, "exited before its first event: {last}");
                Ok(Err(ErrorBody::exited(&call.request_id, &exit)))
            }
            Started::TooSlow => {
                tracing::warn!(function = %self.function.name, "init took over {INIT_MAX:?}; starting again");
                self.launcher.launch(&self.function).await.map(Ok).map_err(refusal)
            }
        }
    }

    fn invocation(&self, call: &Call, limit: Duration) -> Invocation {
        Invocation {
            request_id: call.request_id.clone(),
            payload: call.payload.clone(),
            deadline_ms: clock::now_ms() + u64::try_from(limit.as_millis()).unwrap_or(u64::MAX / 2),
            function_arn: call.function_arn.clone(),
            trace_id: call.trace_id.clone(),
            client_context: call.client_context.clone(),
        }
    }

    fn take_warm(&self) -> Option<Sandbox> {
        let mut warm = self.warm();
        while let Some((sandbox, _)) = warm.idle.pop() {
            if sandbox.is_alive() {
                return Some(sandbox);
            }
        }
        None
    }

    fn keep_warm(&self, sandbox: Sandbox) {
        let mut warm = self.warm();
        if !warm.retired && sandbox.is_alive() {
            warm.idle.push((sandbox, Instant::now()));
        }
    }

    fn warm(&self) -> MutexGuard<'_, Warm> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn log_tail(&self, sandbox: &Sandbox, mark: Mark, id: &str, took: Duration) -> String {
        tokio::time::sleep(LOG_SETTLE).await;
        tail(sandbox.logs(), mark, id, &self.report(id, took, sandbox.memory_mb_peak()))
    }

    /// The line that Lambda ends an invocation's log with.
    fn report(&self, id: &str, took: Duration, memory_mb_peak: Option<u64>) -> String {
        let (memory_mb, ms) = (self.function.memory_mb, took.as_secs_f64() * 1000.0);
        let peak = memory_mb_peak.map(|mb| format!("Max Memory Used: {mb} MB\t")).unwrap_or_default();
        format!(
            "REPORT RequestId: {id}\tDuration: {ms:.2} ms\tBilled Duration: {} ms\tMemory Size: {memory_mb} MB\t{peak}",
            ms.ceil()
        )
    }
}

/// A start that is not the function's to report, as Lambda's error.
pub(crate) fn refusal(error: StartError) -> InvokeError {
    match error {
        StartError::Image(reason) | StartError::Entrypoint(reason) => {
            InvokeError::ResourceConflict { reason }
        }
        StartError::Machine(message) => InvokeError::Service { message },
    }
}

fn failed(call: Call, error: ErrorBody) -> Run {
    let log_tail = call.log_tail.then(|| base64::engine::general_purpose::STANDARD.encode(&error.body));
    Run { payload: Bytes::new(), error: Some(error), log_tail, trace_id: call.trace_id }
}

/// Result, error, and whether the sandbox may serve another invocation.
fn read_ending(ending: Ending, request_id: &str, limit: Duration) -> (Bytes, Option<ErrorBody>, bool) {
    match ending {
        Ending::Answered(Outcome::Response(payload)) => (payload, None, true),
        Ending::Answered(Outcome::FunctionError(error)) => (Bytes::new(), Some(error), true),
        Ending::Answered(Outcome::InitError(error)) => (Bytes::new(), Some(error), false),
        Ending::Answered(Outcome::ResponseTooLarge) => {
            (Bytes::new(), Some(ErrorBody::response_too_large()), false)
        }
        Ending::Exited { exit, .. } => (Bytes::new(), Some(ErrorBody::exited(request_id, &exit)), false),
        Ending::TimedOut => (Bytes::new(), Some(ErrorBody::timed_out(request_id, limit)), false),
    }
}

/// The end of an invocation's log between Lambda's own lines, in base64.
fn tail(logs: &Logs, mark: Mark, id: &str, report: &str) -> String {
    let mut text = format!("START RequestId: {id} Version: {LATEST}\n");
    for line in logs.since(mark) {
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str(&format!("END RequestId: {id}\n{report}\n"));
    let bytes = text.as_bytes();
    base64::engine::general_purpose::STANDARD.encode(&bytes[bytes.len().saturating_sub(TAIL_BYTES_MAX)..])
}
