//! Who has taken which queue entry: visibility leases, in memory.
//!
//! A lease keeps an entry from being handed out twice while its worker is on the way; the step that deletes the
//! entry says that it arrived. Leases need no disk: after a restart every worker's connection is gone, and every
//! entry that is still there is visible again.
//!
//! It also remembers where the first entry of each queue can be. Taken entries leave tombstones at the head of
//! the queue, and a poll that began at the very front would walk over all of them each time.

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::kv::{Kv, Table, prefix_end};
use crate::{Direction, ExecutionId, QueueEntry, QueueId, QueueKey, StoreError, rows};

/// What a durable write did to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskChange {
    Put { execution: ExecutionId, entry: QueueEntry },
    Deleted { execution: ExecutionId, key: QueueKey },
}

/// The leases of all queues.
#[derive(Debug, Default)]
pub(crate) struct TaskLeases {
    queues: Mutex<HashMap<QueueId, Queue>>,
}

#[derive(Debug, Default)]
struct Queue {
    /// No entry has a smaller key. Empty: nothing is known.
    first: Vec<u8>,
    /// Entries that were handed out, and until when.
    leased_until_ms: HashMap<(ExecutionId, u64), i64>,
}

impl TaskLeases {
    /// Takes the oldest entries that nobody has.
    pub(crate) fn take(
        &self,
        kv: &dyn Kv,
        queue: QueueId,
        now_ms: i64,
        lease_until_ms: i64,
        limit: usize,
    ) -> Result<Vec<(ExecutionId, u64)>, StoreError> {
        let mut queues = self.lock();
        let leases = queues.entry(queue).or_default();
        // The view is opened under the lock: a write that it does not show has not yet told us about its
        // entries, and will lower `first` again when it does.
        let view = kv.view();
        let start = if leases.first.is_empty() { queue.0.to_vec() } else { leases.first.clone() };
        let range = (Bound::Included(start), prefix_end(&queue.0));
        let mut first = None;
        let mut taken = Vec::new();
        for row in view.scan(Table::Queues, range, Direction::Forward) {
            if taken.len() >= limit {
                break;
            }
            let (key, _) = row?;
            let (execution, entry) = rows::decode_queue_key(&key)?;
            first.get_or_insert_with(|| key.to_vec());
            let task = (execution, entry.key.task);
            if leases.leased_until_ms.get(&task).is_some_and(|until_ms| *until_ms > now_ms) {
                continue;
            }
            leases.leased_until_ms.insert(task, lease_until_ms);
            taken.push(task);
        }
        if limit > 0 {
            // An empty queue begins behind its last possible key, until a write lowers it.
            leases.first = first.unwrap_or_else(|| [&queue.0[..], &[u8::MAX; 33]].concat());
        }
        Ok(taken)
    }

    /// Makes a taken entry visible again.
    pub(crate) fn release(&self, queue: QueueId, execution: ExecutionId, task: u64) {
        if let Some(leases) = self.lock().get_mut(&queue) {
            leases.leased_until_ms.remove(&(execution, task));
        }
    }

    /// Follows what a write did, once it is durable.
    pub(crate) fn follow(&self, changes: &[TaskChange]) {
        if changes.is_empty() {
            return;
        }
        let mut queues = self.lock();
        for change in changes {
            match *change {
                TaskChange::Put { execution, entry } => {
                    // A lease stays: the entry may have been taken between the write and this word of it.
                    let leases = queues.entry(entry.key.queue).or_default();
                    let key = rows::queue_key(execution, entry);
                    if key < leases.first {
                        leases.first = key;
                    }
                }
                TaskChange::Deleted { execution, key } => {
                    if let Some(leases) = queues.get_mut(&key.queue) {
                        leases.leased_until_ms.remove(&(execution, key.task));
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QueueId, Queue>> {
        // A panic elsewhere cannot leave the map half changed in a way that matters: leases are hints.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
