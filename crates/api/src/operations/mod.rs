//! The operations of Step Functions: a file per group, each with the shapes of its requests first.
//!
//! An operation reads its members, asks the service, and writes the answer. An operation that AWS has and this server
//! has not is told apart from one that nobody has.

mod activities;
mod aliases;
mod executions;
mod express;
mod history;
mod machines;
mod map_runs;
mod redrive;
mod storage;
mod tags;
mod tasks;
mod test_state;
mod validate;
mod versions;

use serde_json::{Value, json};
use service::Service;
use tokio_util::sync::CancellationToken;

use crate::errors::WireError;
use crate::page_token::{self, Kind};
use crate::reply::Reply;
use crate::shape::{self, Members};

/// What an operation works with, besides its members.
pub(crate) struct Call<'a> {
    pub(crate) service: &'a Service,
    /// Cancelled when the server goes down: a poll that waits then answers at once.
    pub(crate) stopping: &'a CancellationToken,
    /// `X-Amzn-Trace-Id`, which beats `traceHeader` in the body.
    pub(crate) trace_header: Option<String>,
}

/// The operations of the API (asl-facts 2).
pub(crate) const OPERATIONS: [&str; 37] = [
    "CreateActivity",
    "CreateStateMachine",
    "CreateStateMachineAlias",
    "DeleteActivity",
    "DeleteStateMachine",
    "DeleteStateMachineAlias",
    "DeleteStateMachineVersion",
    "DescribeActivity",
    "DescribeExecution",
    "DescribeMapRun",
    "DescribeStateMachine",
    "DescribeStateMachineAlias",
    "DescribeStateMachineForExecution",
    "GetActivityTask",
    "GetExecutionHistory",
    "ListActivities",
    "ListExecutions",
    "ListMapRuns",
    "ListStateMachineAliases",
    "ListStateMachineVersions",
    "ListStateMachines",
    "ListTagsForResource",
    "PublishStateMachineVersion",
    "RedriveExecution",
    "SendTaskFailure",
    "SendTaskHeartbeat",
    "SendTaskSuccess",
    "StartExecution",
    "StartSyncExecution",
    "StopExecution",
    "TagResource",
    "TestState",
    "UntagResource",
    "UpdateMapRun",
    "UpdateStateMachine",
    "UpdateStateMachineAlias",
    "ValidateStateMachineDefinition",
];

/// Performs an operation by its name.
pub(crate) async fn perform(call: &Call<'_>, operation: &str, body: &[u8]) -> Result<Reply, WireError> {
    let payload_bytes_max = call.service.quotas().limits.payload_bytes_max;
    let read = |body, shape| shape::read(body, shape, payload_bytes_max);
    match operation {
        "CreateStateMachine" => machines::create(call, read(body, machines::CREATE)?).await,
        "UpdateStateMachine" => machines::update(call, read(body, machines::UPDATE)?).await,
        "DescribeStateMachine" => machines::describe(call, read(body, machines::DESCRIBE)?).await,
        "DescribeStateMachineForExecution" => {
            machines::describe_for_execution(call, read(body, machines::DESCRIBE_FOR_EXECUTION)?).await
        }
        "DeleteStateMachine" => machines::delete(call, read(body, machines::DELETE)?).await,
        "ListStateMachines" => machines::list(call, read(body, machines::LIST)?).await,
        "PublishStateMachineVersion" => versions::publish(call, read(body, versions::PUBLISH)?).await,
        "DeleteStateMachineVersion" => versions::delete(call, read(body, versions::DELETE)?).await,
        "ListStateMachineVersions" => versions::list(call, read(body, versions::LIST)?).await,
        "CreateStateMachineAlias" => aliases::create(call, read(body, aliases::CREATE)?).await,
        "UpdateStateMachineAlias" => aliases::update(call, read(body, aliases::UPDATE)?).await,
        "DescribeStateMachineAlias" => aliases::describe(call, read(body, aliases::ONE)?).await,
        "DeleteStateMachineAlias" => aliases::delete(call, read(body, aliases::ONE)?).await,
        "ListStateMachineAliases" => aliases::list(call, read(body, aliases::LIST)?).await,
        "ValidateStateMachineDefinition" => validate::validate(call, read(body, validate::VALIDATE)?).await,
        "TestState" => test_state::test(call, read(body, test_state::TEST)?).await,
        "StartExecution" => executions::start(call, read(body, executions::START)?).await,
        "StartSyncExecution" => express::start_sync(call, read(body, express::START_SYNC)?).await,
        "DescribeExecution" => executions::describe(call, read(body, executions::DESCRIBE)?).await,
        "ListExecutions" => executions::list(call, read(body, executions::LIST)?).await,
        "RedriveExecution" => redrive::redrive(call, read(body, redrive::REDRIVE)?).await,
        "StopExecution" => executions::stop(call, read(body, executions::STOP)?).await,
        "GetExecutionHistory" => history::page(call, read(body, history::HISTORY)?).await,
        "DescribeMapRun" => map_runs::describe(call, read(body, map_runs::DESCRIBE)?).await,
        "ListMapRuns" => map_runs::list(call, read(body, map_runs::LIST)?).await,
        "UpdateMapRun" => map_runs::update(call, read(body, map_runs::UPDATE)?).await,
        "CreateActivity" => activities::create(call, read(body, activities::CREATE)?).await,
        "DescribeActivity" => activities::describe(call, read(body, activities::DESCRIBE)?).await,
        "DeleteActivity" => activities::delete(call, read(body, activities::DELETE)?).await,
        "ListActivities" => activities::list(call, read(body, activities::LIST)?).await,
        "GetActivityTask" => activities::task(call, read(body, activities::TASK)?).await,
        "SendTaskSuccess" => tasks::succeed(call, read(body, tasks::SUCCESS)?).await,
        "SendTaskFailure" => tasks::fail(call, read(body, tasks::FAILURE)?).await,
        "SendTaskHeartbeat" => tasks::heartbeat(call, read(body, tasks::HEARTBEAT)?).await,
        "TagResource" => tags::tag(call, read(body, tags::TAG)?).await,
        "UntagResource" => tags::untag(call, read(body, tags::UNTAG)?).await,
        "ListTagsForResource" => tags::list(call, read(body, tags::LIST)?).await,
        name => Err(WireError::unknown_operation(format!("Step Functions has no operation '{name}'"))),
    }
}

