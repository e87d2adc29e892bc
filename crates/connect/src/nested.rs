//! Nested executions: `states:startExecution`, which starts another execution and may wait for its end.
//!
//! It speaks through the older SDK: errors are worded otherwise than those of `aws-sdk:sfn`, and the answer tells of the
//! response's HTTP side. With `.sync` the answer of StartExecution is the submission of a job, whose result is the answer
//! of DescribeExecution once the execution has ended; `.sync:2` gives its input and output as values and not as texts.
//! An execution that did not succeed is a `States.TaskFailed` with that answer as its cause, where they stay texts
//! (asl-facts 17.2, recorded).

use std::collections::BTreeMap;

use asl::json::Json;
use asl::states::task::{Pattern, Resource};

use crate::sfn::{Refused, SfnConnector, StepFunctions, exception, start, upper_first, wire_request};
use crate::{Call, Outcome};

/// The parameters of `startExecution`.
const START_FIELDS: [&str; 4] = ["StateMachineArn", "Input", "Name", "TraceHeader"];

/// The members of a described execution that are JSON texts.
const TEXT_MEMBERS: [&str; 2] = ["Input", "Output"];

impl SfnConnector {
    /// A task whose resource is `arn:aws:states:::states:startExecution`.
    pub(crate) async fn start_execution(&self, call: &Call) -> Outcome {
        let Some(server) = self.server().await else { return shutting_down() };
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
        match start(&*server, request, call).await {
            Ok(answer) => Outcome::Succeeded(started(&answer).to_text().into()),
            Err(refused) => failed_before(&refused),
        }
    }

    /// The end of an execution that was started.
    pub(crate) async fn execution_end(&self, call: &Call, submission: &str) -> Outcome {
        let Some(server) = self.server().await else { return shutting_down() };
        let Some(arn) = started_arn(submission) else {
            let cause = "The answer of StartExecution names no execution.";
            return Outcome::Failed { error: "States.Runtime".into(), cause: cause.into() };
        };
        let described = loop {
            match ended(&*server, &arn).await {
                // Between its end and this look it may have been redriven.
                Ok(described) if described["status"] == "RUNNING" => {}
                Ok(described) => break described,
                Err(refused) => return failed_before(&refused),
            }
        };
        let parsed =
            matches!(&call.resource, Resource::Service(service) if service.pattern == Pattern::Sync2);
        match described["status"].as_str() {
            Some("SUCCEEDED") => Outcome::Succeeded(shown(&described, parsed).to_text().into()),
            _ => Outcome::Failed {
                error: "States.TaskFailed".into(),
                cause: shown(&described, false).to_text().into(),
            },
        }
    }

    /// Stops an execution that nobody waits for any more, as well as that can be done.
    pub(crate) async fn stop_started(&self, submission: &str) {
        let (Some(server), Some(arn)) = (self.server().await, started_arn(submission)) else { return };
        // What cannot be stopped goes on, or was over.
        let _refused = server.call("StopExecution".into(), serde_json::json!({"executionArn": arn})).await;
    }
}

/// An execution as DescribeExecution tells of it after its end.
async fn ended(server: &dyn StepFunctions, arn: &str) -> Result<serde_json::Value, Refused> {
    server.closed(arn.to_owned()).await?;
    server.call("DescribeExecution".into(), serde_json::json!({"executionArn": arn})).await
}

fn started_arn(submission: &str) -> Option<String> {
    Some(Json::parse(submission).ok()?.get("ExecutionArn")?.as_str()?.to_owned())
}

fn shutting_down() -> Outcome {
    let message = "The server is shutting down".into();
    failed_before(&Refused { code: "ServiceUnavailable".into(), status: 503, message })
}

