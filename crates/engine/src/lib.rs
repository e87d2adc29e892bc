//! What happens next in an execution: a pure function of the machine, the execution, one event and the moment.
//!
//! ```text
//!   (Machine, Execution, Event, Moment) ──apply──► Transition { changes, history, effects }
//! ```
//!
//! [`apply`] reads nothing but its arguments. What a step changed comes out as [`Change`]s: recovery is a checkpoint and
//! a redo of them, never a second decision. That the live execution and the rebuilt one are the same is checked on every
//! case of the tests, at every cut. History is output for people and APIs; effects are what the caller performs once the
//! changes are durable.
//!
//! The crate refuses to know where bytes are kept, what a socket is, what time it is, and how an activity or a
//! function is reached.

mod apply;
mod change;
mod context;
mod effect;
mod event;
mod execution;
mod failure;
mod flow;
mod graft;
mod history;
mod io;
mod items;
mod journal;
mod moment;
mod payload;
mod redrive;
mod states;
mod step;
mod trial;

pub use apply::{Limits, Transition, apply};
pub use change::Change;
pub use effect::Effect;
pub use event::{Event, Rejected, Start};
pub use execution::{
    Child, Counters, Execution, Facts, Frame, FrameId, MapRunPlan, Origin, Status, TaskId, TaskView, Timer,
    TimerId,
};
pub use failure::Failure;
pub use graft::{Graft, Restart, Unfit};
pub use history::{HistoryEvent, HistoryKind, StateType, TaskEvent, Through};
pub use items::{Item, ItemScope};
pub use journal::{Chunk, JournalError};
pub use moment::{Moment, World};
pub use payload::PayloadId;
pub use redrive::{NotRedrivable, Redrive, Redriven, Redrives};
pub use trial::{Left, MapNumbers, Mock, Seen, Station, Trial};
