//! The service itself: what the owners, the clock and the dispatch share, and the requests that they answer.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use asl::MachineType;
use asl::diagnostic::Diagnostic;
use asl::jsonata::Jsonata;
use connect::{Connector, Datasets, NoDatasets};
use engine::{Effect, Event, Execution, Limits, Status};
use futures::FutureExt;
use jsonata::Evaluator;
use store::{
    Catalogue, Committer, CommitterHandle, Direction, ExecutionId, Expect, ListQuery, Order, PutOutcome,
    SHARDS, Store, StoreError, Timer,
};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::activity::Activities;
use crate::arn::{Place, check_name, described_id, execution_id};
use crate::clock::{self, Alarm, now_ms};
use crate::closings::Closings;
use crate::dispatch::{self, Dispatch};
use crate::execution::{
    Described, ExecutionPage, ExecutionRecord, ListExecutions, Ordered, StartExecution, Started, group_of,
    status_code,
};
use crate::express::{self, Express};
use crate::history::{self, HistoryPage, HistoryRange};
use crate::live::Live;
use crate::log::{self, LogSink, NoLogs, Told};
use crate::machine::{Changed, CreateMachine, MachineRecord, Machines, UpdateMachine, decode};
use crate::map_run::MapRuns;
use crate::owner::{Answer, Failed, JOBS_MAX, Job, Owner};
use crate::pace::Compiled;
use crate::pool::Pool;
use crate::quota::Quotas;
use crate::redrive::Underway;
use crate::refusal::Refusal;
use crate::resolution::{Resolved, Revision};
use crate::retention::{self, Retention};
use crate::test_state::TESTS_MAX;
use crate::token::{KEY_BYTES, Tokens};

/// The catalogue's row of the key that seals task tokens.
const TOKEN_KEY: (&str, &str) = ("secret", "task-token-key");
/// The first and the longest pause before an event that found no room is sent again.
const PAUSE_MS: (u64, u64) = (20, 2000);
/// The longest trust in being told that an execution has ended: then whoever waits looks again.
const CLOSED_LOOK: Duration = Duration::from_secs(30);
/// How long a stop waits for what is in flight: half of what container runtimes give a process before they kill it.
const STOP_MAX: Duration = Duration::from_secs(5);
/// Executions that DeleteStateMachine stops at a time.
const STOPS_PER_PAGE: usize = 100;

/// How a service runs.
#[derive(Clone)]
pub struct ServiceOptions {
    /// Where it is.
    pub place: Place,
    /// What it enforces.
    pub quotas: Quotas,
    /// How long executions are kept after they have ended.
    pub retention: Duration,
    /// Pushed tasks that run at the same time.
    pub calls_max: usize,
    /// EXPRESS executions that run at the same time: each is in memory whole.
    pub express_max: usize,
    /// What compiles and evaluates expressions.
    pub jsonata: Arc<dyn Jsonata>,
    /// Where executions are logged.
    pub logs: Arc<dyn LogSink>,
    /// Where Map Runs read their items and write their results.
    pub datasets: Arc<dyn Datasets>,
}

impl ServiceOptions {
    /// AWS's limits, and room for a thousand calls: Lambda's own default concurrency. Twice as many EXPRESS executions may
    /// run: even if each held payloads of a megabyte, a usual machine has the memory.
    pub fn new(place: Place) -> Self {
        let jsonata = Arc::new(Evaluator::new(jsonata::Limits::STRICT));
        ServiceOptions {
            place,
            quotas: Quotas::STRICT,
            retention: retention::DEFAULT,
            calls_max: 1000,
            express_max: 2000,
            jsonata,
            datasets: Arc::new(NoDatasets),
            logs: Arc::new(NoLogs),
        }
    }
}

/// State machines and their executions. Clones are the same service.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
    tasks: Arc<tokio::sync::Mutex<JoinSet<()>>>,
}

