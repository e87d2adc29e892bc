//! The one entry: an event comes in, what follows from it goes out.

use asl::machine::{Body, Machine};

use crate::change::Change;
use crate::effect::Effect;
use crate::event::{Event, Rejected};
use crate::execution::{Execution, Phase, Position, Stage, Status, TaskId, TimerId};
use crate::failure::{Failure, Raised, TIMEOUT};
use crate::history::HistoryEvent;
use crate::moment::Moment;
use crate::redrive::check as check_redrive;
use crate::states;
use crate::step::Step;

/// Everything that follows from one event. Commit `changes` and `history` before performing `effects`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transition {
    /// What the journal keeps.
    pub changes: Vec<Change>,
    /// What the history tells.
    pub history: Vec<HistoryEvent>,
    /// What to do once the rest is durable.
    pub effects: Vec<Effect>,
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The limits of AWS, or those of the extended mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one payload: a task's input, a state's output (262,144 on AWS).
    pub payload_bytes_max: usize,
    /// Bytes of all variables that one execution holds (10 MiB on AWS).
    pub variables_bytes_max: usize,
    /// Events of one history; the last one tells that it is full (25,000 on AWS).
    pub history_events_max: u64,
    /// Transitions that one step may make before the next step goes on: a loop must not starve its neighbours. A
    /// millisecond spent on expressions counts as five.
    pub step_transitions_max: u32,
    /// Bytes of payloads that one step may name before the next one goes on: a step is one write, and is held in memory
    /// until it is durable.
    pub step_bytes_max: usize,
    /// Milliseconds since its end within which an execution may be redriven (14 days on AWS); `None` for ever.
    pub redrive_ms_max: Option<i64>,
    /// Milliseconds since its start within which an execution may be redriven (a year on AWS); `None` for ever.
    pub execution_ms_max: Option<i64>,
    /// Milliseconds that a second of a Wait state and of a Retry's interval lasts: 1,000, or fewer where somebody
    /// develops and does not want to wait. Tasks are worked on in real time, so that their clocks and the machine's run
    /// as ever.
    pub waited_second_ms: u32,
}

impl Limits {
    /// What AWS enforces.
    pub const STRICT: Limits = Limits {
        payload_bytes_max: 262_144,
        variables_bytes_max: 10 * 1024 * 1024,
        history_events_max: 25_000,
        step_transitions_max: 512,
        step_bytes_max: 4 * 1024 * 1024,
        redrive_ms_max: Some(14 * DAY_MS),
        execution_ms_max: Some(365 * DAY_MS),
        waited_second_ms: 1000,
    };
}

/// Decides what happens next. Reads nothing but its arguments.
///
/// # Errors
/// The event does not fit: the execution has ended, the task is closed, the timer was cleared. Then nothing changed.
pub fn apply(
    machine: &Machine,
    execution: &mut Execution,
    event: Event,
    at: Moment<'_>,
    limits: Limits,
) -> Result<Transition, Rejected> {
    match &event {
        Event::Redrive(redrive) => check_redrive(execution, redrive, at.now_ms, limits)?,
        _ if execution.status != Status::Running => return Err(Rejected::Ended),
        event => check(execution, event)?,
    }
    let fired = if let Event::Timer(id) = event { Some(id) } else { None };
    let mut step = Step::begin(machine, execution, at, limits);
    match event {
        Event::Start(start) => step.start(*start),
        Event::Timer(id) => timer(&mut step, id),
        Event::TaskTaken { task, worker } => states::task::taken(&mut step, task, worker),
        Event::TaskDelivered(task) => states::task::delivered(&mut step, task),
        Event::TaskReturned(task) => states::task::returned(&mut step, task),
        Event::TaskSubmitted { task, output } => states::task::submitted(&mut step, task, output),
        Event::TaskSucceeded { task, output } => states::task::succeeded(&mut step, task, output),
        Event::TaskFailed { task, error, cause } => {
            states::task::failed(&mut step, task, Raised::of_task(Failure { error, cause }));
        }
        Event::Heartbeat(task) => states::task::heartbeat(&mut step, task),
        Event::Redrive(redrive) => step.redrive(*redrive),
        Event::Expired => step.time_out(Failure { error: Some(TIMEOUT.into()), cause: None }),
        Event::MapRunSucceeded { task, output } => {
            states::map::distributed::succeeded(&mut step, task, output);
        }
        Event::MapRunFailed { task, failure } => {
            states::map::distributed::failed(&mut step, task, Raised::of_map_run(failure));
        }
        Event::Stop { error, cause } => step.abort(Failure { error, cause }),
    }
    step.run();
    let mut transition = step.finish();
    // A timer is used up by its own event.
    transition
        .effects
        .retain(|effect| !matches!(effect, Effect::ClearTimer(timer) if Some(timer.id) == fired));
    Ok(transition)
}

/// Whether the event can happen now.
fn check(execution: &Execution, event: &Event) -> Result<(), Rejected> {
    let stage =
        |task: &TaskId| execution.task_run(*task).map(|(_, run)| run.stage).ok_or(Rejected::TaskClosed);
    let want = |fits: bool| if fits { Ok(()) } else { Err(Rejected::TaskElsewhere) };
    match event {
        Event::Start(_) if execution.facts.is_some() => Err(Rejected::Started),
        Event::Start(_) | Event::Stop { .. } | Event::Redrive(_) | Event::Expired => Ok(()),
        Event::Timer(id) if execution.has_timer(*id) => Ok(()),
        Event::Timer(_) => Err(Rejected::TimerCleared),
        Event::TaskTaken { task, .. } => want(stage(task)?.is_queued()),
        Event::TaskDelivered(task) | Event::TaskReturned(task) => want(stage(task)? == Stage::Taken),
        Event::TaskSubmitted { task, .. } => want(stage(task)? == Stage::Calling),
        Event::TaskSucceeded { task, .. } | Event::TaskFailed { task, .. } | Event::Heartbeat(task) => {
            stage(task).map(|_| ())
        }
        Event::MapRunSucceeded { task, .. } | Event::MapRunFailed { task, .. } => {
            execution.map_run(*task).map(|_| ()).ok_or(Rejected::TaskClosed)
        }
    }
}

fn timer(step: &mut Step<'_>, id: TimerId) {
    if step.execution.continuation.is_some_and(|timer| timer.id == id) {
        return step.resume();
    }
    if step.execution.deadline.is_some_and(|timer| timer.id == id) {
        return step.time_out(Failure { error: Some(TIMEOUT.into()), cause: None });
    }
    let Some(site) = step.site(id.frame()) else { return };
    let Some(Position::In(activation)) = step.execution.frames.get(&site.frame).map(|frame| &frame.position)
    else {
        return;
    };
    match &activation.phase {
        Phase::Waiting(_) => {
            let Body::Wait(wait) = &site.state.body else { return };
            let outcome = states::wait::resume(step, &site, wait);
            step.settle(&site, outcome);
        }
        Phase::BackingOff(_) => step.attempt(site.frame),
        Phase::Task(run) => {
            let heartbeat = run.heartbeat.is_some_and(|timer| timer.id == id);
            let task = run.id;
            states::task::timed_out(step, task, Raised::timeout(heartbeat));
        }
        Phase::Active | Phase::Branches { .. } | Phase::Iterations(_) | Phase::Distributed(_) => {}
    }
}
