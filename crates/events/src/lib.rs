//! Events and rules, as EventBridge has them: which events start what.
//!
//! ```text
//!   event ──► rules of the bus ──► pattern matches? ──► input for each target ──► delivery, durable ──► Targets
//! ```
//!
//! The core is pure: [`pattern`] decides what matches, [`target`] what is sent, [`s3_event`] what a change of an object
//! looks like. The shell around it, [`Events`], answers the AWS operations, keeps rules through an [`EventStore`] that the
//! server provides, and hands deliveries to the server's [`Targets`] until they are taken. It refuses to know what a state
//! machine or a bucket is: targets are ARNs and texts, sources are names.

mod delivery;
mod error;
mod event;
mod ops;
mod path;
pub mod pattern;
mod rule;
pub mod s3_event;
mod service;
mod store;
pub mod target;
mod time;

pub use delivery::{Delivery, DeliveryError, Targets};
pub use error::EventsError;
pub use event::Event;
pub use rule::{DEFAULT_BUS, Place};
pub use service::Events;
pub use store::{EventStore, Kind, MemoryStore};
pub use time::rfc3339;
