//! Bytes on disk: fjall, a log-structured engine, as the key-value layer of the embedded store.
//!
//! The conditions under which it was chosen are kept here: one writer; a data sync per batch; reads of several
//! rows through one database snapshot (a plain `get` can see half a batch); a bounded journal, so that a
//! restart replays little; and after any failure of a write, no further write.

use std::path::Path;

use ::fjall::{
    CompressionType, Database, JournalRecoveryError, Keyspace, KeyspaceCreateOptions, PersistMode, Readable,
    Snapshot,
};
use bytes::Bytes;

use crate::folder::DataFolder;
use crate::kv::{KeyRange, Kv, RowWrite, ScannedRow, Table, View};
use crate::{Direction, StoreError, torn};

/// How much journal may pile up before the engine flushes the tables that hold it back: what a restart has to
/// replay, at about 0.5 s for this size.
const JOURNAL_BYTES_MAX: u64 = 128 << 20;

/// Memory for blocks read from disk.
const CACHE_BYTES: u64 = 64 << 20;

/// Rows of large tables that are held in memory before they are flushed.
const LARGE_MEMTABLE_BYTES: u64 = 16 << 20;

/// The same for tables of small rows.
const SMALL_MEMTABLE_BYTES: u64 = 8 << 20;

/// How the embedded store treats its disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// What an acknowledged write survives.
    pub durability: Durability,
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Everything that the disk survives: each group is synced before it is acknowledged.
    #[default]
    Sync,
    /// The end of the process but no power cut: nothing is synced. It exists to show that the crash test can
    /// tell the difference, and for measurements. Never for data that matters.
    None,
}

/// A database in a data folder. Fields drop in order: the engine closes before the folder is unlocked.
pub(crate) struct FjallKv {
    database: Database,
    tables: [Keyspace; Table::ALL.len()],
    durability: Durability,
    folder: DataFolder,
}

impl FjallKv {
    pub(crate) fn open(path: &Path, options: OpenOptions) -> Result<Self, StoreError> {
        let folder = DataFolder::open(path)?;
        let rows = folder.rows(|new| {
            let created = open_database(new).and_then(|(database, _)| database.persist(PersistMode::SyncAll));
            created.map_err(|error| failed("creating the database", &error))
        })?;
        let opened = match open_database(&rows) {
            Err(::fjall::Error::JournalRecovery(JournalRecoveryError::ChecksumMismatch))
                if torn::repair(&rows)? =>
            {
                open_database(&rows)
            }
            opened => opened,
        };
        let (database, tables) = opened.map_err(|error| failed("opening the database", &error))?;
        Ok(Self { database, tables, durability: options.durability, folder })
    }

    /// The engine's failure; one that it met in the background comes without its cause.
    fn write_failed(&self, error: &::fjall::Error) -> StoreError {
        if !matches!(error, ::fjall::Error::Poisoned) {
            return failed("writing", error);
        }
        let what = "the storage engine failed in the background";
        if self.folder.is_full() { StoreError::DiskFull(what.into()) } else { StoreError::Io(what.into()) }
    }
}

impl Kv for FjallKv {
    fn view(&self) -> Box<dyn View + '_> {
        Box::new(FjallView { snapshot: self.database.snapshot(), tables: &self.tables })
    }

    fn write(&self, rows: Vec<RowWrite>) -> Result<(), StoreError> {
        let persist = match self.durability {
            Durability::Sync => PersistMode::SyncData,
            Durability::None => PersistMode::Buffer,
        };
        let mut batch = self.database.batch().durability(Some(persist));
        for RowWrite { table, key, value } in rows {
            let table = &self.tables[table as usize];
            match value {
                Some(value) => batch.insert(table, key, value),
                None => batch.remove(table, key),
            }
        }
        batch.commit().map_err(|error| self.write_failed(&error))
    }

    fn may_block(&self) -> bool {
        true
    }

    fn bytes(&self) -> Result<u64, StoreError> {
        self.database.disk_space().map_err(|error| failed("measuring the database", &error))
    }

    fn health(&self) -> Result<(), StoreError> {
        // Flushes nothing that matters; fails if the engine has given up.
        self.database.persist(PersistMode::Buffer).map_err(|error| self.write_failed(&error))
    }
}

struct FjallView<'k> {
    snapshot: Snapshot,
    tables: &'k [Keyspace],
}

impl View for FjallView<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let value = self.snapshot.get(&self.tables[table as usize], key);
        Ok(value.map_err(|error| failed("reading", &error))?.map(Bytes::from))
    }

    fn scan<'v>(
        &'v self,
        table: Table,
        range: KeyRange,
        direction: Direction,
    ) -> Box<dyn Iterator<Item = ScannedRow> + 'v> {
        let rows = self.snapshot.range(&self.tables[table as usize], range);
        match direction {
            Direction::Forward => Box::new(rows.map(row)),
            Direction::Backward => Box::new(rows.rev().map(row)),
        }
    }
}

fn row(guard: ::fjall::Guard) -> ScannedRow {
    let (key, value) = guard.into_inner().map_err(|error| failed("reading", &error))?;
    Ok((Bytes::from(key), Bytes::from(value)))
}

fn open_database(path: &Path) -> ::fjall::Result<(Database, [Keyspace; Table::ALL.len()])> {
    let database = Database::builder(path)
        .max_journaling_size(JOURNAL_BYTES_MAX)
        .cache_size(CACHE_BYTES)
        // Recovery compresses each value again to compare checksums, so a compressed journal could not be read
        // after an upgrade of the compressor.
        .journal_compression(CompressionType::None)
        .open()?;
    let mut tables = Vec::new();
    for table in Table::ALL {
        let options = || KeyspaceCreateOptions::default().max_memtable_size(memtable_bytes(table));
        tables.push(database.keyspace(table.name(), options)?);
    }
    let tables = tables.try_into().ok().expect("one keyspace was opened for each table");
    Ok((database, tables))
}

fn memtable_bytes(table: Table) -> u64 {
    match table {
        Table::Chunks | Table::Checkpoints => LARGE_MEMTABLE_BYTES,
        _ => SMALL_MEMTABLE_BYTES,
    }
}

/// An engine failure in our words.
fn failed(doing: &str, error: &::fjall::Error) -> StoreError {
    use ::fjall::{Error, LsmError};
    match error {
        Error::Io(error) | Error::Storage(LsmError::Io(error)) => StoreError::io(doing, error),
        Error::JournalRecovery(_) | Error::InvalidTrailer | Error::InvalidTag(_) | Error::Decompress(_) => {
            StoreError::Corrupt(format!("{doing}: {error}"))
        }
        other => StoreError::Io(format!("{doing}: {other}")),
    }
}
