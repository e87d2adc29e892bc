//! Lambda as a task: the function's ARN as resource, or the service `lambda:invoke`.
//!
//! The first hands input and output through; the second takes a request and gives Lambda's answer around the payload.
//! A function's own error keeps its name, and the whole error payload is the cause (asl-facts 17.4, recorded: by ARN
//! with the function's own spacing, by `lambda:invoke` compact).

use asl::json::Json;
use lambda::{Host, Invoke, InvokeError, InvokeKind, Invoked};

use crate::{Call, Outcome};

/// Invokes functions through the function host.
#[derive(Clone)]
pub struct LambdaConnector {
    host: Host,
}

/// The parameters of `lambda:invoke`.
const FIELDS: [&str; 6] =
    ["FunctionName", "Payload", "Qualifier", "InvocationType", "ClientContext", "LogType"];

impl LambdaConnector {
    /// Uses this host.
    pub fn new(host: Host) -> Self {
        LambdaConnector { host }
    }

    /// A task whose resource is the function's ARN.
    pub(crate) async fn invoke_function(&self, arn: &str, call: &Call) -> Outcome {
        let mut invoke = Invoke::new(arn, call.input.to_string());
        invoke.trace = call.trace_header.clone();
        invoke.idempotency_id = Some(call.idempotency_id.clone());
        match self.host.invoke(invoke).await {
            Err(error) => service_error(&error),
            Ok(answer) => {
                let text = String::from_utf8_lossy(&answer.payload).into_owned();
                match answer.function_error {
                    Some(_) => function_error(text),
                    None => json_result(text),
                }
            }
        }
    }

    /// A task whose resource is `arn:aws:states:::lambda:invoke`.
    pub(crate) async fn invoke_service(&self, call: &Call) -> Outcome {
        let invoke = match request(call) {
            Ok(invoke) => invoke,
            Err(problem) => {
                let cause = format!(
                    "The Parameters '{}' could not be used to start the Task: [{problem}]",
                    call.input
                );
                return Outcome::Failed { error: "States.Runtime".into(), cause: cause.into() };
            }
        };
        match self.host.invoke(invoke).await {
            Err(error) => service_error(&error),
            Ok(answer) if answer.function_error.is_some() => {
                let text = String::from_utf8_lossy(&answer.payload).into_owned();
                // Read and written again: the cause of this form is compact (recorded).
                function_error(Json::parse(&text).map_or(text, |payload| payload.to_text()))
            }
            Ok(answer) => answer_result(&answer),
        }
    }
}

/// Reads the parameters of `lambda:invoke`.
fn request(call: &Call) -> Result<Invoke, String> {
    let input = Json::parse(&call.input).map_err(|error| error.to_string())?;
    let object = input.as_object().ok_or("the parameters must be an object")?;
    if let Some(unknown) = object.keys().find(|key| !FIELDS.contains(&&***key)) {
        return Err(format!("The field \"{unknown}\" is not supported by Step Functions"));
    }
    let text = |field: &str| match object.get(field) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.to_string())),
        Some(_) => Err(format!("The value of the field '{field}' has an invalid format")),
    };
    let function = text("FunctionName")?.ok_or("The field 'FunctionName' is required but was missing")?;
    // A payload of null is no payload: the function gets `{}` (recorded).
    let given = object.get("Payload").filter(|payload| !payload.is_null());
    let payload = match given {
        None => String::new(),
        // A string is the JSON text itself, which Lambda reads: it is not quoted once more (recorded).
        Some(Json::String(text)) => text.to_string(),
        Some(value) => value.to_text(),
    };
    let mut invoke = Invoke::new(function, payload);
    invoke.qualifier = text("Qualifier")?;
    invoke.client_context = text("ClientContext")?;
    invoke.log_tail = text("LogType")?.as_deref() == Some("Tail");
    if let Some(kind) = text("InvocationType")? {
        invoke.kind = InvokeKind::from_name(&kind)
            .ok_or("The value of the field 'InvocationType' has an invalid format")?;
    }
    invoke.trace = call.trace_header.clone();
    invoke.idempotency_id = Some(call.idempotency_id.clone());
    Ok(invoke)
}

