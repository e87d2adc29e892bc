//! One execution from its start to its end.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use asl::machine::{Body, Machine, StateId};
use asl::states::task::{Pattern, Resource, Task};
use engine::{
    Change, Effect, Event, Execution, Failure, HistoryEvent, Limits, Moment, PayloadId, Start, Status,
    TaskId, Transition, World, apply,
};

use crate::outcome::{Outcome, Visit, path};
use crate::script::{Answer, Asked, Script};
use crate::timers::Timers;

/// What a run does not take from the machine.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// When it starts, in milliseconds since the epoch.
    pub started_ms: i64,
    /// Where its random choices come from.
    pub seed: u64,
    /// What it is held to.
    pub limits: Limits,
}

impl Default for Options {
    /// AWS's limits, and the same beginning for everybody: 2026-01-01T00:00:00Z.
    fn default() -> Options {
        Options { started_ms: 1_767_225_600_000, seed: 0, limits: Limits::STRICT }
    }
}

/// A run that came to no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped<T> {
    /// Why.
    pub why: Why<T>,
    /// How far it came.
    pub path: Vec<Visit>,
}

/// Why a run came to no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why<T> {
    /// The script could not answer.
    Script(T),
    /// Nobody answers the task of this state, and no clock ends it.
    Parked(Arc<str>),
}

/// Runs an execution to its end.
///
/// # Errors
/// The script does not know an answer, or leaves a task unanswered that nothing else ends.
pub fn run<S: Script>(
    machine: &Machine,
    start: Start,
    options: Options,
    script: &mut S,
) -> Result<Outcome, Stopped<S::Trouble>> {
    let mut run = Run::new(machine, options);
    run.apply(Event::Start(Box::new(start)));
    while run.execution.status == Status::Running {
        if let Some(task) = run.tasks.pop_front() {
            run.answer(task, script).map_err(|trouble| run.stopped(Why::Script(trouble)))?;
        } else if let Some(timer) = run.timers.next() {
            run.now_ms = run.now_ms.max(timer.due_ms);
            run.apply(Event::Timer(timer.id));
        } else {
            let state = run.silent.map(|state| machine.state(state).name.clone());
            return Err(run.stopped(Why::Parked(state.unwrap_or_else(|| "(none)".into()))));
        }
    }
    Ok(Outcome::new(&run.execution, run.history, run.texts))
}

/// Why a Distributed Map fails here.
const NO_MAP_RUNS: &str = "Loveless does not run the Distributed Map '{}' in a test of one execution: test the states of its item processor as a \
     machine of their own";

/// An execution on its way.
struct Run<'a> {
    machine: &'a Machine,
    options: Options,
    execution: Execution,
    now_ms: i64,
    timers: Timers,
    /// Tasks that wait for an answer, the oldest first.
    tasks: VecDeque<TaskId>,
    /// How many tasks each state has asked for.
    asked: HashMap<StateId, usize>,
    /// The state whose task was left unanswered last.
    silent: Option<StateId>,
    history: Vec<HistoryEvent>,
    texts: HashMap<PayloadId, Arc<str>>,
}

impl<'a> Run<'a> {
    fn new(machine: &'a Machine, options: Options) -> Run<'a> {
        Run {
            machine,
            options,
            execution: Execution::new(),
            now_ms: options.started_ms,
            timers: Timers::default(),
            tasks: VecDeque::new(),
            asked: HashMap::new(),
            silent: None,
            history: Vec::new(),
            texts: HashMap::new(),
        }
    }

    /// Decides one event and does what follows from it. An event that does not fit any more changes nothing: a branch
    /// may have been cut off while its task waited for an answer.
    fn apply(&mut self, event: Event) {
        let seed = self.options.seed.wrapping_add(u64::from(self.execution.step));
        let at = Moment { now_ms: self.now_ms, seed, world: &Everything };
        let Ok(decided) = apply(self.machine, &mut self.execution, event, at, self.options.limits) else {
            return;
        };
        let Transition { changes, history, effects } = decided;
        for change in changes {
            if let Change::Payload(id, text) = change {
                self.texts.insert(id, text);
            }
        }
        self.history.extend(history);
        for effect in effects {
            match effect {
                Effect::SetTimer(timer) => self.timers.set(timer),
                Effect::ClearTimer(timer) => self.timers.clear(timer.id),
                Effect::Offer { task, .. } | Effect::Call(task) => self.tasks.push_back(task),
                Effect::Withdraw { .. } | Effect::Settle(_) => {}
            }
        }
    }

    fn stopped<T>(&self, why: Why<T>) -> Stopped<T> {
        Stopped { why, path: path(&self.execution, &self.history) }
    }

    /// Gives a task to the script, and its answer to the engine.
    fn answer<S: Script>(&mut self, id: TaskId, script: &mut S) -> Result<(), S::Trouble> {
        let Some(view) = self.execution.task(id) else { return Ok(()) };
        let state = self.machine.state(view.state);
        let Body::Task(task) = &state.body else {
            // A Map Run is many executions, and here is one: it fails in words that say so.
            let failure = Failure {
                error: Some("States.Runtime".into()),
                cause: Some(NO_MAP_RUNS.replace("{}", &state.name).into()),
            };
            self.apply(Event::MapRunFailed { task: id, failure });
            return Ok(());
        };
        if view.offered {
            self.apply(Event::TaskTaken { task: id, worker: None });
            self.apply(Event::TaskDelivered(id));
        }
        let asked = self.asked.entry(view.state).or_default();
        let earlier = *asked;
        *asked += 1;
        let asked = Asked { state, task, input: &view.input, earlier, ends_alone: ends_alone(task) };
        match script.answer(asked)? {
            Answer::Succeeded(output) => self.apply(Event::TaskSucceeded { task: id, output }),
            Answer::Failed { error, cause } => self.apply(Event::TaskFailed { task: id, error, cause }),
            Answer::Silence => self.silent = Some(view.state),
        }
        Ok(())
    }
}

/// Whether a task has a clock. Only who holds a token can send heartbeats.
fn ends_alone(task: &Task) -> bool {
    let has_token = match &task.resource {
        Resource::Activity(_) => true,
        Resource::Lambda(_) => false,
        Resource::Service(service) => service.pattern != Pattern::RequestResponse,
    };
    task.timeout.is_some() || (has_token && task.heartbeat.is_some())
}

/// Surroundings in which everything is there.
struct Everything;

impl World for Everything {
    fn token(&self, task: TaskId) -> String {
        format!("task-token-{}", task.0)
    }

    fn has_activity(&self, _arn: &str) -> bool {
        true
    }
}
