//! Tags of machines and activities.

use serde_json::{Value, json};
use service::Refusal;

use super::{Call, nothing};
use crate::errors::WireError;
use crate::reply::Reply;
use crate::shape::{ARN, Kind, Member, Members, TAGS, required, text};

/// What keys and values may have besides letters, digits and spaces (asl-facts 6).
const SIGNS: &str = "_.:/=+-@";

pub(super) const TAG: &[Member] = &[required("resourceArn", ARN), required("tags", TAGS)];
pub(super) const UNTAG: &[Member] =
    &[required("resourceArn", ARN), required("tagKeys", Kind::List(&text(1, 128)))];
pub(super) const LIST: &[Member] = &[required("resourceArn", ARN)];

pub(super) async fn tag(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let arn = members.required("resourceArn");
    let tags = members.tags();
    let there = call.service.tags_of(&arn).await.map_err(not_found)?;
    let added = tags.iter().filter(|(key, _)| !there.iter().any(|(there, _)| there == key)).count();
    check_tags(call, &arn, &tags, there.len() + added)?;
    call.service.tag_resource(&arn, tags).await.map_err(not_found)?;
    Ok(nothing())
}

pub(super) async fn untag(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let keys = members.texts("tagKeys");
    call.service.untag_resource(&members.required("resourceArn"), &keys).await.map_err(not_found)?;
    Ok(nothing())
}

pub(super) async fn list(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let tags = call.service.tags_of(&members.required("resourceArn")).await.map_err(not_found)?;
    let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    Ok(Reply::of(&json!({"tags": tags})))
}

/// Refuses tags with characters that tags may not have, and more of them than a resource may have.
pub(super) fn check_tags(
    call: &Call<'_>,
    arn: &str,
    tags: &[(String, String)],
    count: usize,
) -> Result<(), WireError> {
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || SIGNS.contains(c);
    for (key, value) in tags {
        if key.is_empty() {
            return Err(WireError::validation("A tag must have a key"));
        }
        if !key.chars().chain(value.chars()).all(allowed) {
            return Err(WireError::validation(format!(
                "Tag keys and values may contain letters, digits, spaces and {SIGNS} only. Received: '{key}': '{value}'"
            )));
        }
    }
    let max = call.service.quotas().tags_max;
    if count > max { Err(WireError::too_many_tags(arn, max)) } else { Ok(()) }
}

/// The tag operations have one name for every kind of resource that is not there.
fn not_found(refusal: Refusal) -> WireError {
    match refusal {
        Refusal::StateMachineDoesNotExist(arn) | Refusal::ActivityDoesNotExist(arn) => {
            WireError::resource_not_found(&arn)
        }
        other => other.into(),
    }
}
