//! Shard leases: one holder, epochs that only grow.

use store::{EmbeddedStore, LeaseOutcome, Shard, Store};

use crate::backend::Backend;

async fn held(store: &EmbeddedStore, node: &str, until_ms: i64, now_ms: i64) -> u64 {
    match store.lease(Shard(3), node, until_ms, now_ms).await.unwrap() {
        LeaseOutcome::Held { epoch } => epoch,
        lost => panic!("{node} at {now_ms}: {lost:?}"),
    }
}

pub(crate) async fn a_shard_has_one_holder(backend: &Backend) {
    let store = backend.open();
    let epoch = held(&store, "a", 100, 0).await;
    let lost = store.lease(Shard(3), "b", 150, 50).await.unwrap();
    assert_eq!(lost, LeaseOutcome::Lost { node: "a".into(), epoch, until_ms: 100 });
    assert_eq!(held(&store, "a", 200, 99).await, epoch, "a renewal keeps the epoch");
    let lost = store.lease(Shard(3), "b", 250, 199).await.unwrap();
    assert_eq!(lost, LeaseOutcome::Lost { node: "a".into(), epoch, until_ms: 200 });
    let other = store.lease(Shard(4), "b", 100, 0).await.unwrap();
    assert!(matches!(other, LeaseOutcome::Held { .. }), "shards are leased one by one");
}

pub(crate) async fn a_lease_that_ran_out_is_anyones(backend: &Backend) {
    let store = backend.open();
    let first = held(&store, "a", 100, 0).await;
    let second = held(&store, "b", 200, 100).await;
    assert!(second > first);
    let third = held(&store, "b", 300, 200).await;
    assert!(third > second, "another may have held it in between");
    assert_eq!(held(&store, "b", 250, 250).await, third, "giving up");
    assert!(held(&store, "a", 400, 250).await > third);
}

pub(crate) async fn a_restart_voids_leases_and_epochs_grow(backend: &Backend) {
    let before = {
        let store = backend.open();
        held(&store, "a", 50, 0).await;
        held(&store, "b", 1_000_000, 50).await
    };
    assert!(held(&backend.open(), "c", 100, 60).await > before);
}
