//! The journal's bytes: what one step changed and what it told the history, and checkpoints of whole executions.
//!
//! A chunk begins with the version of its format, so that no engine mistakes what another one wrote. There is no release
//! yet, and so no older format that has to be read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::apply::Transition;
use crate::change::Change;
use crate::execution::Execution;
use crate::history::HistoryEvent;
use crate::payload::PayloadId;

/// The format that this engine writes.
const FORMAT: u8 = 3;

/// One step, as the journal keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Chunk {
    /// What to redo.
    pub changes: Vec<Change>,
    /// What to show.
    pub history: Vec<HistoryEvent>,
}

/// Bytes that are no chunk or checkpoint of a known format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalError {
    /// The format is not that of this engine, or there are no bytes at all.
    UnknownFormat(Option<u8>),
    /// The bytes do not fit the format.
    Damaged(String),
}

impl std::fmt::Display for JournalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            JournalError::UnknownFormat(Some(format)) => {
                write!(
                    f,
                    "the journal has format {format}, this engine reads {FORMAT}; use the release that wrote it"
                )
            }
            JournalError::UnknownFormat(None) => write!(f, "a journal entry is empty"),
            JournalError::Damaged(why) => write!(f, "a journal entry cannot be read: {why}"),
        }
    }
}

impl std::error::Error for JournalError {}

#[derive(Serialize)]
struct ChunkRef<'a> {
    changes: &'a [Change],
    history: &'a [HistoryEvent],
}

impl Transition {
    /// The bytes of this step.
    pub fn encode(&self) -> Vec<u8> {
        encode(&ChunkRef { changes: &self.changes, history: &self.history })
    }
}

impl Chunk {
    /// Reads what [`Transition::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are of an unknown format, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Chunk, JournalError> {
        decode(bytes)
    }

    /// The payloads that this step named.
    pub fn payloads(&self) -> impl Iterator<Item = (PayloadId, &Arc<str>)> {
        self.changes.iter().filter_map(|change| match change {
            Change::Payload(id, text) => Some((*id, text)),
            _ => None,
        })
    }
}

impl Execution {
    /// The bytes of a checkpoint: the whole execution without the texts of its payloads.
    pub fn checkpoint(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a checkpoint; its [`live_payloads`](Self::live_payloads) must be filled before it takes an event.
    ///
    /// # Errors
    /// The bytes are of an unknown format, or damaged.
    pub fn from_checkpoint(bytes: &[u8]) -> Result<Execution, JournalError> {
        decode(bytes)
    }
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![FORMAT]).expect("plain data always serialises into memory")
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, JournalError> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => {
            postcard::from_bytes(rest).map_err(|error| JournalError::Damaged(error.to_string()))
        }
        other => Err(JournalError::UnknownFormat(other.map(|(format, _)| *format))),
    }
}
