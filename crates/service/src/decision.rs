//! One decision: what the engine says to an event, and the rows that this becomes.
//!
//! A decision owns the execution while it is made, so it can be made anywhere: on the owner's thread, or on the compute
//! pool. It knows nothing of what waits behind it.
//!
//! A broken invariant in the engine is the trouble of one execution and not of its server. The step is void, what is
//! in memory is dropped, and the execution is set aside as the store has it, with the report in the log. The clock
//! leaves its timers alone until the next start of the server, and polls meet its queued task only when a lease ends:
//! so a panic that comes back each time never runs hot and never keeps a server from starting. The execution is not
//! failed with an error of the language: what is stored is whole, and a release without the fault goes on from there.
//! Who does not want to wait for that stops it.

use std::sync::Arc;
use std::time::Duration;

use engine::{Effect, Event, Facts, Moment, TaskId, World};
use store::{ExecutionId, StepWrite, Timer};

use crate::clock::now_ms;
use crate::live::Live;
use crate::log::{self, Told};
use crate::map_run::map_run_arn;
use crate::owner::Failed;
use crate::pool::caught;
use crate::redrive::Amendment;
use crate::service::Shared;

/// An event and the execution that it is about.
pub(crate) struct Case {
    pub(crate) id: ExecutionId,
    pub(crate) event: Event,
    /// For a redrive of the extended mode: what is to be otherwise.
    pub(crate) amendment: Option<Arc<Amendment>>,
    /// The timer row that the event consumes.
    pub(crate) timer: Option<Timer>,
    pub(crate) live: Box<Live>,
}

/// What came of a case.
pub(crate) enum Decided {
    /// A step, which the execution has in it.
    Step { live: Box<Live>, write: Box<StepWrite>, effects: Vec<Effect>, told: Option<Box<Told>> },
    /// Nothing: the execution is as it was, or absent when nobody knows how it is.
    Nothing { live: Option<Box<Live>>, failed: Failed },
}

impl Case {
    /// Whether the decision belongs on the compute pool.
    pub(crate) fn may_take_long(&self) -> bool {
        // What a redrive onto another definition does, this one's shape does not tell.
        self.amendment.is_some()
            || self.live.definition.may_take_long(self.live.bytes_within_reach(), &self.event)
    }

    /// Decides on this thread, and takes note of how long that took.
    pub(crate) fn decide_here(self, shared: &Shared) -> Decided {
        let definition = self.live.definition.clone();
        let begun = thread_time();
        let decided = self.decide(shared);
        definition.took(thread_time().saturating_sub(begun));
        decided
    }

    /// Decides.
    pub(crate) fn decide(self, shared: &Shared) -> Decided {
        let Case { id, event, amendment, timer, mut live } = self;
        let decided = caught(|| decide(shared, id, event, amendment.as_deref(), timer, &mut live));
        let message = match decided {
            Ok(Ok((write, effects, told))) => return Decided::Step { live, write, effects, told },
            Ok(Err(failed)) => return Decided::Nothing { live: Some(live), failed },
            Err(message) => message,
        };
        let arn = live.execution.facts.as_ref().map(|facts| facts.arn.as_str()).unwrap_or_default();
        tracing::error!(execution = %id, arn, message, "the engine broke; the execution stays as it is stored");
        let failed = Failed::Broken(format!("the engine broke on execution {id}: {message}"));
        Decided::Nothing { live: None, failed }
    }
}

/// The rows of a step, its effects, and what of it is told to a log.
type Made = (Box<StepWrite>, Vec<Effect>, Option<Box<Told>>);

/// What this thread has computed so far. Not the time on the wall: a thread that the system interrupted has made no slow
/// decision.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}

fn decide(
    shared: &Shared,
    id: ExecutionId,
    mut event: Event,
    amendment: Option<&Amendment>,
    timer: Option<Timer>,
    live: &mut Live,
) -> Result<Made, Failed> {
    let expect = live.expect();
    let now_ms = now_ms();
    let definition = match (amendment, &mut event) {
        (Some(amendment), Event::Redrive(redrive)) => {
            amendment.fit(live, redrive, now_ms, shared.limits())?;
            amendment.onto.clone().unwrap_or_else(|| live.definition.clone())
        }
        _ => live.definition.clone(),
    };
    let world = Surroundings { shared, execution: id };
    let seed = getrandom::u64().unwrap_or(now_ms as u64);
    let at = Moment { now_ms, seed, world: &world };
    let machine = &definition.machine;
    let transition =
        engine::apply(machine, &mut live.execution, event, at, shared.limits()).map_err(Failed::Rejected)?;
    live.definition = definition;
    let write = live.step(id, expect, &transition, timer);
    // Now, because the next step may forget the texts; it is told when this one is durable.
    let told = log::told(&live.execution, &transition.history).map(Box::new);
    Ok((Box::new(write), transition.effects, told))
}

/// What a decision may ask of this service.
struct Surroundings<'a> {
    shared: &'a Shared,
    execution: ExecutionId,
}

impl World for Surroundings<'_> {
    fn token(&self, task: TaskId) -> String {
        self.shared.tokens.seal(self.execution, task)
    }

    fn map_run_arn(&self, facts: &Facts, task: TaskId, state: &str, label: Option<&str>) -> String {
        map_run_arn(self.shared.place(), facts, task, state, label)
    }

    fn has_activity(&self, arn: &str) -> bool {
        #[cfg(test)]
        self.shared.disturbance.meet(arn);
        self.shared.activities.exists(arn)
    }
}
