//! Retention: closed executions go when they have been kept long enough, and with them their names' reservation.
//!
//! A worker looks at the oldest end of each list of closed executions and stops at the first one that is still to be
//! kept, so a round costs what it removes. A purge names the version that the list row was written at: an execution that
//! was redriven meanwhile is at another one and stays. A crash in between loses nothing: what is still listed is found
//! again. The same worker ends executions that have run for as long as any may; their lists are in order too.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use engine::{Event, Status};
use futures::stream::{self, StreamExt};
use store::{ExecutionId, ListQuery, Listing, Order, PurgeOutcome};

use crate::clock::now_ms;
use crate::execution::{ExecutionRecord, status_code};
use crate::machine::decode;
use crate::map_run;
use crate::owner::Failed;
use crate::refusal::Refusal;
use crate::service::{Service, Shared};

/// How long AWS keeps executions after their end (asl-facts 22).
pub(crate) const DEFAULT: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// The longest pause between two rounds: what is late by a minute after ninety days is not late.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// The shortest, for retentions that tests and demonstrations use.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// Executions that one round removes, and those that it ends, at most; the next round goes on at once, after others had
/// their turn.
const PER_ROUND_MAX: usize = 10_000;
/// List rows that are read at a time.
const ROWS_PER_READ: usize = 256;
/// Purges that are under way at a time: enough that they share their syncs, few beside the steps of executions.
const PURGES_AT_ONCE: usize = 32;
/// The statuses of executions that have ended.
const CLOSED: [Status; 4] = [Status::Succeeded, Status::Failed, Status::TimedOut, Status::Aborted];

/// What is known of the worker.
pub(crate) struct Retention {
    keep: Duration,
    purged: AtomicU64,
    expired: AtomicU64,
    last_round_ms: AtomicI64,
}

/// What a server's store holds, and what became of what it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Executions that have not ended.
    pub open: u64,
    /// Executions that have ended and are kept.
    pub closed: u64,
    /// Bytes that the store takes; what was purged goes from them when the storage engine tidies up.
    pub bytes: u64,
    /// How long executions are kept after their end.
    pub retention: Duration,
    /// Executions that were purged since this server started.
    pub purged: u64,
    /// Executions that were ended since this server started because they had run for as long as any may.
    pub expired: u64,
    /// When the worker last looked, in milliseconds since the epoch.
    pub last_round_ms: Option<i64>,
}

impl Retention {
    pub(crate) fn new(keep: Duration) -> Self {
        let (purged, expired) = (AtomicU64::new(0), AtomicU64::new(0));
        Retention { keep, purged, expired, last_round_ms: AtomicI64::new(0) }
    }

    fn pause(&self) -> Duration {
        (self.keep / 10).clamp(PAUSE_MIN, PAUSE_MAX)
    }
}

impl Service {
    /// What the store holds, and what became of what it held.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn storage(&self) -> Result<Storage, Refusal> {
        let usage = self.shared().store.usage().await?;
        // Map Runs are listed with statuses of their own.
        let listed = |statuses: &[Status]| {
            let counted = |status: u8| statuses.iter().any(|counted| status_code(*counted) == status);
            usage.listed.iter().filter(|(status, _)| counted(*status)).map(|(_, count)| count).sum()
        };
        let retention = &self.shared().retention;
        let last_round_ms = Some(retention.last_round_ms.load(Ordering::Relaxed)).filter(|ms| *ms > 0);
        Ok(Storage {
            open: listed(&[Status::Running]),
            closed: listed(&CLOSED),
            bytes: usage.bytes,
            retention: retention.keep,
            purged: retention.purged.load(Ordering::Relaxed),
            expired: retention.expired.load(Ordering::Relaxed),
            last_round_ms,
        })
    }
}

/// Works until the service stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(shared.retention.pause()) => {}
            () = shared.stopping() => return,
        }
        while !shared.has_stopped() {
            let rounded = tokio::select! {
                rounded = round(&shared, now_ms()) => rounded,
                () = shared.stopping() => return,
            };
            match rounded {
                Ok(worked) if worked >= PER_ROUND_MAX => tokio::task::yield_now().await,
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "retention could not do its work; it tries again");
                    break;
                }
            }
        }
    }
}

