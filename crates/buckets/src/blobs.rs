//! Blob files: the bytes of objects and parts, under names that no client chose.
//!
//! ```text
//!   DIR/incoming/NAME   being written          ── fsync, rename, fsync of the folder ──►   DIR/blobs/NA/NAME
//! ```
//!
//! A blob is written once and never changed. It is durable before the index names it, and it is unlinked after the index
//! stopped naming it and the last reader that pinned it is done: so a reader of an overwritten object still gets the old
//! bytes, all of them. What a crash leaves unnamed is removed at the next start. Refuses to know buckets and keys: a key
//! like `../esc` cannot reach a path.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::digest::{Digests, Hasher};
use crate::error::Error;
use crate::rows::Segment;

/// Bytes gathered before they go to the file, and read from it at once: large enough that system calls do not matter,
/// small enough that a thousand transfers fit in memory.
const CHUNK_BYTES: usize = 256 * 1024;
/// Room that uploads leave on the disk, so that the index (whose failed write costs a recovery) never meets its end and
/// objects can still be deleted.
const RESERVE_BYTES: u64 = 32 * 1024 * 1024;
/// The blob folder has one subfolder for each first byte of a name.
const FOLDERS: u32 = 256;

/// The blob files of one folder.
pub(crate) struct Blobs {
    incoming: PathBuf,
    root: PathBuf,
    pins: Arc<Mutex<Pins>>,
}

