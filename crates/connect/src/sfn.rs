//! Step Functions as a task: `arn:aws:states:::aws-sdk:sfn:ACTION` against the server that runs the execution.
//!
//! The AWS SDK integration writes members with a capital first letter, omits what is null, gives moments as ISO-8601,
//! and takes an object where the API wants a JSON text (asl-facts 17.2, recorded).

use std::sync::Arc;

use asl::json::{Json, Number, Object};
use asl::timestamp;
use tokio::sync::watch;

use crate::{BoxFuture, Call, Outcome};

/// Who answers operations of Step Functions: a request and an answer as on the wire.
pub trait StepFunctions: Send + Sync + 'static {
    /// Performs `StartExecution` and its like.
    fn call(
        &self,
        operation: String,
        request: serde_json::Value,
    ) -> BoxFuture<'_, Result<serde_json::Value, Refused>>;
}

/// What an operation refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The error's name.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// The text.
    pub message: String,
}

/// The actions that a machine may use: those of the API that this release performs.
const ACTIONS: [&str; 23] = [
    "createActivity",
    "createStateMachine",
    "deleteActivity",
    "deleteStateMachine",
    "describeActivity",
    "describeExecution",
    "describeStateMachine",
    "describeStateMachineForExecution",
    "getActivityTask",
    "getExecutionHistory",
    "listActivities",
    "listExecutions",
    "listStateMachines",
    "listTagsForResource",
    "sendTaskFailure",
    "sendTaskHeartbeat",
    "sendTaskSuccess",
    "startExecution",
    "stopExecution",
    "tagResource",
    "untagResource",
    "updateStateMachine",
    "validateStateMachineDefinition",
];

/// Members that hold JSON texts: an object given for one of them is written out.
const TEXT_MEMBERS: [&str; 3] = ["input", "output", "definition"];

/// Calls the server itself. The server is made after its connector, so it is told later; calls wait until then, as
/// those do that a restart issues again.
#[derive(Clone)]
pub struct SfnConnector {
    server: watch::Sender<Option<Arc<dyn StepFunctions>>>,
}

impl Default for SfnConnector {
    fn default() -> Self {
        SfnConnector { server: watch::Sender::new(None) }
    }
}

impl SfnConnector {
    /// Tells who answers.
    pub fn answer_by(&self, server: Arc<dyn StepFunctions>) {
        self.server.send_replace(Some(server));
    }

    /// Who answers, once that is known.
    async fn server(&self) -> Option<Arc<dyn StepFunctions>> {
        let mut told = self.server.subscribe();
        let server = told.wait_for(Option::is_some).await.ok()?;
        server.clone()
    }

    /// Whether the action is performed here.
    pub(crate) fn supports(action: &str) -> bool {
        ACTIONS.contains(&action)
    }

    pub(crate) async fn perform(&self, action: &str, call: &Call) -> Outcome {
        let Some(server) = self.server().await else {
            return failed("SfnException", 503, "The server is shutting down");
        };
        let request = match Json::parse(&call.input) {
            Ok(Json::Object(members)) => {
                Json::Object(Arc::new(renamed(&members, lower_first, request_member)))
            }
            _ => return failed("SfnException", 400, "The parameters must be an object"),
        };
        match server.call(upper_first(action), serde_json::Value::from(&request)).await {
            Ok(answer) => Outcome::Succeeded(answer_member("", &Json::from(answer)).to_text().into()),
            Err(refused) => failed(&exception(&refused.code), refused.status, &refused.message),
        }
    }
}

/// An error as the newer SDK words it (recorded).
fn failed(name: &str, status: u16, message: &str) -> Outcome {
    let request_id = uuid::Uuid::new_v4();
    let cause = format!(
        "{message} (Service: Sfn, Status Code: {status}, Request ID: {request_id}) (SDK Attempt Count: 1)"
    );
    Outcome::Failed { error: format!("Sfn.{name}").into(), cause: cause.into() }
}

/// Exception classes end in `Exception` whether the error's name does or not.
fn exception(code: &str) -> String {
    if code.ends_with("Exception") { code.to_owned() } else { format!("{code}Exception") }
}

/// The members of a request: null ones are left out, texts are written where texts belong.
fn request_member(name: &str, value: &Json) -> Option<Json> {
    match value {
        Json::Null => None,
        Json::String(_) => Some(value.clone()),
        _ if TEXT_MEMBERS.contains(&name) => Some(Json::from(value.to_text().as_str())),
        Json::Object(members) => Some(Json::Object(Arc::new(renamed(members, lower_first, request_member)))),
        Json::Array(items) => Some(Json::array(items.iter().filter_map(|item| request_member("", item)))),
        _ => Some(value.clone()),
    }
}

/// The members of an answer, at any depth.
fn answer_member(name: &str, value: &Json) -> Json {
    match value {
        Json::Object(members) => {
            let present = |name: &str, value: &Json| (!value.is_null()).then(|| answer_member(name, value));
            Json::Object(Arc::new(renamed(members, upper_first, present)))
        }
        Json::Array(items) => Json::array(items.iter().map(|item| answer_member("", item))),
        Json::Number(number) if name.ends_with("Date") || name == "timestamp" => moment(*number),
        other => other.clone(),
    }
}

/// Seconds since the epoch as ISO-8601.
fn moment(number: Number) -> Json {
    Json::from(timestamp::format((number.as_f64() * 1000.0).round() as i64).as_str())
}

fn renamed(
    members: &Object,
    rename: impl Fn(&str) -> String,
    change: impl Fn(&str, &Json) -> Option<Json>,
) -> Object {
    let changed = |(name, value): (&Arc<str>, &Json)| {
        let new_name = rename(name);
        let known = if new_name.starts_with(|c: char| c.is_lowercase()) { new_name.as_str() } else { name };
        change(known, value).map(|value| (Arc::from(new_name.as_str()), value))
    };
    members.iter().filter_map(changed).collect()
}

fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn upper_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_renamed_and_texts_written() {
        let request = Json::parse(r#"{"StateMachineArn": "a", "Input": {"X": [1]}, "Name": null}"#).unwrap();
        let members = request.as_object().unwrap();
        let wire = Json::Object(Arc::new(renamed(members, lower_first, request_member)));
        assert_eq!(wire.to_text(), r#"{"stateMachineArn":"a","input":"{\"X\":[1]}"}"#);
    }

    #[test]
    fn answers_are_renamed_and_moments_written() {
        let answer = Json::parse(r#"{"startDate": 0.5, "taskToken": null, "tags": [{"key": "k"}]}"#).unwrap();
        let want = r#"{"StartDate":"1970-01-01T00:00:00.500Z","Tags":[{"Key":"k"}]}"#;
        assert_eq!(answer_member("", &answer).to_text(), want);
    }
}
