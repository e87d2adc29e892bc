//! The service over the in-memory store: what it promises across restarts, lost pollers and concurrent requests.
//!
//! A restart is a new service over the same disk; the old one is dropped without a goodbye, as by a crash.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing it did not expect")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::states::task::Resource;
use connect::{BoxFuture, Call, Connector, Outcome};
use engine::Status;
use service::{
    CreateMachine, Described, HistoryRange, ListExecutions, Place, Refusal, Service, ServiceOptions,
    StartExecution,
};
use store::{EmbeddedStore, MemoryDisk};
use tokio::sync::Notify;

/// A connector that answers from a script; without one it waits until it is let go.
#[derive(Default)]
struct Scripted {
    calls: Mutex<Vec<Call>>,
    answers: Mutex<VecDeque<Outcome>>,
    count: AtomicUsize,
    called: Notify,
}

impl Connector for Scripted {
    fn supports(&self, resource: &Resource) -> bool {
        !matches!(resource, Resource::Service(service) if &*service.service != "lambda")
    }

    fn perform(&self, call: Call) -> BoxFuture<'_, Outcome> {
        self.calls.lock().unwrap().push(call);
        self.count.fetch_add(1, Ordering::SeqCst);
        self.called.notify_one();
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }
}

impl Scripted {
    fn answer(&self, outcome: Outcome) {
        self.answers.lock().unwrap().push_back(outcome);
    }
}

struct World {
    disk: MemoryDisk,
    connector: Arc<Scripted>,
    service: Service,
}

impl World {
    async fn new() -> World {
        let disk = MemoryDisk::default();
        let connector = Arc::new(Scripted::default());
        let service = open(&disk, &connector).await;
        World { disk, connector, service }
    }

    /// The server is gone, and another starts over what was durable.
    async fn crash(&mut self) {
        self.service = open(&self.disk, &self.connector).await;
    }

    async fn machine(&self, name: &str, definition: serde_json::Value) -> String {
        let request = CreateMachine {
            name: name.into(),
            definition: definition.to_string(),
            role_arn: "arn:aws:iam::000000000000:role/r".into(),
            ..CreateMachine::default()
        };
        self.service.create_machine(request).await.unwrap().machine.arn
    }

    async fn start(&self, machine_arn: &str, name: &str, input: &str) -> String {
        let request = StartExecution {
            machine_arn: machine_arn.into(),
            name: Some(name.into()),
            input: Some(input.into()),
            trace_header: None,
        };
        self.service.start_execution(request).await.unwrap().arn
    }

