//! A stream: a file whose first line names it, and a line of JSON for each event.
//!
//! A crash may leave half a line at the end; whoever opens the file cuts it off.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How much of a file's end is read when a server starts, to find its last line. A record is at most some 550 KiB: two
/// payloads of 248 KiB, and escapes.
const TAIL_BYTES: u64 = 2 << 20;

/// What is known of a stream without reading its file.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) created_ms: i64,
    pub(crate) first_ms: Option<i64>,
    pub(crate) last_ms: Option<i64>,
    pub(crate) ingested_ms: Option<i64>,
    pub(crate) bytes: u64,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    stream: String,
    created_ms: i64,
}

/// Every other line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    #[serde(rename = "t")]
    pub(crate) at_ms: i64,
    #[serde(rename = "i")]
    pub(crate) ingested_ms: i64,
    #[serde(rename = "m")]
    pub(crate) message: String,
}

impl Stream {
    /// Makes an empty one.
    pub(crate) fn create(path: PathBuf, name: String, created_ms: i64) -> io::Result<Stream> {
        let mut text = serde_json::to_string(&Header { stream: name.clone(), created_ms })?;
        text.push('\n');
        File::create_new(&path)?.write_all(text.as_bytes())?;
        let bytes = text.len() as u64;
        Ok(Stream { name, path, created_ms, first_ms: None, last_ms: None, ingested_ms: None, bytes })
    }

    /// Finds out about one that is there.
    pub(crate) fn open(path: PathBuf) -> io::Result<Stream> {
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        let mut head = BufReader::new(&file);
        let mut text = String::new();
        head.read_line(&mut text)?;
        let header: Header = serde_json::from_str(&text)?;
        text.clear();
        head.read_line(&mut text)?;
        let first: Option<Line> = serde_json::from_str(&text).ok();
        let whole = file.metadata()?.len();
        let from = whole.saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(from))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        let kept = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let bytes = from + kept as u64;
        file.set_len(bytes)?;
        let last = tail[..kept].split(|byte| *byte == b'\n').rev().find(|line| !line.is_empty());
        let last: Option<Line> = last.and_then(|line| serde_json::from_slice(line).ok());
        Ok(Stream {
            name: header.stream,
            path,
            created_ms: header.created_ms,
            first_ms: first.map(|line| line.at_ms),
            last_ms: last.as_ref().map(|line| line.at_ms),
            ingested_ms: last.map(|line| line.ingested_ms),
            bytes,
        })
    }

    /// Adds lines at the end.
    pub(crate) fn append(&mut self, lines: &[Line]) -> io::Result<()> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        if let Err(error) = file.write_all(&text) {
            // Half a line would spoil the next one.
            file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += text.len() as u64;
        self.first_ms = self.first_ms.or(lines.first().map(|line| line.at_ms));
        if let Some(last) = lines.last() {
            self.last_ms = Some(last.at_ms);
            self.ingested_ms = Some(last.ingested_ms);
        }
        Ok(())
    }

    /// All lines; none when the file is gone meanwhile.
    pub(crate) fn lines(&self) -> io::Result<Vec<Line>> {
        read_lines(&self.path, self.bytes)
    }
}

fn read_lines(path: &Path, bytes: u64) -> io::Result<Vec<Line>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut lines = Vec::new();
    // What is written after the stream was looked at may be half there.
    for line in BufReader::new(file.take(bytes)).split(b'\n').skip(1) {
        lines.extend(serde_json::from_slice::<Line>(&line?).ok());
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at_ms: i64) -> Line {
        Line { at_ms, ingested_ms: at_ms + 1, message: format!("at\n{at_ms}") }
    }

    #[test]
    fn what_was_appended_is_read_and_half_a_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.log");
        let mut stream = Stream::create(path.clone(), "a/b".into(), 5).unwrap();
        assert!(stream.lines().unwrap().is_empty());
        stream.append(&[line(10), line(20)]).unwrap();
        assert_eq!(stream.lines().unwrap(), [line(10), line(20)]);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"t\":30").unwrap();
        let mut again = Stream::open(path).unwrap();
        assert_eq!((&*again.name, again.created_ms, again.bytes), ("a/b", 5, stream.bytes));
        assert_eq!((again.first_ms, again.last_ms, again.ingested_ms), (Some(10), Some(20), Some(21)));
        again.append(&[line(30)]).unwrap();
        assert_eq!(again.lines().unwrap(), [line(10), line(20), line(30)]);
    }

    #[test]
    fn an_empty_stream_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.log");
        Stream::create(path.clone(), "s".into(), 5).unwrap();
        let stream = Stream::open(path).unwrap();
        assert_eq!((stream.first_ms, stream.last_ms), (None, None));
    }
}
