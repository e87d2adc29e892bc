//! What the process to be killed does, and what must be found afterwards.
//!
//! Several executions step on at once. Each step replaces the timer, the queue entry, the outbox row and the
//! list row of the step before it, so that at any version exactly one of each must be there: half a step cannot
//! hide. Every acknowledged version is reported on standard output, one line a step.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use store::{
    Committer, Direction, Durability, EmbeddedStore, ExecutionId, Expect, ListQuery, Listing, OpenOptions,
    Order, OutboxRow, QueueEntry, QueueId, QueueKey, Shards, StepOutcome, StepWrite, Store, StoreError,
    Timer,
};

/// The first argument of a process that works until it is killed.
pub(crate) const CHILD: &str = "work-until-killed";

const EXECUTIONS: u64 = 8;
const QUEUE: QueueId = QueueId([3; 16]);

/// The highest acknowledged version of each execution.
pub(crate) type Acknowledged = BTreeMap<u64, u64>;

/// The process that is killed.
pub(crate) struct Victim {
    process: Child,
    reports: JoinHandle<Acknowledged>,
    works: mpsc::Receiver<()>,
}

impl Victim {
    /// Starts a process that works in `folder` with chunks of about `chunk_bytes`.
    pub(crate) fn start(folder: &Path, durability: Durability, chunk_bytes: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let sync = if durability == Durability::Sync { "sync" } else { "none" };
        command.arg(CHILD).arg(folder).arg(sync).arg(chunk_bytes.to_string());
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = process.stdout.take().unwrap();
        // Read all the time, so that the victim never waits for the pipe.
        let (works_now, works) = mpsc::channel();
        let reports = thread::spawn(move || acknowledgements(output, &works_now));
        Self { process, reports, works }
    }

    /// Waits for its first acknowledgement: how long a busy machine takes to get there is no matter of milliseconds.
    pub(crate) fn wait_for_work(&self) {
        self.works.recv().expect("the victim acknowledges something before it ends");
    }

    /// Lets it work for a while, kills it, and says what it had acknowledged.
    pub(crate) fn kill_after(mut self, work: Duration) -> Acknowledged {
        thread::sleep(work);
        assert_eq!(self.process.try_wait().unwrap(), None, "the victim ended by itself");
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.reports.join().unwrap()
    }
}

fn acknowledgements(output: impl Read, works: &mpsc::Sender<()>) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    for line in BufReader::new(output).lines() {
        let line = line.unwrap();
        let (execution, version) = line.split_once(' ').unwrap();
        acknowledged.insert(execution.parse().unwrap(), version.parse().unwrap());
        // Most do not want to know.
        let _ = works.send(());
    }
    acknowledged
}

/// The process itself: works until it is killed.
pub(crate) fn child(arguments: &[String]) -> ExitCode {
    let [folder, sync, chunk_bytes] = arguments else { panic!("folder, sync and size are needed") };
    let durability = if sync == "sync" { Durability::Sync } else { Durability::None };
    let chunk_bytes = chunk_bytes.parse().unwrap();
    block_on(async {
        let store = EmbeddedStore::open(Path::new(folder), OpenOptions { durability }).unwrap();
        let failure = work(Arc::new(store), chunk_bytes, |execution, version| {
            // One write a line: a line is there or it is not.
            std::io::stdout().write_all(format!("{execution} {version}\n").as_bytes()).unwrap();
        });
        eprintln!("the victim's store failed: {}", failure.await);
        ExitCode::FAILURE
    })
}

/// Steps all executions on until the store fails; tells `acknowledge` of each step that is durable.
pub(crate) async fn work(
    store: Arc<EmbeddedStore>,
    chunk_bytes: usize,
    acknowledge: impl Fn(u64, u64) + Clone + Send + 'static,
) -> StoreError {
    let handle = Committer::spawn(Arc::clone(&store) as Arc<dyn Store>);
    let mut workers = tokio::task::JoinSet::new();
    for number in 0..EXECUTIONS {
        let (store, handle, acknowledge) = (Arc::clone(&store), handle.clone(), acknowledge.clone());
        workers.spawn(async move {
            let loaded = store.load(execution(number)).await?;
            let mut version = loaded.map_or(0, |loaded| loaded.version);
            loop {
                match handle.commit(step(number, version, chunk_bytes)).await? {
                    StepOutcome::Committed { version: made } => version = made,
                    other => panic!("execution {number} at {version}: {other:?}"),
                }
                acknowledge(number, version);
            }
        });
    }
    let first: Result<(), StoreError> = workers.join_next().await.expect("there are workers").unwrap();
    // The others fail as soon as they notice.
    while workers.join_next().await.is_some() {}
    handle.finish().await;
    first.expect_err("workers only stop when the store fails")
}

