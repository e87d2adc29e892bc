//! What a sandbox wrote to its standard output and error: the last lines kept in memory, every line passed to
//! `tracing` under the target `lambda::function`.
//!
//! It knows lines and their limits, not who writes. Nothing goes to disk: that is the subscriber's business.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Log kept per sandbox, in bytes: sixteen times what an Invoke with `LogType=Tail` may ask for.
const KEPT_BYTES_MAX: usize = 64 * 1024;
/// A line without an end is cut here, so that a function which prints binary cannot grow without bound.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// What `LogType=Tail` returns at most, in bytes (AWS: 4 KB).
pub const TAIL_BYTES_MAX: usize = 4 * 1024;

/// The log of one sandbox; clones share it.
#[derive(Clone, Debug)]
pub struct Logs {
    function: Arc<str>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    bytes: usize,
    /// Lines ever written: a mark is a value of this.
    count: u64,
}

/// A place in a log: what is written later comes after it.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

impl Logs {
    /// An empty log of a function's sandbox.
    pub fn new(function: &str) -> Logs {
        Logs { function: function.into(), kept: Arc::default() }
    }

    /// The place after the last line.
    pub fn mark(&self) -> Mark {
        Mark(self.kept().count)
    }

    /// The lines since a mark that are still kept.
    pub fn since(&self, mark: Mark) -> Vec<String> {
        let kept = self.kept();
        let wanted = usize::try_from(kept.count.saturating_sub(mark.0)).unwrap_or(usize::MAX);
        kept.lines.iter().skip(kept.lines.len().saturating_sub(wanted)).cloned().collect()
    }

    /// The last few lines as one text, for error messages.
    pub fn last(&self, lines: usize) -> String {
        let kept = self.kept();
        let from = kept.lines.len().saturating_sub(lines);
        kept.lines.iter().skip(from).map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Adds a line.
    pub fn line(&self, line: &str) {
        tracing::info!(target: "lambda::function", function = &*self.function, "{line}");
        let mut kept = self.kept();
        kept.bytes += line.len();
        kept.count += 1;
        kept.lines.push_back(line.to_owned());
        while kept.bytes > KEPT_BYTES_MAX {
            let Some(oldest) = kept.lines.pop_front() else { break };
            kept.bytes -= oldest.len();
        }
    }

    /// Reads a stream to its end, line by line.
    pub async fn follow(self, mut stream: impl AsyncRead + Unpin) {
        let mut lines = Lines::default();
        let mut chunk = vec![0; 8 * 1024];
        // A pipe that fails to read is as good as closed: the runtime's exit says the rest.
        while let Ok(read @ 1..) = stream.read(&mut chunk).await {
            lines.push(&chunk[..read], |line| self.line(line));
        }
        lines.finish(|line| self.line(line));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cuts a stream of bytes into lines.
#[derive(Default)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(&str)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.0.extend_from_slice(&bytes[..end]);
            self.finish(&mut each);
            bytes = &bytes[end + 1..];
        }
        self.0.extend_from_slice(bytes);
        if self.0.len() >= LINE_BYTES_MAX {
            self.finish(each);
        }
    }

    /// Gives out what is held as a line, cut into pieces if it is too long for one.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(&str)) {
        for piece in self.0.chunks(LINE_BYTES_MAX) {
            each(String::from_utf8_lossy(piece).trim_end_matches('\r'));
        }
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_cut_into_lines() {
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        for bytes in [&b"one\ntw"[..], b"o\r\n", b"thr", b"ee"] {
            lines.push(bytes, |line| seen.push(line.to_owned()));
        }
        assert_eq!(seen, ["one", "two"]);
        lines.finish(|line| seen.push(line.to_owned()));
        assert_eq!(seen, ["one", "two", "three"]);
    }

    #[test]
    fn an_endless_line_is_cut() {
        let (mut lines, mut lengths) = (Lines::default(), Vec::new());
        for _ in 0..5 {
            lines.push(&[b'x'; LINE_BYTES_MAX / 2], |line| lengths.push(line.len()));
        }
        assert_eq!(lengths, [LINE_BYTES_MAX, LINE_BYTES_MAX]);
    }

    #[test]
    fn old_lines_make_room_and_marks_still_hold() {
        let logs = Logs::new("f");
        logs.line("before");
        let mark = logs.mark();
        logs.line("after");
        assert_eq!(logs.since(mark), ["after"]);
        let line = "x".repeat(1024);
        for _ in 0..200 {
            logs.line(&line);
        }
        assert_eq!(logs.since(mark).len(), KEPT_BYTES_MAX / 1024);
        assert_eq!(logs.last(2), format!("{line}\n{line}"));
    }
}
