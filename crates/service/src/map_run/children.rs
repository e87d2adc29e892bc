//! The children of a Map Run, one at a time: started, redriven, stopped, however busy their owners are.
//!
//! Each of these can be asked for again: a child's name and the token of its redrive follow from the run and its number.

use std::sync::Arc;
use std::time::Duration;

use engine::{Child, Event, Failure, Origin, Redrive, Start, Status};
use store::ExecutionId;

use crate::execution::ExecutionRecord;
use crate::machine::decode;
use crate::map_run::feed::Batch;
use crate::map_run::progress::Ended;
use crate::map_run::work::Work;
use crate::owner::Failed;
use crate::refusal::Refusal;
use crate::service::Shared;

/// The pause before something is tried again that found no room.
const PAUSE: Duration = Duration::from_millis(20);
/// What came of a start.
pub(super) enum Begun {
    /// It runs, or its end is told of.
    Running(u32),
    /// It was there before, and has ended.
    Before(Ended),
    Failed(u32, Failure),
    Stopping,
}

/// The token of a child's redrive: the same however often it is asked for.
pub(crate) fn redrive_token(redrives: u32) -> String {
    format!("map run redrive {redrives}")
}

/// Stops a child; `false` when nothing can move it.
pub(super) async fn stop(shared: &Shared, id: ExecutionId) -> bool {
    let event = Event::Stop { error: None, cause: None };
    match shared.deliver_patiently(id, event).await {
        // It ended before: that is told, or was.
        Ok(_) | Err(Failed::Rejected(_)) => true,
        Err(Failed::Absent | Failed::NameTaken | Failed::Broken(_) | Failed::Refused(_)) => false,
    }
}

/// Starts a child, however busy its owner is.
pub(super) async fn start(shared: Arc<Shared>, work: Arc<Work>, batch: Batch) -> Begun {
    let round = work.plan.redrives;
    let (name, arn) = work.child_name(&shared, batch.index, round);
    let id = ExecutionId::of(&arn);
    let child = Child {
        map_run_arn: work.plan.arn.to_string(),
        container: work.container,
        index: batch.index,
        items: batch.items,
        round,
    };
    let start = Start {
        arn,
        name,
        machine_arn: work.machine_arn.clone(),
        machine_name: work.labelled.clone(),
        role_arn: work.role_arn.clone(),
        region: work.region.clone(),
        input: batch.input.into(),
        trace_header: work.trace_header.clone(),
        express: work.express,
        log: work.log.clone(),
        origin: Origin::default(),
        child: Some(child),
    };
    let event = Event::Start(Box::new(start));
    let definition = Some(work.definition.hash.to_string());
    send(&shared, id, event, definition, batch.index, batch.items).await
}

/// Redrives a child, however busy its owner is.
pub(super) async fn redrive(shared: Arc<Shared>, work: Arc<Work>, index: u32, items: u32) -> Begun {
    let token = Some(redrive_token(work.plan.redrives).into());
    let event = Event::Redrive(Box::new(Redrive { token, graft: None }));
    send(&shared, work.child_id(&shared, index), event, None, index, items).await
}

/// Sends what makes a child run.
async fn send(
    shared: &Shared,
    id: ExecutionId,
    event: Event,
    definition: Option<String>,
    index: u32,
    items: u32,
) -> Begun {
    loop {
        match shared.send(id, event.clone(), definition.clone(), None).await {
            Ok(_) => return Begun::Running(index),
            Err(Failed::NameTaken | Failed::Rejected(_)) => {
                return there_before(shared, id, index, items).await;
            }
            Err(Failed::Refused(Refusal::Throttled)) => tokio::time::sleep(PAUSE).await,
            Err(Failed::Refused(_)) if shared.has_stopped() => return Begun::Stopping,
            Err(failed) => {
                let cause = failed.into_refusal().to_string();
                let failure = Failure { error: Some("States.Runtime".into()), cause: Some(cause.into()) };
                return Begun::Failed(index, failure);
            }
        }
    }
}

/// A child that was there: an earlier start or redrive was durable, and its answer was lost with the server that gave it.
async fn there_before(shared: &Shared, id: ExecutionId, index: u32, items: u32) -> Begun {
    let loaded = match shared.store.load(id).await {
        Ok(loaded) => loaded,
        Err(_) => return Begun::Stopping,
    };
    let listing = loaded.and_then(|loaded| loaded.listing);
    match listing.map(|listing| decode::<ExecutionRecord>(&listing.body)) {
        Some(Ok(record)) if record.status != Status::Running => {
            Begun::Before(Ended { index, items, status: record.status, life: 0, output: None })
        }
        _ => Begun::Running(index),
    }
}
