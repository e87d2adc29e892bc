//! Queues: order, leases, acknowledgement, hints.

use store::{EmbeddedStore, ExecutionId, StepOutcome, StepWrite, Store};

use crate::backend::{Backend, With, commit, done, entry, id, next, queue, start, task};

const NOW: i64 = 1_000;
const UNTIL: i64 = 2_000;

async fn take(store: &EmbeddedStore, limit: usize) -> Vec<(ExecutionId, u64)> {
    store.take_tasks(queue(1), NOW, UNTIL, limit).await.unwrap()
}

fn acknowledge(execution: ExecutionId, version: u64, number: u64) -> StepWrite {
    next(execution, version).with(|step| step.tasks_deleted = vec![task(1, number)])
}

pub(crate) async fn the_oldest_is_taken_first_and_once(backend: &Backend) {
    let store = backend.open();
    let [a, b] = ["a", "b"].map(id);
    assert_eq!(take(&store, 9).await, []);
    done(&store, start(a).tasks(&[entry(1, 1, 30), entry(1, 2, 10)])).await;
    done(&store, start(b).tasks(&[entry(1, 1, 20), entry(1, 2, 40)])).await;
    assert_eq!(take(&store, 0).await, []);
    assert_eq!(take(&store, 1).await, [(a, 2)]);
    assert_eq!(take(&store, 2).await, [(b, 1), (a, 1)]);
    assert_eq!(take(&store, 2).await, [(b, 2)]);
    assert_eq!(take(&store, 2).await, []);
}

pub(crate) async fn a_lease_ends_or_is_released(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    done(&store, start(a).tasks(&[entry(1, 1, 1), entry(1, 2, 2), entry(1, 3, 3)])).await;
    assert_eq!(take(&store, 3).await, [(a, 1), (a, 2), (a, 3)]);
    store.release(queue(1), a, 2).await.unwrap();
    store.release(queue(1), a, 99).await.unwrap();
    store.release(queue(9), a, 1).await.unwrap();
    assert_eq!(take(&store, 3).await, [(a, 2)]);
    assert_eq!(store.take_tasks(queue(1), UNTIL - 1, UNTIL, 3).await.unwrap(), []);
    assert_eq!(store.take_tasks(queue(1), UNTIL, UNTIL + 1, 2).await.unwrap(), [(a, 1), (a, 2)]);
    assert_eq!(store.take_tasks(queue(1), UNTIL, UNTIL + 1, 2).await.unwrap(), [(a, 3)]);
}

pub(crate) async fn deleting_acknowledges_once(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    done(&store, start(a).tasks(&[entry(1, 1, 1), entry(1, 2, 2)])).await;
    assert_eq!(take(&store, 1).await, [(a, 1)]);
    done(&store, acknowledge(a, 1, 1)).await;
    assert_eq!(commit(&store, [acknowledge(a, 2, 1)]).await, [StepOutcome::TaskGone]);
    assert_eq!(store.load(a).await.unwrap().unwrap().version, 2);
    assert_eq!(take(&store, 9).await, [(a, 2)]);
    // Within one group the second comes too late as well, and a stale version is told first.
    let group = [acknowledge(a, 2, 2), acknowledge(a, 3, 2), acknowledge(a, 2, 2)];
    let expected = [
        StepOutcome::Committed { version: 3 },
        StepOutcome::TaskGone,
        StepOutcome::Conflict { actual: Some(3) },
    ];
    assert_eq!(commit(&store, group).await, expected);
    assert_eq!(store.take_tasks(queue(1), UNTIL, UNTIL, 9).await.unwrap(), []);
}

pub(crate) async fn a_refused_step_keeps_its_entries(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    done(&store, start(a).tasks(&[entry(1, 1, 1)]).outbox(&[4])).await;
    // The task is there but the outbox row is not: nothing of the step happens.
    let step = acknowledge(a, 1, 1).with(|step| step.outbox_deleted = vec![4, 5]).tasks(&[entry(1, 7, 7)]);
    assert_eq!(commit(&store, [step]).await, [StepOutcome::TaskGone]);
    assert_eq!(take(&store, 9).await, [(a, 1)]);
    assert_eq!(store.outbox(store::Shards::ALL, None, 9).await.unwrap().len(), 1);
}

