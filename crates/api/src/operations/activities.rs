//! Activities: create, describe, delete, list, and the poll by which a worker gets a task.

use serde_json::{Value, json};

use super::tags::check_tags;
use super::{Call, check_encryption, encryption, name_after, nothing, seconds, set};
use crate::errors::WireError;
use crate::page_token::{self, Kind as PageKind};
use crate::reply::Reply;
use crate::shape::{ARN, ENCRYPTION, Member, Members, NAME, PAGE_SIZE, PAGE_TOKEN, TAGS, optional, required};

pub(super) const CREATE: &[Member] =
    &[required("name", NAME), optional("tags", TAGS), optional("encryptionConfiguration", ENCRYPTION)];
pub(super) const DESCRIBE: &[Member] = &[required("activityArn", ARN)];
pub(super) const DELETE: &[Member] = &[required("activityArn", ARN)];
pub(super) const LIST: &[Member] = &[optional("maxResults", PAGE_SIZE), optional("nextToken", PAGE_TOKEN)];
pub(super) const TASK: &[Member] = &[required("activityArn", ARN), optional("workerName", NAME)];

pub(super) async fn create(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let name = members.required("name");
    let encryption = members.value("encryptionConfiguration");
    check_encryption(encryption.as_ref())?;
    let tags = members.tags();
    check_tags(call, &call.service.place().activity(&name), &tags, tags.len())?;
    let activity = call.service.create_activity(&name, tags, encryption).await?;
    Ok(Reply::of(&json!({"activityArn": activity.arn, "creationDate": seconds(activity.created_ms)})))
}

pub(super) async fn describe(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let activity = call.service.describe_activity(&members.required("activityArn")).await?;
    Ok(Reply::of(&json!({
        "activityArn": activity.arn,
        "name": activity.name,
        "creationDate": seconds(activity.created_ms),
        "encryptionConfiguration": encryption(activity.encryption),
    })))
}

pub(super) async fn delete(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    call.service.delete_activity(&members.required("activityArn")).await?;
    Ok(nothing())
}

pub(super) async fn list(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let after = name_after(PageKind::Activities, &mut members)?;
    let (activities, next) = call.service.list_activities(after.as_deref(), members.page_size()).await?;
    let activities: Vec<Value> = activities
        .iter()
        .map(|activity| {
            json!({
                "activityArn": activity.arn,
                "name": activity.name,
                "creationDate": seconds(activity.created_ms),
            })
        })
        .collect();
    let mut answer = json!({"activities": activities});
    set(
        &mut answer,
        "nextToken",
        next.map(|name| page_token::write(PageKind::Activities, &[], name.as_bytes())),
    );
    Ok(Reply::of(&answer))
}

/// Waits for a task. The task is the worker's once the response has been written; until then its delivery gives it
/// back when it is dropped: here when the client hangs up while it waits, later by the connection that fails.
pub(super) async fn task(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let arn = members.required("activityArn");
    let poll = call.service.get_activity_task(&arn, members.text("workerName"));
    let delivery = tokio::select! {
        delivery = poll => delivery?,
        () = call.stopping.cancelled() => None,
    };
    let Some(delivery) = delivery else {
        return Ok(Reply::of(&json!({"taskToken": null, "input": null})));
    };
    let mut reply = Reply::of(&json!({"taskToken": delivery.token, "input": &*delivery.input}));
    reply.receipt = Some(Box::new(move || delivery.delivered()));
    Ok(reply)
}
