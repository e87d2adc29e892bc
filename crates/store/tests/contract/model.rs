//! What a store should do, said as plainly as possible: maps, sorting and filtering, no keys and no indexes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use store::{
    Due, ExecutionId, Expect, ListQuery, Listing, Loaded, Order, OutboxRow, PurgeOutcome, QueueId, QueueKey,
    Shards, StepOutcome, StepWrite, Timer,
};

/// Everything that a store holds.
#[derive(Default)]
pub(crate) struct Model {
    executions: BTreeMap<ExecutionId, Execution>,
    leases: HashMap<(ExecutionId, QueueKey), i64>,
}

#[derive(Default)]
struct Execution {
    chunks: Vec<Bytes>,
    checkpoint: Option<(u64, Bytes)>,
    timers: BTreeSet<Timer>,
    tasks: BTreeMap<QueueKey, i64>,
    outbox: BTreeMap<u64, Bytes>,
    listing: Option<Listing>,
}

impl Execution {
    fn version(&self) -> u64 {
        self.chunks.len() as u64
    }
}

impl Model {
    pub(crate) fn version(&self, id: ExecutionId) -> Option<u64> {
        self.executions.get(&id).map(Execution::version)
    }

    pub(crate) fn commit(&mut self, step: StepWrite) -> StepOutcome {
        let id = step.execution;
        match (step.expect, self.version(id)) {
            (Expect::Absent, Some(_)) => return StepOutcome::NameTaken,
            (Expect::Version(expected), actual) if actual != Some(expected) => {
                return StepOutcome::Conflict { actual };
            }
            _ => {}
        }
        let empty = Execution::default();
        let before = self.executions.get(&id).unwrap_or(&empty);
        if !step.tasks_deleted.iter().all(|key| before.tasks.contains_key(key))
            || !step.outbox_deleted.iter().all(|row| before.outbox.contains_key(row))
        {
            return StepOutcome::TaskGone;
        }
        let execution = self.executions.entry(id).or_default();
        execution.chunks.push(step.chunk);
        let version = execution.version();
        if let Some(state) = step.checkpoint {
            execution.checkpoint = Some((version, state));
        }
        for timer in &step.timers_deleted {
            execution.timers.remove(timer);
        }
        execution.timers.extend(step.timers_put);
        for key in step.tasks_deleted {
            execution.tasks.remove(&key);
            self.leases.remove(&(id, key));
        }
        for entry in step.tasks_put {
            execution.tasks.insert(entry.key, entry.enqueued_ms);
            self.leases.remove(&(id, entry.key));
        }
        for row in step.outbox_deleted {
            execution.outbox.remove(&row);
        }
        execution.outbox.extend(step.outbox_put.into_iter().map(|row| (row.id, row.body)));
        if step.listing.is_some() {
            execution.listing = step.listing;
        }
        StepOutcome::Committed { version }
    }

    pub(crate) fn purge(&mut self, id: ExecutionId, version: u64) -> PurgeOutcome {
        match self.version(id) {
            None => PurgeOutcome::Absent,
            Some(actual) if actual != version => PurgeOutcome::Conflict { actual },
            Some(_) => {
                self.executions.remove(&id);
                self.leases.retain(|(execution, _), _| *execution != id);
                PurgeOutcome::Purged
            }
        }
    }

    pub(crate) fn load(&self, id: ExecutionId) -> Option<Loaded> {
        let execution = self.executions.get(&id)?;
        let since = execution.checkpoint.as_ref().map_or(0, |(version, _)| *version);
        Some(Loaded {
            version: execution.version(),
            checkpoint: execution.checkpoint.clone(),
            chunks: self.history(id).into_iter().filter(|(version, _)| *version > since).collect(),
            listing: execution.listing.clone(),
        })
    }

    pub(crate) fn history(&self, id: ExecutionId) -> Vec<(u64, Bytes)> {
        self.executions
            .get(&id)
            .map_or_else(Vec::new, |execution| (1..).zip(execution.chunks.clone()).collect())
    }

    /// How many rows each status has.
    pub(crate) fn counts(&self) -> Vec<(u8, u64)> {
        let mut counts = BTreeMap::new();
        for listing in self.executions.values().filter_map(|execution| execution.listing.as_ref()) {
            *counts.entry(listing.status).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    /// All rows of a query, its cursor and limit left aside.
    pub(crate) fn list(&self, query: &ListQuery) -> Vec<(ExecutionId, Listing)> {
        let listed =
            self.executions.iter().filter_map(|(id, execution)| Some((*id, execution.listing.clone()?)));
        let mut rows: Vec<_> = listed
            .filter(|(_, listing)| {
                query.group.is_none_or(|group| group == listing.group || listing.also.contains(&group))
            })
            .filter(|(_, listing)| query.status.is_none_or(|status| status == listing.status))
            .collect();
        rows.sort_by_key(|(id, listing)| (std::cmp::Reverse(listing.sort_ms), *id));
        if query.order == Order::OldestFirst {
            rows.reverse();
        }
        rows
    }

    pub(crate) fn due(&self, shards: Shards, until_ms: i64, limit: usize) -> Due {
        let mut timers: Vec<_> = self
            .executions
            .iter()
            .filter(|(id, _)| (shards.first..=shards.last).contains(&id.shard()))
            .flat_map(|(id, execution)| execution.timers.iter().map(|timer| (*id, *timer)))
            .collect();
        timers.sort_by_key(|(id, timer)| (timer.due_ms, *id, timer.id));
        let due = timers.iter().take_while(|(_, timer)| timer.due_ms <= until_ms).count().min(limit);
        let next_ms = timers.get(due).map(|(_, timer)| timer.due_ms);
        timers.truncate(due);
        Due { timers, next_ms }
    }

    pub(crate) fn take(
        &mut self,
        queue: QueueId,
        now_ms: i64,
        until_ms: i64,
        limit: usize,
    ) -> Vec<(ExecutionId, u64)> {
        let tasks = self.executions.iter().flat_map(|(id, execution)| {
            execution.tasks.iter().map(|(key, enqueued_ms)| (*enqueued_ms, *id, *key))
        });
        let mut visible: Vec<_> = tasks
            .filter(|(_, _, key)| key.queue == queue)
            .filter(|(_, id, key)| self.leases.get(&(*id, *key)).is_none_or(|until_ms| *until_ms <= now_ms))
            .collect();
        visible.sort_unstable();
        visible.truncate(limit);
        for (_, id, key) in &visible {
            self.leases.insert((*id, *key), until_ms);
        }
        visible.into_iter().map(|(_, id, key)| (id, key.task)).collect()
    }

    pub(crate) fn release(&mut self, id: ExecutionId, key: QueueKey) {
        self.leases.remove(&(id, key));
    }

    pub(crate) fn restart(&mut self) {
        self.leases.clear();
    }

    pub(crate) fn outbox(&self) -> Vec<(ExecutionId, OutboxRow)> {
        let rows = self.executions.iter().flat_map(|(execution, held)| {
            held.outbox.iter().map(|(id, body)| (*execution, OutboxRow { id: *id, body: body.clone() }))
        });
        rows.collect()
    }

    /// An entry that some step may acknowledge.
    pub(crate) fn tasks(&self, id: ExecutionId) -> Vec<QueueKey> {
        self.executions.get(&id).map_or_else(Vec::new, |execution| execution.tasks.keys().copied().collect())
    }

    /// The outbox rows of one execution.
    pub(crate) fn outbox_of(&self, id: ExecutionId) -> Vec<u64> {
        self.executions.get(&id).map_or_else(Vec::new, |execution| execution.outbox.keys().copied().collect())
    }
}
