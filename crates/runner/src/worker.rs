//! A worker of an activity: as many slots as asked for, each a process and a poll in turn.
//!
//! ```text
//!   slot:  process ready ──► poll ──► task ──► run, report ──┐
//!             ▲                │ nothing: poll again         │
//!             └────────────────┴──────────────────────────────┘
//! ```
//!
//! It knows when to poll: only with a free slot whose process is ready, so that no task is taken that nobody can run.
//! If the function cannot start even once, the runner exits with an error before it takes any task: a broken image
//! must not eat the work of healthy ones, and whoever started it learns by the exit.
//!
//! A poll that is open when the drain begins is closed. A server may have handed it a task in that instant; ours puts
//! such a task back, AWS leaves it to its HeartbeatSeconds.

use std::sync::Arc;

use lambda::sandbox::Sandbox;
use tokio::task::JoinSet;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    options::{Activity, Options},
    runtime::{Failed, Runtime},
    shutdown::Stages,
    step_functions::StepFunctions,
    task::{BackOff, Desk},
};

/// A function that worked once and then fails to start this often in a row ends the runner.
const START_FAILURES_MAX: u32 = 5;
/// Time for killed processes to be gone at the end.
const GONE_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// Works until the drain is over.
pub(crate) async fn run(options: &Options, activity: Activity, stages: Stages) -> Result<(), String> {
    let url = options.endpoint(&activity);
    let server = StepFunctions::new(url.clone(), &activity)?;
    let watchers = TaskTracker::new();
    let desk = Arc::new(Desk {
        server,
        runtime: Runtime::new(options, Some(&activity), watchers.clone()),
        activity_arn: activity.arn.clone(),
        heartbeat: options.heartbeat(),
        killed: stages.killed.clone(),
    });
    let first = tokio::select! {
        first = desk.runtime.start() => first.map_err(|failed| format!("the function does not start: {failed}"))?,
        () = stages.draining.cancelled() => return Ok(()),
    };
    tracing::info!(activity = %activity.arn, %url, slots = options.slots, "working");
    let (mut slots, mut first) = (JoinSet::new(), Some(first));
    for number in 0..options.slots {
        let name = options.worker_name(number);
        slots.spawn(slot(Arc::clone(&desk), name, first.take(), stages.draining.clone()));
    }
    let mut result = Ok(());
    while let Some(ended) = slots.join_next().await {
        let ended = ended.unwrap_or_else(|failed| Err(format!("a slot failed: {failed}")));
        if ended.is_err() {
            // The others finish what they have; a runner with a slot less would go unnoticed.
            stages.draining.cancel();
            result = result.and(ended);
        }
    }
    watchers.close();
    let _ = tokio::time::timeout(GONE_MAX, watchers.wait()).await;
    result
}

async fn slot(
    desk: Arc<Desk>,
    worker_name: String,
    mut sandbox: Option<Sandbox>,
    draining: CancellationToken,
) -> Result<(), String> {
    let mut back_off = BackOff::default();
    while !draining.is_cancelled() {
        let alive = sandbox.take().filter(Sandbox::is_alive);
        let ready = match alive {
            Some(ready) => ready,
            None => match draining.run_until_cancelled(start(&desk)).await {
                Some(started) => {
                    started.map_err(|failed| format!("the function no longer starts: {failed}"))?
                }
                None => break,
            },
        };
        sandbox = match draining.run_until_cancelled(desk.server.poll(&worker_name)).await {
            None => break,
            Some(Ok(Some(task))) => {
                back_off.reset();
                desk.run(&task, ready, &worker_name).await
            }
            Some(Ok(None)) => {
                back_off.reset();
                Some(ready)
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "no task could be asked for; trying again");
                draining.run_until_cancelled(back_off.wait()).await;
                Some(ready)
            }
        };
    }
    Ok(())
}

/// A process that is ready, after some tries.
async fn start(desk: &Desk) -> Result<Sandbox, Failed> {
    let mut back_off = BackOff::default();
    for _ in 1..START_FAILURES_MAX {
        match desk.runtime.start().await {
            Ok(sandbox) => return Ok(sandbox),
            Err(failed) => tracing::error!(%failed, "the function did not start; trying again"),
        }
        back_off.wait().await;
    }
    desk.runtime.start().await
}
