//! Pushed tasks: performed by the connector after their step is durable, and again after a crash.
//!
//! The outbox row of a task is there from the step that asks for it to the step that settles it. So a task is pushed
//! at least once, with an id that is the same each time. A task that waits for a job (`.sync`) keeps its row until the job
//! is done: the step that tells of its submission keeps the job's name, so that after a crash the job is waited for and
//! not submitted again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use asl::machine::Body;
use asl::states::task::{Pattern, Resource};
use connect::{Call, Connector, Outcome};
use engine::{Event, Execution, TaskId};
use store::{ExecutionId, OutboxRow, Shards};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::express;
use crate::live::Live;
use crate::map_run::{self, MAP_RUN_ROW};
use crate::owner::Failed;
use crate::pace::Compiled;
use crate::refusal::Refusal;
use crate::service::Shared;

/// Outbox rows that are read at a time.
const ROWS_PER_READ: usize = 1024;

/// The pause before an execution is loaded that found no room on the compute pool.
const PAUSE: Duration = Duration::from_millis(50);

/// Who performs pushed tasks, and how many at a time.
pub(crate) struct Dispatch {
    connector: Arc<dyn Connector>,
    /// A task past the bound waits for a place; its clock is running, as it does for a function that is throttled.
    places: Arc<Semaphore>,
    jobs: Arc<Jobs>,
}

impl Dispatch {
    pub(crate) fn new(connector: Arc<dyn Connector>, calls_max: usize) -> Self {
        Dispatch { connector, places: Arc::new(Semaphore::new(calls_max)), jobs: Arc::default() }
    }

    /// Performs a call, once there is a place for it. What stays inside takes none: an execution that it starts has
    /// calls of its own, and those must not wait for this one.
    pub(crate) async fn perform(&self, call: Call) -> Outcome {
        let _place = match self.connector.stays_inside(&call.resource) {
            true => None,
            false => self.places.acquire().await.ok(),
        };
        self.connector.perform(call).await
    }

    /// A task is settled: who still waits for its job has no reason to.
    pub(crate) fn settled(&self, id: ExecutionId, task: TaskId) {
        if let Some(settled) = self.jobs.by_task().remove(&(id, task)) {
            settled.cancel();
        }
    }

    pub(crate) fn connector(&self) -> &dyn Connector {
        &*self.connector
    }
}

/// Pushes a task of a live execution, or goes on waiting for the job that it submitted before; `again` when an earlier
/// server may have pushed it.
pub(crate) fn call(
    shared: &Arc<Shared>,
    id: ExecutionId,
    execution: &Execution,
    definition: &Arc<Compiled>,
    task: TaskId,
    again: bool,
) {
    if execution.map_run(task).is_some() {
        return map_run::begin(shared, id, execution, definition, task);
    }
    let machine = &definition.machine;
    let Some(view) = execution.task(task).filter(|view| view.calling) else { return };
    let Body::Task(state) = &machine.state(view.state).body else { return };
    let call = Call {
        resource: state.resource.clone(),
        input: view.input,
        idempotency_id: format!("{id}-{:x}", task.0),
        again,
        trace_header: execution.facts().trace_header.clone(),
    };
    let pushed = Pushed { shared: shared.clone(), id, task, call };
    match pushed.pattern() {
        Pattern::Sync | Pattern::Sync2 => {
            let wanted = shared.dispatch.jobs.wanted(id, task);
            shared.underway.spawn(pushed.submit_and_wait(view.submission, wanted));
        }
        Pattern::RequestResponse | Pattern::WaitForTaskToken => {
            shared.underway.spawn(pushed.push_and_tell());
        }
    }
}

/// A task whose outbox row is there.
struct Pushed {
    shared: Arc<Shared>,
    id: ExecutionId,
    task: TaskId,
    call: Call,
}

impl Pushed {
    fn pattern(&self) -> Pattern {
        match &self.call.resource {
            Resource::Service(service) => service.pattern,
            Resource::Lambda(_) | Resource::Activity(_) => Pattern::RequestResponse,
        }
    }

    async fn push_and_tell(self) {
        let Some(outcome) = self.push().await else { return };
        let event = match outcome {
            Outcome::Succeeded(output) if self.pattern() == Pattern::WaitForTaskToken => {
                Event::TaskSubmitted { task: self.task, output }
            }
            outcome => self.ended(outcome),
        };
        self.tell(event).await;
    }

    /// Submits a job, unless that was done before, and waits for its end or until nobody wants it any more.
    async fn submit_and_wait(self, submission: Option<Arc<str>>, wanted: Wanted) {
        let submission = match submission {
            Some(submission) => submission,
            None => match self.push().await {
                None => return,
                Some(failed @ Outcome::Failed { .. }) => {
                    self.tell(self.ended(failed)).await;
                    return;
                }
                Some(Outcome::Succeeded(output)) => {
                    let submitted = Event::TaskSubmitted { task: self.task, output: output.clone() };
                    match self.tell(submitted).await {
                        Told::Kept => output,
                        Told::TooLate => return self.cancel(output).await,
                        Told::Lost => return,
                    }
                }
            },
        };
        let connector = self.shared.dispatch.connector.clone();
        let outcome = tokio::select! {
            outcome = connector.job_end(self.call.clone(), submission.clone()) => outcome,
            () = wanted.no_longer() => return self.cancel(submission).await,
            () = self.shared.stopping() => return,
        };
        self.tell(self.ended(outcome)).await;
    }

