//! What executions tell a log: every event once it is durable, with the texts that it names.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing it did not expect")]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use asl::states::task::Resource;
use connect::{BoxFuture, Call, Connector, Outcome};
use engine::HistoryKind;
use service::{
    CreateMachine, HistoryRange, LogSink, Place, Service, ServiceOptions, StartExecution, Told, UpdateMachine,
};
use store::EmbeddedStore;

/// Keeps what it is told.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<Told>>);

impl LogSink for Kept {
    fn has_group(&self, _: &str) -> bool {
        true
    }

    fn tell(&self, told: Told) {
        self.0.lock().unwrap().push(told);
    }
}

struct Nobody;

impl Connector for Nobody {
    fn supports(&self, _: &Resource) -> bool {
        true
    }

    fn perform(&self, call: Call) -> BoxFuture<'_, Outcome> {
        Box::pin(async move { Outcome::Succeeded(call.input) })
    }
}

async fn open() -> (Service, Arc<Kept>) {
    let store = Arc::new(EmbeddedStore::in_memory().unwrap());
    let kept = Arc::new(Kept::default());
    let place = Place { region: "us-east-1".into(), account: "000000000000".into() };
    let options = ServiceOptions { logs: kept.clone(), ..ServiceOptions::new(place) };
    (Service::open(store.clone(), store, Arc::new(Nobody), options).await.unwrap(), kept)
}

fn logging(level: &str) -> Option<serde_json::Value> {
    Some(serde_json::json!({"level": level, "includeExecutionData": true,
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "arn:g"}}]}))
}

/// Large payloads that come and go, so that memory is swept on the way.
fn definition() -> String {
    let task = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let pass = |next: &str| serde_json::json!({"Type": "Pass", "Parameters": {"text.$": "$.text", "at": next}, "Next": next});
    serde_json::json!({"StartAt": "A", "States": {
        "A": pass("B"), "B": {"Type": "Task", "Resource": task, "Next": "C"}, "C": pass("D"),
        "D": {"Type": "Wait", "Seconds": 0, "Next": "E"}, "E": pass("F"),
        "F": {"Type": "Task", "Resource": task, "Next": "G"}, "G": {"Type": "Succeed"}}})
    .to_string()
}

/// The payloads that an event shows.
fn named(kind: &HistoryKind) -> usize {
    match kind {
        HistoryKind::ExecutionStarted { .. }
        | HistoryKind::StateEntered { .. }
        | HistoryKind::StateExited { .. }
        | HistoryKind::ExecutionSucceeded { .. } => 1,
        _ => 0,
    }
}

async fn check(express: bool) {
    let (service, kept) = open().await;
    let request = CreateMachine {
        name: "m".into(),
        definition: definition(),
        express,
        logging: logging("ALL"),
        ..CreateMachine::default()
    };
    let machine_arn = service.create_machine(request).await.unwrap().machine.arn;
    let input = format!(r#"{{"text":"{}"}}"#, "x".repeat(100_000));
    let request = StartExecution { machine_arn, input: Some(input), ..StartExecution::default() };
    let arn = match express {
        true => service.start_sync_execution(request).await.unwrap().arn,
        false => {
            let arn = service.start_execution(request).await.unwrap().arn;
            service.closed_execution(&arn).await.unwrap();
            arn
        }
    };
    let told = std::mem::take(&mut *kept.0.lock().unwrap());
    let mut ids = Vec::new();
    for told in &told {
        assert_eq!((&*told.execution_arn, told.express, told.with_data), (&*arn, express, true));
        ids.extend(told.events.iter().map(|event| event.id));
        let shown: usize = told.events.iter().map(|event| named(&event.kind)).sum();
        assert!(shown == 0 || !told.texts.is_empty());
        for event in &told.events {
            let id = match &event.kind {
                HistoryKind::ExecutionStarted { input, .. } | HistoryKind::StateEntered { input, .. } => {
                    input
                }
                HistoryKind::StateExited { output, .. } | HistoryKind::ExecutionSucceeded { output } => {
                    output
                }
                _ => continue,
            };
            assert!(told.texts.contains_key(id), "{event:?} has no text");
        }
    }
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    assert!(told.len() > 2, "it took several steps");
    if !express {
        let range = HistoryRange { limit: 1000, ..HistoryRange::default() };
        assert_eq!(ids.len(), service.history(&arn, range).await.unwrap().events.len());
    }
}

#[tokio::test]
async fn a_standard_execution_tells_all_with_every_text() {
    check(false).await;
}

#[tokio::test]
async fn an_express_execution_tells_all_with_every_text() {
    check(true).await;
}

#[tokio::test]
async fn levels_choose_and_an_update_counts_for_later_executions() {
    let (service, kept) = open().await;
    let fail = serde_json::json!({"StartAt": "A", "States": {"A": {"Type": "Fail"}}}).to_string();
    let request = CreateMachine {
        name: "m".into(),
        definition: fail,
        logging: logging("FATAL"),
        ..CreateMachine::default()
    };
    let machine = service.create_machine(request).await.unwrap().machine.arn;
    let mut counts = Vec::new();
    for level in ["FATAL", "ERROR", "ALL", "OFF"] {
        let update = UpdateMachine { logging: logging(level), ..UpdateMachine::default() };
        service.update_machine(&machine, update).await.unwrap();
        let request = StartExecution { machine_arn: machine.clone(), ..StartExecution::default() };
        let arn = service.start_execution(request).await.unwrap().arn;
        service.closed_execution(&arn).await.unwrap();
        let told = std::mem::take(&mut *kept.0.lock().unwrap());
        assert!(told.iter().map(|told| &told.execution_arn).collect::<HashSet<_>>().len() <= 1);
        counts.push(told.iter().map(|told| told.events.len()).sum::<usize>());
    }
    assert_eq!(counts, [1, 2, 3, 0]);
}
