//! How frames move: into states, out of them, through retries and catchers, and out of their containers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use asl::machine::{Body, Payload, StateId, Transition as Next};
use asl::retry::{Catcher, Retrier};
use asl::states::work::Work;

use crate::change::Change;
use crate::effect::Effect;
use crate::execution::{Activation, FrameId, Phase, Position, Stage, Status, TaskRun};
use crate::failure::{Failure, Raised};
use crate::history::{HistoryKind, StateType};
use crate::io::{Extra, Role};
use crate::payload::PayloadId;
use crate::states;
use crate::step::{Data, Site, Step};
use crate::trial::{Left, Station};

/// What a state did when it was entered or resumed.
pub(crate) enum Outcome {
    /// It is done.
    Exit { output: Data, next: Next, assigned: Vec<(Arc<str>, Data)> },
    /// It waits for something; its phase says for what.
    Parked,
}

/// A state's output and the variables that it assigns, named.
type Exit = (PayloadId, Vec<(Arc<str>, PayloadId)>);

impl<'a> Step<'a> {
    /// Enters the state at whose door a frame stands, or takes up the one in which it was halted.
    pub(crate) fn advance(&mut self, frame: FrameId) {
        let (state, input) = match self.execution.frames.get(&frame).map(|frame| &frame.position) {
            Some(Position::Entering { state, input }) => (*state, *input),
            Some(Position::In(activation)) if activation.halted => return self.take_up(frame),
            _ => return,
        };
        let id = StateId(state);
        let body = &self.machine.state(id).body;
        let name = self.machine.state(id).name.clone();
        let entered_after = self.last_event(frame);
        let entered_event =
            self.record(frame, HistoryKind::StateEntered { state: state_type(body), name, input });
        let entered_ms = self.at.now_ms;
        if let Some(frame) = self.frame_mut(frame) {
            frame.position = Position::In(Activation {
                state,
                entered_event,
                entered_after,
                entered_ms,
                input,
                retries: Vec::new(),
                phase: Phase::Active,
                halted: false,
            });
        }
        self.attempt(frame);
    }

    /// Tries the state that a frame is in: for the first time, or again.
    pub(crate) fn attempt(&mut self, frame: FrameId) {
        self.set_phase(frame, Phase::Active);
        let Some(site) = self.site(frame) else { return };
        let outcome = match &site.state.body {
            Body::Pass(state) => states::pass::enter(self, &site, state),
            Body::Task(state) => states::task::enter(self, &site, state),
            Body::Choice(state) => states::choice::enter(self, &site, state),
            Body::Wait(state) => states::wait::enter(self, &site, state),
            Body::Succeed(state) => states::succeed::enter(self, &site, state),
            Body::Fail(state) => states::fail::enter(self, &site, state),
            Body::Parallel(state) => states::parallel::enter(self, &site, state),
            Body::Map(state) => states::map::enter(self, &site, state),
        };
        self.settle(&site, outcome);
    }

    /// Goes on from what a state did.
    pub(crate) fn settle(&mut self, site: &Site<'a>, outcome: Result<Outcome, Raised>) {
        if self.ended() {
            return;
        }
        match outcome {
            Ok(Outcome::Parked) => {}
            Ok(Outcome::Exit { output, next, assigned }) => self.exit(site, output, next, assigned),
            Err(raised) => self.fail(site, raised),
        }
    }

    /// Leaves a state: its event, its variables, and on to the next state or out of the container.
    fn exit(&mut self, site: &Site<'a>, output: Data, next: Next, assigned: Vec<(Arc<str>, Data)>) {
        match self.name_all(site, output, assigned) {
            Ok(exit) => self.leave(site, exit, next),
            Err(raised) => self.fail(site, raised),
        }
    }

