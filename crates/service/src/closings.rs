//! Who waits for an execution to end: nested executions that are waited for, and Map Runs.
//!
//! A hint, not the truth: the owner tells it after the closing step is durable, and whoever waits looks at the store
//! before and after. It holds no execution and no payload; a watch that is dropped is forgotten.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use store::ExecutionId;
use tokio::sync::watch;

/// Watches by execution. A watch is there before its watcher looks at the store, so that no end slips in between.
#[derive(Default)]
pub(crate) struct Closings {
    watched: Mutex<HashMap<ExecutionId, watch::Sender<bool>>>,
}

/// One watcher's view of one execution.
pub(crate) struct Watch<'a> {
    closings: &'a Closings,
    execution: ExecutionId,
    closed: watch::Receiver<bool>,
}

impl Closings {
    /// Watches an execution from now on.
    pub(crate) fn watch(&self, execution: ExecutionId) -> Watch<'_> {
        let mut watched = self.watched();
        let sender = watched.entry(execution).or_insert_with(|| watch::Sender::new(false));
        Watch { closings: self, execution, closed: sender.subscribe() }
    }

    /// An execution has ended, and that is durable.
    pub(crate) fn closed(&self, execution: ExecutionId) {
        if let Some(sender) = self.watched().remove(&execution) {
            sender.send_replace(true);
        }
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<ExecutionId, watch::Sender<bool>>> {
        // Nothing panics while it is held; and an entry is whole or absent.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch<'_> {
    /// Comes back once the execution has ended.
    pub(crate) async fn closed(&mut self) {
        // The sender goes away only after it has told.
        let _told = self.closed.wait_for(|closed| *closed).await;
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if *self.closed.borrow() {
            // It was told, and its entry went with that: one that is there now is a newer watch's.
            return;
        }
        let mut watched = self.closings.watched();
        // This watch is still subscribed: the last one takes the entry along.
        if watched.get(&self.execution).is_some_and(|sender| sender.receiver_count() <= 1) {
            watched.remove(&self.execution);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn each_watcher_is_told_once_and_nobody_else() {
        let closings = Closings::default();
        let (one, other) = (ExecutionId::of("arn:one"), ExecutionId::of("arn:other"));
        let (mut first, mut second) = (closings.watch(one), closings.watch(one));
        let mut third = closings.watch(other);
        assert!(first.closed().now_or_never().is_none());
        closings.closed(one);
        assert!(first.closed().now_or_never().is_some());
        assert!(second.closed().now_or_never().is_some());
        assert!(third.closed().now_or_never().is_none());
    }

    #[test]
    fn nothing_is_kept_of_watches_that_are_over() {
        let closings = Closings::default();
        let one = ExecutionId::of("arn:one");
        let (first, second) = (closings.watch(one), closings.watch(one));
        drop(first);
        assert_eq!(closings.watched().len(), 1);
        drop(second);
        assert!(closings.watched().is_empty());
        // An older watch that goes away leaves the entry of a newer one.
        let old = closings.watch(one);
        closings.closed(one);
        let mut new = closings.watch(one);
        drop(old);
        closings.closed(one);
        assert!(new.closed().now_or_never().is_some());
    }
}
