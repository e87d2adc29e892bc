//! HTTP in: one port that speaks the AWS protocols which clients of Step Functions use.
//!
//! ```text
//!   socket ──► Server ──► Guard (Host, Origin) ──► signature ──► route ─┬─► operations ──► service::Service
//!                                                                       ├─► query: STS and IAM
//!                                                                       ├─► Lambda, EventBridge   (plugged in)
//!                                                                       └─► everything else: S3   (plugged in)
//! ```
//!
//! The crate knows wire shapes, error names and texts, paging and signatures. It holds no rule of the language and
//! no state of an execution: whatever it decides, it decides from the request alone and from what `service` answers.
//! The endpoints of other AWS services are closures, so that this crate depends on none of them.

mod clock;
mod connection;
mod errors;
mod history;
mod in_process;
mod log_record;
mod operations;
mod page_token;
mod query;
mod receipt;
mod reply;
mod route;
pub mod security;
mod server;
mod shape;

pub use in_process::{Refused, call, operations};
pub use log_record::log_records;
pub use reply::{Body, BoxError};
pub use server::{Handler, Peer, Server, StreamHandler, serve};
