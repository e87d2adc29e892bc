//! Joins the steps of all owners into groups: the one committer of a process and backend.
//!
//! While one group is being made durable the next one gathers, so groups grow with the load by themselves: an
//! idle server commits single steps with no delay, a busy one pays one sync for hundreds. There is no timer
//! and nothing to tune.
//!
//! It refuses to know what steps mean or whether they succeed; it moves them to the store and the answers
//! back. One group is in flight at a time, so steps reach the store in the order in which they were handed in.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::{StepOutcome, StepWrite, Store, StoreError};

/// Steps that may wait for their group. An execution has at most one step in flight, so this many executions
/// can move at once before their owners are made to wait; beyond it, waiting costs less than memory.
pub const QUEUED_STEPS_MAX: usize = 8192;

/// Bytes that may wait for their group: what keeps a burst of large payloads from filling memory.
pub const QUEUED_BYTES_MAX: usize = 64 << 20;

/// Steps in one group. Far above what gathers during one sync; it bounds how long a single batch can take.
pub const GROUP_STEPS_MAX: usize = 4096;

/// Bytes in one group: a fraction of the journal's limit, and about what a disk takes in a tenth of a second.
pub const GROUP_BYTES_MAX: usize = 16 << 20;

/// The task that forms groups. See [`Committer::spawn`].
///
/// Fields drop in order: the end is told when the store has been let go.
#[derive(Debug)]
pub struct Committer {
    store: StoreRef,
    queue: mpsc::Receiver<Queued>,
    _ended: watch::Sender<()>,
}

/// Hands steps to the committer. Cheap to clone; the committer ends, after all steps that it was given, when the
/// last handle is gone.
#[derive(Clone, Debug)]
pub struct CommitterHandle {
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    ended: watch::Receiver<()>,
}

impl Committer {
    /// Starts the committer of this store as a task of the current runtime.
    pub fn spawn(store: Arc<dyn Store>) -> CommitterHandle {
        let (sender, queue) = mpsc::channel(QUEUED_STEPS_MAX);
        let (_ended, ended) = watch::channel(());
        tokio::spawn(Self { store: StoreRef(store), queue, _ended }.run());
        CommitterHandle { queue: sender, room: Arc::new(Semaphore::new(QUEUED_BYTES_MAX)), ended }
    }

    async fn run(mut self) {
        let mut waiting = Vec::new();
        loop {
            if waiting.is_empty() {
                if self.queue.recv_many(&mut waiting, GROUP_STEPS_MAX).await == 0 {
                    return;
                }
            } else {
                while waiting.len() < GROUP_STEPS_MAX
                    && let Ok(queued) = self.queue.try_recv()
                {
                    waiting.push(queued);
                }
            }
            let rest = waiting.split_off(group_len(&waiting));
            self.commit(std::mem::replace(&mut waiting, rest)).await;
        }
    }

    async fn commit(&self, group: Vec<Queued>) {
        let mut steps = Vec::with_capacity(group.len());
        let mut replies = Vec::with_capacity(group.len());
        for Queued { step, reply, room } in group {
            steps.push(step);
            replies.push((reply, room));
        }
        let outcome = self.store.0.commit(steps).await;
        for (index, (reply, _room)) in replies.into_iter().enumerate() {
            let answer = match &outcome {
                Ok(outcomes) => Ok(outcomes[index]),
                Err(error) => Err(error.clone()),
            };
            // A caller that no longer waits reads its row when it comes back.
            let _ = reply.send(answer);
        }
    }
}

impl CommitterHandle {
    /// Commits one step; returns once it is durable or refused. Waits when too much is queued.
    pub async fn commit(&self, step: StepWrite) -> Result<StepOutcome, StoreError> {
        let bytes = step.size_hint().min(QUEUED_BYTES_MAX);
        let permits = u32::try_from(bytes).expect("the bound on queued bytes fits in 32 bits");
        let room = Arc::clone(&self.room).acquire_many_owned(permits).await;
        let room = room.map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.queue.send(Queued { step, reply, room }).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Gives this handle back and waits until the committer has ended and let go of the store: for the last
    /// handle, in an orderly shutdown. While other handles live it waits for them.
    pub async fn finish(self) {
        let Self { queue, room: _, mut ended } = self;
        drop(queue);
        // Nothing is ever sent; the error says that the sender is gone, which is the news.
        while ended.changed().await.is_ok() {}
    }
}

/// A step with its way back.
#[derive(Debug)]
struct Queued {
    step: StepWrite,
    reply: oneshot::Sender<Result<StepOutcome, StoreError>>,
    room: OwnedSemaphorePermit,
}

/// The store, with a `Debug` that says no more than that it is one.
struct StoreRef(Arc<dyn Store>);

impl std::fmt::Debug for StoreRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

/// How many of the waiting steps make the next group: as many as fit, at least one.
fn group_len(waiting: &[Queued]) -> usize {
    let mut bytes = 0;
    let fits = waiting.iter().take(GROUP_STEPS_MAX).take_while(|queued| {
        bytes += queued.step.size_hint();
        bytes <= GROUP_BYTES_MAX
    });
    fits.count().max(1)
}
