//! The store of a single process: the traits, over whatever keeps the bytes.
//!
//! Writes go to the one writing thread ([`crate::writer`]), reads to a view of their own. Where reading may wait
//! for a disk it happens on the runtime's blocking threads, so that a cold page never holds up the others.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::broadcast;

use crate::fjall::FjallKv;
use crate::kv::{Draft, Kv, View};
use crate::leases::ShardLeases;
use crate::memory::MemoryDisk;
use crate::poison::Poison;
use crate::rows::{KIND_END, catalogue_key};
use crate::tasks::{TaskChange, TaskLeases};
use crate::writer::{Observer, Writer};
use crate::{
    BoxFuture, Catalogue, DeleteOutcome, Direction, Due, ExecutionId, Expect, LeaseOutcome, ListPage,
    ListQuery, Loaded, OpenOptions, OutboxRow, PurgeOutcome, PutOutcome, QueueId, Row, Shard, Shards,
    StepOutcome, StepWrite, Store, StoreError, Usage, Wakeups, queries, resolve,
};

/// Hints that a slow subscriber may fall behind before it is told that it missed some.
const WAKEUPS_MAX: usize = 1024;

/// About what a write costs that is not a step: keys, indexes, a small body.
const SMALL_WRITE_BYTES: usize = 512;

/// Key and value of a catalogue row together with what the journal adds; the engine's own limits are 64 KiB a
/// key and 4 GiB a value.
const CATALOGUE_KEY_BYTES_MAX: usize = 32 << 10;

/// A store that this process has to itself, in memory or in a data folder.
///
/// Dropping it finishes the writes that were handed in. It is used from within a runtime; opening is not async
/// and may take as long as replaying the journal takes.
pub struct EmbeddedStore {
    writer: Writer,
    kv: Arc<dyn Kv>,
    poison: Poison,
    tasks: Arc<TaskLeases>,
    shards: ShardLeases,
    wakeups: broadcast::Sender<QueueId>,
}

impl EmbeddedStore {
    /// A store in memory that is gone when dropped.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::on_memory(MemoryDisk::default())
    }

    /// A store on a disk in memory that can be opened again.
    pub fn on_memory(disk: MemoryDisk) -> Result<Self, StoreError> {
        Self::over(Arc::new(disk))
    }

    /// The store in a data folder, which is made if there is none.
    pub fn open(folder: &Path, options: OpenOptions) -> Result<Self, StoreError> {
        Self::over(Arc::new(FjallKv::open(folder, options)?))
    }

    fn over(kv: Arc<dyn Kv>) -> Result<Self, StoreError> {
        let mut draft = Draft::new(kv.view());
        let opening = resolve::opening(&mut draft)?;
        let rows = draft.into_rows();
        kv.write(rows)?;

        let poison = Poison::default();
        let tasks = Arc::new(TaskLeases::default());
        let (wakeups, _) = broadcast::channel(WAKEUPS_MAX);
        let observer = observer(Arc::clone(&tasks), wakeups.clone());
        let writer = Writer::spawn(Arc::clone(&kv), poison.clone(), observer)?;
        Ok(Self { writer, kv, poison, tasks, shards: ShardLeases::new(opening), wakeups })
    }

    /// Runs a read with the key-value layer, on a thread where it may wait.
    async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Kv) -> Result<T, StoreError> + Send + 'static,
    {
        self.poison.check()?;
        let outcome = if self.kv.may_block() {
            let kv = Arc::clone(&self.kv);
            match tokio::task::spawn_blocking(move || read(&*kv)).await {
                Ok(outcome) => outcome,
                Err(error) if error.is_panic() => Err(StoreError::Io("a reading thread panicked".into())),
                Err(_) => return Err(StoreError::Closed),
            }
        } else {
            read(&*self.kv)
        };
        outcome.inspect_err(|error| self.poison.note(error))
    }

    /// Runs a read on a view of one moment.
    fn view<T, F>(&self, read: F) -> BoxFuture<'_, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnOnce(&dyn View) -> Result<T, StoreError> + Send + 'static,
    {
        Box::pin(self.read(move |kv| read(&*kv.view())))
    }
}

impl std::fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedStore").field("poison", &self.poison).finish_non_exhaustive()
    }
}

