//! Runs over a store in memory: taken up after a stop, ended when nobody wants them, and started once.

use std::sync::Arc;
use std::time::Duration;

use connect::{BoxFuture, Datasets, Items, ReadItem, Reading, Upload};
use engine::Status;
use serde_json::{Value, json};
use store::MemoryDisk;

use super::record::{self, MapRunRecord};
use super::*;
use crate::{ListExecutions, Service, ServiceOptions, testing};

mod redrive;

/// Bounds a hang.
const HANG: Duration = Duration::from_secs(12);

fn map(item: Value, fields: Value) -> Value {
    let mut state = json!({"Type": "Map", "Label": "L", "End": true, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Item", "States": {"Item": item}}});
    for (name, value) in fields.as_object().unwrap() {
        state[name] = value.clone();
    }
    state
}

fn wait() -> Value {
    json!({"Type": "Wait", "Seconds": 3600, "End": true})
}

async fn start(service: &Service, machine_arn: &str, input: Value) -> String {
    let input = Some(input.to_string());
    let request = crate::StartExecution { machine_arn: machine_arn.into(), input, ..Default::default() };
    service.start_execution(request).await.unwrap().arn
}

/// Looks until there is what is looked for.
async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(HANG, looking).await.expect("it comes about")
}

/// The Map Run of an execution, once so many children run.
async fn running(service: &Service, execution: &str, children: u64) -> MapRunRecord {
    until(async || {
        let page = service.list_map_runs(execution, None, 10).await.unwrap();
        let run = service.describe_map_run(&page.map_runs.first()?.arn).await.unwrap();
        (run.executions.running == children).then_some(run)
    })
    .await
}

async fn children(service: &Service, run: &str, status: Status) -> usize {
    let request =
        ListExecutions { machine_arn: run.into(), status: Some(status), limit: 1000, ..Default::default() };
    service.list_executions(request).await.unwrap().executions.len()
}

#[tokio::test]
async fn a_run_is_taken_up_after_a_stop_and_aborted_with_its_parent() {
    let disk = MemoryDisk::default();
    let service = testing::open_on(&disk).await;
    let machine = testing::machine(&service, map(wait(), json!({"MaxConcurrency": 3}))).await;
    let execution = start(&service, &machine, json!([1, 2, 3, 4])).await;
    let run = running(&service, &execution, 3).await;
    service
        .update_map_run(&run.arn, UpdateMapRun { max_concurrency: Some(4), ..Default::default() })
        .await
        .unwrap();
    running(&service, &execution, 4).await;
    service.shutdown().await;
    drop(service);

    let service = testing::open_on(&disk).await;
    let again = running(&service, &execution, 4).await;
    assert_eq!((again.arn.as_str(), again.max_concurrency), (run.arn.as_str(), 4));
    assert_eq!(children(&service, &run.arn, Status::Running).await, 4);
    service.stop_execution(&execution, None, None).await.unwrap();
    let ended = until(async || {
        let run = service.describe_map_run(&run.arn).await.unwrap();
        (run.status != MapRunStatus::Running).then_some(run)
    })
    .await;
    assert_eq!((ended.status, ended.executions.aborted), (MapRunStatus::Aborted, 4));
    assert_eq!(children(&service, &run.arn, Status::Aborted).await, 4);
    let refused = service.update_map_run(&run.arn, UpdateMapRun::default()).await;
    assert!(matches!(refused, Err(crate::Refusal::MapRunCompleted(_))), "{refused:?}");
}

/// The server went down after a parent was stopped and before its run was.
#[tokio::test]
async fn a_run_whose_parent_is_over_is_ended_at_the_next_start() {
    let disk = MemoryDisk::default();
    let service = testing::open_on(&disk).await;
    let arn = service.place().map_run("m", "L", "orphan");
    let record = MapRunRecord {
        arn: arn.clone(),
        execution_arn: service.place().execution("m", "gone"),
        task: 1,
        machine_arn: service.place().machine("m/L"),
        status: MapRunStatus::Running,
        started_ms: 1,
        redrive_count: 0,
        redriven_ms: None,
        stopped_ms: None,
        max_concurrency: 0,
        tolerated_count: None,
        tolerated_percentage: None,
        executions: Counts::default(),
        items: Counts::default(),
    };
    assert!(record::create(service.shared(), &record).await.unwrap());
    assert!(!record::create(service.shared(), &record).await.unwrap(), "it is made once");
    service.shutdown().await;
    drop(service);

    let service = testing::open_on(&disk).await;
    let status = until(async || {
        let run = service.describe_map_run(&arn).await.unwrap();
        (run.status != MapRunStatus::Running).then_some(run.status)
    })
    .await;
    assert_eq!(status, MapRunStatus::Aborted);
}

/// Retention took the children of a run that went on: their results were lost, and after a crash they ran again.
#[tokio::test]
async fn children_stay_as_long_as_their_run_goes_on() {
    let service = testing::open().await;
    let item = json!({"Type": "Wait", "SecondsPath": "$", "End": true});
    let machine = testing::machine(&service, map(item, json!({}))).await;
    let execution = start(&service, &machine, json!([0, 3600])).await;
    let run = running(&service, &execution, 1).await;
    until(async || (children(&service, &run.arn, Status::Succeeded).await == 1).then_some(())).await;
    let late_ms = crate::clock::now_ms() + 200 * 24 * 60 * 60 * 1000;
    crate::retention::round(service.shared(), late_ms).await.unwrap();
    assert_eq!(children(&service, &run.arn, Status::Succeeded).await, 1);
    // The parent and its second child; the run itself is no execution.
    assert_eq!(service.storage().await.unwrap().open, 2);

    service.stop_execution(&execution, None, None).await.unwrap();
    until(async || {
        let run = service.describe_map_run(&run.arn).await.unwrap();
        (run.status != MapRunStatus::Running).then_some(())
    })
    .await;
    assert_eq!(service.storage().await.unwrap().open, 0);
    crate::retention::round(service.shared(), late_ms).await.unwrap();
    assert_eq!(service.storage().await.unwrap().closed, 0);
}

/// Items without end, until somebody stops asking; and a place for results.
struct Endless;

impl Items for Endless {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<ReadItem>, String>> {
        let item = ReadItem { key: None, source: "S3://b/k".into(), value: true.into() };
        Box::pin(async move { Ok(Some(item)) })
    }
}

impl Datasets for Endless {
    fn read(&self, reading: Reading) -> BoxFuture<'_, Result<Box<dyn Items>, String>> {
        assert_eq!(&*reading.arguments, r#"{"Bucket":"b","Key":"k"}"#);
        Box::pin(async { Ok(Box::new(Endless) as Box<dyn Items>) })
    }

    fn write<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: &'static str,
    ) -> BoxFuture<'a, Result<Box<dyn Upload>, String>> {
        Box::pin(async { Err("full".to_owned()) })
    }
}

