//! Log groups: what executions tell, kept as files, and the part of CloudWatch Logs' API that reads them.
//!
//! ```text
//!   offer ──► queue (bounded) ──► one thread: renders, appends ──► DIR/GROUP/00000001.log, 00000002.log, …
//!                │ no room                                               │
//!                └─► counted                   FilterLogEvents, … ◄──────┘
//! ```
//!
//! A group is a folder, a stream is a file of JSON lines. A stream that is full is followed by another, and a group that is
//! full loses its oldest streams. Lines are written and not synced: they survive the end of the process, and the last of
//! them may be lost with the machine. The crate refuses to know what an execution is: it keeps texts with times.

mod error;
mod filter;
mod folder;
mod logs;
mod operations;
mod recorder;
mod stream;

pub use error::LogsError;
pub use logs::{Logs, Place};
pub use recorder::{Batch, Recorder};

/// Milliseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "this is where the crate reads the time")]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
