//! Decisions that take long or break, and what the other executions of the shard notice of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::{HistoryKind, Status};
use serde_json::{Value, json};
use store::{ExecutionId, MemoryDisk};

use crate::testing::{self, Gate, Trouble};
use crate::{CreateMachine, HistoryRange, Refusal, Service, StartExecution, Started};

/// Several names of executions in one shard; all tests use the same machines' names.
const SHARD: u8 = 7;

/// A service with an activity, whose decisions can be troubled, and three machines:
/// `long` may run in circles, so its decisions are made on the pool; `short` and `patient` are decided by the owner.
async fn service(disk: &MemoryDisk) -> Service {
    let service = testing::open_on(disk).await;
    let activity = activity(&service).await;
    let task = json!({"Type": "Task", "Resource": activity, "Next": "Z"});
    let end = json!({"Type": "Succeed"});
    let circle = json!({"Type": "Choice", "Default": "T", "Choices": [
        {"Variable": "$.again", "IsPresent": true, "Next": "A"}]});
    let wait = json!({"Type": "Wait", "Seconds": 1, "Next": "T"});
    create(&service, "long", json!({"A": {"Type": "Pass", "Next": "C"}, "C": circle, "T": task, "Z": end}))
        .await;
    create(&service, "short", json!({"A": {"Type": "Pass", "Next": "Z"}, "Z": end})).await;
    create(&service, "patient", json!({"A": wait, "T": task, "Z": end})).await;
    service
}

async fn activity(service: &Service) -> String {
    service.create_activity("work", vec![], None).await.unwrap().arn
}

async fn create(service: &Service, name: &str, states: Value) {
    let definition = json!({"StartAt": "A", "States": states}).to_string();
    let request = CreateMachine { name: name.into(), definition, ..CreateMachine::default() };
    service.create_machine(request).await.unwrap();
}

/// Names with which executions of a machine fall into the shard.
fn names(service: &Service, machine: &str) -> impl Iterator<Item = String> + use<> {
    let (place, machine) = (service.place().clone(), machine.to_owned());
    (0..).map(|number| format!("e{number}")).filter(move |name| {
        let id = ExecutionId::of(&place.execution(&machine, name));
        id.shard().0 == SHARD
    })
}

async fn start(service: &Service, machine: &str, name: &str) -> Result<Started, Refusal> {
    let machine_arn = service.place().machine(machine);
    let request = StartExecution { machine_arn, name: Some(name.into()), ..StartExecution::default() };
    service.start_execution(request).await
}

async fn status(service: &Service, arn: &str) -> Status {
    service.describe_execution(arn).await.unwrap().record.status
}

async fn history(service: &Service, arn: &str) -> Vec<HistoryKind> {
    let range = HistoryRange { limit: 1000, ..HistoryRange::default() };
    let events = service.history(arn, range).await.unwrap().events;
    events.into_iter().map(|event| event.kind).collect()
}

/// A step of 512 transitions stood between every other execution of its shard and the engine.
#[tokio::test]
async fn a_long_decision_leaves_its_shard_alone() {
    let service = service(&MemoryDisk::default()).await;
    let activity = activity(&service).await;
    let gate = Arc::new(Gate::default());
    service.shared().disturbance.set(&activity, Trouble::Held(gate.clone()));
    let name = names(&service, "long").next().unwrap();
    let mut held = Box::pin(start(&service, "long", &name));
    tokio::select! {
        started = &mut held => panic!("the decision is held: {started:?}"),
        () = gate.reached() => {}
    }
    for name in names(&service, "short").take(20) {
        let started = start(&service, "short", &name).await.unwrap();
        assert_eq!(status(&service, &started.arn).await, Status::Succeeded);
    }
    let arn = service.place().execution("long", &name);
    let unborn = service.describe_execution(&arn).await;
    assert!(matches!(unborn, Err(Refusal::ExecutionDoesNotExist(_))), "nothing of it is told: {unborn:?}");
    gate.open();
    assert_eq!(held.await.unwrap().arn, arn);
    assert_eq!(status(&service, &arn).await, Status::Running);
    service.shutdown().await;
}

#[tokio::test]
async fn jobs_wait_behind_a_decision_in_their_order() {
    let service = service(&MemoryDisk::default()).await;
    let activity = activity(&service).await;
    let gate = Arc::new(Gate::default());
    service.shared().disturbance.set(&activity, Trouble::Held(gate.clone()));
    let name = names(&service, "long").next().unwrap();
    let arn = service.place().execution("long", &name);
    let mut held = Box::pin(start(&service, "long", &name));
    tokio::select! {
        started = &mut held => panic!("the decision is held: {started:?}"),
        () = gate.reached() => {}
    }
    let mut stops = Vec::new();
    for error in ["first", "second", "third"] {
        let mut stop = Box::pin(service.stop_execution(&arn, Some(error.into()), None));
        assert!(futures::poll!(&mut stop).is_pending(), "{error}");
        stops.push(stop);
    }
    gate.open();
    held.await.unwrap();
    // Last to first: the order of asking is not the order of listening.
    while let Some(stop) = stops.pop() {
        stop.await.unwrap();
    }
    let stopped = service.describe_execution(&arn).await.unwrap().record;
    assert_eq!((stopped.status, stopped.error.as_deref()), (Status::Aborted, Some("first")));
    let told = history(&service, &arn).await;
    assert!(matches!(told[..], [HistoryKind::ExecutionStarted { .. }, .., HistoryKind::ExecutionAborted(_)]));
}

