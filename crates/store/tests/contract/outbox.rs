//! The outbox: scanned at start, emptied by steps.

use bytes::Bytes;
use store::{Shard, Shards, StepOutcome, Store};

use crate::backend::{Backend, With, bytes, commit, done, id_in, next, start};

pub(crate) async fn rows_are_scanned_in_order_and_by_shard(backend: &Backend) {
    let store = backend.open();
    let [low, mid, high] = [id_in(0, 5), id_in(100, 3), id_in(255, 1)];
    done(&store, start(high).outbox(&[1, 300])).await;
    done(&store, start(low).outbox(&[7, 2])).await;
    done(&store, start(mid).outbox(&[4])).await;
    let all = [(low, 2), (low, 7), (mid, 4), (high, 1), (high, 300)];
    let scan = async |shards, after, limit| {
        let rows = store.outbox(shards, after, limit).await.unwrap();
        for (_, row) in &rows {
            assert_eq!(row.body, bytes(format!("effect {}", row.id)));
        }
        rows.into_iter().map(|(execution, row)| (execution, row.id)).collect::<Vec<_>>()
    };
    assert_eq!(scan(Shards::ALL, None, 100).await, all);
    for (index, after) in all.iter().enumerate() {
        assert_eq!(scan(Shards::ALL, Some(*after), 100).await, all[index + 1..]);
    }
    assert_eq!(scan(Shards::ALL, None, 2).await, all[..2]);
    assert_eq!(scan(Shard(100).into(), None, 100).await, [(mid, 4)]);
    assert_eq!(scan(Shard(255).into(), None, 100).await, all[3..]);
    assert_eq!(scan(Shard(100).into(), Some((low, 2)), 100).await, [(mid, 4)], "a cursor before the range");
    assert_eq!(scan(Shard(0).into(), Some((mid, 4)), 100).await, [], "a cursor behind the range");
}

pub(crate) async fn what_is_done_is_done_once(backend: &Backend) {
    let store = backend.open();
    let a = id_in(1, 1);
    done(&store, start(a).outbox(&[1, 2])).await;
    let finish = |version, ids: &[u64]| next(a, version).with(|step| step.outbox_deleted = ids.to_vec());
    assert_eq!(commit(&store, [finish(1, &[3])]).await, [StepOutcome::TaskGone]);
    done(&store, finish(1, &[1])).await;
    assert_eq!(commit(&store, [finish(2, &[1])]).await, [StepOutcome::TaskGone]);
    // A row may be replaced, and made anew in the step that deletes it.
    let mut again = finish(2, &[2]).outbox(&[2]);
    again.outbox_put[0].body = Bytes::new();
    done(&store, again).await;
    let rows = store.outbox(Shards::ALL, None, 9).await.unwrap();
    assert_eq!(rows.into_iter().map(|(_, row)| (row.id, row.body)).collect::<Vec<_>>(), [(2, Bytes::new())]);
}