/// Performs an operation of our own, which no SDK knows.
pub(crate) async fn perform_own(call: &Call<'_>, operation: &str, body: &[u8]) -> Result<Reply, WireError> {
    let payload_bytes_max = call.service.quotas().limits.payload_bytes_max;
    let read = |body, shape| shape::read(body, shape, payload_bytes_max);
    match operation {
        "DescribeStorage" => storage::describe(call, read(body, storage::DESCRIBE)?).await,
        "RedriveExecution" => redrive::redrive_from(call, read(body, redrive::REDRIVE_FROM)?).await,
        name => Err(WireError::unknown_operation(format!("Loveless has no operation '{name}' of its own"))),
    }
}

/// A moment as the wire has it: seconds since the epoch, with milliseconds.
pub(crate) fn seconds(ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "2^53 milliseconds are 285,000 years")]
    let ms = ms as f64;
    ms / 1000.0
}

/// An answer without members.
fn nothing() -> Reply {
    Reply::of(&json!({}))
}

/// Adds a member if there is a value for it: absent members are omitted, never null.
fn set(answer: &mut Value, member: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        answer[member] = value.into();
    }
}

/// `encryptionConfiguration` in answers: AWS's default unless one was given.
fn encryption(given: Option<Value>) -> Value {
    given.unwrap_or_else(|| json!({"type": "AWS_OWNED_KEY"}))
}

/// Refuses keys that this server cannot hold.
fn check_encryption(given: Option<&Value>) -> Result<(), WireError> {
    let Some(given) = given else { return Ok(()) };
    if given["type"] == "CUSTOMER_MANAGED_KMS_KEY" {
        let why = "Invalid Encryption Configuration: Loveless holds no KMS keys; use the type AWS_OWNED_KEY";
        return Err(WireError::new("InvalidEncryptionConfiguration", why));
    }
    if given.get("kmsKeyId").is_some() || given.get("kmsDataKeyReusePeriodSeconds").is_some() {
        let why = "Invalid Encryption Configuration: kmsKeyId and kmsDataKeyReusePeriodSeconds need the type \
                   CUSTOMER_MANAGED_KMS_KEY";
        return Err(WireError::new("InvalidEncryptionConfiguration", why));
    }
    Ok(())
}

/// Where a list by name goes on: the last name of the page before.
fn name_after(kind: Kind, members: &mut Members) -> Result<Option<String>, WireError> {
    place_after(kind, &[], members)
}

/// Where a list that answers a question goes on.
fn place_after(kind: Kind, question: &[&str], members: &mut Members) -> Result<Option<String>, WireError> {
    let Some(token) = members.text("nextToken") else { return Ok(None) };
    let place = page_token::read(kind, question, &token).ok_or_else(WireError::invalid_token)?;
    String::from_utf8(place).map(Some).map_err(|_| WireError::invalid_token())
}
