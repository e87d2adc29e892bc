//! A run of one execution that checks, at every step, what must hold for all of them:
//!
//! - the journal rebuilds the execution (see `mirror.rs`), and an execution loaded from its checkpoint decides the
//!   same as the one that never left memory;
//! - history ids have no gaps, and every event follows an earlier one;
//! - what the effects left standing is what the execution says is standing: timers, offers, calls; nothing at the end;
//! - an event that is rejected changes nothing; after the end every event is but a redrive, and before it that is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use asl::machine::Machine;
use engine::{
    Effect, Event, Execution, Facts, Graft, HistoryEvent, Limits, Moment, Origin, PayloadId, Rejected,
    Restart, Start, Status, TaskId, TimerId, Transition, Unfit, World, apply,
};

use super::mirror::Mirror;
use super::show::task_name;

/// When every execution of the tests starts: 2026-01-01T00:00:00Z.
pub(crate) const ZERO_MS: i64 = 1_767_225_600_000;

/// The surroundings: tokens that can be read, and activities that exist unless they were deleted.
#[derive(Default)]
pub(crate) struct Surroundings {
    pub(crate) deleted_activities: Vec<String>,
}

impl World for Surroundings {
    fn token(&self, task: TaskId) -> String {
        format!("token {}", task_name(task))
    }

    fn map_run_arn(&self, _: &Facts, task: TaskId, state: &str, label: Option<&str>) -> String {
        let label = label.map_or_else(|| format!("label of {state}"), str::to_owned);
        format!("arn:aws:states:us-east-1:000000000000:mapRun:machine/{label}:{}", task_name(task))
    }

    fn has_activity(&self, arn: &str) -> bool {
        !self.deleted_activities.iter().any(|deleted| deleted == arn)
    }
}

/// One execution under test.
pub(crate) struct Run<'a> {
    pub(crate) machine: Arc<Machine>,
    limits: Limits,
    seed: u64,
    surroundings: &'a Surroundings,
    /// The machine of the redrive that comes next.
    onto: Option<Arc<Machine>>,
    pub(crate) redrives: u64,
    pub(crate) live: Execution,
    mirror: Mirror,
    pub(crate) now_ms: i64,
    /// Every task that ever was, in the order of their appearance.
    pub(crate) tasks: Vec<TaskId>,
    /// Every timer that ever was.
    pub(crate) timers_seen: Vec<TimerId>,
    timers: BTreeMap<TimerId, i64>,
    offered: BTreeSet<TaskId>,
    calling: BTreeSet<TaskId>,
    events: u64,
}

