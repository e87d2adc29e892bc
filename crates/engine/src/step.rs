//! One step in the making: the execution as it is being moved, and what the caller will get.
//!
//! Frames are moved in place and the frames that moved are remembered; [`Step::finish`] turns them into changes, one
//! for each frame however often it moved, so that the journal pays for where a step ended and not for its way.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use asl::json::{DEPTH_MAX, Json, TooLong};
use asl::machine::{ContainerId, Machine, State, StateId};

use crate::apply::{Limits, Transition};
use crate::change::Change;
use crate::effect::Effect;
use crate::event::Start;
use crate::execution::{
    Activation, Execution, Facts, Frame, FrameId, Phase, Position, Seat, Status, Timer, TimerId,
    container_ref, frame_timers,
};
use crate::failure::{Failure, RUNTIME, Raised};
use crate::history::{HistoryEvent, HistoryKind, Through};
use crate::moment::{Dice, Moment};
use crate::payload::{Payload, PayloadId};
use crate::redrive::Redriven;
use crate::trial::Trial;

/// How long an EXPRESS execution may take (asl-facts 18).
const EXPRESS_SECONDS_MAX: u64 = 5 * 60;

/// A step that is being decided.
pub(crate) struct Step<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) execution: &'a mut Execution,
    pub(crate) at: Moment<'a>,
    /// What is tried, in place of an execution.
    pub(crate) trial: Option<&'a Trial>,
    pub(crate) limits: Limits,
    pub(crate) dice: Dice,
    /// Frames that can go on within this step.
    pub(crate) queue: VecDeque<FrameId>,
    pub(crate) transitions: u32,
    /// Milliseconds that this step has spent on expressions.
    pub(crate) expressions_ms: u64,
    /// Values that the paths and functions of this step have visited.
    pub(crate) visited: usize,
    /// Bytes of the payloads that this step named: its chunk is written as one.
    named_bytes: usize,
    /// The history has no room but for the event that says so.
    pub(crate) full: bool,
    payloads: Vec<Change>,
    /// A redrive: it touches every frame, so it comes before what became of them.
    redriven: Option<Change>,
    /// Changes of something else than whole frames.
    others: Vec<Change>,
    /// Changes inside a frame; void when the whole frame is written.
    inner: Vec<(FrameId, Change)>,
    moved: BTreeSet<FrameId>,
    gone: BTreeSet<FrameId>,
    /// Frames below a state that has failed, until it is known whether that state goes on.
    halted: BTreeSet<FrameId>,
    /// Frames from this number on did not exist before the step.
    frames_before: u32,
    history: Vec<HistoryEvent>,
    effects: Vec<Effect>,
}

/// A payload on its way through a state: named already, or not yet worth a name.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// It has a name; its text goes on verbatim.
    Named(PayloadId),
    /// Computed.
    Value(Json),
    /// A text put together from texts, parsed at most once.
    Text(Payload),
}

/// A frame in a state: what the state's own file needs to know.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) frame: FrameId,
    pub(crate) state: &'a State,
    pub(crate) entered_event: u64,
    /// The raw input.
    pub(crate) input: PayloadId,
}

