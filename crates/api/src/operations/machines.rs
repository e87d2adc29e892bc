//! State machines: create, update, describe, delete, list.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use service::{CreateMachine, Publishing, Refusal, Revision, UpdateMachine};

use super::tags::check_tags;
use super::{Call, check_encryption, encryption, nothing, seconds, set};
use crate::errors::WireError;
use crate::page_token::{self, Kind as PageKind};
use crate::reply::Reply;
use crate::shape::{
    ARN, ENCRYPTION, INCLUDED_DATA, Kind, Member, Members, NAME, PAGE_SIZE, PAGE_TOKEN, TAGS, optional,
    required, text,
};

const DEFINITION: Kind = Kind::Sensitive { min: 1, max: 1_048_576 };
pub(super) const TYPE: Kind = Kind::OneOf(&["STANDARD", "EXPRESS"]);
pub(super) const DESCRIPTION: Kind = Kind::Sensitive { min: 0, max: 256 };
const TRACING: Kind = Kind::Structure(&[optional("enabled", Kind::Flag)]);
const LOGGING: Kind = Kind::Structure(&[
    optional("level", Kind::OneOf(&["ALL", "ERROR", "FATAL", "OFF"])),
    optional("includeExecutionData", Kind::Flag),
    optional(
        "destinations",
        Kind::List(&Kind::Structure(&[optional(
            "cloudWatchLogsLogGroup",
            Kind::Structure(&[optional("logGroupArn", text(1, 256))]),
        )])),
    ),
]);

pub(super) const CREATE: &[Member] = &[
    required("name", NAME),
    required("definition", DEFINITION),
    required("roleArn", ARN),
    optional("type", TYPE),
    optional("loggingConfiguration", LOGGING),
    optional("tags", TAGS),
    optional("tracingConfiguration", TRACING),
    optional("publish", Kind::Flag),
    optional("versionDescription", DESCRIPTION),
    optional("encryptionConfiguration", ENCRYPTION),
];
pub(super) const UPDATE: &[Member] = &[
    required("stateMachineArn", ARN),
    optional("definition", DEFINITION),
    optional("roleArn", ARN),
    optional("loggingConfiguration", LOGGING),
    optional("tracingConfiguration", TRACING),
    optional("publish", Kind::Flag),
    optional("versionDescription", DESCRIPTION),
    optional("encryptionConfiguration", ENCRYPTION),
];
pub(super) const DESCRIBE: &[Member] =
    &[required("stateMachineArn", ARN), optional("includedData", INCLUDED_DATA)];
pub(super) const DESCRIBE_FOR_EXECUTION: &[Member] =
    &[required("executionArn", ARN), optional("includedData", INCLUDED_DATA)];
pub(super) const DELETE: &[Member] = &[required("stateMachineArn", ARN)];
pub(super) const LIST: &[Member] = &[optional("maxResults", PAGE_SIZE), optional("nextToken", PAGE_TOKEN)];

pub(super) async fn create(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let publish = publish(&mut members)?;
    let request = CreateMachine {
        name: members.required("name"),
        definition: members.required("definition"),
        role_arn: members.required("roleArn"),
        express: members.text("type").as_deref() == Some("EXPRESS"),
        logging: members.value("loggingConfiguration"),
        tracing: members.value("tracingConfiguration"),
        encryption: members.value("encryptionConfiguration"),
        tags: members.tags(),
        publish,
    };
    check_role(&request.role_arn)?;
    check_logging(call, request.logging.as_ref())?;
    check_encryption(request.encryption.as_ref())?;
    check_tags(call, &call.service.place().machine(&request.name), &request.tags, request.tags.len())?;
    let created = call.service.create_machine(request).await?;
    let machine = created.machine;
    let mut answer = json!({"stateMachineArn": machine.arn, "creationDate": seconds(machine.created_ms)});
    set(&mut answer, "stateMachineVersionArn", created.version_arn);
    Ok(Reply::of(&answer))
}

