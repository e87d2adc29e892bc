//! The seam between the service and whatever keeps its bytes.
//!
//! At most a dozen operations, because each is paid for once per backend. They are written for crashes: an
//! answer is `Ok` only when what it says survives a power cut; after an `Err` from a write nobody knows whether
//! it happened, until the row is read again from a store that was opened anew.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use tokio::sync::broadcast;

use crate::{
    ExecutionId, Listing, OutboxRow, QueueId, Shard, Shards, StepOutcome, StepWrite, StoreError, Timer,
};

/// A boxed future, so that the traits can be used as `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Hints that a queue got entries. Best effort: a receiver that lags misses some and should then look at every
/// queue that it serves; looking is the truth.
pub type Wakeups = broadcast::Receiver<QueueId>;

/// Durable executions: steps in, rows out.
pub trait Store: Send + Sync + 'static {
    /// Writes a group of steps and says what became of each, in order.
    ///
    /// `Ok` only once everything that it reports as committed is durable. Steps fail alone. Each step's expected
    /// version is resolved in the group's order, against the rows and the steps before it. A caller that stops
    /// waiting has not stopped the write.
    fn commit(&self, group: Vec<StepWrite>) -> BoxFuture<'_, Result<Vec<StepOutcome>, StoreError>>;

    /// What is needed to bring an execution back to memory: its checkpoint and the chunks since, of one moment.
    fn load(&self, execution: ExecutionId) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>>;

    /// Journal chunks from `from_version` on (itself included), walking in `direction`.
    ///
    /// At most `limit` chunks and about `bytes_max` bytes, but always at least one chunk if there is one (and
    /// `limit` is not 0), so that a caller that pages always advances.
    fn history(
        &self,
        execution: ExecutionId,
        from_version: u64,
        direction: Direction,
        limit: usize,
        bytes_max: usize,
    ) -> BoxFuture<'_, Result<Vec<(u64, Bytes)>, StoreError>>;

    /// A page of list rows, newest `sort_ms` first and equal times in the order of ids; or exactly the other way.
    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<ListPage, StoreError>>;

    /// Timers of the shards that are due at `until_ms` or before, earliest first.
    fn due(&self, shards: Shards, until_ms: i64, limit: usize) -> BoxFuture<'_, Result<Due, StoreError>>;

    /// Takes up to `limit` of the oldest visible entries of a queue. They stay in the queue, but nobody else is
    /// given them until `lease_until_ms`, or until they are released. The step that deletes the entry
    /// acknowledges it. A restart voids leases.
    fn take_tasks(
        &self,
        queue: QueueId,
        now_ms: i64,
        lease_until_ms: i64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(ExecutionId, u64)>, StoreError>>;

    /// Gives a taken entry back before its lease ends: it is visible again at once, in its old place.
    fn release(
        &self,
        queue: QueueId,
        execution: ExecutionId,
        task: u64,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Outbox rows of the shards behind `after`, ordered by execution and id. Scanned at start only.
    fn outbox(
        &self,
        shards: Shards,
        after: Option<(ExecutionId, u64)>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(ExecutionId, OutboxRow)>, StoreError>>;

    /// Asks for a shard on behalf of `node`, or renews it. A lease that has run out at `now_ms` is anyone's;
    /// `until_ms <= now_ms` gives it up. Leases decide who does the work, never whether a write is allowed.
    fn lease<'a>(
        &'a self,
        shard: Shard,
        node: &'a str,
        until_ms: i64,
        now_ms: i64,
    ) -> BoxFuture<'a, Result<LeaseOutcome, StoreError>>;

    /// A subscription to hints about queues that got entries.
    fn wakeups(&self) -> Wakeups;

    /// Removes every row of an execution that is at `version`, which frees its name.
    ///
    /// The version is asked for as with any write: between the moment a worker chose this execution and the
    /// purge, it may have been redriven, or purged by another and started anew.
    fn purge(&self, execution: ExecutionId, version: u64) -> BoxFuture<'_, Result<PurgeOutcome, StoreError>>;

    /// What there is: counts that are kept with every write, so that asking costs the same however much there is.
    fn usage(&self) -> BoxFuture<'_, Result<Usage, StoreError>>;
}

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many list rows there are of each status that has any, by status.
    pub listed: Vec<(u8, u64)>,
    /// Bytes that the store takes where it keeps its rows. What was purged goes when the engine tidies up.
    pub bytes: u64,
}

/// An execution as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The version that the next step must expect.
    pub version: u64,
    /// The newest checkpoint and the version whose state it is.
    pub checkpoint: Option<(u64, Bytes)>,
    /// The chunks since the checkpoint (all of them if there is none), oldest first, with their versions.
    pub chunks: Vec<(u64, Bytes)>,
    /// The list row.
    pub listing: Option<Listing>,
}

/// Which way to walk a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first.
    Backward,
}

/// Which list rows to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// Only those of this group.
    pub group: Option<[u8; 16]>,
    /// Only those with this status.
    pub status: Option<u8>,
    /// Where the page before ended: its `next`, with the same filters.
    pub cursor: Option<Bytes>,
    /// At most so many.
    pub limit: usize,
    /// Which end comes first. A cursor goes on in the order of its page.
    pub order: Order,
}

/// Which end of a list comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// What lists show.
    #[default]
    NewestFirst,
    /// What retention asks for.
    OldestFirst,
}

/// A page of list rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage {
    /// The rows, in the order that was asked for.
    pub rows: Vec<(ExecutionId, Listing)>,
    /// Where the next page begins; `None` if this was the last.
    pub next: Option<Bytes>,
}

/// Timers that are due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The timers, earliest first; equal times in the order of executions and ids.
    pub timers: Vec<(ExecutionId, Timer)>,
    /// The time of the earliest timer that was not returned: when to look again. It lies before `until_ms` only
    /// if the limit cut the answer short.
    pub next_ms: Option<i64>,
}

/// Who has a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// The asking node.
    Held {
        /// Grows whenever the shard changes hands, and never shrinks.
        epoch: u64,
    },
    /// Another node.
    Lost {
        /// That node.
        node: String,
        /// Its epoch.
        epoch: u64,
        /// When its lease ends unless it is renewed.
        until_ms: i64,
    },
}

/// What became of a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeOutcome {
    /// Every row is gone and the name is free.
    Purged,
    /// There was no such execution.
    Absent,
    /// The execution has moved on; nothing was removed.
    Conflict {
        /// The version that it is at.
        actual: u64,
    },
}
