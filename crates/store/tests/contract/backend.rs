//! A backend to open stores on, and the words that the checks are written in.

use bytes::Bytes;
use store::{
    EmbeddedStore, ExecutionId, Expect, Listing, MemoryDisk, OpenOptions, OutboxRow, QueueEntry, QueueId,
    QueueKey, StepOutcome, StepWrite, Store, Timer,
};
use tempfile::TempDir;

/// Data that outlives the stores opened on it.
pub(crate) enum Backend {
    Memory(MemoryDisk),
    Fjall(TempDir),
}

impl Backend {
    pub(crate) fn memory() -> Self {
        Self::Memory(MemoryDisk::default())
    }

    pub(crate) fn fjall() -> Self {
        Self::Fjall(tempfile::tempdir().unwrap())
    }

    pub(crate) fn open(&self) -> EmbeddedStore {
        match self {
            Self::Memory(disk) => EmbeddedStore::on_memory(disk.clone()).unwrap(),
            Self::Fjall(folder) => EmbeddedStore::open(folder.path(), OpenOptions::default()).unwrap(),
        }
    }
}

/// The execution of this name.
pub(crate) fn id(name: &str) -> ExecutionId {
    ExecutionId::of(name)
}

/// An execution in a shard of choice.
pub(crate) fn id_in(shard: u8, number: u8) -> ExecutionId {
    let mut id = [number; 16];
    id[0] = shard;
    ExecutionId(id)
}

pub(crate) fn bytes(text: impl Into<String>) -> Bytes {
    Bytes::from(text.into())
}

pub(crate) fn queue(number: u8) -> QueueId {
    QueueId([number; 16])
}

pub(crate) fn task(queue_number: u8, task: u64) -> QueueKey {
    QueueKey { queue: queue(queue_number), task }
}

pub(crate) fn entry(queue_number: u8, number: u64, enqueued_ms: i64) -> QueueEntry {
    QueueEntry { key: task(queue_number, number), enqueued_ms }
}

pub(crate) fn listing(group: u8, status: u8, sort_ms: i64) -> Listing {
    let body = bytes(format!("{group}/{status}/{sort_ms}"));
    Listing { group: [group; 16], also: Vec::new(), status, sort_ms, body }
}

/// A first step.
pub(crate) fn start(execution: ExecutionId) -> StepWrite {
    StepWrite::new(execution, Expect::Absent, bytes("chunk 1"))
}

/// A step on top of `version`.
pub(crate) fn next(execution: ExecutionId, version: u64) -> StepWrite {
    StepWrite::new(execution, Expect::Version(version), bytes(format!("chunk {}", version + 1)))
}

/// Builds steps in the order in which they read.
pub(crate) trait With: Sized {
    fn with(self, change: impl FnOnce(&mut Self)) -> Self;
    fn timers(self, timers: &[(i64, u64)]) -> Self;
    fn tasks(self, entries: &[QueueEntry]) -> Self;
    fn outbox(self, ids: &[u64]) -> Self;
    fn listed(self, listing: Listing) -> Self;
    fn checkpoint(self, state: &str) -> Self;
}

impl With for StepWrite {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn timers(self, timers: &[(i64, u64)]) -> Self {
        self.with(|step| step.timers_put = timers.iter().map(|(due_ms, id)| timer(*due_ms, *id)).collect())
    }

    fn tasks(self, entries: &[QueueEntry]) -> Self {
        self.with(|step| step.tasks_put = entries.to_vec())
    }

    fn outbox(self, ids: &[u64]) -> Self {
        self.with(|step| {
            step.outbox_put =
                ids.iter().map(|id| OutboxRow { id: *id, body: bytes(format!("effect {id}")) }).collect();
        })
    }

    fn listed(self, listing: Listing) -> Self {
        self.with(|step| step.listing = Some(listing))
    }

    fn checkpoint(self, state: &str) -> Self {
        self.with(|step| step.checkpoint = Some(bytes(state)))
    }
}

pub(crate) fn timer(due_ms: i64, id: u64) -> Timer {
    Timer { due_ms, id }
}

pub(crate) fn committed(version: u64) -> StepOutcome {
    StepOutcome::Committed { version }
}

/// Commits steps as one group.
pub(crate) async fn commit<const N: usize>(store: &EmbeddedStore, steps: [StepWrite; N]) -> [StepOutcome; N] {
    store.commit(steps.into()).await.unwrap().try_into().unwrap()
}

/// Commits one step that must succeed.
pub(crate) async fn done(store: &EmbeddedStore, step: StepWrite) {
    let [outcome] = commit(store, [step]).await;
    assert!(matches!(outcome, StepOutcome::Committed { .. }), "{outcome:?}");
}
