//! Purging: nothing is left, and nothing else goes.

use store::{Direction, ListQuery, MemoryDisk, Order, PurgeOutcome, Shards, StepOutcome, StepWrite, Store};

use crate::backend::{Backend, With, commit, done, entry, id, id_in, listing, next, queue, start};

fn everything(execution: store::ExecutionId) -> StepWrite {
    start(execution)
        .timers(&[(1, 1), (2, 2)])
        .tasks(&[entry(1, 1, 1), entry(2, 1, 1)])
        .outbox(&[1, 2])
        .listed(listing(1, 1, 1))
        .checkpoint("state")
}

pub(crate) async fn nothing_is_left(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    done(&store, everything(a)).await;
    for version in 1..20 {
        done(&store, next(a, version)).await;
    }
    assert_eq!(store.purge(a, 20).await.unwrap(), PurgeOutcome::Purged);
    assert_eq!(store.load(a).await.unwrap(), None);
    assert_eq!(store.history(a, 0, Direction::Forward, 9, 999).await.unwrap(), []);
    assert_eq!(store.due(Shards::ALL, i64::MAX, 9).await.unwrap().timers, []);
    assert_eq!(store.outbox(Shards::ALL, None, 9).await.unwrap(), []);
    assert_eq!(store.take_tasks(queue(1), 0, 1, 9).await.unwrap(), []);
    let query = ListQuery { group: None, status: None, cursor: None, limit: 9, order: Order::NewestFirst };
    assert_eq!(Store::list(&store, query).await.unwrap().rows, []);
    assert_eq!(store.purge(a, 20).await.unwrap(), PurgeOutcome::Absent);
    if let Backend::Memory(disk) = backend {
        let fresh = MemoryDisk::default();
        drop(store::EmbeddedStore::on_memory(fresh.clone()).unwrap());
        assert_eq!(
            disk.row_counts(),
            fresh.row_counts(),
            "as many rows as in a store that was never written to"
        );
    }
}

pub(crate) async fn the_version_must_be_right(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    done(&store, everything(a)).await;
    done(&store, next(a, 1)).await;
    assert_eq!(store.purge(a, 1).await.unwrap(), PurgeOutcome::Conflict { actual: 2 });
    assert_eq!(store.load(a).await.unwrap().unwrap().version, 2);
    assert_eq!(store.due(Shards::ALL, i64::MAX, 9).await.unwrap().timers.len(), 2);
}

pub(crate) async fn a_name_is_free_again(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    done(&store, everything(a)).await;
    done(&store, next(a, 1)).await;
    store.purge(a, 2).await.unwrap();
    assert_eq!(commit(&store, [next(a, 2)]).await, [StepOutcome::Conflict { actual: None }]);
    done(&store, start(a)).await;
    let loaded = store.load(a).await.unwrap().unwrap();
    assert_eq!((loaded.version, loaded.checkpoint, loaded.chunks.len(), loaded.listing), (1, None, 1, None));
}

pub(crate) async fn a_purge_leaves_the_neighbours(backend: &Backend) {
    let store = backend.open();
    // Neighbours in the order of keys and in the same shard.
    let [before, gone, after] = [4, 5, 6].map(|number| id_in(8, number));
    for execution in [before, gone, after] {
        done(&store, everything(execution)).await;
    }
    assert_eq!(store.purge(gone, 1).await.unwrap(), PurgeOutcome::Purged);
    for execution in [before, after] {
        assert!(store.load(execution).await.unwrap().unwrap().checkpoint.is_some());
    }
    let timers = store.due(Shards::ALL, 9, 9).await.unwrap().timers;
    assert_eq!(
        timers.iter().map(|(execution, _)| *execution).collect::<Vec<_>>(),
        [before, after, before, after]
    );
    assert_eq!(store.outbox(Shards::ALL, None, 9).await.unwrap().len(), 4);
    assert_eq!(store.take_tasks(queue(2), 0, 1, 9).await.unwrap(), [(before, 1), (after, 1)]);
}
