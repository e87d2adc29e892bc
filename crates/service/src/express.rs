//! EXPRESS executions: run in memory, from their start to their end within five minutes.
//!
//! ```text
//!   StartSyncExecution ─► place ─► Run ─► answer                        (at most once: nothing is stored)
//!   StartExecution ─► place ─► row ─► answer, Run ─► row gone           (at least once: a restart runs it again)
//! ```
//!
//! The decisions are those of the engine, as for any execution; what differs is that a step is not stored. Timers are
//! in the run itself, tasks are futures of it, and both are gone with it. What of its history is wanted goes to a log
//! (asl-facts 18). An execution that was started synchronously goes on when its caller hangs up, as on AWS; its place
//! is free again when it ends.
//!
//! [`run`] is for whoever has a machine and wants what it makes of an input: it knows nothing of names and places.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use connect::{Call, Outcome};
use engine::{
    Effect, Event, Execution, Limits, Moment, Origin, Rejected, Start, Status, TaskId, TimerId, Transition,
    World,
};
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};
use store::{CommitterHandle, ExecutionId, Expect, OutboxRow, StepOutcome, StepWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::dispatch::ended;
use crate::execution::{Ordered, StartExecution, Started};
use crate::log;
use crate::machine::{decode, encode};
use crate::pace::Compiled;
use crate::pool::{NoRoom, Undone, caught};
use crate::refusal::Refusal;
use crate::service::{Service, Shared};

/// The outbox row of an execution that is to run again after a crash. No task has this number: its upper half is no
/// frame's.
pub(crate) const ROW: u64 = u64::MAX;

/// The pause before a decision is handed to the compute pool that had no room for it.
const PAUSE: Duration = Duration::from_millis(20);

/// What the EXPRESS executions of a service share.
pub(crate) struct Express {
    committer: CommitterHandle,
    /// Who finds none is told to slow down.
    places: Arc<Semaphore>,
}

impl Express {
    pub(crate) fn new(committer: CommitterHandle, runs_max: usize) -> Self {
        Express { committer, places: Arc::new(Semaphore::new(runs_max)) }
    }

    /// A place, if one is free.
    fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.places.clone().try_acquire_owned().map_err(|_| Refusal::Throttled)
    }

    /// A place, once one is free: for work that nobody asks for again.
    pub(crate) async fn place_when_free(&self) -> OwnedSemaphorePermit {
        self.places.clone().acquire_owned().await.expect("the semaphore is never closed")
    }
}

/// What became of an EXPRESS execution.
#[derive(Clone, Debug)]
pub struct ExpressEnded {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its machine's ARN.
    pub machine_arn: String,
    /// How it ended.
    pub status: Status,
    /// Its input.
    pub input: Arc<str>,
    /// What it returned, when it succeeded.
    pub output: Option<Arc<str>>,
    /// The error's name, if it did not.
    pub error: Option<Arc<str>>,
    /// Why it did not.
    pub cause: Option<Arc<str>>,
    /// The trace header of the request.
    pub trace_header: Option<String>,
    /// When it started, in milliseconds since the epoch.
    pub started_ms: i64,
    /// When it ended, in milliseconds since the epoch.
    pub stopped_ms: i64,
    /// The most bytes of payloads that it held.
    pub bytes_max: usize,
}

impl Service {
    /// StartSyncExecution: runs an EXPRESS machine to its end.
    ///
    /// # Errors
    /// The machine, the name or the input; too many run already; or the server goes down before the end.
    pub async fn start_sync_execution(&self, request: StartExecution) -> Result<ExpressEnded, Refusal> {
        let ordered = self.ordered(request).await?;
        if !ordered.machine.express {
            return Err(Refusal::StateMachineTypeNotSupported(String::new()));
        }
        let shared = self.shared().clone();
        let place = shared.express.place()?;
        let definition = ordered.machine.definition.clone();
        let compiled = shared.machines.compiled(&definition).await.map_err(|failed| failed.into_refusal())?;
        let start = start_of(&shared, ordered);
        let tracker = shared.underway.clone();
        let run = tracker.spawn(async move {
            let ended = run(&shared, compiled, start).await;
            drop(place);
            ended
        });
        run.await.ok().flatten().ok_or_else(Refusal::stopping)
    }
}

