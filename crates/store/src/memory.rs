//! Bytes in memory: the model that the engine on disk is compared with, and what fast tests run on.
//!
//! A [`MemoryDisk`] outlives the stores that are opened on it, so a test can "restart" as it would with a data
//! folder. It can be told to fail: at the n-th write, before or after the rows are there, because a write whose
//! answer is an error may have happened.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;

use crate::kv::{KeyRange, Kv, RowWrite, ScannedRow, Table, View};
use crate::{Direction, StoreError};

type Tables = [BTreeMap<Bytes, Bytes>; Table::ALL.len()];

/// What a test wants to go wrong with a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written and this error is answered.
    Lost(StoreError),
    /// Everything is written, and yet this error is answered.
    Written(StoreError),
}

/// Asked before each write, with the number of writes before it.
pub type FaultHook = Arc<dyn Fn(usize) -> Option<Fault> + Send + Sync>;

/// Data that lives as long as the process. Clones are the same disk.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    tables: Arc<RwLock<Tables>>,
    faults: Option<FaultHook>,
    writes: Arc<std::sync::atomic::AtomicUsize>,
}

impl MemoryDisk {
    /// The same data behind a hook that may make writes fail; counts writes from here.
    #[must_use]
    pub fn with_faults(&self, hook: FaultHook) -> Self {
        Self { tables: Arc::clone(&self.tables), faults: Some(hook), writes: Arc::default() }
    }

    /// How many rows each table has; those without rows are left out.
    pub fn row_counts(&self) -> Vec<(Table, usize)> {
        let tables = self.read();
        let counts = Table::ALL.into_iter().map(|table| (table, tables[table as usize].len()));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("MemoryDisk").field(&self.row_counts()).finish()
    }
}

impl Kv for MemoryDisk {
    fn view(&self) -> Box<dyn View + '_> {
        Box::new(MemoryView(self.read()))
    }

    fn write(&self, rows: Vec<RowWrite>) -> Result<(), StoreError> {
        let before = self.writes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let fault = self.faults.as_ref().and_then(|hook| hook(before));
        if let Some(Fault::Lost(error)) = fault {
            return Err(error);
        }
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        for RowWrite { table, key, value } in rows {
            match value {
                Some(value) => tables[table as usize].insert(key, value),
                None => tables[table as usize].remove(&key),
            };
        }
        match fault {
            Some(Fault::Written(error)) => Err(error),
            _ => Ok(()),
        }
    }

    fn may_block(&self) -> bool {
        false
    }

    fn bytes(&self) -> Result<u64, StoreError> {
        let rows = self.read().iter().flatten().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        Ok(rows as u64)
    }

    fn health(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Holding the lock is the snapshot: nothing is written while it is open.
struct MemoryView<'d>(RwLockReadGuard<'d, Tables>);

impl View for MemoryView<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.0[table as usize].get(key).cloned())
    }

    fn scan<'v>(
        &'v self,
        table: Table,
        range: KeyRange,
        direction: Direction,
    ) -> Box<dyn Iterator<Item = ScannedRow> + 'v> {
        if is_empty(&range) {
            return Box::new(std::iter::empty());
        }
        let (start, end) = &range;
        let bounds = (start.as_ref().map(Vec::as_slice), end.as_ref().map(Vec::as_slice));
        let rows = self.0[table as usize].range::<[u8], _>(bounds);
        let rows = rows.map(|(key, value)| Ok((key.clone(), value.clone())));
        match direction {
            Direction::Forward => Box::new(rows),
            Direction::Backward => Box::new(rows.rev()),
        }
    }
}

/// Whether a range can hold no key; the standard map panics at those.
fn is_empty(range: &KeyRange) -> bool {
    match range {
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => {
            start >= end
        }
        _ => false,
    }
}
