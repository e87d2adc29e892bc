//! Time, chance and what the world looked like: everything that an event's decision needs and that could differ the
//! next time, as an argument.

use asl::intrinsic::Entropy;

use crate::execution::{Facts, TaskId};
use crate::trial::Trial;

/// When an event is decided, and with which randomness.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// Milliseconds since the epoch.
    pub now_ms: i64,
    /// Where every random choice of this event comes from: States.UUID, States.MathRandom, retry jitter.
    pub seed: u64,
    /// What the caller can tell about its surroundings.
    pub world: &'a dyn World,
}

/// What a decision may ask of its surroundings. The answers are recorded by what is decided from them.
pub trait World {
    /// The token that completes a task; derived, so that it is the same each time it is asked for.
    fn token(&self, task: TaskId) -> String;

    /// Whether there is an activity with this ARN.
    fn has_activity(&self, arn: &str) -> bool;

    /// The ARN of the Map Run that a task of this state of the execution asks for; derived, as a token is. Where there is
    /// but one execution, its tasks are names enough.
    fn map_run_arn(&self, facts: &Facts, task: TaskId, state: &str, label: Option<&str>) -> String {
        let machine = facts.machine_arn.replacen(":stateMachine:", ":mapRun:", 1);
        format!("{machine}/{}:{:x}", label.unwrap_or(state), task.0)
    }

    /// The trial that this is, if it is no execution but one state that is tried alone.
    fn trial(&self) -> Option<&Trial> {
        None
    }
}

/// The random numbers of one event: SplitMix64 over its seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed)
    }

    /// A number from 0 (inclusive) to 1 (exclusive).
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Entropy for Dice {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
