//! The timers of one execution, and the clock that skips from one to the next.

use std::collections::{BTreeSet, HashMap};

use engine::{Timer, TimerId};

/// What is set, by when it is due.
#[derive(Default)]
pub(crate) struct Timers {
    due: BTreeSet<(i64, TimerId)>,
    set: HashMap<TimerId, i64>,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer) {
        self.due.insert((timer.due_ms, timer.id));
        self.set.insert(timer.id, timer.due_ms);
    }

    pub(crate) fn clear(&mut self, id: TimerId) {
        if let Some(due_ms) = self.set.remove(&id) {
            self.due.remove(&(due_ms, id));
        }
    }

    /// Takes out the timer that is due first; of several for one moment the one that was set first.
    pub(crate) fn next(&mut self) -> Option<Timer> {
        let (due_ms, id) = self.due.pop_first()?;
        self.set.remove(&id);
        Some(Timer { id, due_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_in_the_order_in_which_they_are_due() {
        let mut timers = Timers::default();
        for (id, due_ms) in [(1, 30), (2, 10), (3, 20), (4, 10)] {
            timers.set(Timer { id: TimerId(id), due_ms });
        }
        timers.clear(TimerId(3));
        timers.clear(TimerId(9));
        let order: Vec<u64> = std::iter::from_fn(|| timers.next()).map(|timer| timer.id.0).collect();
        assert_eq!(order, [2, 4, 1]);
    }
}
