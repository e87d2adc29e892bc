//! Aliases of state machines: create, update, describe, delete, list.

use serde_json::{Value, json};
use service::{AliasRecord, AskedRoute};

use super::machines::DESCRIPTION;
use super::{Call, nothing, place_after, seconds, set};
use crate::errors::WireError;
use crate::page_token::{self, Kind as PageKind};
use crate::reply::Reply;
use crate::shape::{ARN, Kind, Member, Members, PAGE_SIZE, PAGE_TOKEN, Pattern, optional, required};

/// Letters, digits, `_`, `-` and `.`, and not digits alone: those are versions.
const ALIAS_NAME: Kind = Kind::Text {
    min: 1,
    max: 80,
    pattern: Some(Pattern {
        text: "^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$",
        holds: |name| {
            let mark = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'.');
            name.bytes().all(|byte| mark(byte) || byte.is_ascii_digit()) && name.bytes().any(mark)
        },
    }),
};
const ROUTING: Kind = Kind::ListOf {
    of: &Kind::Structure(&[
        required("stateMachineVersionArn", ARN),
        required("weight", Kind::Integer { min: 0, max: 100 }),
    ]),
    min: 1,
    max: 2,
    shown: shown_routing,
};

pub(super) const CREATE: &[Member] = &[
    optional("description", DESCRIPTION),
    required("name", ALIAS_NAME),
    required("routingConfiguration", ROUTING),
];
pub(super) const UPDATE: &[Member] = &[
    required("stateMachineAliasArn", ARN),
    optional("description", DESCRIPTION),
    optional("routingConfiguration", ROUTING),
];
pub(super) const ONE: &[Member] = &[required("stateMachineAliasArn", ARN)];
pub(super) const LIST: &[Member] =
    &[required("stateMachineArn", ARN), optional("nextToken", PAGE_TOKEN), optional("maxResults", PAGE_SIZE)];

pub(super) async fn create(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let routing = routing(members.value("routingConfiguration")).unwrap_or_default();
    let (name, description) = (members.required("name"), members.text("description"));
    let alias = call.service.create_alias(&name, description, &routing).await?;
    Ok(Reply::of(&summary(&alias)))
}

pub(super) async fn update(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let arn = members.required("stateMachineAliasArn");
    let routing = routing(members.value("routingConfiguration"));
    let description = members.text("description");
    if routing.is_none() && description.is_none() {
        let why = "Either the description or the routing configuration must be specified";
        return Err(WireError::validation(why).with("reason", "MISSING_REQUIRED_PARAMETER"));
    }
    let alias = call.service.update_alias(&arn, description, routing.as_deref()).await?;
    Ok(Reply::of(&json!({"updateDate": seconds(alias.updated_ms)})))
}

pub(super) async fn describe(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let alias = call.service.describe_alias(&members.required("stateMachineAliasArn")).await?;
    let version = |number: u32| call.service.place().qualified(&alias.machine_name, &number.to_string());
    let routing: Vec<Value> = (alias.routing.iter())
        .map(|route| json!({"stateMachineVersionArn": version(route.version), "weight": route.weight}))
        .collect();
    let mut answer = json!({
        "stateMachineAliasArn": alias.arn,
        "name": alias.name,
        "routingConfiguration": routing,
        "creationDate": seconds(alias.created_ms),
        "updateDate": seconds(alias.updated_ms),
    });
    set(&mut answer, "description", alias.description);
    Ok(Reply::of(&answer))
}

pub(super) async fn delete(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    call.service.delete_alias(&members.required("stateMachineAliasArn")).await?;
    Ok(nothing())
}

pub(super) async fn list(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let arn = members.required("stateMachineArn");
    let after = place_after(PageKind::Aliases, &[&arn], &mut members)?;
    let (aliases, next) = call.service.list_aliases(&arn, after.as_deref(), members.page_size()).await?;
    let aliases: Vec<Value> = aliases.iter().map(summary).collect();
    let mut answer = json!({"stateMachineAliases": aliases});
    let next = next.map(|name| page_token::write(PageKind::Aliases, &[&arn], name.as_bytes()));
    set(&mut answer, "nextToken", next);
    Ok(Reply::of(&answer))
}

fn summary(alias: &AliasRecord) -> Value {
    json!({"stateMachineAliasArn": alias.arn, "creationDate": seconds(alias.created_ms)})
}

/// The routes that a request gives, whose shape has been checked.
fn routing(given: Option<Value>) -> Option<Vec<AskedRoute>> {
    let Value::Array(list) = given? else { return None };
    let route = |item: &Value| {
        let arn = item["stateMachineVersionArn"].as_str().unwrap_or_default().to_owned();
        (arn, item["weight"].as_f64().map_or(0, |weight| weight as i64))
    };
    Some(list.iter().map(route).collect())
}

/// A routing as a message shows it: the service's own classes, written as text.
fn shown_routing(list: &[Value]) -> String {
    let item = |item: &Value| {
        let arn = item["stateMachineVersionArn"].as_str().unwrap_or("null");
        format!("RoutingConfigurationListItem(stateMachineVersionArn={arn}, weight={})", item["weight"])
    };
    format!("[{}]", list.iter().map(item).collect::<Vec<_>>().join(", "))
}
