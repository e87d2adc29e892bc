//! An execution: a tree of frames, each somewhere in a container of the machine.
//!
//! The root frame runs the machine itself; a Parallel state has a frame for each branch, a Map one for each iteration
//! that is running. A frame either is about to enter a state or is in one, and then it goes on at once or waits for
//! a timer, a task or its children.

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::machine::{ContainerId, StateId};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::payload::{Heap, Payload, PayloadId};
use crate::redrive::Redrives;

/// One execution, whole. [`apply`](crate::apply) moves it on; [`redo`](Execution::redo) rebuilds it.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Execution {
    /// The number of steps so far, which is its version in the store.
    pub step: u32,
    /// What was known when it started.
    pub facts: Option<Arc<Facts>>,
    /// Where it stands.
    pub status: Status,
    /// When it ended, in milliseconds since the epoch.
    pub stopped_ms: Option<i64>,
    /// What it returned, if it succeeded.
    pub output: Option<PayloadId>,
    /// Why it failed or was aborted.
    pub failure: Option<Failure>,
    /// How often it was taken up again after an end.
    pub redrives: Redrives,
    /// Where it is; after an end without success, where a redrive goes on.
    pub(crate) frames: BTreeMap<FrameId, Frame>,
    pub(crate) variables: BTreeMap<(FrameId, Arc<str>), PayloadId>,
    pub(crate) counters: Counters,
    /// The machine's own TimeoutSeconds.
    pub(crate) deadline: Option<Timer>,
    /// Set while a step stopped at its bound and the next one goes on.
    pub(crate) continuation: Option<Timer>,
    #[serde(skip)]
    pub(crate) heap: Heap,
}

/// What was known when an execution started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The execution's ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its machine's ARN, without version or alias.
    pub machine_arn: String,
    /// Its machine's name.
    pub machine_name: String,
    /// The role that it runs under.
    pub role_arn: String,
    /// `us-east-1`, for the events of service tasks.
    pub region: String,
    /// When it started, in milliseconds since the epoch.
    pub started_ms: i64,
    /// Its input.
    pub input: PayloadId,
    /// `X-Amzn-Trace-Id` of the request that started it.
    pub trace_header: Option<String>,
    /// Whether its machine is an EXPRESS one.
    pub express: bool,
    /// How the caller logs it, in the caller's own words; nothing here depends on it.
    pub log: Option<Arc<str>>,
    /// Through which of its machine's versions and aliases it was started.
    pub origin: Origin,
    /// What it is when a Map Run started it.
    pub child: Option<Child>,
}

/// What an execution was started through: data for people and lists, by which nothing is decided here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The ARN of the version that it runs, if it was started through one or through an alias.
    pub version_arn: Option<String>,
    /// The ARN of the alias that it was started through.
    pub alias_arn: Option<String>,
    /// The id of the machine's revision that it runs; absent for the first.
    pub revision_id: Option<String>,
    /// When that revision came to be, in milliseconds since the epoch.
    pub revised_ms: i64,
}

/// An execution that a Map Run started for an item, or for a batch of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// The Map Run's ARN.
    pub map_run_arn: String,
    /// The container that it runs: the Map's item processor.
    pub container: u32,
    /// Its number among the children of the Map Run.
    pub index: u32,
    /// How many items it has.
    pub items: u32,
    /// In which redrive of the Map Run it was started, 0 for the time before the first.
    pub round: u32,
}

/// Where an execution stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Not ended.
    #[default]
    Running,
    /// Ended with an output.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ran out of the machine's TimeoutSeconds.
    TimedOut,
    /// Stopped by StopExecution.
    Aborted,
}

impl Status {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Running => "RUNNING",
            Status::Succeeded => "SUCCEEDED",
            Status::Failed => "FAILED",
            Status::TimedOut => "TIMED_OUT",
            Status::Aborted => "ABORTED",
        }
    }
}

/// A frame of an execution; numbers are not used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FrameId(pub u32);

impl FrameId {
    /// Stands in the timers of the execution itself.
    const NONE: FrameId = FrameId(u32::MAX);
}

/// One attempt of a task: its frame and a number that is used once in an execution, so a token of an earlier attempt
/// never fits a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskId(pub u64);

/// A timer of an execution: its frame and a number that is used once in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimerId(pub u64);

fn numbered(frame: FrameId, number: u32) -> u64 {
    u64::from(frame.0) << 32 | u64::from(number)
}

