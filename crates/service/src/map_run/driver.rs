//! The driver of one Map Run: starts children as places become free, is told of their ends, and says how it all ended.
//!
//! A child is a row, not a task: what is in memory for ten thousand of them is their numbers. The driver trusts what it
//! is told and what the store says, and the store is the truth: it begins with the list rows of the children that are
//! there, and a child that it starts a second time tells it so.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use asl::machine::{Body, StateId};
use asl::states::map::distributed::Transformation;
use connect::Reading;
use engine::{Child, Event, Execution, Failure, MapRunPlan, Origin, Start, Status, TaskId};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use store::{ExecutionId, ListQuery, Order};
use tokio::sync::mpsc;

use crate::clock::now_ms;
use crate::execution::{ExecutionRecord, group_of, status_code};
use crate::machine::decode;
use crate::map_run::bitmap::Bitmap;
use crate::map_run::export;
use crate::map_run::feed::{BATCHES_WAITING_MAX, Batch, Before, Fed, feed};
use crate::map_run::progress::{Ended, MapRunLimits, Progress};
use crate::map_run::record::{self, Conclusion, MapRunRecord, MapRunStatus, base_name, child_arn};
use crate::map_run::results::Results;
use crate::owner::Failed;
use crate::pace::Compiled;
use crate::pool;
use crate::refusal::Refusal;
use crate::service::Shared;

/// Children that are being started at a time: enough that their first steps share commits.
const STARTS_MAX: usize = 256;
/// Children that are being stopped at a time.
const STOPS_MAX: usize = 64;
/// List rows that are read at a time.
const ROWS_PER_READ: usize = 1024;
/// The pause before something is tried again that found no room.
const PAUSE: Duration = Duration::from_millis(20);
/// The recorded name and the text of a run that failed too often.
const THRESHOLD: (&str, &str) =
    ("States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded");

/// What a run has to do, taken from its parent when it begins.
pub(crate) struct Work {
    pub(super) id: ExecutionId,
    pub(super) parent: ExecutionId,
    pub(super) plan: MapRunPlan,
    pub(super) execution_arn: String,
    /// `machine/label`, and the ARN of that machine.
    pub(super) labelled: String,
    pub(super) machine_arn: String,
    pub(super) role_arn: String,
    pub(super) region: String,
    pub(super) trace_header: Option<String>,
    /// How the parent is logged: its children are logged there too.
    pub(super) log: Option<Arc<str>>,
    pub(super) definition: Arc<Compiled>,
    pub(super) state: StateId,
    pub(super) state_name: Arc<str>,
    pub(super) container: u32,
    pub(super) express: bool,
    pub(super) items: Option<Arc<str>>,
    pub(super) reading: Option<Reading>,
    pub(super) batch_input: Option<Arc<str>>,
    /// Bytes of a batch's input besides its items.
    pub(super) batch_base: usize,
    payload_bytes_max: usize,
    pub(super) writer: Option<Arc<str>>,
    pub(super) transformation: Transformation,
    pub(super) lines: bool,
    pub(super) scope: Arc<str>,
}

impl Work {
    fn of(
        shared: &Shared,
        parent: ExecutionId,
        execution: &Execution,
        definition: &Arc<Compiled>,
        task: TaskId,
    ) -> Option<Work> {
        let (state, plan) = execution.map_run(task)?;
        let body = definition.machine.state(state);
        let Body::Map(map) = &body.body else { return None };
        let fields = map.distributed.as_ref()?;
        let facts = execution.facts();
        let text = |id: Option<engine::PayloadId>| id.and_then(|id| execution.text(id));
        // `…:mapRun:MACHINE/LABEL:UUID`
        let label = plan.arn.rsplit(':').nth(1).and_then(|labelled| labelled.rsplit('/').next())?;
        let labelled = format!("{}/{label}", base_name(&facts.machine_name));
        let reading = match (&fields.reader, text(plan.reader)) {
            (Some(reader), Some(arguments)) => {
                Some(Reading { source: reader.source, arguments, format: reader.format.clone() })
            }
            _ => None,
        };
        let batch_input = text(plan.batch_input);
        let around = "{\"BatchInput\":,\"Items\":[]}".len();
        Some(Work {
            id: ExecutionId::of(&plan.arn),
            parent,
            plan: plan.clone(),
            execution_arn: facts.arn.clone(),
            machine_arn: shared.place().machine(&labelled),
            labelled,
            role_arn: facts.role_arn.clone(),
            region: facts.region.clone(),
            trace_header: facts.trace_header.clone(),
            log: facts.log.clone(),
            definition: definition.clone(),
            state,
            state_name: body.name.clone(),
            container: map.processor.0,
            express: fields.express,
            items: text(plan.items),
            reading,
            batch_base: around + batch_input.as_ref().map_or(0, |input| input.len()),
            batch_input,
            payload_bytes_max: shared.limits().payload_bytes_max,
            writer: text(plan.writer),
            transformation: fields
                .writer
                .as_ref()
                .map_or(Transformation::Compact, |writer| writer.transformation),
            lines: fields.writer.as_ref().is_some_and(|writer| writer.lines),
            scope: execution.text(plan.scope)?,
        })
    }

