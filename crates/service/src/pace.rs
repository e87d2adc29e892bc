//! How long a decision may take: told from the machine's shape and the bytes within reach, corrected by experience.
//!
//! Most decisions take microseconds (ten Pass states: 10 µs), and handing one to the compute pool costs about as much
//! (5 µs and a wakeup on either side): these stay on the owner's thread, where they also never wait behind long ones. A decision is made there when it *must* be
//! short: when the machine cannot run in circles within it, and what it can touch, times the states that it can visit,
//! is little. That product bounds what is usual and not everything (a path can look at a small document many times);
//! so a machine whose decision was slow all the same spends its next decisions on the pool.
//!
//! The shape is found once for each definition. The road not taken: to learn from experience alone, which would let
//! each kind of long decision stall a shard once; or to bound each decision on the owner's thread by a few transitions,
//! which would cost every longer chain a commit more.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use asl::machine::{Body, Machine, StateId, Transition};
use engine::Event;

use crate::pool::COST_INLINE_MAX;

/// What a transition costs besides the bytes of its payloads, in the pool's unit: names, events, changes (measured:
/// about 1 µs).
const TRANSITION_COST: usize = 192;
/// A decision that computed longer than this on an owner's thread was not short. It is well above what a decision of
/// [`COST_INLINE_MAX`] takes.
const SLOW: Duration = Duration::from_millis(3);
/// Decisions of a slow machine that go to the pool before it is trusted again: it may stall its owner once in so many.
const PROBATION: u32 = 1024;

/// A definition, ready to run.
pub(crate) struct Compiled {
    /// The hash of its text.
    pub(crate) hash: Arc<str>,
    pub(crate) machine: Machine,
    /// States that one decision may visit; `None` when there is no bound but the step's.
    visits_max: Option<usize>,
    /// Decisions that are still to be made on the pool because one was slow.
    probation: AtomicU32,
}

impl Compiled {
    pub(crate) fn new(hash: Arc<str>, machine: Machine) -> Self {
        let visits_max = visits_max(&machine);
        Compiled { hash, machine, visits_max, probation: AtomicU32::new(0) }
    }

    /// Whether the decision about an event may take long. `bytes` are those of the payloads that the execution holds.
    pub(crate) fn may_take_long(&self, bytes: usize, event: &Event) -> bool {
        let brought = match event {
            Event::Start(start) => start.input.len(),
            Event::TaskSucceeded { output, .. } | Event::MapRunSucceeded { output, .. } => output.len(),
            Event::Timer(_) | Event::TaskFailed { .. } | Event::MapRunFailed { .. } | Event::Redrive(_) => 0,
            // These move no frame into another state.
            Event::TaskTaken { .. }
            | Event::TaskDelivered(_)
            | Event::TaskReturned(_)
            | Event::TaskSubmitted { .. }
            | Event::Heartbeat(_)
            | Event::Expired
            | Event::Stop { .. } => return false,
        };
        let cost = |visits: usize| visits.saturating_mul(TRANSITION_COST + bytes + brought);
        self.visits_max.is_none_or(|visits| cost(visits) > COST_INLINE_MAX) || self.on_probation()
    }

    /// Takes note of how long a decision on the owner's thread took.
    pub(crate) fn took(&self, time: Duration) {
        if time > SLOW {
            self.probation.store(PROBATION, Ordering::Relaxed);
        }
    }