async fn open_endless() -> Service {
    let store = Arc::new(store::EmbeddedStore::on_memory(MemoryDisk::default()).unwrap());
    let place = crate::Place { region: "us-east-1".into(), account: "000000000000".into() };
    let options = ServiceOptions { datasets: Arc::new(Endless), ..ServiceOptions::new(place) };
    Service::open(store.clone(), store, Arc::new(testing::Nobody), options).await.unwrap()
}

fn reader(max_items: u64) -> Value {
    json!({"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b", "Key": "k"},
        "ReaderConfig": {"InputType": "JSONL", "MaxItems": max_items}})
}

#[tokio::test]
async fn no_more_is_read_than_there_are_places_for() {
    let service = open_endless().await;
    let fields = json!({"ItemReader": reader(100_000_000), "MaxConcurrency": 5});
    let machine = testing::machine(&service, map(wait(), fields)).await;
    let execution = start(&service, &machine, json!({})).await;
    let run = running(&service, &execution, 5).await;
    assert!(run.executions.total < 200, "{run:?}");
    service.stop_execution(&execution, None, None).await.unwrap();
}

#[tokio::test]
async fn a_writer_that_fails_is_the_states_failure() {
    let service = open_endless().await;
    let writer =
        json!({"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b", "Prefix": "p"}});
    let pass = json!({"Type": "Pass", "End": true});
    let machine =
        testing::machine(&service, map(pass, json!({"ItemReader": reader(3), "ResultWriter": writer}))).await;
    let execution = start(&service, &machine, json!({})).await;
    let ended = service.closed_execution(&execution).await.unwrap().record;
    assert_eq!(ended.error.as_deref(), Some("States.ResultWriterFailed"));
    assert_eq!(ended.cause.as_deref(), Some("full"));
    let run = service.list_map_runs(&execution, None, 1).await.unwrap().map_runs.remove(0);
    assert_eq!((run.status, run.items.succeeded), (MapRunStatus::Failed, 3));
}
