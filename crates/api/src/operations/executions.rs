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
const STATUSES: &[&str] = &["SUCCEEDED", "TIMED_OUT", PENDING_REDRIVE, "ABORTED", "FAILED", "RUNNING"];

/// The status of children that wait to be redriven.
const PENDING_REDRIVE: &str = "PENDING_REDRIVE";

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
    let started = call.service.start_execution(asked(call, &mut members)).await?;
    Ok(Reply::of(&json!({"executionArn": started.arn, "startDate": seconds(started.started_ms)})))
}

/// What a start asks for, whether it waits for the end or not.
pub(super) fn asked(call: &Call<'_>, members: &mut Members) -> StartExecution {
    let in_body = members.text("traceHeader");
    StartExecution {
        machine_arn: members.required("stateMachineArn"),
        name: members.text("name"),
        input: members.text("input"),
        trace_header: call.trace_header.clone().or(in_body),
    }
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
    let status = match (redrivable, &record.child) {
        (true, Some(_)) => "REDRIVABLE_BY_MAP_RUN",
        (true, None) => "REDRIVABLE",
        (false, _) => "NOT_REDRIVABLE",
    };
    answer["redriveStatus"] = status.into();
    set(&mut answer, "redriveStatusReason", described.not_redrivable);
    set(&mut answer, "traceHeader", record.trace_header);
    set(&mut answer, "error", record.error);
    set(&mut answer, "cause", record.cause);
    Ok(Reply::of(&answer))
}

pub(super) async fn list(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let map_run_arn = members.text("mapRunArn");
    let of_map_run = map_run_arn.is_some();
    let ((None, Some(arn)) | (Some(arn), None)) = (members.text("stateMachineArn"), map_run_arn) else {
        return Err(WireError::validation("Exactly one of stateMachineArn and mapRunArn must be specified"));
    };
    let redrive_filter = members.text("redriveFilter");
    if redrive_filter.is_some() && !of_map_run {
        return Err(WireError::validation("redriveFilter can only be specified together with mapRunArn"));
    }
    let filter = members.text("statusFilter");
    let pending = filter.as_deref() == Some(PENDING_REDRIVE);
    let pending_redrive = of_map_run && pending;
    let status = filter.as_deref().filter(|_| !pending_redrive).map(status_named).transpose()?;
    let redriven = redrive_filter.as_deref().map(|filter| filter == "REDRIVEN");
    let question =
        [arn.as_str(), filter.as_deref().unwrap_or_default(), redrive_filter.as_deref().unwrap_or_default()];
    let cursor = match members.text("nextToken") {
        None => None,
        Some(token) => Some(
            page_token::read(PageKind::Executions, &question, &token).ok_or_else(WireError::invalid_token)?,
        ),
    };
    let machine_arn = arn.clone();
    let limit = members.page_size();
    let request = ListExecutions { machine_arn, status, pending_redrive, redriven, cursor, limit };
    let page = call.service.list_executions(request).await?;
    let executions: Vec<Value> = page.executions.iter().map(listed).collect();
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

/// An entry of a list; a Map Run's children show how many items they have.
fn listed(record: &ExecutionRecord) -> Value {
    let mut shown = summary(record);
    set(&mut shown, "itemCount", record.child.as_ref().map(|child| child.items));
    shown
}

/// What a list shows of an execution; describing it shows this and more.
fn summary(record: &ExecutionRecord) -> Value {
    let mut shown = json!({
        "executionArn": record.arn,
        "stateMachineArn": record.machine_arn,
        "name": record.name,
        "status": if record.pending_redrive { PENDING_REDRIVE } else { record.status.as_str() },
        "startDate": seconds(record.started_ms),
        "redriveCount": record.redrive_count,
    });
    set(&mut shown, "redriveDate", record.redriven_ms.map(seconds));
    set(&mut shown, "stopDate", record.stopped_ms.map(seconds));
    set(&mut shown, "stateMachineVersionArn", record.origin.version_arn.as_deref());
    set(&mut shown, "stateMachineAliasArn", record.origin.alias_arn.as_deref());
    set(&mut shown, "mapRunArn", record.child.as_ref().map(|child| child.map_run_arn.as_str()));
    shown
}

fn status_named(name: &str) -> Result<Status, WireError> {
    let all = [Status::Running, Status::Succeeded, Status::Failed, Status::TimedOut, Status::Aborted];
    let found = all.into_iter().find(|status| status.as_str() == name);
    found.ok_or_else(|| {
        WireError::validation(format!("The status filter {name} is for executions of a Map Run only"))
    })
}