/// Lambda's answer as the old SDK gives it to Step Functions: alphabetical keys and the HTTP metadata.
fn answer_result(answer: &Invoked) -> Outcome {
    let text = String::from_utf8_lossy(&answer.payload).into_owned();
    let status = i64::from(answer.status);
    let mut all_headers: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in &answer.headers {
        match all_headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, values)) => values.push(value.clone()),
            None => all_headers.push((name.clone(), vec![value.clone()])),
        }
    }
    let texts = |values: &[String]| Json::array(values.iter().map(|value| Json::from(value.as_str())));
    let metadata = Json::object([
        (
            "AllHttpHeaders",
            Json::object(all_headers.iter().map(|(name, values)| (name.as_str(), texts(values)))),
        ),
        (
            "HttpHeaders",
            Json::object(all_headers.iter().map(|(name, values)| {
                (name.as_str(), Json::from(values.last().map(String::as_str).unwrap_or_default()))
            })),
        ),
        ("HttpStatusCode", Json::from(status)),
    ]);
    let mut members = vec![("ExecutedVersion", Json::from(answer.executed_version.as_str()))];
    if let Some(log) = &answer.log_tail {
        members.push(("LogResult", Json::from(log.as_str())));
    }
    if !text.is_empty() {
        // A function may answer with a text that is not JSON; its string stands for it.
        members.push(("Payload", Json::parse(&text).unwrap_or_else(|_| Json::from(text.as_str()))));
    }
    members.push(("SdkHttpMetadata", metadata));
    let request_id = Json::object([("RequestId", Json::from(answer.request_id.as_str()))]);
    members.push(("SdkResponseMetadata", request_id));
    members.push(("StatusCode", Json::from(status)));
    Outcome::Succeeded(Json::object(members).to_text().into())
}

/// A result by ARN must be JSON; an empty one is `null`.
fn json_result(text: String) -> Outcome {
    if text.is_empty() {
        return Outcome::Succeeded("null".into());
    }
    match Json::parse(&text) {
        Ok(_) => Outcome::Succeeded(text.into()),
        Err(problem) => Outcome::Failed {
            error: "Lambda.Unknown".into(),
            cause: format!("The function's response is not JSON: {problem}").into(),
        },
    }
}

/// An error that the function raised: its own name, the whole payload as cause. What Lambda reports of a sandbox that
/// ran out of time or memory names no error of the function.
fn function_error(text: String) -> Outcome {
    let name = Json::parse(&text)
        .ok()
        .and_then(|payload| payload.get("errorType").and_then(Json::as_str).map(str::to_owned))
        .filter(|name| !name.is_empty());
    match name {
        Some(name) => Outcome::Failed { error: name.into(), cause: text.into() },
        None => {
            let cause = format!(
                "The cause could not be determined because Lambda did not return an error type. Returned payload: {text}"
            );
            Outcome::Failed { error: "Lambda.Unknown".into(), cause: cause.into() }
        }
    }
}

/// An error of Lambda itself, as the old SDK words it (BEHAVIOURS 25, recorded).
fn service_error(error: &InvokeError) -> Outcome {
    let name = error.name();
    // Step Functions invokes a version: where none was asked for, the function that is missing is `$LATEST` (recorded).
    let unversioned =
        |text: &str| text.split(":function:").nth(1).is_some_and(|name| !name.contains([':', ' ']));
    let text = match error.to_string() {
        text if name == "ResourceNotFoundException" && unversioned(&text) => format!("{text}:$LATEST"),
        text => text,
    };
    let cause = match error {
        InvokeError::SdkClient { .. } => text,
        _ => format!(
            "{text} (Service: AWSLambda; Status Code: {}; Error Code: {name}; Request ID: {}; Proxy: null)",
            error.status(),
            error.request_id().map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
        ),
    };
    Outcome::Failed { error: format!("Lambda.{name}").into(), cause: cause.into() }
}
