//! A Map under trial: its fields are evaluated as ever, and its iterations or children are what the mock says of them.

use std::sync::Arc;

use asl::intrinsic::Entropy;
use asl::json::Json;
use asl::states::map::Map;
use asl::states::map::distributed::{Distributed, ItemBatcher};

use super::{MapNumbers, Mock, Station, Trial};
use crate::failure::{EXCEED_TOLERATED_FAILURE_THRESHOLD, Failure, RUNTIME, Raised};
use crate::flow::Outcome;
use crate::io::{Extra, Role};
use crate::items::{Item, ItemScope};
use crate::states::map::{distributed, items, selected};
use crate::step::{Data, Site, Step};

/// Where items come from that no reader read, as `$$.Map.Item.Source` tells it.
const STATE_DATA: &str = "STATE_DATA";
/// Where items come from that the request brought along in place of a reader's. The name is ours: no recording shows it.
const READER_DATA: &str = "ITEM_READER_DATA";

pub(crate) fn enter<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &Map) -> Result<Outcome, Raised> {
    let input = step.input(site, &state.work.input)?;
    // The items come first: a Map that has none shows no numbers (recorded).
    let found = found(step, site, state, &input)?;
    let numbers = numbers(step, site, state, &input, found.as_ref().map(length))?;
    match (&found, &state.distributed) {
        (Some(items), Some(fields)) => show_children(step, site, state, fields, &input, items)?,
        (Some(items), None) if state.item_selector.is_some() => {
            show_selected(step, site, state, &Data::Value(items.clone()), &input, length(items))?;
        }
        _ => {}
    }
    let Some(trial) = step.trial else { return Ok(Outcome::Parked) };
    trial.counted(numbers);
    if matches!(trial.mock, Some(Mock::Result(_))) && !tolerates(trial, &numbers) {
        let cause = "The specified tolerated failure threshold was exceeded";
        return Err(Raised::named(EXCEED_TOLERATED_FAILURE_THRESHOLD, cause));
    }
    // Nothing but a mock can say what a Map comes to that is tried alone.
    step.mocked(site, &state.work).unwrap_or(Ok(Outcome::Parked))
}

/// What there is to iterate over; `None` when a reader would read it and nobody said what.
fn found<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &Map,
    input: &Data,
) -> Result<Option<Json>, Raised> {
    let reader = state.distributed.as_ref().and_then(|fields| fields.reader.as_ref());
    let Some(reader) = reader else {
        let items = match &state.distributed {
            Some(_) => distributed::items(step, site, state, input)?.0,
            None => items(step, site, state, input)?.0,
        };
        step.show(Station::ItemsPath, &items);
        return Ok(Some(step.value(&items)));
    };
    if let Some(arguments) = &reader.arguments {
        // Nothing is read, but what would be asked for has to be a value.
        step.payload(site, arguments, input, Role::Input, Extra::default())?;
    }
    let max = step.integer(site, reader.max_items.as_ref(), input, "MaxItemsPath")?;
    let Some(items) = step.trial.and_then(|trial| trial.items.clone()) else { return Ok(None) };
    if reader.format.pointer.is_some() {
        step.show(Station::ItemsPointer, &Data::Value(items.clone()));
    }
    let max = max.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX);
    Ok(Some(match items {
        Json::Array(all) if all.len() > max => Json::array(all.iter().take(max).cloned()),
        items => items,
    }))
}

fn length(items: &Json) -> usize {
    items
        .as_array()
        .map(<[Json]>::len)
        .or_else(|| items.as_object().map(|members| members.len()))
        .unwrap_or(0)
}

fn numbers<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &Map,
    input: &Data,
    items: Option<usize>,
) -> Result<MapNumbers, Raised> {
    let concurrency = step.count(site, state.max_concurrency.as_ref(), input, "MaxConcurrencyPath")?;
    let count = state.tolerated_failure_count.as_ref();
    let tolerated_count = step.count(site, count, input, "ToleratedFailureCountPath")?;
    let tolerated_percentage = step.percentage(site, state.tolerated_failure_percentage.as_ref(), input)?;
    let concurrency = concurrency.unwrap_or_default();
    Ok(MapNumbers { items, concurrency, tolerated_count, tolerated_percentage })
}

/// Whether the Map tolerates the iterations that failed: any number of them when it names no threshold (recorded).
fn tolerates(trial: &Trial, numbers: &MapNumbers) -> bool {
    let failed = trial.failed_iterations.unwrap_or_default() as f64;
    let percentage = numbers.items.map(|items| failed * 100.0 / items.max(1) as f64);
    !numbers.tolerated_count.is_some_and(|tolerated| failed > tolerated as f64)
        && !numbers.tolerated_percentage.zip(percentage).is_some_and(|(tolerated, failed)| failed > tolerated)
}