    fn leave(&mut self, site: &Site<'a>, (output, assigned): Exit, next: Next) {
        for (name, value) in &assigned {
            self.change(Change::Assigned(site.frame, name.clone(), *value));
        }
        let kind = HistoryKind::StateExited {
            state: state_type(&site.state.body),
            name: site.state.name.clone(),
            output,
            assigned,
        };
        self.record(site.frame, kind);
        if let Some(trial) = self.trial {
            let next = if let Next::Next(state) = next { Some(state) } else { None };
            let variables = self.own_variables(site.frame);
            trial.left(Left { next, output: self.text(output), variables });
            return self.end(Status::Succeeded, Some(output), None);
        }
        match next {
            Next::Next(state) => self.move_to(site.frame, state, output),
            Next::End => self.container_done(site.frame, output),
        }
    }

    /// Names what leaves a state.
    fn name_all(
        &mut self,
        site: &Site<'a>,
        output: Data,
        assigned: Vec<(Arc<str>, Data)>,
    ) -> Result<Exit, Raised> {
        let what = &site.state.name;
        let output = self.name(output, what)?;
        let mut named = Vec::with_capacity(assigned.len());
        for (name, data) in assigned {
            named.push((name, self.name(data, what)?));
        }
        self.check_variables(site, &named)?;
        Ok((output, named))
    }

    /// An inner scope reads the variables around it and does not assign them. One `Assign` may not be larger than a
    /// payload, nor all variables together than their own limit (asl-facts 13). There are as many to add up as the
    /// definition has names.
    fn check_variables(&self, site: &Site<'a>, assigned: &[(Arc<str>, PayloadId)]) -> Result<(), Raised> {
        if assigned.is_empty() {
            return Ok(());
        }
        if let Some((name, _)) = assigned.iter().find(|(name, _)| self.is_outer(site.frame, name)) {
            // The text is ours: no recording shows it.
            let text = format!(
                "The variable '{name}' belongs to an outer scope: an inner one can read it but not assign it."
            );
            return Err(self.runtime(site, text));
        }
        let bytes = |id: &PayloadId| self.execution.heap.get(*id).map_or(0, |payload| payload.text.len());
        let new: usize = assigned.iter().map(|(name, value)| name.len() + bytes(value)).sum();
        let names: HashSet<&Arc<str>> = assigned.iter().map(|(name, _)| name).collect();
        let replaced = |frame: &FrameId, name: &Arc<str>| {
            *frame == site.frame && names.contains(name) || self.is_halted(*frame)
        };
        let kept = self.execution.variables.iter().filter(|((frame, name), _)| !replaced(frame, name));
        let kept: usize = kept.map(|((_, name), value)| name.len() + bytes(value)).sum();
        if new > self.limits.payload_bytes_max || kept + new > self.limits.variables_bytes_max {
            return Err(Raised::variables_limit(&site.state.name));
        }
        Ok(())
    }

    /// Whether a variable of this name belongs to a frame around this one.
    fn is_outer(&self, frame: FrameId, name: &Arc<str>) -> bool {
        let parent = |frame: &FrameId| Some(self.execution.frames.get(frame)?.seat?.parent);
        std::iter::successors(parent(&frame), parent)
            .any(|outer| self.execution.variables.contains_key(&(outer, name.clone())))
    }

    /// A container reached its end.
    fn container_done(&mut self, frame: FrameId, output: PayloadId) {
        let last = self.last_event(frame);
        let Some(seat) = self.execution.frames.get(&frame).and_then(|frame| frame.seat) else {
            if self.full {
                // The exit did not fit any more: the execution has not succeeded.
                return;
            }
            self.record_after(last, HistoryKind::ExecutionSucceeded { output });
            return self.end(Status::Succeeded, Some(output), None);
        };
        self.close_frame(frame);
        let Some(site) = self.site(seat.parent) else { return };
        let outcome = match &site.state.body {
            Body::Parallel(state) => {
                states::parallel::branch_done(self, &site, state, seat.index, output, last)
            }
            Body::Map(state) => states::map::iteration_done(self, &site, state, seat.index, output, last),
            _ => Ok(Outcome::Parked),
        };
        self.settle(&site, outcome);
    }

    // ---- failing ----