impl TaskId {
    pub(crate) fn new(frame: FrameId, number: u32) -> Self {
        TaskId(numbered(frame, number))
    }

    pub(crate) fn frame(self) -> FrameId {
        FrameId((self.0 >> 32) as u32)
    }
}

impl TimerId {
    pub(crate) fn new(frame: FrameId, number: u32) -> Self {
        TimerId(numbered(frame, number))
    }

    pub(crate) fn of_execution(number: u32) -> Self {
        TimerId(numbered(FrameId::NONE, number))
    }

    pub(crate) fn frame(self) -> FrameId {
        FrameId((self.0 >> 32) as u32)
    }
}

/// A timer that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// Which.
    pub id: TimerId,
    /// When, in milliseconds since the epoch.
    pub due_ms: i64,
}

/// The next free numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub(crate) event: u64,
    pub(crate) frame: u32,
    /// For tasks and timers.
    pub(crate) number: u32,
}

impl Default for Counters {
    fn default() -> Self {
        Counters { event: 1, frame: 0, number: 0 }
    }
}

/// A place where something runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// The Parallel or Map that it belongs to; `None` for the root.
    pub(crate) seat: Option<Seat>,
    /// The `States` that it runs.
    pub(crate) container: ContainerRef,
    /// The event that the next one of this frame follows.
    pub(crate) last_event: u64,
    /// Where it is.
    pub(crate) position: Position,
}

/// A container as the journal keeps it.
pub(crate) type ContainerRef = u32;

pub(crate) fn container_ref(id: ContainerId) -> ContainerRef {
    id.0
}

/// A state as the journal keeps it.
pub(crate) type StateRef = u32;

/// A frame's place in its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seat {
    pub(crate) parent: FrameId,
    /// Which branch, or which item.
    pub(crate) index: u32,
    /// Whether it is an iteration of a Map.
    pub(crate) iteration: bool,
}

/// Where a frame is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Position {
    /// About to enter a state.
    Entering { state: StateRef, input: PayloadId },
    /// In a state.
    In(Activation),
}

/// A visit of a state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Activation {
    pub(crate) state: StateRef,
    /// The id of its …StateEntered, and of the event that this one follows.
    pub(crate) entered_event: u64,
    pub(crate) entered_after: u64,
    pub(crate) entered_ms: i64,
    /// The raw input.
    pub(crate) input: PayloadId,
    /// Retries so far by retrier: each keeps its own count for one visit.
    pub(crate) retries: Vec<(u16, u32)>,
    pub(crate) phase: Phase,
    /// Nothing happens here any more, unless a redrive takes the visit up again.
    pub(crate) halted: bool,
}

impl Activation {
    pub(crate) fn state(&self) -> StateId {
        StateId(self.state)
    }

    /// All retries of this visit.
    pub(crate) fn retry_count(&self) -> u32 {
        self.retries.iter().map(|(_, count)| count).sum()
    }
}

impl Frame {
    /// Keeps of a visit what a redrive needs: the input, what branches and iterations have returned, which Map Run there
    /// was. Its retriers begin anew, and what it does next will follow the redrive.
    pub(crate) fn halt(&mut self) {
        self.last_event = 0;
        let Position::In(activation) = &mut self.position else { return };
        activation.halted = true;
        activation.retries.clear();
        if !activation.phase.is_kept() {
            activation.phase = Phase::Active;
        }
    }

    /// Whether it goes on by itself as soon as a step has room for it.
    pub(crate) fn is_ready(&self) -> bool {
        match &self.position {
            Position::Entering { .. } => true,
            Position::In(activation) => activation.halted,
        }
    }
}

/// What a visited state is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Working, within this step.
    Active,
    /// A Wait state, until its timer.
    Waiting(Timer),
    /// Between two attempts.
    BackingOff(Timer),
    /// A task is out.
    Task(TaskRun),
    /// Branches are running.
    Branches { results: Vec<Option<PayloadId>> },
    /// Iterations are running.
    Iterations(MapRun),
    /// A Map Run is at work.
    Distributed(Box<MapRunPlan>),
}

impl Phase {
    /// Whether a redrive goes on with it; anything else begins again.
    fn is_kept(&self) -> bool {
        matches!(self, Phase::Branches { .. } | Phase::Iterations(_) | Phase::Distributed(_))
    }
}

