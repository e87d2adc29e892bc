//! A log group's folder: its record, and its streams in the order in which they were begun.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::stream::{Line, Stream};

/// How large streams and groups may become.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Bytes of a stream; the next event begins another. It is what a reader of a page has to go through.
    stream_bytes: u64,
    /// Bytes of a group; past that its oldest streams go.
    group_bytes: u64,
    /// Streams of a group: a machine that tells little has one for each start of the server.
    streams: usize,
}

const BOUNDS: Bounds = Bounds { stream_bytes: 8 << 20, group_bytes: 256 << 20, streams: 1000 };

const RECORD: &str = "group.json";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What a group is beside its events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) created_ms: i64,
    pub(crate) retention_days: Option<i64>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// A group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) record: Record,
    pub(crate) streams: Vec<Stream>,
    folder: PathBuf,
    bounds: Bounds,
    next_file: u64,
    /// The streams that are being written to, by what their names begin with.
    current: BTreeMap<String, String>,
}

impl Group {
    pub(crate) fn create(root: &Path, record: Record) -> io::Result<Group> {
        let folder = root.join(folder_name(&record.name));
        fs::create_dir_all(&folder)?;
        let group = Group {
            record,
            streams: Vec::new(),
            folder,
            bounds: BOUNDS,
            next_file: 1,
            current: BTreeMap::new(),
        };
        group.save()?;
        Ok(group)
    }

    /// A group that is there; `None` when the folder is not one.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Option<Group>> {
        let record = match fs::read(folder.join(RECORD)) {
            Ok(record) => serde_json::from_slice(&record)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut files: Vec<(u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            if let (Some(number), Some("log")) = (number, path.extension().and_then(|end| end.to_str())) {
                files.push((number, path));
            }
        }
        files.sort();
        let next_file = files.last().map_or(1, |(number, _)| number + 1);
        let mut streams = Vec::with_capacity(files.len());
        for (_, path) in files {
            match Stream::open(path.clone()) {
                Ok(stream) => streams.push(stream),
                Err(error) => tracing::warn!(path = %path.display(), %error, "a log stream cannot be read"),
            }
        }
        Ok(Some(Group { record, streams, folder, bounds: BOUNDS, next_file, current: BTreeMap::new() }))
    }

    /// Writes the record: whole or not at all.
    pub(crate) fn save(&self) -> io::Result<()> {
        let fresh = self.folder.join("group.json.new");
        fs::write(&fresh, serde_json::to_vec(&self.record)?)?;
        fs::rename(fresh, self.folder.join(RECORD))
    }

    pub(crate) fn remove(self) -> io::Result<()> {
        // Without its record a folder is no group, should the rest fail.
        fs::remove_file(self.folder.join(RECORD))?;
        fs::remove_dir_all(self.folder)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.streams.iter().map(|stream| stream.bytes).sum()
    }

    /// Appends to the stream of this prefix. `fresh` names the next one.
    pub(crate) fn append(
        &mut self,
        prefix: &str,
        lines: &[Line],
        now_ms: i64,
        fresh: impl FnOnce() -> String,
    ) -> io::Result<()> {
        let current = self.current.get(prefix);
        let place = current.and_then(|name| self.streams.iter().rposition(|stream| stream.name == *name));
        let place = match place.filter(|place| self.streams[*place].bytes < self.bounds.stream_bytes) {
            Some(place) => place,
            None => {
                self.make_room(now_ms);
                let path = self.folder.join(format!("{:08}.log", self.next_file));
                let stream = Stream::create(path, fresh(), now_ms)?;
                self.next_file += 1;
                self.current.insert(prefix.to_owned(), stream.name.clone());
                self.streams.push(stream);
                self.streams.len() - 1
            }
        };
        self.streams[place].append(lines)
    }

    /// Lets go of what is too old, and of the oldest when there is too much.
    pub(crate) fn make_room(&mut self, now_ms: i64) {
        let oldest_ms = self.record.retention_days.map_or(i64::MIN, |days| now_ms - days * DAY_MS);
        let bounds = self.bounds;
        let mut bytes = self.bytes();
        let mut count = self.streams.len();
        let mut gone = Vec::new();
        self.streams.retain(|stream| {
            let old = stream.last_ms.unwrap_or(stream.created_ms) < oldest_ms;
            let full = bytes > bounds.group_bytes - bounds.stream_bytes || count >= bounds.streams;
            let go = old || full;
            if go {
                bytes -= stream.bytes;
                count -= 1;
                gone.push(stream.path.clone());
            }
            !go
        });
        for path in gone {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "an old log stream cannot be removed");
            }
        }
    }
}

/// A folder for any name of a group: what one can read of it, and a hash of the whole.
fn folder_name(group: &str) -> String {
    /// A path's component may have 255 bytes.
    const READABLE_MAX: usize = 100;
    let readable: String = (group.chars())
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
        .take(READABLE_MAX)
        .collect();
    format!("{readable}-{}", hex::encode(&Sha256::digest(group.as_bytes())[..8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(root: &Path) -> Group {
        let record = Record { name: "/a".into(), created_ms: 1, retention_days: None, tags: BTreeMap::new() };
        Group::create(root, record).unwrap()
    }

    fn line(at_ms: i64, bytes: usize) -> Line {
        Line { at_ms, ingested_ms: at_ms, message: "x".repeat(bytes) }
    }

    #[test]
    fn streams_follow_each_other_and_the_oldest_go() {
        let root = tempfile::tempdir().unwrap();
        let mut group = group(root.path());
        group.bounds = Bounds { stream_bytes: 1000, group_bytes: 10_000, streams: 1000 };
        for number in 0..13 {
            group.append("p", &[line(number, 1000)], 0, || format!("p/{number}")).unwrap();
        }
        assert!(group.bytes() <= 11_500, "{}", group.bytes());
        assert_ne!(group.streams[0].name, "p/0");
        let names = |group: &Group| group.streams.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
        let kept = names(&group);
        let again = Group::open(root.path().join(folder_name("/a"))).unwrap().unwrap();
        assert_eq!((names(&again), &again.record), (kept, &group.record));
        assert_eq!(again.next_file, group.next_file);
        group.bounds.streams = 3;
        group.append("other", &[line(20, 1)], 0, || "other/1".into()).unwrap();
        assert_eq!(group.streams.len(), 3);
    }

    #[test]
    fn what_is_older_than_the_retention_goes() {
        let root = tempfile::tempdir().unwrap();
        let mut group = group(root.path());
        group.append("old", &[line(0, 1)], 0, || "old/1".into()).unwrap();
        group.append("new", &[line(3 * DAY_MS, 1)], 0, || "new/1".into()).unwrap();
        group.record.retention_days = Some(1);
        group.make_room(3 * DAY_MS + 1);
        assert_eq!(group.streams.len(), 1);
        assert_eq!(group.streams[0].name, "new/1");
        // The stream that went is not written to again.
        group.append("old", &[line(3 * DAY_MS, 1)], 3 * DAY_MS, || "old/2".into()).unwrap();
        assert_eq!(group.streams[1].name, "old/2");
    }
}
