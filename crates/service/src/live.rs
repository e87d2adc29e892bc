//! An execution in memory: how it comes from the store, and the rows that a step of it becomes.
//!
//! What is large is decoded on the compute pool; what cannot be decoded at all, be it that the redo panics, is the
//! trouble of this one execution.

use std::sync::Arc;

use bytes::Bytes;
use engine::{Change, Effect, Execution, PayloadId, Transition};
use store::{ExecutionId, Expect, Loaded, OutboxRow, QueueEntry, QueueKey, StepWrite, Timer};

use crate::activity::queue_of;
use crate::execution::ExecutionRecord;
use crate::history;
use crate::machine::decode;
use crate::owner::Failed;
use crate::pace::Compiled;
use crate::pool::Undone;
use crate::refusal::Refusal;
use crate::service::Shared;

/// A checkpoint is written when the journal since the last one is larger than it, and than this.
const CHECKPOINT_BYTES_MIN: usize = 64 * 1024;

/// An execution in memory.
pub(crate) struct Live {
    pub(crate) execution: Execution,
    pub(crate) definition: Arc<Compiled>,
    /// Bytes of chunks since the last checkpoint, and the size of that.
    journal_bytes: usize,
    checkpoint_bytes: usize,
    /// Bytes of the payloads that were held at the last checkpoint.
    payload_bytes: usize,
    /// Whether it is among those that are counted as open.
    pub(crate) counted_open: bool,
}

impl Live {
    /// An execution that is about to start.
    pub(crate) async fn begin(shared: &Shared, definition: &str) -> Result<Box<Live>, Failed> {
        let definition = shared.machines.compiled(definition).await?;
        Ok(Box::new(Live {
            execution: Execution::new(),
            definition,
            journal_bytes: 0,
            checkpoint_bytes: 0,
            payload_bytes: 0,
            counted_open: false,
        }))
    }

    /// Bytes of the payloads that a decision can touch, or a few more.
    pub(crate) fn bytes_within_reach(&self) -> usize {
        self.payload_bytes + self.journal_bytes
    }

    pub(crate) fn record(&self) -> ExecutionRecord {
        ExecutionRecord::of(&self.execution, &self.definition.hash)
    }

    /// What the store has to hold for the next step to fit.
    pub(crate) fn expect(&self) -> Expect {
        match self.execution.step {
            0 => Expect::Absent,
            step => Expect::Version(u64::from(step)),
        }
    }

    /// The rows of a step that has been decided; `consumed` is the timer that brought its event.
    pub(crate) fn step(
        &mut self,
        id: ExecutionId,
        expect: Expect,
        transition: &Transition,
        consumed: Option<Timer>,
    ) -> StepWrite {
        let chunk = Bytes::from(transition.encode());
        self.journal_bytes += chunk.len();
        let mut write = StepWrite::new(id, expect, chunk);
        write.timers_deleted.extend(consumed);
        let now_ms = crate::clock::now_ms();
        for effect in &transition.effects {
            match effect {
                Effect::SetTimer(timer) => {
                    write.timers_put.push(Timer { due_ms: timer.due_ms, id: timer.id.0 })
                }
                Effect::ClearTimer(timer) => {
                    let timer = Timer { due_ms: timer.due_ms, id: timer.id.0 };
                    if consumed != Some(timer) {
                        write.timers_deleted.push(timer);
                    }
                }
                Effect::Offer { task, activity } => {
                    let key = QueueKey { queue: queue_of(activity), task: task.0 };
                    write.tasks_put.push(QueueEntry { key, enqueued_ms: now_ms });
                }
                Effect::Withdraw { task, activity } => {
                    write.tasks_deleted.push(QueueKey { queue: queue_of(activity), task: task.0 });
                }
                Effect::Call(task) => write.outbox_put.push(OutboxRow { id: task.0, body: Bytes::new() }),
                Effect::Settle(task) => write.outbox_deleted.push(task.0),
            }
        }
        let redriven = transition.changes.iter().any(|change| matches!(change, Change::Redriven(_)));
        if self.execution.step == 1 || self.execution.stopped_ms.is_some() || redriven {
            write.listing = Some(self.record().listing());
        }
        if self.journal_bytes > CHECKPOINT_BYTES_MIN.max(self.checkpoint_bytes) {
            let checkpoint = self.execution.checkpoint();
            self.checkpoint_bytes = checkpoint.len();
            self.journal_bytes = 0;
            self.payload_bytes = payload_bytes(&self.execution);
            write.checkpoint = Some(checkpoint.into());
        }
        write
    }