impl<'a> Step<'a> {
    pub(crate) fn begin(
        machine: &'a Machine,
        execution: &'a mut Execution,
        at: Moment<'a>,
        limits: Limits,
    ) -> Step<'a> {
        // Not at the end of the step before: who tells a log of its history still found every text in memory.
        if execution.heap.wants_sweep() {
            let live = execution.live_payloads();
            execution.heap.sweep(&live);
        }
        execution.step += 1;
        Step {
            frames_before: execution.counters.frame,
            machine,
            execution,
            at,
            trial: at.world.trial(),
            limits,
            dice: Dice::new(at.seed),
            queue: VecDeque::new(),
            transitions: 0,
            expressions_ms: 0,
            visited: 0,
            named_bytes: 0,
            full: false,
            payloads: Vec::new(),
            redriven: None,
            others: Vec::new(),
            inner: Vec::new(),
            moved: BTreeSet::new(),
            gone: BTreeSet::new(),
            halted: BTreeSet::new(),
            history: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// The first event: facts, the root frame and the machine's deadline.
    pub(crate) fn start(&mut self, start: Start) {
        let input = self.name_text(start.input);
        let through = Through {
            version_arn: start.origin.version_arn.as_deref().map(Into::into),
            alias_arn: start.origin.alias_arn.as_deref().map(Into::into),
        };
        let role_arn: Arc<str> = start.role_arn.as_str().into();
        let facts = Arc::new(Facts {
            arn: start.arn,
            name: start.name,
            machine_arn: start.machine_arn,
            machine_name: start.machine_name,
            role_arn: start.role_arn,
            region: start.region,
            started_ms: self.at.now_ms,
            input,
            trace_header: start.trace_header,
            express: start.express,
            log: start.log,
            origin: start.origin,
            child: start.child,
        });
        self.execution.facts = Some(facts.clone());
        self.others.push(Change::Started(facts.clone()));
        self.record_after(0, HistoryKind::ExecutionStarted { input, role_arn, through });
        match self.trial {
            None => {
                self.set_deadline();
                let child = facts.child.as_ref();
                let container = child.map_or(ContainerId::ROOT, |child| ContainerId(child.container));
                self.open_frame(None, container, 0, input);
            }
            // The deadline of a machine is not that of one of its states.
            Some(trial) => self.open_trial(trial, input),
        }
    }

    /// The one frame of a trial, at the door of the state that is tried.
    fn open_trial(&mut self, trial: &Trial, input: PayloadId) {
        let frame = FrameId(self.execution.counters.frame);
        self.open_frame(None, self.machine.state(trial.state).container, 0, input);
        if let Some(frame) = self.frame_mut(frame) {
            frame.position = Position::Entering { state: trial.state.0, input };
        }
        for (name, text) in &trial.variables {
            let value = self.name_text(text.clone());
            self.change(Change::Assigned(frame, name.clone(), value));
        }
    }

    /// The machine's TimeoutSeconds begin, or the five minutes of an EXPRESS execution where those are shorter. The former
    /// are for the whole machine, and not for the one container that a Map Run's child runs.
    pub(crate) fn set_deadline(&mut self) {
        let facts = self.execution.facts();
        let longest = facts.express.then_some(EXPRESS_SECONDS_MAX);
        let own = self.machine.timeout_seconds.filter(|_| facts.child.is_none());
        let Some(seconds) = own.into_iter().chain(longest).min() else { return };
        let number = self.number();
        let timer = Timer { id: TimerId::of_execution(number), due_ms: self.after_seconds(seconds) };
        self.execution.deadline = Some(timer);
        self.others.push(Change::Deadline(Some(timer)));
        self.effect(Effect::SetTimer(timer));
    }

    /// Goes on where a bounded step stopped: frames that can go on, the one that waited longest first. After a redrive
    /// they have waited equally long, and a parent comes before its children: it has the lower number.
    pub(crate) fn resume(&mut self) {
        self.execution.continuation = None;
        self.others.push(Change::Continuation(None));
        let mut ready: Vec<(u64, FrameId)> = (self.execution.frames.iter())
            .filter(|(_, frame)| frame.is_ready())
            .map(|(id, frame)| (frame.last_event, *id))
            .collect();
        ready.sort_unstable();
        self.queue.extend(ready.into_iter().map(|(_, id)| id));
    }

    /// Lets frames go on until all wait, the execution ends, or the step has made enough transitions.
    pub(crate) fn run(&mut self) {
        while !self.ended() {
            if self.full {
                return self.overflow();
            }
            let long = self.transitions >= self.limits.step_transitions_max
                || self.named_bytes >= self.limits.step_bytes_max;
            if long && !self.queue.is_empty() {
                return self.postpone();
            }
            let Some(frame) = self.queue.pop_front() else { return };
            self.advance(frame);
            self.transitions += 1;
        }
    }

    /// The last event of a full history.
    fn overflow(&mut self) {
        let max = self.limits.history_events_max;
        let cause = format!("The execution reached the maximum number of history events ({max}).");
        let last = self.execution.counters.event - 1;
        self.fail_execution(last, Failure::new(RUNTIME, cause));
    }

    /// The next step goes on; it may be asked for already, when another event came between.
    fn postpone(&mut self) {
        if self.execution.continuation.is_some() {
            return;
        }
        let number = self.number();
        let timer = Timer { id: TimerId::of_execution(number), due_ms: self.at.now_ms };
        self.execution.continuation = Some(timer);
        self.others.push(Change::Continuation(Some(timer)));
        self.effect(Effect::SetTimer(timer));
    }

    /// What the caller gets: the changes first, in an order that redo can follow.
    pub(crate) fn finish(mut self) -> Transition {
        let mut changes = vec![Change::Step(self.execution.step)];
        changes.append(&mut self.payloads);
        changes.push(Change::Counters(self.execution.counters));
        changes.extend(self.redriven.take());
        // What succeeded needs its frames no more. Of the others a redrive may need them.
        let over = self.execution.status == Status::Succeeded;
        if !over {
            let whole = |frame: &FrameId| self.moved.contains(frame) || self.gone.contains(frame);
            changes
                .extend(self.inner.into_iter().filter(|(frame, _)| !whole(frame)).map(|(_, change)| change));
            for id in &self.moved {
                if let Some(frame) = self.execution.frames.get(id) {
                    changes.push(Change::Frame(*id, Box::new(frame.clone())));
                }
            }
            let known = self.gone.iter().filter(|id| id.0 < self.frames_before);
            changes.extend(known.map(|id| Change::FrameGone(*id)));
        }
        let gone = &self.gone;
        let lives = |change: &Change| match change {
            Change::Assigned(frame, ..) => !over && !gone.contains(frame),
            _ => true,
        };
        changes.extend(self.others.into_iter().filter(lives));
        Transition { changes, history: self.history, effects: without_pairs(self.effects) }
    }

    // ---- payloads ----

    /// Gives data a name, and its text a place in this step's chunk.
    ///
    /// A value is written out under the limit, not written and then measured: shared parts make small trees with
    /// enormous texts. `what` is the state, task or service that a value over the limit is blamed on.
    pub(crate) fn name(&mut self, data: Data, what: &str) -> Result<PayloadId, Raised> {
        let bytes_max = self.limits.payload_bytes_max;
        let payload = match data {
            Data::Named(id) if self.text(id).len() <= bytes_max => return Ok(id),
            Data::Text(payload) if payload.text.len() <= bytes_max => payload,
            // The text first: it bounds what there is to look at, which the depth does not. What is composed within one
            // state is at most twice as deep as what can be read, so writing it needs little stack.
            Data::Value(value) => match value.to_text_within(bytes_max) {
                Ok(_) if value.depth() > DEPTH_MAX => {
                    return Err(Raised::runtime(format!(
                        "'{what}' made a value that is nested deeper than {DEPTH_MAX}."
                    )));
                }
                Ok(text) => Payload::of_value(text.into(), value),
                Err(TooLong) => return Err(Raised::data_limit(what)),
            },
            Data::Named(_) | Data::Text(_) => return Err(Raised::data_limit(what)),
        };
        Ok(self.keep(payload))
    }

    /// Names a text whose size the caller has checked.
    pub(crate) fn name_text(&mut self, text: Arc<str>) -> PayloadId {
        self.keep(Payload::of_text(text))
    }

    fn keep(&mut self, payload: Payload) -> PayloadId {
        let id = PayloadId { step: self.execution.step, slot: self.payloads.len() as u32 };
        self.named_bytes += payload.text.len();
        self.payloads.push(Change::Payload(id, payload.text.clone()));
        self.execution.heap.insert(id, payload);
        id
    }

    /// The value of data; sharing, not copying.
    pub(crate) fn value(&self, data: &Data) -> Json {
        match data {
            Data::Named(id) => {
                self.execution.heap.get(*id).map_or(Json::Null, |payload| payload.value().clone())
            }
            Data::Value(value) => value.clone(),
            Data::Text(payload) => payload.value().clone(),
        }
    }

    /// The text of a payload that is in memory.
    pub(crate) fn text(&self, id: PayloadId) -> Arc<str> {
        self.execution.text(id).unwrap_or_else(|| "null".into())
    }

    // ---- frames ----

    /// Opens a frame at the start of a container.
    pub(crate) fn open_frame(
        &mut self,
        seat: Option<Seat>,
        container: ContainerId,
        last_event: u64,
        input: PayloadId,
    ) {
        let id = FrameId(self.execution.counters.frame);
        self.execution.counters.frame += 1;
        let state = self.machine.container(container).start_at.0;
        let position = Position::Entering { state, input };
        let frame = Frame { seat, container: container_ref(container), last_event, position };
        self.execution.frames.insert(id, frame);
        self.moved.insert(id);
        self.queue.push_back(id);
    }

    /// Removes a frame that has returned, or that nobody needs any more. It has no timers.
    pub(crate) fn close_frame(&mut self, id: FrameId) {
        self.execution.redo(Change::FrameGone(id));
        self.gone.insert(id);
    }

    /// Stops a frame, and keeps it until its parent has said what follows. If that is the end of the execution, a redrive
    /// finds it; the end halts every frame, so this one is no change of its own.
    pub(crate) fn halt_frame(&mut self, id: FrameId) {
        let Some(frame) = self.execution.frames.get_mut(&id) else { return };
        let timers = frame_timers(frame);
        frame.halt();
        self.halted.insert(id);
        for timer in timers {
            self.effect(Effect::ClearTimer(timer));
        }
    }

    /// Whether a frame was stopped within this step.
    pub(crate) fn is_halted(&self, id: FrameId) -> bool {
        self.halted.contains(&id)
    }

    /// The state that failed is retried or caught: what it stopped is not needed any more.
    pub(crate) fn close_halted(&mut self) {
        for id in std::mem::take(&mut self.halted) {
            self.close_frame(id);
        }
    }

    /// A frame that is about to move or to be halted: what is put here is no change by itself. So the failure of a Map does
    /// not write down all that its iterations returned.
    pub(crate) fn unsettled_mut(&mut self, id: FrameId) -> Option<&mut Frame> {
        self.execution.frames.get_mut(&id)
    }

    pub(crate) fn frame_mut(&mut self, id: FrameId) -> Option<&mut Frame> {
        self.moved.insert(id);
        self.execution.frames.get_mut(&id)
    }

    /// Moves a frame to the door of a state of its container.
    pub(crate) fn move_to(&mut self, id: FrameId, state: StateId, input: PayloadId) {
        if let Some(frame) = self.frame_mut(id) {
            frame.position = Position::Entering { state: state.0, input };
            self.queue.push_back(id);
        }
    }

    pub(crate) fn activation(&self, id: FrameId) -> Option<&Activation> {
        self.execution.activation(id)
    }

    pub(crate) fn activation_mut(&mut self, id: FrameId) -> Option<&mut Activation> {
        match &mut self.frame_mut(id)?.position {
            Position::In(activation) => Some(activation),
            Position::Entering { .. } => None,
        }
    }

    pub(crate) fn set_phase(&mut self, id: FrameId, phase: Phase) {
        if let Some(activation) = self.activation_mut(id) {
            activation.phase = phase;
            activation.halted = false;
        }
    }

    /// A change inside a frame: written by itself when nothing else of the frame moves in this step.
    pub(crate) fn inside(&mut self, frame: FrameId, change: Change) {
        self.execution.redo(change.clone());
        self.inner.push((frame, change));
    }

    /// Any other change.
    pub(crate) fn change(&mut self, change: Change) {
        self.execution.redo(change.clone());
        self.others.push(change);
    }

    /// The execution runs again.
    pub(crate) fn reopen(&mut self, redriven: Redriven) {
        let change = Change::Redriven(Box::new(redriven));
        self.execution.redo(change.clone());
        self.redriven = Some(change);
    }

    pub(crate) fn site(&self, frame: FrameId) -> Option<Site<'a>> {
        let activation = self.activation(frame)?;
        let state = self.machine.state(activation.state());
        Some(Site { frame, state, entered_event: activation.entered_event, input: activation.input })
    }

