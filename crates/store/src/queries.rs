//! The reads: every one of them from one view, so that it never sees half a step.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Bound;

use bytes::Bytes;

use crate::kv::{Table, View, prefix_end, prefixed};
use crate::rows::{self, Head};
use crate::{
    Direction, Due, ExecutionId, ListPage, ListQuery, Listing, Loaded, Order, OutboxRow, Row, Shards,
    StoreError, Timer,
};

pub(crate) fn load(view: &dyn View, id: ExecutionId) -> Result<Option<Loaded>, StoreError> {
    let Some(head) = view.get(Table::Heads, &id.0)? else { return Ok(None) };
    let head = Head::decode(&head)?;
    let checkpoint = match view.get(Table::Checkpoints, &id.0)? {
        Some(row) => Some(rows::decode_versioned(&row)?),
        None => None,
    };
    let since = checkpoint.as_ref().map_or(0, |(version, _)| *version);
    if since != head.checkpoint {
        return Err(StoreError::Corrupt(format!(
            "execution {id} has a checkpoint of version {since}, its head says {}",
            head.checkpoint
        )));
    }
    let range =
        (Bound::Included(rows::chunk_key(id, since + 1)), Bound::Included(rows::chunk_key(id, head.version)));
    let mut chunks = Vec::new();
    if since < head.version {
        for row in view.scan(Table::Chunks, range, Direction::Forward) {
            let (key, chunk) = row?;
            chunks.push((rows::chunk_version(&key)?, chunk));
        }
    }
    let contiguous = chunks.iter().map(|(version, _)| *version).eq(since + 1..=head.version);
    if !contiguous {
        return Err(StoreError::Corrupt(format!(
            "execution {id} is at version {} but chunks since {since} are missing",
            head.version
        )));
    }
    let listing = match view.get(Table::Listings, &id.0)? {
        Some(row) => Some(rows::decode_listing(&row)?),
        None => None,
    };
    Ok(Some(Loaded { version: head.version, checkpoint, chunks, listing }))
}

pub(crate) fn history(
    view: &dyn View,
    id: ExecutionId,
    from_version: u64,
    direction: Direction,
    limit: usize,
    bytes_max: usize,
) -> Result<Vec<(u64, Bytes)>, StoreError> {
    let (first, last) = match direction {
        Direction::Forward => (from_version, u64::MAX),
        Direction::Backward => (0, from_version),
    };
    let range = (Bound::Included(rows::chunk_key(id, first)), Bound::Included(rows::chunk_key(id, last)));
    let mut chunks = Vec::new();
    let mut bytes = 0;
    for row in view.scan(Table::Chunks, range, direction).take(limit) {
        let (key, chunk) = row?;
        bytes += chunk.len();
        if bytes > bytes_max && !chunks.is_empty() {
            break;
        }
        chunks.push((rows::chunk_version(&key)?, chunk));
    }
    Ok(chunks)
}

pub(crate) fn list(view: &dyn View, query: &ListQuery) -> Result<ListPage, StoreError> {
    let prefix = rows::list_prefix(query.group, query.status);
    let after = match &query.cursor {
        None => None,
        Some(cursor) if cursor.len() == rows::LIST_POSITION_LEN => {
            Some(Bound::Excluded([&prefix[..], cursor].concat()))
        }
        Some(_) => return Err(StoreError::BadCursor),
    };
    let (first, last) = (Bound::Included(prefix.clone()), prefix_end(&prefix));
    let (range, direction) = match query.order {
        Order::NewestFirst => ((after.unwrap_or(first), last), Direction::Forward),
        Order::OldestFirst => ((first, after.unwrap_or(last)), Direction::Backward),
    };
    let mut page = ListPage { rows: Vec::new(), next: query.cursor.clone() };
    let mut keys = view.scan(Table::ListIndex, range, direction);
    for key in keys.by_ref().take(query.limit) {
        let (position, id) = rows::list_position(&key?.0)?;
        page.rows.push((id, list_row(view, id)?));
        page.next = Some(position);
    }
    if keys.next().transpose()?.is_none() {
        page.next = None;
    }
    Ok(page)
}