/// What every part of the service sees.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) machines: Machines,
    pub(crate) activities: Activities,
    pub(crate) alarm: Alarm,
    pub(crate) closings: Closings,
    pub(crate) redrives: Underway,
    pub(crate) map_runs: MapRuns,
    pub(crate) committer: CommitterHandle,
    pub(crate) dispatch: Dispatch,
    pub(crate) express: Express,
    pub(crate) tokens: Tokens,
    /// States that are being tested.
    pub(crate) trials: Semaphore,
    pub(crate) pool: Arc<Pool>,
    /// What a stop waits for before it closes the inboxes: tasks between their queue and a worker, and calls whose
    /// outcome is on its way to an owner.
    pub(crate) underway: TaskTracker,
    pub(crate) retention: Retention,
    /// Executions that have not ended.
    open: AtomicUsize,
    options: ServiceOptions,
    /// The owners' inboxes, by shard; taken away when the service stops.
    inboxes: std::sync::RwLock<Vec<mpsc::Sender<Job>>>,
    stop: watch::Sender<bool>,
    failure: watch::Sender<Option<String>>,
    #[cfg(test)]
    pub(crate) disturbance: crate::testing::Disturbance,
}

impl Shared {
    pub(crate) fn limits(&self) -> Limits {
        self.options.quotas.limits
    }

    pub(crate) fn quotas(&self) -> &Quotas {
        &self.options.quotas
    }

    /// Refuses when as many executions run as may.
    pub(crate) fn check_open(&self) -> Result<(), Refusal> {
        let max = self.quotas().open_executions_max;
        match self.open.load(Ordering::Relaxed) {
            open if open >= max => Err(Refusal::ExecutionLimitExceeded(max)),
            _ => Ok(()),
        }
    }

    /// Takes note of an execution whose step is durable: it began, ended, or goes on again.
    pub(crate) fn count_open(&self, live: &mut Live) {
        let open = live.execution.stopped_ms.is_none();
        match (live.counted_open, open) {
            (false, true) => _ = self.open.fetch_add(1, Ordering::Relaxed),
            (true, false) => _ = self.open.fetch_sub(1, Ordering::Relaxed),
            _ => {}
        }
        live.counted_open = open;
    }

    /// The machine, the version or the alias that an ARN names, as a start made now would run it.
    pub(crate) async fn resolve(&self, arn: &str) -> Result<Resolved, Refusal> {
        let chance = getrandom::u64()
            .map_err(|error| Refusal::Unavailable(format!("the system gives no randomness: {error}")))?;
        self.machines.resolve(arn, chance).await
    }

    /// Where this service is.
    pub(crate) fn place(&self) -> &Place {
        &self.options.place
    }

    /// Tells a log.
    pub(crate) fn tell(&self, told: Told) {
        self.options.logs.tell(told);
    }

    pub(crate) fn datasets(&self) -> &dyn Datasets {
        &*self.options.datasets
    }

    /// Performs the effects of a step that is durable.
    pub(crate) fn perform(
        self: &Arc<Self>,
        id: ExecutionId,
        execution: &Execution,
        definition: &Arc<Compiled>,
        effects: Vec<Effect>,
    ) {
        for effect in effects {
            match effect {
                Effect::SetTimer(timer) => self.alarm.set(timer.due_ms),
                Effect::Offer { activity, .. } => self.activities.offered(&activity),
                Effect::Call(task) => dispatch::call(self, id, execution, definition, task, false),
                Effect::Settle(task) => {
                    self.dispatch.settled(id, task);
                    self.map_runs.settled(id, task);
                }
                Effect::ClearTimer(_) | Effect::Withdraw { .. } => {}
            }
        }
    }

    /// Sends an event to the owner of an execution, and waits until it is durable.
    pub(crate) async fn deliver(&self, execution: ExecutionId, event: Event) -> Result<Answer, Failed> {
        self.send(execution, event, None, None).await
    }

    /// Sends an event that nobody will send again: waits for room as long as it takes.
    pub(crate) async fn deliver_patiently(
        &self,
        execution: ExecutionId,
        event: Event,
    ) -> Result<Answer, Failed> {
        let mut pause_ms = PAUSE_MS.0;
        loop {
            match self.deliver(execution, event.clone()).await {
                Err(Failed::Refused(Refusal::Throttled)) => {
                    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                    pause_ms = (pause_ms * 2).min(PAUSE_MS.1);
                }
                delivered => return delivered,
            }
        }
    }

    pub(crate) async fn deliver_timer(
        &self,
        execution: ExecutionId,
        timer: Timer,
        event: Event,
    ) -> Result<Answer, Failed> {
        self.send(execution, event, None, Some(timer)).await
    }

