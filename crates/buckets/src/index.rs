//! The index: which buckets, objects, uploads and undelivered events there are. Rows in fjall, one committer.
//!
//! ```text
//!   write(decide) ──► queue ──► committer thread: decide, decide, decide ──► one batch, one sync ──► replies
//!   read(look)   ───────────────────────────────────────────────► a snapshot
//! ```
//!
//! A write is a closure that reads and changes rows through a [`Txn`]. The committer runs the closures of everybody who
//! waits, one after another, each seeing what those before it decided; it commits them as one batch with one sync, and
//! only then answers. So conditions (If-None-Match, "the bucket is empty") need no lock, and many small PUTs share a
//! sync. The road not taken is fjall's optimistic transactions: they retry under contention and sync once each.
//!
//! It refuses to know what the rows mean. After a failed commit nothing in memory is trusted: the database is closed and
//! recovered from its files before the next write.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use crate::error::Error;

/// What this program writes into `meta/format`.
const FORMAT: &str = "1";
/// Writes that wait for the committer; beyond it, writers wait for room. Far above what one disk sync collects.
const QUEUE_MAX: usize = 1024;
/// Writes that share one sync. Bounds the memory of a group and how long its first writer waits for the last.
const GROUP_MAX: usize = 512;
/// fjall keeps at most this much journal, hence replays at most this much at start. Its own least value.
const JOURNAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Rows cached in memory; they are small and few beside the blobs.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

const SEQUENCE: &[u8] = b"sequence";
const FORMAT_KEY: &[u8] = b"format";

/// The kinds of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    Meta,
    Buckets,
    Objects,
    Uploads,
    Parts,
    Outbox,
}

impl Table {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Meta, "meta"),
        (Self::Buckets, "buckets"),
        (Self::Objects, "objects"),
        (Self::Uploads, "uploads"),
        (Self::Parts, "parts"),
        (Self::Outbox, "outbox"),
    ];
}

/// A handle on the index of one folder.
pub(crate) struct Index {
    shared: Arc<Shared>,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

/// Decides within a transaction; what it returns is called with the outcome of the commit.
type Job = Box<dyn FnOnce(&mut Txn<'_>) -> Reply + Send>;
type Reply = Box<dyn FnOnce(Result<(), &str>) + Send>;

impl Index {
    /// Opens (or creates) the index in `dir`.
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        let tables = Tables::open(dir)?;
        let sequence = tables.check_meta()?;
        let shared = Arc::new(Shared { dir: dir.to_owned(), tables: RwLock::new(Some(tables)) });
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let committer = Committer { shared: Arc::clone(&shared), queue, sequence };
        let thread = std::thread::Builder::new()
            .name("bucket-committer".into())
            .spawn(move || committer.run())
            .map_err(Error::Disk)?;
        Ok(Self { shared, jobs: Mutex::new(Some(jobs)), committer: Mutex::new(Some(thread)) })
    }

    /// Decides a change and makes it durable. When `decide` fails nothing is written.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&mut Txn<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let jobs = lock(&self.jobs).clone().ok_or(Error::Closing)?;
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |txn| {
            let result = decide(txn);
            txn.refused = result.is_err();
            Box::new(move |committed| {
                let outcome = match committed {
                    Ok(()) => result,
                    Err(text) => Err(Error::Index(text.to_owned())),
                };
                // Nobody listens any more when the caller went away: the write stands all the same.
                drop(answer.send(outcome));
            })
        });
        jobs.send(job).await.map_err(|_| Error::Closing)?;
        // The committer drops what it cannot even decide.
        answered.await.map_err(|_| Error::Index(UNAVAILABLE.into()))?
    }

    /// Looks at one consistent moment of the index.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&View<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.shared.with_tables(|tables| look(&View { tables, snapshot: tables.database.snapshot() }))
    }

    /// Ends the committer once everything queued is durable, and closes the files.
    pub(crate) fn close(&self) {
        drop(lock(&self.jobs).take());
        if let Some(thread) = lock(&self.committer).take() {
            drop(thread.join());
        }
        *self.shared.tables.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What a write sees and changes: the rows, overlaid with what its group and itself decided so far.
pub(crate) struct Txn<'a> {
    tables: &'a Tables,
    group: &'a Changes,
    own: Changes,
    sequence: u64,
    refused: bool,
}

