//! What the tests of the service share: a target that takes notes.

use std::sync::{Mutex, PoisonError};

use events::{Delivery, DeliveryError, Targets};
use futures::future::BoxFuture;
use tokio::sync::Notify;

/// A delivery within this process that has not come by then will not come: it takes milliseconds.
const LOST_AFTER: std::time::Duration = std::time::Duration::from_secs(60);

/// Takes every delivery for a state machine, after refusing as often as it was told to.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) taken: Mutex<Vec<Delivery>>,
    pub(crate) refusals: Mutex<Vec<DeliveryError>>,
    pub(crate) changed: Notify,
}

impl Notes {
    /// Waits until that many deliveries were taken.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Delivery> {
        loop {
            let changed = self.changed.notified();
            let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if taken.len() >= count {
                return taken;
            }
            let waited = tokio::time::timeout(LOST_AFTER, changed).await;
            assert!(waited.is_ok(), "only {} of {count} deliveries were taken: {taken:?}", taken.len());
        }
    }
}

impl Targets for Notes {
    fn check(&self, arn: &str) -> Result<(), String> {
        if arn.contains(":states:") {
            Ok(())
        } else {
            Err("only state machines can be targets here.".to_owned())
        }
    }

    fn deliver(&self, delivery: Delivery) -> BoxFuture<'_, Result<(), DeliveryError>> {
        Box::pin(async move {
            let refusal = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).pop();
            if let Some(refusal) = refusal {
                return Err(refusal);
            }
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(delivery);
            self.changed.notify_one();
            Ok(())
        })
    }
}