    /// Whether children get batches.
    pub(super) fn batched(&self) -> bool {
        let plan = &self.plan;
        plan.batch_items_max.is_some() || plan.batch_bytes_max.is_some() || plan.batch_input.is_some()
    }

    /// The most bytes of a batch's input.
    pub(super) fn batch_bytes(&self) -> usize {
        let asked = self.plan.batch_bytes_max.and_then(|bytes| usize::try_from(bytes).ok());
        asked
            .filter(|bytes| *bytes > 0)
            .map_or(self.payload_bytes_max, |bytes| bytes.min(self.payload_bytes_max))
    }

    /// The name and the ARN of a child.
    pub(super) fn child_name(&self, shared: &Shared, index: u32) -> (String, String) {
        child_arn(shared.place(), &self.plan.arn, &self.labelled, index, self.express)
    }

    fn limits(&self) -> MapRunLimits {
        MapRunLimits {
            max_concurrency: self.plan.max_concurrency,
            tolerated_count: self.plan.tolerated_count,
            tolerated_percentage: self.plan.tolerated_percentage,
        }
    }

    fn record(&self) -> MapRunRecord {
        let limits = self.limits();
        MapRunRecord {
            arn: self.plan.arn.to_string(),
            execution_arn: self.execution_arn.clone(),
            task: self.plan.task.0,
            machine_arn: self.machine_arn.clone(),
            status: MapRunStatus::Running,
            started_ms: now_ms(),
            stopped_ms: None,
            max_concurrency: limits.max_concurrency,
            tolerated_count: limits.tolerated_count,
            tolerated_percentage: limits.tolerated_percentage,
            executions: Default::default(),
            items: Default::default(),
        }
    }
}

/// Begins the Map Run that a state of a live execution asks for, or takes it up again. One that is at work here stays.
pub(crate) fn begin(
    shared: &Arc<Shared>,
    parent: ExecutionId,
    execution: &Execution,
    definition: &Arc<Compiled>,
    task: TaskId,
) {
    let Some(work) = Work::of(shared, parent, execution, definition, task) else { return };
    let room = Results::room(&work, shared.limits().payload_bytes_max);
    let (progress, ends) = Progress::new(work.id, parent, task, work.limits(), room);
    if shared.map_runs.enter(&progress) {
        shared.underway.spawn(run(shared.clone(), Arc::new(work), progress, ends));
    }
}

async fn run(
    shared: Arc<Shared>,
    work: Arc<Work>,
    progress: Arc<Progress>,
    ends: mpsc::UnboundedReceiver<Ended>,
) {
    let conducted = AssertUnwindSafe(conduct(&shared, &work, &progress, ends)).catch_unwind().await;
    match conducted {
        Ok(Ok(Some(conclusion))) => tell(&shared, &work, conclusion).await,
        // The server stops: the rows stay, and the next start takes the run up.
        Ok(Ok(None)) => {}
        Ok(Err(refusal)) => {
            tracing::error!(map_run = &*work.plan.arn, %refusal, "a Map Run goes on at the next start");
        }
        Err(panic) => {
            let message = pool::message(&*panic);
            tracing::error!(
                map_run = &*work.plan.arn,
                message,
                "a Map Run broke; it goes on at the next start"
            );
        }
    }
    shared.map_runs.leave(&progress);
}

/// Tells the parent how its run ended.
async fn tell(shared: &Shared, work: &Work, conclusion: Conclusion) {
    let task = work.plan.task;
    let event = match conclusion {
        Conclusion::Succeeded(output) => Event::MapRunSucceeded { task, output: output.into() },
        Conclusion::Failed(failure) => Event::MapRunFailed { task, failure },
        // The parent does not want to hear of it, unless it could not be asked whether it does.
        Conclusion::Aborted => {
            let (error, cause) = ("States.Runtime".into(), "The Map Run was aborted.".into());
            Event::MapRunFailed { task, failure: Failure { error: Some(error), cause: Some(cause) } }
        }
    };
    // Kept; or the parent was over before.
    if let Err(Some(refusal)) = shared.deliver_patiently(work.parent, event).await.map_err(Failed::trouble) {
        tracing::error!(map_run = &*work.plan.arn, %refusal, "the next start tells a Map Run's result again");
    }
}