    // ---- time, numbers, effects ----

    /// A number for a task or timer.
    pub(crate) fn number(&mut self) -> u32 {
        self.execution.counters.number += 1;
        self.execution.counters.number
    }

    pub(crate) fn after_seconds(&self, seconds: u64) -> i64 {
        self.after_ms(seconds.saturating_mul(1000))
    }

    pub(crate) fn after_ms(&self, ms: u64) -> i64 {
        self.at.now_ms.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX))
    }

    /// When a wait that is to last until `due_ms` ends here: sooner, where a second of waiting is shorter than a second.
    pub(crate) fn waited(&self, due_ms: i64) -> i64 {
        let second_ms = self.limits.waited_second_ms;
        let left_ms = due_ms.saturating_sub(self.at.now_ms);
        if second_ms >= 1000 || left_ms <= 0 {
            return due_ms;
        }
        // Rounded up: what was to be waited for is waited for, be it a millisecond.
        let shortened_ms = (i128::from(left_ms) * i128::from(second_ms) + 999) / 1000;
        self.at.now_ms.saturating_add(i64::try_from(shortened_ms).unwrap_or(i64::MAX))
    }

    /// Sets a timer of a frame. The caller keeps it in the frame's phase.
    pub(crate) fn set_timer(&mut self, frame: FrameId, due_ms: i64) -> Timer {
        let timer = Timer { id: TimerId::new(frame, self.number()), due_ms };
        self.effect(Effect::SetTimer(timer));
        timer
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn ended(&self) -> bool {
        self.execution.stopped_ms.is_some()
    }

    // ---- history ----

    /// Tells the history what a frame did; the next event of the frame follows it.
    pub(crate) fn record(&mut self, frame: FrameId, kind: HistoryKind) -> u64 {
        let previous = self.last_event(frame);
        let id = self.record_after(previous, kind);
        if let Some(frame) = self.frame_mut(frame) {
            frame.last_event = id;
        }
        id
    }

    pub(crate) fn last_event(&self, frame: FrameId) -> u64 {
        self.execution.frames.get(&frame).map_or(0, |frame| frame.last_event)
    }

    /// The children of a state are done: `last` is the event that both this one and the exit follow (recorded).
    pub(crate) fn join(&mut self, site: &Site<'_>, last: u64, kind: HistoryKind) {
        self.record_after(last, kind);
        // What they returned stays until the state is left: a redrive does not ask them again.
        if let Some(frame) = self.unsettled_mut(site.frame) {
            frame.last_event = last;
        }
    }

    /// Tells the history something that nothing of the frame follows: a leaf.
    pub(crate) fn record_after(&mut self, previous: u64, kind: HistoryKind) -> u64 {
        let id = self.execution.counters.event;
        if id >= self.limits.history_events_max && !is_terminal(&kind) {
            self.full = true;
            return previous;
        }
        self.execution.counters.event += 1;
        self.history.push(HistoryEvent { id, previous, at_ms: self.at.now_ms, kind });
        id
    }
}

fn is_terminal(kind: &HistoryKind) -> bool {
    matches!(
        kind,
        HistoryKind::ExecutionSucceeded { .. }
            | HistoryKind::ExecutionFailed(_)
            | HistoryKind::ExecutionAborted(_)
            | HistoryKind::ExecutionTimedOut(_)
    )
}

/// Leaves out what was both asked for and taken back within the step.
fn without_pairs(effects: Vec<Effect>) -> Vec<Effect> {
    let mut out: Vec<Effect> = Vec::with_capacity(effects.len());
    for effect in effects {
        let asked = match &effect {
            Effect::ClearTimer(timer) => Some(Effect::SetTimer(*timer)),
            Effect::Withdraw { task, activity } => {
                Some(Effect::Offer { task: *task, activity: activity.clone() })
            }
            Effect::Settle(task) => Some(Effect::Call(*task)),
            Effect::SetTimer(_) | Effect::Offer { .. } | Effect::Call(_) => None,
        };
        match asked.and_then(|asked| out.iter().position(|earlier| *earlier == asked)) {
            Some(at) => {
                out.remove(at);
            }
            None => out.push(effect),
        }
    }
    out
}
