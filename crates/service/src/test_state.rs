//! TestState: one state, tried alone by the engine that runs executions (asl-facts 19).
//!
//! ```text
//!   request ──► check ──► a trial ──► apply ──┬──► left, failed, or up for a retry ──► Tested
//!                                       ▲     │
//!                                       └─────┴── waits: for its timer, its call, or its mock
//! ```
//!
//! Nothing is stored: there is no execution, no history and nothing to recover. What a request may say is checked in
//! `check.rs`, `$$` in `context.rs`, and which values a user gets to see of a state is told in `inspection.rs`.

mod check;
mod context;
mod inspection;

use std::sync::Arc;
use std::time::Duration;

use asl::machine::{Body, Machine, State};
use asl::states::task::Task;
use connect::{Call, Strictness};
use engine::{
    Effect, Event, Execution, Failure, Moment, Rejected, Seen, Start, Status, TaskId, Timer, Transition,
    Trial, World, apply,
};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use crate::clock::now_ms;
use crate::dispatch::ended;
use crate::refusal::Refusal;
use crate::service::{Service, Shared};

/// The longest that a test may take (asl-facts 19).
const TEST_MAX: Duration = Duration::from_secs(300);
/// Tests that run at a time: each may hold a connection and wait for minutes. AWS allows one a second, so that this many run
/// when each takes its whole time.
pub(crate) const TESTS_MAX: usize = 300;

/// What TestState asks for.
#[derive(Clone, Debug, Default)]
pub struct TestState {
    /// A state, or with [`Self::state_name`] a whole machine.
    pub definition: String,
    /// Which state of the machine, of any nesting level.
    pub state_name: Option<String>,
    /// The role; a Task that is really called needs one.
    pub role_arn: Option<String>,
    /// The state's input, a JSON text.
    pub input: Option<String>,
    /// The variables that there are, the text of a JSON object.
    pub variables: Option<String>,
    /// The context object, the text of a JSON object.
    pub context: Option<String>,
    /// What stands in for the work of the state.
    pub mock: Option<MockInput>,
    /// What happened to the state before.
    pub configuration: TestConfiguration,
    /// Whether secrets may be shown.
    pub reveal_secrets: bool,
}

/// What stands in for the work of a state.
#[derive(Clone, Debug, Default)]
pub struct MockInput {
    /// Its result, a JSON text.
    pub result: Option<String>,
    /// Or its failure: the error's name and cause.
    pub error_output: Option<(Option<String>, Option<String>)>,
    /// How the result is held against the API's shape.
    pub validation: Validation,
}

/// How a mocked result is held against the shape of what the API answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// Required members must be there, and what is there must fit.
    #[default]
    Strict,
    /// What is there must fit.
    Present,
    /// Not at all.
    None,
}

/// What happened to the state before it is tried.
#[derive(Clone, Debug, Default)]
pub struct TestConfiguration {
    /// Retries so far.
    pub retrier_retry_count: Option<u32>,
    /// The state inside a Map or Parallel that the mocked failure comes from.
    pub error_caused_by_state: Option<String>,
    /// Iterations of a Map that failed.
    pub map_iteration_failure_count: Option<u64>,
    /// What a Map's reader read, a JSON text.
    pub map_item_reader_data: Option<String>,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestStatus {
    /// The state was left.
    Succeeded,
    /// It failed.
    Failed,
    /// It failed, and a retrier would try it again.
    Retriable,
    /// It failed, and was left through a catcher.
    CaughtError,
}

impl TestStatus {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            TestStatus::Succeeded => "SUCCEEDED",
            TestStatus::Failed => "FAILED",
            TestStatus::Retriable => "RETRIABLE",
            TestStatus::CaughtError => "CAUGHT_ERROR",
        }
    }
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Tested {
    /// How it ended.
    pub status: TestStatus,
    /// What left the state, a JSON text.
    pub output: Option<Arc<str>>,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// The state that comes next.
    pub next_state: Option<Arc<str>>,
    /// `inspectionData`, the values between the fields.
    pub inspection: Value,
}

