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
//! A redrive of the parent opens the record again, and a driver over it does what its children's rows say is missing: a
//! child that succeeded is finished, and of the others those that had their turn in this redrive.
//!
//! This module refuses to know S3 (a [`connect::Datasets`] does) and what a state means (the engine does).

mod bitmap;
mod children;
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
mod work;

pub use counts::Counts;
pub use record::{MapRunRecord, MapRunStatus};
pub use requests::{MapRunPage, UpdateMapRun};

pub(crate) use children::redrive_token;
pub(crate) use driver::{begin, end_orphan};
pub(crate) use record::{MAP_RUN_ROW, is_running, label_of, map_run_arn, purge_of};
pub(crate) use registry::MapRuns;
