//! The small key-value layer below the embedded store: ordered keys, snapshot reads, atomic batches.
//!
//! It exists so that the engine on disk and the model in memory share one key encoding and one set of rules,
//! and differ in nothing but where the bytes lie. It knows tables, keys and values; it refuses to know
//! versions, conditions or what a row is for. Conditions are resolved above it, by the one thread that writes
//! ([`Draft`] is what that thread decides on), because an engine's batch has none.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use crate::{Direction, StoreError};

/// The tables. Their order and names are part of the data format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Execution → version and bookkeeping.
    Heads,
    /// (Execution, version) → journal chunk.
    Chunks,
    /// Execution → the newest checkpoint.
    Checkpoints,
    /// Execution → list row.
    Listings,
    /// (Filter, time, execution) → nothing: the orders of lists.
    ListIndex,
    /// (Shard, due time, execution, timer) → nothing.
    Timers,
    /// (Queue, time, execution, task) → nothing: the order in which tasks are taken.
    Queues,
    /// (Execution, queue, task) → since when it is queued.
    Tasks,
    /// (Execution, id) → effect to perform.
    Outbox,
    /// (Kind, key) → named row.
    Catalogue,
    /// The store's own notes.
    Meta,
}

impl Table {
    /// Every table, in order.
    pub(crate) const ALL: [Self; 11] = [
        Self::Heads,
        Self::Chunks,
        Self::Checkpoints,
        Self::Listings,
        Self::ListIndex,
        Self::Timers,
        Self::Queues,
        Self::Tasks,
        Self::Outbox,
        Self::Catalogue,
        Self::Meta,
    ];

    /// The table's name on disk.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Heads => "heads",
            Self::Chunks => "chunks",
            Self::Checkpoints => "checkpoints",
            Self::Listings => "listings",
            Self::ListIndex => "list_index",
            Self::Timers => "timers",
            Self::Queues => "queues",
            Self::Tasks => "tasks",
            Self::Outbox => "outbox",
            Self::Catalogue => "catalogue",
            Self::Meta => "meta",
        }
    }
}

/// A range of keys.
pub(crate) type KeyRange = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// A key with its value, or the failure to read it.
pub(crate) type ScannedRow = Result<(Bytes, Bytes), StoreError>;

/// Where the bytes lie.
pub(crate) trait Kv: Send + Sync + 'static {
    /// Everything as of now; later writes do not show in it.
    fn view(&self) -> Box<dyn View + '_>;

    /// Writes the rows, all or none, and returns when they are durable. Called by one thread only.
    fn write(&self, rows: Vec<RowWrite>) -> Result<(), StoreError>;

    /// Whether calls may wait for a disk, so that they must not run on a thread that serves others.
    fn may_block(&self) -> bool;

    /// Bytes that it takes.
    fn bytes(&self) -> Result<u64, StoreError>;

    /// Whether the engine still works; asked when a write takes suspiciously long.
    fn health(&self) -> Result<(), StoreError>;
}

/// One moment of the data.
pub(crate) trait View {
    /// The value under a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// The rows of a range in the order of their keys, or against it.
    fn scan<'v>(
        &'v self,
        table: Table,
        range: KeyRange,
        direction: Direction,
    ) -> Box<dyn Iterator<Item = ScannedRow> + 'v>;
}

/// A row to be written (`value` is there) or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowWrite {
    /// Where.
    pub(crate) table: Table,
    /// Under which key.
    pub(crate) key: Bytes,
    /// What; `None` deletes.
    pub(crate) value: Option<Bytes>,
}

/// A view with the changes that are to be written on top of it. Reading sees the changes, so that the members
/// of a group are decided in order.
pub(crate) struct Draft<'v> {
    view: Box<dyn View + 'v>,
    changes: [BTreeMap<Bytes, Option<Bytes>>; Table::ALL.len()],
}

impl<'v> Draft<'v> {
    pub(crate) fn new(view: Box<dyn View + 'v>) -> Self {
        Self { view, changes: Default::default() }
    }

    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        match self.changes[table as usize].get(key) {
            Some(change) => Ok(change.clone()),
            None => self.view.get(table, key),
        }
    }

    pub(crate) fn contains(&self, table: Table, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.get(table, key)?.is_some())
    }

    pub(crate) fn put(&mut self, table: Table, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.changes[table as usize].insert(key.into(), Some(value.into()));
    }

    pub(crate) fn delete(&mut self, table: Table, key: impl Into<Bytes>) {
        self.changes[table as usize].insert(key.into(), None);
    }

    /// The keys that begin with `prefix`, with the changes applied.
    pub(crate) fn keys(&self, table: Table, prefix: &[u8]) -> Result<Vec<Bytes>, StoreError> {
        let changes = &self.changes[table as usize];
        let mut keys = Vec::new();
        for row in self.view.scan(table, prefixed(prefix), Direction::Forward) {
            let (key, _) = row?;
            if !changes.contains_key(&key) {
                keys.push(key);
            }
        }
        let changed = changes.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded));
        let changed = changed.take_while(|(key, _)| key.starts_with(prefix));
        keys.extend(changed.filter(|(_, value)| value.is_some()).map(|(key, _)| key.clone()));
        Ok(keys)
    }

    /// The changes, each key once.
    pub(crate) fn into_rows(self) -> Vec<RowWrite> {
        let tables = Table::ALL.into_iter().zip(self.changes);
        tables
            .flat_map(|(table, changes)| {
                changes.into_iter().map(move |(key, value)| RowWrite { table, key, value })
            })
            .collect()
    }
}

/// The keys that begin with `prefix`.
pub(crate) fn prefixed(prefix: &[u8]) -> KeyRange {
    (Bound::Included(prefix.to_vec()), prefix_end(prefix))
}

/// Where the keys that begin with `prefix` end.
pub(crate) fn prefix_end(prefix: &[u8]) -> Bound<Vec<u8>> {
    match prefix.iter().rposition(|byte| *byte != u8::MAX) {
        Some(last) => {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            Bound::Excluded(end)
        }
        None => Bound::Unbounded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_its_last_byte_that_can_grow_has_grown() {
        assert_eq!(prefix_end(&[1, 2]), Bound::Excluded(vec![1, 3]));
        assert_eq!(prefix_end(&[1, 255, 255]), Bound::Excluded(vec![2]));
        assert_eq!(prefix_end(&[255]), Bound::Unbounded);
        assert_eq!(prefix_end(&[]), Bound::Unbounded);
    }

    #[test]
    fn tables_are_numbered_in_their_order_and_named_once() {
        for (index, table) in Table::ALL.into_iter().enumerate() {
            assert_eq!(table as usize, index);
        }
        let names: std::collections::HashSet<_> = Table::ALL.iter().map(|table| table.name()).collect();
        assert_eq!(names.len(), Table::ALL.len());
    }
}
