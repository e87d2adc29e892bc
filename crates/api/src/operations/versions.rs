//! Versions of state machines: publish, delete, list.

use serde_json::{Value, json};

use super::machines::DESCRIPTION;
use super::{Call, nothing, place_after, seconds, set};
use crate::errors::WireError;
use crate::page_token::{self, Kind as PageKind};
use crate::reply::Reply;
use crate::shape::{ARN, Kind, LONG_ARN, Member, Members, PAGE_SIZE, PAGE_TOKEN, optional, required, text};

/// The model gives no bounds; no id of ours is longer, and what is compared must end.
const REVISION_ID: Kind = text(0, 256);

pub(super) const PUBLISH: &[Member] = &[
    required("stateMachineArn", ARN),
    optional("revisionId", REVISION_ID),
    optional("description", DESCRIPTION),
];
pub(super) const DELETE: &[Member] = &[required("stateMachineVersionArn", LONG_ARN)];
pub(super) const LIST: &[Member] =
    &[required("stateMachineArn", ARN), optional("nextToken", PAGE_TOKEN), optional("maxResults", PAGE_SIZE)];

pub(super) async fn publish(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let arn = members.required("stateMachineArn");
    let (revision_id, description) = (members.text("revisionId"), members.text("description"));
    let version = call.service.publish_version(&arn, revision_id.as_deref(), description).await?;
    Ok(Reply::of(&shown(&version.arn, version.created_ms)))
}

pub(super) async fn delete(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    call.service.delete_version(&members.required("stateMachineVersionArn")).await?;
    Ok(nothing())
}

pub(super) async fn list(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let arn = members.required("stateMachineArn");
    let after = place_after(PageKind::Versions, &[&arn], &mut members)?;
    let (versions, next) = call.service.list_versions(&arn, after.as_deref(), members.page_size()).await?;
    let versions: Vec<Value> =
        versions.iter().map(|version| shown(&version.arn, version.created_ms)).collect();
    let mut answer = json!({"stateMachineVersions": versions});
    let next = next.map(|place| page_token::write(PageKind::Versions, &[&arn], place.as_bytes()));
    set(&mut answer, "nextToken", next);
    Ok(Reply::of(&answer))
}

fn shown(arn: &str, created_ms: i64) -> Value {
    json!({"stateMachineVersionArn": arn, "creationDate": seconds(created_ms)})
}
