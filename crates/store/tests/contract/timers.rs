//! Timers: what is due, in which order, and when to look again.

use store::{Due, EmbeddedStore, Shard, Shards, Store};

use crate::backend::{Backend, With, commit, done, id, id_in, next, start, timer};

async fn due(store: &EmbeddedStore, shards: Shards, until_ms: i64, limit: usize) -> Due {
    store.due(shards, until_ms, limit).await.unwrap()
}

pub(crate) async fn due_timers_come_in_order_over_shards(backend: &Backend) {
    let store = backend.open();
    let [low, mid, high] = [id_in(0, 1), id_in(7, 1), id_in(255, 1)];
    done(&store, start(low).timers(&[(30, 1), (10, 2), (-4, 9)])).await;
    done(&store, start(mid).timers(&[(20, 1), (10, 1)])).await;
    done(&store, start(high).timers(&[(10, 3), (40, 1), (10, 0)])).await;
    let all = [
        (low, timer(-4, 9)),
        (low, timer(10, 2)),
        (mid, timer(10, 1)),
        (high, timer(10, 0)),
        (high, timer(10, 3)),
        (mid, timer(20, 1)),
        (low, timer(30, 1)),
        (high, timer(40, 1)),
    ];
    assert_eq!(due(&store, Shards::ALL, i64::MAX, 100).await, Due { timers: all.to_vec(), next_ms: None });
    for limit in 0..=all.len() {
        let next_ms = all.get(limit).map(|(_, timer)| timer.due_ms);
        let expected = Due { timers: all[..limit].to_vec(), next_ms };
        assert_eq!(due(&store, Shards::ALL, i64::MAX, limit).await, expected);
    }
    let one = due(&store, Shard(7).into(), 100, 100).await;
    assert_eq!(one.timers, [(mid, timer(10, 1)), (mid, timer(20, 1))]);
    let some = due(&store, Shards { first: Shard(1), last: Shard(254) }, 100, 100).await;
    assert_eq!(some, one);
}

pub(crate) async fn the_next_due_time_is_told(backend: &Backend) {
    let store = backend.open();
    assert_eq!(due(&store, Shards::ALL, 100, 10).await, Due { timers: Vec::new(), next_ms: None });
    let a = id("a");
    done(&store, start(a).timers(&[(5, 1), (50, 2)])).await;
    assert_eq!(due(&store, Shards::ALL, 4, 10).await, Due { timers: Vec::new(), next_ms: Some(5) });
    assert_eq!(
        due(&store, Shards::ALL, 5, 10).await,
        Due { timers: vec![(a, timer(5, 1))], next_ms: Some(50) }
    );
}

pub(crate) async fn timers_go_with_their_steps(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    done(&store, start(a).timers(&[(5, 1), (6, 2)])).await;
    // A refused step neither sets nor removes.
    let refused = next(a, 7).timers(&[(1, 3)]).with(|step| step.timers_deleted = vec![timer(5, 1)]);
    commit(&store, [refused]).await;
    assert_eq!(due(&store, Shards::ALL, 9, 9).await.timers, [(a, timer(5, 1)), (a, timer(6, 2))]);
    let moved = next(a, 1).timers(&[(8, 1)]).with(|step| step.timers_deleted = vec![timer(5, 1)]);
    done(&store, moved).await;
    assert_eq!(due(&store, Shards::ALL, 9, 9).await.timers, [(a, timer(6, 2)), (a, timer(8, 1))]);
    // Rows are deleted before rows are put.
    let kept = next(a, 2).timers(&[(6, 2)]).with(|step| step.timers_deleted = vec![timer(6, 2), timer(8, 1)]);
    done(&store, kept).await;
    assert_eq!(due(&store, Shards::ALL, 9, 9).await.timers, [(a, timer(6, 2))]);
}

pub(crate) async fn setting_and_removing_twice_changes_nothing(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    done(&store, start(a).timers(&[(5, 1), (5, 1)])).await;
    done(&store, next(a, 1).timers(&[(5, 1)])).await;
    assert_eq!(due(&store, Shards::ALL, 9, 9).await.timers, [(a, timer(5, 1))]);
    let removal = |version| next(a, version).with(|step| step.timers_deleted = vec![timer(5, 1); 2]);
    done(&store, removal(2)).await;
    done(&store, removal(3)).await;
    assert_eq!(due(&store, Shards::ALL, 9, 9).await, Due { timers: Vec::new(), next_ms: None });
}
