//! Executions: start, describe, list, stop.

use engine::Status;
use serde_json::{Value, json};
use service::{ExecutionRecord, ListExecutions, StartExecution};

use super::{Call, seconds, set};
use crate::errors::WireError;
use crate::page_token::{self, Kind as PageKind};
use crate::reply::Reply;
use crate::shape::{
    ARN, CAUSE, ERROR, INCLUDED_DATA, Kind, Member, Members, NAME, PAGE_SIZE, PAYLOAD, Pattern, optional,
    required, text,
};

/// The statuses, in the order in which AWS's message lists them (recorded).
const STATUSES: &[&str] = &["SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING"];

pub(super) const TRACE_HEADER: Kind =
    Kind::Text { min: 0, max: 256, pattern: Some(Pattern { text: "\\p{ASCII}*", holds: str::is_ascii }) };

pub(super) const START: &[Member] = &[
    required("stateMachineArn", ARN),
    optional("name", NAME),
    optional("input", PAYLOAD),
    optional("traceHeader", TRACE_HEADER),
];
pub(super) const DESCRIBE: &[Member] =
    &[required("executionArn", ARN), optional("includedData", INCLUDED_DATA)];
pub(super) const LIST: &[Member] = &[
    optional("stateMachineArn", ARN),
    optional("statusFilter", Kind::OneOf(STATUSES)),
    optional("maxResults", PAGE_SIZE),
    optional("nextToken", text(1, 3096)),
    optional("mapRunArn", text(1, 2000)),
    optional("redriveFilter", Kind::OneOf(&["REDRIVEN", "NOT_REDRIVEN"])),
];
pub(super) const STOP: &[Member] =
    &[required("executionArn", ARN), optional("error", ERROR), optional("cause", CAUSE)];

pub(super) async fn start(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let in_body = members.text("traceHeader");
    let request = StartExecution {
        machine_arn: members.required("stateMachineArn"),
        name: members.text("name"),
        input: members.text("input"),
        trace_header: call.trace_header.clone().or(in_body),
    };
    let started = call.service.start_execution(request).await?;
    Ok(Reply::of(&json!({"executionArn": started.arn, "startDate": seconds(started.started_ms)})))
}

pub(super) async fn describe(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let described = call.service.describe_execution(&members.required("executionArn")).await?;
    let with_data = members.text("includedData").as_deref() != Some("METADATA_ONLY");
    let mut answer = summary(&described.record);
    let record = described.record;
    if with_data {
        answer["input"] = (*described.input).into();
        answer["inputDetails"] = json!({"included": true});
        if let Some(output) = &described.output {
            answer["output"] = (**output).into();
            answer["outputDetails"] = json!({"included": true});
        }
    }
    let redrivable = described.not_redrivable.is_none();
    answer["redriveStatus"] = if redrivable { "REDRIVABLE" } else { "NOT_REDRIVABLE" }.into();
    set(&mut answer, "redriveStatusReason", described.not_redrivable);
    set(&mut answer, "traceHeader", record.trace_header);
    set(&mut answer, "error", record.error);
    set(&mut answer, "cause", record.cause);
    Ok(Reply::of(&answer))
}

pub(super) async fn list(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    if members.text("mapRunArn").is_some() {
        return Err(WireError::validation(
            "mapRunArn: Loveless does not support Map Runs yet; use stateMachineArn",
        ));
    }
    let Some(machine_arn) = members.text("stateMachineArn") else {
        return Err(WireError::validation("Exactly one of stateMachineArn and mapRunArn must be specified"));
    };
    if members.text("redriveFilter").is_some() {
        return Err(WireError::validation("redriveFilter can only be specified together with mapRunArn"));
    }
    let filter = members.text("statusFilter");
    let status = filter.as_deref().map(status_named).transpose()?;
    let question = [machine_arn.as_str(), filter.as_deref().unwrap_or_default()];
    let cursor = match members.text("nextToken") {
        None => None,
        Some(token) => Some(
            page_token::read(PageKind::Executions, &question, &token).ok_or_else(WireError::invalid_token)?,
        ),
    };
    let request =
        ListExecutions { machine_arn: machine_arn.clone(), status, cursor, limit: members.page_size() };
    let page = call.service.list_executions(request).await?;
    let executions: Vec<Value> = page.executions.iter().map(summary).collect();
    let mut answer = json!({"executions": executions});
    let next = page.next.map(|place| page_token::write(PageKind::Executions, &question, &place));
    set(&mut answer, "nextToken", next);
    Ok(Reply::of(&answer))
}

pub(super) async fn stop(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let arn = members.required("executionArn");
    let stopped_ms = call.service.stop_execution(&arn, members.text("error"), members.text("cause")).await?;
    Ok(Reply::of(&json!({"stopDate": seconds(stopped_ms)})))
}

/// What a list shows of an execution; describing it shows this and more.
fn summary(record: &ExecutionRecord) -> Value {
    let mut shown = json!({
        "executionArn": record.arn,
        "stateMachineArn": record.machine_arn,
        "name": record.name,
        "status": record.status.as_str(),
        "startDate": seconds(record.started_ms),
        "redriveCount": record.redrive_count,
    });
    set(&mut shown, "redriveDate", record.redriven_ms.map(seconds));
    set(&mut shown, "stopDate", record.stopped_ms.map(seconds));
    set(&mut shown, "stateMachineVersionArn", record.origin.version_arn.as_deref());
    set(&mut shown, "stateMachineAliasArn", record.origin.alias_arn.as_deref());
    shown
}

fn status_named(name: &str) -> Result<Status, WireError> {
    let all = [Status::Running, Status::Succeeded, Status::Failed, Status::TimedOut, Status::Aborted];
    let found = all.into_iter().find(|status| status.as_str() == name);
    found.ok_or_else(|| {
        WireError::validation(format!("The status filter {name} is for executions of a Map Run only"))
    })
}