    pub(crate) async fn send(
        &self,
        execution: ExecutionId,
        event: Event,
        definition: Option<String>,
        timer: Option<Timer>,
    ) -> Result<Answer, Failed> {
        let (reply, answer) = oneshot::channel();
        let job = Job { execution, event, definition, amendment: None, timer, attempts: 0, reply };
        self.submit(job, answer).await
    }

    /// Puts a job into the inbox of its owner, and waits for the answer.
    pub(crate) async fn submit(
        &self,
        job: Job,
        answer: oneshot::Receiver<Result<Answer, Failed>>,
    ) -> Result<Answer, Failed> {
        let stopped = || Failed::Refused(Refusal::stopping());
        let inbox = {
            let inboxes = self.inboxes.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            inboxes.get(usize::from(job.execution.shard().0)).cloned().ok_or_else(stopped)?
        };
        match inbox.try_send(job) {
            Ok(()) => answer.await.map_err(|_| stopped())?,
            Err(mpsc::error::TrySendError::Full(_)) => Err(Failed::Refused(Refusal::Throttled)),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(stopped()),
        }
    }

    /// A store that failed once is not trusted again: whoever runs the service ends the process.
    pub(crate) fn store_failed(&self, error: &StoreError) {
        if error.is_fatal() {
            self.give_up(|| error.to_string());
        }
    }

    /// Tells whoever runs the service that it cannot go on; the first cause is the one that is told.
    fn give_up(&self, cause: impl FnOnce() -> String) {
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            failure.get_or_insert_with(cause);
            first
        });
    }

    /// Takes no more events, and drops decisions that have not begun.
    fn close(&self) {
        self.inboxes.write().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
        self.pool.close();
    }

    pub(crate) fn has_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Comes back when the service stops.
    pub(crate) async fn stopping(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives in self, so this cannot fail while somebody waits.
        let _stopped = stop.wait_for(|stop| *stop).await;
    }
}

