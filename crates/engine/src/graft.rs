//! What a redrive of the extended mode changes about an execution: where it begins, on what input, onto which
//! definition.
//!
//! An execution keeps its frames' places as numbers in the tables of its definition. Onto another definition they go by
//! name: every state that is still needed must be there under its name, of its type, in the same container. That is
//! decided before the redrive, from the execution and both machines, and what comes out is plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use asl::machine::{Body, ContainerId, Machine, StateId};

use crate::execution::{
    ContainerRef, Execution, Frame, FrameId, Phase, Position, Seat, StateRef, container_ref,
};
use crate::flow::state_type;

/// Where a redrive begins, when it is not where the execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// A state in which the execution ended, or any state of the machine's own `States`.
    pub state: Arc<str>,
    /// The input with which the state is entered; without it the one that it had.
    pub input: Option<Arc<str>>,
}

/// What a redrive changes, found to fit one execution as it ended.
#[derive(Clone, Debug)]
pub struct Graft {
    /// The state that it begins at.
    pub(crate) from: Option<Arc<str>>,
    pub(crate) input: Option<Arc<str>>,
    /// What the other definition is called.
    pub(crate) onto: Option<Arc<str>>,
    /// Frames below a state that begins anew.
    pub(crate) gone: Vec<FrameId>,
    /// Frames whose place has another number in the other definition.
    pub(crate) placed: Vec<(FrameId, ContainerRef, StateRef)>,
    /// Frames that enter a state instead of going on.
    pub(crate) restarted: Vec<(FrameId, StateRef)>,
}

/// Why a redrive does not fit an execution, for whoever asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit(pub String);

impl Execution {
    /// Finds what a redrive changes: it begins at `restart`, and goes on with `new` instead of `old`, which `onto` is the
    /// name of.
    ///
    /// # Errors
    /// A state is not where it is needed.
    pub fn graft(
        &self,
        old: &Machine,
        new: &Machine,
        onto: Option<Arc<str>>,
        restart: Option<Restart>,
    ) -> Result<Graft, Unfit> {
        let restarts = match &restart {
            Some(restart) => self.restarts(old, new, restart)?,
            None => BTreeSet::new(),
        };
        let gone = self.below(&restarts);
        let mut graft = Graft {
            from: restart.as_ref().map(|restart| restart.state.clone()),
            input: None,
            onto,
            gone: gone.iter().copied().collect(),
            placed: Vec::new(),
            restarted: Vec::new(),
        };
        // A parent has the lower number, so its place is known when its children's are asked for.
        let mut places: BTreeMap<FrameId, StateId> = BTreeMap::new();
        for (id, frame) in self.frames.iter().filter(|(id, _)| !gone.contains(id)) {
            let container = container_of(new, frame.seat, &places)?;
            let begins = restart.as_ref().filter(|_| restarts.contains(id));
            let there = old.state(StateId(state_of(frame)));
            let name = begins.map_or(&there.name, |restart| &restart.state);
            let Some(state) = new.container(container).states.get(name).copied() else {
                return Err(Unfit(format!(
                    "The state '{name}' is not in the definition at the place where the execution needs it. Give it back \
                     its name and place, or name another state to begin at"
                )));
            };
            places.insert(*id, state);
            if begins.is_some() {
                graft.restarted.push((*id, state.0));
            } else {
                same_kind(frame, &there.body, &new.state(state).body, name)?;
            }
            if (frame.container, state_of(frame)) != (container_ref(container), state.0) {
                graft.placed.push((*id, container_ref(container), state.0));
            }
        }
        graft.input = restart.and_then(|restart| restart.input);
        Ok(graft)
    }

    /// The frames that begin at a state: those that are in it, or else the outermost one.
    fn restarts(&self, old: &Machine, new: &Machine, restart: &Restart) -> Result<BTreeSet<FrameId>, Unfit> {
        let name = &restart.state;
        let is_there = |frame: &Frame| old.state(StateId(state_of(frame))).name == *name;
        let there: BTreeSet<FrameId> =
            self.frames.iter().filter(|(_, frame)| is_there(frame)).map(|(id, _)| *id).collect();
        if !there.is_empty() {
            return Ok(there);
        }
        if !new.container(ContainerId::ROOT).states.contains_key(name) {
            return Err(Unfit(format!(
                "The execution did not end in a state '{name}', and the machine's own States have none of that name"
            )));
        }
        if restart.input.is_none() {
            return Err(Unfit(format!(
                "The execution did not end in the state '{name}': give the input with which it begins"
            )));
        }
        Ok(self.frames.iter().filter(|(_, frame)| frame.seat.is_none()).map(|(id, _)| *id).collect())
    }

    /// The frames below these.
    fn below(&self, above: &BTreeSet<FrameId>) -> BTreeSet<FrameId> {
        let mut below = BTreeSet::new();
        for (id, frame) in &self.frames {
            if frame.seat.is_some_and(|seat| above.contains(&seat.parent) || below.contains(&seat.parent)) {
                below.insert(*id);
            }
        }
        below
    }
}

fn state_of(frame: &Frame) -> StateRef {
    match &frame.position {
        Position::Entering { state, .. } => *state,
        Position::In(activation) => activation.state,
    }
}

/// The container that a frame runs, by where its parent is.
fn container_of(
    new: &Machine,
    seat: Option<Seat>,
    places: &BTreeMap<FrameId, StateId>,
) -> Result<ContainerId, Unfit> {
    let Some(seat) = seat else { return Ok(ContainerId::ROOT) };
    let parent = places.get(&seat.parent).map(|state| new.state(*state));
    let container = match parent.map(|parent| &parent.body) {
        Some(Body::Parallel(parallel)) => parallel.branches.get(seat.index as usize).copied(),
        Some(Body::Map(map)) => Some(map.processor),
        _ => None,
    };
    // The parent was found to be of the same type and size.
    container.ok_or_else(|| Unfit(format!("The definition has no branch {}", seat.index)))
}

/// A state that goes on must be what it was.
fn same_kind(frame: &Frame, old: &Body, new: &Body, name: &str) -> Result<(), Unfit> {
    if state_type(old) != state_type(new) {
        return Err(Unfit(format!(
            "The state '{name}' is of type {:?} in the definition and was of type {:?} when the execution ended in it",
            state_type(new),
            state_type(old)
        )));
    }
    let Position::In(activation) = &frame.position else { return Ok(()) };
    match (&activation.phase, new) {
        // What iterations returned is nothing to a Map Run, nor the other way round.
        (Phase::Iterations(_), Body::Map(map)) | (Phase::Distributed(_), Body::Map(map))
            if map.distributed.is_some() != matches!(activation.phase, Phase::Distributed(_)) =>
        {
            Err(Unfit(format!(
                "The state '{name}' is a Map of the other mode in the definition than when the execution ended in it"
            )))
        }
        (Phase::Branches { results }, Body::Parallel(parallel))
            if results.len() != parallel.branches.len() =>
        {
            Err(Unfit(format!(
                "The state '{name}' has {} branches in the definition and had {} when the execution ended in it",
                parallel.branches.len(),
                results.len()
            )))
        }
        _ => Ok(()),
    }
}