/// Removes and ends what is due at `now_ms`, up to the bound; how many that were.
pub(crate) async fn round(shared: &Arc<Shared>, now_ms: i64) -> Result<usize, Refusal> {
    let kept_ms = i64::try_from(shared.retention.keep.as_millis()).unwrap_or(i64::MAX);
    let (mut room, mut purged) = (PER_ROUND_MAX, 0);
    for status in CLOSED {
        let done = over(shared, status, now_ms.saturating_sub(kept_ms), room, purge).await?;
        room -= done;
        purged += done as u64;
    }
    let expired = match shared.limits().execution_ms_max {
        Some(max) => over(shared, Status::Running, now_ms.saturating_sub(max), PER_ROUND_MAX, expire).await?,
        None => 0,
    };
    let retention = &shared.retention;
    retention.purged.fetch_add(purged, Ordering::Relaxed);
    retention.expired.fetch_add(expired as u64, Ordering::Relaxed);
    retention.last_round_ms.store(now_ms, Ordering::Relaxed);
    if purged > 0 || expired > 0 {
        let usage = shared.store.usage().await?;
        let remaining: u64 = usage.listed.iter().map(|(_, count)| count).sum();
        tracing::info!(purged, expired, remaining, bytes = usage.bytes, "retention did its work");
    }
    Ok(PER_ROUND_MAX - room + expired)
}

/// Does something to the executions of a status that are listed at `until_ms` or before, the oldest first, until it was
/// done to as many as there is room for; to how many that was.
///
/// Only what was done counts: what has to stay, such as ten thousand children of a Map Run that goes on, is looked over
/// and must neither hide the others nor make the next round begin at once.
async fn over<F>(
    shared: &Arc<Shared>,
    status: Status,
    until_ms: i64,
    room: usize,
    act: impl Fn(Arc<Shared>, ExecutionId, ExecutionRecord) -> F,
) -> Result<usize, Refusal>
where
    F: Future<Output = Result<bool, Refusal>>,
{
    let mut count = 0;
    let mut cursor = None;
    while count < room {
        let limit = ROWS_PER_READ.min(room - count);
        let (status, order) = (Some(status_code(status)), Order::OldestFirst);
        let page = shared.store.list(ListQuery { group: None, status, cursor, limit, order }).await?;
        let read = page.rows.len();
        let due: Vec<_> = page.rows.into_iter().take_while(|(_, row)| row.sort_ms <= until_ms).collect();
        let all_due = due.len() == read;
        let mut acts = stream::iter(due.into_iter().filter_map(|(id, row)| Some((id, readable(id, &row)?))))
            .map(|(id, record)| act(shared.clone(), id, record))
            .buffer_unordered(PURGES_AT_ONCE);
        while let Some(done) = acts.next().await {
            count += usize::from(done?);
        }
        // The cursor, not the first row again: what cannot be removed must not hide what can.
        cursor = page.next;
        if !all_due || cursor.is_none() {
            break;
        }
    }
    Ok(count)
}

fn readable(id: ExecutionId, row: &Listing) -> Option<ExecutionRecord> {
    decode(&row.body).inspect_err(|error| tracing::error!(execution = %id, %error, "it cannot be read")).ok()
}

async fn purge(shared: Arc<Shared>, id: ExecutionId, record: ExecutionRecord) -> Result<bool, Refusal> {
    // A Map Run counts its children, writes their results and tells by them what need not run again: they stay with it.
    if let Some(child) = &record.child
        && map_run::is_running(&shared, &child.map_run_arn).await?
    {
        return Ok(false);
    }
    // Its Map Runs first: nobody would find them any more. Their children are executions and go by their own age.
    map_run::purge_of(&shared, &record.arn).await?;
    match shared.store.purge(id, u64::from(record.step)).await {
        Ok(PurgeOutcome::Purged) => Ok(true),
        // It goes on, or somebody was faster.
        Ok(PurgeOutcome::Conflict { .. } | PurgeOutcome::Absent) => Ok(false),
        Err(error) => {
            shared.store_failed(&error);
            Err(error.into())
        }
    }
}

