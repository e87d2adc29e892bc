//! Activities: names under which tasks wait for workers.
//!
//! A worker's poll takes a task out of the queue under a lease, lets the owner commit that it is started, and only
//! then gets it. A poll whose client has gone takes nothing; an answer that could not be written gives the task back
//! ([`Delivery`]). So a task is never lost in a closed connection, as it is on AWS for the 60 seconds of a poll.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::{Event, TaskId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{Catalogue, ExecutionId, Expect, PutOutcome, QueueId};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::Instant;

use crate::arn::{Place, StatesArn, check_name};
use crate::clock::now_ms;
use crate::machine::{decode, encode};
use crate::owner::Failed;
use crate::quota::Quotas;
use crate::refusal::Refusal;
use crate::service::{POLL, Service, Shared};

/// The kind of the catalogue's activity rows; the key is the name.
const ACTIVITIES: &str = "activity";
/// How long a task that a poll has taken stays invisible to others; its owner commits far sooner.
const LEASE_MS: i64 = 30_000;
/// When the queue forgets a task after its answer was written. A task that is done by then costs no step of its own
/// for that; one that is not is offered again if the server dies before, with the same token.
const CONFIRM: Duration = Duration::from_secs(1);
/// How often a poll looks by itself: wakeups are hints, looking is the truth.
const LOOK: Duration = Duration::from_secs(5);
/// Activities read at a time at start.
const ROWS_PER_READ: usize = 1000;

/// One activity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivityRecord {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// When it was created, in milliseconds since the epoch.
    pub created_ms: i64,
    /// `encryptionConfiguration` as it was given.
    pub encryption: Option<serde_json::Value>,
    /// Its tags, by key.
    pub tags: Vec<(String, String)>,
}

