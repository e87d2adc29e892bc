//! Named rows that change seldom: machines, definitions, activities, functions, rules, tags.
//!
//! The catalogue knows a kind, a key and bytes. Writes are conditional, so that two administrators cannot
//! overwrite each other unseen; nothing else is promised about rows of different keys.

use bytes::Bytes;

use crate::{BoxFuture, Expect, StoreError};

/// Durable named rows.
pub trait Catalogue: Send + Sync + 'static {
    /// The row, if there is one.
    fn get<'a>(&'a self, kind: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Row>, StoreError>>;

    /// Writes the row if it is as expected. `Ok` only once durable.
    fn put<'a>(
        &'a self,
        kind: &'a str,
        key: &'a str,
        expect: Expect,
        body: Bytes,
    ) -> BoxFuture<'a, Result<PutOutcome, StoreError>>;

    /// Deletes the row, if it is at `version` (`None`: at whatever version it is).
    ///
    /// A row that is put again after a delete starts at version 1, so a version alone does not tell the two
    /// lives apart: a caller who must know puts something unique into the body.
    fn delete<'a>(
        &'a self,
        kind: &'a str,
        key: &'a str,
        version: Option<u64>,
    ) -> BoxFuture<'a, Result<DeleteOutcome, StoreError>>;

    /// Rows of a kind in the order of their keys' bytes, those behind `after`, at most `limit`.
    fn list<'a>(
        &'a self,
        kind: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Row)>, StoreError>>;
}

/// A row of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Counts the writes, from 1.
    pub version: u64,
    /// What was written.
    pub body: Bytes,
}

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// It is durable.
    Stored {
        /// The version that it made.
        version: u64,
    },
    /// The row was not as expected; nothing was written.
    Conflict {
        /// The version that the row is at; `None` if there is no row.
        actual: Option<u64>,
    },
}

/// What became of a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// The row is gone.
    Deleted,
    /// There was no row.
    Absent,
    /// The row is at another version; nothing was deleted.
    Conflict {
        /// That version.
        actual: u64,
    },
}
