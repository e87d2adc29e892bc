//! Step Functions as a task, against the server that runs the execution: any action by `aws-sdk:sfn:ACTION`, and
//! `states:startExecution`, which starts another execution and does not wait for it.
//!
//! The AWS SDK integration writes members with a capital first letter, omits what is null, gives moments as ISO-8601,
//! and takes an object where the API wants a JSON text (asl-facts 17.2, recorded). `startExecution` speaks through the
//! older SDK: its errors are worded otherwise and its answer tells of the response's HTTP side.
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
const ACTIONS: [&str; 24] = [
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
    "redriveExecution",
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
            "startExecution" => start(&*server, request, &call.idempotency_id).await,
            _ => server.call(upper_first(action), request).await,
        };
        match answered {
            Ok(answer) => Outcome::Succeeded(answer_member("", &Json::from(answer)).to_text().into()),
            Err(refused) => failed(&exception(&refused.code), refused.status, &refused.message),
        }
    }

    /// A task whose resource is `arn:aws:states:::states:startExecution`.
    pub(crate) async fn start_execution(&self, call: &Call) -> Outcome {
        let Some(server) = self.server().await else {
            let refused = Refused {
                code: "ServiceUnavailable".into(),
                status: 503,
                message: "The server is shutting down".into(),
            };
            return failed_before(&refused);
        };
        let unusable = |problem: &str| {
            let cause =
                format!("The Parameters '{}' could not be used to start the Task: [{problem}]", call.input);
            Outcome::Failed { error: "States.Runtime".into(), cause: cause.into() }
        };
        let Some(request) = wire_request(&call.input) else {
            return unusable("the parameters must be an object");
        };
        let unknown = request.as_object().and_then(|members| {
            members.keys().map(|key| upper_first(key)).find(|key| !START_FIELDS.contains(&key.as_str()))
        });
        if let Some(field) = unknown {
            return unusable(&format!("The field \"{field}\" is not supported by Step Functions"));
        }
        if request.get("stateMachineArn").is_none() {
            return unusable("The field 'StateMachineArn' is required but was missing");
        }
        match start(&*server, request, &call.idempotency_id).await {
            Ok(answer) => Outcome::Succeeded(started(&answer).to_text().into()),
            Err(refused) => failed_before(&refused),
        }
    }
}

/// The parameters of `startExecution`.
const START_FIELDS: [&str; 4] = ["StateMachineArn", "Input", "Name", "TraceHeader"];

/// The parameters as the API wants them; `None` when they are no object.
fn wire_request(input: &str) -> Option<serde_json::Value> {
    let Ok(Json::Object(members)) = Json::parse(input) else { return None };
    let request = Json::Object(Arc::new(renamed(&members, lower_first, request_member)));
    Some(serde_json::Value::from(&request))
}