/// Asserts that the store holds at least what was acknowledged, and nothing by halves. Says how many steps there
/// are.
pub(crate) async fn verify(store: &EmbeddedStore, acknowledged: &Acknowledged) -> u64 {
    let versions = versions(store).await;
    for (number, version) in acknowledged {
        let found = versions.get(number).copied().unwrap_or(0);
        assert!(
            found >= *version,
            "execution {number}: version {version} was acknowledged, {found} was found"
        );
    }
    let all = store.due(Shards::ALL, i64::MAX, usize::MAX).await.unwrap().timers;
    let mut timers: Vec<_> =
        versions.iter().map(|(number, version)| (execution(*number), timer(*version))).collect();
    timers.sort_by_key(|(id, timer)| (timer.due_ms, *id));
    assert_eq!(all, timers);
    let mut tasks = store.take_tasks(QUEUE, 0, 0, usize::MAX).await.unwrap();
    tasks.sort_unstable();
    let mut outbox = store.outbox(Shards::ALL, None, usize::MAX).await.unwrap();
    outbox.sort_by_key(|(id, _)| *id);
    let mut expected: Vec<_> =
        versions.iter().map(|(number, version)| (execution(*number), *version)).collect();
    expected.sort_unstable();
    assert_eq!(tasks, expected);
    assert_eq!(outbox.iter().map(|(id, row)| (*id, row.id)).collect::<Vec<_>>(), expected);
    let query = ListQuery {
        group: None,
        status: Some(1),
        cursor: None,
        limit: usize::MAX,
        order: Order::NewestFirst,
    };
    let mut listed: Vec<_> = Store::list(store, query).await.unwrap().rows;
    listed.sort_by_key(|(id, _)| *id);
    let listed: Vec<_> =
        listed.into_iter().map(|(id, listing)| (id, listing.sort_ms.cast_unsigned())).collect();
    assert_eq!(listed, expected);
    for (number, version) in &versions {
        verify_chunks(store, *number, *version).await;
    }
    versions.values().sum()
}

/// The versions that are found.
pub(crate) async fn versions(store: &EmbeddedStore) -> Acknowledged {
    let mut versions = Acknowledged::new();
    for number in 0..EXECUTIONS {
        if let Some(loaded) = store.load(execution(number)).await.unwrap() {
            versions.insert(number, loaded.version);
        }
    }
    versions
}

async fn verify_chunks(store: &EmbeddedStore, number: u64, version: u64) {
    let id = execution(number);
    let chunks = store.history(id, 0, Direction::Forward, usize::MAX, usize::MAX).await.unwrap();
    let found: Vec<_> = chunks.iter().map(|(version, _)| *version).collect();
    assert_eq!(found, (1..=version).collect::<Vec<_>>());
    for (version, chunk) in chunks {
        assert_eq!(chunk, content(number, version, chunk.len()), "the chunk {version} of execution {number}");
    }
    let loaded = store.load(id).await.unwrap().unwrap();
    let checkpoint = version - version % CHECKPOINT_EVERY;
    let expected = (checkpoint > 0).then(|| (checkpoint, content(number, checkpoint, CHECKPOINT_BYTES)));
    assert_eq!(loaded.checkpoint, expected);
}

const CHECKPOINT_EVERY: u64 = 5;
const CHECKPOINT_BYTES: usize = 2_000;

/// The step on top of `version`.
fn step(number: u64, version: u64, chunk_bytes: usize) -> StepWrite {
    let next = version + 1;
    let expect = if version == 0 { Expect::Absent } else { Expect::Version(version) };
    // Sizes that differ from step to step, around the size asked for.
    let size = chunk_bytes / 2 + (next as usize * 7919) % chunk_bytes;
    let mut step = StepWrite::new(execution(number), expect, content(number, next, size));
    step.checkpoint = next.is_multiple_of(CHECKPOINT_EVERY).then(|| content(number, next, CHECKPOINT_BYTES));
    step.timers_put = vec![timer(next)];
    step.tasks_put = vec![QueueEntry { key: task(next), enqueued_ms: next.cast_signed() }];
    step.outbox_put = vec![OutboxRow { id: next, body: content(number, next, 100) }];
    step.listing = Some(Listing {
        group: [9; 16],
        also: vec![[8; 16]],
        status: 1,
        sort_ms: next.cast_signed(),
        body: content(number, next, 50),
    });
    if version > 0 {
        step.timers_deleted = vec![timer(version)];
        step.tasks_deleted = vec![task(version)];
        step.outbox_deleted = vec![version];
    }
    step
}

fn execution(number: u64) -> ExecutionId {
    ExecutionId::of(&format!("execution {number}"))
}

fn timer(version: u64) -> Timer {
    Timer { due_ms: version.cast_signed(), id: version }
}

fn task(version: u64) -> QueueKey {
    QueueKey { queue: QUEUE, task: version }
}

/// Bytes that follow from whose they are, and do not compress to nothing.
fn content(number: u64, version: u64, size: usize) -> Bytes {
    let mut state = number << 32 ^ version ^ 0x9E37_79B9_7F4A_7C15;
    let mut bytes = vec![0; size];
    for word in bytes.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
    }
    bytes.into()
}

/// Runs a future on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Opens the store of a folder, synced.
pub(crate) fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(folder, OpenOptions::default()).unwrap()
}

/// Opens a store that has failed in this process. Its writing thread is not waited for when it is dropped, because it may
/// hang in the engine; usually it lets go of the folder a moment later.
pub(crate) fn open_after_failure(folder: &Path) -> EmbeddedStore {
    for _ in 0..600 {
        match EmbeddedStore::open(folder, OpenOptions::default()) {
            Err(StoreError::Locked(_)) => thread::sleep(Duration::from_millis(100)),
            opened => return opened.unwrap(),
        }
    }
    panic!("the failed store does not let go of {}", folder.display());
}

/// Times to kill at, different in each run: crashes are where nobody looked. The seed is printed.
pub(crate) struct Moments {
    pub(crate) seed: u64,
    state: u64,
}

impl Moments {
    pub(crate) fn new() -> Self {
        let seed = match std::env::var("STORE_SEED") {
            Ok(seed) => seed.parse().expect("STORE_SEED is a number"),
            Err(_) => u64::from(std::process::id()),
        };
        Self { seed, state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    /// Somewhere between the two, in milliseconds.
    pub(crate) fn between(&mut self, least_ms: u64, most_ms: u64) -> Duration {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        Duration::from_millis(least_ms + self.state % (most_ms - least_ms))
    }
}