impl Validation {
    fn strictness(self) -> Option<Strictness> {
        match self {
            Validation::Strict => Some(Strictness::Whole),
            Validation::Present => Some(Strictness::Present),
            Validation::None => None,
        }
    }
}

impl Service {
    /// TestState.
    ///
    /// # Errors
    /// The definition, or whatever else the request says that does not fit it.
    pub async fn test_state(&self, request: TestState) -> Result<Tested, Refusal> {
        let shared = self.shared();
        let Ok(_place) = shared.trials.try_acquire() else { return Err(Refusal::Throttled) };
        let request = check::before(request)?;
        let machine = match &request.state_name {
            Some(_) => shared.machines.machine_to_test(&request.definition).await?,
            None => shared.machines.state_to_test(&request.definition).await?,
        };
        let state = check::state(&machine, request.state_name.as_deref(), shared.dispatch.connector())?;
        let checked = check::against(request, &machine, state, self)?;
        let failures = checked.trial.failed_iterations;
        let tested = Running::of(checked, machine, shared).finish(shared).await?;
        check::iterations(&tested.seen, failures)?;
        Ok(tested.told())
    }
}

/// What the engine sees of the world while a state is tried: no activities, and a token that nobody can use.
struct Alone(Trial);

impl World for Alone {
    fn token(&self, task: TaskId) -> String {
        format!("test-{:x}", task.0)
    }

    fn has_activity(&self, _: &str) -> bool {
        true
    }

    fn trial(&self) -> Option<&Trial> {
        Some(&self.0)
    }
}

/// A test that runs.
struct Running {
    machine: Arc<Machine>,
    execution: Execution,
    world: Alone,
    input: Arc<str>,
    timers: Vec<Timer>,
    /// The task that is out.
    task: Option<TaskId>,
    /// What a task comes to, instead of being called.
    mock: Option<engine::Mock>,
    next: Option<Event>,
}

/// A test that is over.
struct Over {
    machine: Arc<Machine>,
    execution: Execution,
    trial: Trial,
    seen: Seen,
    input: Arc<str>,
    late: bool,
}

impl Running {
    fn of(checked: check::Checked, machine: Arc<Machine>, shared: &Shared) -> Running {
        let check::Checked { trial, input, role_arn, mock } = checked;
        let (machine_name, name) = (uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().to_string());
        let place = shared.place();
        let start = Start {
            arn: place.trial(&machine_name, &name),
            name,
            machine_arn: place.machine(&machine_name),
            machine_name,
            role_arn: role_arn.unwrap_or_default(),
            region: place.region.clone(),
            input: input.clone(),
            trace_header: None,
            express: true,
            log: None,
            origin: engine::Origin::default(),
            child: None,
        };
        Running {
            machine,
            execution: Execution::new(),
            world: Alone(trial),
            input,
            timers: Vec::new(),
            task: None,
            mock,
            next: Some(Event::Start(Box::new(start))),
        }
    }

    /// Goes on until the state is left, has failed, or waits for a retry.
    async fn finish(mut self, shared: &Arc<Shared>) -> Result<Over, Refusal> {
        let deadline = Instant::now() + TEST_MAX;
        let mut late = false;
        while let Some(event) = self.next.take() {
            self = self.decide(event, shared).await?;
            if self.is_over() {
                break;
            }
            let event = tokio::select! {
                event = timeout_at(deadline, self.wait(shared)) => event,
                () = shared.stopping() => return Err(Refusal::stopping()),
            };
            match event {
                Ok(event) => self.next = Some(event),
                Err(_elapsed) => late = true,
            }
        }
        let seen = self.world.0.seen().clone();
        let Running { machine, execution, world: Alone(trial), input, .. } = self;
        Ok(Over { machine, execution, trial, seen, input, late })
    }

    fn is_over(&self) -> bool {
        self.execution.status != Status::Running || self.world.0.seen().retry.is_some()
    }

