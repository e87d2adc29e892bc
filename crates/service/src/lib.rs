//! The service: machines, executions, timers, activities and tasks, over a store and a connector.
//!
//! ```text
//!   api ──► Service ──► Owner (one per shard) ── decide (engine) ── commit (store) ── perform effects
//!                          ▲        ▲               │ ▲                      │
//!                    Clock ┘        │               ▼ │ what may take long   │
//!                                   │               Pool                     │
//!                                   └─────────── Dispatch ◄── connector ◄────┘
//! ```
//!
//! An owner keeps its shard's live executions in memory and has at most one step of each in flight; a reply leaves
//! only after its commit. What has to happen later is a row of the step that asked for it, so a restart scans timers
//! and the outbox and never the executions. This crate refuses to know HTTP, AWS's wire shapes and what the language
//! means.

mod activity;
mod alias;
mod arn;
mod clock;
mod closings;
mod decision;
mod dispatch;
mod execution;
mod express;
mod history;
mod label;
mod live;
mod log;
mod machine;
mod map_run;
mod owner;
mod pace;
mod pool;
mod quota;
mod redrive;
mod refusal;
mod resolution;
mod retention;
mod service;
mod task;
mod test_state;
#[cfg(test)]
mod testing;
mod token;
mod version;

pub use activity::{ActivityRecord, Delivery};
pub use alias::{AliasRecord, AskedRoute, Route};
pub use arn::{Place, StatesArn, check_name};
pub use execution::{Described, ExecutionPage, ExecutionRecord, ListExecutions, StartExecution, Started};
pub use express::ExpressEnded;
pub use history::{HistoryPage, HistoryRange};
pub use log::{LogSink, NoLogs, Told};
pub use machine::{Changed, CreateMachine, MachineRecord, UpdateMachine};
pub use map_run::{Counts, MapRunPage, MapRunRecord, MapRunStatus, UpdateMapRun};
pub use quota::{Quotas, Setting};
pub use redrive::RedriveExecution;
pub use refusal::Refusal;
pub use resolution::{Resolved, Revision};
pub use retention::Storage;
pub use service::{Service, ServiceOptions};
pub use test_state::{MockInput, TestConfiguration, TestState, TestStatus, Tested, Validation};
pub use version::{Published, Publishing, VersionRecord};
