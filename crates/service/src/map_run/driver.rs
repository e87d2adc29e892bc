//! The driver of one Map Run: starts children as places become free, is told of their ends, and says how it all ended.
//!
//! A child is a row, not a task: what is in memory for ten thousand of them is their numbers. The driver trusts what it
//! is told and what the store says, and the store is the truth: it begins with the list rows of the children that are
//! there, and a child that it starts a second time tells it so.
//!
//! A run that is redriven has a new driver, which waits for the last one to leave. What succeeded stays; a STANDARD child
//! that did not is redriven, an EXPRESS one is not known and started as another execution. Each child keeps the token that
//! it was redriven with, which names the redrive of the run: so a driver after a crash sees who had its turn.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use engine::{Child, Event, Execution, Failure, NotRedrivable, Status, TaskId};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use store::{ExecutionId, ListQuery, Order};
use tokio::sync::mpsc;

use crate::clock::now_ms;
use crate::execution::{ExecutionRecord, group_of, status_code};
use crate::machine::decode;
use crate::map_run::bitmap::Bitmap;
use crate::map_run::children::{Begun, redrive, start, stop};
use crate::map_run::counts::Counts;
use crate::map_run::export;
use crate::map_run::feed::{BATCHES_WAITING_MAX, Batch, Before, Fed, feed};
use crate::map_run::progress::{Ended, MapRunLimits, Progress, life};
use crate::map_run::record::{self, Conclusion, MapRunStatus, Stored};
use crate::map_run::results::Results;
use crate::map_run::work::Work;
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
/// The recorded name and the text of a run that failed too often.
const THRESHOLD: (&str, &str) =
    ("States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded");

