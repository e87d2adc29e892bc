//! Buckets: an S3-compatible object store in a folder, and the HTTP endpoint over it.
//!
//! ```text
//!   HTTP ──► endpoint ──► s3s (protocol) ──► protocol ──► Buckets ──┬──► index   rows: buckets, objects, uploads, outbox
//!                                            Rust callers ──────────┤
//!                                                                   ├──► blobs   files with names of our own
//!                                                                   └──► outbox ──► ObjectEvents
//! ```
//!
//! An acknowledged write is durable and visible to every later read and listing; a reader of an overwritten object gets
//! the old bytes or the new ones, never a mixture. The crate refuses to know what a state machine, a rule or an event bus
//! is: whoever listens to object changes implements [`ObjectEvents`].
//!
//! The protocol is the crate `s3s`'s. Its ready-made file-system store was the road not taken: keys became paths there, so
//! `../x` left its bucket, and `k` and `k/sub` could not both exist.

mod blobs;
mod bucket;
mod chunked;
mod digest;
mod endpoint;
mod error;
mod host;
mod index;
mod listing;
mod multipart;
mod object;
mod outbox;
mod protocol;
mod rows;
mod store;
mod unsigned;

pub use bucket::BucketInfo;
pub use endpoint::{Body, Endpoint, EndpointConfig, PeerAddress, Secrets};
pub use error::Error;
pub use listing::Listing;
pub use object::ObjectInfo;
pub use outbox::{Caller, Change, NoEvents, ObjectChange, ObjectEvents};
pub use store::Buckets;
