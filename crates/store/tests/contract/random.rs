//! Random scripts of operations, compared with the model after each. `STORE_SEED=n` repeats one script.

use store::{
    Direction, EmbeddedStore, ExecutionId, Expect, ListQuery, Listing, Order, OutboxRow, QueueEntry, Shard,
    Shards, StepWrite, Store, Timer,
};

use crate::backend::{Backend, bytes, id_in, queue, task};
use crate::chance::Chance;
use crate::model::Model;

const SCRIPTS: u64 = 4;
const OPERATIONS: u64 = 400;

pub(crate) async fn random_scripts_match_the_model(backend: &Backend) {
    if let Ok(seed) = std::env::var("STORE_SEED") {
        return script(backend, seed.parse().expect("STORE_SEED is a number")).await;
    }
    for seed in 0..SCRIPTS {
        // Scripts after the first need an empty backend of the same sort.
        let fresh = match backend {
            Backend::Memory(_) => Backend::memory(),
            Backend::Fjall(_) => Backend::fjall(),
        };
        script(&fresh, seed).await;
    }
}

async fn script(backend: &Backend, seed: u64) {
    let mut chance = Chance(seed);
    let mut model = Model::default();
    let mut store = backend.open();
    for operation in 0..OPERATIONS {
        let place = format!("seed {seed}, operation {operation}");
        match chance.below(20) {
            0..=10 => commit(&store, &mut model, &mut chance, &place).await,
            11 | 12 => take(&store, &mut model, &mut chance, &place).await,
            13 => {
                let (id, key) = (some_id(&mut chance), some_task(&mut chance));
                store.release(key.queue, id, key.task).await.unwrap();
                model.release(id, key);
            }
            14 => purge(&store, &mut model, &mut chance, &place).await,
            15 if chance.one_in(8) => {
                drop(store);
                store = backend.open();
                model.restart();
            }
            15 | 16 => list(&store, &model, &mut chance, &place).await,
            17 => history(&store, &model, &mut chance, &place).await,
            18 => due(&store, &model, &mut chance, &place).await,
            _ => {
                let id = some_id(&mut chance);
                assert_eq!(store.load(id).await.unwrap(), model.load(id), "{place}");
            }
        }
    }
    let outbox = store.outbox(Shards::ALL, None, usize::MAX).await.unwrap();
    assert_eq!(outbox, model.outbox(), "seed {seed}");
    let all = store.due(Shards::ALL, i64::MAX, usize::MAX).await.unwrap();
    assert_eq!(all, model.due(Shards::ALL, i64::MAX, usize::MAX), "seed {seed}");
    assert_eq!(store.usage().await.unwrap().listed, model.counts(), "seed {seed}");
}

async fn commit(store: &EmbeddedStore, model: &mut Model, chance: &mut Chance, place: &str) {
    let count = chance.below(6);
    let mut group = Vec::new();
    let mut expected = Vec::new();
    for number in 0..count {
        // Drawn from the model as the group has left it so far, so that most steps are valid.
        let step = some_step(model, chance, &format!("{place}, step {number}"));
        expected.push(model.commit(step.clone()));
        group.push(step);
    }
    let outcomes = store.commit(group).await.unwrap();
    assert_eq!(outcomes, expected, "{place}");
}

async fn take(store: &EmbeddedStore, model: &mut Model, chance: &mut Chance, place: &str) {
    let now_ms = some_time(chance);
    let (queue, until_ms, limit) =
        (queue(chance.below(2) as u8), now_ms + some_time(chance), chance.below(5) as usize);
    let taken = store.take_tasks(queue, now_ms, until_ms, limit).await.unwrap();
    assert_eq!(taken, model.take(queue, now_ms, until_ms, limit), "{place}");
}

async fn purge(store: &EmbeddedStore, model: &mut Model, chance: &mut Chance, place: &str) {
    let id = some_id(chance);
    let version = if chance.one_in(3) { chance.below(5) } else { model.version(id).unwrap_or(1) };
    assert_eq!(store.purge(id, version).await.unwrap(), model.purge(id, version), "{place}");
}