/// Here and on the pool: a start that breaks the engine is refused, is not there, and hurts nobody else.
#[tokio::test]
async fn a_start_that_breaks_is_refused() {
    let service = service(&MemoryDisk::default()).await;
    let activity = activity(&service).await;
    create(&service, "brief", json!({"A": {"Type": "Task", "Resource": activity, "End": true}})).await;
    let count = Arc::new(AtomicUsize::new(0));
    service.shared().disturbance.set(&activity, Trouble::Panic(count.clone()));
    for machine in ["long", "brief"] {
        let name = names(&service, machine).next().unwrap();
        let broken = start(&service, machine, &name).await;
        let told = matches!(&broken, Err(Refusal::Unavailable(why)) if why.contains("on purpose"));
        assert!(told, "{machine}: {broken:?}");
        let arn = service.place().execution(machine, &name);
        let absent = service.describe_execution(&arn).await;
        assert!(matches!(absent, Err(Refusal::ExecutionDoesNotExist(_))), "{machine}: {absent:?}");
        let stopped = service.stop_execution(&arn, None, None).await;
        assert!(matches!(stopped, Err(Refusal::ExecutionDoesNotExist(_))), "{machine}: {stopped:?}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 2, "once each");
    let name = names(&service, "short").next().unwrap();
    let fine = start(&service, "short", &name).await.unwrap();
    assert_eq!(status(&service, &fine.arn).await, Status::Succeeded);
    assert!(futures::poll!(Box::pin(service.failed())).is_pending(), "the service goes on");
}

/// Waits until something holds; the bound is that of a hang.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..6000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came: {what}");
}

/// A timer whose decision panics came back every second, for ever.
#[tokio::test]
async fn an_execution_that_breaks_is_left_alone_until_the_next_start() {
    let disk = MemoryDisk::default();
    let service = service(&disk).await;
    let activity = activity(&service).await;
    let count = Arc::new(AtomicUsize::new(0));
    let panic = Trouble::Panic(count.clone());
    service.shared().disturbance.set(&activity, panic.clone());
    let mut names = names(&service, "patient");
    let [broken, stopped] = [names.next().unwrap(), names.next().unwrap()];
    let broken = start(&service, "patient", &broken).await.unwrap().arn;
    let stopped = start(&service, "patient", &stopped).await.unwrap().arn;
    until("both timers", async || count.load(Ordering::SeqCst) == 2).await;
    assert_eq!(status(&service, &broken).await, Status::Running);
    assert_eq!(history(&service, &broken).await.len(), 2, "started, entered the wait");
    service.stop_execution(&stopped, None, None).await.unwrap();
    assert_eq!(status(&service, &stopped).await, Status::Aborted);

    // A wait of the same length later, other timers have been served, and the broken one was not sent again.
    service.shared().disturbance.set(&activity, Trouble::None);
    let name = names.next().unwrap();
    let later = start(&service, "patient", &name).await.unwrap().arn;
    until("another timer", async || history(&service, &later).await.len() > 2).await;
    assert_eq!(count.load(Ordering::SeqCst), 2);
    assert_eq!(status(&service, &broken).await, Status::Running);

    // A release without the fault goes on where it was.
    drop(service);
    let service = testing::open_on(&disk).await;
    until("the task", async || history(&service, &broken).await.len() > 2).await;
    let delivery = service.get_activity_task(&activity, None).await.unwrap();
    assert!(delivery.is_some());
}

/// A stop of the server waited for as long as the decision took.
#[tokio::test]
async fn a_stop_does_not_wait_for_a_decision_without_end() {
    let disk = MemoryDisk::default();
    let service = service(&disk).await;
    let activity = activity(&service).await;
    let gate = Arc::new(Gate::default());
    service.shared().disturbance.set(&activity, Trouble::Held(gate.clone()));
    let name = names(&service, "long").next().unwrap();
    let mut held = Box::pin(start(&service, "long", &name));
    tokio::select! {
        started = &mut held => panic!("the decision is held: {started:?}"),
        () = gate.reached() => {}
    }
    let short = names(&service, "short").next().unwrap();
    let done = start(&service, "short", &short).await.unwrap();
    service.stop(Duration::from_millis(50)).await;
    let dropped = held.await;
    assert!(matches!(dropped, Err(Refusal::Unavailable(_))), "{dropped:?}");
    gate.open();

    let service = testing::open_on(&disk).await;
    assert_eq!(status(&service, &done.arn).await, Status::Succeeded);
    assert!(start(&service, "long", &name).await.is_ok(), "what was not acknowledged did not happen");
}

/// What is damaged in the store is the trouble of its execution: with an outbox row, it kept the server from starting.
#[tokio::test]
async fn a_definition_that_is_refused_now_does_not_keep_the_server_from_starting() {
    let disk = MemoryDisk::default();
    let service = service(&disk).await;
    let push = json!({"A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "f"}, "End": true}});
    create(&service, "push", push).await;
    let started = start(&service, "push", "e").await.unwrap();
    let record = service.describe_execution(&started.arn).await.unwrap().record;
    service.shutdown().await;
    drop(service);

    testing::overwrite_definition(&disk, &record.definition, "{\"StartAt\": \"gone\", \"States\": {}}").await;
    let service = testing::open_on(&disk).await;
    assert_eq!(status(&service, &started.arn).await, Status::Running);
    let stopped = service.stop_execution(&started.arn, None, None).await;
    let told = matches!(&stopped, Err(Refusal::Unavailable(why)) if why.contains("refuses its definition"));
    assert!(told, "{stopped:?}");
    let name = names(&service, "short").next().unwrap();
    let fine = start(&service, "short", &name).await.unwrap();
    assert_eq!(status(&service, &fine.arn).await, Status::Succeeded);
}