/// A task that is out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskRun {
    pub(crate) id: TaskId,
    /// The effective input.
    pub(crate) input: PayloadId,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) heartbeat_seconds: Option<u64>,
    pub(crate) timeout: Option<Timer>,
    pub(crate) heartbeat: Option<Timer>,
    pub(crate) stage: Stage,
    /// The answer of the call that submitted a job, while the job is waited for.
    pub(crate) submission: Option<PayloadId>,
}

/// Who has the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// In an activity's queue.
    Offered,
    /// On its way to a worker: the queue still has it, hidden, until it is known to have arrived. If the server dies
    /// meanwhile, it is visible again.
    Taken,
    /// With a worker.
    Held,
    /// Being pushed: its outbox row is there.
    Calling,
    /// The call was answered; somebody holds the token.
    Submitted,
    /// The call was answered, and its answer names a job that is waited for: the outbox row is still there.
    Working,
    /// In the queue again: what took it never reached a worker. The history has told that the task started, and does
    /// not tell it again.
    Returned,
}

impl Stage {
    /// Whether an activity's queue has the task.
    pub(crate) fn is_queued(self) -> bool {
        matches!(self, Stage::Offered | Stage::Taken | Stage::Returned)
    }
}

/// The iterations of an inline Map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MapRun {
    /// The array.
    pub(crate) items: PayloadId,
    /// The effective input, which ItemSelector sees.
    pub(crate) input: PayloadId,
    pub(crate) concurrency: u32,
    /// The next item to start.
    pub(crate) next: u32,
    pub(crate) running: u32,
    pub(crate) results: Vec<Option<PayloadId>>,
}

/// What a Map Run has to do, as the state's fields said when it was entered.
///
/// Texts are payloads of the execution: whoever runs it reads them once, from the execution that is in memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapRunPlan {
    /// The number under which it was asked for.
    pub task: TaskId,
    /// Its ARN.
    pub arn: Arc<str>,
    /// The items, an array or an object; absent when a reader has them.
    pub items: Option<PayloadId>,
    /// The reader's arguments.
    pub reader: Option<PayloadId>,
    /// `MaxItems` as it was given, be it in range or not.
    pub max_items: Option<i64>,
    /// `MaxConcurrency`, 0 for no limit.
    pub max_concurrency: u64,
    /// `ToleratedFailureCount`.
    pub tolerated_count: Option<u64>,
    /// `ToleratedFailurePercentage`.
    pub tolerated_percentage: Option<f64>,
    /// `MaxItemsPerBatch`.
    pub batch_items_max: Option<u64>,
    /// `MaxInputBytesPerBatch`.
    pub batch_bytes_max: Option<u64>,
    /// `BatchInput`, evaluated.
    pub batch_input: Option<PayloadId>,
    /// The arguments of the result writer.
    pub writer: Option<PayloadId>,
    /// What ItemSelector sees besides its item (`items.rs`).
    pub scope: PayloadId,
    /// How often it was redriven.
    pub redrives: u32,
}

impl MapRunPlan {
    /// Every payload that it names.
    pub(crate) fn payloads(&self) -> impl Iterator<Item = PayloadId> + use<> {
        let optional = [self.items, self.reader, self.batch_input, self.writer];
        optional.into_iter().flatten().chain([self.scope])
    }
}

/// A task that is out, for whoever performs it.
#[derive(Clone, Debug)]
pub struct TaskView {
    /// Which.
    pub id: TaskId,
    /// The state that it is a task of.
    pub state: StateId,
    /// The text of the effective input.
    pub input: Arc<str>,
    /// Whether an activity's queue has it.
    pub offered: bool,
    /// Whether its outbox row is there: it is being pushed, or the job that it submitted is waited for.
    pub calling: bool,
    /// The answer that names the job that is waited for.
    pub submission: Option<Arc<str>>,
}

impl Execution {
    /// An execution that has not started: the first event it takes is [`Event::Start`](crate::Event::Start).
    pub fn new() -> Self {
        Execution::default()
    }

    /// What was known when it started.
    ///
    /// # Panics
    /// When it has not started.
    pub fn facts(&self) -> &Facts {
        self.facts.as_ref().expect("the first event of every execution is its start")
    }

    /// The id that the next history event will get; one more than the number of events.
    pub fn next_event(&self) -> u64 {
        self.counters.event
    }