impl Service {
    /// Opens a service over a store: starts the owners and the clock, and issues again what was in flight.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open(
        store: Arc<dyn Store>,
        catalogue: Arc<dyn Catalogue>,
        connector: Arc<dyn Connector>,
        options: ServiceOptions,
    ) -> Result<Service, Refusal> {
        let tokens = Tokens::new(token_key(&*catalogue).await?);
        let activities = Activities::open(catalogue.clone(), options.place.clone(), options.quotas).await?;
        let usage = store.usage().await?;
        let running = usage.listed.iter().filter(|(status, _)| *status == status_code(Status::Running));
        let open = running.map(|(_, count)| usize::try_from(*count).unwrap_or(usize::MAX)).sum();
        let committer = Committer::spawn(store.clone());
        let pool = Pool::start().map_err(|error| {
            Refusal::Unavailable(format!("the system gives no threads to compute on: {error}"))
        })?;
        let pool = Arc::new(pool);
        let mut inboxes = Vec::with_capacity(SHARDS);
        let mut receivers = Vec::with_capacity(SHARDS);
        for _ in 0..SHARDS {
            let (sender, receiver) = mpsc::channel(JOBS_MAX);
            inboxes.push(sender);
            receivers.push(receiver);
        }
        let shared = Arc::new(Shared {
            store,
            machines: Machines::new(
                catalogue.clone(),
                connector.clone(),
                options.jsonata.clone(),
                options.place.clone(),
                pool.clone(),
                options.quotas,
            ),
            activities,
            alarm: Alarm::new(),
            closings: Closings::default(),
            redrives: Underway::new(catalogue),
            map_runs: MapRuns::default(),
            committer: committer.clone(),
            dispatch: Dispatch::new(connector, options.calls_max),
            express: Express::new(committer.clone(), options.express_max),
            tokens,
            trials: Semaphore::new(TESTS_MAX),
            pool,
            underway: TaskTracker::new(),
            retention: Retention::new(options.retention),
            open: AtomicUsize::new(open),
            options,
            inboxes: std::sync::RwLock::new(inboxes),
            stop: watch::Sender::new(false),
            failure: watch::Sender::new(None),
            #[cfg(test)]
            disturbance: crate::testing::Disturbance::default(),
        });
        let mut tasks = JoinSet::new();
        for receiver in receivers {
            let owner = Owner::new(shared.clone(), committer.clone()).run(receiver);
            tasks.spawn(guarded(shared.clone(), "the owner of a shard", owner));
        }
        dispatch::reissue(&shared).await?;
        tasks.spawn(guarded(shared.clone(), "the clock", clock::run(shared.clone())));
        tasks.spawn(guarded(shared.clone(), "retention", retention::run(shared.clone())));
        let service = Service { shared, tasks: Arc::new(tokio::sync::Mutex::new(tasks)) };
        service.finish_deletions().await?;
        service.finish_redrives().await?;
        Ok(service)
    }

    /// Where this service is.
    pub fn place(&self) -> &Place {
        &self.shared.options.place
    }

    /// How long a second of waiting lasts, in seconds: 1, or less on a server for development.
    pub fn time_scale(&self) -> f64 {
        f64::from(self.shared.limits().waited_second_ms) / 1000.0
    }

    /// What this service enforces.
    pub fn quotas(&self) -> &Quotas {
        self.shared.quotas()
    }

    /// Comes back with the cause when the service cannot go on: its store has failed, or a part of it broke.
    pub async fn failed(&self) -> String {
        let mut failure = self.shared.failure.subscribe();
        match failure.wait_for(Option::is_some).await {
            Ok(cause) => cause.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Stops: ends polls and calls, lets what is on its way arrive, and every step in flight land. Decisions that have
    /// not begun are dropped, and so are those that take longer than a stop may: their events are rows, and what is
    /// unfinished goes on at the next start.
    pub async fn shutdown(&self) {
        self.stop(STOP_MAX).await;
    }

    pub(crate) async fn stop(&self, patience: Duration) {
        self.shared.stop.send_replace(true);
        self.shared.underway.close();
        let mut tasks = self.tasks.lock().await;
        let landing = async {
            self.shared.underway.wait().await;
            self.shared.close();
            while tasks.join_next().await.is_some() {}
        };
        if tokio::time::timeout(patience, landing).await.is_err() {
            tracing::warn!("a decision takes longer than a stop may: it is made again at the next start");
            self.shared.close();
            tasks.shutdown().await;
        }
    }

    /// Whether there is the log group that a `loggingConfiguration` names.
    pub fn has_log_destination(&self, configuration: &serde_json::Value) -> bool {
        log::destination(configuration).is_some_and(|arn| self.shared.options.logs.has_group(arn))
    }

    // ---- machines ----

    /// CreateStateMachine.
    ///
    /// # Errors
    /// The name, the definition, or another machine of the same name.
    pub async fn create_machine(&self, request: CreateMachine) -> Result<Changed, Refusal> {
        self.shared.machines.create(request, now_ms()).await
    }

    /// UpdateStateMachine.
    ///
    /// # Errors
    /// No such machine, or a definition that does not validate.
    pub async fn update_machine(&self, arn: &str, request: UpdateMachine) -> Result<Changed, Refusal> {
        self.shared.machines.update(arn, request, now_ms()).await
    }

    /// DescribeStateMachine: of a machine, or of a version.
    ///
    /// # Errors
    /// No such machine or version.
    pub async fn describe_machine(&self, arn: &str) -> Result<Revision, Refusal> {
        self.shared.machines.revision(arn).await
    }

    /// The text of a definition by its hash.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn definition(&self, hash: &str) -> Result<String, Refusal> {
        self.shared.machines.definition(hash).await
    }

    /// The variables that each state of a definition reads, by the definition's hash. A definition that an older
    /// release took and this one refuses can still be described, without them.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn variable_references(
        &self,
        hash: &str,
    ) -> Result<BTreeMap<Arc<str>, BTreeSet<Arc<str>>>, Refusal> {
        match self.shared.machines.compiled(hash).await {
            Ok(compiled) => Ok(asl::references(&compiled.machine)),
            Err(Failed::Refused(Refusal::InvalidDefinition(_))) => Ok(BTreeMap::new()),
            Err(failed) => Err(failed.into_refusal()),
        }
    }

    /// DeleteStateMachine: its executions are stopped, then it is gone. An absent machine is deleted already.
    ///
    /// # Errors
    /// The ARN, or the store.
    pub async fn delete_machine(&self, arn: &str) -> Result<(), Refusal> {
        if let Some(record) = self.shared.machines.mark_deleting(arn).await? {
            self.delete_in_background(record);
        }
        Ok(())
    }

    fn delete_in_background(&self, record: MachineRecord) {
        let service = self.clone();
        tokio::spawn(async move {
            if let Err(error) = service.finish_deletion(&record).await {
                tracing::warn!(machine = record.arn, %error, "the deletion goes on at the next start");
            }
        });
    }

    /// Stops what still runs, then removes the machine.
    async fn finish_deletion(&self, record: &MachineRecord) -> Result<(), Refusal> {
        loop {
            let running = ListExecutions {
                machine_arn: record.arn.clone(),
                status: Some(Status::Running),
                limit: STOPS_PER_PAGE,
                ..ListExecutions::default()
            };
            let page = self.page(running).await?;
            // Asked after the page: while the machine is there and on its way out, no other of its name has executions.
            let version = match self.shared.machines.record(&record.arn).await {
                Ok((there, version)) if there.deleting => version,
                Ok(_) | Err(Refusal::StateMachineDoesNotExist(_)) => return Ok(()),
                Err(other) => return Err(other),
            };
            if page.executions.is_empty() && self.shared.machines.remove(record, version).await? {
                return Ok(());
            }
            for execution in page.executions {
                match self.stop_execution(&execution.arn, None, None).await {
                    Ok(_) | Err(Refusal::ExecutionDoesNotExist(_)) => {}
                    Err(Refusal::Throttled) => tokio::time::sleep(Duration::from_millis(PAUSE_MS.0)).await,
                    Err(other) => return Err(other),
                }
            }
        }
    }

    /// Counts the machines, and goes on with deletions that a stop of the server cut off.
    async fn finish_deletions(&self) -> Result<(), Refusal> {
        let mut after: Option<String> = None;
        let mut there = 0;
        loop {
            let (records, next) = self.shared.machines.list(after.as_deref(), STOPS_PER_PAGE).await?;
            there += records.len();
            self.shared.machines.counted(there);
            for record in records.into_iter().filter(|record| record.deleting) {
                self.delete_in_background(record);
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// ListStateMachines: a page after a name, and the name to go on after.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list_machines(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<MachineRecord>, Option<String>), Refusal> {
        self.shared.machines.list(after, limit).await
    }

    /// What is wrong with a definition.
    ///
    /// # Errors
    /// There is no room to look at it now.
    pub async fn validate(&self, definition: &str, express: bool) -> Result<Vec<Diagnostic>, Refusal> {
        let machine_type = if express { MachineType::Express } else { MachineType::Standard };
        self.shared.machines.validate(definition, machine_type).await
    }

    // ---- executions ----

    /// StartExecution.
    ///
    /// # Errors
    /// The machine, the name or the input; or another execution of the same name.
    pub async fn start_execution(&self, request: StartExecution) -> Result<Started, Refusal> {
        let ordered = self.ordered(request).await?;
        if ordered.machine.express {
            return express::start(&self.shared, ordered).await;
        }
        let (input, definition) = (ordered.input.clone(), ordered.machine.definition.clone());
        let start = ordered.into_start(self.place());
        let arn = start.arn.clone();
        if let Err(full) = self.shared.check_open() {
            return self.started_at_the_limit(arn, &input, full).await;
        }
        let id = ExecutionId::of(&arn);
        let sent = self.shared.send(id, Event::Start(Box::new(start)), Some(definition), None).await;
        match sent {
            Ok(answer) => Ok(Started { arn, started_ms: answer.record.started_ms }),
            Err(Failed::NameTaken | Failed::Rejected(_)) => self.started_before(arn, &input).await,
            Err(Failed::Absent) => Err(Refusal::ExecutionDoesNotExist(arn)),
            Err(failed) => Err(failed.into_refusal()),
        }
    }

    /// Checks what a start asks for.
    pub(crate) async fn ordered(&self, request: StartExecution) -> Result<Ordered, Refusal> {
        let resolved = self.shared.resolve(&request.machine_arn).await?;
        if resolved.revision.deleting {
            return Err(Refusal::StateMachineDeleting(request.machine_arn));
        }
        let origin = resolved.origin();
        let machine = resolved.revision;
        let name = request.name.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        check_name(&name)?;
        let input: Arc<str> = request.input.as_deref().unwrap_or("{}").into();
        self.check_input(&input)?;
        Ok(Ordered { machine, origin, name, input, trace_header: request.trace_header })
    }

    pub(crate) fn check_input(&self, input: &str) -> Result<(), Refusal> {
        if input.trim().is_empty() {
            return Err(Refusal::InvalidExecutionInput("Invalid execution input.".into()));
        }
        let max = self.shared.limits().payload_bytes_max;
        if input.len() > max {
            let text = format!("Input is larger than {max} bytes when encoded as UTF-8.");
            return Err(Refusal::InvalidExecutionInput(text));
        }
        asl::json::Json::parse(input)
            .map(|_| ())
            .map_err(|error| Refusal::InvalidExecutionInput(error.message().to_owned()))
    }

    /// No other may begin; one that runs already is told as always.
    async fn started_at_the_limit(
        &self,
        arn: String,
        input: &str,
        full: Refusal,
    ) -> Result<Started, Refusal> {
        match self.started_before(arn, input).await {
            Err(Refusal::ExecutionDoesNotExist(_)) => Err(full),
            told => told,
        }
    }

    /// The same name and input while it runs is the same execution (asl-facts 6).
    async fn started_before(&self, arn: String, input: &str) -> Result<Started, Refusal> {
        let there = self.describe_execution(&arn).await?;
        if there.record.status == Status::Running && *there.input == *input {
            return Ok(Started { arn, started_ms: there.record.started_ms });
        }
        Err(Refusal::ExecutionAlreadyExists(arn))
    }

    /// DescribeExecution.
    ///
    /// # Errors
    /// No such execution.
    pub async fn describe_execution(&self, arn: &str) -> Result<Described, Refusal> {
        let (id, record) = self.execution_record(arn).await?;
        self.described(id, self.with_pending_redrive(record).await?).await
    }

    /// An execution with its payloads.
    async fn described(&self, id: ExecutionId, record: ExecutionRecord) -> Result<Described, Refusal> {
        let mut texts = history::payloads_in(&*self.shared.store, id, record.input.step).await?;
        if let Some(output) = record.output.filter(|output| output.step != record.input.step) {
            texts.extend(history::payloads_in(&*self.shared.store, id, output.step).await?);
        }
        let text = |id| texts.iter().find(|(payload, _)| *payload == id).map(|(_, text)| text.clone());
        let input = text(record.input).ok_or_else(|| {
            Refusal::Unavailable(format!("the input of {} is not in the store", record.arn))
        })?;
        let output = record.output.and_then(text);
        let not_redrivable = self.not_redrivable(&record).await?;
        Ok(Described { record, input, output, not_redrivable })
    }

    /// What the store has of an execution now.
    pub(crate) async fn execution_record(
        &self,
        arn: &str,
    ) -> Result<(ExecutionId, ExecutionRecord), Refusal> {
        let id = described_id(arn)?;
        let absent = || Refusal::ExecutionDoesNotExist(arn.to_owned());
        let loaded = self.shared.store.load(id).await?.ok_or_else(absent)?;
        let listing = loaded.listing.ok_or_else(absent)?;
        let record: ExecutionRecord = decode(&listing.body)?;
        if record.arn == arn { Ok((id, record)) } else { Err(absent()) }
    }

    /// An execution, once it has ended.
    ///
    /// # Errors
    /// No such execution.
    pub async fn closed_execution(&self, arn: &str) -> Result<Described, Refusal> {
        let id = execution_id(arn)?;
        loop {
            let mut watch = self.shared.closings.watch(id);
            // Described is what was looked at: a redrive may have come since.
            let (id, record) = self.execution_record(arn).await?;
            if record.stopped_ms.is_some() {
                return self.described(id, record).await;
            }
            // Whether told or not: what counts is what the store has.
            let _told = tokio::time::timeout(CLOSED_LOOK, watch.closed()).await;
        }
    }

    /// ListExecutions.
    ///
    /// # Errors
    /// No such machine or Map Run, or a cursor that is none.
    pub async fn list_executions(&self, request: ListExecutions) -> Result<ExecutionPage, Refusal> {
        match self.check_listed(&request.machine_arn).await? {
            Some(run) => self.children(&run, request).await,
            None => self.page(request).await,
        }
    }

    pub(crate) async fn page(&self, request: ListExecutions) -> Result<ExecutionPage, Refusal> {
        let query = ListQuery {
            group: Some(group_of(&request.machine_arn)),
            status: request.status.map(status_code),
            cursor: request.cursor.map(Into::into),
            limit: request.limit,
            order: Order::NewestFirst,
        };
        let page = self.shared.store.list(query).await?;
        let executions = page.rows.iter().map(|(_, row)| decode(&row.body)).collect::<Result<_, _>>()?;
        Ok(ExecutionPage { executions, next: page.next.map(|cursor| cursor.to_vec()) })
    }

    /// StopExecution; the moment at which it ended, in milliseconds since the epoch.
    ///
    /// # Errors
    /// No such execution.
    pub async fn stop_execution(
        &self,
        arn: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<i64, Refusal> {
        let id = execution_id(arn)?;
        let event = Event::Stop { error: error.map(Into::into), cause: cause.map(Into::into) };
        match self.shared.deliver(id, event).await {
            Ok(answer) => Ok(answer.record.stopped_ms.unwrap_or_else(now_ms)),
            // It ended by itself: that is final, and the request changes nothing.
            Err(Failed::Rejected(_)) => {
                Ok(self.execution_record(arn).await?.1.stopped_ms.unwrap_or_else(now_ms))
            }
            Err(Failed::Absent | Failed::NameTaken) => Err(Refusal::ExecutionDoesNotExist(arn.to_owned())),
            Err(failed) => Err(failed.into_refusal()),
        }
    }

    /// GetExecutionHistory.
    ///
    /// # Errors
    /// No such execution.
    pub async fn history(&self, arn: &str, range: HistoryRange) -> Result<HistoryPage, Refusal> {
        let id = execution_id(arn)?;
        let first = self.shared.store.history(id, 1, Direction::Forward, 1, 1).await?;
        if first.is_empty() {
            return Err(Refusal::ExecutionDoesNotExist(arn.to_owned()));
        }
        history::read(&*self.shared.store, id, range).await
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

/// How long a long poll lasts (asl-facts 6).
pub(crate) const POLL: Duration = Duration::from_secs(60);

/// Runs a part that the service cannot do without: when it panics, its executions have nobody, so the service ends.
async fn guarded(shared: Arc<Shared>, part: &'static str, work: impl Future<Output = ()>) {
    if AssertUnwindSafe(work).catch_unwind().await.is_err() {
        shared.give_up(|| format!("{part} broke"));
    }
}

/// The key that seals tokens: made once, kept in the catalogue, the same on every node.
async fn token_key(catalogue: &dyn Catalogue) -> Result<[u8; KEY_BYTES], Refusal> {
    let (kind, key) = TOKEN_KEY;
    loop {
        if let Some(row) = catalogue.get(kind, key).await? {
            return row
                .body
                .as_ref()
                .try_into()
                .map_err(|_| Refusal::Unavailable("the key of task tokens in the store is damaged".into()));
        }
        let mut fresh = [0; KEY_BYTES];
        getrandom::fill(&mut fresh)
            .map_err(|error| Refusal::Unavailable(format!("the system gives no randomness: {error}")))?;
        let put = catalogue.put(kind, key, Expect::Absent, fresh.to_vec().into()).await?;
        if let PutOutcome::Stored { .. } = put {
            return Ok(fresh);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RedriveExecution, testing};

    /// Two deletions of one machine ran side by side. The slower one went on when a new machine of that name was there
    /// already, stopped its executions and removed it.
    #[tokio::test]
    async fn a_deletion_leaves_the_next_machine_of_that_name_alone() {
        let service = testing::open().await;
        let wait = serde_json::json!({"Type": "Wait", "Seconds": 3600, "End": true});
        let arn = testing::machine(&service, wait.clone()).await;
        let slower = service.shared.machines.mark_deleting(&arn).await.unwrap().unwrap();
        service.finish_deletion(&slower).await.unwrap();
        assert_eq!(testing::machine(&service, wait).await, arn);
        let execution = testing::start(&service, &arn).await;

        service.finish_deletion(&slower).await.unwrap();
        assert!(!service.describe_machine(&arn).await.unwrap().deleting);
        let described = service.describe_execution(&execution).await.unwrap();
        assert_eq!(described.record.status, Status::Running);
    }

    /// Who waits for an end is told of it, whether it comes before or after.
    #[tokio::test]
    async fn an_end_is_told_to_who_waits_for_it() {
        let service = testing::open().await;
        let wait = serde_json::json!({"Type": "Wait", "Seconds": 3600, "End": true});
        let arn = testing::machine(&service, wait).await;
        let execution = testing::start(&service, &arn).await;
        let (waiting, service_of_waiting) = (execution.clone(), service.clone());
        let waiting = tokio::spawn(async move { service_of_waiting.closed_execution(&waiting).await });
        tokio::task::yield_now().await;
        service.stop_execution(&execution, None, None).await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap().record.status, Status::Aborted);
        assert_eq!(service.closed_execution(&execution).await.unwrap().record.status, Status::Aborted);
        let absent = service.closed_execution(&format!("{execution}-not")).await;
        assert!(matches!(absent, Err(Refusal::ExecutionDoesNotExist(_))), "{absent:?}");
    }

    /// Who waits for the end of a redriven execution is told of the next end and not of the one before.
    #[tokio::test]
    async fn an_older_end_is_not_told() {
        let service = testing::open().await;
        let wait = serde_json::json!({"Type": "Wait", "Seconds": 3600, "End": true});
        let arn = testing::machine(&service, wait).await;
        let execution = testing::start(&service, &arn).await;
        for redrives in 1..4 {
            service.stop_execution(&execution, None, None).await.unwrap();
            let request = RedriveExecution { arn: execution.clone(), ..RedriveExecution::default() };
            service.redrive_execution(request).await.unwrap();
            let mut waiting = Box::pin(service.closed_execution(&execution));
            assert!((&mut waiting).now_or_never().is_none());
            let (described, stopped) =
                tokio::join!(waiting, service.stop_execution(&execution, Some("Now".into()), None));
            let record = described.unwrap().record;
            assert_eq!((record.status, record.redrive_count), (Status::Aborted, redrives));
            assert_eq!((record.stopped_ms, record.error.as_deref()), (stopped.ok(), Some("Now")));
        }
    }

    /// A deletion that was over before the redrive was durable left a running execution of no machine.
    #[tokio::test]
    async fn a_redrive_that_comes_after_the_deletion_is_undone() {
        let service = testing::open().await;
        let activity = service.create_activity("work", vec![], None).await.unwrap().arn;
        let task = serde_json::json!({"Type": "Task", "Resource": activity, "End": true});
        let arn = testing::machine(&service, task).await;
        let execution = testing::start(&service, &arn).await;
        service.stop_execution(&execution, None, None).await.unwrap();
        let gate = Arc::new(testing::Gate::default());
        service.shared.disturbance.set(&activity, testing::Trouble::Held(gate.clone()));
        // A redrive from a state is decided on the pool, where it can be held while the machine goes.
        let request = RedriveExecution {
            arn: execution.clone(),
            from: Some("A".into()),
            ..RedriveExecution::default()
        };
        let of_redrive = service.clone();
        let redrive = tokio::spawn(async move { of_redrive.redrive_execution(request).await });
        gate.reached().await;
        let machine = service.shared.machines.mark_deleting(&arn).await.unwrap().unwrap();
        service.finish_deletion(&machine).await.unwrap();
        gate.open();
        let refused = redrive.await.unwrap();
        assert!(matches!(refused, Err(Refusal::ExecutionNotRedrivable(_))), "{refused:?}");
        let record = service.describe_execution(&execution).await.unwrap().record;
        assert_eq!((record.status, record.redrive_count), (Status::Aborted, 1));
    }

    /// A part that broke took its executions with it and nobody heard.
    #[tokio::test]
    async fn a_part_that_breaks_is_told() {
        let service = testing::open().await;
        guarded(service.shared.clone(), "a part", async { panic!("on purpose") }).await;
        assert_eq!(service.failed().await, "a part broke");
    }
}