/// New values, or `None` for a removed row.
type Changes = BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>;

impl Txn<'_> {
    pub(crate) fn get<R: DeserializeOwned>(&self, table: Table, key: &[u8]) -> Result<Option<R>, Error> {
        let at = (table, key.to_owned());
        if let Some(changed) = self.own.get(&at).or_else(|| self.group.get(&at)) {
            return changed.as_deref().map(decode).transpose();
        }
        self.tables.keyspace(table).get(key).map_err(failed)?.as_deref().map(decode).transpose()
    }

    pub(crate) fn put<R: Serialize>(&mut self, table: Table, key: &[u8], row: &R) -> Result<(), Error> {
        let bytes =
            serde_json::to_vec(row).map_err(|e| Error::Index(format!("a row cannot be written: {e}")))?;
        self.own.insert((table, key.to_owned()), Some(bytes));
        Ok(())
    }

    pub(crate) fn remove(&mut self, table: Table, key: &[u8]) {
        self.own.insert((table, key.to_owned()), None);
    }

    /// The next number of a series that never repeats or goes back, over restarts too.
    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Every row whose key begins with `prefix`, in order. For rows that are few: the parts of one upload.
    pub(crate) fn scan<R: DeserializeOwned>(
        &self,
        table: Table,
        prefix: &[u8],
    ) -> Result<Vec<(Vec<u8>, R)>, Error> {
        let mut rows = BTreeMap::new();
        for guard in self.tables.keyspace(table).prefix(prefix) {
            let (key, value) = guard.into_inner().map_err(failed)?;
            rows.insert(key.to_vec(), Some(value.to_vec()));
        }
        for changes in [self.group, &self.own] {
            let begun = changes.range((table, prefix.to_owned())..);
            for ((_, key), value) in begun.take_while(|((t, k), _)| *t == table && k.starts_with(prefix)) {
                rows.insert(key.clone(), value.clone());
            }
        }
        let kept = rows.into_iter().filter_map(|(key, value)| value.map(|v| (key, v)));
        kept.map(|(key, value)| Ok((key, decode(&value)?))).collect()
    }

    /// Whether no row's key begins with `prefix`.
    pub(crate) fn is_empty(&self, table: Table, prefix: &[u8]) -> Result<bool, Error> {
        let under = |changes: &Changes| {
            let begun = changes.range((table, prefix.to_owned())..);
            begun.take_while(|((t, k), _)| *t == table && k.starts_with(prefix)).any(|(_, v)| v.is_some())
        };
        // A row put by the group and removed by us counts as there until the commit: refusing then is safe.
        if under(&self.own) || under(self.group) {
            return Ok(false);
        }
        for guard in self.tables.keyspace(table).prefix(prefix) {
            let at = (table, guard.key().map_err(failed)?.to_vec());
            let removed = self.own.get(&at).or_else(|| self.group.get(&at)).is_some_and(Option::is_none);
            if !removed {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// One moment of the committed rows.
pub(crate) struct View<'a> {
    tables: &'a Tables,
    snapshot: Snapshot,
}

impl View<'_> {
    pub(crate) fn get<R: DeserializeOwned>(&self, table: Table, key: &[u8]) -> Result<Option<R>, Error> {
        let row = self.snapshot.get(self.tables.keyspace(table), key).map_err(failed)?;
        row.as_deref().map(decode).transpose()
    }

    /// The rows from `from` on, in order of their keys; the caller stops when it has enough.
    pub(crate) fn rows(
        &self,
        table: Table,
        from: Bound<&[u8]>,
    ) -> impl Iterator<Item = Result<(fjall::UserKey, fjall::UserValue), Error>> + use<> {
        self.snapshot
            .range::<&[u8], _>(self.tables.keyspace(table), (from, Bound::Unbounded))
            .map(|guard| guard.into_inner().map_err(failed))
    }
}

/// Reads a row that [`View::rows`] found.
pub(crate) fn decode<R: DeserializeOwned>(bytes: &[u8]) -> Result<R, Error> {
    serde_json::from_slice(bytes).map_err(|e| Error::Index(format!("a row cannot be read: {e}")))
}

struct Shared {
    dir: PathBuf,
    /// `None` after a failed commit, until the files could be recovered.
    tables: RwLock<Option<Tables>>,
}

impl Shared {
    fn with_tables<T>(&self, look: impl FnOnce(&Tables) -> Result<T, Error>) -> Result<T, Error> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        look(tables.as_ref().ok_or_else(|| Error::Index(UNAVAILABLE.into()))?)
    }

    /// Closes the database and recovers it from its files.
    fn reopen(&self) -> Result<(), Error> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        *tables = None;
        *tables = Some(Tables::open(&self.dir)?);
        Ok(())
    }
}

