//! How rows look as keys and values: the data format, in one file.
//!
//! Keys are built so that the order of their bytes is the order that a reader wants: big-endian numbers, signed
//! times shifted to unsigned, times of lists inverted (newest first). Changing anything here changes the
//! format: raise [`crate::FORMAT_VERSION`] with it.

use bytes::{Bytes, BytesMut};

use crate::{ExecutionId, Listing, QueueEntry, QueueId, QueueKey, Shard, StoreError, Timer};

/// What the store keeps of an execution beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) version: u64,
    /// The version whose state the checkpoint is; 0 if there is none.
    pub(crate) checkpoint: u64,
    /// How many timers are set: so that a purge knows whether it must look for any.
    pub(crate) timers: u32,
}

impl Head {
    pub(crate) const NEW: Self = Self { version: 0, checkpoint: 0, timers: 0 };

    pub(crate) fn encode(self) -> Bytes {
        let mut row = BytesMut::with_capacity(20);
        row.extend_from_slice(&self.version.to_be_bytes());
        row.extend_from_slice(&self.checkpoint.to_be_bytes());
        row.extend_from_slice(&self.timers.to_be_bytes());
        row.freeze()
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Self, StoreError> {
        let mut fields = Fields { row, what: "the head of an execution" };
        let head = Self {
            version: fields.u64()?,
            checkpoint: fields.u64()?,
            timers: u32::from_be_bytes(fields.array()?),
        };
        fields.end()?;
        Ok(head)
    }
}

pub(crate) fn chunk_key(execution: ExecutionId, version: u64) -> Vec<u8> {
    [&execution.0[..], &version.to_be_bytes()].concat()
}

pub(crate) fn chunk_version(key: &[u8]) -> Result<u64, StoreError> {
    let mut fields = Fields { row: key, what: "the key of a journal chunk" };
    fields.array::<16>()?;
    let version = fields.u64()?;
    fields.end()?;
    Ok(version)
}

/// A version in front of a body: checkpoints and catalogue rows.
pub(crate) fn versioned(version: u64, body: &[u8]) -> Bytes {
    let mut row = BytesMut::with_capacity(8 + body.len());
    row.extend_from_slice(&version.to_be_bytes());
    row.extend_from_slice(body);
    row.freeze()
}

pub(crate) fn decode_versioned(row: &Bytes) -> Result<(u64, Bytes), StoreError> {
    let mut fields = Fields { row, what: "a versioned row" };
    let version = fields.u64()?;
    Ok((version, row.slice(8..)))
}

const LISTING_FIXED: usize = 16 + 1 + 8 + 1;

/// Groups that one list row may be in besides its first: their number is one byte of the row.
pub(crate) const LISTING_ALSO_MAX: usize = u8::MAX as usize;

pub(crate) fn encode_listing(listing: &Listing) -> Bytes {
    let also = &listing.also[..listing.also.len().min(LISTING_ALSO_MAX)];
    let mut row = BytesMut::with_capacity(LISTING_FIXED + also.len() * 16 + listing.body.len());
    row.extend_from_slice(&listing.group);
    row.extend_from_slice(&[listing.status]);
    row.extend_from_slice(&listing.sort_ms.to_be_bytes());
    row.extend_from_slice(&[u8::try_from(also.len()).unwrap_or(u8::MAX)]);
    row.extend(also.iter().flatten());
    row.extend_from_slice(&listing.body);
    row.freeze()
}

pub(crate) fn decode_listing(row: &Bytes) -> Result<Listing, StoreError> {
    let mut fields = Fields { row, what: "a list row" };
    let group = fields.array()?;
    let [status] = fields.array()?;
    let sort_ms = i64::from_be_bytes(fields.array()?);
    let [groups] = fields.array()?;
    let also = (0..groups).map(|_| fields.array()).collect::<Result<Vec<_>, _>>()?;
    let body = row.slice(LISTING_FIXED + also.len() * 16..);
    Ok(Listing { group, also, status, sort_ms, body })
}

/// The part of a list index key that all filters have in common; also the cursor.
pub(crate) const LIST_POSITION_LEN: usize = 8 + 16;

/// The keys under which a list row is found: one per combination of filters.
pub(crate) fn list_keys(execution: ExecutionId, listing: &Listing) -> Vec<Vec<u8>> {
    let newest_first = !ordered(listing.sort_ms);
    let position = [&newest_first.to_be_bytes()[..], &execution.0].concat();
    let also = listing.also.iter().take(LISTING_ALSO_MAX).copied().map(Some);
    let groups = [None, Some(listing.group)].into_iter().chain(also);
    let filters = groups.flat_map(|group| [(group, None), (group, Some(listing.status))]);
    filters.map(|(group, status)| [&list_prefix(group, status)[..], &position].concat()).collect()
}

/// What the index keys of a filter begin with.
pub(crate) fn list_prefix(group: Option<[u8; 16]>, status: Option<u8>) -> Vec<u8> {
    let kind = u8::from(status.is_some()) | u8::from(group.is_some()) << 1;
    let mut key = vec![kind];
    key.extend(group.into_iter().flatten());
    key.extend(status);
    key
}

/// The end of a list index key: (where it stands, whose it is).
pub(crate) fn list_position(key: &Bytes) -> Result<(Bytes, ExecutionId), StoreError> {
    let Some(start) = key.len().checked_sub(LIST_POSITION_LEN) else {
        return Err(StoreError::Corrupt("the key of a list row is too short".into()));
    };
    let position = key.slice(start..);
    let mut execution = [0; 16];
    execution.copy_from_slice(&position[8..]);
    Ok((position, ExecutionId(execution)))
}

pub(crate) fn timer_key(execution: ExecutionId, timer: Timer) -> Vec<u8> {
    let due = ordered(timer.due_ms).to_be_bytes();
    [&[execution.shard().0][..], &due, &execution.0, &timer.id.to_be_bytes()].concat()
}

pub(crate) fn timer_prefix(shard: Shard) -> [u8; 1] {
    [shard.0]
}

pub(crate) fn decode_timer(key: &[u8]) -> Result<(ExecutionId, Timer), StoreError> {
    let mut fields = Fields { row: key, what: "the key of a timer" };
    fields.array::<1>()?;
    let due_ms = unordered(fields.u64()?);
    let execution = ExecutionId(fields.array()?);
    let id = fields.u64()?;
    fields.end()?;
    Ok((execution, Timer { due_ms, id }))
}

/// A queue entry of an execution, as the order of its queue has it.
pub(crate) fn queue_key(execution: ExecutionId, entry: QueueEntry) -> Vec<u8> {
    let QueueEntry { key: QueueKey { queue, task }, enqueued_ms } = entry;
    [&queue.0[..], &ordered(enqueued_ms).to_be_bytes(), &execution.0, &task.to_be_bytes()].concat()
}

pub(crate) fn decode_queue_key(key: &[u8]) -> Result<(ExecutionId, QueueEntry), StoreError> {
    let mut fields = Fields { row: key, what: "the key of a queue entry" };
    let queue = QueueId(fields.array()?);
    let enqueued_ms = unordered(fields.u64()?);
    let execution = ExecutionId(fields.array()?);
    let task = fields.u64()?;
    fields.end()?;
    Ok((execution, QueueEntry { key: QueueKey { queue, task }, enqueued_ms }))
}

/// The same entry, as its execution has it; the value is [`task_value`].
pub(crate) fn task_key(execution: ExecutionId, key: QueueKey) -> Vec<u8> {
    [&execution.0[..], &key.queue.0, &key.task.to_be_bytes()].concat()
}

pub(crate) fn decode_task_key(key: &[u8]) -> Result<QueueKey, StoreError> {
    let mut fields = Fields { row: key, what: "the key of a task" };
    fields.array::<16>()?;
    let queue = QueueId(fields.array()?);
    let task = fields.u64()?;
    fields.end()?;
    Ok(QueueKey { queue, task })
}

pub(crate) fn task_value(enqueued_ms: i64) -> Bytes {
    Bytes::copy_from_slice(&enqueued_ms.to_be_bytes())
}

pub(crate) fn decode_task_value(row: &[u8]) -> Result<i64, StoreError> {
    let mut fields = Fields { row, what: "a task" };
    let enqueued_ms = i64::from_be_bytes(fields.array()?);
    fields.end()?;
    Ok(enqueued_ms)
}

pub(crate) fn outbox_key(execution: ExecutionId, id: u64) -> Vec<u8> {
    [&execution.0[..], &id.to_be_bytes()].concat()
}

pub(crate) fn decode_outbox_key(key: &[u8]) -> Result<(ExecutionId, u64), StoreError> {
    let mut fields = Fields { row: key, what: "the key of an outbox row" };
    let execution = ExecutionId(fields.array()?);
    let id = fields.u64()?;
    fields.end()?;
    Ok((execution, id))
}

/// Ends the kind in a catalogue key; no kind may contain it.
pub(crate) const KIND_END: u8 = 0;

pub(crate) fn catalogue_key(kind: &str, key: &str) -> Vec<u8> {
    [kind.as_bytes(), &[KIND_END], key.as_bytes()].concat()
}

/// The counter of openings, in [`crate::kv::Table::Meta`].
pub(crate) const OPENINGS_KEY: &[u8] = b"openings";

pub(crate) fn decode_openings(row: &[u8]) -> Result<u64, StoreError> {
    let mut fields = Fields { row, what: "the count of openings" };
    let openings = fields.u64()?;
    fields.end()?;
    Ok(openings)
}

/// How many list rows have a status, in [`crate::kv::Table::Meta`]; absent for none.
pub(crate) fn count_key(status: u8) -> Vec<u8> {
    [COUNTS_PREFIX, &[status]].concat()
}

/// What the keys of these counts begin with.
pub(crate) const COUNTS_PREFIX: &[u8] = b"listed/";

/// The status of a count, and the count.
pub(crate) fn decode_count(key: &[u8], row: &[u8]) -> Result<(u8, u64), StoreError> {
    let mut fields = Fields { row: &key[COUNTS_PREFIX.len().min(key.len())..], what: "the key of a count" };
    let [status] = fields.array()?;
    fields.end()?;
    let mut fields = Fields { row, what: "a count" };
    let count = fields.u64()?;
    fields.end()?;
    Ok((status, count))
}

/// Maps signed numbers to unsigned ones of the same order.
fn ordered(time_ms: i64) -> u64 {
    time_ms.cast_unsigned() ^ (1 << 63)
}

fn unordered(time: u64) -> i64 {
    (time ^ (1 << 63)).cast_signed()
}

/// Takes fixed-size fields off a row, one after the other.
struct Fields<'r> {
    row: &'r [u8],
    what: &'static str,
}

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let (field, rest) = self.row.split_first_chunk().ok_or_else(|| self.damaged("is too short"))?;
        self.row = rest;
        Ok(*field)
    }

    fn u64(&mut self) -> Result<u64, StoreError> {
        self.array().map(u64::from_be_bytes)
    }

    fn end(&self) -> Result<(), StoreError> {
        if self.row.is_empty() { Ok(()) } else { Err(self.damaged("is too long")) }
    }

    fn damaged(&self, how: &str) -> StoreError {
        StoreError::Corrupt(format!("{} {how}", self.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: [i64; 6] = [i64::MIN, -1, 0, 1, 1_700_000_000_000, i64::MAX];

    #[test]
    fn keys_order_as_times_do() {
        let id = ExecutionId([9; 16]);
        for pair in TIMES.windows(2) {
            let [earlier, later] = [pair[0], pair[1]];
            let timer = |due_ms| timer_key(id, Timer { due_ms, id: 5 });
            assert!(timer(earlier) < timer(later));
            assert_eq!(decode_timer(&timer(later)).unwrap(), (id, Timer { due_ms: later, id: 5 }));
            let listing = |sort_ms| Listing {
                group: [1; 16],
                also: vec![[3; 16]],
                status: 2,
                sort_ms,
                body: Bytes::new(),
            };
            for (newer, older) in list_keys(id, &listing(later)).iter().zip(list_keys(id, &listing(earlier)))
            {
                assert!(*newer < older);
            }
        }
    }

    #[test]
    fn rows_read_back_as_written() {
        let id = ExecutionId([7; 16]);
        let head = Head { version: 3, checkpoint: 2, timers: 1 };
        assert_eq!(Head::decode(&head.encode()).unwrap(), head);
        for also in [vec![], vec![[1; 16], [2; 16]]] {
            let body = Bytes::from_static(b"row");
            let listing = Listing { group: [4; 16], also, status: 5, sort_ms: -6, body };
            assert_eq!(decode_listing(&encode_listing(&listing)).unwrap(), listing);
        }
        assert_eq!(decode_count(&count_key(7), &9_u64.to_be_bytes()).unwrap(), (7, 9));
        let key = QueueKey { queue: QueueId([8; 16]), task: 12 };
        let entry = QueueEntry { key, enqueued_ms: -3 };
        assert_eq!(decode_queue_key(&queue_key(id, entry)).unwrap(), (id, entry));
        assert_eq!(decode_task_key(&task_key(id, key)).unwrap(), key);
        assert_eq!(decode_task_value(&task_value(-3)).unwrap(), -3);
        assert_eq!(decode_outbox_key(&outbox_key(id, 9)).unwrap(), (id, 9));
        assert_eq!(chunk_version(&chunk_key(id, 77)).unwrap(), 77);
        let body = Bytes::from_static(b"body");
        assert_eq!(decode_versioned(&versioned(5, &body)).unwrap(), (5, body));
    }

    #[test]
    fn damaged_rows_are_refused() {
        for row in [&b""[..], &[0; 19], &[0; 21]] {
            assert!(matches!(Head::decode(row), Err(StoreError::Corrupt(_))));
        }
        assert!(matches!(decode_listing(&Bytes::from_static(b"x")), Err(StoreError::Corrupt(_))));
    }

    #[test]
    fn filters_have_keys_of_their_own() {
        let listing =
            Listing { group: [1; 16], also: vec![[4; 16]], status: 2, sort_ms: 3, body: Bytes::new() };
        let keys = list_keys(ExecutionId([5; 16]), &listing);
        let filters = [None, Some([1; 16]), Some([4; 16])].map(|group| [(group, None), (group, Some(2))]);
        for (index, (group, status)) in filters.into_iter().flatten().enumerate() {
            let prefix = list_prefix(group, status);
            let found: Vec<_> = keys.iter().filter(|key| key.starts_with(&prefix)).collect();
            assert_eq!(found, [&keys[index]]);
        }
    }
}