    /// The Map Run that was asked for under this number, with the state that did, while it is at work.
    pub fn map_run(&self, id: TaskId) -> Option<(StateId, &MapRunPlan)> {
        let activation = self.activation(id.frame())?;
        match &activation.phase {
            // Between an end and the moment at which a redrive takes it up, it is not at work.
            Phase::Distributed(plan) if plan.task == id && !activation.halted => {
                Some((activation.state(), plan))
            }
            _ => None,
        }
    }

    /// A task that is out, or `None` when it is closed. A Map Run at work is one.
    pub fn task(&self, id: TaskId) -> Option<TaskView> {
        if let Some((state, plan)) = self.map_run(id) {
            let input = self.text(plan.scope)?;
            return Some(TaskView { id, state, input, offered: false, calling: true, submission: None });
        }
        let (activation, run) = self.task_run(id)?;
        Some(TaskView {
            id,
            state: activation.state(),
            input: self.text(run.input)?,
            offered: run.stage.is_queued(),
            calling: matches!(run.stage, Stage::Calling | Stage::Working),
            submission: run.submission.and_then(|submission| self.text(submission)),
        })
    }

    /// The text of a payload that this execution still holds.
    pub fn text(&self, id: PayloadId) -> Option<Arc<str>> {
        self.heap.get(id).map(|payload| payload.text.clone())
    }

    /// The payloads that it still needs: whoever loads it from a checkpoint must [`fill`](Self::fill) these.
    pub fn live_payloads(&self) -> Vec<PayloadId> {
        let mut live = Vec::new();
        live.extend(self.facts.as_ref().map(|facts| facts.input));
        live.extend(self.output);
        live.extend(self.variables.values());
        for frame in self.frames.values() {
            match &frame.position {
                Position::Entering { input, .. } => live.push(*input),
                Position::In(activation) => {
                    live.push(activation.input);
                    match &activation.phase {
                        Phase::Task(run) => {
                            live.extend([Some(run.input), run.submission].into_iter().flatten())
                        }
                        Phase::Branches { results } => live.extend(results.iter().flatten()),
                        Phase::Iterations(run) => {
                            live.extend([run.items, run.input]);
                            live.extend(run.results.iter().flatten());
                        }
                        Phase::Distributed(plan) => live.extend(plan.payloads()),
                        Phase::Active | Phase::Waiting(_) | Phase::BackingOff(_) => {}
                    }
                }
            }
        }
        live.sort_unstable();
        live.dedup();
        live
    }

    /// Gives back the text of a payload that was named before the checkpoint.
    pub fn fill(&mut self, id: PayloadId, text: Arc<str>) {
        self.heap.insert(id, Payload::of_text(text));
    }

    /// Bytes of the payloads that it holds in memory: those that it needs, and some that it needed before.
    pub fn held_bytes(&self) -> usize {
        self.heap.bytes()
    }

    /// The timers that are set now.
    pub fn timers(&self) -> Vec<Timer> {
        let mut timers: Vec<Timer> = self.deadline.into_iter().chain(self.continuation).collect();
        for frame in self.frames.values() {
            timers.extend(frame_timers(frame));
        }
        timers
    }

    /// Whether a timer is set now; asks only the frame that it belongs to.
    pub(crate) fn has_timer(&self, id: TimerId) -> bool {
        let own = self.deadline.into_iter().chain(self.continuation);
        let of_frame = self.frames.get(&id.frame()).into_iter().flat_map(frame_timers);
        own.chain(of_frame).any(|timer| timer.id == id)
    }

    /// The state that a frame is in.
    pub(crate) fn activation(&self, frame: FrameId) -> Option<&Activation> {
        match &self.frames.get(&frame)?.position {
            Position::In(activation) => Some(activation),
            Position::Entering { .. } => None,
        }
    }

    pub(crate) fn task_run(&self, id: TaskId) -> Option<(&Activation, &TaskRun)> {
        let activation = self.activation(id.frame())?;
        match &activation.phase {
            Phase::Task(run) if run.id == id => Some((activation, run)),
            _ => None,
        }
    }
}

/// The timers that a frame has set.
pub(crate) fn frame_timers(frame: &Frame) -> Vec<Timer> {
    let Position::In(activation) = &frame.position else { return Vec::new() };
    match &activation.phase {
        Phase::Waiting(timer) | Phase::BackingOff(timer) => vec![*timer],
        Phase::Task(run) => run.timeout.into_iter().chain(run.heartbeat).collect(),
        Phase::Active | Phase::Branches { .. } | Phase::Iterations(_) | Phase::Distributed(_) => Vec::new(),
    }
}
