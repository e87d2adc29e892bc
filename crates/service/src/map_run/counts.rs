//! How many children, or items, are where (asl-facts 16.5).

use engine::Status;
use serde::{Deserialize, Serialize};

/// Children of a Map Run, or their items, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Not started.
    pub pending: u64,
    /// Running.
    pub running: u64,
    /// Ended well.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Took too long.
    pub timed_out: u64,
    /// Were stopped.
    pub aborted: u64,
    /// All that are known of.
    pub total: u64,
    /// Ended without success, and are about to be redriven.
    pub pending_redrive: u64,
    /// Ended without success, and could not be redriven when their Map Run was.
    pub failures_not_redrivable: u64,
}

impl Counts {
    /// So many more are known of.
    pub(crate) fn found(&mut self, count: u64) {
        self.total += count;
        self.pending += count;
    }

    /// So many began.
    pub(crate) fn started(&mut self, count: u64) {
        self.pending = self.pending.saturating_sub(count);
        self.running += count;
    }

    /// So many are there, and wait to be redriven.
    pub(crate) fn waiting(&mut self, count: u64) {
        self.total += count;
        self.pending_redrive += count;
    }

    /// So many that waited for it run again.
    pub(crate) fn redriven(&mut self, count: u64) {
        self.pending_redrive = self.pending_redrive.saturating_sub(count);
        self.running += count;
    }

    /// So many that were running ended so.
    pub(crate) fn ended(&mut self, status: Status, count: u64) {
        self.running = self.running.saturating_sub(count);
        match status {
            Status::Running => self.running += count,
            Status::Succeeded => self.succeeded += count,
            Status::Failed => self.failed += count,
            Status::TimedOut => self.timed_out += count,
            Status::Aborted => self.aborted += count,
        }
    }

    /// Those that the tolerance is about.
    pub(crate) fn unsuccessful(&self) -> u64 {
        self.failed + self.timed_out + self.aborted
    }
}
