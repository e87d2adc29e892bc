//! Whether a write may happen, and which rows it makes: the conditions of the store.
//!
//! Everything here runs on the one thread that writes, against a [`Draft`]: rows as they are, with the writes
//! of the same group before it. A write that is refused leaves the draft as it found it, so steps fail alone.
//! No row is written here; the draft is, later and as a whole.

use bytes::Bytes;

use crate::kv::{Draft, Table};
use crate::rows::{self, Head};
use crate::tasks::TaskChange;
use crate::{
    DeleteOutcome, ExecutionId, Expect, Listing, PurgeOutcome, PutOutcome, QueueEntry, QueueKey, Row,
    StepOutcome, StepWrite, StoreError,
};

/// Decides one step. `tasks` learns what happened to queues, for when the draft has become durable.
pub(crate) fn step(
    draft: &mut Draft<'_>,
    tasks: &mut Vec<TaskChange>,
    step: StepWrite,
) -> Result<StepOutcome, StoreError> {
    let id = step.execution;
    let found = head(draft, id)?;
    let mut head = match (step.expect, found) {
        (Expect::Absent, None) => Head::NEW,
        (Expect::Absent, Some(_)) => return Ok(StepOutcome::NameTaken),
        (Expect::Version(expected), Some(head)) if head.version == expected => head,
        (Expect::Version(_), found) => {
            return Ok(StepOutcome::Conflict { actual: found.map(|head| head.version) });
        }
    };
    for key in &step.tasks_deleted {
        if !draft.contains(Table::Tasks, &rows::task_key(id, *key))? {
            return Ok(StepOutcome::TaskGone);
        }
    }
    for outbox_id in &step.outbox_deleted {
        if !draft.contains(Table::Outbox, &rows::outbox_key(id, *outbox_id))? {
            return Ok(StepOutcome::TaskGone);
        }
    }

    head.version += 1;
    draft.put(Table::Chunks, rows::chunk_key(id, head.version), step.chunk);
    if let Some(state) = &step.checkpoint {
        head.checkpoint = head.version;
        draft.put(Table::Checkpoints, key_of(id), rows::versioned(head.version, state));
    }
    for timer in step.timers_deleted {
        let key = rows::timer_key(id, timer);
        if draft.contains(Table::Timers, &key)? {
            draft.delete(Table::Timers, key);
            head.timers -= 1;
        }
    }
    for timer in step.timers_put {
        let key = rows::timer_key(id, timer);
        if !draft.contains(Table::Timers, &key)? {
            draft.put(Table::Timers, key, Bytes::new());
            head.timers += 1;
        }
    }
    for key in step.tasks_deleted {
        delete_task(draft, tasks, id, key)?;
    }
    for entry in step.tasks_put {
        delete_task(draft, tasks, id, entry.key)?;
        put_task(draft, tasks, id, entry);
    }
    for outbox_id in step.outbox_deleted {
        draft.delete(Table::Outbox, rows::outbox_key(id, outbox_id));
    }
    for row in step.outbox_put {
        draft.put(Table::Outbox, rows::outbox_key(id, row.id), row.body);
    }
    if let Some(listing) = &step.listing {
        put_listing(draft, id, listing)?;
    }
    draft.put(Table::Heads, key_of(id), head.encode());
    Ok(StepOutcome::Committed { version: head.version })
}

/// Removes every row of an execution that is at `version`.
pub(crate) fn purge(
    draft: &mut Draft<'_>,
    tasks: &mut Vec<TaskChange>,
    id: ExecutionId,
    version: u64,
) -> Result<PurgeOutcome, StoreError> {
    let Some(head) = head(draft, id)? else { return Ok(PurgeOutcome::Absent) };
    if head.version != version {
        return Ok(PurgeOutcome::Conflict { actual: head.version });
    }
    for key in draft.keys(Table::Tasks, &id.0)? {
        delete_task(draft, tasks, id, rows::decode_task_key(&key)?)?;
    }
    if head.timers > 0 {
        // Timers lie in the order of the shard's time. A closed execution seldom has any left, so it is
        // cheaper to look through the shard here than to keep an index for it with every timer.
        for key in draft.keys(Table::Timers, &rows::timer_prefix(id.shard()))? {
            if rows::decode_timer(&key)?.0 == id {
                draft.delete(Table::Timers, key);
            }
        }
    }
    if let Some(row) = draft.get(Table::Listings, &id.0)? {
        let listing = rows::decode_listing(&row)?;
        for key in rows::list_keys(id, &listing) {
            draft.delete(Table::ListIndex, key);
        }
        count(draft, listing.status, -1)?;
    }
    for table in [Table::Chunks, Table::Outbox, Table::Checkpoints, Table::Listings, Table::Heads] {
        for key in draft.keys(table, &id.0)? {
            draft.delete(table, key);
        }
    }
    Ok(PurgeOutcome::Purged)
}