    /// Brings an execution back to memory: its checkpoint, the payloads that it still needs, and the changes since.
    pub(crate) async fn load(shared: &Shared, id: ExecutionId) -> Result<Option<Box<Live>>, Failed> {
        let Some(loaded) = shared.store.load(id).await? else { return Ok(None) };
        let Loaded { checkpoint, chunks, listing, .. } = loaded;
        let listing = listing.ok_or_else(|| damaged(id, "it has no list row"))?;
        let record: ExecutionRecord = decode(&listing.body).map_err(|refusal| damaged(id, refusal))?;
        let definition = match shared.machines.compiled(&record.definition).await {
            Err(Failed::Refused(refusal @ Refusal::InvalidDefinition(_))) => {
                return Err(damaged(id, format!("this release refuses its definition: {refusal}")));
            }
            compiled => compiled?,
        };
        let line = &definition.hash;
        let mut checkpoint_bytes = 0;
        let mut execution = match checkpoint {
            None => Execution::new(),
            Some((_, bytes)) => {
                checkpoint_bytes = bytes.len();
                let decoded = shared.pool.compute(line, bytes.len(), move || {
                    let execution = Execution::from_checkpoint(&bytes)?;
                    let needed = execution.live_payloads();
                    Ok::<_, engine::JournalError>((execution, needed))
                });
                let (mut execution, needed) =
                    undamaged(id, decoded.await)?.map_err(|error| damaged(id, error))?;
                fill(shared, id, line, &mut execution, needed).await?;
                execution
            }
        };
        let payload_bytes = payload_bytes(&execution);
        let journal_bytes = chunks.iter().map(|(_, bytes)| bytes.len()).sum();
        let redone = shared.pool.compute(line, journal_bytes, move || {
            for (_, bytes) in &chunks {
                for change in history::decode(bytes)?.changes {
                    execution.redo(change);
                }
            }
            Ok::<_, Refusal>(execution)
        });
        let execution = undamaged(id, redone.await)?.map_err(|refusal| damaged(id, refusal))?;
        let counted_open = execution.stopped_ms.is_none();
        Ok(Some(Box::new(Live {
            execution,
            definition,
            journal_bytes,
            checkpoint_bytes,
            payload_bytes,
            counted_open,
        })))
    }
}

/// Gives a checkpoint the texts of the payloads that it names.
async fn fill(
    shared: &Shared,
    id: ExecutionId,
    line: &Arc<str>,
    execution: &mut Execution,
    needed: Vec<PayloadId>,
) -> Result<(), Failed> {
    let needed = Arc::new(needed);
    let mut steps: Vec<u32> = needed.iter().map(|payload| payload.step).collect();
    steps.dedup();
    for step in steps {
        let bytes = history::chunk(&*shared.store, id, step).await.map_err(Failed::Refused)?;
        let wanted = needed.clone();
        let decoded = shared.pool.compute(line, bytes.len(), move || {
            let mut payloads = history::payloads(&bytes)?;
            payloads.retain(|(payload, _)| wanted.binary_search(payload).is_ok());
            Ok::<_, Refusal>(payloads)
        });
        for (payload, text) in undamaged(id, decoded.await)?.map_err(|refusal| damaged(id, refusal))? {
            execution.fill(payload, text);
        }
    }
    Ok(())
}

/// Bytes of the payloads that an execution still needs and has.
fn payload_bytes(execution: &Execution) -> usize {
    let needed = execution.live_payloads();
    needed.into_iter().filter_map(|payload| execution.text(payload)).map(|text| text.len()).sum()
}

fn damaged(id: ExecutionId, why: impl std::fmt::Display) -> Failed {
    Failed::Broken(format!("execution {id} cannot be brought back: {why}"))
}

fn undamaged<T>(id: ExecutionId, decoded: Result<T, Undone>) -> Result<T, Failed> {
    decoded.map_err(|undone| match undone {
        Undone::Broken(message) => damaged(id, message),
        undone => undone.into(),
    })
}