const UNAVAILABLE: &str = "it failed to write and could not be recovered yet; is the disk full or broken?";

struct Tables {
    database: Database,
    keyspaces: Vec<Keyspace>,
}

impl Tables {
    fn open(dir: &Path) -> Result<Self, Error> {
        let database = Database::builder(dir)
            .worker_threads(1)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .cache_size(CACHE_BYTES)
            .open()
            .map_err(|e| Error::Index(format!("{} cannot be opened: {e}", dir.display())))?;
        let keyspaces = Table::ALL
            .iter()
            .map(|(_, name)| database.keyspace(name, KeyspaceCreateOptions::default).map_err(failed))
            .collect::<Result<_, _>>()?;
        Ok(Self { database, keyspaces })
    }

    fn keyspace(&self, table: Table) -> &Keyspace {
        &self.keyspaces[table as usize]
    }

    /// Refuses a foreign format, marks a new folder with ours, and returns the last sequence number given out.
    fn check_meta(&self) -> Result<u64, Error> {
        let meta = self.keyspace(Table::Meta);
        match meta.get(FORMAT_KEY).map_err(failed)? {
            Some(found) if *found == *FORMAT.as_bytes() => {}
            Some(found) => {
                let found = String::from_utf8_lossy(&found).into_owned();
                return Err(Error::Format { found, supported: FORMAT });
            }
            None => {
                meta.insert(FORMAT_KEY, FORMAT).map_err(failed)?;
                self.database.persist(PersistMode::SyncAll).map_err(failed)?;
            }
        }
        let sequence = meta.get(SEQUENCE).map_err(failed)?;
        Ok(sequence.and_then(|b| Some(u64::from_be_bytes((*b).try_into().ok()?))).unwrap_or(0))
    }
}

struct Committer {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Job>,
    sequence: u64,
}

impl Committer {
    fn run(mut self) {
        let mut group = Vec::new();
        while self.queue.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            let mut replies = Vec::with_capacity(group.len());
            let outcome = match self.decide_and_commit(group.drain(..), &mut replies) {
                Ok(()) => Ok(()),
                Err(error) => {
                    tracing::error!(%error, "the bucket index failed to write; recovering it from its files");
                    if let Err(error) = self.shared.reopen() {
                        tracing::error!(%error, "the bucket index could not be recovered yet");
                    }
                    Err(error.to_string())
                }
            };
            for reply in replies {
                reply(outcome.as_ref().copied().map_err(String::as_str));
            }
            group.clear();
        }
    }

    fn decide_and_commit(
        &mut self,
        jobs: impl Iterator<Item = Job>,
        replies: &mut Vec<Reply>,
    ) -> Result<(), Error> {
        let available = self.shared.with_tables(|_| Ok(()));
        if available.is_err() {
            self.shared.reopen()?;
        }
        let before = self.sequence;
        let mut sequence = before;
        self.shared.with_tables(|tables| {
            let mut changes = Changes::new();
            for job in jobs {
                let mut txn = Txn { tables, group: &changes, own: Changes::new(), sequence, refused: false };
                replies.push(job(&mut txn));
                let Txn { own, sequence: reached, refused, .. } = txn;
                // A refused write may have taken numbers; they stay unused.
                sequence = reached;
                if !refused {
                    changes.extend(own);
                }
            }
            if changes.is_empty() {
                return Ok(());
            }
            let mut batch = tables.database.batch().durability(Some(PersistMode::SyncData));
            for ((table, key), value) in changes {
                match value {
                    Some(value) => batch.insert(tables.keyspace(table), key, value),
                    None => batch.remove(tables.keyspace(table), key),
                }
            }
            batch.insert(tables.keyspace(Table::Meta), SEQUENCE, sequence.to_be_bytes());
            batch.commit().map_err(failed)
        })?;
        self.sequence = sequence;
        Ok(())
    }
}