/// Decides a put of the catalogue.
pub(crate) fn put(
    draft: &mut Draft<'_>,
    key: Vec<u8>,
    expect: Expect,
    body: &Bytes,
) -> Result<PutOutcome, StoreError> {
    let actual = catalogue_row(draft, &key)?.map(|row| row.version);
    let version = match (expect, actual) {
        (Expect::Absent, None) => 1,
        (Expect::Version(expected), Some(actual)) if expected == actual => actual + 1,
        _ => return Ok(PutOutcome::Conflict { actual }),
    };
    draft.put(Table::Catalogue, key, rows::versioned(version, body));
    Ok(PutOutcome::Stored { version })
}

/// Decides a delete of the catalogue.
pub(crate) fn delete(
    draft: &mut Draft<'_>,
    key: Vec<u8>,
    version: Option<u64>,
) -> Result<DeleteOutcome, StoreError> {
    let Some(row) = catalogue_row(draft, &key)? else { return Ok(DeleteOutcome::Absent) };
    if version.is_some_and(|version| version != row.version) {
        return Ok(DeleteOutcome::Conflict { actual: row.version });
    }
    draft.delete(Table::Catalogue, key);
    Ok(DeleteOutcome::Deleted)
}

/// Counts an opening of the store and says the how-many-th it is.
pub(crate) fn opening(draft: &mut Draft<'_>) -> Result<u64, StoreError> {
    let before = match draft.get(Table::Meta, rows::OPENINGS_KEY)? {
        Some(row) => rows::decode_openings(&row)?,
        None => 0,
    };
    let openings = before + 1;
    draft.put(Table::Meta, rows::OPENINGS_KEY, openings.to_be_bytes().to_vec());
    Ok(openings)
}

fn head(draft: &Draft<'_>, id: ExecutionId) -> Result<Option<Head>, StoreError> {
    draft.get(Table::Heads, &id.0)?.map(|row| Head::decode(&row)).transpose()
}

fn catalogue_row(draft: &Draft<'_>, key: &[u8]) -> Result<Option<Row>, StoreError> {
    let Some(row) = draft.get(Table::Catalogue, key)? else { return Ok(None) };
    let (version, body) = rows::decode_versioned(&row)?;
    Ok(Some(Row { version, body }))
}

/// Writes the list row and those of its index keys that changed.
fn put_listing(draft: &mut Draft<'_>, id: ExecutionId, listing: &Listing) -> Result<(), StoreError> {
    let keys = rows::list_keys(id, listing);
    let before = draft.get(Table::Listings, &id.0)?.map(|row| rows::decode_listing(&row)).transpose()?;
    let old = before.as_ref().map_or_else(Vec::new, |before| rows::list_keys(id, before));
    let status_before = before.map(|before| before.status);
    if status_before != Some(listing.status) {
        if let Some(status) = status_before {
            count(draft, status, -1)?;
        }
        count(draft, listing.status, 1)?;
    }
    for key in old.iter().filter(|key| !keys.contains(key)) {
        draft.delete(Table::ListIndex, key.clone());
    }
    for key in keys.into_iter().filter(|key| !old.contains(key)) {
        draft.put(Table::ListIndex, key, Bytes::new());
    }
    draft.put(Table::Listings, key_of(id), rows::encode_listing(listing));
    Ok(())
}

/// Counts list rows by status, so that how many there are is never asked of the rows. Within a group the draft holds the
/// count: a group pays for it once.
fn count(draft: &mut Draft<'_>, status: u8, by: i64) -> Result<(), StoreError> {
    let key = rows::count_key(status);
    let before = match draft.get(Table::Meta, &key)? {
        Some(row) => rows::decode_count(&key, &row)?.1,
        None => 0,
    };
    match before.saturating_add_signed(by) {
        0 => draft.delete(Table::Meta, key),
        count => draft.put(Table::Meta, key, count.to_be_bytes().to_vec()),
    }
    Ok(())
}

fn put_task(draft: &mut Draft<'_>, tasks: &mut Vec<TaskChange>, id: ExecutionId, entry: QueueEntry) {
    draft.put(Table::Tasks, rows::task_key(id, entry.key), rows::task_value(entry.enqueued_ms));
    draft.put(Table::Queues, rows::queue_key(id, entry), Bytes::new());
    tasks.push(TaskChange::Put { execution: id, entry });
}

/// Deletes a queue entry if it is there.
fn delete_task(
    draft: &mut Draft<'_>,
    tasks: &mut Vec<TaskChange>,
    id: ExecutionId,
    key: QueueKey,
) -> Result<(), StoreError> {
    let task_key = rows::task_key(id, key);
    let Some(row) = draft.get(Table::Tasks, &task_key)? else { return Ok(()) };
    let entry = QueueEntry { key, enqueued_ms: rows::decode_task_value(&row)? };
    draft.delete(Table::Tasks, task_key);
    draft.delete(Table::Queues, rows::queue_key(id, entry));
    tasks.push(TaskChange::Deleted { execution: id, key });
    Ok(())
}

fn key_of(id: ExecutionId) -> Bytes {
    Bytes::copy_from_slice(&id.0)
}
