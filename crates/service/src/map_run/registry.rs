//! The Map Runs that are at work here: who is told when a child ends, and who is stopped when a parent does not want
//! its run any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::{Execution, TaskId};
use store::ExecutionId;
use tokio::sync::Semaphore;

use crate::map_run::progress::Progress;

/// Map Runs that are at work at a time; above that they wait (asl-facts 22).
const OPEN_MAX: usize = 1_000;

/// The runs at work.
pub(crate) struct MapRuns {
    known: Mutex<Known>,
    /// A run past the bound waits here, with nothing but its plan in memory.
    pub(crate) places: Arc<Semaphore>,
}

#[derive(Default)]
struct Known {
    runs: HashMap<ExecutionId, Arc<Progress>>,
    by_task: HashMap<(ExecutionId, TaskId), ExecutionId>,
}

impl Default for MapRuns {
    fn default() -> Self {
        MapRuns { known: Mutex::default(), places: Arc::new(Semaphore::new(OPEN_MAX)) }
    }
}

impl MapRuns {
    /// Takes note of a run; `false` when it is known already.
    pub(crate) fn enter(&self, run: &Arc<Progress>) -> bool {
        let mut known = self.known();
        if known.runs.contains_key(&run.id) {
            return false;
        }
        known.runs.insert(run.id, run.clone());
        known.by_task.insert((run.parent, run.task), run.id);
        true
    }

    pub(crate) fn leave(&self, run: &Progress) {
        let mut known = self.known();
        known.runs.remove(&run.id);
        known.by_task.remove(&(run.parent, run.task));
    }

    pub(crate) fn get(&self, id: ExecutionId) -> Option<Arc<Progress>> {
        self.known().runs.get(&id).cloned()
    }

    /// The parent's row is gone: it has the result, or does not want one.
    pub(crate) fn settled(&self, parent: ExecutionId, task: TaskId) {
        let known = self.known();
        let run = known.by_task.get(&(parent, task)).and_then(|id| known.runs.get(id));
        if let Some(run) = run {
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