/// A described execution as the older SDK gives it: capital letters, in alphabetical order, moments in milliseconds.
fn shown(described: &serde_json::Value, parsed: bool) -> Json {
    let member = |(name, value): (&String, &serde_json::Value)| {
        let name = upper_first(name);
        let value = match value {
            serde_json::Value::Number(seconds) if name.ends_with("Date") => milliseconds(seconds.as_f64()),
            serde_json::Value::Object(details) => Json::object(
                details.iter().map(|(name, value)| (upper_first(name), Json::from(value.clone()))),
            ),
            serde_json::Value::String(text) if parsed && TEXT_MEMBERS.contains(&name.as_str()) => {
                Json::parse(text).unwrap_or_else(|_| Json::from(text.as_str()))
            }
            other => Json::from(other.clone()),
        };
        (name, value)
    };
    let members: BTreeMap<String, Json> = described.as_object().into_iter().flatten().map(member).collect();
    Json::object(members)
}

fn milliseconds(seconds: Option<f64>) -> Json {
    seconds.map_or(Json::Null, |seconds| Json::from((seconds * 1000.0).round() as i64))
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
    Json::object([
        ("ExecutionArn", text(answer["executionArn"].as_str().unwrap_or_default())),
        ("SdkHttpMetadata", metadata),
        ("SdkResponseMetadata", Json::object([("RequestId", text(&request_id))])),
        ("StartDate", milliseconds(answer["startDate"].as_f64())),
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::BoxFuture;

    /// A server that knows one execution, `old`, which is over.
    struct OneIsOver(std::sync::Mutex<Vec<String>>);

    impl StepFunctions for OneIsOver {
        fn has(&self, _: &str) -> bool {
            true
        }

        fn closed(&self, execution_arn: String) -> BoxFuture<'_, Result<(), Refused>> {
            self.0.lock().unwrap().push(format!("closed {execution_arn}"));
            Box::pin(async { Ok(()) })
        }

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
                    _ => Ok(
                        serde_json::json!({"executionArn": "old", "startDate": 1.5, "status": "FAILED", "input": "[1]"}),
                    ),
                }
            })
        }
    }

    fn start_task(input: &str, attempt: &str) -> (Outcome, Vec<String>) {
        pushed(input, attempt, false)
    }

    fn pushed(input: &str, attempt: &str, again: bool) -> (Outcome, Vec<String>) {
        let server = Arc::new(OneIsOver(std::sync::Mutex::default()));
        let connector = SfnConnector::default();
        connector.answer_by(server.clone());
        let call = Call {
            resource: Resource::parse("arn:aws:states:::states:startExecution").unwrap(),
            input: input.into(),
            idempotency_id: attempt.into(),
            again,
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
        let input = r#"{"StateMachineArn": "arn:aws:states:r:1:stateMachine:m", "Input": {"a": 1}}"#;
        let (outcome, asked) = start_task(input, "try-1");
        assert_eq!(result(&outcome)["ExecutionArn"], Json::from("new"));
        assert_eq!(result(&outcome)["StartDate"], Json::from(2500));
        let [start] = &asked[..] else { panic!("{asked:?}") };
        for part in [
            r#""name":"try-1""#,
            r#""input":"{\"a\":1}""#,
            r#""stateMachineArn":"arn:aws:states:r:1:stateMachine:m""#,
        ] {
            assert!(start.contains(part), "{start}");
        }
    }

    #[test]
    fn an_attempt_that_is_pushed_again_finds_what_it_started() {
        let (outcome, asked) =
            start_task(r#"{"StateMachineArn": "arn:aws:states:r:1:stateMachine:m"}"#, "old");
        assert_eq!(result(&outcome)["ExecutionArn"], Json::from("old"));
        assert_eq!(result(&outcome)["StartDate"], Json::from(1500));
        assert_eq!(asked[1], r#"DescribeExecution {"executionArn":"arn:aws:states:r:1:execution:m:old"}"#);
    }

    #[test]
    fn the_execution_of_a_version_or_an_alias_is_found_again() {
        let (outcome, asked) =
            start_task(r#"{"StateMachineArn": "arn:aws:states:r:1:stateMachine:m:live"}"#, "old");
        assert_eq!(result(&outcome)["ExecutionArn"], Json::from("old"));
        assert_eq!(asked[1], r#"DescribeExecution {"executionArn":"arn:aws:states:r:1:execution:m:old"}"#);
    }

    /// What DescribeExecution answers, and what becomes of it.
    fn end_of(described: serde_json::Value, pattern: &str) -> Outcome {
        struct Ended(serde_json::Value);
        impl StepFunctions for Ended {
            fn has(&self, _: &str) -> bool {
                true
            }

            fn closed(&self, _: String) -> BoxFuture<'_, Result<(), Refused>> {
                Box::pin(async { Ok(()) })
            }

            fn call(
                &self,
                operation: String,
                request: serde_json::Value,
            ) -> BoxFuture<'_, Result<serde_json::Value, Refused>> {
                assert_eq!(
                    (&*operation, &request),
                    ("DescribeExecution", &serde_json::json!({"executionArn": "e"}))
                );
                Box::pin(async { Ok(self.0.clone()) })
            }
        }
        let connector = SfnConnector::default();
        connector.answer_by(Arc::new(Ended(described)));
        let resource = Resource::parse(&format!("arn:aws:states:::states:startExecution{pattern}")).unwrap();
        let call = Call {
            resource,
            input: "{}".into(),
            idempotency_id: "try-1".into(),
            again: false,
            trace_header: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(connector.execution_end(&call, r#"{"ExecutionArn":"e"}"#))
    }

    #[test]
    fn the_end_of_an_execution_is_the_result_of_its_task() {
        let described = serde_json::json!({"status": "SUCCEEDED", "executionArn": "e", "stopDate": 1.5,
            "output": "{\"a\":1}", "input": "[]", "outputDetails": {"included": true}, "redriveCount": 0});
        let texts = r#"{"ExecutionArn":"e","Input":"[]","Output":"{\"a\":1}","OutputDetails":{"Included":true},"RedriveCount":0,"Status":"SUCCEEDED","StopDate":1500}"#;
        let values = r#"{"ExecutionArn":"e","Input":[],"Output":{"a":1},"OutputDetails":{"Included":true},"RedriveCount":0,"Status":"SUCCEEDED","StopDate":1500}"#;
        assert_eq!(end_of(described.clone(), ".sync"), Outcome::Succeeded(texts.into()));
        assert_eq!(end_of(described, ".sync:2"), Outcome::Succeeded(values.into()));
    }

    #[test]
    fn an_execution_that_did_not_succeed_fails_its_task() {
        let described =
            serde_json::json!({"status": "FAILED", "executionArn": "e", "input": "{}", "error": "E"});
        let cause = r#"{"Error":"E","ExecutionArn":"e","Input":"{}","Status":"FAILED"}"#;
        let failed = Outcome::Failed { error: "States.TaskFailed".into(), cause: cause.into() };
        assert_eq!(end_of(described.clone(), ".sync"), failed);
        assert_eq!(end_of(described, ".sync:2"), failed);
    }

    #[test]
    fn a_name_that_was_asked_for_may_be_taken() {
        let (outcome, asked) =
            start_task(r#"{"StateMachineArn": "arn:aws:states:r:1:stateMachine:m", "Name": "old"}"#, "try-1");
        let Outcome::Failed { error, cause } = outcome else { panic!("{outcome:?}") };
        assert_eq!(&*error, "StepFunctions.ExecutionAlreadyExistsException");
        let want = "Execution Already Exists: 'old' (Service: AWSStepFunctions; Status Code: 400; \
                    Error Code: ExecutionAlreadyExists; Request ID: ";
        assert!(cause.starts_with(want), "{cause}");
        assert_eq!(asked.len(), 1);
    }

    #[test]
    fn after_a_crash_a_name_that_was_asked_for_may_be_ones_own() {
        let input = |input: &str| {
            format!(
                r#"{{"StateMachineArn": "arn:aws:states:r:1:stateMachine:m", "Name": "old", "Input": {input}}}"#
            )
        };
        let (outcome, _) = pushed(&input("[1]"), "try-1", true);
        assert_eq!(result(&outcome)["ExecutionArn"], Json::from("old"));
        let (outcome, _) = pushed(&input("[2]"), "try-1", true);
        assert!(
            matches!(outcome, Outcome::Failed { .. }),
            "another input is another execution's: {outcome:?}"
        );
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