/// StartExecution of an EXPRESS machine: the answer leaves when its row is durable.
pub(crate) async fn start(shared: &Arc<Shared>, ordered: Ordered) -> Result<Started, Refusal> {
    let place = shared.express.place()?;
    let row = Row { definition: ordered.machine.definition.clone(), start: start_of(shared, ordered).into() };
    let arn = row.start.arn.clone();
    let id = ExecutionId::of(&arn);
    let mut write = StepWrite::new(id, Expect::Absent, Bytes::new());
    write.outbox_put.push(OutboxRow { id: ROW, body: encode(&row) });
    match shared.express.committer.commit(write).await {
        Ok(StepOutcome::Committed { .. }) => {}
        Ok(outcome) => {
            return Err(Refusal::Unavailable(format!("the row of {arn} could not be written: {outcome:?}")));
        }
        Err(error) => {
            shared.store_failed(&error);
            return Err(error.into());
        }
    }
    let started_ms = now_ms();
    in_background(shared, id, row, Some(place));
    Ok(Started { arn, started_ms })
}

/// Runs an execution again that was running when the server went down.
pub(crate) fn run_again(shared: &Arc<Shared>, id: ExecutionId, body: &Bytes) {
    match decode::<Row>(body) {
        Ok(row) => in_background(shared, id, row, None),
        Err(refusal) => tracing::error!(execution = %id, %refusal, "the row of an execution cannot be read"),
    }
}

/// What is needed to run an execution again.
#[derive(Serialize, Deserialize)]
struct Row {
    definition: String,
    start: KeptStart,
}

/// [`Start`] as a row has it.
#[derive(Serialize, Deserialize)]
struct KeptStart {
    arn: String,
    name: String,
    machine_arn: String,
    machine_name: String,
    role_arn: String,
    region: String,
    input: String,
    trace_header: Option<String>,
    log: Option<String>,
    origin: Origin,
}

impl From<Start> for KeptStart {
    fn from(start: Start) -> Self {
        KeptStart {
            arn: start.arn,
            name: start.name,
            machine_arn: start.machine_arn,
            machine_name: start.machine_name,
            role_arn: start.role_arn,
            region: start.region,
            input: start.input.to_string(),
            trace_header: start.trace_header,
            log: start.log.map(|log| log.to_string()),
            origin: start.origin,
        }
    }
}

impl From<KeptStart> for Start {
    fn from(kept: KeptStart) -> Self {
        Start {
            arn: kept.arn,
            name: kept.name,
            machine_arn: kept.machine_arn,
            machine_name: kept.machine_name,
            role_arn: kept.role_arn,
            region: kept.region,
            input: kept.input.into(),
            trace_header: kept.trace_header,
            express: true,
            log: kept.log.map(Into::into),
            origin: kept.origin,
            child: None,
        }
    }
}

fn start_of(shared: &Shared, ordered: Ordered) -> Start {
    let run = uuid::Uuid::new_v4().to_string();
    let place = shared.place();
    let arn = place.express(&ordered.machine.name, &ordered.name, &run);
    Start { arn, express: true, ..ordered.into_start(place) }
}

/// Runs an execution whose row is there, and takes the row away.
fn in_background(shared: &Arc<Shared>, id: ExecutionId, row: Row, place: Option<OwnedSemaphorePermit>) {
    let shared = shared.clone();
    let tracker = shared.underway.clone();
    tracker.spawn(async move {
        let _place = match place {
            Some(place) => place,
            // After a crash there are as many rows as there were places.
            None => shared.express.place_when_free().await,
        };
        let compiled = match shared.machines.compiled(&row.definition).await {
            Ok(compiled) => compiled,
            Err(failed) => {
                let refusal = failed.into_refusal();
                tracing::error!(execution = row.start.arn, %refusal, "an execution waits for the next start");
                return;
            }
        };
        // Without an end the server goes down: the row stays.
        if run(&shared, compiled, row.start.into()).await.is_none() {
            return;
        }
        if let Err(error) = shared.store.purge(id, 1).await {
            tracing::error!(execution = %id, %error, "the row of an execution that has ended is still there");
            shared.store_failed(&error);
        }
    });
}