/// Starts an execution; one without a name gets the attempt's.
async fn start(
    server: &dyn StepFunctions,
    mut request: serde_json::Value,
    attempt: &str,
) -> Result<serde_json::Value, Refused> {
    if request.get("name").is_some() {
        return server.call("StartExecution".into(), request).await;
    }
    request["name"] = attempt.into();
    let arn = execution_arn(&request, attempt);
    match (server.call("StartExecution".into(), request).await, arn) {
        // Only this attempt uses that name: it was pushed before, and what it started is over by now.
        (Err(refused), Some(arn)) if refused.code == "ExecutionAlreadyExists" => {
            let described = serde_json::json!({"executionArn": arn});
            let mut there = server.call("DescribeExecution".into(), described).await?;
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
    let machine = request.get("stateMachineArn")?.as_str()?;
    Some(format!("{}:{name}", machine.replacen(":stateMachine:", ":execution:", 1)))
}

/// The answer of `startExecution` as the older SDK gives it: moments are milliseconds, and the HTTP side is shown,
/// here with what an answer in place has of it.
fn started(answer: &serde_json::Value) -> Json {
    let request_id = uuid::Uuid::new_v4().to_string();
    let headers = [
        ("x-amzn-RequestId", request_id.clone()),
        ("Content-Length", answer.to_string().len().to_string()),
        ("Content-Type", "application/x-amz-json-1.0".to_owned()),
    ];
    let text = |text: &str| Json::from(text);
    let metadata = Json::object([
        (
            "AllHttpHeaders",
            Json::object(headers.iter().map(|(name, value)| (*name, Json::array([text(value)])))),
        ),
        ("HttpHeaders", Json::object(headers.iter().map(|(name, value)| (*name, text(value))))),
        ("HttpStatusCode", Json::from(200)),
    ]);
    let start_ms = answer["startDate"].as_f64().map(|seconds| (seconds * 1000.0).round() as i64);
    Json::object([
        ("ExecutionArn", text(answer["executionArn"].as_str().unwrap_or_default())),
        ("SdkHttpMetadata", metadata),
        ("SdkResponseMetadata", Json::object([("RequestId", text(&request_id))])),
        ("StartDate", start_ms.map_or(Json::Null, Json::from)),
    ])
}

/// An error as the older SDK words it (recorded).
fn failed_before(refused: &Refused) -> Outcome {
    let Refused { code, status, message } = refused;
    let cause = format!(
        "{message} (Service: AWSStepFunctions; Status Code: {status}; Error Code: {code}; Request ID: {}; Proxy: null)",
        uuid::Uuid::new_v4()
    );
    Outcome::Failed { error: format!("StepFunctions.{}", exception(code)).into(), cause: cause.into() }
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

    /// A server that knows one execution, `old`, which is over.
    struct OneIsOver(std::sync::Mutex<Vec<String>>);

    impl StepFunctions for OneIsOver {
        fn call(
            &self,
            operation: String,
            request: serde_json::Value,
        ) -> BoxFuture<'_, Result<serde_json::Value, Refused>> {
            self.0.lock().unwrap().push(format!("{operation} {request}"));
            Box::pin(async move {
                match (operation.as_str(), request["name"].as_str()) {
                    ("StartExecution", Some("old")) => Err(Refused {
                        code: "ExecutionAlreadyExists".into(),
                        status: 400,
                        message: "Execution Already Exists: 'old'".into(),
                    }),
                    ("StartExecution", _) => Ok(serde_json::json!({"executionArn": "new", "startDate": 2.5})),
                    _ => Ok(serde_json::json!({"executionArn": "old", "startDate": 1.5, "status": "FAILED"})),
                }
            })
        }
    }

    fn start_task(input: &str, attempt: &str) -> (Outcome, Vec<String>) {
        let server = Arc::new(OneIsOver(std::sync::Mutex::default()));
        let connector = SfnConnector::default();
        connector.answer_by(server.clone());
        let call = Call {
            resource: asl::states::task::Resource::parse("arn:aws:states:::states:startExecution").unwrap(),
            input: input.into(),
            idempotency_id: attempt.into(),
            trace_header: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let outcome = runtime.block_on(connector.start_execution(&call));
        let asked = server.0.lock().unwrap().clone();
        (outcome, asked)
    }

    fn result(outcome: &Outcome) -> Json {
        let Outcome::Succeeded(text) = outcome else { panic!("{outcome:?}") };
        Json::parse(text).unwrap()
    }

    #[test]
    fn an_execution_without_a_name_is_named_after_the_attempt() {
        let input = r#"{"StateMachineArn": "arn:x:stateMachine:m", "Input": {"a": 1}}"#;
        let (outcome, asked) = start_task(input, "try-1");
        assert_eq!(result(&outcome)["ExecutionArn"], Json::from("new"));
        assert_eq!(result(&outcome)["StartDate"], Json::from(2500));
        let [start] = &asked[..] else { panic!("{asked:?}") };
        for part in
            [r#""name":"try-1""#, r#""input":"{\"a\":1}""#, r#""stateMachineArn":"arn:x:stateMachine:m""#]
        {
            assert!(start.contains(part), "{start}");
        }
    }

    #[test]
    fn an_attempt_that_is_pushed_again_finds_what_it_started() {
        let (outcome, asked) = start_task(r#"{"StateMachineArn": "arn:x:stateMachine:m"}"#, "old");
        assert_eq!(result(&outcome)["ExecutionArn"], Json::from("old"));
        assert_eq!(result(&outcome)["StartDate"], Json::from(1500));
        assert_eq!(asked[1], r#"DescribeExecution {"executionArn":"arn:x:execution:m:old"}"#);
    }

    #[test]
    fn a_name_that_was_asked_for_may_be_taken() {
        let (outcome, asked) =
            start_task(r#"{"StateMachineArn": "arn:x:stateMachine:m", "Name": "old"}"#, "try-1");
        let Outcome::Failed { error, cause } = outcome else { panic!("{outcome:?}") };
        assert_eq!(&*error, "StepFunctions.ExecutionAlreadyExistsException");
        let want = "Execution Already Exists: 'old' (Service: AWSStepFunctions; Status Code: 400; \
                    Error Code: ExecutionAlreadyExists; Request ID: ";
        assert!(cause.starts_with(want), "{cause}");
        assert_eq!(asked.len(), 1);
    }

    #[test]
    fn parameters_that_cannot_be_used() {
        for (input, want) in [
            ("[]", "[the parameters must be an object]"),
            ("{}", "[The field 'StateMachineArn' is required but was missing]"),
            (
                r#"{"StateMachineArn": "a", "Delay": 1}"#,
                "[The field \"Delay\" is not supported by Step Functions]",
            ),
        ] {
            let (outcome, asked) = start_task(input, "try-1");
            let Outcome::Failed { error, cause } = outcome else { panic!("{input}: {outcome:?}") };
            assert_eq!(&*error, "States.Runtime", "{input}");
            let whole = format!("The Parameters '{input}' could not be used to start the Task: {want}");
            assert_eq!(*cause, *whole, "{input}");
            assert!(asked.is_empty(), "{asked:?}");
        }
    }
}
