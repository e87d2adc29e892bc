//! Pushed tasks: performed by the connector after their step is durable, and again after a crash.
//!
//! The outbox row of a task is there from the step that asks for it to the step that settles it. So a task is pushed
//! at least once, with an id that is the same each time.

use std::sync::Arc;
use std::time::Duration;

use asl::machine::{Body, Machine};
use asl::states::task::{Pattern, Resource};
use connect::{Call, Connector, Outcome};
use engine::{Event, Execution, TaskId};
use store::{ExecutionId, OutboxRow, Shards};
use tokio::sync::Semaphore;

use crate::live::Live;
use crate::owner::Failed;
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
}

impl Dispatch {
    pub(crate) fn new(connector: Arc<dyn Connector>, calls_max: usize) -> Self {
        Dispatch { connector, places: Arc::new(Semaphore::new(calls_max)) }
    }
}

/// Pushes a task of a live execution.
pub(crate) fn call(
    shared: &Arc<Shared>,
    id: ExecutionId,
    execution: &Execution,
    machine: &Machine,
    task: TaskId,
) {
    let Some(view) = execution.task(task).filter(|view| view.calling) else { return };
    let Body::Task(state) = &machine.state(view.state).body else { return };
    let call = Call {
        resource: state.resource.clone(),
        input: view.input,
        idempotency_id: format!("{id}-{:x}", task.0),
        trace_header: execution.facts().trace_header.clone(),
    };
    shared.underway.spawn(perform(shared.clone(), id, task, call));
}

async fn perform(shared: Arc<Shared>, id: ExecutionId, task: TaskId, call: Call) {
    let waits_for_token =
        matches!(&call.resource, Resource::Service(service) if service.pattern == Pattern::WaitForTaskToken);
    let outcome = tokio::select! {
        outcome = async {
            let _place = shared.dispatch.places.acquire().await;
            shared.dispatch.connector.perform(call).await
        } => outcome,
        // The row stays, and the next start pushes the task again.
        () = shared.stopping() => return,
    };
    let event = match outcome {
        Outcome::Succeeded(output) if waits_for_token => Event::TaskSubmitted { task, output },
        Outcome::Succeeded(output) => Event::TaskSucceeded { task, output },
        Outcome::Failed { error, cause } => {
            Event::TaskFailed { task, error: Some(error), cause: Some(cause) }
        }
    };
    // Kept; or the task was over before: timed out, or its execution stopped.
    if let Err(Some(refusal)) = shared.deliver_patiently(id, event).await.map_err(Failed::trouble) {
        tracing::error!(execution = %id, %refusal, "the outcome of a task is lost; the next start pushes it again");
    }
}

/// Pushes again what was in flight when the server went down.
pub(crate) async fn reissue(shared: &Arc<Shared>) -> Result<(), Refusal> {
    let mut after = None;
    loop {
        let rows = shared.store.outbox(Shards::ALL, after, ROWS_PER_READ).await?;
        let Some((last, row)) = rows.last() else { return Ok(()) };
        after = Some((*last, row.id));
        // The rows of an execution lie together: a Map with a thousand calls out is loaded once.
        for rows in rows.chunk_by(|(one, _), (other, _)| one == other) {
            reissue_rows(shared, rows).await?;
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
                call(shared, id, &live.execution, &live.definition.machine, TaskId(row.id));
            }
        }
        Ok(None) => tracing::error!(execution = %id, "an outbox row belongs to no execution"),
        // The store; one damaged execution must not keep the others from starting.
        Err(Failed::Refused(refusal)) => return Err(refusal),
        Err(failed) => tracing::error!(execution = %id, ?failed, "an outbox row cannot be read"),
    }
    Ok(())
}
