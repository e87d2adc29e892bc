//! What a step changed: the journal keeps it, and redoing it rebuilds the execution.
//!
//! Frames move in place while a step is decided, and each that moved is one change at its end (`step.rs`). Everything
//! else is changed by the same `redo` that recovery uses.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::execution::{
    Activation, ContainerRef, Counters, Execution, Facts, Frame, FrameId, Phase, Position, StateRef, Status,
    Timer,
};
use crate::failure::Failure;
use crate::payload::{Payload, PayloadId};
use crate::redrive::Redriven;

/// One change of an execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// A step began; its number is the version that it commits as.
    Step(u32),
    /// A payload got its name and text.
    Payload(PayloadId, Arc<str>),
    /// The execution started.
    Started(Arc<Facts>),
    /// The next free numbers.
    Counters(Counters),
    /// A frame was created or moved.
    Frame(FrameId, Box<Frame>),
    /// A frame ended.
    FrameGone(FrameId),
    /// A child of this frame gave its result: a Map of any size pays for one place.
    Result {
        /// The Parallel's or Map's frame.
        frame: FrameId,
        /// Which branch or item.
        index: u32,
        /// What it returned.
        output: PayloadId,
    },
    /// A Map of this frame started its next iteration.
    IterationStarted(FrameId),
    /// A variable got a value.
    Assigned(FrameId, Arc<str>, PayloadId),
    /// The timer of the machine's TimeoutSeconds.
    Deadline(Option<Timer>),
    /// The timer by which a bounded step goes on.
    Continuation(Option<Timer>),
    /// The execution ended.
    Ended {
        /// How.
        status: Status,
        /// When, in milliseconds since the epoch.
        at_ms: i64,
        /// What it returned.
        output: Option<PayloadId>,
        /// Why it did not succeed.
        failure: Option<Failure>,
    },
    /// The execution was taken up again after its end.
    Redriven(Box<Redriven>),
    /// A redrive goes on with the children of this frame: those that returned are not asked again.
    TakenUp(FrameId),
    /// A redrive goes on with another definition, in which the frame's place has other numbers.
    Placed(FrameId, ContainerRef, StateRef),
}

impl Execution {
    /// Applies a change: what `apply` does as it decides, and what recovery does again.
    pub fn redo(&mut self, change: Change) {
        match change {
            Change::Step(step) => self.step = step,
            Change::Payload(id, text) => {
                // `apply` has already put it there together with its parsed value.
                if self.heap.get(id).is_none() {
                    self.heap.insert(id, Payload::of_text(text));
                }
            }
            Change::Started(facts) => self.facts = Some(facts),
            Change::Counters(counters) => self.counters = counters,
            Change::Frame(id, frame) => {
                self.frames.insert(id, *frame);
            }
            Change::FrameGone(id) => self.forget(id),
            Change::Result { frame, index, output } => self.keep_result(frame, index, output),
            Change::IterationStarted(frame) => {
                if let Some(Phase::Iterations(run)) = self.phase_mut(frame) {
                    run.next += 1;
                    run.running += 1;
                }
            }
            Change::Assigned(frame, name, value) => {
                self.variables.insert((frame, name), value);
            }
            Change::Deadline(timer) => self.deadline = timer,
            Change::Continuation(timer) => self.continuation = timer,
            Change::Ended { status, at_ms, output, failure } => {
                self.status = status;
                self.stopped_ms = Some(at_ms);
                self.output = output;
                self.failure = failure;
                if status == Status::Succeeded {
                    self.frames.clear();
                    self.variables.clear();
                } else {
                    self.frames.values_mut().for_each(Frame::halt);
                }
                self.deadline = None;
                self.continuation = None;
            }
            Change::Redriven(redriven) => {
                self.status = Status::Running;
                self.stopped_ms = None;
                self.failure = None;
                self.frames.values_mut().for_each(|frame| frame.last_event = redriven.event);
                self.redrives.add(*redriven);
            }
            Change::TakenUp(frame) => {
                if let Some(activation) = self.activation_mut(frame) {
                    activation.halted = false;
                }
            }
            Change::Placed(frame, container, state) => {
                let Some(frame) = self.frames.get_mut(&frame) else { return };
                frame.container = container;
                match &mut frame.position {
                    Position::Entering { state: there, .. } => *there = state,
                    Position::In(activation) => activation.state = state,
                }
            }
        }
    }

    fn forget(&mut self, id: FrameId) {
        self.frames.remove(&id);
        let names: Vec<Arc<str>> = self
            .variables
            .range((id, Arc::from(""))..(FrameId(id.0 + 1), Arc::from("")))
            .map(|((_, name), _)| name.clone())
            .collect();
        for name in names {
            self.variables.remove(&(id, name));
        }
    }

    fn keep_result(&mut self, frame: FrameId, index: u32, output: PayloadId) {
        let results = match self.phase_mut(frame) {
            Some(Phase::Branches { results }) => results,
            Some(Phase::Iterations(run)) => {
                run.running -= 1;
                &mut run.results
            }
            _ => return,
        };
        if let Some(place) = results.get_mut(index as usize) {
            *place = Some(output);
        }
    }

    pub(crate) fn phase_mut(&mut self, frame: FrameId) -> Option<&mut Phase> {
        self.activation_mut(frame).map(|activation| &mut activation.phase)
    }

    fn activation_mut(&mut self, frame: FrameId) -> Option<&mut Activation> {
        match &mut self.frames.get_mut(&frame)?.position {
            Position::In(activation) => Some(activation),
            Position::Entering { .. } => None,
        }
    }
}