/// The whole of a run; `None` when the server stops first.
async fn conduct(
    shared: &Arc<Shared>,
    work: &Arc<Work>,
    progress: &Arc<Progress>,
    ends: mpsc::UnboundedReceiver<Ended>,
) -> Result<Option<Conclusion>, Refusal> {
    let _place = tokio::select! {
        place = shared.map_runs.places.clone().acquire_owned() => place,
        () = shared.stopping() => return Ok(None),
    };
    record::create(shared, &work.record()).await?;
    let Some(stored) = record::load(shared, work.id).await? else {
        return Err(Refusal::Unavailable(format!("the Map Run {} is not in the store", work.plan.arn)));
    };
    if stored.record.status != MapRunStatus::Running {
        return Ok(stored.conclusion);
    }
    // They may have been changed before the server went down.
    progress.set_limits(MapRunLimits {
        max_concurrency: stored.record.max_concurrency,
        tolerated_count: stored.record.tolerated_count,
        tolerated_percentage: stored.record.tolerated_percentage,
    });
    let mut driver = Driver {
        shared,
        work,
        progress,
        ends,
        running: HashSet::new(),
        uncounted: HashMap::new(),
        ended: Bitmap::default(),
        starting: FuturesUnordered::new(),
        results: Results::new(work, shared.limits().payload_bytes_max),
    };
    let before = driver.before().await?;
    let verdict = driver.work(before).await?;
    let conclusion = match verdict {
        Verdict::Stopping => return Ok(None),
        Verdict::Complete if work.plan.writer.is_some() => {
            concluded(export::export(shared, work, progress.tally().executions.total).await?)
        }
        Verdict::Complete => concluded(driver.results.into_text(shared, work).await?),
        Verdict::Failed(failure) => {
            if !driver.stop_children().await {
                return Ok(None);
            }
            if work.plan.writer.is_some() {
                // What there is is written all the same; the run has failed for its own reason.
                let _written = export::export(shared, work, progress.tally().executions.total).await?;
            }
            Conclusion::Failed(failure)
        }
        Verdict::Cancelled => {
            if !driver.stop_children().await {
                return Ok(None);
            }
            Conclusion::Aborted
        }
    };
    let tally = progress.tally();
    record::end(shared, work.id, conclusion.clone(), Some((tally.executions, tally.items)), now_ms()).await?;
    Ok(Some(conclusion))
}

fn concluded(result: Result<String, Failure>) -> Conclusion {
    match result {
        Ok(output) => Conclusion::Succeeded(output),
        Err(failure) => Conclusion::Failed(failure),
    }
}

/// Why a driver stops starting children.
enum Verdict {
    /// All have ended, and well enough.
    Complete,
    Failed(Failure),
    Cancelled,
    /// The server goes down.
    Stopping,
}

/// What came of a start.
enum Begun {
    /// It runs, or its end is told of.
    Running(u32),
    /// It was there before, and has ended.
    Before(Ended),
    Failed(u32, Failure),
    Stopping,
}

struct Driver<'a> {
    shared: &'a Arc<Shared>,
    work: &'a Arc<Work>,
    progress: &'a Arc<Progress>,
    ends: mpsc::UnboundedReceiver<Ended>,
    /// Children that were started and have not ended, as far as is known.
    running: HashSet<u32>,
    /// Those of them that are not yet known to be durable, with their items.
    uncounted: HashMap<u32, u32>,
    ended: Bitmap,
    starting: FuturesUnordered<BoxFuture<'static, Begun>>,
    results: Results,
}

