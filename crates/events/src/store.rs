//! What must outlive the process: buses, rules, and deliveries that are owed. The server keeps them where it keeps its own.
//!
//! Rows are opaque JSON texts under a key, in three kinds. A crash between any two calls must leave each row whole, old
//! or new; no call spans two rows.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::future::BoxFuture;

/// The kinds of row; each has its own keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An event bus besides `default`.
    Bus,
    /// A rule with its targets.
    Rule,
    /// A delivery that is owed.
    Pending,
}

/// Where rows are kept. Errors are texts for the log and the client.
pub trait EventStore: Send + Sync + 'static {
    /// Writes a row, new or over an old one. `Ok` only once it is durable.
    fn put(&self, kind: Kind, key: String, row: String) -> BoxFuture<'_, Result<(), String>>;
    /// Removes a row, if it is there. It may come back after a crash only for [`Kind::Pending`].
    fn delete(&self, kind: Kind, key: String) -> BoxFuture<'_, Result<(), String>>;
    /// Every row of a kind, with its key.
    fn load(&self, kind: Kind) -> BoxFuture<'_, Result<Vec<(String, String)>, String>>;
}

/// Rows in memory: for tests, and for servers that keep nothing.
#[derive(Debug, Default)]
pub struct MemoryStore {
    rows: Mutex<BTreeMap<(Kind, String), String>>,
}

impl EventStore for MemoryStore {
    fn put(&self, kind: Kind, key: String, row: String) -> BoxFuture<'_, Result<(), String>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).insert((kind, key), row);
        Box::pin(async { Ok(()) })
    }

    fn delete(&self, kind: Kind, key: String) -> BoxFuture<'_, Result<(), String>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).remove(&(kind, key));
        Box::pin(async { Ok(()) })
    }

    fn load(&self, kind: Kind) -> BoxFuture<'_, Result<Vec<(String, String)>, String>> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let found = rows.iter().filter(|((k, _), _)| *k == kind);
        let found = found.map(|((_, key), row)| (key.clone(), row.clone())).collect();
        Box::pin(async { Ok(found) })
    }
}