    /// Waits until an execution has ended; its history is contiguous then.
    async fn ended(&self, arn: &str) -> Described {
        for _ in 0..2000 {
            let described = self.service.describe_execution(arn).await.unwrap();
            if described.record.status != Status::Running {
                self.check_history(arn).await;
                return described;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{arn} does not end: {:#?}", self.history(arn).await);
    }

    async fn history(&self, arn: &str) -> Vec<engine::HistoryEvent> {
        let range = HistoryRange { limit: 10_000, ..HistoryRange::default() };
        self.service.history(arn, range).await.unwrap().events
    }

    async fn check_history(&self, arn: &str) {
        let ids: Vec<u64> = self.history(arn).await.iter().map(|event| event.id).collect();
        assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>(), "{arn}");
    }
}

async fn open(disk: &MemoryDisk, connector: &Arc<Scripted>) -> Service {
    let store = Arc::new(EmbeddedStore::on_memory(disk.clone()).unwrap());
    let place = Place { region: "us-east-1".into(), account: "000000000000".into() };
    Service::open(store.clone(), store, connector.clone(), ServiceOptions::new(place)).await.unwrap()
}

const ACTIVITY: &str = "arn:aws:states:us-east-1:000000000000:activity:work";

fn activity_machine() -> serde_json::Value {
    serde_json::json!({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": ACTIVITY, "End": true}}})
}

#[tokio::test]
async fn a_pass_machine_runs_and_its_history_pages_both_ways() {
    let world = World::new().await;
    let machine = world
        .machine(
            "m",
            serde_json::json!({"StartAt": "A", "States": {
            "A": {"Type": "Pass", "Result": {"x": 1}, "ResultPath": "$.a", "Next": "B"},
            "B": {"Type": "Pass", "End": true}}}),
        )
        .await;
    let arn = world.start(&machine, "e", "{\"n\":  1}").await;
    let ended = world.ended(&arn).await;
    assert_eq!(ended.record.status, Status::Succeeded);
    assert_eq!(&*ended.input, "{\"n\":  1}", "the input is kept verbatim");
    assert_eq!(ended.output.as_deref(), Some("{\"n\":1,\"a\":{\"x\":1}}"));
    for reverse in [false, true] {
        let mut seen = Vec::new();
        let mut from = None;
        loop {
            let range = HistoryRange { reverse, limit: 2, from };
            let page = world.service.history(&arn, range).await.unwrap();
            assert!(page.events.len() <= 2);
            seen.extend(page.events.iter().map(|event| event.id));
            match page.next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        let mut want: Vec<u64> = (1..=6).collect();
        if reverse {
            want.reverse();
        }
        assert_eq!(seen, want);
    }
}

#[tokio::test]
async fn starting_twice_is_one_execution_while_it_runs() {
    let world = World::new().await;
    let wait =
        serde_json::json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": true}}});
    let machine = world.machine("m", wait).await;
    let first = world.start(&machine, "e", "{}").await;
    assert_eq!(world.start(&machine, "e", "{}").await, first);
    let other = StartExecution {
        machine_arn: machine.clone(),
        name: Some("e".into()),
        input: Some("{\"other\": true}".into()),
        trace_header: None,
    };
    let refused = world.service.start_execution(other).await;
    assert!(matches!(refused, Err(Refusal::ExecutionAlreadyExists(_))), "{refused:?}");
    world.service.stop_execution(&first, Some("E".into()), None).await.unwrap();
    let stopped = world.ended(&first).await;
    assert_eq!((stopped.record.status, stopped.record.error.as_deref()), (Status::Aborted, Some("E")));
    let again = StartExecution { machine_arn: machine, name: Some("e".into()), ..StartExecution::default() };
    let refused = world.service.start_execution(again).await;
    assert!(matches!(refused, Err(Refusal::ExecutionAlreadyExists(_))), "{refused:?}");
}

#[tokio::test]
async fn an_activity_task_goes_to_one_worker_and_its_token_works_once() {
    let world = World::new().await;
    world.service.create_activity("work", vec![], None).await.unwrap();
    let machine = world.machine("m", activity_machine()).await;
    let arn = world.start(&machine, "e", "[1, 2]").await;
    let delivery = world.service.get_activity_task(ACTIVITY, Some("w".into())).await.unwrap().unwrap();
    assert_eq!(&*delivery.input, "[1, 2]");
    let token = delivery.token.clone();
    delivery.delivered();
    world.service.send_task_heartbeat(&token).await.unwrap();
    let bad = world.service.send_task_success(&token, "not json".into()).await;
    assert!(matches!(bad, Err(Refusal::InvalidOutput(_))), "{bad:?}");
    world.service.send_task_success(&token, "{\"done\":true}".into()).await.unwrap();
    assert_eq!(world.ended(&arn).await.output.as_deref(), Some("{\"done\":true}"));
    let again = world.service.send_task_success(&token, "{}".into()).await;
    assert!(matches!(again, Err(Refusal::TaskTimedOut)), "{again:?}");
    let foreign = world.service.send_task_heartbeat("nonsense").await;
    assert!(matches!(foreign, Err(Refusal::InvalidToken)), "{foreign:?}");
}

#[tokio::test]
async fn a_task_whose_poll_is_gone_goes_to_the_next_worker() {
    let world = World::new().await;
    world.service.create_activity("work", vec![], None).await.unwrap();
    let machine = world.machine("m", activity_machine()).await;
    // A poll that is given up before there is a task.
    let service = world.service.clone();
    let poll = tokio::spawn(async move { service.get_activity_task(ACTIVITY, None).await.map(|_| ()) });
    tokio::time::sleep(Duration::from_millis(50)).await;
    poll.abort();
    let arn = world.start(&machine, "e", "{}").await;
    // An answer that is never written.
    let unwritten = world.service.get_activity_task(ACTIVITY, Some("one".into())).await.unwrap().unwrap();
    drop(unwritten);
    let delivery = world.service.get_activity_task(ACTIVITY, Some("two".into())).await.unwrap().unwrap();
    world.service.send_task_success(&delivery.token.clone(), "{}".into()).await.unwrap();
    delivery.delivered();
    assert_eq!(world.ended(&arn).await.record.status, Status::Succeeded);
}

#[tokio::test]
async fn a_crash_loses_nothing_that_was_acknowledged() {
    let mut world = World::new().await;
    world.service.create_activity("work", vec![], None).await.unwrap();
    let lambda = serde_json::json!({"StartAt": "L", "States": {"L": {
        "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f", "End": true}}});
    let wait =
        serde_json::json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "End": true}}});
    let machines = [
        world.machine("activity", activity_machine()).await,
        world.machine("lambda", lambda).await,
        world.machine("wait", wait).await,
    ];
    let mut arns = Vec::new();
    for index in 0..30 {
        arns.push(world.start(&machines[index % 3], &format!("e{index}"), "{}").await);
    }
    // One task is with a worker when the server goes down; its token is good afterwards.
    let held = world.service.get_activity_task(ACTIVITY, None).await.unwrap().unwrap();
    let token = held.token.clone();
    held.delivered();
    while world.connector.count.load(Ordering::SeqCst) < 10 {
        world.connector.called.notified().await;
    }
    for _ in 0..10 {
        world.connector.answer(Outcome::Succeeded("{\"again\":1}".into()));
    }
    world.crash().await;
    world.service.send_task_success(&token, "{}".into()).await.unwrap();
    for _ in 0..9 {
        let delivery = world.service.get_activity_task(ACTIVITY, None).await.unwrap().unwrap();
        world.service.send_task_success(&delivery.token.clone(), "{}".into()).await.unwrap();
        delivery.delivered();
    }
    for arn in &arns {
        assert_eq!(world.ended(arn).await.record.status, Status::Succeeded, "{arn}");
    }
    let calls = world.connector.calls.lock().unwrap();
    let (first, second) = calls.split_at(10);
    let ids = |calls: &[Call]| {
        let mut ids: Vec<String> = calls.iter().map(|call| call.idempotency_id.clone()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(first), ids(second), "a task that is pushed again has the same id");
}

#[tokio::test]
async fn a_crash_before_the_answer_is_written_gives_the_task_to_the_next_poll() {
    let mut world = World::new().await;
    world.service.create_activity("work", vec![], None).await.unwrap();
    let machine = world.machine("m", activity_machine()).await;
    let arn = world.start(&machine, "e", "{}").await;
    let unwritten = world.service.get_activity_task(ACTIVITY, None).await.unwrap().unwrap();
    let token = unwritten.token.clone();
    // The server dies with the answer in its hands: nothing of it runs any more.
    std::mem::forget(unwritten);
    world.crash().await;
    let delivery = world.service.get_activity_task(ACTIVITY, None).await.unwrap().unwrap();
    assert_eq!(delivery.token, token, "it is the same attempt");
    delivery.delivered();
    world.service.send_task_success(&token, "{}".into()).await.unwrap();
    assert_eq!(world.ended(&arn).await.record.status, Status::Succeeded);
}

#[tokio::test]
async fn a_silent_worker_is_replaced_after_its_heartbeat() {
    let world = World::new().await;
    world.service.create_activity("work", vec![], None).await.unwrap();
    let machine = world
        .machine("m", serde_json::json!({"StartAt": "A", "States": {"A": {
            "Type": "Task", "Resource": ACTIVITY, "TimeoutSeconds": 60, "HeartbeatSeconds": 1, "End": true,
            "Retry": [{"ErrorEquals": ["States.HeartbeatTimeout"], "IntervalSeconds": 1, "MaxAttempts": 1}]}}}))
        .await;
    let arn = world.start(&machine, "e", "{}").await;
    let silent = world.service.get_activity_task(ACTIVITY, Some("silent".into())).await.unwrap().unwrap();
    let old = silent.token.clone();
    silent.delivered();
    let next = world.service.get_activity_task(ACTIVITY, Some("next".into())).await.unwrap().unwrap();
    assert_ne!(next.token, old, "each attempt has a token of its own");
    let late = world.service.send_task_success(&old, "{}".into()).await;
    assert!(matches!(late, Err(Refusal::TaskTimedOut)), "{late:?}");
    world.service.send_task_success(&next.token.clone(), "{}".into()).await.unwrap();
    next.delivered();
    assert_eq!(world.ended(&arn).await.record.status, Status::Succeeded);
}

#[tokio::test]
async fn a_loop_of_many_transitions_does_not_end_with_its_step() {
    let world = World::new().await;
    let machine = world
        .machine(
            "m",
            serde_json::json!({"StartAt": "Add", "States": {
            "Add": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "More"},
            "More": {"Type": "Choice", "Choices": [
                {"Variable": "$.n", "NumericLessThan": 2000, "Next": "Add"}], "Default": "Done"},
            "Done": {"Type": "Succeed"}}}),
        )
        .await;
    let arn = world.start(&machine, "e", "{\"n\": 0}").await;
    assert_eq!(world.ended(&arn).await.output.as_deref(), Some("{\"n\":2000}"));
}

#[tokio::test]
async fn deleting_a_machine_stops_its_executions() {
    let world = World::new().await;
    let wait =
        serde_json::json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": true}}});
    let machine = world.machine("m", wait.clone()).await;
    let arn = world.start(&machine, "e", "{}").await;
    world.service.delete_machine(&machine).await.unwrap();
    assert_eq!(world.ended(&arn).await.record.status, Status::Aborted);
    for _ in 0..1000 {
        match world.service.describe_machine(&machine).await {
            Err(Refusal::StateMachineDoesNotExist(_)) => break,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    world.service.delete_machine(&machine).await.unwrap();
    world.machine("m", wait).await;
}

#[tokio::test]
async fn lists_are_paged_newest_first_and_filtered() {
    let world = World::new().await;
    let machine = world
        .machine("m", serde_json::json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}))
        .await;
    let mut arns = Vec::new();
    for index in 0..7 {
        let arn = world.start(&machine, &format!("e{index}"), "{}").await;
        world.ended(&arn).await;
        arns.push(arn);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    arns.reverse();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let request = ListExecutions {
            machine_arn: machine.clone(),
            status: Some(Status::Succeeded),
            cursor,
            limit: 3,
            ..Default::default()
        };
        let page = world.service.list_executions(request).await.unwrap();
        seen.extend(page.executions.into_iter().map(|execution| execution.arn));
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, arns);
}
