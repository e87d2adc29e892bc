//! How far a Map Run is, as it is known while its driver runs: what DescribeMapRun shows, and what UpdateMapRun changes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::{Execution, Status, TaskId};
use store::ExecutionId;
use tokio::sync::{Notify, mpsc, watch};

use crate::map_run::counts::Counts;

/// The most children that run at a time, whatever MaxConcurrency says (asl-facts 22).
pub(crate) const CONCURRENCY_MAX: u64 = 10_000;

/// What can be changed while a run is at work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MapRunLimits {
    pub(crate) max_concurrency: u64,
    pub(crate) tolerated_count: Option<u64>,
    pub(crate) tolerated_percentage: Option<f64>,
}

impl MapRunLimits {
    /// Children that may run at a time.
    pub(crate) fn places(&self) -> u64 {
        match self.max_concurrency {
            0 => CONCURRENCY_MAX,
            asked => asked.min(CONCURRENCY_MAX),
        }
    }

    /// Whether more items failed than may. A percentage is of all items, so it says nothing before those are known,
    /// unless nothing is tolerated. What was not given limits nothing; when neither was, nothing is tolerated.
    pub(crate) fn exceeded(&self, items: &Counts, all_known: bool) -> bool {
        let failed = items.unsuccessful();
        if failed == 0 {
            return false;
        }
        let by_count = self.tolerated_count.is_some_and(|tolerated| failed > tolerated);
        #[expect(clippy::cast_precision_loss, reason = "items are at most 100 million")]
        let by_percentage = self.tolerated_percentage.is_some_and(|tolerated| {
            tolerated == 0.0 || all_known && failed as f64 * 100.0 > tolerated * items.total as f64
        });
        let neither = self.tolerated_count.is_none() && self.tolerated_percentage.is_none();
        by_count || by_percentage || neither
    }
}

/// A child that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) index: u32,
    pub(crate) items: u32,
    pub(crate) status: Status,
    /// Which of its lives has ended: how often the child was redriven, or in which redrive of the run it was started.
    pub(crate) life: u32,
    /// What it returned, when that is wanted and there was room for it.
    pub(crate) output: Option<Arc<str>>,
}

/// Which of its lives a child is in. One that is redriven keeps its ARN; one that is started anew is another execution.
pub(crate) fn life(child: &engine::Child, redrives: u32) -> u32 {
    child.round + redrives
}

/// Children and items.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) executions: Counts,
    pub(crate) items: Counts,
}

/// A run at work.
pub(crate) struct Progress {
    pub(crate) id: ExecutionId,
    pub(crate) parent: ExecutionId,
    pub(crate) task: TaskId,
    tally: Mutex<Tally>,
    limits: Mutex<MapRunLimits>,
    /// Told when limits have changed.
    pub(crate) changed: Notify,
    /// True when the parent does not want it any more.
    pub(crate) cancelled: watch::Sender<bool>,
    /// One message for each child that ends: at most as many as may run at a time are on their way.
    ends: mpsc::UnboundedSender<Ended>,
    /// Bytes of outputs that may still be kept; nothing when they are not wanted.
    room: AtomicUsize,
}

impl Progress {
    pub(crate) fn new(
        id: ExecutionId,
        parent: ExecutionId,
        task: TaskId,
        limits: MapRunLimits,
        room: usize,
    ) -> (Arc<Progress>, mpsc::UnboundedReceiver<Ended>) {
        let (ends, told) = mpsc::unbounded_channel();
        let progress = Progress {
            id,
            parent,
            task,
            tally: Mutex::default(),
            limits: Mutex::new(limits),
            changed: Notify::new(),
            cancelled: watch::Sender::new(false),
            ends,
            room: AtomicUsize::new(room),
        };
        (Arc::new(progress), told)
    }

    /// A child has ended, and that is durable.
    pub(crate) fn child_ended(&self, child: &engine::Child, execution: &Execution) {
        let output = execution.output.and_then(|output| execution.text(output));
        let output = output.filter(|output| self.take_room(output.len()));
        let life = life(child, execution.redrives.count());
        let ended = Ended { index: child.index, items: child.items, status: execution.status, life, output };
        // A driver that has gone does not want to know.
        let _gone = self.ends.send(ended);
    }

    /// Whether so many bytes of output may be kept.
    fn take_room(&self, bytes: usize) -> bool {
        let taken =
            self.room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |room| room.checked_sub(bytes));
        taken.is_ok()
    }

    pub(crate) fn tally(&self) -> Tally {
        *locked(&self.tally)
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut locked(&self.tally));
    }

    pub(crate) fn limits(&self) -> MapRunLimits {
        *locked(&self.limits)
    }

    pub(crate) fn set_limits(&self, limits: MapRunLimits) {
        *locked(&self.limits) = limits;
        self.changed.notify_one();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind it is plain numbers, whole at any time.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tolerated() {
        let items = |failed, total| Counts { failed, total, ..Counts::default() };
        let limits = |tolerated_count, tolerated_percentage| MapRunLimits {
            max_concurrency: 0,
            tolerated_count,
            tolerated_percentage,
        };
        assert!(!limits(None, None).exceeded(&items(0, 10), true));
        assert!(limits(None, None).exceeded(&items(1, 10), false));
        assert!(!limits(Some(1), None).exceeded(&items(1, 10), true));
        assert!(limits(Some(1), None).exceeded(&items(2, 10), false));
        assert!(!limits(None, Some(10.0)).exceeded(&items(1, 10), true));
        assert!(!limits(None, Some(10.0)).exceeded(&items(2, 10), false));
        assert!(limits(None, Some(10.0)).exceeded(&items(2, 10), true));
        assert!(limits(None, Some(0.0)).exceeded(&items(1, 10), false));
        assert!(limits(Some(5), Some(0.5)).exceeded(&items(1, 100), true));
    }

    #[test]
    fn no_more_run_than_may() {
        let places = |max_concurrency| {
            MapRunLimits { max_concurrency, tolerated_count: None, tolerated_percentage: None }.places()
        };
        assert_eq!((places(0), places(7), places(20_000)), (10_000, 7, 10_000));
    }
}
