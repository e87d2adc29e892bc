//! The committer: every step is answered, bounds hold, groups form.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use store::{
    BoxFuture, Committer, Direction, Due, EmbeddedStore, ExecutionId, Expect, GROUP_BYTES_MAX, LeaseOutcome,
    ListPage, ListQuery, Loaded, OutboxRow, PurgeOutcome, QUEUED_STEPS_MAX, QueueId, Shard, Shards,
    StepOutcome, StepWrite, Store, StoreError, Usage, Wakeups,
};
use tokio::task::JoinSet;

use crate::backend::{Backend, committed, id, next, start};

pub(crate) async fn steps_are_answered_each(backend: &Backend) {
    let store: Arc<dyn Store> = Arc::new(backend.open());
    let handle = Committer::spawn(Arc::clone(&store));
    let a = id("a");
    let (first, second, third) =
        tokio::join!(handle.commit(start(a)), handle.commit(next(a, 1)), handle.commit(next(a, 9)));
    assert_eq!(first, Ok(committed(1)));
    assert_eq!(second, Ok(committed(2)));
    assert_eq!(third, Ok(StepOutcome::Conflict { actual: Some(2) }));
    handle.finish().await;
}

pub(crate) async fn a_full_queue_makes_callers_wait_and_loses_nothing(backend: &Backend) {
    let spy = Arc::new(Spy { inner: backend.open(), groups: Mutex::default() });
    let handle = Committer::spawn(Arc::clone(&spy) as Arc<dyn Store>);
    let total = QUEUED_STEPS_MAX + 500;
    let mut callers = JoinSet::new();
    for number in 0..total {
        let (handle, step) = (handle.clone(), start(id(&number.to_string())));
        callers.spawn(async move { handle.commit(step).await });
    }
    assert!(callers.join_all().await.into_iter().all(|outcome| outcome == Ok(committed(1))));
    handle.finish().await;
    let groups = spy.groups.lock().unwrap();
    assert_eq!(groups.iter().map(|(steps, _)| steps).sum::<usize>(), total);
    assert!(groups.len() < total / 4, "groups grow with the load, there were {}", groups.len());
}

/// What was handed in before the last handle went is written, and the store is free afterwards.
pub(crate) async fn an_orderly_end_writes_what_was_handed_in(backend: &Backend) {
    let a = id("a");
    {
        let store: Arc<dyn Store> = Arc::new(backend.open());
        let handle = Committer::spawn(Arc::clone(&store));
        for version in 0..20 {
            let (handle, step) = (handle.clone(), if version == 0 { start(a) } else { next(a, version) });
            // Polled once: enough to hand the step in, not to see its end.
            let mut commit = Box::pin(async move { handle.commit(step).await });
            let _ =
                std::future::poll_fn(|context| std::task::Poll::Ready(commit.as_mut().poll(context))).await;
        }
        handle.finish().await;
        assert_eq!(Arc::strong_count(&store), 1);
    }
    assert_eq!(backend.open().load(a).await.unwrap().unwrap().version, 20);
}

pub(crate) async fn a_group_larger_than_the_bound_is_split(backend: &Backend) {
    let spy = Arc::new(Spy { inner: backend.open(), groups: Mutex::default() });
    let handle = Committer::spawn(Arc::clone(&spy) as Arc<dyn Store>);
    let chunk = Bytes::from(vec![7; GROUP_BYTES_MAX / 3]);
    let mut callers = JoinSet::new();
    for number in 0..12 {
        // One is larger than a whole group.
        let chunk = if number == 5 { Bytes::from(vec![7; GROUP_BYTES_MAX + 1]) } else { chunk.clone() };
        let step = StepWrite::new(id(&number.to_string()), Expect::Absent, chunk);
        let handle = handle.clone();
        callers.spawn(async move { handle.commit(step).await });
    }
    assert!(callers.join_all().await.into_iter().all(|outcome| outcome == Ok(committed(1))));
    handle.finish().await;
    for (steps, bytes) in spy.groups.lock().unwrap().iter() {
        assert!(*bytes <= GROUP_BYTES_MAX || *steps == 1, "{steps} steps of {bytes} bytes");
    }
}

/// Passes everything on and notes the sizes of groups.
struct Spy {
    inner: EmbeddedStore,
    groups: Mutex<Vec<(usize, usize)>>,
}

impl Store for Spy {
    fn commit(&self, group: Vec<StepWrite>) -> BoxFuture<'_, Result<Vec<StepOutcome>, StoreError>> {
        self.groups.lock().unwrap().push((group.len(), group.iter().map(StepWrite::size_hint).sum()));
        self.inner.commit(group)
    }

    fn load(&self, execution: ExecutionId) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        self.inner.load(execution)
    }

    fn history(
        &self,
        execution: ExecutionId,
        from_version: u64,
        direction: Direction,
        limit: usize,
        bytes_max: usize,
    ) -> BoxFuture<'_, Result<Vec<(u64, Bytes)>, StoreError>> {
        self.inner.history(execution, from_version, direction, limit, bytes_max)
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        Store::list(&self.inner, query)
    }

    fn due(&self, shards: Shards, until_ms: i64, limit: usize) -> BoxFuture<'_, Result<Due, StoreError>> {
        self.inner.due(shards, until_ms, limit)
    }

    fn take_tasks(
        &self,
        queue: QueueId,
        now_ms: i64,
        lease_until_ms: i64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(ExecutionId, u64)>, StoreError>> {
        self.inner.take_tasks(queue, now_ms, lease_until_ms, limit)
    }

    fn release(
        &self,
        queue: QueueId,
        execution: ExecutionId,
        task: u64,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.release(queue, execution, task)
    }

    fn outbox(
        &self,
        shards: Shards,
        after: Option<(ExecutionId, u64)>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(ExecutionId, OutboxRow)>, StoreError>> {
        self.inner.outbox(shards, after, limit)
    }

    fn lease<'a>(
        &'a self,
        shard: Shard,
        node: &'a str,
        until_ms: i64,
        now_ms: i64,
    ) -> BoxFuture<'a, Result<LeaseOutcome, StoreError>> {
        self.inner.lease(shard, node, until_ms, now_ms)
    }

    fn wakeups(&self) -> Wakeups {
        self.inner.wakeups()
    }

    fn purge(&self, execution: ExecutionId, version: u64) -> BoxFuture<'_, Result<PurgeOutcome, StoreError>> {
        self.inner.purge(execution, version)
    }

    fn usage(&self) -> BoxFuture<'_, Result<Usage, StoreError>> {
        self.inner.usage()
    }
}