/// Shows what `ItemSelector` makes of each item. All together may be as large as a payload: of more, nothing is shown, and
/// nothing more is evaluated.
fn show_selected<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &Map,
    items: &Data,
    input: &Data,
    length: usize,
) -> Result<(), Raised> {
    let mut bytes_left = step.limits.payload_bytes_max;
    let mut all = Vec::new();
    for index in 0..length {
        let data = selected(step, site, state, items, input, index as u32)?;
        let Ok(text) = step.value(&data).to_text_within(bytes_left) else { return Ok(()) };
        bytes_left = bytes_left.saturating_sub(text.len() + 1);
        all.push(Arc::from(text));
    }
    let all = step.array_of(all);
    step.show(Station::ItemSelector, &all);
    Ok(())
}

/// The same of a Distributed Map, and what `ItemBatcher` makes of that.
fn show_children<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &Map,
    fields: &Distributed,
    input: &Data,
    items: &Json,
) -> Result<(), Raised> {
    if state.item_selector.is_none() && fields.batcher.is_none() {
        return Ok(());
    }
    let source = if fields.reader.is_some() { READER_DATA } else { STATE_DATA };
    let Some(texts) = children(step, site, state, source, input, items)? else { return Ok(()) };
    if state.item_selector.is_some() {
        let all = step.array_of(texts.iter().cloned());
        step.show(Station::ItemSelector, &all);
    }
    if let Some(batcher) = &fields.batcher {
        let batches = batches(step, site, batcher, input, texts)?;
        let all = step.array_of(batches);
        step.show(Station::ItemBatcher, &all);
    }
    Ok(())
}

/// What each child would get; `None` when all of it is larger than a payload.
fn children<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &Map,
    source: &str,
    input: &Data,
    items: &Json,
) -> Result<Option<Vec<Arc<str>>>, Raised> {
    let Some(trial) = step.trial else { return Ok(None) };
    let scope = step.item_scope(site, state, input);
    let scope = ItemScope::read(trial.state, &step.text(scope)).map_err(|why| step.runtime(site, why))?;
    let source: Arc<str> = source.into();
    let members = items.as_object().into_iter().flatten();
    let members = members.map(|(key, value)| (Some(key.clone()), value));
    let elements = items.as_array().into_iter().flatten().map(|value| (None, value));
    let bytes_max = step.limits.payload_bytes_max;
    let (mut texts, mut bytes) = (Vec::new(), 0);
    for (index, (key, value)) in elements.chain(members).enumerate() {
        let item = Item { index: index as u32, key, source: source.clone(), value: value.clone() };
        let seed = step.dice.next_u64();
        let text = scope
            .select(step.machine, item, step.at.now_ms, seed, bytes_max)
            .map_err(|failure| alone(site, failure))?;
        bytes += text.len() + 1;
        if bytes > bytes_max {
            return Ok(None);
        }
        texts.push(text.into());
    }
    Ok(Some(texts))
}

/// A selector's failure, without the beginning that causes do not have in a trial.
fn alone(site: &Site<'_>, failure: Failure) -> Raised {
    let beginning = format!(
        "An error occurred while executing the state '{}' (entered at the event id #{}). ",
        site.state.name, site.entered_event
    );
    let cause = failure.cause.unwrap_or_default();
    let cause: Arc<str> = cause.strip_prefix(&*beginning).unwrap_or(&cause).into();
    match failure.error.as_deref() {
        Some(RUNTIME) | None => Raised::runtime(cause),
        Some(error) => Raised::named(error, cause),
    }
}

/// The children's inputs, put together as `ItemBatcher` says.
fn batches<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    batcher: &ItemBatcher,
    input: &Data,
    texts: Vec<Arc<str>>,
) -> Result<Vec<Arc<str>>, Raised> {
    let items_max = step.count(site, batcher.items_max.as_ref(), input, "MaxItemsPerBatchPath")?;
    let bytes_max = step.count(site, batcher.bytes_max.as_ref(), input, "MaxInputBytesPerBatchPath")?;
    let given = match &batcher.input {
        Some(payload) => {
            let made = step.payload(site, payload, input, Role::Input, Extra::default())?;
            format!("\"BatchInput\":{},", step.value(&made).to_text())
        }
        None => String::new(),
    };
    let items_max = items_max.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX).max(1);
    let bytes_max = bytes_max.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX);
    let base = given.len() + "{\"Items\":[]}".len();
    let (mut batches, mut open, mut bytes) = (Vec::new(), Vec::new(), base);
    for text in texts {
        if !open.is_empty() && (open.len() >= items_max || bytes + text.len() + 1 > bytes_max) {
            batches.push(std::mem::take(&mut open));
            bytes = base;
        }
        bytes += text.len() + 1;
        open.push(text);
    }
    if !open.is_empty() {
        batches.push(open);
    }
    Ok(batches.iter().map(|batch| format!("{{{given}\"Items\":[{}]}}", batch.join(",")).into()).collect())
}
