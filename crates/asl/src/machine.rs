//! A state machine, compiled: names resolved to ids, paths and templates parsed, nothing left to check at run time.
//!
//! States of all nesting levels live in one table, since their names are unique in the whole machine; a container is
//! one `States` object (the machine's own, a branch, an item processor). Ids are positions in these tables: they are
//! stable for one definition text, and an execution pins its definition.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::jsonata::{self, Expression, Jsonata};
use crate::path::Path;
use crate::states::work::Work;
use crate::states::{choice, fail, map, parallel, pass, succeed, task, wait};
use crate::template;

/// A state of a [`Machine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StateId(pub u32);

/// A `States` object of a [`Machine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId(pub u32);

impl ContainerId {
    /// The machine's own `States`.
    pub const ROOT: ContainerId = ContainerId(0);
}

/// A definition that passed validation.
#[derive(Debug)]
pub struct Machine {
    /// The whole execution's budget in seconds.
    pub timeout_seconds: Option<u64>,
    /// Every state, of every nesting level.
    pub states: Vec<State>,
    /// Every container; [`ContainerId::ROOT`] first.
    pub containers: Vec<Container>,
    /// What compiled the expressions, and evaluates them.
    pub jsonata: Arc<dyn Jsonata>,
    /// Whether there is an expression: such a machine's decisions may take long.
    pub has_expressions: bool,
}

impl Machine {
    /// The state with this id.
    pub fn state(&self, id: StateId) -> &State {
        &self.states[id.0 as usize]
    }

    /// The container with this id.
    pub fn container(&self, id: ContainerId) -> &Container {
        &self.containers[id.0 as usize]
    }

    /// The state with this name, at any nesting level.
    pub fn find(&self, name: &str) -> Option<StateId> {
        self.states.iter().position(|state| &*state.name == name).map(|at| StateId(at as u32))
    }
}

/// One `States` object.
#[derive(Debug)]
pub struct Container {
    /// Where it begins.
    pub start_at: StateId,
    /// Its own states by name, in the order of the definition.
    pub states: IndexMap<Arc<str>, StateId>,
}

/// One state.
#[derive(Debug)]
pub struct State {
    /// Unique in the machine.
    pub name: Arc<str>,
    /// Where it lives: its transitions stay inside.
    pub container: ContainerId,
    /// Whether it is written in JSONata.
    pub in_jsonata: bool,
    /// What it does.
    pub body: Body,
}

/// The eight state types.
#[derive(Debug)]
pub enum Body {
    /// Hands its input on, perhaps reshaped.
    Pass(pass::Pass),
    /// Work outside the machine.
    Task(task::Task),
    /// Picks the next state.
    Choice(choice::Choice),
    /// Lets time pass.
    Wait(wait::Wait),
    /// Ends its container.
    Succeed(succeed::Succeed),
    /// Fails its container.
    Fail(fail::Fail),
    /// Runs branches side by side.
    Parallel(parallel::Parallel),
    /// Runs one container per item.
    Map(map::Map),
}

impl Body {
    /// The fields around its work, for states that work: Task, Parallel and Map.
    pub fn work(&self) -> Option<&Work> {
        match self {
            Body::Task(state) => Some(&state.work),
            Body::Parallel(state) => Some(&state.work),
            Body::Map(state) => Some(&state.work),
            Body::Pass(_) | Body::Choice(_) | Body::Wait(_) | Body::Succeed(_) | Body::Fail(_) => None,
        }
    }
}

/// Where a state goes when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// To a state of the same container.
    Next(StateId),
    /// Out of the container.
    End,
}

/// `InputPath` or `OutputPath`.
#[derive(Debug)]
pub enum Selection {
    /// `$`, the default.
    All,
    /// `null`: an empty object.
    Nothing,
    /// Some path.
    Path(Path),
}

/// `OutputPath`, or `Output`.
#[derive(Debug)]
pub enum Output {
    /// A path, or nothing given: then all of it.
    Path(Selection),
    /// A value with expressions in it.
    Query(jsonata::Template),
}

/// `Parameters`, `Arguments`, `ItemSelector`, `Assign`: a value that is made for the purpose.
#[derive(Debug)]
pub enum Payload {
    /// With paths and intrinsic functions.
    JsonPath(template::Template),
    /// With expressions.
    Jsonata(jsonata::Template),
}

/// `Seconds`, `TimeoutSeconds`, `MaxConcurrency`: a number in the definition, or where to find one.
#[derive(Debug)]
pub enum Quantity {
    /// Written in the definition.
    Fixed(u64),
    /// The `…Path` form.
    Path(Path),
    /// An expression.
    Query(Expression),
}
