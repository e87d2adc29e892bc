//! Map Runs: the executions that a Distributed Map starts for its items.
//!
//! ```text
//!   owner of the parent ── row ──► driver (one per run) ── Start ──► owners of the children
//!            ▲                        ▲   │ reads items, holds counts        │
//!            └── MapRunSucceeded ─────┼───┘                                  │
//!                                     └────────── told of ends ◄─────────────┘
//! ```
//!
//! A Map Run is a record of its own in the store, written when it begins, when its limits are changed and when it ends:
//! how far it is, is what the list rows of its children say. A child's name follows from the Map Run and its number, so a
//! second start of the same child meets the first, and a crash in the middle starts no finished child again. The
//! parent's outbox row asks for the run until the parent has its result; the run's own row is there while the run is, so
//! that a run whose parent is gone is found and ended.
//!
//! The seam for a redrive: a record that has ended can be opened again (`record::reopen` would be the write), and a
//! driver over it starts what its children's rows say is missing. What differs is which children count as finished.
//!
//! This module refuses to know S3 (a [`connect::Datasets`] does) and what a state means (the engine does).

mod bitmap;
mod counts;
mod driver;
mod export;
mod feed;
mod progress;
mod record;
mod registry;
mod requests;
mod results;
#[cfg(test)]
mod tests;

pub use counts::Counts;
pub use record::{MapRunRecord, MapRunStatus};
pub use requests::{MapRunPage, UpdateMapRun};

pub(crate) use driver::{begin, end_orphan};
pub(crate) use record::{MAP_RUN_ROW, map_run_arn, purge_of};
pub(crate) use registry::MapRuns;
