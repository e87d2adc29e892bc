//! Histories, read from the journal's chunks page by page.
//!
//! An event names its payloads; their texts are in the chunks of the steps that named them. A page reads the chunks
//! that it shows and the few others that it needs.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use engine::{Chunk, HistoryEvent, HistoryKind, PayloadId, TaskEvent};
use store::{Direction, ExecutionId, Store};

use crate::refusal::Refusal;

/// Chunks read at a time.
const CHUNKS_PER_READ: usize = 256;
/// Bytes of chunks read at a time: a page of events with large payloads must not fill the memory.
const BYTES_PER_READ: usize = 4 << 20;

/// Which part of a history.
#[derive(Clone, Copy, Debug, Default)]
pub struct HistoryRange {
    /// From the last event back.
    pub reverse: bool,
    /// How many events.
    pub limit: usize,
    /// Where to go on: the step and the first event of the page.
    pub from: Option<(u64, u64)>,
}

/// A page of a history.
#[derive(Clone, Debug, Default)]
pub struct HistoryPage {
    /// The events, in the order asked for.
    pub events: Vec<HistoryEvent>,
    /// The texts of their payloads.
    pub texts: HashMap<PayloadId, Arc<str>>,
    /// Where the next page begins.
    pub next: Option<(u64, u64)>,
}

/// Reads a page.
pub(crate) async fn read(
    store: &dyn Store,
    id: ExecutionId,
    range: HistoryRange,
) -> Result<HistoryPage, Refusal> {
    let direction = if range.reverse { Direction::Backward } else { Direction::Forward };
    let (mut version, first) =
        range.from.map_or((if range.reverse { u64::MAX } else { 1 }, None), |(at, event)| (at, Some(event)));
    let mut page = HistoryPage::default();
    'chunks: loop {
        let chunks = store.history(id, version, direction, CHUNKS_PER_READ, BYTES_PER_READ).await?;
        let Some((last, _)) = chunks.last() else { break };
        let last = *last;
        for (at, bytes) in &chunks {
            let mut chunk = decode(bytes)?;
            page.texts.extend(chunk.payloads().map(|(id, text)| (id, text.clone())));
            let mut events = std::mem::take(&mut chunk.history);
            if range.reverse {
                events.reverse();
            }
            for event in events {
                let wanted = first
                    .is_none_or(|first| if range.reverse { event.id <= first } else { event.id >= first });
                if !wanted {
                    continue;
                }
                if page.events.len() == range.limit {
                    page.next = Some((*at, event.id));
                    break 'chunks;
                }
                page.events.push(event);
            }
        }
        match direction {
            Direction::Forward => version = last + 1,
            Direction::Backward if last <= 1 => break,
            Direction::Backward => version = last - 1,
        }
    }
    resolve(store, id, &mut page).await?;
    Ok(page)
}

/// Finds the texts that the page names and its chunks do not hold, and drops those that it does not name.
async fn resolve(store: &dyn Store, id: ExecutionId, page: &mut HistoryPage) -> Result<(), Refusal> {
    let named: BTreeSet<PayloadId> = page.events.iter().flat_map(|event| payloads_of(&event.kind)).collect();
    page.texts.retain(|payload, _| named.contains(payload));
    let missing: BTreeSet<u32> = named
        .iter()
        .filter(|payload| !page.texts.contains_key(payload))
        .map(|payload| payload.step)
        .collect();
    for step in missing {
        for (payload, text) in payloads_in(store, id, step).await? {
            if named.contains(&payload) {
                page.texts.insert(payload, text);
            }
        }
    }
    Ok(())
}

/// The payloads that a step named.
pub(crate) async fn payloads_in(
    store: &dyn Store,
    id: ExecutionId,
    step: u32,
) -> Result<Vec<(PayloadId, Arc<str>)>, Refusal> {
    payloads(&chunk(store, id, step).await?)
}

/// The chunk of a step.
pub(crate) async fn chunk(store: &dyn Store, id: ExecutionId, step: u32) -> Result<Bytes, Refusal> {
    let chunks = store.history(id, u64::from(step), Direction::Forward, 1, BYTES_PER_READ).await?;
    match chunks.into_iter().next() {
        Some((at, bytes)) if at == u64::from(step) => Ok(bytes),
        _ => Err(Refusal::Unavailable(format!("step {step} of execution {id} is not in the store"))),
    }
}

/// The payloads that a chunk holds.
pub(crate) fn payloads(chunk: &[u8]) -> Result<Vec<(PayloadId, Arc<str>)>, Refusal> {
    Ok(decode(chunk)?.payloads().map(|(payload, text)| (payload, text.clone())).collect())
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Chunk, Refusal> {
    Chunk::decode(bytes).map_err(|error| Refusal::Unavailable(error.to_string()))
}

/// The payloads that an event shows.
pub(crate) fn payloads_of(kind: &HistoryKind) -> Vec<PayloadId> {
    match kind {
        HistoryKind::ExecutionStarted { input, .. } | HistoryKind::StateEntered { input, .. } => vec![*input],
        HistoryKind::ExecutionSucceeded { output } => vec![*output],
        HistoryKind::StateExited { output, assigned, .. } => {
            assigned.iter().map(|(_, value)| *value).chain([*output]).collect()
        }
        HistoryKind::LambdaFunction(event)
        | HistoryKind::Activity(event)
        | HistoryKind::Task { event, .. } => match event {
            TaskEvent::Scheduled { input, .. } => vec![*input],
            TaskEvent::Submitted { output } | TaskEvent::Succeeded { output } => vec![*output],
            TaskEvent::Started { .. } | TaskEvent::Failed(_) | TaskEvent::TimedOut(_) => Vec::new(),
        },
        _ => Vec::new(),
    }
}
