//! Who answers the tasks of a simulated execution.

use std::sync::Arc;

use asl::machine::State;
use asl::states::task::Task;

/// A task that is to be answered: one attempt of one visit of a Task state.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The state.
    pub state: &'a State,
    /// Its fields as a Task.
    pub task: &'a Task,
    /// The text of the effective input.
    pub input: &'a str,
    /// How many tasks of this state were asked for before, over the whole execution: retries, later visits and the
    /// iterations of a Map alike.
    pub earlier: usize,
    /// Whether the task has a clock of its own that will end it if nobody answers.
    pub ends_alone: bool,
}

/// What becomes of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done, with this JSON text.
    Succeeded(Arc<str>),
    /// It failed.
    Failed {
        /// The error's name.
        error: Option<Arc<str>>,
        /// What happened.
        cause: Option<Arc<str>>,
    },
    /// Nobody answers: its TimeoutSeconds or HeartbeatSeconds, or the machine's own, end it.
    Silence,
}

/// Answers tasks, in the order in which they are asked for.
pub trait Script {
    /// Why a script cannot go on.
    type Trouble;

    /// What becomes of a task.
    ///
    /// # Errors
    /// The script does not know; the run stops.
    fn answer(&mut self, asked: Asked<'_>) -> Result<Answer, Self::Trouble>;
}
