//! Many at once: exactly one wins, and nobody is told a lie.

use std::collections::HashSet;
use std::sync::Arc;

use store::{Committer, StepOutcome, Store};
use tokio::task::JoinSet;

use crate::backend::{Backend, With, entry, id, next, queue, start, task};

const WRITERS: u64 = 8;

pub(crate) async fn of_two_writers_one_wins_each_version(backend: &Backend) {
    const VERSIONS: u64 = 60;
    let store: Arc<dyn Store> = Arc::new(backend.open());
    let a = id("a");
    store.commit(vec![start(a)]).await.unwrap();
    // One goes through the committer, the other past it: the store decides, not the queue.
    let handle = Committer::spawn(Arc::clone(&store));
    let mut writers = JoinSet::new();
    for writer in 0..2 {
        let (store, handle) = (Arc::clone(&store), handle.clone());
        writers.spawn(async move {
            let (mut won, mut version) = (Vec::new(), 1);
            while version < VERSIONS {
                let outcome = match writer {
                    0 => handle.commit(next(a, version)).await.unwrap(),
                    _ => store.commit(vec![next(a, version)]).await.unwrap()[0],
                };
                match outcome {
                    StepOutcome::Committed { version: made } => {
                        assert_eq!(made, version + 1);
                        won.push(made);
                        version = made;
                    }
                    StepOutcome::Conflict { actual: Some(actual) } => {
                        assert!(actual > version);
                        version = actual;
                    }
                    other => panic!("{other:?}"),
                }
            }
            won
        });
    }
    let mut won: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
    won.sort_unstable();
    assert_eq!(won, (2..=VERSIONS).collect::<Vec<_>>());
    assert_eq!(store.load(a).await.unwrap().unwrap().chunks.len(), VERSIONS as usize);
    handle.finish().await;
}

pub(crate) async fn of_many_starters_one_gets_the_name(backend: &Backend) {
    let store: Arc<dyn Store> = Arc::new(backend.open());
    let handle = Committer::spawn(Arc::clone(&store));
    for round in 0..10 {
        let mut starters = JoinSet::new();
        for starter in 0..WRITERS {
            let (handle, step) = (handle.clone(), start(id(&format!("round {round}"))).outbox(&[starter]));
            starters.spawn(async move { (starter, handle.commit(step).await.unwrap()) });
        }
        let outcomes = starters.join_all().await;
        let winners: Vec<_> = outcomes
            .iter()
            .filter(|(_, outcome)| *outcome == StepOutcome::Committed { version: 1 })
            .map(|(starter, _)| *starter)
            .collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        let losers = outcomes.iter().filter(|(_, outcome)| *outcome == StepOutcome::NameTaken).count();
        assert_eq!(losers, outcomes.len() - 1);
        let rows = store.outbox(store::Shards::ALL, None, 1000).await.unwrap();
        let ours: Vec<_> =
            rows.iter().filter(|(execution, _)| *execution == id(&format!("round {round}"))).collect();
        assert_eq!(ours.iter().map(|(_, row)| row.id).collect::<Vec<_>>(), winners);
    }
    handle.finish().await;
}

pub(crate) async fn of_many_workers_one_gets_each_task(backend: &Backend) {
    const TASKS: u64 = 100;
    let store: Arc<dyn Store> = Arc::new(backend.open());
    let handle = Committer::spawn(Arc::clone(&store));
    let executions: Vec<_> = (0..TASKS).map(|number| id(&format!("execution {number}"))).collect();
    let mut tasks = JoinSet::new();
    for worker in 0..WRITERS {
        let (store, handle) = (Arc::clone(&store), handle.clone());
        tasks.spawn(async move {
            let mut done = Vec::new();
            let mut idle = 0;
            // Leases of one time unit, so that workers do get entries that another is about to acknowledge.
            let mut now_ms = 0;
            while idle < 200 {
                now_ms += 1;
                let taken = store.take_tasks(queue(1), now_ms, now_ms + 1, 3).await.unwrap();
                idle = if taken.is_empty() { idle + 1 } else { 0 };
                for (execution, number) in taken {
                    let step = next(execution, 1).with(|step| step.tasks_deleted = vec![task(1, number)]);
                    match handle.commit(step).await.unwrap() {
                        StepOutcome::Committed { .. } => done.push((execution, number)),
                        StepOutcome::Conflict { .. } | StepOutcome::TaskGone => {}
                        other => panic!("worker {worker}: {other:?}"),
                    }
                }
                tokio::task::yield_now().await;
            }
            done
        });
    }
    for execution in &executions {
        handle.commit(start(*execution).tasks(&[entry(1, 7, 1)])).await.unwrap();
    }
    let done: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let distinct: HashSet<_> = done.iter().collect();
    assert_eq!(distinct.len(), done.len(), "no task was acknowledged twice");
    let left = store.take_tasks(queue(1), i64::MAX, i64::MAX, 1000).await.unwrap();
    assert_eq!(done.len() + left.len(), TASKS as usize, "every task is done or still there");
    handle.finish().await;
}
