//! Polls that come and go: whatever is given up, and whenever, every task reaches a worker.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing it did not expect")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use asl::states::task::Resource;
use connect::{BoxFuture, Call, Connector, Outcome};
use engine::{HistoryKind, Status, TaskEvent};
use service::{CreateMachine, HistoryRange, Place, Service, ServiceOptions, StartExecution};
use store::{EmbeddedStore, MemoryDisk};

const ACTIVITY: &str = "arn:aws:states:us-east-1:000000000000:activity:work";
const EXECUTIONS: usize = 60;
const WORKERS: usize = 6;
/// Bounds a hang; a poll that is not woken would look again by itself long before.
const HANG: Duration = Duration::from_secs(120);

/// Nothing is pushed here.
struct Nobody;

impl Connector for Nobody {
    fn supports(&self, _: &Resource) -> bool {
        true
    }

    fn perform(&self, _: Call) -> BoxFuture<'_, Outcome> {
        Box::pin(std::future::pending())
    }
}

async fn open(disk: &MemoryDisk) -> Service {
    let store = Arc::new(EmbeddedStore::on_memory(disk.clone()).unwrap());
    let place = Place { region: "us-east-1".into(), account: "000000000000".into() };
    let options = ServiceOptions::new(place);
    let service = Service::open(store.clone(), store, Arc::new(Nobody), options).await.unwrap();
    service.create_activity("work", vec![], None).await.unwrap();
    service
}

async fn start(service: &Service, executions: usize) -> Vec<String> {
    let definition = serde_json::json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": ACTIVITY, "End": true}}});
    let request = CreateMachine {
        name: "m".into(),
        definition: definition.to_string(),
        role_arn: "arn:aws:iam::000000000000:role/r".into(),
        ..CreateMachine::default()
    };
    let machine_arn = service.create_machine(request).await.unwrap().machine.arn;
    let mut arns = Vec::new();
    for _ in 0..executions {
        let request = StartExecution { machine_arn: machine_arn.clone(), ..StartExecution::default() };
        arns.push(service.start_execution(request).await.unwrap().arn);
    }
    arns
}

/// Numbers from a seed; which polls are rude is all that hangs on them.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// A worker of whose polls a third is given up at some moment, and a third of whose answers is never written.
async fn work(service: Service, seed: u64, left: Arc<AtomicUsize>) {
    let mut state = seed;
    while left.load(Ordering::SeqCst) > 0 {
        let poll = service.get_activity_task(ACTIVITY, None);
        let patience = match next(&mut state) % 3 {
            0 => Duration::from_micros(next(&mut state) % 3000),
            _ => Duration::from_millis(500),
        };
        let Ok(polled) = tokio::time::timeout(patience, poll).await else { continue };
        let Some(delivery) = polled.unwrap() else { continue };
        if next(&mut state).is_multiple_of(3) {
            continue;
        }
        let token = delivery.token.clone();
        delivery.delivered();
        service.send_task_success(&token, "{}".into()).await.unwrap();
        left.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_task_reaches_a_worker_however_many_give_up() {
    let service = open(&MemoryDisk::default()).await;
    let left = Arc::new(AtomicUsize::new(EXECUTIONS));
    let workers: Vec<_> =
        (0..WORKERS).map(|worker| tokio::spawn(work(service.clone(), worker as u64, left.clone()))).collect();
    let arns = start(&service, EXECUTIONS).await;
    for worker in workers {
        tokio::time::timeout(HANG, worker).await.expect("every task is taken").unwrap();
    }
    for arn in arns {
        assert_eq!(service.describe_execution(&arn).await.unwrap().record.status, Status::Succeeded);
        let range = HistoryRange { limit: 100, ..HistoryRange::default() };
        let events = service.history(&arn, range).await.unwrap().events;
        let is_start = |kind: &HistoryKind| matches!(kind, HistoryKind::Activity(TaskEvent::Started { .. }));
        assert_eq!(events.iter().filter(|event| is_start(&event.kind)).count(), 1, "{arn}");
        let ids: Vec<u64> = events.iter().map(|event| event.id).collect();
        assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>(), "{arn}");
    }
}

/// What was on its way when the server was told to stop: a task between its queue and a worker that will never read the
/// answer. It went back only after the owners had gone, and so it was with nobody until its timeout.
#[tokio::test]
async fn an_orderly_stop_puts_back_what_no_worker_got() {
    let disk = MemoryDisk::default();
    let service = open(&disk).await;
    let arns = start(&service, 2).await;
    let unwritten = service.get_activity_task(ACTIVITY, None).await.unwrap().unwrap();
    // The second poll is cut off in the middle of taking its task, or right after.
    let mut poll = Box::pin(service.get_activity_task(ACTIVITY, None));
    for _ in 0..3 {
        if futures::poll!(&mut poll).is_ready() {
            break;
        }
        tokio::task::yield_now().await;
    }
    drop(poll);
    drop(unwritten);
    service.shutdown().await;
    drop(service);

    let service = open(&disk).await;
    for _ in &arns {
        let delivery = service.get_activity_task(ACTIVITY, None).await.unwrap();
        let delivery = delivery.expect("the task is in its queue again");
        service.send_task_success(&delivery.token.clone(), "{}".into()).await.unwrap();
        delivery.delivered();
    }
    for arn in arns {
        assert_eq!(service.describe_execution(&arn).await.unwrap().record.status, Status::Succeeded);
    }
}