/// The queue of an activity.
pub(crate) fn queue_of(arn: &str) -> QueueId {
    let digest = Sha256::digest(arn.as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    QueueId(id)
}

/// The activities of a server and who waits at them.
pub(crate) struct Activities {
    catalogue: Arc<dyn Catalogue>,
    place: Place,
    quotas: Quotas,
    /// Known activities; a decision asks this map, which must not wait.
    known: Mutex<HashMap<String, Arc<Waiters>>>,
    /// Held while an activity is made or deleted, so that the map and the catalogue change in the same order.
    changing: tokio::sync::Mutex<()>,
}

/// The polls that wait at one activity.
struct Waiters {
    offered: Notify,
    places: Arc<Semaphore>,
}

impl Activities {
    pub(crate) async fn open(
        catalogue: Arc<dyn Catalogue>,
        place: Place,
        quotas: Quotas,
    ) -> Result<Self, Refusal> {
        let (known, changing) = (Mutex::default(), tokio::sync::Mutex::default());
        let activities = Activities { catalogue, place, quotas, known, changing };
        let mut after: Option<String> = None;
        loop {
            let (records, next) = activities.list(after.as_deref(), ROWS_PER_READ).await?;
            for record in records {
                activities.know(&record.arn);
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(activities),
            }
        }
    }

    pub(crate) fn exists(&self, arn: &str) -> bool {
        self.waiters(arn).is_some()
    }

    fn count(&self) -> usize {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// A task was put into its queue: one poll may look.
    pub(crate) fn offered(&self, arn: &str) {
        if let Some(waiters) = self.waiters(arn) {
            waiters.offered.notify_one();
        }
    }

    fn waiters(&self, arn: &str) -> Option<Arc<Waiters>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(arn).cloned()
    }

    fn know(&self, arn: &str) {
        let places = self.quotas.pollers_max.min(Semaphore::MAX_PERMITS);
        let waiters =
            || Arc::new(Waiters { offered: Notify::new(), places: Arc::new(Semaphore::new(places)) });
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(arn.to_owned())
            .or_insert_with(waiters);
    }

    async fn list(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<ActivityRecord>, Option<String>), Refusal> {
        let rows = self.catalogue.list(ACTIVITIES, after, limit).await?;
        let next = (rows.len() == limit).then(|| rows.last().map(|(name, _)| name.clone())).flatten();
        let records = rows.iter().map(|(_, row)| decode(&row.body)).collect::<Result<_, _>>()?;
        Ok((records, next))
    }

    pub(crate) async fn record(&self, arn: &str) -> Result<(ActivityRecord, u64), Refusal> {
        let parsed = StatesArn::parse(arn, &["activity"])?;
        let absent = || Refusal::ActivityDoesNotExist(arn.to_owned());
        let [name] = parsed.parts[..] else { return Err(absent()) };
        let row = self.catalogue.get(ACTIVITIES, name).await?.ok_or_else(absent)?;
        let record: ActivityRecord = decode(&row.body)?;
        if record.arn == arn { Ok((record, row.version)) } else { Err(absent()) }
    }

    pub(crate) async fn put(&self, record: &ActivityRecord, expect: Expect) -> Result<bool, Refusal> {
        let put = self.catalogue.put(ACTIVITIES, &record.name, expect, encode(record)).await?;
        Ok(matches!(put, PutOutcome::Stored { .. }))
    }
}

/// A task on its way to a worker. Dropped before [`delivered`](Self::delivered), it is visible in its queue again; so it
/// is if the server dies.
pub struct Delivery {
    /// What completes the task.
    pub token: String,
    /// Its input.
    pub input: Arc<str>,
    taken: Option<Taken>,
}

/// A task that a poll has taken out of sight.
struct Taken {
    shared: Arc<Shared>,
    arn: String,
    execution: ExecutionId,
    task: TaskId,
}

impl Taken {
    /// The worker has it.
    async fn confirm(self) {
        let Taken { shared, execution, task, .. } = self;
        tokio::select! {
            () = tokio::time::sleep(CONFIRM) => {}
            () = shared.stopping() => {}
        }
        // It may be over by now.
        let confirmed = shared.deliver_patiently(execution, Event::TaskDelivered(task)).await;
        if let Err(Some(refusal)) = confirmed.map_err(Failed::trouble) {
            tracing::warn!(%execution, %refusal, "a task that a worker has may be offered again");
        }
    }

    /// Nobody has it.
    async fn give_back(self) {
        let Taken { shared, arn, execution, task } = self;
        let returned = shared.deliver_patiently(execution, Event::TaskReturned(task)).await;
        if let Err(Some(refusal)) = returned.map_err(Failed::trouble) {
            tracing::warn!(%execution, %refusal, "a task that reached no worker is hidden until its lease ends");
            return;
        }
        if let Err(error) = shared.store.release(queue_of(&arn), execution, task.0).await {
            tracing::warn!(%execution, %error, "a task that reached no worker is hidden until its lease ends");
        }
        shared.activities.offered(&arn);
    }
}

impl Delivery {
    /// The answer was written: the task is the worker's.
    pub fn delivered(mut self) {
        if let Some(taken) = self.taken.take() {
            let underway = taken.shared.clone();
            underway.underway.spawn(taken.confirm());
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let Some(taken) = self.taken.take() else { return };
        let underway = taken.shared.clone();
        underway.underway.spawn(taken.give_back());
    }
}

impl Service {
    /// CreateActivity; idempotent by name.
    ///
    /// # Errors
    /// The name, or an activity with another encryption.
    pub async fn create_activity(
        &self,
        name: &str,
        tags: Vec<(String, String)>,
        encryption: Option<serde_json::Value>,
    ) -> Result<ActivityRecord, Refusal> {
        check_name(name)?;
        let activities = &self.shared().activities;
        let arn = activities.place.activity(name);
        let record = ActivityRecord { arn, name: name.to_owned(), created_ms: now_ms(), encryption, tags };
        let _changing = activities.changing.lock().await;
        if !activities.exists(&record.arn) && activities.count() >= activities.quotas.activities_max {
            return Err(Refusal::ActivityLimitExceeded(activities.quotas.activities_max));
        }
        if activities.put(&record, Expect::Absent).await? {
            activities.know(&record.arn);
            return Ok(record);
        }
        let (there, _) = activities.record(&record.arn).await?;
        if there.encryption == record.encryption {
            Ok(there)
        } else {
            Err(Refusal::ActivityAlreadyExists(record.arn))
        }
    }

    /// DescribeActivity.
    ///
    /// # Errors
    /// No such activity.
    pub async fn describe_activity(&self, arn: &str) -> Result<ActivityRecord, Refusal> {
        Ok(self.shared().activities.record(arn).await?.0)
    }

    /// DeleteActivity; an absent one is deleted already. Tasks that wait in its queue stay until their executions end.
    ///
    /// # Errors
    /// The ARN, or the store.
    pub async fn delete_activity(&self, arn: &str) -> Result<(), Refusal> {
        let parsed = StatesArn::parse(arn, &["activity"])?;
        let activities = &self.shared().activities;
        let _changing = activities.changing.lock().await;
        activities.catalogue.delete(ACTIVITIES, parsed.parts[0], None).await?;
        activities.known.lock().unwrap_or_else(PoisonError::into_inner).remove(arn);
        Ok(())
    }

    /// ListActivities: a page after a name, and the name to go on after.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list_activities(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<ActivityRecord>, Option<String>), Refusal> {
        self.shared().activities.list(after, limit).await
    }

    /// GetActivityTask: waits up to 60 seconds for a task. Dropping the future gives up the poll.
    ///
    /// # Errors
    /// No such activity, or too many polls at it.
    pub async fn get_activity_task(
        &self,
        arn: &str,
        worker: Option<String>,
    ) -> Result<Option<Delivery>, Refusal> {
        let shared = self.shared();
        shared.activities.record(arn).await?;
        let waiters =
            shared.activities.waiters(arn).ok_or_else(|| Refusal::ActivityDoesNotExist(arn.to_owned()))?;
        let Ok(_place) = waiters.places.clone().try_acquire_owned() else {
            return Err(Refusal::ActivityWorkerLimitExceeded);
        };
        let end = Instant::now() + POLL;
        loop {
            if shared.has_stopped() {
                return Ok(None);
            }
            let offered = waiters.offered.notified();
            if let Some(delivery) = self.take(arn, worker.as_deref()).await? {
                // There may be more than one: the next poll looks as well.
                waiters.offered.notify_one();
                return Ok(Some(delivery));
            }
            tokio::select! {
                () = offered => {}
                () = tokio::time::sleep_until(end.min(Instant::now() + LOOK)) => {}
                () = shared.stopping() => return Ok(None),
            }
            if Instant::now() >= end {
                return Ok(None);
            }
        }
    }

    /// Takes a task, if there is one. What is taken is carried to its end even when the poll is given up meanwhile:
    /// then it goes back.
    async fn take(&self, arn: &str, worker: Option<&str>) -> Result<Option<Delivery>, Refusal> {
        let shared = self.shared().clone();
        let (worker, arn) = (worker.map(Arc::from), arn.to_owned());
        let (sender, receiver) = oneshot::channel();
        let taking = shared.clone();
        shared.underway.spawn(async move {
            let taken = take_one(&taking, &arn, worker, &sender).await;
            let failed = taken.is_err();
            // This poll may have been woken for the task that it leaves: another has to look in its place.
            if sender.send(taken).is_err() || failed {
                taking.activities.offered(&arn);
            }
        });
        receiver.await.map_err(|_| Refusal::Unavailable("the server is shutting down".into()))?
    }
}

async fn take_one<T>(
    shared: &Arc<Shared>,
    arn: &str,
    worker: Option<Arc<str>>,
    poll: &oneshot::Sender<T>,
) -> Result<Option<Delivery>, Refusal> {
    let queue = queue_of(arn);
    loop {
        let now = now_ms();
        let rows = shared.store.take_tasks(queue, now, now + LEASE_MS, 1).await?;
        let Some((execution, number)) = rows.first().copied() else { return Ok(None) };
        let task = TaskId(number);
        if poll.is_closed() {
            shared.store.release(queue, execution, number).await?;
            return Ok(None);
        }
        match shared.deliver(execution, Event::TaskTaken { task, worker: worker.clone() }).await {
            Ok(answer) => {
                let Some(view) = answer.task else {
                    tracing::error!(%execution, "a task was taken and has no input; it waits for its timeout");
                    continue;
                };
                let token = shared.tokens.seal(execution, task);
                let taken = Taken { shared: shared.clone(), arn: arn.to_owned(), execution, task };
                return Ok(Some(Delivery { token, input: view.input, taken: Some(taken) }));
            }
            // The task was withdrawn after its row was read. Or its execution is broken: then its row stays hidden until
            // its lease ends, so that it does not stand in the way of the others.
            Err(Failed::Rejected(_) | Failed::Absent | Failed::NameTaken | Failed::Broken(_)) => {}
            Err(Failed::Refused(refusal)) => {
                shared.store.release(queue, execution, number).await?;
                return Err(refusal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    /// A poll was woken for a task and hung up before it had it. The task was visible again, and nobody was told: the
    /// other polls found it when they looked by themselves, seconds later.
    #[tokio::test]
    async fn a_poll_that_gives_up_wakes_another() {
        let service = testing::open().await;
        let arn = service.create_activity("work", vec![], None).await.unwrap().arn;
        let state = serde_json::json!({"Type": "Task", "Resource": arn, "End": true});
        testing::start(&service, &testing::machine(&service, state).await).await;
        let waiters = service.shared().activities.waiters(&arn).unwrap();
        // The wakeup of the task itself.
        waiters.offered.notified().await;
        let mut take = Box::pin(service.take(&arn, None));
        assert!(futures::poll!(&mut take).is_pending());
        drop(take);
        tokio::time::timeout(POLL, waiters.offered.notified()).await.expect("another poll is woken");
        let delivery = service.take(&arn, None).await.unwrap();
        assert!(delivery.is_some(), "the task is there for it");
    }
}