/// The start of an execution with this input.
pub(crate) fn start(input: Arc<str>, express: bool, origin: Origin) -> Event {
    const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:machine";
    Event::Start(Box::new(Start {
        arn: "arn:aws:states:us-east-1:000000000000:execution:machine:run".into(),
        name: "run".into(),
        machine_arn: MACHINE.into(),
        machine_name: "machine".into(),
        role_arn: "arn:aws:iam::000000000000:role/runner".into(),
        region: "us-east-1".into(),
        input,
        trace_header: None,
        express,
        log: None,
        origin,
        child: None,
    }))
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        machine: Arc<Machine>,
        limits: Limits,
        seed: u64,
        surroundings: &'a Surroundings,
    ) -> Self {
        Run {
            machine,
            limits,
            seed,
            surroundings,
            onto: None,
            redrives: 0,
            live: Execution::new(),
            mirror: Mirror::new(),
            now_ms: ZERO_MS,
            tasks: Vec::new(),
            timers_seen: Vec::new(),
            timers: BTreeMap::new(),
            offered: BTreeSet::new(),
            calling: BTreeSet::new(),
            events: 0,
        }
    }

    /// What a redrive changes. The machine that it goes on with is this run's once the next event, the redrive, is taken.
    pub(crate) fn graft(
        &mut self,
        onto: Option<Arc<Machine>>,
        restart: Option<Restart>,
    ) -> Result<Graft, Unfit> {
        let name = onto.as_ref().map(|_| "another".into());
        let machine = onto.unwrap_or_else(|| self.machine.clone());
        let graft = self.live.graft(&self.machine, &machine, name, restart)?;
        self.onto = Some(machine);
        Ok(graft)
    }

    pub(crate) fn ended(&self) -> bool {
        self.live.status != Status::Running
    }

    /// The timer that is due first.
    pub(crate) fn next_timer(&self) -> Option<(TimerId, i64)> {
        self.timers.iter().map(|(id, due_ms)| (*id, *due_ms)).min_by_key(|(id, due_ms)| (*due_ms, *id))
    }

    /// When a timer that is set is due.
    pub(crate) fn due_ms(&self, timer: TimerId) -> Option<i64> {
        self.timers.get(&timer).copied()
    }

    /// The text of a payload of any step so far.
    pub(crate) fn text(&self, id: PayloadId) -> Arc<str> {
        self.mirror.text(id).unwrap_or_else(|| format!("(no text for {id:?})").into())
    }

    /// One event. The outer error tells of something that must never happen.
    pub(crate) fn apply(&mut self, event: Event) -> Result<Result<Transition, Rejected>, String> {
        let before = self.live.checkpoint();
        let was_over = self.ended();
        let seed = self.seed.wrapping_add(u64::from(self.live.step));
        let at = Moment { now_ms: self.now_ms, seed, world: self.surroundings };
        let mut twin = self.mirror.reloaded()?;
        let fired = if let Event::Timer(id) = event { Some(id) } else { None };
        let redriven = matches!(event, Event::Redrive(_));
        let machine = self.onto.take().unwrap_or_else(|| self.machine.clone());
        let decided = apply(&machine, &mut self.live, event.clone(), at, self.limits);
        if decided != apply(&machine, &mut twin, event, at, self.limits) {
            return Err(format!("loaded from its checkpoint, step {} decides otherwise", self.live.step));
        }
        match &decided {
            Ok(_) if was_over != redriven => {
                return Err("an event was taken at the wrong side of the end".into());
            }
            Ok(transition) => {
                self.machine = machine;
                self.redrives += u64::from(redriven);
                self.observe(transition, fired)?;
            }
            Err(_) if self.live.checkpoint() != before => {
                return Err("a rejected event changed something".into());
            }
            Err(_) => {}
        }
        Ok(decided)
    }

    /// What must hold at the end of a script, whether the execution has ended or not.
    pub(crate) fn finish(mut self) -> Result<(), String> {
        if !self.ended() {
            // Nothing may be left standing however it ends: stop it here.
            let stopped = self.apply(Event::Stop { error: None, cause: None })?;
            stopped.map_err(|rejected| format!("a running execution refused to stop: {rejected:?}"))?;
        }
        let after = self.apply(Event::Stop { error: None, cause: None })?;
        if after != Err(Rejected::Ended) {
            return Err("an execution that has ended was stopped".into());
        }
        self.mirror.check_cuts(&self.live)
    }

    /// A timer that fired is gone with its event, as its row is gone with the step.
    fn observe(&mut self, transition: &Transition, fired: Option<TimerId>) -> Result<(), String> {
        self.mirror.keep(transition, &self.live)?;
        for event in &transition.history {
            self.observe_event(event)?;
        }
        if self.live.next_event() != self.events + 1 {
            return Err(format!(
                "after event {} the next one is to be {}",
                self.events,
                self.live.next_event()
            ));
        }
        if let Some(fired) = fired {
            self.timers.remove(&fired);
        }
        for effect in &transition.effects {
            self.observe_effect(effect)?;
        }
        self.check_standing()
    }

    fn observe_event(&mut self, event: &HistoryEvent) -> Result<(), String> {
        self.events += 1;
        if event.id != self.events || event.previous >= event.id {
            return Err(format!(
                "event {} follows {} and comes after {}",
                event.id,
                event.previous,
                self.events - 1
            ));
        }
        if event.at_ms != self.now_ms {
            return Err(format!("event {} happened at another time", event.id));
        }
        Ok(())
    }

    fn observe_effect(&mut self, effect: &Effect) -> Result<(), String> {
        let fits = match effect {
            Effect::SetTimer(timer) => {
                self.timers_seen.push(timer.id);
                self.timers.insert(timer.id, timer.due_ms).is_none()
            }
            Effect::ClearTimer(timer) => self.timers.remove(&timer.id) == Some(timer.due_ms),
            Effect::Offer { task, .. } => {
                self.see(*task);
                self.offered.insert(*task)
            }
            Effect::Withdraw { task, .. } => self.offered.remove(task),
            Effect::Call(task) => {
                self.see(*task);
                self.calling.insert(*task)
            }
            Effect::Settle(task) => self.calling.remove(task),
        };
        if fits { Ok(()) } else { Err(format!("the effect does not fit those before it: {effect:?}")) }
    }

    fn see(&mut self, task: TaskId) {
        if !self.tasks.contains(&task) {
            self.tasks.push(task);
        }
    }

    /// Whether effects and execution tell the same of what is standing.
    fn check_standing(&self) -> Result<(), String> {
        let timers: BTreeMap<TimerId, i64> =
            self.live.timers().into_iter().map(|timer| (timer.id, timer.due_ms)).collect();
        if timers != self.timers {
            return Err(format!("timers: the effects left {:?}, the execution has {timers:?}", self.timers));
        }
        let open = |wanted: fn(&engine::TaskView) -> bool| -> BTreeSet<TaskId> {
            self.tasks
                .iter()
                .copied()
                .filter(|task| self.live.task(*task).is_some_and(|view| wanted(&view)))
                .collect()
        };
        let (offered, calling) = (open(|view| view.offered), open(|view| view.calling));
        if offered != self.offered || calling != self.calling {
            return Err(format!(
                "tasks: the effects left {:?} offered and {:?} called, the execution has {offered:?} and {calling:?}",
                self.offered, self.calling
            ));
        }
        if self.ended() && !(timers.is_empty() && offered.is_empty() && calling.is_empty()) {
            return Err("something is left standing after the end".into());
        }
        Ok(())
    }
}