fn failed(error: fjall::Error) -> Error {
    Error::Index(error.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(index: &Index) -> Vec<(String, u64)> {
        index
            .read(|view| {
                view.rows(Table::Objects, Bound::Unbounded)
                    .map(|row| {
                        let (key, value) = row?;
                        Ok((String::from_utf8_lossy(&key).into_owned(), decode(&value)?))
                    })
                    .collect()
            })
            .unwrap()
    }

    #[tokio::test]
    async fn writes_are_atomic_ordered_and_survive_a_reopen() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(dir.path()).unwrap();
        let first = index
            .write(|txn| {
                txn.put(Table::Objects, b"a", &1_u64)?;
                Ok(txn.next_sequence())
            })
            .await
            .unwrap();
        // A write that refuses leaves nothing behind.
        let refused: Result<(), Error> = index
            .write(|txn| {
                txn.put(Table::Objects, b"b", &2_u64)?;
                Err(Error::PreconditionFailed)
            })
            .await;
        assert!(matches!(refused, Err(Error::PreconditionFailed)));
        assert_eq!(all(&index), [("a".into(), 1)]);

        index.close();
        assert!(matches!(index.write(|_| Ok(())).await, Err(Error::Closing)));
        let index = Index::open(dir.path()).unwrap();
        assert_eq!(all(&index), [("a".into(), 1)]);
        let second = index.write(|txn| Ok(txn.next_sequence())).await.unwrap();
        assert!(second > first);
    }

    #[tokio::test]
    async fn a_group_sees_its_own_decisions() {
        let dir = tempfile::tempdir().unwrap();
        let index = Arc::new(Index::open(dir.path()).unwrap());
        // Sixty-four writers create the same row; exactly one may find it absent, in whatever group it lands.
        let writers = (0..64_u64).map(|n| {
            let index = Arc::clone(&index);
            tokio::spawn(async move {
                index
                    .write(move |txn| {
                        if txn.get::<u64>(Table::Objects, b"only")?.is_some() {
                            return Err(Error::PreconditionFailed);
                        }
                        txn.put(Table::Objects, b"only", &n)
                    })
                    .await
            })
        });
        let outcomes = futures::future::join_all(writers).await;
        assert_eq!(outcomes.into_iter().filter(|o| matches!(o, Ok(Ok(())))).count(), 1);

        let (empty, rows) = index
            .write(|txn| {
                let full = txn.is_empty(Table::Objects, b"o")?;
                txn.remove(Table::Objects, b"only");
                txn.put(Table::Objects, b"other", &7_u64)?;
                Ok((full, txn.scan::<u64>(Table::Objects, b"o")?))
            })
            .await
            .unwrap();
        assert!(!empty);
        assert_eq!(rows, [(b"other".to_vec(), 7)]);
    }

    #[tokio::test]
    async fn a_folder_of_another_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(dir.path()).unwrap();
        index
            .shared
            .with_tables(|t| t.keyspace(Table::Meta).insert(FORMAT_KEY, "99").map_err(failed))
            .unwrap();
        index.close();
        let refused = Index::open(dir.path()).err().expect("another format");
        assert!(matches!(refused, Error::Format { found, .. } if found == "99"));
    }
}