/// Runs a machine from an input to its end, in memory; `None` when the server goes down before.
pub(crate) async fn run(shared: &Arc<Shared>, compiled: Arc<Compiled>, start: Start) -> Option<ExpressEnded> {
    let stopping = shared.stopping();
    let run = Run {
        shared,
        compiled,
        id: ExecutionId::of(&start.arn),
        execution: Box::new(Execution::new()),
        timers: BTreeSet::new(),
        calls: FuturesUnordered::new(),
        settled: HashMap::new(),
        bytes_max: 0,
    };
    tokio::select! {
        ended = run.go(start) => ended,
        () = stopping => None,
    }
}

/// An execution on its way, with everything that it waits for.
struct Run<'a> {
    shared: &'a Arc<Shared>,
    compiled: Arc<Compiled>,
    id: ExecutionId,
    execution: Box<Execution>,
    timers: BTreeSet<(i64, TimerId)>,
    calls: FuturesUnordered<BoxFuture<'a, Option<(TaskId, Outcome)>>>,
    /// How a call is told that its task is over.
    settled: HashMap<TaskId, CancellationToken>,
    bytes_max: usize,
}

/// What a decision came to.
enum Decided {
    Step(Transition),
    /// The event did not fit: its task or timer was over before.
    Void,
    /// The engine broke.
    Broken(String),
    /// The server goes down.
    Stopped,
}

