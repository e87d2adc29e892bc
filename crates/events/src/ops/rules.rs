//! Rules: put, describe, list, delete, switch; and trying a pattern on an event.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::page;
use super::tags::{Tag, tag_map};
use crate::error::EventsError;
use crate::pattern::Pattern;
use crate::rule::{RULES_PER_BUS_MAX, RuleRow, bus_name, is_name};
use crate::service::{Inner, rule_key};
use crate::store::Kind;

/// AWS's limits.
const PATTERN_BYTES_MAX: usize = 4096;
const DESCRIPTION_CHARS_MAX: usize = 512;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutRule {
    name: String,
    event_pattern: Option<String>,
    schedule_expression: Option<String>,
    state: Option<String>,
    description: Option<String>,
    role_arn: Option<String>,
    event_bus_name: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NamedRule {
    name: String,
    event_bus_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListRules {
    name_prefix: Option<String>,
    event_bus_name: Option<String>,
    limit: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TestEventPattern {
    event_pattern: String,
    event: String,
}

pub(crate) async fn put(it: &Inner, request: PutRule) -> Result<Value, EventsError> {
    let PutRule { name, event_pattern, schedule_expression, state, description, role_arn, .. } = request;
    if !is_name(&name) {
        return Err(EventsError::validation(format!(
            "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [\\.\\-_A-Za-z0-9]+ and have at most 64 characters"
        )));
    }
    if schedule_expression.is_some_and(|schedule| !schedule.is_empty()) {
        return Err(EventsError::validation(
            "Parameter ScheduleExpression is not valid. Reason: schedules are not implemented here; give the rule an \
             EventPattern.",
        ));
    }
    let Some(event_pattern) = event_pattern.filter(|pattern| !pattern.is_empty()) else {
        return Err(EventsError::validation(
            "Parameter(s) EventPattern or ScheduleExpression must be specified.",
        ));
    };
    if event_pattern.len() > PATTERN_BYTES_MAX {
        return Err(EventsError::validation(format!(
            "EventPattern is longer than {PATTERN_BYTES_MAX} bytes."
        )));
    }
    Pattern::parse(&event_pattern)?;
    let enabled = match state.as_deref() {
        None | Some("ENABLED" | "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS") => true,
        Some("DISABLED") => false,
        Some(other) => {
            return Err(EventsError::validation(format!(
                "1 validation error detected: Value '{other}' at 'state' failed to satisfy constraint: Member must \
                 satisfy enum value set: [ENABLED, DISABLED, ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS]"
            )));
        }
    };
    if description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION_CHARS_MAX) {
        return Err(EventsError::validation(format!(
            "Description is longer than {DESCRIPTION_CHARS_MAX} characters."
        )));
    }
    let bus = bus_name(request.event_bus_name.as_deref()).to_owned();
    let _changing = it.changing.lock().await;
    let (old, rules) = it.with_buses(|buses| {
        let rules = buses.rules(&bus).ok_or_else(|| EventsError::no_bus(&bus))?;
        Ok::<_, EventsError>((rules.get(&name).map(|rule| rule.row.clone()), rules.len()))
    })?;
    if old.is_none() && rules >= RULES_PER_BUS_MAX {
        return Err(EventsError::new(
            "LimitExceededException",
            "The requested resource exceeds the maximum number allowed.",
        ));
    }
    // Targets survive; tags are only set when the rule is new.
    let (targets, tags) = match old {
        Some(old) => (old.targets, old.tags),
        None => (Vec::new(), tag_map(request.tags)?),
    };
    let arn = it.place.rule_arn(&bus, &name);
    it.save(RuleRow { name, bus, event_pattern, enabled, description, role_arn, targets, tags }).await?;
    Ok(json!({ "RuleArn": arn }))
}

pub(crate) fn describe(it: &Inner, request: NamedRule) -> Result<Value, EventsError> {
    let row = it.rule(request.event_bus_name.as_deref(), &request.name)?;
    let mut shown = show(it, &row);
    shown["CreatedBy"] = Value::from(it.place.account.as_str());
    Ok(shown)
}

pub(crate) fn list(it: &Inner, request: ListRules) -> Result<Value, EventsError> {
    let bus = bus_name(request.event_bus_name.as_deref());
    let prefix = request.name_prefix.as_deref().unwrap_or_default();
    it.with_buses(|buses| {
        let rules = buses.rules(bus).ok_or_else(|| EventsError::no_bus(bus))?;
        let rules = rules.iter().map(|(name, rule)| (name.as_str(), &rule.row));
        let named = rules.filter(|(name, _)| name.starts_with(prefix));
        page("Rules", named, request.limit, request.next_token.as_deref(), |row| show(it, row))
    })
}

pub(crate) async fn delete(it: &Inner, request: NamedRule) -> Result<Value, EventsError> {
    let bus = bus_name(request.event_bus_name.as_deref()).to_owned();
    let _changing = it.changing.lock().await;
    let row = match it.rule(Some(&bus), &request.name) {
        Ok(row) => row,
        // Deleting what is not there succeeds, unless the bus is not there.
        Err(_) if it.with_buses(|buses| buses.rules(&bus).is_some()) => return Ok(json!({})),
        Err(error) => return Err(error),
    };
    if !row.targets.is_empty() {
        return Err(EventsError::validation("Rule can't be deleted since it has targets."));
    }
    it.store.delete(Kind::Rule, rule_key(&bus, &row.name)).await.map_err(EventsError::internal)?;
    it.change_buses(|buses| buses.delete(&bus, &row.name));
    Ok(json!({}))
}

pub(crate) async fn switch(it: &Inner, request: NamedRule, enabled: bool) -> Result<Value, EventsError> {
    let _changing = it.changing.lock().await;
    let row = it.rule(request.event_bus_name.as_deref(), &request.name)?;
    it.save(RuleRow { enabled, ..row }).await?;
    Ok(json!({}))
}

pub(crate) fn test_pattern(request: &TestEventPattern) -> Result<Value, EventsError> {
    let pattern = Pattern::parse(&request.event_pattern)?;
    let refused =
        |reason: String| EventsError::validation(format!("Parameter Event is not valid. Reason: {reason}"));
    let event: BTreeMap<String, Value> =
        serde_json::from_str(&request.event).map_err(|e| refused(format!("it is not a JSON object: {e}")))?;
    let required = ["id", "account", "source", "time", "region", "resources", "detail-type"];
    if let Some(missing) = required.into_iter().find(|name| !event.contains_key(*name)) {
        return Err(refused(format!("the field {missing} is missing.")));
    }
    let event = Value::Object(event.into_iter().collect::<Map<_, _>>());
    Ok(json!({ "Result": pattern.matches(&event) }))
}

fn show(it: &Inner, row: &RuleRow) -> Value {
    let mut shown = json!({
        "Name": row.name,
        "Arn": it.place.rule_arn(&row.bus, &row.name),
        "EventPattern": row.event_pattern,
        "State": if row.enabled { "ENABLED" } else { "DISABLED" },
        "EventBusName": row.bus,
    });
    for (name, value) in [("Description", &row.description), ("RoleArn", &row.role_arn)] {
        if let Some(value) = value {
            shown[name] = Value::from(value.as_str());
        }
    }
    shown
}
