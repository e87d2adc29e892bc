//! The Amazon States Language: text in, [`Machine`](machine::Machine) and diagnostics out.
//!
//! This crate knows what a definition means: its states, paths, payload templates, intrinsic functions and the
//! values they work on. It refuses to know how an execution runs (that is `engine`), where bytes are kept, what time
//! it is, and where randomness comes from: those arrive as arguments, so that the crate runs unchanged in wasm.

pub mod diagnostic;
mod fields;
pub mod intrinsic;
pub mod json;
pub mod jsonata;
pub mod machine;
pub mod parse;
pub mod path;
mod references;
pub mod retry;
pub mod states;
pub mod template;
pub mod timestamp;

pub use fields::{ResultPath, SECONDS_MAX};
pub use parse::{LONE_STATE, MachineType, parse, parse_state};
pub use references::{payload_references, references};
