//! The owner of a shard: decides what its executions do, one step of each in flight at a time.
//!
//! ```text
//!   job ─► live? ─► apply ─► commit ─► effects, reply, next job of the execution
//!            │ no                │ conflict
//!            └─ load ◄───────────┘
//! ```
//!
//! A job that comes while a step is in flight waits behind it, so that what a job sees is durable. A conflict drops
//! the live execution and decides again from what the store holds.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use asl::machine::Machine;
use bytes::Bytes;
use engine::{Effect, Event, Execution, Rejected, TaskId, TaskView, Transition};
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use store::{
    CommitterHandle, ExecutionId, Expect, Loaded, OutboxRow, QueueEntry, QueueKey, StepOutcome, StepWrite,
    StoreError, Timer,
};
use tokio::sync::{mpsc, oneshot};

use crate::activity::queue_of;
use crate::execution::ExecutionRecord;
use crate::history;
use crate::machine::decode;
use crate::refusal::Refusal;
use crate::service::Shared;

/// Jobs that may wait for one owner: past that, whoever asks is told to slow down.
pub(crate) const JOBS_MAX: usize = 1024;
/// Jobs that may wait behind one execution's step in flight.
const JOBS_PER_EXECUTION_MAX: usize = 256;
/// Executions that an owner keeps in memory although nothing happens to them; 256 owners keep 16,384.
const IDLE_MAX: usize = 64;
/// A checkpoint is written when the journal since the last one is larger than it, and than this.
const CHECKPOINT_BYTES_MIN: usize = 64 * 1024;
/// How often a job is decided again after a conflict, before its caller hears of it.
const ATTEMPTS_MAX: u32 = 8;

/// Something for an owner to do.
pub(crate) struct Job {
    pub(crate) execution: ExecutionId,
    pub(crate) event: Event,
    /// For a start: the definition that the execution pins.
    pub(crate) definition: Option<String>,
    /// A timer row that this event consumes.
    pub(crate) timer: Option<Timer>,
    pub(crate) reply: oneshot::Sender<Result<Answer, Failed>>,
}

/// What became of a job, once it is durable.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) record: ExecutionRecord,
    /// The task that the event was about, as it is now.
    pub(crate) task: Option<TaskView>,
}

/// Why a job was not done.
#[derive(Debug)]
pub(crate) enum Failed {
    /// There is no such execution.
    Absent,
    /// There is one already.
    NameTaken,
    /// The event does not fit.
    Rejected(Rejected),
    /// Something else.
    Refused(Refusal),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Failed::Refused(error.into())
    }
}

/// An execution in memory.
pub(crate) struct Live {
    pub(crate) execution: Execution,
    pub(crate) machine: Arc<Machine>,
    definition: String,
    /// Bytes of chunks since the last checkpoint, and the size of that.
    journal_bytes: usize,
    checkpoint_bytes: usize,
}

/// What is known of an execution that something happens to.
#[derive(Default)]
struct Slot {
    live: Option<Box<Live>>,
    /// A load or a commit is in flight.
    busy: bool,
    waiting: VecDeque<(Job, u32)>,
}

/// Something in flight that has come back.
enum Landed {
    Loaded {
        id: ExecutionId,
        job: (Job, u32),
        result: Result<Option<Box<Live>>, Failed>,
    },
    Committed {
        id: ExecutionId,
        job: (Job, u32),
        effects: Vec<Effect>,
        result: Result<StepOutcome, StoreError>,
    },
}

/// The owner of one shard.
pub(crate) struct Owner {
    shared: Arc<Shared>,
    committer: CommitterHandle,
    slots: HashMap<ExecutionId, Slot>,
    in_flight: FuturesUnordered<BoxFuture<'static, Landed>>,
}

impl Owner {
    pub(crate) fn new(shared: Arc<Shared>, committer: CommitterHandle) -> Self {
        Owner { shared, committer, slots: HashMap::new(), in_flight: FuturesUnordered::new() }
    }