impl Driver<'_> {
    /// The children that are there already: after a crash, those of the time before.
    async fn before(&mut self) -> Result<Before, Refusal> {
        let mut before = Before::default();
        let mut cursor = None;
        loop {
            let query = ListQuery {
                group: Some(group_of(&self.work.plan.arn)),
                status: None,
                cursor,
                limit: ROWS_PER_READ,
                order: Order::NewestFirst,
            };
            let page = self.shared.store.list(query).await?;
            for (_, row) in &page.rows {
                let record: ExecutionRecord = decode(&row.body)?;
                let Some(child) = &record.child else { continue };
                // A child that ends while the rows are read may be listed twice.
                if before.known.insert(child.index) {
                    let items = u64::from(child.items);
                    before.executions += 1;
                    before.items += items;
                    self.progress.count(|tally| {
                        tally.executions.found(1);
                        tally.items.found(items);
                        tally.executions.started(1);
                        tally.items.started(items);
                    });
                    self.running.insert(child.index);
                }
                if record.status != Status::Running {
                    let (index, items, status) = (child.index, child.items, record.status);
                    self.note(Ended { index, items, status, output: None }, false);
                }
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(before),
            }
        }
    }

    /// Starts children until all have ended, or something stands against it.
    async fn work(&mut self, before: Before) -> Result<Verdict, Refusal> {
        let (into, mut batches) = mpsc::channel(BATCHES_WAITING_MAX);
        let feeding = feed(self.shared.clone(), self.work.clone(), self.progress.clone(), before, into);
        let feeding = tokio::spawn(feeding);
        let mut cancelled = self.progress.cancelled.subscribe();
        let mut exhausted = false;
        let shared = self.shared.clone();
        let stopping = shared.stopping();
        tokio::pin!(stopping);
        let verdict = loop {
            let limits = self.progress.limits();
            if limits.exceeded(&self.progress.tally().items, exhausted) {
                let (error, cause) = THRESHOLD;
                break Verdict::Failed(Failure { error: Some(error.into()), cause: Some(cause.into()) });
            }
            if exhausted && self.running.is_empty() && self.starting.is_empty() {
                break Verdict::Complete;
            }
            let room = !exhausted
                && (self.running.len() as u64) < limits.places()
                && self.starting.len() < STARTS_MAX;
            tokio::select! {
                biased;
                () = &mut stopping => break Verdict::Stopping,
                _ = cancelled.wait_for(|cancelled| *cancelled) => break Verdict::Cancelled,
                Some(ended) = self.ends.recv() => self.note(ended, true),
                Some(begun) = self.starting.next() => match begun {
                    Begun::Running(index) => self.counted(index),
                    Begun::Before(ended) => self.note(ended, false),
                    Begun::Failed(index, failure) => {
                        self.running.remove(&index);
                        break Verdict::Failed(failure);
                    }
                    Begun::Stopping => break Verdict::Stopping,
                },
                fed = batches.recv(), if room => match fed {
                    Some(Fed::Batch(batch)) => self.start(batch),
                    Some(Fed::End) => exhausted = true,
                    Some(Fed::Failed(failure)) => break Verdict::Failed(failure),
                    // A feed tells of its end, unless it broke.
                    None => return Err(Refusal::Unavailable("the feed of a Map Run broke".into())),
                },
                () = self.progress.changed.notified() => {}
            }
        };
        feeding.abort();
        Ok(verdict)
    }

    fn start(&mut self, batch: Batch) {
        self.running.insert(batch.index);
        self.uncounted.insert(batch.index, batch.items);
        self.starting.push(Box::pin(start(self.shared.clone(), self.work.clone(), batch)));
    }

    /// A child is there: from now on it counts as running.
    fn counted(&mut self, index: u32) {
        if let Some(items) = self.uncounted.remove(&index) {
            self.progress.count(|tally| {
                tally.executions.started(1);
                tally.items.started(u64::from(items));
            });
        }
    }

    /// A child has ended; it may be told of twice, and before its start is.
    fn note(&mut self, ended: Ended, told: bool) {
        if !self.ended.insert(ended.index) {
            return;
        }
        self.counted(ended.index);
        self.running.remove(&ended.index);
        self.progress.count(|tally| {
            tally.executions.ended(ended.status, 1);
            tally.items.ended(ended.status, u64::from(ended.items));
        });
        if ended.status == Status::Succeeded {
            self.results.put(ended.index, ended.output, told);
        }
    }

    /// Stops the children that run; `false` when the server stops first.
    async fn stop_children(&mut self) -> bool {
        // Those that are being started can be stopped once they are there.
        loop {
            tokio::select! {
                begun = self.starting.next() => match begun {
                    Some(Begun::Before(ended)) => self.note(ended, false),
                    Some(Begun::Failed(index, _)) => _ = self.running.remove(&index),
                    Some(Begun::Running(index)) => self.counted(index),
                    Some(Begun::Stopping) => return false,
                    None => break,
                },
                () = self.shared.stopping() => return false,
            }
        }
        while let Ok(ended) = self.ends.try_recv() {
            self.note(ended, true);
        }
        let ids: Vec<(u32, ExecutionId)> = self
            .running
            .iter()
            .map(|index| (*index, ExecutionId::of(&self.work.child_name(self.shared, *index).1)))
            .collect();
        let shared = self.shared.clone();
        let stops = futures::stream::iter(ids).map(|(index, id)| {
            let shared = shared.clone();
            async move { (index, stop(&shared, id).await) }
        });
        let mut stops = std::pin::pin!(stops.buffer_unordered(STOPS_MAX));
        while let Some((index, stopped)) = stops.next().await {
            if !stopped {
                // It cannot be moved, so that no end will be told of: the run does not wait for it.
                tracing::warn!(map_run = &*self.work.plan.arn, index, "a child could not be stopped");
                self.running.remove(&index);
            }
        }
        while !self.running.is_empty() {
            tokio::select! {
                Some(ended) = self.ends.recv() => self.note(ended, true),
                () = self.shared.stopping() => return false,
            }
        }
        true
    }
}

