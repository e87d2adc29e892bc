//! Tasks that wait for the job that they submit, over the in-memory store: crashes and cancels.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing it did not expect")]

use std::sync::{Arc, Mutex};

use asl::states::task::Resource;
use connect::{BoxFuture, Call, Connector, Outcome};
use engine::Status;
use service::{CreateMachine, Place, Service, ServiceOptions, StartExecution};
use store::{EmbeddedStore, MemoryDisk};
use tokio::sync::{Semaphore, mpsc};

/// Takes jobs, and tells the test what it was asked.
struct Jobs {
    asked: mpsc::UnboundedSender<String>,
    submissions: Semaphore,
    ends: Semaphore,
    submitted: Mutex<u32>,
}

impl Connector for Jobs {
    fn supports(&self, _: &Resource) -> bool {
        true
    }

    fn perform(&self, call: Call) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let number = {
                let mut submitted = self.submitted.lock().unwrap();
                *submitted += 1;
                *submitted
            };
            self.asked.send(format!("submit again={}", call.again)).unwrap();
            self.submissions.acquire().await.unwrap().forget();
            Outcome::Succeeded(number.to_string().into())
        })
    }

    fn job_end(&self, _: Call, submission: Arc<str>) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            self.asked.send(format!("wait {submission}")).unwrap();
            self.ends.acquire().await.unwrap().forget();
            Outcome::Succeeded(format!(r#"{{"job":{submission}}}"#).into())
        })
    }

    fn cancel_job(&self, _: Call, submission: Arc<str>) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.asked.send(format!("cancel {submission}")).unwrap() })
    }
}

struct World {
    disk: MemoryDisk,
    jobs: Arc<Jobs>,
    asked: mpsc::UnboundedReceiver<String>,
    service: Service,
}

impl World {
    async fn on(disk: MemoryDisk) -> World {
        let store = Arc::new(EmbeddedStore::on_memory(disk.clone()).unwrap());
        let (sender, asked) = mpsc::unbounded_channel();
        let jobs = Arc::new(Jobs {
            asked: sender,
            submissions: Semaphore::new(0),
            ends: Semaphore::new(0),
            submitted: Mutex::new(0),
        });
        let place = Place { region: "us-east-1".into(), account: "000000000000".into() };
        let options = ServiceOptions::new(place);
        let service = Service::open(store.clone(), store, jobs.clone(), options).await.unwrap();
        World { disk, jobs, asked, service }
    }

    /// An execution that has asked for a job.
    async fn started(&mut self) -> String {
        let definition = serde_json::json!({"StartAt": "A", "States": {"A": {"Type": "Task", "End": true,
            "Resource": "arn:aws:states:::batch:submitJob.sync"}}});
        let request = CreateMachine {
            name: "m".into(),
            definition: definition.to_string(),
            ..CreateMachine::default()
        };
        let machine_arn = self.service.create_machine(request).await.unwrap().machine.arn;
        let request = StartExecution { machine_arn, ..StartExecution::default() };
        let arn = self.service.start_execution(request).await.unwrap().arn;
        self.asks("submit again=false").await;
        arn
    }

    async fn asks(&mut self, what: &str) {
        assert_eq!(self.asked.recv().await.unwrap(), what);
    }
}

#[tokio::test]
async fn after_a_crash_a_job_is_waited_for_and_not_submitted_again() {
    let mut world = World::on(MemoryDisk::default()).await;
    let arn = world.started().await;
    world.jobs.submissions.add_permits(1);
    world.asks("wait 1").await;
    let mut next = World::on(world.disk.clone()).await;
    next.asks("wait 1").await;
    next.jobs.ends.add_permits(1);
    let ended = next.service.closed_execution(&arn).await.unwrap();
    assert_eq!((ended.record.status, ended.output.as_deref()), (Status::Succeeded, Some(r#"{"job":1}"#)));
    assert_eq!(*next.jobs.submitted.lock().unwrap(), 0);
    let mut third = World::on(next.disk.clone()).await;
    assert!(third.asked.try_recv().is_err(), "nothing of it is left");
}

#[tokio::test]
async fn a_crash_before_the_submission_is_told_submits_again_and_says_so() {
    let mut world = World::on(MemoryDisk::default()).await;
    let arn = world.started().await;
    let mut next = World::on(world.disk.clone()).await;
    next.asks("submit again=true").await;
    next.jobs.submissions.add_permits(1);
    next.jobs.ends.add_permits(1);
    next.asks("wait 1").await;
    assert_eq!(next.service.closed_execution(&arn).await.unwrap().record.status, Status::Succeeded);
}

#[tokio::test]
async fn a_stop_cancels_the_job_that_is_waited_for() {
    let mut world = World::on(MemoryDisk::default()).await;
    let arn = world.started().await;
    world.jobs.submissions.add_permits(1);
    world.asks("wait 1").await;
    world.service.stop_execution(&arn, None, None).await.unwrap();
    world.asks("cancel 1").await;
}

#[tokio::test]
async fn a_job_that_is_submitted_too_late_is_cancelled_at_once() {
    let mut world = World::on(MemoryDisk::default()).await;
    let arn = world.started().await;
    world.service.stop_execution(&arn, None, None).await.unwrap();
    world.jobs.submissions.add_permits(1);
    world.asks("cancel 1").await;
}