    /// A state failed: retriers, then catchers, then its container (asl-facts 15.4).
    pub(crate) fn fail(&mut self, site: &Site<'a>, mut raised: Raised) {
        if self.ended() || self.full {
            return;
        }
        self.record_evaluation(site, &mut raised);
        if let Some(trial) = self.trial {
            trial.failed(&raised.failure);
        }
        if raised.fatal {
            return self.fail_execution(self.last_event(site.frame), raised.failure);
        }
        if matches!(site.state.body, Body::Parallel(_) | Body::Map(_)) {
            // Siblings of what failed; or the Map itself could not start one more iteration.
            let children = self.children();
            self.abort_children(site.frame, self.last_event(site.frame), &children);
        }
        let (retriers, catchers) = handlers(&site.state.body);
        if self.retry(site, &raised, retriers) {
            return;
        }
        match &site.state.body {
            Body::Parallel(_) => self.record_failed(site, HistoryKind::ParallelStateFailed),
            Body::Map(_) => self.record_failed(site, HistoryKind::MapStateFailed),
            _ => {}
        }
        let Some(index) = catchers.iter().position(|catcher| raised.matches(&catcher.errors)) else {
            return self.container_failed(site, raised);
        };
        let catcher = &catchers[index];
        if let Some(trial) = self.trial {
            trial.caught(index);
        }
        // What fails on the way through a catcher is not for this state: it would catch its own failure for ever.
        match self.caught(site, catcher, &raised) {
            Ok(exit) => {
                self.close_halted();
                self.leave(site, exit, Next::Next(catcher.next));
            }
            Err(raised) if raised.fatal => self.fail_execution(self.last_event(site.frame), raised.failure),
            Err(mut raised) => {
                self.record_evaluation(site, &mut raised);
                self.container_failed(site, raised);
            }
        }
    }

    /// Tells the history of a failed expression, once.
    fn record_evaluation(&mut self, site: &Site<'a>, raised: &mut Raised) {
        let Some(query) = raised.query.take() else { return };
        let last = self.last_event(site.frame);
        let entered = self.activation(site.frame).map(|activation| activation.entered_after);
        let previous = match entered {
            Some(entered_after) if last == site.entered_event && !query.entered => entered_after,
            _ => last,
        };
        let kind = HistoryKind::EvaluationFailed {
            failure: raised.failure.clone(),
            location: query.location,
            state: site.state.name.clone(),
        };
        let id = self.record_after(previous, kind);
        if let Some(frame) = self.unsettled_mut(site.frame) {
            frame.last_event = id;
        }
    }

    /// Tells the history that the children of a state failed it.
    fn record_failed(&mut self, site: &Site<'a>, kind: HistoryKind) {
        let id = self.record_after(self.last_event(site.frame), kind);
        if let Some(frame) = self.unsettled_mut(site.frame) {
            frame.last_event = id;
        }
    }

    /// Waits for the next attempt, if a retrier is for the error and has one left.
    fn retry(&mut self, site: &Site<'a>, raised: &Raised, retriers: &[Retrier]) -> bool {
        let Some(index) = retriers.iter().position(|retrier| raised.matches(&retrier.errors)) else {
            return false;
        };
        let retrier = &retriers[index];
        let Some(activation) = self.activation(site.frame) else { return false };
        let used =
            activation.retries.iter().find(|(at, _)| usize::from(*at) == index).map_or(0, |(_, used)| *used);
        let used = used.saturating_add(self.trial.map_or(0, |trial| trial.retries));
        if u64::from(used) >= retrier.max_attempts {
            return false;
        }
        let mut delay_ms = retrier.delay_ms(u64::from(used) + 1);
        if retrier.jitter {
            delay_ms = (self.dice.fraction() * delay_ms as f64) as u64;
        }
        if let Some(trial) = self.trial {
            trial.retried(index, delay_ms);
        }
        let timer = self.set_timer(site.frame, self.waited(self.after_ms(delay_ms)));
        if let Some(activation) = self.activation_mut(site.frame) {
            match activation.retries.iter_mut().find(|(at, _)| usize::from(*at) == index) {
                Some((_, used)) => *used += 1,
                None => activation.retries.push((index as u16, 1)),
            }
            activation.phase = Phase::BackingOff(timer);
            activation.halted = false;
        }
        self.close_halted();
        true
    }