async fn list(store: &EmbeddedStore, model: &Model, chance: &mut Chance, place: &str) {
    let mut query = ListQuery {
        group: chance.one_in(2).then(|| [chance.below(5) as u8; 16]),
        status: chance.one_in(2).then(|| chance.below(3) as u8),
        cursor: None,
        limit: 1 + chance.below(4) as usize,
        order: if chance.one_in(2) { Order::NewestFirst } else { Order::OldestFirst },
    };
    let expected = model.list(&query);
    let mut rows = Vec::new();
    loop {
        let page = Store::list(store, query.clone()).await.unwrap();
        rows.extend(page.rows);
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(rows, expected, "{place}, {query:?}");
}

async fn history(store: &EmbeddedStore, model: &Model, chance: &mut Chance, place: &str) {
    let (id, from, limit) = (some_id(chance), chance.below(9), chance.below(9) as usize);
    let all = model.history(id);
    let forward = store.history(id, from, Direction::Forward, limit, usize::MAX).await.unwrap();
    let expected: Vec<_> = all.iter().filter(|(version, _)| *version >= from).take(limit).cloned().collect();
    assert_eq!(forward, expected, "{place}");
    let backward = store.history(id, from, Direction::Backward, limit, usize::MAX).await.unwrap();
    let expected: Vec<_> =
        all.iter().rev().filter(|(version, _)| *version <= from).take(limit).cloned().collect();
    assert_eq!(backward, expected, "{place}");
}

async fn due(store: &EmbeddedStore, model: &Model, chance: &mut Chance, place: &str) {
    let first = chance.below(256) as u8;
    let shards = match chance.below(3) {
        0 => Shards::ALL,
        1 => Shards { first: Shard(first), last: Shard(255) },
        _ => some_id(chance).shard().into(),
    };
    let (until_ms, limit) = (some_time(chance), chance.below(9) as usize);
    let found = store.due(shards, until_ms, limit).await.unwrap();
    assert_eq!(found, model.due(shards, until_ms, limit), "{place}");
}

fn some_step(model: &Model, chance: &mut Chance, chunk: &str) -> StepWrite {
    let id = some_id(chance);
    let expect = match model.version(id) {
        _ if chance.one_in(10) => Expect::Version(chance.below(5)),
        Some(_) if chance.one_in(10) => Expect::Absent,
        Some(version) => Expect::Version(version),
        None => Expect::Absent,
    };
    let tasks = model.tasks(id);
    let outbox = model.outbox_of(id);
    StepWrite {
        execution: id,
        expect,
        chunk: bytes(chunk),
        checkpoint: chance.one_in(4).then(|| bytes(format!("state after {chunk}"))),
        timers_put: chance.some(3, some_timer),
        timers_deleted: chance.some(2, some_timer),
        tasks_put: chance
            .some(2, |chance| QueueEntry { key: some_task(chance), enqueued_ms: some_time(chance) }),
        tasks_deleted: match chance.below(12) {
            0 => vec![some_task(chance)],
            1..=5 => tasks.into_iter().take(1).collect(),
            _ => Vec::new(),
        },
        outbox_put: chance.some(2, |chance| OutboxRow { id: chance.below(4), body: bytes(chunk) }),
        outbox_deleted: match chance.below(12) {
            0 => vec![chance.below(4)],
            1..=5 => outbox.into_iter().take(2).collect(),
            _ => Vec::new(),
        },
        listing: chance.one_in(3).then(|| Listing {
            group: [chance.below(3) as u8; 16],
            also: chance.some(2, |chance| [3 + chance.below(2) as u8; 16]),
            status: chance.below(3) as u8,
            sort_ms: some_time(chance),
            body: bytes(chunk),
        }),
    }
}

/// Few, so that operations meet; some in one shard, some at the ends.
fn some_id(chance: &mut Chance) -> ExecutionId {
    id_in([0, 0, 7, 255][chance.below(4) as usize], chance.below(3) as u8)
}

fn some_task(chance: &mut Chance) -> store::QueueKey {
    task(chance.below(2) as u8, chance.below(4))
}

fn some_timer(chance: &mut Chance) -> Timer {
    Timer { due_ms: some_time(chance), id: chance.below(3) }
}

fn some_time(chance: &mut Chance) -> i64 {
    chance.below(12) as i64 - 2
}