/// Stops a child; `false` when nothing can move it.
async fn stop(shared: &Shared, id: ExecutionId) -> bool {
    let event = Event::Stop { error: None, cause: None };
    match shared.deliver_patiently(id, event).await {
        // It ended before: that is told, or was.
        Ok(_) | Err(Failed::Rejected(_)) => true,
        Err(Failed::Absent | Failed::NameTaken | Failed::Broken(_) | Failed::Refused(_)) => false,
    }
}

/// Starts a child, however busy its owner is.
async fn start(shared: Arc<Shared>, work: Arc<Work>, batch: Batch) -> Begun {
    let (name, arn) = work.child_name(&shared, batch.index);
    let id = ExecutionId::of(&arn);
    let child = Child {
        map_run_arn: work.plan.arn.to_string(),
        container: work.container,
        index: batch.index,
        items: batch.items,
        round: 0,
    };
    let start = Start {
        arn,
        name,
        machine_arn: work.machine_arn.clone(),
        machine_name: work.labelled.clone(),
        role_arn: work.role_arn.clone(),
        region: work.region.clone(),
        input: batch.input.into(),
        trace_header: work.trace_header.clone(),
        express: work.express,
        log: work.log.clone(),
        origin: Origin::default(),
        child: Some(child),
    };
    let event = Event::Start(Box::new(start));
    loop {
        let sent = shared.send(id, event.clone(), Some(work.definition.hash.to_string()), None).await;
        match sent {
            Ok(_) => return Begun::Running(batch.index),
            Err(Failed::NameTaken | Failed::Rejected(_)) => {
                return there_before(&shared, id, batch.index, batch.items).await;
            }
            Err(Failed::Refused(Refusal::Throttled)) => tokio::time::sleep(PAUSE).await,
            Err(Failed::Refused(_)) if shared.has_stopped() => return Begun::Stopping,
            Err(failed) => {
                let cause = failed.into_refusal().to_string();
                let failure = Failure { error: Some("States.Runtime".into()), cause: Some(cause.into()) };
                return Begun::Failed(batch.index, failure);
            }
        }
    }
}

/// A child that was there: an earlier start was durable, and its answer was lost with the server that gave it.
async fn there_before(shared: &Shared, id: ExecutionId, index: u32, items: u32) -> Begun {
    let loaded = match shared.store.load(id).await {
        Ok(loaded) => loaded,
        Err(_) => return Begun::Stopping,
    };
    let listing = loaded.and_then(|loaded| loaded.listing);
    match listing.map(|listing| decode::<ExecutionRecord>(&listing.body)) {
        Some(Ok(record)) if record.status != Status::Running => {
            Begun::Before(Ended { index, items, status: record.status, output: None })
        }
        _ => Begun::Running(index),
    }
}

/// Ends a run whose parent does not want it any more and whose driver went down with the server.
pub(crate) async fn end_orphan(shared: &Shared, id: ExecutionId) -> Result<(), Refusal> {
    let Some(stored) = record::load(shared, id).await? else { return Ok(()) };
    let group = group_of(&stored.record.arn);
    loop {
        let status = Some(status_code(Status::Running));
        let query = ListQuery {
            group: Some(group),
            status,
            cursor: None,
            limit: ROWS_PER_READ,
            order: Order::NewestFirst,
        };
        let page = shared.store.list(query).await?;
        let mut stopped = 0;
        for (child, _) in &page.rows {
            stopped += usize::from(stop(shared, *child).await);
        }
        if stopped == 0 {
            break;
        }
    }
    record::end(shared, id, Conclusion::Aborted, None, now_ms()).await
}
