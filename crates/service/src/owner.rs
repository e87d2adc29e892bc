//! The owner of a shard: one step of each of its executions in flight at a time, and everything else in its order.
//!
//! ```text
//!   job ─► live? ─► decide ─► commit ─► effects, reply, next job of the execution
//!            │ no     here, or on the pool   │ conflict
//!            └─ load ◄───────────────────────┘
//! ```
//!
//! A job that comes while its execution is being loaded, decided or committed waits behind that, so that what a job
//! sees is durable; the other executions of the shard go on. A conflict drops the live execution and decides again from
//! what the store holds.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use engine::{Effect, Event, Rejected, TaskId, TaskView};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use store::{CommitterHandle, ExecutionId, StepOutcome, StoreError, Timer};
use tokio::sync::{mpsc, oneshot};

use crate::decision::{Case, Decided};
use crate::execution::ExecutionRecord;
use crate::live::Live;
use crate::log::Told;
use crate::pool::{self, NoRoom, Undone};
use crate::redrive::Amendment;
use crate::refusal::Refusal;
use crate::service::Shared;

/// Jobs that may wait for one owner: past that, whoever asks is told to slow down.
pub(crate) const JOBS_MAX: usize = 1024;
/// Jobs that may wait behind one execution's step in flight.
const JOBS_PER_EXECUTION_MAX: usize = 256;
/// Executions that an owner keeps in memory although nothing happens to them; 256 owners keep 16,384.
const IDLE_MAX: usize = 64;
/// How often a job is decided again after a conflict, before its caller hears of it.
const ATTEMPTS_MAX: u32 = 8;

/// Something for an owner to do.
pub(crate) struct Job {
    pub(crate) execution: ExecutionId,
    pub(crate) event: Event,
    /// For a start: the definition that the execution pins.
    pub(crate) definition: Option<String>,
    /// For a redrive of the extended mode: what is to be otherwise.
    pub(crate) amendment: Option<Arc<Amendment>>,
    /// A timer row that this event consumes.
    pub(crate) timer: Option<Timer>,
    /// How often it was decided in vain.
    pub(crate) attempts: u32,
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
    /// The engine broke on it, or the execution cannot be brought back to memory. It would be so again.
    Broken(String),
    /// Something else.
    Refused(Refusal),
}

impl Failed {
    /// As the answer to a request; what the request has words of its own for, it has matched before.
    pub(crate) fn into_refusal(self) -> Refusal {
        match self {
            Failed::Refused(refusal) => refusal,
            Failed::Broken(why) => Refusal::Unavailable(why),
            other => Refusal::Unavailable(format!("the execution's owner says: {other:?}")),
        }
    }

    /// Why, unless somebody was faster: the execution or its task was over before.
    pub(crate) fn trouble(self) -> Option<Refusal> {
        match self {
            Failed::Absent | Failed::NameTaken | Failed::Rejected(_) => None,
            failed => Some(failed.into_refusal()),
        }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Failed::Refused(error.into())
    }
}

impl From<Undone> for Failed {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Broken(message) => Failed::Broken(message),
            Undone::NoRoom(NoRoom::Full) => Failed::Refused(Refusal::Throttled),
            Undone::NoRoom(NoRoom::Closed) => Failed::Refused(Refusal::stopping()),
        }
    }
}

/// What is known of an execution that something happens to.
#[derive(Default)]
struct Slot {
    /// Absent also while something in flight has it.
    live: Option<Box<Live>>,
    /// A load, a decision or a commit is in flight.
    busy: bool,
    waiting: VecDeque<Job>,
}

