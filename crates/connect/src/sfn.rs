//! Step Functions as a task, against the server that runs the execution: any action by `aws-sdk:sfn:ACTION`.
//!
//! The AWS SDK integration writes members with a capital first letter, omits what is null, gives moments as ISO-8601,
//! and takes an object where the API wants a JSON text (asl-facts 17.2, recorded).
//!
//! A crash of the server may push a task twice. An execution that is started without a name of its own is named after
//! the attempt, so that the second push finds the execution of the first instead of starting another.

use std::sync::Arc;

use asl::json::{Json, Number, Object};
use asl::timestamp;
use tokio::sync::watch;

use crate::{BoxFuture, Call, Outcome};

/// Who answers operations of Step Functions: a request and an answer as on the wire.
pub trait StepFunctions: Send + Sync + 'static {
    /// Whether it has an operation of this name.
    fn has(&self, operation: &str) -> bool;

    /// Performs `StartExecution` and its like.
    fn call(
        &self,
        operation: String,
        request: serde_json::Value,
    ) -> BoxFuture<'_, Result<serde_json::Value, Refused>>;

    /// Comes back once an execution has ended, and that is durable.
    fn closed(&self, execution_arn: String) -> BoxFuture<'_, Result<(), Refused>>;
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
    pub(crate) async fn server(&self) -> Option<Arc<dyn StepFunctions>> {
        let mut told = self.server.subscribe();
        let server = told.wait_for(Option::is_some).await.ok()?;
        server.clone()
    }

    /// Whether the action is performed here: every operation that the server has is one. Machines are made after the
    /// server is known.
    pub(crate) fn supports(&self, action: &str) -> bool {
        let named = action.starts_with(|first: char| first.is_ascii_lowercase());
        named && self.server.borrow().as_ref().is_some_and(|server| server.has(&upper_first(action)))
    }

    /// A task whose resource is `arn:aws:states:::aws-sdk:sfn:ACTION`.
    pub(crate) async fn perform(&self, action: &str, call: &Call) -> Outcome {
        let Some(server) = self.server().await else {
            return failed("SfnException", 503, "The server is shutting down");
        };
        let Some(mut request) = wire_request(&call.input) else {
            return failed("SfnException", 400, "The parameters must be an object");
        };
        if action == "redriveExecution" && request.get("clientToken").is_none() {
            // SDKs make one up; this one is the same when the call is made again after a crash.
            request["clientToken"] = call.idempotency_id.as_str().into();
        }
        let answered = match action {
            "startExecution" => start(&*server, request, call).await,
            _ => server.call(upper_first(action), request).await,
        };
        match answered {
            Ok(answer) => Outcome::Succeeded(answer_member("", &Json::from(answer)).to_text().into()),
            Err(refused) => failed(&exception(&refused.code), refused.status, &refused.message),
        }
    }
}

/// The parameters as the API wants them; `None` when they are no object.
pub(crate) fn wire_request(input: &str) -> Option<serde_json::Value> {
    let Ok(Json::Object(members)) = Json::parse(input) else { return None };
    let request = Json::Object(Arc::new(renamed(&members, lower_first, request_member)));
    Some(serde_json::Value::from(&request))
}

/// Starts an execution; one without a name gets the attempt's.
pub(crate) async fn start(
    server: &dyn StepFunctions,
    mut request: serde_json::Value,
    call: &Call,
) -> Result<serde_json::Value, Refused> {
    let named = request.get("name").is_some();
    if !named {
        request["name"] = call.idempotency_id.as_str().into();
    }
    let arn = request["name"].as_str().and_then(|name| execution_arn(&request, name));
    let input = request.get("input").cloned().unwrap_or_else(|| "{}".into());
    match (server.call("StartExecution".into(), request).await, arn) {
        // It was pushed before, and what it started is over by now: only this attempt uses its own name. A name that was
        // asked for may be somebody else's, so there the input has to be the same, and a crash has to have come between.
        (Err(refused), Some(arn)) if refused.code == "ExecutionAlreadyExists" && (!named || call.again) => {
            let described = serde_json::json!({"executionArn": arn});
            let mut there = server.call("DescribeExecution".into(), described).await?;
            if named && there["input"] != input {
                return Err(refused);
            }
            Ok(serde_json::json!({
                "executionArn": there["executionArn"].take(),
                "startDate": there["startDate"].take(),
            }))
        }
        (answered, _) => answered,
    }
}

/// What an execution of the requested machine is called by its ARN.
fn execution_arn(request: &serde_json::Value, name: &str) -> Option<String> {
    // Behind the name there may be a version or an alias.
    let machine = request.get("stateMachineArn")?.as_str()?;
    let mut parts: Vec<&str> = machine.split(':').take(7).collect();
    *parts.get_mut(5).filter(|kind| **kind == "stateMachine")? = "execution";
    Some(format!("{}:{name}", parts.join(":")))
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
pub(crate) fn exception(code: &str) -> String {
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

pub(crate) fn upper_first(name: &str) -> String {
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
