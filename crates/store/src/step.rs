//! The unit of writing: what one decision changed about one execution.
//!
//! A step is plain data. It says which version it was decided on, and every row that comes into being or goes
//! away with it; whether it may be written is for [`crate::Store::commit`] to say. All times are milliseconds
//! since the Unix epoch and come from the caller.

use bytes::Bytes;

use crate::ExecutionId;

/// The version that a write was decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is nothing yet; the write makes version 1.
    Absent,
    /// The row is at this version; the write makes the next one.
    Version(u64),
}

/// One step: atomic by itself, independent of its neighbours in the group.
///
/// Rows are deleted before rows are put, so a step may move an entry under the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepWrite {
    /// Whose step it is.
    pub execution: ExecutionId,
    /// The version that it was decided on.
    pub expect: Expect,
    /// The step's journal chunk, kept under (execution, new version) until the execution is purged.
    pub chunk: Bytes,
    /// The whole state after this step; replaces the older checkpoint.
    pub checkpoint: Option<Bytes>,
    /// Timers that the step sets. Setting one that is set changes nothing.
    pub timers_put: Vec<Timer>,
    /// Timers that the step removes. Removing one that is not there changes nothing.
    pub timers_deleted: Vec<Timer>,
    /// Queue entries for workers to take. Putting one that is queued replaces it.
    pub tasks_put: Vec<QueueEntry>,
    /// Queue entries that the step acknowledges: if one is not there the step fails with `TaskGone`.
    pub tasks_deleted: Vec<QueueKey>,
    /// Effects to issue, and to issue again after a crash, until a step deletes them.
    pub outbox_put: Vec<OutboxRow>,
    /// Effects that are done: if one is not there the step fails with `TaskGone`.
    pub outbox_deleted: Vec<u64>,
    /// The row that lists show of this execution; replaces the older one. `None` leaves it.
    pub listing: Option<Listing>,
}

/// A point in time at which its execution wants to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    /// When.
    pub due_ms: i64,
    /// Which of the execution's timers; with `due_ms`, unique within the execution.
    pub id: u64,
}

/// Names a queue that workers take tasks from (a hash of its ARN).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub [u8; 16]);

/// Names one entry of a queue within the execution that the step belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueKey {
    /// The queue.
    pub queue: QueueId,
    /// The execution's number for the task.
    pub task: u64,
}

/// One entry of a queue. Entries are taken oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// Which.
    pub key: QueueKey,
    /// Since when it waits; the order of the queue.
    pub enqueued_ms: i64,
}

/// An effect that was decided and must happen at least once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The execution's number for it.
    pub id: u64,
    /// What its performer needs to know.
    pub body: Bytes,
}

/// What lists show of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// What it is listed under (a hash of the machine's ARN).
    pub group: [u8; 16],
    /// What else it is listed under (hashes of a version's and an alias's ARN). Each costs two rows of the index.
    pub also: Vec<[u8; 16]>,
    /// A small number that lists can be narrowed to.
    pub status: u8,
    /// The order of lists, newest first.
    pub sort_ms: i64,
    /// What to show.
    pub body: Bytes,
}

/// What became of one step of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// It is durable and its execution is at this version.
    Committed {
        /// The version that the step made.
        version: u64,
    },
    /// Another step came first, or the execution is gone: reload and decide again.
    Conflict {
        /// The version that the execution is at; `None` if there is no such execution.
        actual: Option<u64>,
    },
    /// The step was to be the first, but an execution of that name exists.
    NameTaken,
    /// A queue entry or outbox row that the step acknowledges was not there.
    TaskGone,
    /// The backend could not decide in time (a serialisation failure); nothing was written, try again. The
    /// embedded store never answers this.
    Retry,
}

impl StepWrite {
    /// A step that writes nothing but its chunk; fill in the rest.
    pub fn new(execution: ExecutionId, expect: Expect, chunk: Bytes) -> Self {
        Self {
            execution,
            expect,
            chunk,
            checkpoint: None,
            timers_put: Vec::new(),
            timers_deleted: Vec::new(),
            tasks_put: Vec::new(),
            tasks_deleted: Vec::new(),
            outbox_put: Vec::new(),
            outbox_deleted: Vec::new(),
            listing: None,
        }
    }

    /// About how many bytes the step will write; what groups are bounded by.
    pub fn size_hint(&self) -> usize {
        /// A head, a chunk key and their share of a batch.
        const FIXED: usize = 128;
        /// A timer or queue row with its index.
        const ROW: usize = 96;
        let rows = self.timers_put.len()
            + self.timers_deleted.len()
            + self.tasks_put.len()
            + self.tasks_deleted.len()
            + self.outbox_put.len()
            + self.outbox_deleted.len();
        FIXED
            + rows * ROW
            + self.chunk.len()
            + self.checkpoint.as_ref().map_or(0, Bytes::len)
            + self.outbox_put.iter().map(|row| row.body.len()).sum::<usize>()
            + self.listing.as_ref().map_or(0, |listing| listing.body.len())
    }
}