/// How many list rows there are of each status that has any.
pub(crate) fn listed(view: &dyn View) -> Result<Vec<(u8, u64)>, StoreError> {
    let counts = view.scan(Table::Meta, prefixed(rows::COUNTS_PREFIX), Direction::Forward);
    counts
        .map(|row| {
            let (key, row) = row?;
            rows::decode_count(&key, &row)
        })
        .collect()
}

fn list_row(view: &dyn View, id: ExecutionId) -> Result<Listing, StoreError> {
    match view.get(Table::Listings, &id.0)? {
        Some(row) => rows::decode_listing(&row),
        None => Err(StoreError::Corrupt(format!("execution {id} is indexed for lists but has no list row"))),
    }
}

pub(crate) fn due(view: &dyn View, shards: Shards, until_ms: i64, limit: usize) -> Result<Due, StoreError> {
    // Each shard's timers are in order; a heap of their heads merges them without reading past the answer.
    let mut scans = Vec::new();
    let mut heads = BinaryHeap::new();
    for shard in shards.iter() {
        let mut scan = view.scan(Table::Timers, prefixed(&rows::timer_prefix(shard)), Direction::Forward);
        if let Some(row) = scan.next() {
            heads.push(Reverse((timer_order(&row?.0)?, scans.len())));
            scans.push(scan);
        }
    }
    let mut timers = Vec::new();
    while let Some(mut head) = heads.peek_mut() {
        let Reverse(((due_ms, execution, id), scan)) = *head;
        if due_ms > until_ms || timers.len() >= limit {
            return Ok(Due { timers, next_ms: Some(due_ms) });
        }
        timers.push((execution, Timer { due_ms, id }));
        match scans[scan].next() {
            Some(row) => *head = Reverse((timer_order(&row?.0)?, scan)),
            None => drop(PeekMut::pop(head)),
        }
    }
    Ok(Due { timers, next_ms: None })
}

fn timer_order(key: &[u8]) -> Result<(i64, ExecutionId, u64), StoreError> {
    let (execution, timer) = rows::decode_timer(key)?;
    Ok((timer.due_ms, execution, timer.id))
}

pub(crate) fn outbox(
    view: &dyn View,
    shards: Shards,
    after: Option<(ExecutionId, u64)>,
    limit: usize,
) -> Result<Vec<(ExecutionId, OutboxRow)>, StoreError> {
    let first = vec![shards.first.0];
    let start = match after.map(|(execution, id)| rows::outbox_key(execution, id)) {
        Some(after) if after > first => Bound::Excluded(after),
        _ => Bound::Included(first),
    };
    let mut found = Vec::new();
    for row in view.scan(Table::Outbox, (start, prefix_end(&[shards.last.0])), Direction::Forward).take(limit)
    {
        let (key, body) = row?;
        let (execution, id) = rows::decode_outbox_key(&key)?;
        found.push((execution, OutboxRow { id, body }));
    }
    Ok(found)
}

pub(crate) fn catalogue_row(view: &dyn View, kind: &str, key: &str) -> Result<Option<Row>, StoreError> {
    let Some(row) = view.get(Table::Catalogue, &rows::catalogue_key(kind, key))? else { return Ok(None) };
    let (version, body) = rows::decode_versioned(&row)?;
    Ok(Some(Row { version, body }))
}

pub(crate) fn catalogue_rows(
    view: &dyn View,
    kind: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Row)>, StoreError> {
    let prefix = rows::catalogue_key(kind, "");
    let start = match after {
        Some(after) => Bound::Excluded(rows::catalogue_key(kind, after)),
        None => Bound::Included(prefix.clone()),
    };
    let mut found = Vec::new();
    for row in view.scan(Table::Catalogue, (start, prefix_end(&prefix)), Direction::Forward).take(limit) {
        let (key, row) = row?;
        let name = String::from_utf8(key[prefix.len()..].to_vec());
        let name =
            name.map_err(|_| StoreError::Corrupt(format!("a catalogue key of kind `{kind}` is no text")))?;
        let (version, body) = rows::decode_versioned(&row)?;
        found.push((name, Row { version, body }));
    }
    Ok(found)
}
