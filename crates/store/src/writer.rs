//! The one thread that writes: conditions, one batch, one sync.
//!
//! An engine's batch is atomic but has no conditions, so a condition holds only if nobody else writes between
//! the look and the write. Here that is so by construction: every write of the process passes through this
//! thread. Whatever waits is decided in order on one draft and made durable by one sync, so the thread is a
//! group committer too, for the writes that do not come as groups.
//!
//! After a failed write nothing is known about the disk: all writes of the batch fail, the store is poisoned,
//! and nothing is written any more.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::kv::{Draft, Kv};
use crate::poison::Poison;
use crate::tasks::TaskChange;
use crate::{GROUP_BYTES_MAX, StoreError};

/// Writes that may wait for the thread. Steps wait in the committer, which sends one group at a time; here wait
/// only the few that come directly (catalogue, purges), and their callers wait with them.
const WRITES_QUEUED_MAX: usize = 1024;

/// How long a write may take before its caller asks whether the engine still works. An engine whose background
/// work has failed can leave the writing thread waiting for ever; far above what a healthy disk needs.
const HEALTH_CHECK_AFTER: Duration = Duration::from_secs(2);

/// Called after each durable batch with what it did to queues.
pub(crate) type Observer = Box<dyn Fn(&[TaskChange]) + Send>;

/// The writing thread, as its callers see it.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    poison: Poison,
    kv: KvRef,
}

impl Writer {
    pub(crate) fn spawn(kv: Arc<dyn Kv>, poison: Poison, observe: Observer) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel(WRITES_QUEUED_MAX);
        let work = Work { kv: Arc::clone(&kv), poison: poison.clone(), observe };
        let thread = thread::Builder::new().name("store-writer".into()).spawn(move || work.run(jobs));
        let thread = thread.map_err(|error| StoreError::io("starting the writer thread", &error))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), poison, kv: KvRef(kv) })
    }

    /// Has `decide` run on the writing thread and returns its outcome once everything it drafted is durable.
    /// `bytes` is about how much that will be.
    pub(crate) async fn write<T, F>(&self, bytes: usize, decide: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Draft<'_>, &mut Vec<TaskChange>) -> Result<T, StoreError> + Send + 'static,
    {
        self.poison.check()?;
        let (reply, answer) = oneshot::channel();
        let job = Pending { bytes, decide: Some(decide), outcome: None, reply };
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        self.watched(async {
            queue.send(Box::new(job)).await.map_err(|_| self.gone())?;
            answer.await.map_err(|_| self.gone())?
        })
        .await
    }

    /// Waits for a write, and while it takes long, for the engine's health.
    async fn watched<T>(&self, write: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        if !self.kv.0.may_block() {
            return write.await;
        }
        let mut write = std::pin::pin!(write);
        loop {
            if let Ok(answer) = tokio::time::timeout(HEALTH_CHECK_AFTER, &mut write).await {
                return answer;
            }
            let kv = Arc::clone(&self.kv.0);
            let health = tokio::task::spawn_blocking(move || kv.health()).await;
            if let Ok(Err(error)) = health {
                self.poison.note(&error);
                return Err(error);
            }
        }
    }

    /// Why the thread no longer answers.
    fn gone(&self) -> StoreError {
        self.poison.check().err().unwrap_or(StoreError::Closed)
    }
}

impl Drop for Writer {
    /// Waits for the writes that were handed in, unless the store has failed and they may never end.
    fn drop(&mut self) {
        self.queue = None;
        if self.poison.check().is_ok()
            && let Some(thread) = self.thread.take()
        {
            // A panic there has poisoned the store; there is no one left to tell.
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Work {
    kv: Arc<dyn Kv>,
    poison: Poison,
    observe: Observer,
}

impl Work {
    fn run(self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut bytes = first.bytes();
            let mut batch = vec![first];
            while bytes < GROUP_BYTES_MAX
                && let Ok(next) = jobs.try_recv()
            {
                bytes += next.bytes();
                batch.push(next);
            }
            // Declared after the batch, so that in a panic the poison is there before the callers hear.
            let _dart = PanicDart(&self.poison);
            let written = self.poison.check().and_then(|()| self.write(&mut batch));
            if let Err(error) = &written {
                self.poison.note(error);
            }
            for job in batch {
                job.answer(written.clone());
            }
        }
    }

    fn write(&self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let mut draft = Draft::new(self.kv.view());
        let mut tasks = Vec::new();
        for job in batch {
            job.decide(&mut draft, &mut tasks)?;
        }
        let rows = draft.into_rows();
        if !rows.is_empty() {
            self.kv.write(rows)?;
        }
        (self.observe)(&tasks);
        Ok(())
    }
}

/// A write on its way through the thread.
trait Job: Send {
    fn bytes(&self) -> usize;
    fn decide(&mut self, draft: &mut Draft<'_>, tasks: &mut Vec<TaskChange>) -> Result<(), StoreError>;
    fn answer(self: Box<Self>, written: Result<(), StoreError>);
}

struct Pending<T, F> {
    bytes: usize,
    decide: Option<F>,
    outcome: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Pending<T, F>
where
    T: Send,
    F: FnOnce(&mut Draft<'_>, &mut Vec<TaskChange>) -> Result<T, StoreError> + Send,
{
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn decide(&mut self, draft: &mut Draft<'_>, tasks: &mut Vec<TaskChange>) -> Result<(), StoreError> {
        let decide = self.decide.take().expect("a job is decided once");
        self.outcome = Some(decide(draft, tasks)?);
        Ok(())
    }

    fn answer(self: Box<Self>, written: Result<(), StoreError>) {
        let Self { outcome, reply, .. } = *self;
        let answer = written.map(|()| outcome.expect("what was written was decided"));
        // A caller that no longer waits reads its row when it comes back.
        let _ = reply.send(answer);
    }
}

/// Poisons the store if the thread unwinds, so that callers learn why nobody answers.
struct PanicDart<'p>(&'p Poison);

impl Drop for PanicDart<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.note(&StoreError::Io("the writer thread panicked".into()));
        }
    }
}

struct KvRef(Arc<dyn Kv>);

impl std::fmt::Debug for KvRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kv")
    }
}