async fn expire(shared: Arc<Shared>, id: ExecutionId, _: ExecutionRecord) -> Result<bool, Refusal> {
    match shared.deliver(id, Event::Expired).await {
        Ok(_) => Ok(true),
        // It ended by itself; or it is broken, which the log has been told, and must not keep the others.
        Err(Failed::Rejected(_) | Failed::Absent | Failed::NameTaken | Failed::Broken(_)) => Ok(false),
        Err(failed) => Err(failed.into_refusal()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;
    use store::{Expect, StepWrite};

    use super::*;
    use crate::testing;
    use crate::{ListExecutions, StartExecution};

    const DAY_MS: i64 = 24 * 60 * 60 * 1000;

    async fn start(service: &Service, machine: &str, name: &str) -> String {
        let (machine_arn, name) = (machine.to_owned(), Some(name.to_owned()));
        let request = StartExecution { machine_arn, name, ..StartExecution::default() };
        service.start_execution(request).await.unwrap().arn
    }

    async fn status(service: &Service, arn: &str) -> Option<Status> {
        service.describe_execution(arn).await.ok().map(|described| described.record.status)
    }

    #[tokio::test]
    async fn what_ended_long_ago_goes_and_its_name_is_free() {
        let service = testing::open().await;
        let wait = json!({"Type": "Wait", "SecondsPath": "$.seconds", "End": true});
        let arn = testing::machine(&service, wait).await;
        // It fails at once: there are no seconds in its input.
        let ended = start(&service, &arn, "ended").await;
        let running = StartExecution {
            machine_arn: arn.clone(),
            input: Some(r#"{"seconds": 86400}"#.into()),
            ..StartExecution::default()
        };
        let running = service.start_execution(running).await.unwrap().arn;
        assert_eq!(status(&service, &ended).await, Some(Status::Failed));

        let shared = service.shared();
        assert_eq!(round(shared, now_ms()).await.unwrap(), 0);
        assert_eq!(round(shared, now_ms() + 89 * DAY_MS).await.unwrap(), 0);
        let storage = service.storage().await.unwrap();
        assert_eq!((storage.open, storage.closed, storage.purged), (1, 1, 0));

        assert_eq!(round(shared, now_ms() + 91 * DAY_MS).await.unwrap(), 1);
        assert_eq!(status(&service, &ended).await, None);
        assert_eq!(status(&service, &running).await, Some(Status::Running));
        let storage = service.storage().await.unwrap();
        assert_eq!((storage.open, storage.closed, storage.purged), (1, 0, 1));
        assert_eq!(start(&service, &arn, "ended").await, ended);
    }

    #[tokio::test]
    async fn what_ran_for_too_long_is_ended() {
        let service = testing::open().await;
        let wait = json!({"Type": "Wait", "Seconds": 3600, "End": true});
        let arn = testing::machine(&service, wait).await;
        let execution = start(&service, &arn, "e").await;
        assert_eq!(round(service.shared(), now_ms() + 364 * DAY_MS).await.unwrap(), 0);
        assert_eq!(round(service.shared(), now_ms() + 366 * DAY_MS).await.unwrap(), 1);
        assert_eq!(status(&service, &execution).await, Some(Status::TimedOut));
        assert_eq!(service.storage().await.unwrap().expired, 1);
    }

    /// More than is read at a time, and the oldest of them is not what its list row says.
    #[tokio::test]
    async fn what_cannot_go_does_not_hold_up_the_others() {
        let service = testing::open().await;
        let arn = testing::machine(&service, json!({"Type": "Pass", "End": true})).await;
        let one = start(&service, &arn, "one").await;
        let mut record = service.describe_execution(&one).await.unwrap().record;
        assert_eq!(record.status, Status::Succeeded);
        let version = u64::from(record.step);
        assert_eq!(
            service.shared().store.load(ExecutionId::of(&one)).await.unwrap().unwrap().version,
            version
        );
        record.step -= 1;
        let id = ExecutionId::of(&one);
        assert!(!purge(service.shared().clone(), id, record.clone()).await.unwrap(), "it has moved on");

        let listed = |id: ExecutionId, expect: Expect, record: &ExecutionRecord| StepWrite {
            listing: Some(record.listing()),
            ..StepWrite::new(id, expect, Bytes::new())
        };
        let mut group = vec![listed(id, Expect::Version(version), &record)];
        record.step = 1;
        let others = 2 * ROWS_PER_READ;
        for number in 0..others {
            record.name = format!("other-{number}");
            record.stopped_ms = record.stopped_ms.map(|ms| ms + 1);
            group.push(listed(ExecutionId::of(&record.name), Expect::Absent, &record));
        }
        service.shared().store.commit(group).await.unwrap();

        let later = now_ms() + 100 * DAY_MS;
        // What stays is no work done: or a round full of it would be followed by the next without a pause.
        assert_eq!(round(service.shared(), later).await.unwrap(), others);
        assert_eq!(round(service.shared(), later).await.unwrap(), 0);
        let left = ListExecutions { machine_arn: arn, limit: 10, ..ListExecutions::default() };
        let left = service.list_executions(left).await.unwrap().executions;
        assert_eq!(left.iter().map(|execution| execution.name.as_str()).collect::<Vec<_>>(), ["one"]);
        assert_eq!(service.storage().await.unwrap().purged, others as u64);
    }
}
