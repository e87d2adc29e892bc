//! jsonata-js 2.0.6, the JSONata that AWS has, asked the same questions in an embedded QuickJS.
//!
//! `cargo xtask test` fetches it with npm; a plain `cargo test` without it says that these tests did not run.

mod broken;
mod documents;
mod failing;
mod javascript;
mod numbers;
mod ours;
mod patterns;