    /// One decision; on the compute pool if it may take long.
    async fn decide(mut self, event: Event, shared: &Shared) -> Result<Running, Refusal> {
        let cost = if self.machine.has_expressions { usize::MAX } else { self.input.len() };
        let limits = shared.limits();
        let seed = getrandom::u64().unwrap_or_else(|_| now_ms() as u64);
        let line: Arc<str> = "TestState".into();
        let work = move || {
            let at = Moment { now_ms: now_ms(), seed, world: &self.world };
            let decided = apply(&self.machine, &mut self.execution, event, at, limits);
            (self, decided)
        };
        let (mut running, decided) = shared.pool.compute(&line, cost, work).await?;
        running.note(decided)?;
        Ok(running)
    }

    fn note(&mut self, decided: Result<Transition, Rejected>) -> Result<(), Refusal> {
        let transition = decided.map_err(|rejected| {
            Refusal::Unavailable(format!("the engine broke on a state that was tested: {rejected:?}"))
        })?;
        for effect in transition.effects {
            match effect {
                Effect::SetTimer(timer) => self.timers.push(timer),
                Effect::ClearTimer(timer) => self.timers.retain(|set| set.id != timer.id),
                Effect::Call(task) | Effect::Offer { task, .. } => self.task = Some(task),
                Effect::Withdraw { task, .. } | Effect::Settle(task) => {
                    self.task = self.task.filter(|out| *out != task);
                }
            }
        }
        Ok(())
    }

    /// The next thing that happens to the state.
    async fn wait(&mut self, shared: &Arc<Shared>) -> Event {
        if let Some((task, mock)) = self.task.and_then(|task| Some((task, self.mock.take()?))) {
            return match mock {
                engine::Mock::Result(output) => Event::TaskSucceeded { task, output },
                engine::Mock::Failure(Failure { error, cause }) => Event::TaskFailed { task, error, cause },
            };
        }
        let timer = self.timers.iter().min_by_key(|timer| timer.due_ms).copied();
        if let Some(timer) = timer {
            self.timers.retain(|set| set.id != timer.id);
        }
        let due = async {
            match timer {
                Some(timer) => {
                    sleep(Duration::from_millis(timer.due_ms.saturating_sub(now_ms()).max(0) as u64)).await;
                    Event::Timer(timer.id)
                }
                None => std::future::pending().await,
            }
        };
        let call = self.call();
        let called = async {
            match call {
                Some((task, call)) => ended(task, shared.dispatch.perform(call).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = called => event,
            event = due => event,
        }
    }

    /// The call of the task that is out.
    fn call(&self) -> Option<(TaskId, Call)> {
        let task = self.task?;
        let view = self.execution.task(task)?;
        let Body::Task(Task { resource, .. }) = &self.machine.state(view.state).body else { return None };
        let idempotency_id = uuid::Uuid::new_v4().to_string();
        Some((
            task,
            Call {
                resource: resource.clone(),
                input: view.input,
                idempotency_id,
                again: false,
                trace_header: None,
            },
        ))
    }
}

impl Over {
    fn state(&self) -> &State {
        self.machine.state(self.trial.state)
    }

    fn told(self) -> Tested {
        let inspection = inspection::told(&self);
        let seen = self.seen;
        let next = seen.left.as_ref().and_then(|left| left.next);
        let next_state = next.map(|next| self.machine.state(next).name.clone());
        let output = seen.left.map(|left| left.output);
        let (status, failure) = match self.execution.status {
            _ if self.late => {
                let cause = format!("The state was tested for longer than {} seconds.", TEST_MAX.as_secs());
                let failure = Failure { error: Some("States.Timeout".into()), cause: Some(cause.into()) };
                (TestStatus::Failed, Some(failure))
            }
            Status::Succeeded if seen.caught.is_some() => (TestStatus::CaughtError, seen.failure),
            Status::Succeeded => (TestStatus::Succeeded, None),
            Status::Running => (TestStatus::Retriable, seen.failure),
            Status::Failed | Status::TimedOut | Status::Aborted => {
                (TestStatus::Failed, self.execution.failure)
            }
        };
        Tested { status, output, failure, next_state, inspection }
    }
}