impl Blobs {
    /// Opens (or creates) the folders, and empties `incoming`.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let (incoming, root) = (dir.join("incoming"), dir.join("blobs"));
        fs::create_dir_all(&incoming)?;
        for folder in 0..FOLDERS {
            fs::create_dir_all(root.join(format!("{folder:02x}")))?;
        }
        for path in [&root, dir] {
            fs::File::open(path)?.sync_all()?;
        }
        for left in fs::read_dir(&incoming)? {
            fs::remove_file(left?.path())?;
        }
        Ok(Self { incoming, root, pins: Arc::default() })
    }

    /// Removes the blobs that nothing in the index names: what a crash left. Call before the first write.
    pub(crate) fn remove_orphans(&self, named: &HashSet<String>) -> io::Result<usize> {
        let mut removed = 0;
        for folder in fs::read_dir(&self.root)? {
            for file in fs::read_dir(folder?.path())? {
                let file = file?;
                if !file.file_name().to_str().is_some_and(|name| named.contains(name)) {
                    fs::remove_file(file.path())?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    /// Refuses early when `bytes` more would eat into the reserve.
    pub(crate) fn require_room(&self, bytes: u64) -> Result<(), Error> {
        let disk = rustix::fs::statvfs(&self.root).map_err(io::Error::from)?;
        let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
        let wanted_bytes = bytes.saturating_add(RESERVE_BYTES);
        if free_bytes < wanted_bytes { Err(Error::DiskFull { free_bytes, wanted_bytes }) } else { Ok(()) }
    }

    /// Writes a stream of at most `bytes_max` to a new durable blob, hashing on the way.
    pub(crate) async fn write(
        &self,
        mut body: impl Stream<Item = Result<Bytes, Error>> + Unpin,
        mut hasher: Hasher,
        bytes_max: u64,
    ) -> Result<(NewBlob, Digests), Error> {
        let mut new = NewBlob::begin(&self.incoming);
        let mut file = tokio::fs::File::create_new(&new.path).await.map_err(|e| self.disk_error(e))?;
        let mut buffer = BytesMut::new();
        while let Some(bytes) = body.next().await {
            let bytes = bytes?;
            new.size += bytes.len() as u64;
            if new.size > bytes_max {
                return Err(Error::EntityTooLarge);
            }
            hasher.update(&bytes);
            buffer.extend_from_slice(&bytes);
            if buffer.len() >= CHUNK_BYTES {
                self.require_room(buffer.len() as u64)?;
                file.write_all(&buffer).await.map_err(|e| self.disk_error(e))?;
                buffer.clear();
            }
        }
        self.require_room(buffer.len() as u64)?;
        file.write_all(&buffer).await.map_err(|e| self.disk_error(e))?;
        // `flush` waits for the write that tokio does behind our back, and tells how it went.
        file.flush().await.map_err(|e| self.disk_error(e))?;
        file.sync_all().await.map_err(|e| self.disk_error(e))?;
        drop(file);
        let new = self.settle(new).await?;
        Ok((new, hasher.finish()))
    }

    /// Gives the bytes of an existing blob a second name, without copying them.
    pub(crate) async fn link(&self, of: &Segment) -> Result<NewBlob, Error> {
        self.require_room(0)?;
        let mut new = NewBlob::begin(&self.incoming);
        new.size = of.size;
        let from = self.path(&of.blob);
        tokio::fs::hard_link(&from, &new.path).await?;
        self.settle(new).await
    }

    /// Moves a finished file to where the index may name it.
    async fn settle(&self, mut new: NewBlob) -> Result<NewBlob, Error> {
        let to = self.path(&new.name);
        let moved = tokio::task::spawn_blocking(move || {
            fs::rename(&new.path, &to)?;
            let folder = to.parent().map(Path::to_owned);
            new.path = to;
            if let Some(folder) = folder {
                fs::File::open(folder)?.sync_all()?;
            }
            Ok(new)
        });
        moved.await.map_err(|e| Error::Disk(io::Error::other(e)))?.map_err(|e| self.disk_error(e))
    }

    /// Keeps the blobs of these segments from being unlinked until the pin is dropped. The caller must check *after*
    /// pinning that the index still names them.
    pub(crate) fn pin(&self, segments: &[Segment]) -> Pin {
        let names: Vec<String> = segments.iter().map(|s| s.blob.clone()).collect();
        let mut pins = lock(&self.pins);
        for name in &names {
            pins.entry(name.clone()).or_default().readers += 1;
        }
        drop(pins);
        Pin { names, root: self.root.clone(), pins: Arc::clone(&self.pins) }
    }

    /// Unlinks blobs that the index no longer names, now or when their last reader is done.
    pub(crate) fn remove(&self, segments: impl IntoIterator<Item = Segment>) {
        for Segment { blob, .. } in segments {
            if let Some(pin) = lock(&self.pins).get_mut(&blob) {
                pin.doomed = true;
                continue;
            }
            unlink(&self.path(&blob));
        }
    }

    /// The bytes of `range` within the segments laid end to end. The pin lives as long as the stream.
    pub(crate) fn read(
        &self,
        segments: &[Segment],
        range: Range<u64>,
        pin: Pin,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + use<> {
        let mut pieces = Vec::new();
        let mut begin = 0;
        for segment in segments {
            let end = begin + segment.size;
            let (from, to) = (range.start.max(begin), range.end.min(end));
            if from < to {
                pieces.push((self.path(&segment.blob), from - begin, to - from));
            }
            begin = end;
        }
        stream::iter(pieces.into_iter().map(Ok))
            .and_then(|(path, skip, length)| piece(path, skip, length))
            .try_flatten()
            .inspect(move |_| {
                // Owned by the stream for its whole life.
                let _held = &pin;
            })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name.get(..2).unwrap_or("00")).join(name)
    }

    fn disk_error(&self, error: io::Error) -> Error {
        if error.kind() == io::ErrorKind::StorageFull {
            return self.require_room(RESERVE_BYTES).err().unwrap_or(Error::Disk(error));
        }
        Error::Disk(error)
    }
}

/// A blob that no row names yet: gone when dropped, unless kept.
pub(crate) struct NewBlob {
    name: String,
    path: PathBuf,
    size: u64,
    kept: bool,
}

impl NewBlob {
    fn begin(incoming: &Path) -> Self {
        let name = uuid::Uuid::new_v4().simple().to_string();
        Self { path: incoming.join(&name), name, size: 0, kept: false }
    }

    /// How a row names it.
    pub(crate) fn segment(&self) -> Segment {
        Segment { blob: self.name.clone(), size: self.size }
    }

    /// A row names it now, or may: a crash or the next start decides.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        if !self.kept {
            unlink(&self.path);
        }
    }
}

type Pins = HashMap<String, PinCount>;

#[derive(Default)]
struct PinCount {
    readers: usize,
    doomed: bool,
}

/// A promise to a reader that some blobs stay.
pub(crate) struct Pin {
    names: Vec<String>,
    root: PathBuf,
    pins: Arc<Mutex<Pins>>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = lock(&self.pins);
        for name in &self.names {
            let Some(pin) = pins.get_mut(name) else { continue };
            pin.readers -= 1;
            if pin.readers == 0 {
                let doomed = pin.doomed;
                pins.remove(name);
                if doomed {
                    unlink(&self.root.join(name.get(..2).unwrap_or("00")).join(name));
                }
            }
        }
    }
}

