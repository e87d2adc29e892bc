//! The items of a Map Run on their way to its children: read, selected, put into batches, a few at a time.
//!
//! The order and the batches are the same each time, so that a child's number means the same items after a restart; a
//! source that changes meanwhile gives the children that are not there yet what it has then.

use std::sync::Arc;
use std::time::Duration;

use asl::json::Json;
use asl::states::map::distributed::ITEMS_MAX;
use connect::{Items, ReadItem, Reading};
use engine::{Failure, Item, ItemScope};
use tokio::sync::mpsc;

use crate::clock::now_ms;
use crate::map_run::bitmap::Bitmap;
use crate::map_run::progress::Progress;
use crate::map_run::work::Work;
use crate::pool::{NoRoom, Undone};
use crate::service::Shared;

/// Batches that wait for a place: each may have the size of a payload.
pub(super) const BATCHES_WAITING_MAX: usize = 32;
/// What evaluating a selector with expressions costs in the pool's unit: always too much for this thread.
const EXPRESSIONS_COST: usize = usize::MAX;
/// The pause before a selector is evaluated that found no room on the pool.
const PAUSE: Duration = Duration::from_millis(20);
/// Items that are handled before others get a turn.
const ITEMS_PER_TURN: u32 = 64;

pub(super) const ITEM_READER_FAILED: &str = "States.ItemReaderFailed";

/// What the next child gets.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) index: u32,
    pub(super) items: u32,
    pub(super) input: String,
}

/// What comes from the feed: batches, then one of the others.
#[derive(Debug)]
pub(super) enum Fed {
    Batch(Batch),
    /// Those were all.
    End,
    Failed(Failure),
}

/// The children that were there when the run was taken up.
#[derive(Default)]
pub(super) struct Before {
    pub(super) known: Bitmap,
    pub(super) executions: u64,
    pub(super) items: u64,
}

/// Reads until the end, a failure, or until nobody wants more.
pub(super) async fn feed(
    shared: Arc<Shared>,
    work: Arc<Work>,
    progress: Arc<Progress>,
    before: Before,
    into: mpsc::Sender<Fed>,
) {
    let mut feeder = Feeder { shared, work, progress, before, into };
    let last = match feeder.run().await {
        Ok(Wanted::Yes) => Fed::End,
        Ok(Wanted::No) => return,
        Err(failure) => Fed::Failed(failure),
    };
    let _gone = feeder.into.send(last).await;
}

/// Whether whoever takes the batches is still there.
#[derive(PartialEq)]
enum Wanted {
    Yes,
    No,
}

struct Feeder {
    shared: Arc<Shared>,
    work: Arc<Work>,
    progress: Arc<Progress>,
    before: Before,
    into: mpsc::Sender<Fed>,
}

/// A batch in the making.
#[derive(Default)]
struct Open {
    texts: Vec<String>,
    count: u64,
    bytes: usize,
}

impl Feeder {
    async fn run(&mut self) -> Result<Wanted, Failure> {
        let work = self.work.clone();
        let scope = ItemScope::read(work.state, &work.scope)
            .map_err(|why| Failure { error: Some("States.Runtime".into()), cause: Some(why.into()) })?;
        let scope = Arc::new(scope);
        let items_max = items_max(work.plan.max_items)?;
        let mut source = self.source().await?;
        let batched = work.batched();
        let (mut index, mut child, mut open) = (0_u32, 0_u32, Open::default());
        while u64::from(index) < items_max {
            let Some(item) = source.next().await.map_err(reader_failed)? else { break };
            if index % ITEMS_PER_TURN == ITEMS_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
            let item = Item { index, key: item.key, source: item.source, value: item.value };
            index += 1;
            if !batched {
                if !self.before.known.contains(child) {
                    let input = self.select(&scope, item).await?;
                    if self.send(Batch { index: child, items: 1, input }).await == Wanted::No {
                        return Ok(Wanted::No);
                    }
                }
                child += 1;
                continue;
            }
            // The size of a batch that is there already matters only where sizes decide what the next one has.
            let skipped = self.before.known.contains(child) && work.plan.batch_bytes_max.is_none();
            let text = if skipped { String::new() } else { self.select(&scope, item).await? };
            let full = work.batch_base + open.bytes + text.len() + 1 > work.batch_bytes();
            if open.count > 0 && full && self.close(&mut open, &mut child).await == Wanted::No {
                return Ok(Wanted::No);
            }
            if work.batch_base + text.len() > work.batch_bytes() {
                return Err(data_limit(&work.state_name));
            }
            open.bytes += text.len() + 1;
            open.count += 1;
            open.texts.push(text);
            if work.plan.batch_items_max.is_some_and(|max| open.count >= max.max(1))
                && self.close(&mut open, &mut child).await == Wanted::No
            {
                return Ok(Wanted::No);
            }
        }
        if open.count > 0 {
            return Ok(self.close(&mut open, &mut child).await);
        }
        Ok(Wanted::Yes)
    }