pub(super) async fn update(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let publish = publish(&mut members)?;
    let arn = members.required("stateMachineArn");
    let request = UpdateMachine {
        definition: members.text("definition"),
        role_arn: members.text("roleArn"),
        logging: members.value("loggingConfiguration"),
        tracing: members.value("tracingConfiguration"),
        encryption: members.value("encryptionConfiguration"),
        publish,
    };
    if let UpdateMachine {
        definition: None,
        role_arn: None,
        logging: None,
        tracing: None,
        encryption: None,
        ..
    } = request
    {
        return Err(Refusal::MissingRequiredParameter.into());
    }
    request.role_arn.as_deref().map_or(Ok(()), check_role)?;
    check_logging(call, request.logging.as_ref())?;
    check_encryption(request.encryption.as_ref())?;
    let updated = call.service.update_machine(&arn, request).await?;
    let mut answer = json!({"updateDate": seconds(updated.machine.updated_ms)});
    set(&mut answer, "revisionId", updated.machine.revision_id);
    set(&mut answer, "stateMachineVersionArn", updated.version_arn);
    Ok(Reply::of(&answer))
}

pub(super) async fn describe(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let machine = call.service.describe_machine(&members.required("stateMachineArn")).await?;
    // The machine inside a Distributed Map is named `machine/label`.
    let label = machine.arn.split_once('/').map(|(_, label)| label.to_owned());
    let mut answer = json!({
        "stateMachineArn": machine.arn,
        "name": machine.name,
        "status": if machine.deleting { "DELETING" } else { "ACTIVE" },
        "definition": definition(call, &machine.definition, &machine.name, label.as_deref(), &mut members).await?,
        "roleArn": machine.role_arn,
        "type": machine_type(machine.express),
        "creationDate": seconds(machine.created_ms),
        "loggingConfiguration": logging(machine.logging),
        "tracingConfiguration": tracing(machine.tracing),
        "encryptionConfiguration": encryption(machine.encryption),
    });
    set(&mut answer, "revisionId", machine.revision_id);
    set(&mut answer, "description", machine.description);
    set(&mut answer, "label", label);
    set(&mut answer, "variableReferences", variable_references(call, &machine.definition).await?);
    Ok(Reply::of(&answer))
}

pub(super) async fn describe_for_execution(
    call: &Call<'_>,
    mut members: Members,
) -> Result<Reply, WireError> {
    let execution = call.service.describe_execution(&members.required("executionArn")).await?.record;
    // A redrive of our own may have put it onto what the machine is now.
    let regrown = match execution.redrive_count {
        0 => None,
        _ => present(call, &execution.machine_arn)
            .await?
            .filter(|current| current.definition == execution.definition),
    };
    // The answer has no other member that could tell the version.
    let through = execution.origin.version_arn.filter(|_| regrown.is_none());
    let arn = through.unwrap_or(execution.machine_arn);
    // The machine or its version may be gone; its execution still knows what it runs.
    let machine = present(call, &arn).await?;
    let (revision_id, revised_ms) = match regrown {
        Some(current) => (current.revision_id, current.updated_ms),
        None => (execution.origin.revision_id, execution.origin.revised_ms),
    };
    // The machine of a Map Run's children is named `machine/label`.
    let (name, label) = match execution.machine_name.split_once('/') {
        Some((name, label)) => (name, Some(label)),
        None => (execution.machine_name.as_str(), None),
    };
    let mut answer = json!({
        "stateMachineArn": arn,
        "name": execution.machine_name,
        "definition": definition(call, &execution.definition, name, label, &mut members).await?,
        "roleArn": execution.role_arn,
        "updateDate": seconds(revised_ms),
        "loggingConfiguration": logging(machine.as_ref().and_then(|machine| machine.logging.clone())),
        "tracingConfiguration": tracing(machine.as_ref().and_then(|machine| machine.tracing.clone())),
        "encryptionConfiguration": encryption(machine.as_ref().and_then(|machine| machine.encryption.clone())),
    });
    if let Some(child) = &execution.child {
        set(&mut answer, "mapRunArn", Some(child.map_run_arn.as_str()));
        set(&mut answer, "label", label);
    }
    set(&mut answer, "revisionId", revision_id);
    set(&mut answer, "variableReferences", variable_references(call, &execution.definition).await?);
    Ok(Reply::of(&answer))
}

