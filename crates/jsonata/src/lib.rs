//! JSONata for the states language: [`asl::jsonata::Jsonata`] over the `jsonata-core` crate, bounded.
//!
//! ```text
//!   text ──syntax, names──► tree ──guards──► tree with bounds ──evaluation──► value, error or bound
//!                            │                    │                 │
//!                     plain member path     functions (ours)   meter (bytes)
//!                     answered from Json    limits             clock (time)
//! ```
//!
//! AWS runs JSONata 2.0.6 with functions added, without a context item, and within bounds of time, depth and memory.
//! The library is newer, has no such functions, and no bound of memory; each difference is closed here in a thin layer
//! of ours, and tests hold it against jsonata-js 2.0.6. This crate refuses to know what a state is, where expressions
//! stand, or how their failures are reported. Moments and seeds arrive from the surroundings, so that the same
//! evaluation repeated gives the same value; the only clock read here bounds an evaluation's time.
//!
//! Running jsonata-js itself in an embedded QuickJS was the road not taken: it is right by definition, and thirty to a
//! hundred times slower.

mod chance;
mod children;
mod compile;
mod errors;
mod evaluation;
mod functions;
mod guards;
mod limits;
mod member;
mod meter;
mod names;
mod observation;
mod pattern;
mod quiet;
#[cfg(test)]
mod suite;
mod syntax;
mod values;

pub use evaluation::Evaluator;
pub use limits::Limits;
pub use meter::{Metered, peak_bytes};
