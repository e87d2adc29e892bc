//! Redrive: an execution that ended without success goes on where it ended.
//!
//! ```text
//!   end      every frame is halted and kept: its input, its variables, what its branches and iterations returned
//!   redrive  ExecutionRedriven, the machine's clock anew, and each frame is taken up:
//!            about to enter    enters
//!            in a state        tries it again, without a second …StateEntered
//!            with children     waits for those that have not returned; starts iterations that never began
//!            with a Map Run    redrives it
//! ```
//!
//! A state is unfinished when it was entered and not left, and nothing else is needed to say what runs again. Variables
//! change when a state is left, so at an end they are what they were when each unfinished state was entered. An end
//! costs one change, and so does a redrive, whatever the number of frames; each frame pays when it moves.
//!
//! The order of events is our reading of asl-facts 8, which has no recording: ExecutionRedriven follows the event of the
//! end, and what each unfinished state does next follows ExecutionRedriven.
//!
//! How requests name an execution, and that they can be repeated over a network, is the service's business; here a
//! token is a text that was seen or not.

use std::sync::Arc;

use asl::machine::Body;
use serde::{Deserialize, Serialize};

use crate::apply::Limits;
use crate::change::Change;
use crate::event::Rejected;
use crate::execution::{Execution, FrameId, Phase, Position, Status};
use crate::graft::Graft;
use crate::history::HistoryKind;
use crate::states;
use crate::step::Step;

/// Tokens that are remembered, and for how long (asl-facts 6).
const TOKENS_MAX: usize = 10;
const TOKEN_MS_MAX: i64 = 15 * 60 * 1000;

/// What RedriveExecution asks for.
#[derive(Clone, Debug, Default)]
pub struct Redrive {
    /// A request with a token that was seen a short time ago is the same request.
    pub token: Option<Arc<str>>,
    /// What is to be otherwise than at the end; on AWS nothing can be.
    pub graft: Option<Graft>,
}

/// One redrive, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redriven {
    /// When, in milliseconds since the epoch.
    pub(crate) at_ms: i64,
    /// Its event, which everything that goes on follows.
    pub(crate) event: u64,
    pub(crate) token: Option<Arc<str>>,
}

/// All redrives of an execution.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redrives {
    count: u32,
    last_ms: Option<i64>,
    /// The tokens of the last ones that had one, oldest first.
    tokens: Vec<(Arc<str>, i64)>,
}

impl Redrives {
    /// How many there were.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// When the last one was, in milliseconds since the epoch.
    pub fn last_ms(&self) -> Option<i64> {
        self.last_ms
    }

    /// The token of the last one that had one, however long ago it was.
    pub fn last_token(&self) -> Option<&Arc<str>> {
        self.tokens.last().map(|(token, _)| token)
    }

    pub(crate) fn add(&mut self, redriven: Redriven) {
        self.count += 1;
        self.last_ms = Some(redriven.at_ms);
        if let Some(token) = redriven.token {
            self.tokens.push((token, redriven.at_ms));
            let old = self.tokens.len().saturating_sub(TOKENS_MAX);
            self.tokens.drain(..old);
        }
    }

    /// When a request with this token was obeyed, if it is still remembered.
    fn seen(&self, token: &str, now_ms: i64) -> Option<i64> {
        let fresh = |at_ms: i64| now_ms.saturating_sub(at_ms) <= TOKEN_MS_MAX;
        self.tokens.iter().find(|(seen, at_ms)| **seen == *token && fresh(*at_ms)).map(|(_, at_ms)| *at_ms)
    }
}

/// Why an execution cannot be redriven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRedrivable {
    /// It runs, or it succeeded.
    Status(Status),
    /// Its history has no room for more.
    HistoryFull,
    /// It began too long ago.
    TooOld,
    /// It ended too long ago.
    TooLate,
}

impl std::fmt::Display for NotRedrivable {
    /// In the words of `redriveStatusReason` (asl-facts 6).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotRedrivable::Status(status) => {
                write!(f, "Execution is {} and cannot be redriven", status.as_str())
            }
            NotRedrivable::HistoryFull => f.write_str("Execution history event limit exceeded"),
            NotRedrivable::TooOld => f.write_str("Execution has exceeded the max execution time"),
            NotRedrivable::TooLate => f.write_str("Execution redrivable period exceeded"),
        }
    }
}