impl Store for EmbeddedStore {
    fn commit(&self, group: Vec<StepWrite>) -> BoxFuture<'_, Result<Vec<StepOutcome>, StoreError>> {
        let bytes = group.iter().map(StepWrite::size_hint).sum();
        Box::pin(self.writer.write(bytes, move |draft, tasks| {
            group.into_iter().map(|step| resolve::step(draft, tasks, step)).collect()
        }))
    }

    fn load(&self, execution: ExecutionId) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        self.view(move |view| queries::load(view, execution))
    }

    fn history(
        &self,
        execution: ExecutionId,
        from_version: u64,
        direction: Direction,
        limit: usize,
        bytes_max: usize,
    ) -> BoxFuture<'_, Result<Vec<(u64, Bytes)>, StoreError>> {
        self.view(move |view| queries::history(view, execution, from_version, direction, limit, bytes_max))
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        self.view(move |view| queries::list(view, &query))
    }

    fn due(&self, shards: Shards, until_ms: i64, limit: usize) -> BoxFuture<'_, Result<Due, StoreError>> {
        self.view(move |view| queries::due(view, shards, until_ms, limit))
    }

    fn take_tasks(
        &self,
        queue: QueueId,
        now_ms: i64,
        lease_until_ms: i64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(ExecutionId, u64)>, StoreError>> {
        let tasks = Arc::clone(&self.tasks);
        Box::pin(self.read(move |kv| tasks.take(kv, queue, now_ms, lease_until_ms, limit)))
    }

    fn release(
        &self,
        queue: QueueId,
        execution: ExecutionId,
        task: u64,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.poison.check()?;
            self.tasks.release(queue, execution, task);
            // Nobody listening is no failure.
            let _ = self.wakeups.send(queue);
            Ok(())
        })
    }

    fn outbox(
        &self,
        shards: Shards,
        after: Option<(ExecutionId, u64)>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(ExecutionId, OutboxRow)>, StoreError>> {
        self.view(move |view| queries::outbox(view, shards, after, limit))
    }

    fn lease<'a>(
        &'a self,
        shard: Shard,
        node: &'a str,
        until_ms: i64,
        now_ms: i64,
    ) -> BoxFuture<'a, Result<LeaseOutcome, StoreError>> {
        Box::pin(async move {
            self.poison.check()?;
            Ok(self.shards.lease(shard, node, until_ms, now_ms))
        })
    }

    fn wakeups(&self) -> Wakeups {
        self.wakeups.subscribe()
    }

    fn purge(&self, execution: ExecutionId, version: u64) -> BoxFuture<'_, Result<PurgeOutcome, StoreError>> {
        Box::pin(
            self.writer.write(SMALL_WRITE_BYTES, move |draft, tasks| {
                resolve::purge(draft, tasks, execution, version)
            }),
        )
    }

    fn usage(&self) -> BoxFuture<'_, Result<Usage, StoreError>> {
        Box::pin(self.read(|kv| Ok(Usage { listed: queries::listed(&*kv.view())?, bytes: kv.bytes()? })))
    }
}

impl Catalogue for EmbeddedStore {
    fn get<'a>(&'a self, kind: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Row>, StoreError>> {
        let (kind, key) = (kind.to_owned(), key.to_owned());
        self.view(move |view| queries::catalogue_row(view, &kind, &key))
    }

    fn put<'a>(
        &'a self,
        kind: &'a str,
        key: &'a str,
        expect: Expect,
        body: Bytes,
    ) -> BoxFuture<'a, Result<PutOutcome, StoreError>> {
        Box::pin(async move {
            let key = checked_key(kind, key)?;
            let bytes = SMALL_WRITE_BYTES + body.len();
            self.writer.write(bytes, move |draft, _| resolve::put(draft, key, expect, &body)).await
        })
    }

    fn delete<'a>(
        &'a self,
        kind: &'a str,
        key: &'a str,
        version: Option<u64>,
    ) -> BoxFuture<'a, Result<DeleteOutcome, StoreError>> {
        Box::pin(async move {
            let key = checked_key(kind, key)?;
            self.writer.write(SMALL_WRITE_BYTES, move |draft, _| resolve::delete(draft, key, version)).await
        })
    }

    fn list<'a>(
        &'a self,
        kind: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Row)>, StoreError>> {
        let (kind, after) = (kind.to_owned(), after.map(str::to_owned));
        self.view(move |view| queries::catalogue_rows(view, &kind, after.as_deref(), limit))
    }
}

/// What is done when a batch has become durable: leases follow, and pollers hear of new entries.
fn observer(tasks: Arc<TaskLeases>, wakeups: broadcast::Sender<QueueId>) -> Observer {
    Box::new(move |changes| {
        tasks.follow(changes);
        let mut told = HashSet::new();
        for change in changes {
            if let TaskChange::Put { entry, .. } = change
                && told.insert(entry.key.queue)
            {
                // Nobody listening is no failure.
                let _ = wakeups.send(entry.key.queue);
            }
        }
    })
}

fn checked_key(kind: &str, key: &str) -> Result<Vec<u8>, StoreError> {
    if kind.as_bytes().contains(&KIND_END) {
        return Err(StoreError::BadRow(format!("the catalogue kind {kind:?} contains a zero byte")));
    }
    let row_key = catalogue_key(kind, key);
    if row_key.len() > CATALOGUE_KEY_BYTES_MAX {
        return Err(StoreError::BadRow(format!(
            "the catalogue key has {} bytes, at most {CATALOGUE_KEY_BYTES_MAX} are allowed",
            row_key.len()
        )));
    }
    Ok(row_key)
}