impl Run<'_> {
    async fn go(mut self, start: Start) -> Option<ExpressEnded> {
        let (arn, name, machine_arn) = (start.arn.clone(), start.name.clone(), start.machine_arn.clone());
        let (input, trace_header, asked_ms) = (start.input.clone(), start.trace_header.clone(), now_ms());
        let ended = |execution: &Execution, bytes_max| ExpressEnded {
            arn,
            name,
            machine_arn,
            status: execution.status,
            input,
            output: execution.output.and_then(|output| execution.text(output)),
            error: execution.failure.as_ref().and_then(|failure| failure.error.clone()),
            cause: execution.failure.as_ref().and_then(|failure| failure.cause.clone()),
            trace_header,
            started_ms: execution.facts.as_ref().map_or(asked_ms, |facts| facts.started_ms),
            // Not the moment of the step that ended it: the step's own expressions are billed, too.
            stopped_ms: now_ms(),
            bytes_max,
        };
        let mut event = Event::Start(Box::new(start));
        loop {
            match self.decide(event).await {
                Decided::Step(transition) => self.perform(transition),
                Decided::Void => {}
                Decided::Stopped => return None,
                Decided::Broken(message) => {
                    tracing::error!(execution = %self.id, message, "the engine broke; the execution fails");
                    let mut ended = ended(&self.execution, self.bytes_max);
                    ended.status = Status::Failed;
                    ended.error = Some("States.Runtime".into());
                    ended.cause = Some(format!("Loveless broke on this execution: {message}").into());
                    return Some(ended);
                }
            }
            self.bytes_max = self.bytes_max.max(self.execution.held_bytes());
            if self.execution.stopped_ms.is_some() {
                return Some(ended(&self.execution, self.bytes_max));
            }
            event = self.next().await;
        }
    }

    /// What happens next: a call is answered, or a timer is due. There is always the timer of the five minutes.
    async fn next(&mut self) -> Event {
        loop {
            let due_ms = self.timers.first().map_or(i64::MAX, |(due_ms, _)| *due_ms);
            let sleep_ms = u64::try_from(due_ms.saturating_sub(now_ms())).unwrap_or(0);
            tokio::select! {
                Some(called) = self.calls.next() => {
                    if let Some((task, outcome)) = called {
                        self.settled.remove(&task);
                        return ended(task, outcome);
                    }
                }
                () = tokio::time::sleep(Duration::from_millis(sleep_ms)) => {
                    if self.timers.first().is_some_and(|(due_ms, _)| *due_ms <= now_ms())
                        && let Some((_, timer)) = self.timers.pop_first()
                    {
                        return Event::Timer(timer);
                    }
                }
            }
        }
    }

    async fn decide(&mut self, event: Event) -> Decided {
        let case = Case {
            shared: self.shared.clone(),
            compiled: self.compiled.clone(),
            id: self.id,
            execution: std::mem::replace(&mut self.execution, Box::new(Execution::new())),
            event,
        };
        let bytes = case.execution.held_bytes();
        if !self.compiled.may_take_long(bytes, &case.event) {
            let begun = std::time::Instant::now();
            let decided = caught(|| case.decide());
            self.compiled.took(begun.elapsed());
            return self.take_back(decided);
        }
        let mut case = case;
        loop {
            match self.shared.pool.submit(&self.compiled.hash, case, Case::decide) {
                Ok(handed) => {
                    return match handed.done().await {
                        Ok(decided) => self.take_back(Ok(decided)),
                        Err(Undone::Broken(message)) => Decided::Broken(message),
                        Err(Undone::NoRoom(_)) => Decided::Stopped,
                    };
                }
                Err((back, NoRoom::Full)) => {
                    case = back;
                    tokio::time::sleep(PAUSE).await;
                }
                Err((_, NoRoom::Closed)) => return Decided::Stopped,
            }
        }
    }

    fn take_back(
        &mut self,
        decided: Result<(Box<Execution>, Result<Transition, Rejected>), String>,
    ) -> Decided {
        match decided {
            Err(message) => Decided::Broken(message),
            Ok((execution, result)) => {
                self.execution = execution;
                result.map_or(Decided::Void, Decided::Step)
            }
        }
    }

    fn perform(&mut self, transition: Transition) {
        if let Some(told) = log::told(&self.execution, &transition.history) {
            self.shared.tell(told);
        }
        for effect in transition.effects {
            match effect {
                Effect::SetTimer(timer) => {
                    self.timers.insert((timer.due_ms, timer.id));
                }
                Effect::ClearTimer(timer) => {
                    self.timers.remove(&(timer.due_ms, timer.id));
                }
                Effect::Call(task) => self.call(task),
                Effect::Settle(task) => {
                    if let Some(settled) = self.settled.remove(&task) {
                        settled.cancel();
                    }
                }
                // An EXPRESS machine has no activities: it is refused when it is created.
                Effect::Offer { .. } | Effect::Withdraw { .. } => {}
            }
        }
    }

    fn call(&mut self, task: TaskId) {
        let Some(view) = self.execution.task(task) else { return };
        let asl::machine::Body::Task(state) = &self.compiled.machine.state(view.state).body else { return };
        let call = Call {
            resource: state.resource.clone(),
            input: view.input,
            idempotency_id: format!("{}-{:x}", self.id, task.0),
            // A run that begins anew has tasks of its own.
            again: false,
            trace_header: self.execution.facts().trace_header.clone(),
        };
        let settled = CancellationToken::new();
        self.settled.insert(task, settled.clone());
        let shared = self.shared;
        self.calls.push(Box::pin(async move {
            tokio::select! {
                outcome = shared.dispatch.perform(call) => Some((task, outcome)),
                () = settled.cancelled() => None,
            }
        }));
    }
}

/// A decision that can be made anywhere.
struct Case {
    shared: Arc<Shared>,
    compiled: Arc<Compiled>,
    id: ExecutionId,
    execution: Box<Execution>,
    event: Event,
}

impl Case {
    fn decide(self) -> (Box<Execution>, Result<Transition, Rejected>) {
        let Case { shared, compiled, id, mut execution, event } = self;
        let world = Surroundings { shared: &shared, execution: id };
        let seed = getrandom::u64().unwrap_or_else(|_| now_ms() as u64);
        let at = Moment { now_ms: now_ms(), seed, world: &world };
        // Nobody reads its history back, so that has no bound (asl-facts 18).
        let limits = Limits { history_events_max: u64::MAX, ..shared.limits() };
        let decided = engine::apply(&compiled.machine, &mut execution, event, at, limits);
        (execution, decided)
    }
}

/// What a decision may ask of this service.
struct Surroundings<'a> {
    shared: &'a Shared,
    execution: ExecutionId,
}

impl World for Surroundings<'_> {
    fn token(&self, task: TaskId) -> String {
        self.shared.tokens.seal(self.execution, task)
    }

    fn has_activity(&self, _: &str) -> bool {
        false
    }
}