pub(crate) async fn an_entry_can_be_moved(backend: &Backend) {
    let store = backend.open();
    let [a, b] = ["a", "b"].map(id);
    done(&store, start(a).tasks(&[entry(1, 1, 1)])).await;
    done(&store, start(b).tasks(&[entry(1, 1, 5)])).await;
    assert_eq!(take(&store, 1).await, [(a, 1)]);
    // Deleted and put in one step, and put over itself: visible again, at its new place.
    let moved = acknowledge(a, 1, 1).tasks(&[entry(1, 1, 9)]);
    done(&store, moved).await;
    assert_eq!(take(&store, 9).await, [(b, 1), (a, 1)]);
    done(&store, next(a, 2).tasks(&[entry(1, 1, 3)])).await;
    assert_eq!(take(&store, 9).await, [(a, 1)]);
    done(&store, acknowledge(a, 3, 1)).await;
    assert_eq!(store.take_tasks(queue(1), UNTIL, UNTIL, 9).await.unwrap(), [(b, 1)]);
}

pub(crate) async fn an_older_entry_that_arrives_late_is_first(backend: &Backend) {
    let store = backend.open();
    let [a, b] = ["a", "b"].map(id);
    done(&store, start(a).tasks(&[entry(1, 1, 50), entry(1, 2, 60)])).await;
    assert_eq!(take(&store, 1).await, [(a, 1)]);
    done(&store, acknowledge(a, 1, 1)).await;
    assert_eq!(take(&store, 1).await, [(a, 2)]);
    done(&store, acknowledge(a, 2, 2)).await;
    assert_eq!(take(&store, 1).await, [], "the queue is empty, and known to be");
    done(&store, start(b).tasks(&[entry(1, 1, 10)])).await;
    assert_eq!(take(&store, 1).await, [(b, 1)]);
    done(&store, next(b, 1).tasks(&[entry(1, 2, -10), entry(1, 3, i64::MAX)])).await;
    assert_eq!(take(&store, 9).await, [(b, 2), (b, 3)]);
}

pub(crate) async fn queues_do_not_see_each_other(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    done(&store, start(a).tasks(&[entry(0, 1, 1), entry(1, 1, 1), entry(2, 1, 1), entry(255, 1, 1)])).await;
    for number in [0, 1, 2, 255] {
        assert_eq!(store.take_tasks(queue(number), NOW, UNTIL, 9).await.unwrap(), [(a, 1)]);
        assert_eq!(store.take_tasks(queue(number), NOW, UNTIL, 9).await.unwrap(), []);
    }
    let step = next(a, 1).with(|step| step.tasks_deleted = vec![task(3, 1)]);
    assert_eq!(commit(&store, [step]).await, [StepOutcome::TaskGone]);
}

pub(crate) async fn a_commit_wakes_pollers(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    let mut wakeups = store.wakeups();
    done(&store, start(a)).await;
    commit(&store, [next(a, 9).tasks(&[entry(5, 1, 1)])]).await;
    done(&store, next(a, 1).tasks(&[entry(1, 1, 1), entry(1, 2, 1), entry(2, 1, 1)])).await;
    assert_eq!(wakeups.try_recv(), Ok(queue(1)));
    assert_eq!(wakeups.try_recv(), Ok(queue(2)));
    assert!(wakeups.try_recv().is_err(), "refused steps and steps without entries wake nobody");
    store.release(queue(2), a, 1).await.unwrap();
    assert_eq!(wakeups.try_recv(), Ok(queue(2)));
}

pub(crate) async fn a_restart_voids_leases(backend: &Backend) {
    let a = id("a");
    {
        let store = backend.open();
        done(&store, start(a).tasks(&[entry(1, 1, 1), entry(1, 2, 2)])).await;
        assert_eq!(take(&store, 2).await.len(), 2);
        done(&store, acknowledge(a, 1, 1)).await;
    }
    assert_eq!(take(&backend.open(), 9).await, [(a, 2)]);
}
