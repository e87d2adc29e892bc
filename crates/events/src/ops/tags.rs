//! Tags of rules, by the rule's ARN.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::EventsError;
use crate::rule::{DEFAULT_BUS, RuleRow};
use crate::service::Inner;

/// AWS's limit.
const TAGS_MAX: usize = 50;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tag {
    key: String,
    value: String,
}

#[derive(Deserialize)]
pub(crate) struct TagResource {
    #[serde(rename = "ResourceARN")]
    resource: String,
    #[serde(rename = "Tags")]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
pub(crate) struct UntagResource {
    #[serde(rename = "ResourceARN")]
    resource: String,
    #[serde(rename = "TagKeys")]
    keys: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct ListTags {
    #[serde(rename = "ResourceARN")]
    resource: String,
}

pub(crate) async fn tag(it: &Inner, request: TagResource) -> Result<Value, EventsError> {
    let _changing = it.changing.lock().await;
    let mut row = tagged(it, &request.resource)?;
    row.tags.extend(tag_map(request.tags)?);
    check_count(&row.tags)?;
    it.save(row).await?;
    Ok(json!({}))
}

pub(crate) async fn untag(it: &Inner, request: UntagResource) -> Result<Value, EventsError> {
    let _changing = it.changing.lock().await;
    let mut row = tagged(it, &request.resource)?;
    row.tags.retain(|key, _| !request.keys.contains(key));
    it.save(row).await?;
    Ok(json!({}))
}

pub(crate) fn list(it: &Inner, request: ListTags) -> Result<Value, EventsError> {
    let tags = tagged(it, &request.resource)?.tags;
    let tags: Vec<Tag> = tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
    Ok(json!({ "Tags": tags }))
}

pub(crate) fn tag_map(tags: Vec<Tag>) -> Result<BTreeMap<String, String>, EventsError> {
    let map: BTreeMap<String, String> = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    check_count(&map)?;
    Ok(map)
}

fn check_count(tags: &BTreeMap<String, String>) -> Result<(), EventsError> {
    if tags.len() > TAGS_MAX {
        return Err(EventsError::validation(format!("A rule can have at most {TAGS_MAX} tags.")));
    }
    Ok(())
}

/// The rule that an ARN names.
fn tagged(it: &Inner, arn: &str) -> Result<RuleRow, EventsError> {
    let Some((_, name)) = arn.split_once(":rule/") else {
        return Err(EventsError::validation(format!(
            "Parameter {arn} is not valid. Reason: only rules have tags here, so an ARN with :rule/ is needed."
        )));
    };
    let (bus, name) = name.rsplit_once('/').unwrap_or((DEFAULT_BUS, name));
    it.rule(Some(bus), name)
}
