//! Runs that are redriven: who runs again, who waits for a place, what a crash leaves of it.

use super::*;
use crate::execution::ExecutionRecord;
use crate::{RedriveExecution, Refusal};

/// Children wait as long as their item says: one of 0 succeeds at once.
fn waits() -> Value {
    json!({"Type": "Wait", "SecondsPath": "$", "End": true})
}

fn express(mut map: Value) -> Value {
    map["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = "EXPRESS".into();
    map
}

async fn redrive(service: &Service, arn: &str) {
    service.redrive_execution(RedriveExecution { arn: arn.into(), ..Default::default() }).await.unwrap();
}

/// The Map Run of an execution, once it is as wanted.
async fn run_that(service: &Service, execution: &str, is: impl Fn(&MapRunRecord) -> bool) -> MapRunRecord {
    until(async || {
        let page = service.list_map_runs(execution, None, 10).await.unwrap();
        assert!(page.map_runs.len() < 2, "another run");
        let run = service.describe_map_run(&page.map_runs.first()?.arn).await.unwrap();
        is(&run).then_some(run)
    })
    .await
}

async fn listed(service: &Service, run: &str, filter: ListExecutions) -> Vec<ExecutionRecord> {
    let request = ListExecutions { machine_arn: run.into(), limit: 1000, ..filter };
    let mut children = service.list_executions(request).await.unwrap().executions;
    children.sort_by_key(|child| child.child.as_ref().unwrap().index);
    children
}

fn redrives(children: &[ExecutionRecord]) -> Vec<u32> {
    children.iter().map(|child| child.redrive_count).collect()
}

#[tokio::test]
async fn only_unsuccessful_children_are_redriven_each_once_across_a_stop() {
    let disk = MemoryDisk::default();
    let service = testing::open_on(&disk).await;
    let machine = testing::machine(&service, map(waits(), json!({"MaxConcurrency": 2}))).await;
    let execution = start(&service, &machine, json!([0, 3600, 3600, 3600])).await;
    let run =
        run_that(&service, &execution, |run| run.executions.running == 2 && run.executions.succeeded == 1);
    let run = run.await.arn;
    let first =
        listed(&service, &run, ListExecutions { status: Some(Status::Running), ..Default::default() });
    service.stop_execution(&first.await[0].arn, None, None).await.unwrap();
    let ended = service.closed_execution(&execution).await.unwrap().record;
    assert_eq!(ended.error.as_deref(), Some("States.ExceedToleratedFailureThreshold"));
    let failed = run_that(&service, &execution, |run| run.status == MapRunStatus::Failed).await;
    assert_eq!((failed.redrive_count, failed.executions.aborted, failed.executions.pending), (0, 2, 1));
    let aborted = listed(&service, &run, ListExecutions::default()).await[1].arn.clone();
    let by_itself = RedriveExecution { arn: aborted.clone(), ..Default::default() };
    let refused = service.redrive_execution(by_itself).await;
    assert!(matches!(refused, Err(Refusal::ExecutionNotRedrivable(_))), "{refused:?}");

    // Two places, for the two that were stopped; the one that never began waits.
    let one = UpdateMapRun { max_concurrency: Some(1), ..Default::default() };
    redrive(&service, &execution).await;
    let again = run_that(&service, &execution, |run| run.executions.running == 2).await;
    assert_eq!((again.status, again.redrive_count, again.stopped_ms), (MapRunStatus::Running, 1, None));
    assert_eq!((again.executions.succeeded, again.executions.pending, again.executions.total), (1, 1, 4));
    assert!(again.redriven_ms.is_some());
    assert_eq!(redrives(&listed(&service, &run, ListExecutions::default()).await), [0, 1, 1]);

    // Of three that were stopped one has the only place, and the others wait for it.
    service.update_map_run(&run, one).await.unwrap();
    service.stop_execution(&execution, None, None).await.unwrap();
    redrive(&service, &execution).await;
    let is_waiting = |run: &MapRunRecord| run.redrive_count == 2 && run.executions.running == 1;
    let waiting = run_that(&service, &execution, is_waiting).await;
    assert_eq!((waiting.executions.pending_redrive, waiting.items.pending_redrive), (1, 1));
    assert_eq!((waiting.max_concurrency, waiting.executions.pending), (1, 1));
    let pending = ListExecutions { pending_redrive: true, ..Default::default() };
    let pending = listed(&service, &run, pending).await;
    assert_eq!(pending.len(), 1);
    let described = service.describe_execution(&pending[0].arn).await.unwrap();
    assert!(described.record.pending_redrive && described.not_redrivable.is_none());
    assert_eq!(children(&service, &run, Status::Aborted).await, 0, "one that waits is listed as such");
    let of = async |redriven| {
        listed(&service, &run, ListExecutions { redriven: Some(redriven), ..Default::default() }).await.len()
    };
    assert_eq!((of(true).await, of(false).await), (2, 1));
    service.shutdown().await;
    drop(service);

    let service = testing::open_on(&disk).await;
    let same = run_that(&service, &execution, is_waiting).await;
    assert_eq!((same.executions, same.items), (waiting.executions, waiting.items));
    assert_eq!(redrives(&listed(&service, &run, ListExecutions::default()).await), [0, 2, 1]);
    service.update_map_run(&run, UpdateMapRun { max_concurrency: Some(0), ..one }).await.unwrap();
    run_that(&service, &execution, |run| run.executions.running == 3).await;
    assert_eq!(redrives(&listed(&service, &run, ListExecutions::default()).await), [0, 2, 2, 0]);
}

#[tokio::test]
async fn express_children_are_started_anew() {
    let service = testing::open().await;
    let machine = testing::machine(&service, express(map(waits(), json!({})))).await;
    let execution = start(&service, &machine, json!([0, 200, 0])).await;
    let is = |run: &MapRunRecord| run.executions.running == 1 && run.executions.succeeded == 2;
    let run = run_that(&service, &execution, is).await.arn;
    service.stop_execution(&execution, None, None).await.unwrap();
    redrive(&service, &execution).await;
    let again = run_that(&service, &execution, |run| run.redrive_count == 1 && is(run)).await;
    assert_eq!((again.executions.total, again.items.total), (3, 3));
    let all = listed(&service, &run, ListExecutions::default()).await;
    assert_eq!(redrives(&all), [0; 4]);
    let (mut one, mut other) = (&all[1], &all[2]);
    if one.status == Status::Running {
        (one, other) = (other, one);
    }
    assert_eq!((one.status, other.status), (Status::Aborted, Status::Running));
    assert_ne!(one.arn, other.arn);
}

/// A server that went down after the parent was stopped, and before its run was, comes up when the parent is redriven.
#[tokio::test]
async fn a_run_that_its_driver_left_open_is_ended_before_it_is_redriven() {
    let service = testing::open().await;
    let machine = testing::machine(&service, map(waits(), json!({}))).await;
    let execution = start(&service, &machine, json!([0, 3600])).await;
    let is = |run: &MapRunRecord| run.executions.running == 1 && run.executions.succeeded == 1;
    let run = run_that(&service, &execution, is).await;
    service.stop_execution(&execution, None, None).await.unwrap();
    run_that(&service, &execution, |run| run.status == MapRunStatus::Aborted).await;
    // As if nothing had ended it: its own row of the outbox is there.
    let stored = record::load(service.shared(), run.id()).await.unwrap().unwrap();
    let open = MapRunRecord { status: MapRunStatus::Running, stopped_ms: None, ..stored.record };
    service.shared().store.purge(run.id(), stored.version).await.unwrap();
    assert!(record::create(service.shared(), &open).await.unwrap());
    redrive(&service, &execution).await;
    let again = run_that(&service, &execution, |run| run.redrive_count == 1 && is(run)).await;
    assert_eq!((again.executions.succeeded, again.executions.total), (1, 2));
    let all = listed(&service, &run.arn, ListExecutions::default()).await;
    assert_eq!(redrives(&all), [0, 1]);
}
