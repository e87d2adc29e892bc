//! What the tests of the engine share: a run that checks itself, cases read from files, and random ones.

pub(crate) mod case;
mod dice;
mod machines;
mod mirror;
pub(crate) mod pretty;
mod random;
mod run;
mod show;
mod timeless;
