//! The Map Runs that are at work here: who is told when a child ends, and who is stopped when a parent does not want
//! its run any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::{Execution, TaskId};
use store::ExecutionId;
use tokio::sync::{Notify, Semaphore};

use crate::map_run::progress::Progress;

/// Map Runs that are at work at a time; above that they wait (asl-facts 22).
const OPEN_MAX: usize = 1_000;

/// The runs at work.
pub(crate) struct MapRuns {
    known: Mutex<Known>,
    /// Told when a driver has left.
    left: Notify,
    /// A run past the bound waits here, with nothing but its plan in memory.
    pub(crate) places: Arc<Semaphore>,
}

#[derive(Default)]
struct Known {
    /// The drivers at work, one for each run.
    runs: HashMap<ExecutionId, Arc<Progress>>,
    /// All that were asked for: a run that is redriven is asked for while its last driver may still be ending it.
    by_task: HashMap<(ExecutionId, TaskId), Arc<Progress>>,
}

impl Default for MapRuns {
    fn default() -> Self {
        MapRuns { known: Mutex::default(), left: Notify::new(), places: Arc::new(Semaphore::new(OPEN_MAX)) }
    }
}

impl MapRuns {
    /// Takes note that a run is asked for; `false` when that is known already.
    pub(crate) fn announce(&self, run: &Arc<Progress>) -> bool {
        let mut known = self.known();
        let fresh = !known.by_task.contains_key(&(run.parent, run.task));
        if fresh {
            known.by_task.insert((run.parent, run.task), run.clone());
        }
        fresh
    }

    /// Puts a driver to work; `false` while another one is at work on the same run.
    pub(crate) fn enter(&self, run: &Arc<Progress>) -> bool {
        let mut known = self.known();
        Arc::ptr_eq(known.runs.entry(run.id).or_insert_with(|| run.clone()), run)
    }

    /// Puts a driver to work as soon as the one before has left.
    pub(crate) async fn enter_in_turn(&self, run: &Arc<Progress>) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.enter(run) {
                return;
            }
            left.await;
        }
    }

    pub(crate) fn leave(&self, run: &Arc<Progress>) {
        let mut known = self.known();
        if known.runs.get(&run.id).is_some_and(|there| Arc::ptr_eq(there, run)) {
            known.runs.remove(&run.id);
        }
        known.by_task.remove(&(run.parent, run.task));
        self.left.notify_waiters();
    }

    pub(crate) fn get(&self, id: ExecutionId) -> Option<Arc<Progress>> {
        self.known().runs.get(&id).cloned()
    }

    /// The parent's row is gone: it has the result, or does not want one.
    pub(crate) fn settled(&self, parent: ExecutionId, task: TaskId) {
        if let Some(run) = self.known().by_task.get(&(parent, task)) {
            run.cancelled.send_replace(true);
        }
    }

    /// An execution has ended, and that is durable.
    pub(crate) fn ended(&self, execution: &Execution) {
        let Some(child) = execution.facts.as_ref().and_then(|facts| facts.child.as_ref()) else { return };
        if let Some(run) = self.get(ExecutionId::of(&child.map_run_arn)) {
            run.child_ended(child, execution);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Both tables are changed in one piece by code that does not panic.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
