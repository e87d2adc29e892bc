//! Map Runs: describe, list, update.

use serde_json::{Value, json};
use service::{Counts, MapRunRecord, UpdateMapRun};

use super::{Call, nothing, seconds, set};
use crate::errors::WireError;
use crate::page_token::{self, Kind as PageKind};
use crate::reply::Reply;
use crate::shape::{ARN, Kind, Member, Members, PAGE_SIZE, PAGE_TOKEN, optional, required, text};

/// `LongArn` of the model.
pub(super) const MAP_RUN_ARN: Kind = text(1, 2000);
/// `MaxConcurrency` and `ToleratedFailureCount` of the model have no upper bound.
const COUNT: Kind = Kind::Integer { min: 0, max: i64::MAX };

pub(super) const DESCRIBE: &[Member] = &[required("mapRunArn", MAP_RUN_ARN)];
pub(super) const LIST: &[Member] =
    &[required("executionArn", ARN), optional("maxResults", PAGE_SIZE), optional("nextToken", PAGE_TOKEN)];
pub(super) const UPDATE: &[Member] = &[
    required("mapRunArn", MAP_RUN_ARN),
    optional("maxConcurrency", COUNT),
    optional("toleratedFailurePercentage", Kind::Number { min: 0.0, max: 100.0 }),
    optional("toleratedFailureCount", COUNT),
];

pub(super) async fn describe(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let run = call.service.describe_map_run(&members.required("mapRunArn")).await?;
    let mut answer = json!({
        "mapRunArn": run.arn,
        "executionArn": run.execution_arn,
        "status": run.status.as_str(),
        "startDate": seconds(run.started_ms),
        "maxConcurrency": run.max_concurrency,
        "toleratedFailurePercentage": run.tolerated_percentage.unwrap_or_default(),
        "toleratedFailureCount": run.tolerated_count.unwrap_or_default(),
        "itemCounts": counts(&run.items),
        "executionCounts": counts(&run.executions),
        "redriveCount": run.redrive_count,
    });
    set(&mut answer, "redriveDate", run.redriven_ms.map(seconds));
    set(&mut answer, "stopDate", run.stopped_ms.map(seconds));
    Ok(Reply::of(&answer))
}

pub(super) async fn list(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let execution_arn = members.required("executionArn");
    let question = [execution_arn.as_str()];
    let cursor = match members.text("nextToken") {
        None => None,
        Some(token) => Some(
            page_token::read(PageKind::MapRuns, &question, &token).ok_or_else(WireError::invalid_token)?,
        ),
    };
    let page = call.service.list_map_runs(&execution_arn, cursor, members.page_size()).await?;
    let map_runs: Vec<Value> = page.map_runs.iter().map(summary).collect();
    let mut answer = json!({"mapRuns": map_runs});
    let next = page.next.map(|place| page_token::write(PageKind::MapRuns, &question, &place));
    set(&mut answer, "nextToken", next);
    Ok(Reply::of(&answer))
}

pub(super) async fn update(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let arn = members.required("mapRunArn");
    let request = UpdateMapRun {
        max_concurrency: members.count("maxConcurrency"),
        tolerated_count: members.count("toleratedFailureCount"),
        tolerated_percentage: members.number("toleratedFailurePercentage"),
    };
    if let UpdateMapRun { max_concurrency: None, tolerated_count: None, tolerated_percentage: None } = request
    {
        let why = "At least one of maxConcurrency, toleratedFailurePercentage and toleratedFailureCount must be \
                   specified";
        return Err(WireError::validation(why).with("reason", "MISSING_REQUIRED_PARAMETER"));
    }
    call.service.update_map_run(&arn, request).await?;
    Ok(nothing())
}

fn summary(run: &MapRunRecord) -> Value {
    let mut shown = json!({
        "executionArn": run.execution_arn,
        "mapRunArn": run.arn,
        "stateMachineArn": run.machine_arn,
        "startDate": seconds(run.started_ms),
    });
    set(&mut shown, "stopDate", run.stopped_ms.map(seconds));
    shown
}

/// `resultsWritten` is what succeeded, be there a ResultWriter or not (recorded).
fn counts(counts: &Counts) -> Value {
    json!({
        "pending": counts.pending,
        "running": counts.running,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "timedOut": counts.timed_out,
        "aborted": counts.aborted,
        "total": counts.total,
        "resultsWritten": counts.succeeded,
        "failuresNotRedrivable": counts.failures_not_redrivable,
        "pendingRedrive": counts.pending_redrive,
    })
}
