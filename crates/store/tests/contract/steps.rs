//! Steps: versions, conditions, what is read back.

use bytes::Bytes;
use store::{Direction, Expect, Loaded, StepOutcome, StepWrite, Store};

use crate::backend::{Backend, With, bytes, commit, committed, done, id, listing, next, start};

pub(crate) async fn versions_count_from_one(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    assert_eq!(store.load(a).await.unwrap(), None);
    assert_eq!(commit(&store, [start(a)]).await, [committed(1)]);
    assert_eq!(commit(&store, [next(a, 1)]).await, [committed(2)]);
    assert_eq!(store.load(a).await.unwrap().unwrap().version, 2);
    assert_eq!(store.commit(Vec::new()).await.unwrap(), []);
}

pub(crate) async fn steps_fail_alone(backend: &Backend) {
    let store = backend.open();
    let [a, b, c] = ["a", "b", "c"].map(id);
    let group = [start(a), next(b, 4).timers(&[(1, 1)]).outbox(&[1]).listed(listing(1, 1, 1)), start(c)];
    let outcomes = commit(&store, group).await;
    assert_eq!(outcomes, [committed(1), StepOutcome::Conflict { actual: None }, committed(1)]);
    assert_eq!(store.load(b).await.unwrap(), None);
    assert_eq!(store.due(store::Shards::ALL, 10, 10).await.unwrap().timers, []);
    assert_eq!(store.outbox(store::Shards::ALL, None, 10).await.unwrap(), []);
    assert!(store.load(c).await.unwrap().is_some());
}

pub(crate) async fn conditions_see_the_group_before_them(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    let group = [start(a), next(a, 1), next(a, 1), start(a), next(a, 2)];
    let expected = [
        committed(1),
        committed(2),
        StepOutcome::Conflict { actual: Some(2) },
        StepOutcome::NameTaken,
        committed(3),
    ];
    assert_eq!(commit(&store, group).await, expected);
    let chunks = store.load(a).await.unwrap().unwrap().chunks;
    assert_eq!(chunks, [(1, bytes("chunk 1")), (2, bytes("chunk 2")), (3, bytes("chunk 3"))]);
}

pub(crate) async fn a_taken_name_is_told_from_a_conflict(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    done(&store, start(a)).await;
    done(&store, next(a, 1)).await;
    assert_eq!(commit(&store, [start(a)]).await, [StepOutcome::NameTaken]);
    for stale in [0, 1, 3] {
        let outcome = commit(&store, [next(a, stale)]).await;
        assert_eq!(outcome, [StepOutcome::Conflict { actual: Some(2) }]);
    }
}

pub(crate) async fn load_gives_the_checkpoint_and_what_came_after(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    let row = listing(1, 2, 3);
    done(&store, start(a).listed(row.clone())).await;
    done(&store, next(a, 1).checkpoint("state 2")).await;
    let at_checkpoint = Loaded {
        version: 2,
        checkpoint: Some((2, bytes("state 2"))),
        chunks: Vec::new(),
        listing: Some(row.clone()),
    };
    assert_eq!(store.load(a).await.unwrap(), Some(at_checkpoint.clone()));
    done(&store, next(a, 2)).await;
    done(&store, next(a, 3)).await;
    let after = Loaded {
        version: 4,
        chunks: vec![(3, bytes("chunk 3")), (4, bytes("chunk 4"))],
        ..at_checkpoint.clone()
    };
    assert_eq!(store.load(a).await.unwrap(), Some(after));
    done(&store, next(a, 4).checkpoint("state 5")).await;
    let newer = Loaded { version: 5, checkpoint: Some((5, bytes("state 5"))), ..at_checkpoint };
    assert_eq!(store.load(a).await.unwrap(), Some(newer));
}

pub(crate) async fn history_pages_both_ways(backend: &Backend) {
    let store = backend.open();
    let [a, b] = ["a", "b"].map(id);
    done(&store, start(a)).await;
    done(&store, start(b)).await;
    for version in 1..5 {
        let step = next(a, version);
        done(&store, if version == 3 { step.checkpoint("state") } else { step }).await;
    }
    let versions = async |from, direction, limit| {
        let chunks = store.history(a, from, direction, limit, usize::MAX).await.unwrap();
        for (version, chunk) in &chunks {
            assert_eq!(*chunk, bytes(format!("chunk {version}")));
        }
        chunks.into_iter().map(|(version, _)| version).collect::<Vec<_>>()
    };
    assert_eq!(versions(0, Direction::Forward, 100).await, [1, 2, 3, 4, 5]);
    assert_eq!(versions(2, Direction::Forward, 2).await, [2, 3]);
    assert_eq!(versions(6, Direction::Forward, 2).await, []);
    assert_eq!(versions(u64::MAX, Direction::Backward, 100).await, [5, 4, 3, 2, 1]);
    assert_eq!(versions(4, Direction::Backward, 2).await, [4, 3]);
    assert_eq!(versions(0, Direction::Backward, 2).await, []);
    assert_eq!(versions(3, Direction::Forward, 1).await, [3], "a single old chunk");
    assert_eq!(versions(1, Direction::Forward, 0).await, []);
}

pub(crate) async fn history_always_advances(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    done(&store, start(a)).await;
    for version in 1..4 {
        done(&store, next(a, version)).await;
    }
    // Every chunk has 7 bytes.
    for (bytes_max, expected) in [(0, 1), (6, 1), (7, 1), (14, 2), (20, 2), (1000, 4)] {
        let chunks = store.history(a, 1, Direction::Forward, 10, bytes_max).await.unwrap();
        assert_eq!(chunks.len(), expected, "with {bytes_max} bytes");
    }
}

pub(crate) async fn empty_and_large_values_are_kept(backend: &Backend) {
    let large: Bytes = (0..3_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let [a, b] = ["a", "b"].map(id);
    {
        let store = backend.open();
        done(&store, StepWrite::new(a, Expect::Absent, large.clone())).await;
        done(&store, StepWrite::new(b, Expect::Absent, Bytes::new()).checkpoint("")).await;
    }
    let store = backend.open();
    assert_eq!(store.load(a).await.unwrap().unwrap().chunks, [(1, large)]);
    assert_eq!(store.load(b).await.unwrap().unwrap().checkpoint, Some((1, Bytes::new())));
    let chunks = store.history(b, 1, Direction::Forward, 10, 10).await.unwrap();
    assert_eq!(chunks, [(1, Bytes::new())]);
}

pub(crate) async fn everything_survives_reopening(backend: &Backend) {
    let a = id("a");
    for version in 0..5 {
        let store = backend.open();
        if version == 0 {
            let first = start(a).timers(&[(5, 1)]).outbox(&[9]).listed(listing(1, 1, 1));
            done(&store, first.tasks(&[crate::backend::entry(1, 1, 1)])).await;
        } else {
            done(&store, next(a, version)).await;
        }
    }
    let store = backend.open();
    let loaded = store.load(a).await.unwrap().unwrap();
    assert_eq!((loaded.version, loaded.chunks.len(), loaded.listing), (5, 5, Some(listing(1, 1, 1))));
    assert_eq!(store.due(store::Shards::ALL, 5, 5).await.unwrap().timers.len(), 1);
    assert_eq!(store.outbox(store::Shards::ALL, None, 5).await.unwrap().len(), 1);
    assert_eq!(store.take_tasks(crate::backend::queue(1), 0, 1, 5).await.unwrap(), [(a, 1)]);
}
