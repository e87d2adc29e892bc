//! What a chain of states costs, counted in allocations and bytes: "a chain of Pass states over 200 KiB copies nothing"
//! is a promise of ARCHITECTURE.md, and promises are numbers here.
//!
//! ```text
//!   document (size) ─┐
//!                    ├─► chain: engine::apply, once, through N states ─► counted: allocations, bytes, journal, time
//!   machine (shape) ─┘
//!   document ──────────► limits: one parse, one clone, one writing, one copy of the same text
//! ```
//!
//! Counts are exact and the same on every machine, so the tests of this package judge counts; times are printed for
//! people and judged by nobody. It refuses to know how the engine works inside: it uses what the server uses.

pub mod chain;
pub mod counting;
pub mod document;
pub mod limits;
pub mod measure;
pub mod table;

/// Counts what every thread of a program that links this package allocates.
#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;