    /// What came of the call; nothing when the server stops: the row stays, and the next start pushes it again.
    async fn push(&self) -> Option<Outcome> {
        let dispatch = &self.shared.dispatch;
        tokio::select! {
            outcome = dispatch.perform(self.call.clone()) => Some(outcome),
            () = self.shared.stopping() => None,
        }
    }

    /// Ends a job whose task is over. A crash before that leaves it to itself, as AWS's best effort may.
    async fn cancel(&self, submission: Arc<str>) {
        self.shared.dispatch.connector.cancel_job(self.call.clone(), submission).await;
    }

    fn ended(&self, outcome: Outcome) -> Event {
        ended(self.task, outcome)
    }

    async fn tell(&self, event: Event) -> Told {
        let Err(failed) = self.shared.deliver_patiently(self.id, event).await else { return Told::Kept };
        match failed.trouble() {
            // The task was over before: timed out, or its execution stopped.
            None => Told::TooLate,
            Some(refusal) => {
                tracing::error!(execution = %self.id, %refusal,
                    "the outcome of a task is lost; the next start pushes it again");
                Told::Lost
            }
        }
    }
}

/// What became of an event about a task.
enum Told {
    Kept,
    TooLate,
    Lost,
}

/// The event that ends a task.
pub(crate) fn ended(task: TaskId, outcome: Outcome) -> Event {
    match outcome {
        Outcome::Succeeded(output) => Event::TaskSucceeded { task, output },
        Outcome::Failed { error, cause } => {
            Event::TaskFailed { task, error: Some(error), cause: Some(cause) }
        }
    }
}

/// The jobs that are waited for.
#[derive(Default)]
struct Jobs {
    by_task: Mutex<HashMap<(ExecutionId, TaskId), CancellationToken>>,
}

impl Jobs {
    fn wanted(self: &Arc<Self>, id: ExecutionId, task: TaskId) -> Wanted {
        let settled = CancellationToken::new();
        self.by_task().insert((id, task), settled.clone());
        Wanted { jobs: self.clone(), key: (id, task), settled }
    }

    fn by_task(&self) -> MutexGuard<'_, HashMap<(ExecutionId, TaskId), CancellationToken>> {
        // Nothing panics while it is held; and an entry is whole or absent.
        self.by_task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One job that is wanted until its task is settled.
struct Wanted {
    jobs: Arc<Jobs>,
    key: (ExecutionId, TaskId),
    settled: CancellationToken,
}

impl Wanted {
    async fn no_longer(&self) {
        self.settled.cancelled().await;
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.jobs.by_task().remove(&self.key);
    }
}

/// Pushes again what was in flight when the server went down.
pub(crate) async fn reissue(shared: &Arc<Shared>) -> Result<(), Refusal> {
    let mut after = None;
    let mut map_runs = Vec::new();
    loop {
        let rows = shared.store.outbox(Shards::ALL, after, ROWS_PER_READ).await?;
        let Some((last, row)) = rows.last() else { break };
        after = Some((*last, row.id));
        let (own, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, row)| row.body == MAP_RUN_ROW);
        map_runs.extend(own.into_iter().map(|(id, _)| id));
        // The rows of an execution lie together: a Map with a thousand calls out is loaded once.
        for rows in rows.chunk_by(|(one, _), (other, _)| one == other) {
            match rows {
                [(id, row)] if row.id == express::ROW => express::run_again(shared, *id, &row.body),
                rows => reissue_rows(shared, rows).await?,
            }
        }
    }
    // Now that every parent has asked for its runs: the others have no parent that wants them.
    map_runs.retain(|id| shared.map_runs.get(*id).is_none());
    shared.underway.spawn(end_orphans(shared.clone(), map_runs));
    Ok(())
}

async fn end_orphans(shared: Arc<Shared>, map_runs: Vec<ExecutionId>) {
    for id in map_runs {
        let ended = tokio::select! {
            ended = map_run::end_orphan(&shared, id) => ended,
            () = shared.stopping() => return,
        };
        if let Err(refusal) = ended {
            tracing::error!(map_run = %id, %refusal, "a Map Run whose execution is over is ended at the next start");
        }
    }
}

/// Brings an execution back, however busy the compute pool is.
async fn load(shared: &Shared, id: ExecutionId) -> Result<Option<Box<Live>>, Failed> {
    loop {
        match Live::load(shared, id).await {
            Err(Failed::Refused(Refusal::Throttled)) => tokio::time::sleep(PAUSE).await,
            loaded => return loaded,
        }
    }
}

async fn reissue_rows(shared: &Arc<Shared>, rows: &[(ExecutionId, OutboxRow)]) -> Result<(), Refusal> {
    let Some(id) = rows.first().map(|(id, _)| *id) else { return Ok(()) };
    match load(shared, id).await {
        Ok(Some(live)) => {
            for (_, row) in rows {
                call(shared, id, &live.execution, &live.definition, TaskId(row.id), true);
            }
        }
        Ok(None) => tracing::error!(execution = %id, "an outbox row belongs to no execution"),
        // The store; one damaged execution must not keep the others from starting.
        Err(Failed::Refused(refusal)) => return Err(refusal),
        Err(failed) => tracing::error!(execution = %id, ?failed, "an outbox row cannot be read"),
    }
    Ok(())
}
