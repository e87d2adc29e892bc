//! What AWS's operations answer: the shapes of their outputs, and whether a value has one.
//!
//! The shapes are facts of AWS's service models, reduced to what a check needs by `cargo xtask shapes`; `data/README.md`
//! says where they come from and how they are written. They lie in the binary as text. A check reads the lines that it
//! meets and nothing else, so what nobody asks for costs nothing.
//!
//! The crate refuses to know tasks, resources and executions: it is asked about a service and an operation by the names
//! that the AWS SDKs have for them.

mod check;
mod model;

pub use check::{Mismatch, Strictness};
pub use model::{Operation, Service, service};
