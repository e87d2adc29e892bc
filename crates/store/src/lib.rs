//! `store`: durable bytes for executions, behind one trait.
//!
//! The unit of writing is a *step* ([`StepWrite`]): what one decision changed about one execution, atomic by
//! itself, independent of its neighbours, written in groups. A step names the version it was decided on, and
//! the store refuses it if another step came first; so a paused or mistaken owner can waste work but never
//! corrupt. What a step asks of the world (timers, queue entries, outbox rows) is written with it, so that a
//! restart scans those rows and never the executions.
//!
//! ```text
//!   owners ──► Committer ──► Store (trait) ◄── EmbeddedStore
//!              joins steps                      │ writer thread: conditions, one batch, one sync
//!              into groups                      ▼
//!                                               Kv: memory | fjall
//! ```
//!
//! This crate knows bytes, executions, versions, timers, queue entries and catalogue rows. It refuses to know
//! what the bytes mean: neither the language nor the engine that wrote them is named here, and it reads no
//! clock: every "now" is an argument.
//!
//! The road not taken: a key-value trait as the seam. It would be smaller, but a relational backend would pay
//! for it with one statement per row, six to eight times the cost of one grouped statement per batch. So the
//! seam speaks in steps, and the key-value layer (`kv.rs`) lives below it, where the embedded engine and the
//! in-memory model share it.

mod catalogue;
mod committer;
mod embedded;
mod error;
mod execution;
mod fjall;
mod folder;
mod kv;
mod leases;
mod memory;
mod poison;
mod queries;
mod resolve;
mod rows;
mod step;
mod store;
mod tasks;
mod torn;
mod writer;

pub use catalogue::{Catalogue, DeleteOutcome, PutOutcome, Row};
pub use committer::{
    Committer, CommitterHandle, GROUP_BYTES_MAX, GROUP_STEPS_MAX, QUEUED_BYTES_MAX, QUEUED_STEPS_MAX,
};
pub use embedded::EmbeddedStore;
pub use error::StoreError;
pub use execution::{BadExecutionId, ExecutionId, SHARDS, Shard, Shards};
pub use fjall::{Durability, OpenOptions};
pub use folder::FORMAT_VERSION;
pub use kv::Table;
pub use memory::{Fault, FaultHook, MemoryDisk};
pub use step::{Expect, Listing, OutboxRow, QueueEntry, QueueId, QueueKey, StepOutcome, StepWrite, Timer};
pub use store::{
    BoxFuture, Direction, Due, LeaseOutcome, ListPage, ListQuery, Loaded, Order, PurgeOutcome, Store, Usage,
    Wakeups,
};
