//! The clock: reads the time, and sends due timers to their owners.
//!
//! Timers are rows; the clock holds none in memory but those that it has sent and not heard of. It sleeps until the
//! earliest row is due, or until a step sets an earlier one.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::{Event, Rejected, TimerId};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use store::{ExecutionId, Shards, Timer};
use tokio::sync::Notify;

use crate::owner::Failed;
use crate::refusal::Refusal;
use crate::service::Shared;

/// Due timers that are read at a time.
const TIMERS_PER_READ: usize = 1024;
/// Timers that are on their way to their owners: after a long stop everything is due at once, and each read goes over
/// those that are on their way.
const IN_FLIGHT_MAX: usize = 4096;
/// The longest sleep: a clock of the machine that is set forward must not make timers late by more.
const SLEEP_MAX: Duration = Duration::from_secs(5);
/// The pause after a read that failed or gave only timers that are being worked on.
const PAUSE: Duration = Duration::from_millis(50);
/// The pause before a timer whose owner refused it is sent again.
const RETRY: Duration = Duration::from_secs(1);

/// Milliseconds since the epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where the service reads the time; below it, time is an argument"
)]
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// How the owners tell the clock of new timers.
pub(crate) struct Alarm {
    /// When the clock means to wake up.
    wakes_ms: AtomicI64,
    earlier: Notify,
}

impl Alarm {
    pub(crate) fn new() -> Self {
        Alarm { wakes_ms: AtomicI64::new(i64::MIN), earlier: Notify::new() }
    }

    /// A timer was set.
    pub(crate) fn set(&self, due_ms: i64) {
        if due_ms < self.wakes_ms.load(Ordering::SeqCst) {
            self.earlier.notify_one();
        }
    }
}

/// A timer that was sent, and whether its row may be sent again when it is still there.
type Landed = ((ExecutionId, Timer), bool);
type InFlight = FuturesUnordered<BoxFuture<'static, Landed>>;

/// Sends due timers until the service stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut sent: HashSet<(ExecutionId, Timer)> = HashSet::new();
    let mut in_flight = InFlight::new();
    loop {
        if in_flight.len() >= IN_FLIGHT_MAX {
            tokio::select! {
                Some(landed) = in_flight.next() => land(&mut sent, &mut in_flight, landed),
                () = shared.stopping() => return,
            }
            continue;
        }
        let now = now_ms();
        // Until the read is done any new timer counts as earlier, or one could slip in between.
        shared.alarm.wakes_ms.store(i64::MAX, Ordering::SeqCst);
        let due = shared.store.due(Shards::ALL, now, TIMERS_PER_READ + sent.len()).await;
        let mut sleep = SLEEP_MAX;
        match due {
            Ok(due) => {
                let fresh: Vec<_> = due.timers.into_iter().filter(|row| !sent.contains(row)).collect();
                if fresh.is_empty() {
                    if let Some(next) = due.next_ms {
                        let until = u64::try_from(next - now).unwrap_or(0);
                        sleep = sleep.min(Duration::from_millis(until));
                    }
                } else {
                    sleep = Duration::ZERO;
                }
                for row in fresh {
                    sent.insert(row);
                    in_flight.push(fire(shared.clone(), row));
                }
            }
            Err(error) => {
                tracing::error!(%error, "timers cannot be read");
                shared.store_failed(&error);
                sleep = PAUSE;
            }
        }
        shared.alarm.wakes_ms.store(now.saturating_add(sleep.as_millis() as i64), Ordering::SeqCst);
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            () = shared.alarm.earlier.notified() => {}
            Some(landed) = in_flight.next() => land(&mut sent, &mut in_flight, landed),
            () = shared.stopping() => return,
        }
    }
}

/// Takes note of the timers that have come back, of which this is the first.
fn land(sent: &mut HashSet<(ExecutionId, Timer)>, in_flight: &mut InFlight, first: Landed) {
    let mut next = Some(first);
    while let Some((row, done)) = next {
        if done {
            sent.remove(&row);
        }
        next = in_flight.next().now_or_never().flatten();
    }
}

/// Sends one timer. `false`: nothing that this server does would ever consume its row; it stays marked as sent.
fn fire(shared: Arc<Shared>, row: (ExecutionId, Timer)) -> BoxFuture<'static, Landed> {
    Box::pin(async move {
        let (id, timer) = row;
        let done = match shared.deliver_timer(id, timer, Event::Timer(TimerId(timer.id))).await {
            Ok(_) => true,
            // The step that cleared it landed after the row was read.
            Err(Failed::Rejected(Rejected::TimerCleared | Rejected::Ended)) => {
                tokio::time::sleep(PAUSE).await;
                true
            }
            Err(Failed::Absent) => {
                tracing::error!(execution = %id, "a timer belongs to no execution");
                false
            }
            // It would break again. The next start tries once more: perhaps with a release that does not.
            Err(Failed::Broken(why)) => {
                tracing::error!(execution = %id, why, "a timer waits for the next start of the server");
                false
            }
            // Its owner is busy; a warning for each timer would be a flood.
            Err(Failed::Refused(Refusal::Throttled)) => {
                tokio::time::sleep(PAUSE).await;
                true
            }
            Err(failed) => {
                tracing::warn!(execution = %id, ?failed, "a timer could not be delivered; it is tried again");
                tokio::time::sleep(RETRY).await;
                true
            }
        };
        (row, done)
    })
}