/// Begins the Map Run that a state of a live execution asks for, or takes it up again. One that is at work here stays;
/// one that is redriven waits until its last driver has ended it.
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
    if !shared.map_runs.announce(&progress) {
        return;
    }
    // At once, if it can: whoever looks for runs that nobody asks for must find it.
    shared.map_runs.enter(&progress);
    let shared = shared.clone();
    shared.clone().underway.spawn(async move {
        tokio::select! {
            () = shared.map_runs.enter_in_turn(&progress) => run(shared.clone(), Arc::new(work), progress, ends).await,
            () = shared.stopping() => shared.map_runs.leave(&progress),
        }
    });
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
    let stored = opened(shared, work).await?;
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
        redrives: VecDeque::new(),
        lives: HashMap::new(),
        bound: 0,
        ended: Bitmap::default(),
        starting: FuturesUnordered::new(),
        results: Results::new(work, shared.limits().payload_bytes_max),
    };
    let before = driver.before().await?;
    let verdict = driver.work(before).await?;
    driver.give_up_redrives();
    let children = driver.bound.into();
    let conclusion = match verdict {
        Verdict::Stopping => return Ok(None),
        Verdict::Complete if work.plan.writer.is_some() => {
            concluded(export::export(shared, work, children).await?)
        }
        Verdict::Complete => concluded(driver.results.into_text(shared, work).await?),
        Verdict::Failed(failure) => {
            if !driver.stop_children().await {
                return Ok(None);
            }
            if work.plan.writer.is_some() {
                // What there is is written all the same; the run has failed for its own reason.
                let _written = export::export(shared, work, children).await?;
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

/// The run's record, made or opened again.
async fn opened(shared: &Shared, work: &Work) -> Result<Stored, Refusal> {
    let absent = || Refusal::Unavailable(format!("the Map Run {} is not in the store", work.plan.arn));
    let asked = work.record();
    record::create(shared, &asked).await?;
    let stored = record::load(shared, work.id).await?.ok_or_else(absent)?;
    if stored.record.redrive_count >= work.plan.redrives {
        return Ok(stored);
    }
    if stored.record.status == MapRunStatus::Running {
        // Its last driver went down with the server before it had ended it.
        end_orphan(shared, work.id).await?;
    }
    record::reopen(shared, &asked).await?;
    record::load(shared, work.id).await?.ok_or_else(absent)
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

/// A child that begins, or goes on.
struct Beginning {
    items: u32,
    redriven: bool,
}

/// What a list row says of a child to a run that is redriven.
enum Standing {
    /// It runs, or it ended and that stands.
    AsItIs,
    /// It could not be redriven any more.
    NotRedrivable,
    /// It has not had its turn.
    PendingRedrive,
    /// Another execution is started in its place.
    Superseded,
}

struct Driver<'a> {
    shared: &'a Arc<Shared>,
    work: &'a Arc<Work>,
    progress: &'a Arc<Progress>,
    ends: mpsc::UnboundedReceiver<Ended>,
    /// Children that were started and have not ended, as far as is known.
    running: HashSet<u32>,
    /// Those of them that are not yet known to be durable.
    uncounted: HashMap<u32, Beginning>,
    /// Children that wait for a place to be redriven.
    redrives: VecDeque<Ended>,
    /// The life of a child that is waited for, where it is not its first: an end of an earlier one may still be told of.
    lives: HashMap<u32, u32>,
    /// One more than the highest number of a child.
    bound: u32,
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
                self.bound = self.bound.max(child.index + 1);
                let next_life = life(child, record.redrive_count) + 1;
                match self.standing(&record, child) {
                    Standing::Superseded => {
                        self.lives.insert(child.index, self.work.plan.redrives);
                        continue;
                    }
                    Standing::PendingRedrive => {
                        if before.known.insert(child.index) {
                            before.executions += 1;
                            before.items += u64::from(child.items);
                            self.lives.insert(child.index, next_life);
                            self.wait_for_redrive(&record, child);
                        }
                        continue;
                    }
                    Standing::NotRedrivable if !before.known.contains(child.index) => {
                        self.progress.count(|tally| {
                            tally.executions.failures_not_redrivable += 1;
                            tally.items.failures_not_redrivable += u64::from(child.items);
                        });
                    }
                    Standing::NotRedrivable | Standing::AsItIs => {}
                }
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
                    let life = life(child, record.redrive_count);
                    self.note(Ended { index, items, status, life, output: None }, false);
                }
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        // In the order of their items, as they were started.
        self.redrives.make_contiguous().sort_by_key(|child| child.index);
        Ok(before)
    }

    fn standing(&self, record: &ExecutionRecord, child: &Child) -> Standing {
        let redrives = self.work.plan.redrives;
        if self.work.express {
            let stands = child.round == redrives || record.status == Status::Succeeded;
            return if stands { Standing::AsItIs } else { Standing::Superseded };
        }
        if !record.waits_for_redrive(redrives) {
            return Standing::AsItIs;
        }
        let limits = self.shared.limits();
        let (started_ms, stopped_ms) = (record.started_ms, record.stopped_ms);
        match NotRedrivable::why(record.status, started_ms, stopped_ms, record.events, now_ms(), limits) {
            Some(_) => Standing::NotRedrivable,
            None => Standing::PendingRedrive,
        }
    }

    fn wait_for_redrive(&mut self, record: &ExecutionRecord, child: &Child) {
        self.progress.count(|tally| {
            tally.executions.waiting(1);
            tally.items.waiting(u64::from(child.items));
        });
        let (index, items, status) = (child.index, child.items, record.status);
        self.redrives.push_back(Ended { index, items, status, life: 0, output: None });
    }

    /// Children that will not be redriven by this driver are what they were.
    fn give_up_redrives(&mut self) {
        for child in self.redrives.drain(..) {
            self.progress.count(|tally| {
                tally.executions.redriven(1);
                tally.executions.ended(child.status, 1);
                tally.items.redriven(child.items.into());
                tally.items.ended(child.status, child.items.into());
            });
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
            if exhausted && self.redrives.is_empty() && self.running.is_empty() && self.starting.is_empty() {
                break Verdict::Complete;
            }
            while self.has_room(limits)
                && let Some(child) = self.redrives.pop_front()
            {
                self.redrive(child);
            }
            let room = !exhausted && self.has_room(limits);
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

    fn has_room(&self, limits: MapRunLimits) -> bool {
        (self.running.len() as u64) < limits.places() && self.starting.len() < STARTS_MAX
    }

    fn redrive(&mut self, child: Ended) {
        let Ended { index, items, .. } = child;
        self.running.insert(index);
        self.uncounted.insert(index, Beginning { items, redriven: true });
        self.starting.push(Box::pin(redrive(self.shared.clone(), self.work.clone(), index, items)));
    }

    fn start(&mut self, batch: Batch) {
        self.bound = self.bound.max(batch.index + 1);
        self.running.insert(batch.index);
        self.uncounted.insert(batch.index, Beginning { items: batch.items, redriven: false });
        self.starting.push(Box::pin(start(self.shared.clone(), self.work.clone(), batch)));
    }

    /// A child is there: from now on it counts as running.
    fn counted(&mut self, index: u32) {
        let Some(Beginning { items, redriven }) = self.uncounted.remove(&index) else { return };
        let items = u64::from(items);
        self.progress.count(|tally| match redriven {
            true => {
                tally.executions.redriven(1);
                tally.items.redriven(items);
            }
            false => {
                tally.executions.started(1);
                tally.items.started(items);
            }
        });
    }

    /// A child has ended; it may be told of twice, and before its start is.
    fn note(&mut self, ended: Ended, told: bool) {
        if told && self.lives.get(&ended.index).is_some_and(|life| ended.life < *life) {
            return;
        }
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
        let ids: Vec<(u32, ExecutionId)> =
            self.running.iter().map(|index| (*index, self.work.child_id(self.shared, *index))).collect();
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
    let counts = counted(shared, group, stored.record.items).await?;
    record::end(shared, id, Conclusion::Aborted, Some(counts), now_ms()).await
}

/// What became of the children of a run that has no driver, and of their items; those that never started are as the run's
/// last write has them.
async fn counted(shared: &Shared, group: [u8; 16], written: Counts) -> Result<(Counts, Counts), Refusal> {
    let (mut executions, mut items) = (Counts::default(), Counts::default());
    let (mut seen, mut cursor) = (Bitmap::default(), None);
    loop {
        let query = ListQuery {
            group: Some(group),
            status: None,
            cursor,
            limit: ROWS_PER_READ,
            order: Order::OldestFirst,
        };
        let page = shared.store.list(query).await?;
        for (_, row) in &page.rows {
            let record: ExecutionRecord = decode(&row.body)?;
            let Some(child) = record.child.filter(|child| seen.insert(child.index)) else { continue };
            for (counts, count) in [(&mut executions, 1), (&mut items, u64::from(child.items))] {
                counts.found(count);
                counts.started(count);
                counts.ended(record.status, count);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    items.found(written.total.saturating_sub(items.total));
    Ok((executions, items))
}
