//! What can go wrong with a store, apart from a step's own outcome.
//!
//! The variants carry facts and compare with `==`; they tell who must act: the caller (`BadCursor`,
//! `BadRow`), the operator (`DiskFull`, `Locked`, `ForeignFolder`, …) or nobody but the next start
//! (`Poisoned`). After a failed write or sync nobody knows what the disk holds, so nothing is trusted any
//! more: the first failure poisons the store and every later call repeats its cause.

use std::io;
use std::path::PathBuf;

/// A failure of the store itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No space was left on the device that holds the data folder.
    #[error(
        "the disk is full ({0}): free some space on the device of the data folder, then start again; nothing \
         that was acknowledged is lost"
    )]
    DiskFull(String),

    /// The operating system or the storage engine failed.
    #[error("the storage failed: {0}")]
    Io(String),

    /// An earlier failure made this store unusable until it is opened again.
    #[error("the store has stopped after an earlier failure and must be opened again: {cause}")]
    Poisoned {
        /// The first failure, as a sentence.
        cause: String,
        /// Whether that failure was a full disk.
        disk_full: bool,
    },

    /// A row does not read back as it was written.
    #[error("a stored row is damaged: {0}")]
    Corrupt(String),

    /// The cursor is not one that this store gave out.
    #[error("the cursor is not one that a list returned")]
    BadCursor,

    /// What was to be written cannot be.
    #[error("the row cannot be written: {0}")]
    BadRow(String),

    /// Another process has the data folder open.
    #[error(
        "the data folder {} is in use by another process: stop that one, or choose another folder",
        .0.display()
    )]
    Locked(PathBuf),

    /// The folder holds something, but no data of ours.
    #[error(
        "the folder {} is not empty and holds no data of this program (found `{found}`): choose an empty folder",
        .folder.display()
    )]
    ForeignFolder {
        /// The folder.
        folder: PathBuf,
        /// One of the things in it.
        found: String,
    },

    /// The data folder was written in a format that this program does not know.
    #[error(
        "the data folder {} has format {found}, but this program reads format {known}: use the version of the \
         program that wrote it, or choose another folder",
        .folder.display()
    )]
    UnknownFormat {
        /// The folder.
        folder: PathBuf,
        /// What its format file says.
        found: String,
        /// What this program reads.
        known: u32,
    },

    /// The store or its committer was shut down.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the first cause is a full disk.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull(_) | Self::Poisoned { disk_full: true, .. })
    }

    /// Whether the failure leaves the store unusable: end the process and start again.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::BadCursor | Self::BadRow(_))
    }

    /// The failure as an earlier one of the same store.
    pub(crate) fn poisoned(&self) -> Self {
        match self {
            Self::Poisoned { .. } => self.clone(),
            first => Self::Poisoned { cause: first.to_string(), disk_full: first.is_disk_full() },
        }
    }

    /// A failed system call on something that is described by `what`.
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        let text = format!("{what}: {error}");
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(text),
            _ => Self::Io(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_recognisable_for_ever_after() {
        let error = StoreError::io("writing the journal", &io::Error::from(io::ErrorKind::StorageFull));
        assert!(matches!(error, StoreError::DiskFull(_)));
        assert!(error.poisoned().is_disk_full());
        assert!(error.poisoned().poisoned().is_disk_full());
        let other = StoreError::io("writing the journal", &io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(!other.poisoned().is_disk_full());
    }

    #[test]
    fn a_poisoned_store_names_the_first_cause() {
        let first = StoreError::Io("fdatasync: device gone".into());
        let later = first.poisoned().poisoned();
        assert_eq!(
            later.to_string(),
            "the store has stopped after an earlier failure and must be opened again: \
             the storage failed: fdatasync: device gone"
        );
    }
}
