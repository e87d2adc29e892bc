//! Whole executions without a server: the engine that servers run, on a clock that skips and with tasks that a script
//! answers.
//!
//! ```text
//!   (Machine, Start, Script) ──run──► Outcome { status, output, failure, path, history }
//! ```
//!
//! Nothing here waits: when no task is to be answered, the clock is set to the next timer. So a run takes as long as its
//! decisions do, and the same arguments give the same outcome. The crate refuses to know where answers come from (that
//! is the script's affair), what a file is, and what a server adds: stores, sockets, durable anything.

mod outcome;
mod run;
mod script;
mod timers;

pub use outcome::{Outcome, Visit};
pub use run::{Options, Stopped, Why, run};
pub use script::{Answer, Asked, Script};