/// A machine or a version, if it is still there.
async fn present(call: &Call<'_>, arn: &str) -> Result<Option<Revision>, WireError> {
    match call.service.describe_machine(arn).await {
        Ok(machine) => Ok(Some(machine)),
        Err(Refusal::StateMachineDoesNotExist(_)) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

pub(super) async fn delete(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    call.service.delete_machine(&members.required("stateMachineArn")).await?;
    Ok(nothing())
}

pub(super) async fn list(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let after = super::name_after(PageKind::Machines, &mut members)?;
    let (machines, next) = call.service.list_machines(after.as_deref(), members.page_size()).await?;
    let machines: Vec<Value> = machines
        .iter()
        .map(|machine| {
            json!({
                "stateMachineArn": machine.arn,
                "name": machine.name,
                "type": machine_type(machine.express),
                "creationDate": seconds(machine.created_ms),
            })
        })
        .collect();
    let mut answer = json!({"stateMachines": machines});
    set(
        &mut answer,
        "nextToken",
        next.map(|name| page_token::write(PageKind::Machines, &[], name.as_bytes())),
    );
    Ok(Reply::of(&answer))
}

/// The definition, or what stands for it when only metadata are asked for; with a label, the part of it that the label
/// names.
async fn definition(
    call: &Call<'_>,
    hash: &str,
    machine: &str,
    label: Option<&str>,
    members: &mut Members,
) -> Result<String, WireError> {
    if members.text("includedData").as_deref() == Some("METADATA_ONLY") {
        return Ok("{}".into());
    }
    let inner = match label {
        Some(label) => call.service.inner_definition(hash, machine, label).await?,
        None => None,
    };
    match inner {
        Some(inner) => Ok(inner),
        None => Ok(call.service.definition(hash).await?),
    }
}

/// The variables that each state reads; absent when none does.
async fn variable_references(call: &Call<'_>, hash: &str) -> Result<Option<Value>, WireError> {
    let references = call.service.variable_references(hash).await?;
    let member = |(state, names): (&Arc<str>, &BTreeSet<Arc<str>>)| {
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        (state.to_string(), json!(names))
    };
    Ok((!references.is_empty()).then(|| Value::Object(references.iter().map(member).collect())))
}

fn machine_type(express: bool) -> &'static str {
    if express { "EXPRESS" } else { "STANDARD" }
}

/// `loggingConfiguration` in answers: always there, with AWS's defaults.
fn logging(given: Option<Value>) -> Value {
    let mut answer = json!({"level": "OFF", "includeExecutionData": false});
    if let Some(Value::Object(given)) = given {
        for (member, value) in given.into_iter().filter(|(_, value)| !value.is_null()) {
            answer[member] = value;
        }
    }
    answer
}

/// `tracingConfiguration` in answers.
fn tracing(given: Option<Value>) -> Value {
    json!({"enabled": given.is_some_and(|given| given["enabled"] == true)})
}

/// AWS wants exactly one destination, and one that is there, unless logging is off (recorded).
fn check_logging(call: &Call<'_>, given: Option<&Value>) -> Result<(), WireError> {
    let Some(given) = given else { return Ok(()) };
    if given["level"].as_str().unwrap_or("OFF") == "OFF" {
        return Ok(());
    }
    let refused = |why: &str| {
        let message = format!("Invalid Logging Configuration: {why}");
        Err(WireError::new("InvalidLoggingConfiguration", message))
    };
    if given["destinations"].as_array().map_or(0, Vec::len) != 1 {
        return refused("Must specify exactly one Log Destination.");
    }
    if !call.service.has_log_destination(given) {
        return refused("Log Destination not found.");
    }
    Ok(())
}

fn check_role(arn: &str) -> Result<(), WireError> {
    if arn.starts_with("arn:") {
        Ok(())
    } else {
        Err(WireError::new("InvalidArn", format!("Invalid Role Arn: '{arn}'")))
    }
}

/// Whether a version is asked for, and what is said of it.
fn publish(members: &mut Members) -> Result<Option<Publishing>, WireError> {
    let description = members.text("versionDescription");
    match (members.flag("publish"), description) {
        (Some(true), description) => Ok(Some(Publishing { description })),
        (_, None) => Ok(None),
        (_, Some(_)) => {
            Err(WireError::validation("Version description can only be set when publish is true"))
        }
    }
}