    /// The way out through a catcher.
    fn caught(&mut self, site: &Site<'a>, catcher: &Catcher, raised: &Raised) -> Result<Exit, Raised> {
        let error = Data::Value(error_output(&raised.failure));
        let assigned = self.assignments(site, catcher.assign.as_ref(), &error, Role::Error)?;
        let output = match &catcher.output {
            Some(query) => self.query(site, query, &error, Role::Error, Extra::default())?,
            None => self.merge(site, &catcher.result_path, error)?,
        };
        self.name_all(site, output, assigned)
    }

    /// Nothing in the container handles the error: it goes to the Parallel or Map around it, or ends the execution.
    fn container_failed(&mut self, site: &Site<'a>, raised: Raised) {
        let last = self.last_event(site.frame);
        let Some(seat) = self.execution.frames.get(&site.frame).and_then(|frame| frame.seat) else {
            return self.fail_execution(last, raised.failure);
        };
        // The state that failed was entered and not left: a container reports it as aborted (recorded).
        self.record_aborted(site, last);
        if seat.iteration {
            let name = self.site(seat.parent).map(|parent| parent.state.name.clone()).unwrap_or_default();
            self.record_after(last, HistoryKind::MapIterationFailed { name, index: seat.index });
        }
        self.halt_frame(site.frame);
        if let Some(parent) = self.unsettled_mut(seat.parent) {
            parent.last_event = last;
        }
        if let Some(parent) = self.site(seat.parent) {
            self.fail(&parent, raised);
        }
    }

    /// The children of every frame that has any, without those that were stopped already.
    fn children(&self) -> HashMap<FrameId, Vec<FrameId>> {
        let mut children: HashMap<FrameId, Vec<FrameId>> = HashMap::new();
        for (id, frame) in &self.execution.frames {
            if let Some(seat) = frame.seat.filter(|_| !self.is_halted(*id)) {
                children.entry(seat.parent).or_default().push(*id);
            }
        }
        children
    }

    /// Cuts off everything below a frame; each event follows the one that caused it (recorded).
    fn abort_children(&mut self, parent: FrameId, cause: u64, children: &HashMap<FrameId, Vec<FrameId>>) {
        for &child in children.get(&parent).into_iter().flatten() {
            self.abort_children(child, cause, children);
            if let Some(site) = self.site(child) {
                self.withdraw(&site);
                self.record_aborted(&site, cause);
            }
            self.halt_frame(child);
            let seat = self.execution.frames.get(&child).and_then(|frame| frame.seat);
            if let Some(seat) = seat.filter(|seat| seat.iteration) {
                let name = self.site(parent).map(|parent| parent.state.name.clone()).unwrap_or_default();
                self.record_after(cause, HistoryKind::MapIterationAborted { name, index: seat.index });
            }
        }
    }

    /// Only states that can last have an aborted event.
    fn record_aborted(&mut self, site: &Site<'a>, previous: u64) {
        let state = state_type(&site.state.body);
        if matches!(state, StateType::Task | StateType::Wait | StateType::Parallel | StateType::Map) {
            self.record_after(previous, HistoryKind::StateAborted(state));
        }
    }

    /// Takes back the task or the Map Run that a frame has out, if any.
    fn withdraw(&mut self, site: &Site<'a>) {
        // What was halted is taken back already.
        let activation = self.activation(site.frame).filter(|activation| !activation.halted);
        let run = match activation.map(|activation| &activation.phase) {
            Some(Phase::Task(run)) => run.clone(),
            Some(Phase::Distributed(plan)) => {
                let task = plan.task;
                return self.effect(Effect::Settle(task));
            }
            _ => return,
        };
        self.take_back(site, &run);
    }

    /// The rows of a task that is over.
    pub(crate) fn take_back(&mut self, site: &Site<'a>, run: &TaskRun) {
        let Body::Task(task) = &site.state.body else { return };
        match run.stage {
            Stage::Offered | Stage::Taken | Stage::Returned => {
                self.effect(Effect::Withdraw { task: run.id, activity: task.resource.arn().clone() })
            }
            Stage::Calling | Stage::Working => self.effect(Effect::Settle(run.id)),
            Stage::Held | Stage::Submitted => {}
        }
    }

