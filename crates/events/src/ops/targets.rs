//! Targets of rules: put, list, remove, and which rules have one.

use serde::Deserialize;
use serde_json::{Value, json};

use super::page;
use crate::error::EventsError;
use crate::rule::{RuleRow, TARGETS_MAX, bus_name, is_name};
use crate::service::Inner;
use crate::target::Target;

/// Members of a target that AWS has for kinds of target that are not here.
const OTHER_KINDS: [&str; 10] = [
    "AppSyncParameters",
    "BatchParameters",
    "DeadLetterConfig",
    "EcsParameters",
    "HttpParameters",
    "KinesisParameters",
    "RedshiftDataParameters",
    "RunCommandParameters",
    "SageMakerPipelineParameters",
    "SqsParameters",
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutTargets {
    rule: String,
    event_bus_name: Option<String>,
    targets: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListTargets {
    rule: String,
    event_bus_name: Option<String>,
    limit: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RemoveTargets {
    rule: String,
    event_bus_name: Option<String>,
    ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RulesOfTarget {
    target_arn: String,
    event_bus_name: Option<String>,
    limit: Option<usize>,
    next_token: Option<String>,
}

pub(crate) async fn put(it: &Inner, request: PutTargets) -> Result<Value, EventsError> {
    let targets = request.targets.into_iter().map(|given| target(it, given));
    let targets = targets.collect::<Result<Vec<_>, _>>()?;
    let _changing = it.changing.lock().await;
    let mut row = it.rule(request.event_bus_name.as_deref(), &request.rule)?;
    for target in targets {
        match row.targets.iter_mut().find(|old| old.id == target.id) {
            Some(old) => *old = target,
            None => row.targets.push(target),
        }
    }
    if row.targets.len() > TARGETS_MAX {
        return Err(EventsError::new(
            "LimitExceededException",
            "The requested resource exceeds the maximum number allowed.",
        ));
    }
    it.save(row).await?;
    Ok(none_failed())
}

pub(crate) fn list(it: &Inner, request: ListTargets) -> Result<Value, EventsError> {
    let mut row = it.rule(request.event_bus_name.as_deref(), &request.rule)?;
    row.targets.sort_by(|a, b| a.id.cmp(&b.id));
    let targets = row.targets.iter().map(|target| (target.id.as_str(), target));
    page("Targets", targets, request.limit, request.next_token.as_deref(), |target| json!(target))
}

pub(crate) async fn remove(it: &Inner, request: RemoveTargets) -> Result<Value, EventsError> {
    let _changing = it.changing.lock().await;
    let row = it.rule(request.event_bus_name.as_deref(), &request.rule)?;
    let mut targets = row.targets.clone();
    targets.retain(|target| !request.ids.contains(&target.id));
    it.save(RuleRow { targets, ..row }).await?;
    Ok(none_failed())
}

pub(crate) fn rules_of(it: &Inner, request: RulesOfTarget) -> Result<Value, EventsError> {
    let bus = bus_name(request.event_bus_name.as_deref());
    it.with_buses(|buses| {
        let rules = buses.rules(bus).ok_or_else(|| EventsError::no_bus(bus))?;
        let having =
            rules.iter().filter(|(_, rule)| rule.row.targets.iter().any(|t| t.arn == request.target_arn));
        let names = having.map(|(name, _)| (name.as_str(), name.as_str()));
        page("RuleNames", names, request.limit, request.next_token.as_deref(), Value::from)
    })
}

/// A target that can be one here.
fn target(it: &Inner, given: Value) -> Result<Target, EventsError> {
    if let Some(other) = OTHER_KINDS.into_iter().find(|name| given.get(name).is_some_and(|v| !v.is_null())) {
        return Err(EventsError::validation(format!(
            "Parameter {other} of a target is not implemented here."
        )));
    }
    let target: Target = serde_json::from_value(given)
        .map_err(|e| EventsError::new("SerializationException", e.to_string()))?;
    if !is_name(&target.id) {
        return Err(EventsError::validation(format!(
            "Parameter Id of target {} is not valid. Reason: it needs 1 to 64 of the characters A-Z a-z 0-9 . - _",
            target.id
        )));
    }
    if !target.arn.starts_with("arn:") {
        return Err(EventsError::validation(format!(
            "Parameter {} is not valid. Reason: Provided Arn is not in correct format.",
            target.arn
        )));
    }
    if let Err(reason) = it.targets.check(&target.arn) {
        return Err(EventsError::validation(format!(
            "Parameter {} is not valid. Reason: {reason}",
            target.arn
        )));
    }
    target.check().map_err(EventsError::validation)?;
    Ok(target)
}

fn none_failed() -> Value {
    json!({ "FailedEntryCount": 0, "FailedEntries": [] })
}
