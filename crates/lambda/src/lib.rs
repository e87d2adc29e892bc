//! The caller's side of AWS Lambda: a function is a name and a target, and this crate runs it.
//!
//! ```text
//!   Invoke (Rust call, or REST by `http`)
//!      │
//!     Host ── by name ──► Pool ──► Sandbox ──► RuntimeApi ◄── HTTP ── the function's own runtime
//!      │                   warm sandboxes,      one listener            (local process or container)
//!      │                   one invocation       a sandbox
//!      └── unknown name, or an endpoint as target ──► POST …/invocations, elsewhere
//! ```
//!
//! It refuses to know who calls: no state machine, no activity, no durable store appears here, and a task's retry
//! belongs to its caller. What it promises is Lambda's own contract: one invocation at a time per sandbox, the
//! environment that Lambda sets, timeout and memory enforced, failures in Lambda's shapes.
//!
//! The runner uses the lower half ([`runtime_api`], [`sandbox`], [`process`]) without the host; hence the features.
//!
//! Road not taken: driving the emulator that AWS bakes into its base images (RIE). It answers 200 to a timeout with
//! plain text and to a function error without a mark, so a caller cannot tell failure from success; speaking the
//! Runtime API directly, as RIE itself does, keeps the difference.

pub mod clock;
pub mod environment;
pub mod failure;
pub mod function;
pub mod logs;
pub mod process;
pub mod runtime_api;
pub mod sandbox;

#[cfg(feature = "containers")]
pub mod container;
#[cfg(feature = "host")]
mod endpoint;
#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "host")]
pub mod http;
#[cfg(feature = "host")]
pub mod invoke;
#[cfg(feature = "host")]
mod launcher;
#[cfg(feature = "host")]
mod pool;

pub use function::{ConfigError, FunctionConfig, FunctionRef, ImageConfig, LATEST, Target};
#[cfg(feature = "host")]
pub use host::{Docker, Host, HostOptions};
#[cfg(feature = "host")]
pub use http::{FunctionStore, LambdaRest, StoreError};
#[cfg(feature = "host")]
pub use invoke::{Invoke, InvokeError, InvokeKind, Invoked};