impl NotRedrivable {
    /// Why an execution of which only this is known cannot be redriven; `None` when it can.
    pub fn why(
        status: Status,
        started_ms: i64,
        stopped_ms: Option<i64>,
        events: u64,
        now_ms: i64,
        limits: Limits,
    ) -> Option<NotRedrivable> {
        let past = |since_ms: i64, max: Option<i64>| {
            max.is_some_and(|max_ms| now_ms.saturating_sub(since_ms) > max_ms)
        };
        match (status, stopped_ms) {
            (Status::Running | Status::Succeeded, _) | (_, None) => Some(NotRedrivable::Status(status)),
            // One event for the redrive, and the last one for telling that the history is full (asl-facts 6: 24,999).
            _ if events + 1 >= limits.history_events_max => Some(NotRedrivable::HistoryFull),
            _ if past(started_ms, limits.execution_ms_max) => Some(NotRedrivable::TooOld),
            (_, Some(stopped_ms)) if past(stopped_ms, limits.redrive_ms_max) => Some(NotRedrivable::TooLate),
            _ => None,
        }
    }
}

impl Execution {
    /// Why it cannot be redriven now; `None` when it can.
    ///
    /// # Panics
    /// When it has not started.
    pub fn not_redrivable(&self, now_ms: i64, limits: Limits) -> Option<NotRedrivable> {
        let started_ms = self.facts().started_ms;
        let events = self.next_event() - 1;
        NotRedrivable::why(self.status, started_ms, self.stopped_ms, events, now_ms, limits)
    }
}

/// Whether a redrive can happen now.
pub(crate) fn check(
    execution: &Execution,
    redrive: &Redrive,
    now_ms: i64,
    limits: Limits,
) -> Result<(), Rejected> {
    if execution.facts.is_none() {
        return Err(Rejected::NotRedrivable(NotRedrivable::Status(execution.status)));
    }
    let token = redrive.token.as_ref();
    if let Some(at_ms) = token.and_then(|token| execution.redrives.seen(token, now_ms)) {
        return Err(Rejected::RedrivenBefore(at_ms));
    }
    match execution.not_redrivable(now_ms, limits) {
        Some(why) => Err(Rejected::NotRedrivable(why)),
        None => Ok(()),
    }
}

impl Step<'_> {
    /// The execution runs again: what it left unfinished goes on.
    pub(crate) fn redrive(&mut self, redrive: Redrive) {
        let end = self.execution.counters.event - 1;
        let kind = HistoryKind::ExecutionRedriven {
            count: self.execution.redrives.count + 1,
            from: redrive.graft.as_ref().and_then(|graft| graft.from.clone()),
            onto: redrive.graft.as_ref().and_then(|graft| graft.onto.clone()),
        };
        let event = self.record_after(end, kind);
        let redriven = Redriven { at_ms: self.at.now_ms, event, token: redrive.token };
        self.reopen(redriven);
        if let Some(graft) = redrive.graft {
            self.graft(graft);
        }
        self.set_deadline();
        // In the order of their numbers a parent comes before its children: it is there when they return.
        let ready = self.execution.frames.iter().filter(|(_, frame)| frame.is_ready());
        self.queue = ready.map(|(id, _)| *id).collect();
    }

    /// Puts frames where a redrive wants them.
    fn graft(&mut self, graft: Graft) {
        let input = graft.input.map(|input| self.name_text(input));
        for id in graft.gone {
            self.close_frame(id);
        }
        for (id, container, state) in graft.placed {
            self.inside(id, Change::Placed(id, container, state));
        }
        for (id, state) in graft.restarted {
            let Some(frame) = self.frame_mut(id) else { continue };
            let there = match &frame.position {
                Position::Entering { input, .. } => *input,
                Position::In(activation) => activation.input,
            };
            frame.position = Position::Entering { state, input: input.unwrap_or(there) };
        }
    }

    /// Goes on in a state in which a frame was halted.
    pub(crate) fn take_up(&mut self, frame: FrameId) {
        let Some(site) = self.site(frame) else { return };
        let phase = self.activation(frame).map(|activation| &activation.phase);
        let outcome = match (phase, &site.state.body) {
            (Some(Phase::Branches { .. }), Body::Parallel(state)) => {
                self.inside(frame, Change::TakenUp(frame));
                states::parallel::take_up(self, &site, state)
            }
            (Some(Phase::Distributed(plan)), Body::Map(_)) => {
                let plan = plan.clone();
                return states::map::distributed::take_up(self, &site, plan);
            }
            (Some(Phase::Iterations(_)), Body::Map(state)) => {
                self.inside(frame, Change::TakenUp(frame));
                states::map::take_up(self, &site, state)
            }
            _ => return self.attempt(frame),
        };
        self.settle(&site, outcome);
    }
}