/// A failed unlink costs space until the next start, which removes what no row names.
fn unlink(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, path = %path.display(), "a blob could not be removed"),
    }
}

async fn piece(
    path: PathBuf,
    skip: u64,
    length: u64,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + Sync> {
    let mut file = tokio::fs::File::open(path).await?;
    if skip > 0 {
        file.seek(io::SeekFrom::Start(skip)).await?;
    }
    Ok(stream::try_unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        let mut bytes = BytesMut::with_capacity(wanted);
        while bytes.len() < wanted {
            let mut rest = (&mut file).take((wanted - bytes.len()) as u64);
            if rest.read_buf(&mut bytes).await? == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "a blob is shorter than its row says",
                ));
            }
        }
        Ok(Some((bytes.freeze(), (file, left - wanted as u64))))
    }))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(pieces: &[&'static [u8]]) -> impl Stream<Item = Result<Bytes, Error>> + Unpin + use<> {
        stream::iter(pieces.iter().map(|p| Ok(Bytes::from_static(p))).collect::<Vec<_>>())
    }

    async fn text(blobs: &Blobs, segments: &[Segment], range: Range<u64>) -> io::Result<String> {
        let bytes: Vec<Bytes> = blobs.read(segments, range, blobs.pin(segments)).try_collect().await?;
        Ok(String::from_utf8(bytes.concat()).unwrap())
    }

    #[tokio::test]
    async fn segments_read_as_one_run_of_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let mut segments = Vec::new();
        for pieces in [&[b"hel" as &[u8], b"lo "][..], &[b""], &[b"world"]] {
            let (new, digests) = blobs.write(body(pieces), Hasher::default(), 100).await.unwrap();
            assert_eq!(digests.md5.len(), 16);
            segments.push(new.segment());
            new.keep();
        }
        for (range, expected) in [(0..11, "hello world"), (4..8, "o wo"), (6..11, "world"), (3..3, "")] {
            assert_eq!(text(&blobs, &segments, range).await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn what_is_not_kept_or_too_large_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let (new, _) = blobs.write(body(&[b"bytes"]), Hasher::default(), 100).await.unwrap();
        let path = new.path.clone();
        assert!(path.exists());
        drop(new);
        assert!(!path.exists());
        let refused = blobs.write(body(&[b"too", b"long"]), Hasher::default(), 5).await;
        assert!(matches!(refused, Err(Error::EntityTooLarge)));
        assert_eq!(fs::read_dir(dir.path().join("incoming")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_reader_keeps_the_old_bytes_and_the_last_one_removes_them() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let (new, _) = blobs.write(body(&[b"old"]), Hasher::default(), 100).await.unwrap();
        let (path, segment) = (new.path.clone(), new.segment());
        let linked = blobs.link(&segment).await.unwrap();
        let second = linked.segment();
        linked.keep();
        new.keep();
        let segments = [segment.clone()];
        let reader = blobs.read(&segments, 0..3, blobs.pin(&segments));
        blobs.remove([segment]);
        assert!(path.exists());
        let bytes: Vec<Bytes> = reader.try_collect().await.unwrap();
        assert_eq!(bytes.concat(), b"old");
        assert!(!path.exists());
        assert_eq!(text(&blobs, &[second], 0..3).await.unwrap(), "old");
    }

    #[tokio::test]
    async fn a_start_removes_what_no_row_names() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let mut names = Vec::new();
        for _ in 0..3 {
            let (new, _) = blobs.write(body(&[b"x"]), Hasher::default(), 100).await.unwrap();
            names.push(new.segment().blob);
            new.keep();
        }
        fs::write(dir.path().join("incoming/half"), b"hal").unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        assert_eq!(blobs.remove_orphans(&names[..1].iter().cloned().collect()).unwrap(), 2);
        assert_eq!(fs::read_dir(dir.path().join("incoming")).unwrap().count(), 0);
        assert_eq!(blobs.remove_orphans(&names.into_iter().collect()).unwrap(), 0);
    }
}
