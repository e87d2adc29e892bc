//! Failing writes: the n-th fails, for every n, and the store says so ever after.

use std::sync::Arc;

use store::{
    Catalogue, EmbeddedStore, Expect, Fault, MemoryDisk, Shard, Shards, StepOutcome, Store, StoreError,
};

use crate::backend::{With, bytes, id, next, queue, start};

const STEPS: u64 = 6;

fn broken() -> StoreError {
    StoreError::Io("the cable is out".into())
}

/// Whichever write fails, and whether its rows got to the disk or not, what was acknowledged is there afterwards
/// and at most the one step that was in doubt besides.
#[tokio::test]
async fn what_was_acknowledged_survives_the_nth_failure() {
    for fault in [Fault::Lost(broken()), Fault::Written(broken())] {
        // Opening writes too.
        for failing in 0..=STEPS as usize + 1 {
            let disk = MemoryDisk::default();
            let hooked = {
                let fault = fault.clone();
                disk.with_faults(Arc::new(move |write| (write == failing).then(|| fault.clone())))
            };
            let acknowledged = write_until_failure(hooked).await;
            let store = EmbeddedStore::on_memory(disk).unwrap();
            let found = store.load(id("a")).await.unwrap().map_or(0, |loaded| loaded.version);
            let in_doubt =
                u64::from(matches!(fault, Fault::Written(_)) && failing > 0 && acknowledged < STEPS);
            assert_eq!(found, acknowledged + in_doubt, "{fault:?} at write {failing}");
        }
    }
}

async fn write_until_failure(disk: MemoryDisk) -> u64 {
    let Ok(store) = EmbeddedStore::on_memory(disk) else { return 0 };
    let a = id("a");
    for version in 0..STEPS {
        let step = if version == 0 { start(a) } else { next(a, version) };
        match store.commit(vec![step]).await {
            Ok(outcomes) => assert_eq!(outcomes, [StepOutcome::Committed { version: version + 1 }]),
            Err(error) => {
                assert_eq!(error, broken());
                return version;
            }
        }
    }
    STEPS
}

#[tokio::test]
async fn after_a_failure_every_call_names_its_cause() {
    let full = StoreError::DiskFull("writing: no space".into());
    let hook_error = full.clone();
    let disk = MemoryDisk::default()
        .with_faults(Arc::new(move |write| (write == 2).then(|| Fault::Lost(hook_error.clone()))));
    let store = EmbeddedStore::on_memory(disk).unwrap();
    let a = id("a");
    store.commit(vec![start(a)]).await.unwrap();
    assert_eq!(store.commit(vec![next(a, 1).outbox(&[1])]).await, Err(full.clone()));

    let poisoned = StoreError::Poisoned { cause: full.to_string(), disk_full: true };
    assert!(poisoned.is_disk_full());
    assert_eq!(store.commit(vec![next(a, 1)]).await.unwrap_err(), poisoned);
    assert_eq!(store.load(a).await.unwrap_err(), poisoned);
    assert_eq!(store.history(a, 0, store::Direction::Forward, 1, 1).await.unwrap_err(), poisoned);
    assert_eq!(store.due(Shards::ALL, 0, 1).await.unwrap_err(), poisoned);
    assert_eq!(store.take_tasks(queue(1), 0, 1, 1).await.unwrap_err(), poisoned);
    assert_eq!(store.release(queue(1), a, 1).await.unwrap_err(), poisoned);
    assert_eq!(store.outbox(Shards::ALL, None, 1).await.unwrap_err(), poisoned);
    assert_eq!(store.lease(Shard(1), "node", 2, 1).await.unwrap_err(), poisoned);
    assert_eq!(store.purge(a, 1).await.unwrap_err(), poisoned);
    assert_eq!(store.put("kind", "key", Expect::Absent, bytes("x")).await.unwrap_err(), poisoned);
    assert_eq!(store.get("kind", "key").await.unwrap_err(), poisoned);
    assert_eq!(store.delete("kind", "key", None).await.unwrap_err(), poisoned);
    assert_eq!(Catalogue::list(&store, "kind", None, 1).await.unwrap_err(), poisoned);
}

/// A panic on the writing thread is a failure like any other: the caller learns of it and nothing hangs.
#[tokio::test]
async fn a_panic_while_writing_poisons_the_store() {
    let disk = MemoryDisk::default().with_faults(Arc::new(|write| match write {
        0 => None,
        _ => panic!("injected by the test"),
    }));
    let store = EmbeddedStore::on_memory(disk).unwrap();
    let first = store.commit(vec![start(id("a"))]).await.unwrap_err();
    assert!(matches!(&first, StoreError::Poisoned { cause, .. } if cause.contains("panicked")), "{first}");
    let second = store.load(id("a")).await.unwrap_err();
    assert_eq!(second, first);
}