    /// Sends a batch on, unless its child is there already.
    async fn close(&mut self, open: &mut Open, child: &mut u32) -> Wanted {
        let Open { texts, count, .. } = std::mem::take(open);
        let index = *child;
        *child += 1;
        if self.before.known.contains(index) {
            return Wanted::Yes;
        }
        let items = texts.join(",");
        let input = match &self.work.batch_input {
            Some(input) => format!("{{\"BatchInput\":{input},\"Items\":[{items}]}}"),
            None => format!("{{\"Items\":[{items}]}}"),
        };
        self.send(Batch { index, items: u32::try_from(count).unwrap_or(u32::MAX), input }).await
    }

    async fn send(&self, batch: Batch) -> Wanted {
        let known = self.work.items.is_some();
        let (executions, items) = (u64::from(!known || self.work.batched()), u64::from(batch.items));
        self.progress.count(|tally| {
            tally.executions.found(executions);
            tally.items.found(if known { 0 } else { items });
        });
        match self.into.send(Fed::Batch(batch)).await {
            Ok(()) => Wanted::Yes,
            Err(_) => Wanted::No,
        }
    }

    async fn source(&self) -> Result<Source, Failure> {
        match (&self.work.items, &self.work.reading) {
            (Some(text), _) => {
                let items = Json::parse(text)
                    .map_err(|error| reader_failed(format!("The items are no JSON: {}", error.message())))?;
                let length = match &items {
                    Json::Object(members) => members.len(),
                    other => other.as_array().map_or(0, <[Json]>::len),
                } as u64;
                self.progress.count(|tally| {
                    tally.items.found(length.saturating_sub(self.before.items));
                    if !self.work.batched() {
                        tally.executions.found(length.saturating_sub(self.before.executions));
                    }
                });
                Ok(Source::State { items, next: 0, name: "STATE_DATA".into() })
            }
            (None, Some(reading)) => {
                let reading = Reading::clone(reading);
                Ok(Source::Read(self.shared.datasets().read(reading).await.map_err(reader_failed)?))
            }
            (None, None) => Err(reader_failed("The Map has neither items nor a reader".into())),
        }
    }

    /// What a child gets for an item.
    async fn select(&self, scope: &Arc<ItemScope>, item: Item) -> Result<String, Failure> {
        let seed = getrandom::u64().unwrap_or_else(|_| now_ms().unsigned_abs());
        let bytes_max = self.shared.limits().payload_bytes_max;
        let machine = &self.work.definition.machine;
        if !machine.has_expressions {
            return scope.select(machine, item, now_ms(), seed, bytes_max);
        }
        loop {
            let (scope, definition, item) = (scope.clone(), self.work.definition.clone(), item.clone());
            let selected =
                self.shared.pool.compute(&self.work.definition.hash, EXPRESSIONS_COST, move || {
                    scope.select(&definition.machine, item, now_ms(), seed, bytes_max)
                });
            match selected.await {
                Ok(selected) => return selected,
                Err(Undone::NoRoom(NoRoom::Full)) => tokio::time::sleep(PAUSE).await,
                Err(Undone::NoRoom(NoRoom::Closed)) => std::future::pending().await,
                Err(Undone::Broken(why)) => {
                    return Err(Failure { error: Some("States.Runtime".into()), cause: Some(why.into()) });
                }
            }
        }
    }
}

/// Where items come from.
enum Source {
    State { items: Json, next: usize, name: Arc<str> },
    Read(Box<dyn Items>),
}

impl Source {
    async fn next(&mut self) -> Result<Option<ReadItem>, String> {
        match self {
            Source::Read(items) => items.next().await,
            Source::State { items, next, name } => {
                let at = *next;
                *next += 1;
                let source = name.clone();
                Ok(match items {
                    Json::Object(members) => members.get_index(at).map(|(key, value)| ReadItem {
                        key: Some(key.clone()),
                        source,
                        value: value.clone(),
                    }),
                    other => other.index(at).cloned().map(|value| ReadItem { key: None, source, value }),
                })
            }
        }
    }
}

/// `MaxItems`: 0 limits nothing, more than the most is the most, and less than nothing cannot be (all recorded).
fn items_max(asked: Option<i64>) -> Result<u64, Failure> {
    match asked.map(u64::try_from) {
        None | Some(Ok(0)) => Ok(ITEMS_MAX),
        Some(Ok(max)) => Ok(max.min(ITEMS_MAX)),
        Some(Err(_)) => Err(reader_failed("field MaxItems must be positive".into())),
    }
}

fn reader_failed(cause: String) -> Failure {
    Failure { error: Some(ITEM_READER_FAILED.into()), cause: Some(cause.into()) }
}

/// The recorded text of results that are too large.
pub(super) fn data_limit(state: &str) -> Failure {
    let cause = format!(
        "The state/task '{state}' returned a result with a size exceeding the maximum number of bytes service limit."
    );
    Failure { error: Some("States.DataLimitExceeded".into()), cause: Some(cause.into()) }
}
