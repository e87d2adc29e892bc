//! [`Buckets`]: the store itself, which the S3 endpoint and in-process callers share.
//!
//! It puts the parts together: index rows, blob files, the outbox and its dispatcher. What each operation does is in
//! `bucket`, `object`, `multipart` and `listing`. Refuses to know HTTP and S3's wire shapes.

use std::collections::HashSet;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::blobs::Blobs;
use crate::error::Error;
use crate::index::{Index, Table, decode};
use crate::outbox::{ObjectEvents, dispatch};
use crate::rows::{BucketRow, ObjectRow, PartRow};

/// S3's limit for the UTF-8 of a key.
const KEY_BYTES_MAX: usize = 1024;

/// Buckets and their objects in one folder. Clones share it; call [`close`](Buckets::close) before opening it again.
#[derive(Clone)]
pub struct Buckets {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) index: Arc<Index>,
    pub(crate) blobs: Blobs,
    changed: Arc<Notify>,
    dispatcher: Mutex<Option<JoinHandle<()>>>,
}

impl Buckets {
    /// Opens (or creates) the store in `dir`, removes what a crash left half done, and begins to deliver the object
    /// events that are still owed. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// When the folder cannot be used, is in use by another process, or has another version's format.
    pub async fn open(dir: impl AsRef<Path>, receiver: Arc<dyn ObjectEvents>) -> Result<Self, Error> {
        let dir = dir.as_ref().to_owned();
        let opened = tokio::task::spawn_blocking(move || open_files(&dir)).await;
        let (index, blobs) = opened.map_err(|e| Error::Index(e.to_string()))??;
        let (index, changed) = (Arc::new(index), Arc::new(Notify::new()));
        let dispatcher = tokio::spawn(dispatch(Arc::clone(&index), receiver, Arc::clone(&changed)));
        let inner = Inner { index, blobs, changed, dispatcher: Mutex::new(Some(dispatcher)) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Stops delivering events, waits for the writes that are queued, and closes the files. Later calls answer
    /// [`Error::Closing`] or [`Error::Index`].
    pub async fn close(&self) {
        if let Some(task) = self.inner.take_dispatcher() {
            task.abort();
            // It was cancelled on purpose: there is nothing to learn from how it ended.
            drop(task.await);
        }
        let index = Arc::clone(&self.inner.index);
        if let Err(error) = tokio::task::spawn_blocking(move || index.close()).await {
            tracing::error!(%error, "the bucket index did not close cleanly");
        }
    }
}

impl Inner {
    /// Wakes the dispatcher: the outbox has a new row.
    pub(crate) fn outbox_changed(&self) {
        self.changed.notify_one();
    }

    /// The row of an object, and that its bucket exists.
    pub(crate) fn object(&self, bucket: &str, key: &str) -> Result<ObjectRow, Error> {
        check_key(key)?;
        self.index.read(|view| {
            if let Some(row) = view.get(Table::Objects, &object_key(bucket, key))? {
                return Ok(row);
            }
            view.get::<BucketRow>(Table::Buckets, bucket.as_bytes())?.ok_or_else(|| no_bucket(bucket))?;
            Err(Error::NoSuchKey { key: key.to_owned() })
        })
    }

    /// The row of a bucket.
    pub(crate) fn bucket(&self, bucket: &str) -> Result<BucketRow, Error> {
        let row = self.index.read(|view| view.get(Table::Buckets, bucket.as_bytes()))?;
        row.ok_or_else(|| no_bucket(bucket))
    }

    fn take_dispatcher(&self) -> Option<JoinHandle<()>> {
        self.dispatcher.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(task) = self.take_dispatcher() {
            task.abort();
        }
    }
}

/// Runs the part of a write that must not stop half-way when its client goes away.
pub(crate) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(work).await.map_err(|e| Error::Index(format!("a write ended early: {e}")))?
}

pub(crate) fn object_key(bucket: &str, key: &str) -> Vec<u8> {
    // Bucket names have no NUL, so the rows of a bucket are one range, in the order of their keys' bytes.
    [bucket.as_bytes(), b"\0", key.as_bytes()].concat()
}

pub(crate) fn check_key(key: &str) -> Result<(), Error> {
    match key.len() {
        0 => Err(Error::InvalidArgument("An object's key needs at least one character.".into())),
        1..=KEY_BYTES_MAX => Ok(()),
        _ => Err(Error::KeyTooLong),
    }
}

pub(crate) fn no_bucket(bucket: &str) -> Error {
    Error::NoSuchBucket { bucket: bucket.to_owned() }
}

/// The crate's one look at the clock.
#[expect(clippy::disallowed_methods, reason = "the crate's one clock function")]
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn open_files(dir: &Path) -> Result<(Index, Blobs), Error> {
    std::fs::create_dir_all(dir)?;
    let index = Index::open(&dir.join("index"))?;
    let blobs = Blobs::open(dir)?;
    let orphans = blobs.remove_orphans(&named_blobs(&index)?)?;
    if orphans > 0 {
        tracing::info!(
            orphans,
            "removed blobs that no object names: an earlier run ended in the middle of writes"
        );
    }
    Ok((index, blobs))
}

/// Every blob that an object or a part names.
fn named_blobs(index: &Index) -> Result<HashSet<String>, Error> {
    index.read(|view| {
        let mut named = HashSet::new();
        for row in view.rows(Table::Objects, Bound::Unbounded) {
            let object: ObjectRow = decode(&row?.1)?;
            named.extend(object.segments.into_iter().map(|s| s.blob));
        }
        for row in view.rows(Table::Parts, Bound::Unbounded) {
            let part: PartRow = decode(&row?.1)?;
            named.insert(part.segment.blob);
        }
        Ok(named)
    })
}