    // ---- ending ----

    pub(crate) fn fail_execution(&mut self, previous: u64, failure: Failure) {
        self.record_after(previous, HistoryKind::ExecutionFailed(failure.clone()));
        self.end(Status::Failed, None, Some(failure));
    }

    /// StopExecution: the event follows nothing (recorded).
    pub(crate) fn abort(&mut self, failure: Failure) {
        self.record_after(0, HistoryKind::ExecutionAborted(failure.clone()));
        self.end(Status::Aborted, None, Some(failure));
    }

    /// The machine's TimeoutSeconds; the event follows nothing (asl-facts 8).
    pub(crate) fn time_out(&mut self, failure: Failure) {
        self.record_after(0, HistoryKind::ExecutionTimedOut(failure.clone()));
        self.end(Status::TimedOut, None, Some(failure));
    }

    fn end(&mut self, status: Status, output: Option<PayloadId>, failure: Option<Failure>) {
        let frames: Vec<FrameId> = self.execution.frames.keys().copied().collect();
        for frame in frames {
            if let Some(site) = self.site(frame) {
                self.withdraw(&site);
            }
        }
        for timer in self.execution.timers() {
            self.effect(Effect::ClearTimer(timer));
        }
        self.queue.clear();
        self.change(Change::Ended { status, at_ms: self.at.now_ms, output, failure });
    }

    /// The way out of a state whose work is done: ResultSelector, Assign, ResultPath, then OutputPath or Output.
    pub(crate) fn finish_work(
        &mut self,
        site: &Site<'a>,
        work: &Work,
        result: Data,
    ) -> Result<Outcome, Raised> {
        self.show(Station::Result, &result);
        let shaped = match &work.result_selector {
            Some(selector) => self.template(site, selector, &result, Extra::default())?,
            None => result,
        };
        self.show(Station::ResultSelector, &shaped);
        let assigned = self.assignments(site, work.assign.as_ref(), &shaped, Role::Result)?;
        let merged = self.merge(site, &work.result_path, shaped)?;
        self.show(Station::ResultPath, &merged);
        let output = self.output(site, &work.output, merged, Role::Result)?;
        Ok(Outcome::Exit { output, next: work.next, assigned })
    }

    /// What `Assign` gives, as (name, value) pairs.
    pub(crate) fn assignments(
        &mut self,
        site: &Site<'a>,
        assign: Option<&Payload>,
        data: &Data,
        role: Role,
    ) -> Result<Vec<(Arc<str>, Data)>, Raised> {
        let Some(payload) = assign else { return Ok(Vec::new()) };
        let value = self.payload(site, payload, data, role, Extra::default())?;
        let value = self.value(&value);
        let members = value.as_object().into_iter().flatten();
        Ok(members.map(|(name, value)| (name.clone(), Data::Value(value.clone()))).collect())
    }
}

/// `{"Error": …, "Cause": …}`; an absent cause is an empty one (recorded for timeouts).
fn error_output(failure: &Failure) -> asl::json::Json {
    use asl::json::Json;
    let text = |part: &Option<Arc<str>>| Json::from(part.as_deref().unwrap_or_default());
    Json::object([("Error", text(&failure.error)), ("Cause", text(&failure.cause))])
}

fn handlers(body: &Body) -> (&[Retrier], &[Catcher]) {
    body.work().map_or((&[], &[]), |work| (&work.retriers, &work.catchers))
}

pub(crate) fn state_type(body: &Body) -> StateType {
    match body {
        Body::Pass(_) => StateType::Pass,
        Body::Task(_) => StateType::Task,
        Body::Choice(_) => StateType::Choice,
        Body::Wait(_) => StateType::Wait,
        Body::Succeed(_) => StateType::Succeed,
        Body::Fail(_) => StateType::Fail,
        Body::Parallel(_) => StateType::Parallel,
        Body::Map(_) => StateType::Map,
    }
}
