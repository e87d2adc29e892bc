//! Deliveries on their way to targets: written down first, tried until taken, then forgotten.
//!
//! A delivery is named after event, rule and target. A crash, or a source that tells of an event twice, makes the same
//! delivery again under the same name, and a receiver that goes by the name does the work once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::error::EventsError;
use crate::store::{EventStore, Kind};

/// Deliveries tried at once: hides the receivers' disk syncs without flooding them.
const CONCURRENT_MAX: usize = 32;
/// Deliveries owed in memory; beyond it new events are refused, so that a dead target cannot eat the memory.
const OWED_MAX: usize = 10_000;
/// Pause before the second try, doubled up to the most.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// AWS's defaults of a target's retry policy.
pub(crate) const AGE_SECONDS_MAX: u64 = 86_400;
pub(crate) const RETRIES_MAX: u32 = 185;

/// What receives events. One implementation, in the server, for every kind of target.
pub trait Targets: Send + Sync + 'static {
    /// Whether something with this ARN can be a target here; if not, the text says what can.
    ///
    /// # Errors
    /// The reason, a sentence.
    fn check(&self, arn: &str) -> Result<(), String>;
    /// Hands over one delivery. `Ok` means that it will not be lost. The same delivery may come again with the same
    /// [`name`](Delivery::name) and must then do nothing but answer `Ok`.
    fn deliver(&self, delivery: Delivery) -> BoxFuture<'_, Result<(), DeliveryError>>;
}

/// An event on its way to one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Of event, rule and target, and the same at every try: at most 80 characters of `[0-9a-f_-]`, so it can name an
    /// execution.
    pub name: String,
    /// The target.
    pub target_arn: String,
    /// The role that PutTargets named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// The JSON text to receive.
    pub input: String,
    /// The rule that matched.
    pub rule_arn: String,
    /// The event.
    pub event_id: String,
}

/// Why a delivery was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// It may work later.
    #[error("{0}")]
    Retry(String),
    /// It never will: the state machine is gone, the input is too large.
    #[error("{0}")]
    Refused(String),
}

/// A delivery with its limits: the row that is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owed {
    pub delivery: Delivery,
    pub accepted_seconds: u64,
    pub age_seconds_max: u64,
    pub retries_max: u32,
}

/// The name of a delivery: the event's id, and a UUID-shaped digest of rule and target.
pub(crate) fn delivery_name(event_id: &str, rule_arn: &str, target_id: &str) -> String {
    let mut hash = Sha256::new();
    for part in [event_id, rule_arn, target_id] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = hex::encode(hash.finalize());
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    let uuid = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-");
    format!("{event_id}_{uuid}")
}

pub(crate) struct Deliverer {
    store: Arc<dyn EventStore>,
    targets: Arc<dyn Targets>,
    permits: Arc<Semaphore>,
    owed: Arc<AtomicUsize>,
    /// Dropped with us, and every delivery under way with it: their rows bring them back.
    tasks: Mutex<JoinSet<()>>,
}

impl Deliverer {
    pub(crate) fn new(store: Arc<dyn EventStore>, targets: Arc<dyn Targets>) -> Self {
        let permits = Arc::new(Semaphore::new(CONCURRENT_MAX));
        Self { store, targets, permits, owed: Arc::default(), tasks: Mutex::default() }
    }

    /// Takes up what an earlier run owed.
    pub(crate) async fn resume(&self) -> Result<(), EventsError> {
        for (key, row) in self.store.load(Kind::Pending).await.map_err(EventsError::internal)? {
            match serde_json::from_str(&row) {
                Ok(owed) => self.begin(owed),
                Err(error) => {
                    tracing::error!(%error, key, "an owed delivery cannot be read and is left alone")
                }
            }
        }
        Ok(())
    }

    /// Refuses when too much is owed already.
    pub(crate) fn require_room(&self) -> Result<(), EventsError> {
        if self.owed.load(Ordering::Relaxed) >= OWED_MAX {
            let message =
                format!("{OWED_MAX} deliveries are owed already: the targets of the rules do not keep up.");
            return Err(EventsError::new("ThrottlingException", message));
        }
        Ok(())
    }

    /// Writes deliveries down, then begins them.
    pub(crate) async fn accept(&self, deliveries: Vec<Owed>) -> Result<(), EventsError> {
        let written = deliveries.iter().map(|owed| async move {
            let row = serde_json::to_string(owed).map_err(|e| e.to_string())?;
            self.store.put(Kind::Pending, owed.delivery.name.clone(), row).await
        });
        futures::future::try_join_all(written).await.map_err(EventsError::internal)?;
        deliveries.into_iter().for_each(|owed| self.begin(owed));
        Ok(())
    }

    fn begin(&self, owed: Owed) {
        let (store, targets) = (Arc::clone(&self.store), Arc::clone(&self.targets));
        let permits = Arc::clone(&self.permits);
        let count = Counted::new(&self.owed);
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            let _count = count;
            deliver(&*targets, &permits, &owed).await;
            let name = owed.delivery.name;
            if let Err(error) = store.delete(Kind::Pending, name.clone()).await {
                tracing::warn!(
                    error,
                    delivery = name,
                    "a delivery stays written down; it will be made again"
                );
            }
        });
    }
}

/// Tries until the delivery is taken, refused for good, too old, or tried often enough.
async fn deliver(targets: &dyn Targets, permits: &Semaphore, owed: &Owed) {
    let Delivery { name, target_arn, rule_arn, .. } = &owed.delivery;
    let mut pause = RETRY_FIRST;
    for _ in 0..=owed.retries_max {
        let outcome = {
            // Held for the try, not for the pause. The semaphore is never closed.
            let _permit = permits.acquire().await;
            targets.deliver(owed.delivery.clone()).await
        };
        match outcome {
            Ok(()) => return,
            Err(DeliveryError::Refused(error)) => {
                tracing::warn!(error, name, target_arn, rule_arn, "a target refused an event; it is dropped");
                return;
            }
            Err(DeliveryError::Retry(error)) => {
                tracing::info!(
                    error,
                    name,
                    target_arn,
                    rule_arn,
                    ?pause,
                    "a target did not take an event yet"
                );
            }
        }
        if now_seconds() >= owed.accepted_seconds.saturating_add(owed.age_seconds_max) {
            break;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
    tracing::warn!(
        name,
        target_arn,
        rule_arn,
        "an event was tried as long as its target's policy says; it is dropped"
    );
}

/// One in the count of owed deliveries, however its task ends.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The crate's one look at the clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the shell's one clock function; the core takes moments as arguments"
)]
pub(crate) fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_distinct_and_fit_an_execution() {
        let name = delivery_name("17793124-05d4-b198-2fde-7ededc63b103", "arn:rule", "t");
        assert_eq!(name, delivery_name("17793124-05d4-b198-2fde-7ededc63b103", "arn:rule", "t"));
        assert_eq!(name.len(), 73);
        assert!(name.chars().all(|c| c.is_ascii_hexdigit() || "-_".contains(c)), "{name}");
        for other in [("e", "arn:rule", "t"), ("e", "arn:rulet", ""), ("e", "arn:rule", "u")] {
            assert_ne!(name.split('_').nth(1), delivery_name(other.0, other.1, other.2).split('_').nth(1));
        }
        // The parts are kept apart.
        assert_ne!(delivery_name("e", "ab", "c"), delivery_name("e", "a", "bc"));
    }
}
