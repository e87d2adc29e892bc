//! Object changes on their way out: a row written with the change, delivered by a task, removed once taken.
//!
//! ```text
//!   PUT ──► one commit: object row + outbox row ──► reply to the client
//!                              │
//!                    dispatcher ──► ObjectEvents::deliver ──► Ok: the row goes
//! ```
//!
//! So an acknowledged change yields its event at least once, over `kill -9` too: rows that are left are delivered again
//! at the next start, with the same id. The reply does not wait for the delivery: a slow or broken receiver must not
//! fail uploads that are already durable. Refuses to know what an event turns into: that is [`ObjectEvents`].

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::error::Error;
use crate::index::{Index, Table, Txn, decode};

/// Deliveries under way at once: enough to hide the receiver's disk sync, few enough not to flood it.
const DELIVERIES_MAX: usize = 16;
/// Rows read from the index at once; bounds the dispatcher's memory.
const PAGE_ROWS: usize = 256;
/// How long a change that the receiver refused waits for its next try, at first and at most.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Who is told about objects that were written or deleted, in buckets that have EventBridge switched on.
pub trait ObjectEvents: Send + Sync + 'static {
    /// Takes one change. `Ok` means that it will not be forgotten, and only then is it never offered again; after an
    /// `Err` (the text is logged), or a crash, the same change comes again with the same [`id`](ObjectChange::id).
    fn deliver(&self, change: ObjectChange) -> BoxFuture<'_, Result<(), String>>;
}

/// For those who do not listen.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEvents;

impl ObjectEvents for NoEvents {
    fn deliver(&self, _change: ObjectChange) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

/// One object written or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectChange {
    /// A UUID, the same at every delivery of this change.
    pub id: String,
    /// When it happened, in milliseconds since 1970.
    pub time_ms: u64,
    /// The bucket.
    pub bucket: String,
    /// The key, as the client meant it (not URL-encoded).
    pub key: String,
    /// Hexadecimal, all of one length: of two changes to one key, the later has the greater.
    pub sequencer: String,
    /// What happened.
    pub what: Change,
    /// The operation: `PutObject`, `CopyObject`, `CompleteMultipartUpload`, `DeleteObject`.
    pub reason: String,
    /// Whose request it was.
    pub caller: Caller,
}

/// What happened to the object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It was written, new or over an old one.
    Created {
        /// Its size in bytes.
        size: u64,
        /// Its ETag, without quotes.
        etag: String,
    },
    /// It was deleted.
    Deleted,
}

/// Whose request changed an object, as the event will say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The request's id, also in the reply's `x-amz-request-id`.
    pub request_id: String,
    /// The account (or service) that asked.
    pub requester: String,
    /// The address that it asked from.
    pub source_ip: String,
}

/// What a change says about itself; the outbox adds id, time and order.
pub(crate) struct Occurrence {
    pub bucket: String,
    pub key: String,
    pub what: Change,
    pub reason: &'static str,
    pub caller: Caller,
}

/// Adds the row of a change to the write that makes it.
pub(crate) fn record(txn: &mut Txn<'_>, sequence: u64, now_ms: u64, it: Occurrence) -> Result<(), Error> {
    let change = ObjectChange {
        id: uuid::Uuid::new_v4().to_string(),
        time_ms: now_ms,
        bucket: it.bucket,
        key: it.key,
        sequencer: format!("{sequence:018X}"),
        what: it.what,
        reason: it.reason.to_owned(),
        caller: it.caller,
    };
    txn.put(Table::Outbox, &sequence.to_be_bytes(), &change)
}

/// Delivers what is in the outbox, for ever; drop it to stop.
pub(crate) async fn dispatch(index: Arc<Index>, receiver: Arc<dyn ObjectEvents>, changed: Arc<Notify>) {
    let mut refused: HashMap<u64, Refusal> = HashMap::new();
    loop {
        let woken = changed.notified();
        if let Err(error) = deliver_once(&index, &*receiver, &mut refused).await {
            tracing::warn!(%error, "the outbox could not be read; trying again");
            tokio::time::sleep(RETRY_FIRST).await;
            continue;
        }
        match refused.values().map(|r| r.retry_at).min() {
            Some(retry_at) => drop(tokio::time::timeout_at(retry_at, woken).await),
            None => woken.await,
        }
    }
}