    /// Works until the inbox is closed and everything in flight has landed.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Job>) {
        let mut open = true;
        while open || !self.in_flight.is_empty() {
            tokio::select! {
                job = inbox.recv(), if open => match job {
                    Some(job) => self.accept((job, 0)),
                    None => open = false,
                },
                Some(landed) = self.in_flight.next() => self.landed(landed),
            }
        }
    }

    fn accept(&mut self, job: (Job, u32)) {
        let slot = self.slots.entry(job.0.execution).or_default();
        if !slot.busy {
            return self.begin(job);
        }
        if slot.waiting.len() >= JOBS_PER_EXECUTION_MAX {
            return answer(job.0, Err(Failed::Refused(Refusal::Throttled)));
        }
        slot.waiting.push_back(job);
    }

    /// Decides a job now, or loads its execution first.
    fn begin(&mut self, job: (Job, u32)) {
        let id = job.0.execution;
        let slot = self.slots.entry(id).or_default();
        if slot.live.is_some() {
            return self.decide(job);
        }
        slot.busy = true;
        let shared = self.shared.clone();
        self.in_flight.push(Box::pin(async move {
            let result = match (&job.0.event, &job.0.definition) {
                (Event::Start(_), Some(definition)) => begin_live(&shared, definition).await.map(Some),
                _ => load(&shared, id).await,
            };
            Landed::Loaded { id, job, result }
        }));
    }

    fn landed(&mut self, landed: Landed) {
        let id = match landed {
            Landed::Loaded { id, job, result } => {
                let slot = self.slots.entry(id).or_default();
                slot.busy = false;
                match result {
                    Ok(Some(live)) => {
                        slot.live = Some(live);
                        self.decide(job);
                    }
                    Ok(None) => answer(job.0, Err(Failed::Absent)),
                    Err(failed) => answer(job.0, Err(failed)),
                }
                id
            }
            Landed::Committed { id, job, effects, result } => {
                self.committed(id, job, effects, result);
                id
            }
        };
        self.go_on(id);
    }

    /// Takes the jobs that waited, as long as none puts a step in flight.
    fn go_on(&mut self, id: ExecutionId) {
        while let Some(slot) = self.slots.get_mut(&id) {
            if slot.busy {
                return;
            }
            match slot.waiting.pop_front() {
                Some(job) => self.begin(job),
                None => return self.rest(id),
            }
        }
    }

    /// Nothing happens to this execution now: ended ones leave memory, and so do some of the others.
    fn rest(&mut self, id: ExecutionId) {
        let ended = |slot: &Slot| slot.live.as_ref().is_none_or(|live| live.execution.stopped_ms.is_some());
        if self.slots.get(&id).is_some_and(ended) {
            self.slots.remove(&id);
        }
        if self.slots.len() > IDLE_MAX {
            let idle = |slot: &Slot| !slot.busy && slot.waiting.is_empty();
            let other =
                self.slots.iter().find(|(other, slot)| **other != id && idle(slot)).map(|(other, _)| *other);
            if let Some(other) = other {
                self.slots.remove(&other);
            }
        }
    }

    /// Lets the engine decide, and hands the step to the committer.
    fn decide(&mut self, job: (Job, u32)) {
        let id = job.0.execution;
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let Some(live) = &mut slot.live else { return };
        let expect = match live.execution.step {
            0 => Expect::Absent,
            step => Expect::Version(u64::from(step)),
        };
        let decided = self.shared.decide(id, &live.machine, &mut live.execution, job.0.event.clone());
        let transition = match decided {
            Ok(transition) => transition,
            Err(failed) => {
                if matches!(failed, Failed::Refused(_)) {
                    slot.live = None;
                }
                return answer(job.0, Err(failed));
            }
        };
        let write = live.step(id, expect, &transition, job.0.timer);
        slot.busy = true;
        let committer = self.committer.clone();
        self.in_flight.push(Box::pin(async move {
            let result = committer.commit(write).await;
            Landed::Committed { id, job, effects: transition.effects, result }
        }));
    }

    fn committed(
        &mut self,
        id: ExecutionId,
        job: (Job, u32),
        effects: Vec<Effect>,
        result: Result<StepOutcome, StoreError>,
    ) {
        let slot = self.slots.entry(id).or_default();
        slot.busy = false;
        let (job, attempt) = job;
        match result {
            Ok(StepOutcome::Committed { .. }) => {
                let Some(live) = &slot.live else { return };
                self.shared.perform(id, &live.execution, &live.machine, effects);
                let task = task_of(&job.event).and_then(|task| live.execution.task(task));
                let record = ExecutionRecord::of(&live.execution, &live.definition);
                answer(job, Ok(Answer { record, task }));
            }
            Ok(StepOutcome::NameTaken) => {
                slot.live = None;
                answer(job, Err(Failed::NameTaken));
            }
            Ok(outcome) => {
                // Somebody else moved the execution: what was decided is void.
                slot.live = None;
                if attempt + 1 < ATTEMPTS_MAX {
                    slot.waiting.push_front((job, attempt + 1));
                } else {
                    let why = format!("execution {id} kept changing: {outcome:?}");
                    answer(job, Err(Failed::Refused(Refusal::Unavailable(why))));
                }
            }
            Err(error) => {
                slot.live = None;
                self.shared.store_failed(&error);
                answer(job, Err(error.into()));
            }
        }
    }
}

/// Answers a job; a caller that has gone does not want to know.
fn answer(job: Job, result: Result<Answer, Failed>) {
    let _gone = job.reply.send(result);
}