/// Something in flight that has come back.
enum Landed {
    Loaded {
        job: Job,
        result: Result<Option<Box<Live>>, Failed>,
    },
    /// No step came of it.
    Undecided {
        job: Job,
        live: Option<Box<Live>>,
        failed: Failed,
    },
    Committed {
        job: Job,
        live: Box<Live>,
        effects: Vec<Effect>,
        told: Option<Box<Told>>,
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
                    Some(job) => self.accept(job),
                    None => open = false,
                },
                Some(landed) = self.in_flight.next() => self.landed(landed),
            }
        }
    }

    fn accept(&mut self, job: Job) {
        let slot = self.slots.entry(job.execution).or_default();
        if !slot.busy {
            return self.begin(job);
        }
        if slot.waiting.len() >= JOBS_PER_EXECUTION_MAX {
            return answer(job, Err(Failed::Refused(Refusal::Throttled)));
        }
        slot.waiting.push_back(job);
    }

    /// Decides a job, or loads its execution first.
    fn begin(&mut self, job: Job) {
        let id = job.execution;
        let slot = self.slots.entry(id).or_default();
        if let Some(live) = slot.live.take() {
            return self.decide(job, live);
        }
        slot.busy = true;
        let shared = self.shared.clone();
        self.in_flight.push(Box::pin(async move {
            let load = async {
                match (&job.event, &job.definition) {
                    (Event::Start(_), Some(definition)) => Live::begin(&shared, definition).await.map(Some),
                    _ => Live::load(&shared, id).await,
                }
            };
            let result = AssertUnwindSafe(load).catch_unwind().await.unwrap_or_else(|panic| {
                let why = pool::message(&*panic);
                Err(Failed::Broken(format!("execution {id} cannot be brought back: {why}")))
            });
            Landed::Loaded { job, result }
        }));
    }

    /// Lets the engine decide, here or on the pool, and hands the step to the committer.
    fn decide(&mut self, job: Job, live: Box<Live>) {
        let (id, line) = (job.execution, live.definition.hash.clone());
        let case =
            Case { id, event: job.event.clone(), amendment: job.amendment.clone(), timer: job.timer, live };
        if !case.may_take_long() {
            return match case.decide_here(&self.shared) {
                Decided::Nothing { live, failed } => self.undecided(job, live, failed),
                decided => self.put_in_flight(id, commit(self.committer.clone(), job, decided)),
            };
        }
        let (shared, committer) = (self.shared.clone(), self.committer.clone());
        match self.shared.pool.submit(&line, case, move |case| case.decide(&shared)) {
            // The job stays here: when this owner is gone, whoever waits for its answer hears of that.
            Ok(handed) => self.put_in_flight(id, async move {
                match handed.done().await {
                    Ok(decided) => commit(committer, job, decided).await,
                    Err(undone) => Landed::Undecided { job, live: None, failed: undone.into() },
                }
            }),
            Err((case, reason)) => self.undecided(job, Some(case.live), Undone::NoRoom(reason).into()),
        }
    }

    fn put_in_flight(&mut self, id: ExecutionId, work: impl Future<Output = Landed> + Send + 'static) {
        self.slots.entry(id).or_default().busy = true;
        self.in_flight.push(Box::pin(work));
    }

    /// No step came of a job. The execution is as it was; one that has not even started is nothing to keep.
    fn undecided(&mut self, job: Job, live: Option<Box<Live>>, failed: Failed) {
        let slot = self.slots.entry(job.execution).or_default();
        slot.live = live.filter(|live| live.execution.step > 0);
        answer(job, Err(failed));
    }

    fn landed(&mut self, landed: Landed) {
        let id = landed.job().execution;
        self.slots.entry(id).or_default().busy = false;
        match landed {
            Landed::Loaded { job, result } => match result {
                Ok(Some(live)) => self.decide(job, live),
                Ok(None) => answer(job, Err(Failed::Absent)),
                Err(failed) => answer(job, Err(failed)),
            },
            Landed::Undecided { job, live, failed } => self.undecided(job, live, failed),
            Landed::Committed { job, live, effects, told, result } => {
                if let (Some(told), Ok(StepOutcome::Committed { .. })) = (told, &result) {
                    self.shared.tell(*told);
                }
                self.committed(job, live, effects, result);
            }
        }
        self.go_on(id);
    }

    /// Takes the jobs that waited, as long as none puts something in flight.
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

    fn committed(
        &mut self,
        mut job: Job,
        live: Box<Live>,
        effects: Vec<Effect>,
        result: Result<StepOutcome, StoreError>,
    ) {
        let id = job.execution;
        let slot = self.slots.entry(id).or_default();
        match result {
            Ok(StepOutcome::Committed { .. }) => {
                let live = slot.live.insert(live);
                self.shared.count_open(live);
                self.shared.perform(id, &live.execution, &live.definition, effects);
                if live.execution.stopped_ms.is_some() {
                    self.shared.closings.closed(id);
                    self.shared.map_runs.ended(&live.execution);
                }
                let task = task_of(&job.event).and_then(|task| live.execution.task(task));
                answer(job, Ok(Answer { record: live.record(), task }));
            }
            Ok(StepOutcome::NameTaken) => answer(job, Err(Failed::NameTaken)),
            Ok(outcome) => {
                // Somebody else moved the execution: what was decided is void.
                job.attempts += 1;
                if job.attempts < ATTEMPTS_MAX {
                    slot.waiting.push_front(job);
                } else {
                    let why = format!("execution {id} kept changing: {outcome:?}");
                    answer(job, Err(Failed::Refused(Refusal::Unavailable(why))));
                }
            }
            Err(error) => {
                self.shared.store_failed(&error);
                answer(job, Err(error.into()));
            }
        }
    }
}

impl Landed {
    fn job(&self) -> &Job {
        match self {
            Landed::Loaded { job, .. } | Landed::Undecided { job, .. } | Landed::Committed { job, .. } => job,
        }
    }
}

/// Hands the step of a decision to the committer, if one came of it.
async fn commit(committer: CommitterHandle, job: Job, decided: Decided) -> Landed {
    match decided {
        Decided::Step { live, write, effects, told } => {
            let result = committer.commit(*write).await;
            Landed::Committed { job, live, effects, told, result }
        }
        Decided::Nothing { live, failed } => Landed::Undecided { job, live, failed },
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

#[cfg(test)]
mod tests;