struct Refusal {
    retry_at: Instant,
    pause: Duration,
}

/// One pass over the whole outbox.
async fn deliver_once(
    index: &Index,
    receiver: &dyn ObjectEvents,
    refused: &mut HashMap<u64, Refusal>,
) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = page(index, after)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(*last);
        let now = Instant::now();
        let due = page.into_iter().filter(|(n, _)| refused.get(n).is_none_or(|r| r.retry_at <= now));
        let deliveries = due.map(|(sequence, change)| async move {
            let what = format!("{} {}", change.bucket, change.key);
            let taken = receiver.deliver(change).await;
            (sequence, what, taken)
        });
        let mut outcomes =
            futures::stream::iter(deliveries.collect::<Vec<_>>()).buffer_unordered(DELIVERIES_MAX);
        let mut done = Vec::new();
        while let Some((sequence, what, taken)) = outcomes.next().await {
            match taken {
                Ok(()) => {
                    refused.remove(&sequence);
                    done.push(sequence);
                }
                Err(error) => {
                    let pause = refused.get(&sequence).map_or(RETRY_FIRST, |r| (r.pause * 2).min(RETRY_MAX));
                    tracing::warn!(%error, object = what, ?pause, "an object event was not taken; it will be sent again");
                    refused.insert(sequence, Refusal { retry_at: Instant::now() + pause, pause });
                }
            }
        }
        drop(outcomes);
        if !done.is_empty() {
            index
                .write(move |txn| {
                    done.iter().for_each(|sequence| txn.remove(Table::Outbox, &sequence.to_be_bytes()));
                    Ok(())
                })
                .await?;
        }
    }
}

fn page(index: &Index, after: Option<u64>) -> Result<Vec<(u64, ObjectChange)>, Error> {
    index.read(|view| {
        let after = after.map(u64::to_be_bytes);
        let from = after.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_slice()));
        let rows = view.rows(Table::Outbox, from).take(PAGE_ROWS);
        rows.map(|row| {
            let (key, value) = row?;
            let sequence = (*key).try_into().map(u64::from_be_bytes);
            let sequence = sequence.map_err(|_| Error::Index("an outbox key is not a number".into()))?;
            Ok((sequence, decode(&value)?))
        })
        .collect()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Refuses the first delivery of every change.
    #[derive(Default)]
    struct Reluctant {
        offered: Mutex<Vec<ObjectChange>>,
        taken: Notify,
    }

    impl ObjectEvents for Reluctant {
        fn deliver(&self, change: ObjectChange) -> BoxFuture<'_, Result<(), String>> {
            Box::pin(async move {
                let mut offered = self.offered.lock().unwrap();
                let again = offered.contains(&change);
                offered.push(change);
                if again {
                    self.taken.notify_one();
                    Ok(())
                } else {
                    Err("not yet".into())
                }
            })
        }
    }

    #[tokio::test]
    async fn a_refused_change_comes_again_unchanged_and_goes_when_taken() {
        let dir = tempfile::tempdir().unwrap();
        let index = Arc::new(Index::open(dir.path()).unwrap());
        let receiver = Arc::new(Reluctant::default());
        index
            .write(|txn| {
                let sequence = txn.next_sequence();
                let caller =
                    Caller { request_id: "r".into(), requester: "a".into(), source_ip: "127.0.0.1".into() };
                let what = Change::Created { size: 1, etag: "e".into() };
                let it =
                    Occurrence { bucket: "b".into(), key: "k".into(), what, reason: "PutObject", caller };
                record(txn, sequence, 5, it)
            })
            .await
            .unwrap();
        let task = tokio::spawn(dispatch(Arc::clone(&index), receiver.clone(), Arc::new(Notify::new())));
        receiver.taken.notified().await;
        let offered = receiver.offered.lock().unwrap().clone();
        assert_eq!(offered.len(), 2);
        assert_eq!(offered[0], offered[1]);
        while !page(&index, None).unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        task.abort();
    }
}