fn task_of(event: &Event) -> Option<TaskId> {
    match event {
        Event::TaskTaken { task, .. } => Some(*task),
        _ => None,
    }
}

impl Live {
    /// The rows of a step.
    fn step(
        &mut self,
        id: ExecutionId,
        expect: Expect,
        transition: &Transition,
        consumed: Option<Timer>,
    ) -> StepWrite {
        let chunk = Bytes::from(transition.encode());
        self.journal_bytes += chunk.len();
        let mut write = StepWrite::new(id, expect, chunk);
        write.timers_deleted.extend(consumed);
        let now_ms = crate::clock::now_ms();
        for effect in &transition.effects {
            match effect {
                Effect::SetTimer(timer) => {
                    write.timers_put.push(Timer { due_ms: timer.due_ms, id: timer.id.0 })
                }
                Effect::ClearTimer(timer) => {
                    let timer = Timer { due_ms: timer.due_ms, id: timer.id.0 };
                    if consumed != Some(timer) {
                        write.timers_deleted.push(timer);
                    }
                }
                Effect::Offer { task, activity } => {
                    let key = QueueKey { queue: queue_of(activity), task: task.0 };
                    write.tasks_put.push(QueueEntry { key, enqueued_ms: now_ms });
                }
                Effect::Withdraw { task, activity } => {
                    write.tasks_deleted.push(QueueKey { queue: queue_of(activity), task: task.0 });
                }
                Effect::Call(task) => write.outbox_put.push(OutboxRow { id: task.0, body: Bytes::new() }),
                Effect::Settle(task) => write.outbox_deleted.push(task.0),
            }
        }
        if self.execution.step == 1 || self.execution.stopped_ms.is_some() {
            write.listing = Some(ExecutionRecord::of(&self.execution, &self.definition).listing());
        }
        if self.journal_bytes > CHECKPOINT_BYTES_MIN.max(self.checkpoint_bytes) {
            let checkpoint = self.execution.checkpoint();
            self.checkpoint_bytes = checkpoint.len();
            self.journal_bytes = 0;
            write.checkpoint = Some(checkpoint.into());
        }
        write
    }
}

/// An execution that is about to start.
async fn begin_live(shared: &Shared, definition: &str) -> Result<Box<Live>, Failed> {
    let machine = shared.machines.compiled(definition).await.map_err(Failed::Refused)?;
    Ok(Box::new(Live {
        execution: Execution::new(),
        machine,
        definition: definition.to_owned(),
        journal_bytes: 0,
        checkpoint_bytes: 0,
    }))
}

/// Brings an execution back to memory: its checkpoint, the payloads that it still needs, and the changes since.
pub(crate) async fn load(shared: &Shared, id: ExecutionId) -> Result<Option<Box<Live>>, Failed> {
    let Some(loaded) = shared.store.load(id).await? else { return Ok(None) };
    let Loaded { checkpoint, chunks, listing, .. } = loaded;
    let damaged = |why: String| Failed::Refused(Refusal::Unavailable(format!("execution {id}: {why}")));
    let listing = listing.ok_or_else(|| damaged("it has no list row".into()))?;
    let record: ExecutionRecord = decode(&listing.body).map_err(Failed::Refused)?;
    let machine = shared.machines.compiled(&record.definition).await.map_err(Failed::Refused)?;
    let mut checkpoint_bytes = 0;
    let mut execution = match checkpoint {
        None => Execution::new(),
        Some((_, bytes)) => {
            checkpoint_bytes = bytes.len();
            let mut execution =
                Execution::from_checkpoint(&bytes).map_err(|error| damaged(error.to_string()))?;
            fill(shared, id, &mut execution).await?;
            execution
        }
    };
    let mut journal_bytes = 0;
    for (_, bytes) in &chunks {
        journal_bytes += bytes.len();
        for change in history::decode(bytes).map_err(Failed::Refused)?.changes {
            execution.redo(change);
        }
    }
    let definition = record.definition;
    Ok(Some(Box::new(Live { execution, machine, definition, journal_bytes, checkpoint_bytes })))
}

/// Gives a checkpoint the texts of the payloads that it names.
async fn fill(shared: &Shared, id: ExecutionId, execution: &mut Execution) -> Result<(), Failed> {
    let live = execution.live_payloads();
    let mut steps: Vec<u32> = live.iter().map(|payload| payload.step).collect();
    steps.dedup();
    for step in steps {
        for (payload, text) in
            history::payloads_in(&*shared.store, id, step).await.map_err(Failed::Refused)?
        {
            if live.binary_search(&payload).is_ok() {
                execution.fill(payload, text);
            }
        }
    }
    Ok(())
}