    fn on_probation(&self) -> bool {
        self.probation.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// The states that one decision may visit, each at most once, if their number bounds what it does. An expression has a
/// second of its own, so where there is one, the number of states says nothing.
fn visits_max(machine: &Machine) -> Option<usize> {
    if machine.has_expressions {
        return None;
    }
    // A Distributed Map is one visit: its items are not looked at.
    let inline = |body: &Body| matches!(body, Body::Map(map) if map.distributed.is_none());
    let maps = machine.states.iter().any(|state| inline(&state.body));
    (!maps && !runs_in_circles(machine)).then_some(machine.states.len())
}

/// Whether a decision can come back to a state that it has left.
fn runs_in_circles(machine: &Machine) -> bool {
    let mut done = HashSet::new();
    let mut above = HashSet::new();
    for root in (0..machine.states.len()).map(|at| StateId(at as u32)) {
        // Depth first, with the way down kept: definitions can be longer than a stack is deep.
        let mut way = vec![(root, onward(machine, root))];
        above.insert(root);
        while let Some((state, next)) = way.last_mut() {
            match next.pop() {
                Some(next) if above.contains(&next) => return true,
                Some(next) if done.contains(&next) => {}
                Some(next) => {
                    above.insert(next);
                    way.push((next, onward(machine, next)));
                }
                None => {
                    above.remove(state);
                    done.insert(*state);
                    way.pop();
                }
            }
        }
    }
    false
}

/// Where a state leads within the decision that enters it. A task waits for its result, or fails at once.
fn onward(machine: &Machine, id: StateId) -> Vec<StateId> {
    let body = &machine.state(id).body;
    let mut onward = Vec::new();
    let mut exit = |transition: &Transition| {
        if let Transition::Next(next) = transition {
            onward.push(*next);
        }
    };
    match body {
        Body::Pass(pass) => exit(&pass.next),
        // A moment that has passed is not waited for.
        Body::Wait(wait) => exit(&wait.next),
        Body::Parallel(parallel) => exit(&parallel.work.next),
        Body::Map(map) => exit(&map.work.next),
        Body::Choice(choice) => {
            onward.extend(choice.rules.iter().map(|rule| rule.next));
            onward.extend(choice.default);
        }
        Body::Task(_) | Body::Succeed(_) | Body::Fail(_) => {}
    }
    if let Body::Parallel(parallel) = body {
        onward.extend(parallel.branches.iter().map(|branch| machine.container(*branch).start_at));
    }
    onward.extend(body.work().into_iter().flat_map(|work| work.catchers.iter().map(|catcher| catcher.next)));
    onward
}

#[cfg(test)]
mod tests {
    use asl::jsonata::Jsonata;
    use jsonata::Evaluator;
    use serde_json::{Value, json};

    use super::*;

    fn compiled(start: &str, states: Value) -> Compiled {
        let text = json!({"StartAt": start, "States": states}).to_string();
        let jsonata: Arc<dyn Jsonata> = Arc::new(Evaluator::new(jsonata::Limits::STRICT));
        Compiled::new("hash".into(), asl::parse(&text, asl::MachineType::Standard, &jsonata).unwrap())
    }

    fn task(next: &str) -> Value {
        json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f", "Next": next,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}]})
    }

    fn pass(next: &str) -> Value {
        json!({"Type": "Pass", "Next": next})
    }

    #[test]
    fn the_shape_bounds_what_one_decision_visits() {
        let end = json!({"Type": "Succeed"});
        let choice = json!({"Type": "Choice", "Choices": [
            {"Variable": "$.x", "IsPresent": true, "Next": "A"}], "Default": "Z"});
        let mut caught = task("Z");
        caught["Catch"][0]["Next"] = "A".into();
        let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}});
        let parallel = json!({"Type": "Parallel", "Branches": [inner], "Next": "Z"});
        let map = json!({"Type": "Map", "ItemProcessor": inner, "Next": "Z"});
        let wait = json!({"Type": "Wait", "TimestampPath": "$.t", "Next": "C"});
        let query = json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% 1 %}", "Next": "Z"});
        let cases = [
            ("a chain", json!({"A": pass("B"), "B": pass("Z"), "Z": end}), Some(3)),
            ("a choice of itself", json!({"A": choice, "Z": end}), None),
            ("a circle", json!({"A": pass("B"), "B": choice, "Z": end}), None),
            ("a circle through a task", json!({"A": task("B"), "B": choice, "Z": end}), Some(3)),
            ("a circle through a catcher", json!({"A": pass("B"), "B": caught, "Z": end}), None),
            ("a circle through a wait", json!({"A": pass("B"), "B": wait, "C": choice, "Z": end}), None),
            ("branches", json!({"A": parallel, "Z": end}), Some(3)),
            ("an expression", json!({"A": query, "Z": end}), None),
            ("iterations", json!({"A": map, "Z": end}), None),
        ];
        for (what, states, visits_max) in cases {
            assert_eq!(compiled("A", states).visits_max, visits_max, "{what}");
        }
    }

    #[test]
    fn what_is_within_reach_decides() {
        let chain = compiled("A", json!({"A": pass("B"), "B": task("Z"), "Z": {"Type": "Succeed"}}));
        let done =
            |bytes: usize| Event::TaskSucceeded { task: engine::TaskId(1), output: " ".repeat(bytes).into() };
        assert!(!chain.may_take_long(1000, &done(1000)));
        assert!(chain.may_take_long(COST_INLINE_MAX, &done(1000)), "what it holds counts");
        assert!(chain.may_take_long(1000, &done(COST_INLINE_MAX)), "what comes counts");
        assert!(!chain.may_take_long(COST_INLINE_MAX, &Event::Heartbeat(engine::TaskId(1))));
    }

    #[test]
    fn a_slow_machine_is_trusted_again_after_a_while() {
        let chain = compiled("A", json!({"A": pass("Z"), "Z": {"Type": "Succeed"}}));
        let event = Event::Timer(engine::TimerId(1));
        chain.took(SLOW);
        assert!(!chain.may_take_long(0, &event), "not slow yet");
        chain.took(SLOW * 2);
        for decision in 0..PROBATION {
            assert!(chain.may_take_long(0, &event), "{decision}");
        }
        assert!(!chain.may_take_long(0, &event));
    }
}
