//! The five Step Functions calls that a worker makes: AWS JSON 1.0 over HTTP, signed with SigV4.
//!
//! It knows the wire and tells refusals from silence; it retries nothing.
//!
//! Certificates are those built in (webpki-roots), since an image FROM scratch has no others, and those of the file
//! that `SSL_CERT_FILE` names, for an endpoint behind a private authority.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    credentials::Source,
    options::{Activity, set},
};

/// Time to connect.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Time for a poll: the server holds it for up to 60 s.
const POLL_MAX: Duration = Duration::from_secs(75);
/// Time for every other call.
const CALL_MAX: Duration = Duration::from_secs(15);
/// Answers are a task's input at most, 256 KiB, with every character escaped.
const ANSWER_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A Step Functions endpoint, for one activity.
#[derive(Debug)]
pub(crate) struct StepFunctions {
    http: reqwest::Client,
    url: String,
    region: String,
    activity_arn: String,
    credentials: Source,
}

/// A task that was handed to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) token: String,
    /// JSON text.
    pub(crate) input: String,
}

/// Why a call brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// No answer, or none that is understood.
    #[error("{0}")]
    Unreachable(String),
    /// An error by its name.
    #[error("{name}: {message}")]
    Refused { name: String, message: String },
}

impl CallError {
    /// Whether the token's task is over: nothing that we say about it matters any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_any(&["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
    }

    pub(crate) fn is_any(&self, names: &[&str]) -> bool {
        matches!(self, CallError::Refused { name, .. } if names.contains(&name.as_str()))
    }
}

#[derive(Deserialize)]
struct Polled {
    #[serde(rename = "taskToken")]
    token: Option<String>,
    input: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    name: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

impl StepFunctions {
    pub(crate) fn new(url: String, activity: &Activity) -> Result<StepFunctions, String> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls()?)
            .connect_timeout(CONNECT_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| format!("no HTTP client: {}", innermost(&error)))?;
        let credentials = Source::from_environment(&http);
        if matches!(credentials, Source::None) && url.contains(".amazonaws.com") {
            return Err(format!(
                "{url} needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where \
                 AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI is set"
            ));
        }
        let (region, activity_arn) = (activity.region.clone(), activity.arn.clone());
        Ok(StepFunctions { http, url, region, activity_arn, credentials })
    }

    /// Waits for a task, as long as the server holds the poll.
    pub(crate) async fn poll(&self, worker_name: &str) -> Result<Option<Task>, CallError> {
        let body = json!({"activityArn": self.activity_arn, "workerName": worker_name});
        let answer = self.call("GetActivityTask", &body, POLL_MAX).await?;
        let polled: Polled = serde_json::from_slice(&answer)
            .map_err(|error| CallError::Unreachable(format!("GetActivityTask's answer: {error}")))?;
        let Some(token) = polled.token.filter(|token| !token.is_empty()) else { return Ok(None) };
        Ok(Some(Task { token, input: polled.input.unwrap_or_else(|| "{}".to_owned()) }))
    }

    pub(crate) async fn heartbeat(&self, token: &str) -> Result<(), CallError> {
        self.call("SendTaskHeartbeat", &json!({"taskToken": token}), CALL_MAX).await.map(drop)
    }

    pub(crate) async fn success(&self, token: &str, output: &str) -> Result<(), CallError> {
        self.call("SendTaskSuccess", &json!({"taskToken": token, "output": output}), CALL_MAX).await.map(drop)
    }

    pub(crate) async fn failure(&self, token: &str, error: &str, cause: &str) -> Result<(), CallError> {
        let body = json!({"taskToken": token, "error": error, "cause": cause});
        self.call("SendTaskFailure", &body, CALL_MAX).await.map(drop)
    }

    async fn call(&self, operation: &str, body: &Value, limit: Duration) -> Result<Vec<u8>, CallError> {
        let request = self.request(operation, body.to_string()).await.map_err(CallError::Unreachable)?;
        let unreachable = |error: reqwest::Error| {
            CallError::Unreachable(format!("{operation} at {}: {}", self.url, innermost(&error)))
        };
        let sent = tokio::time::timeout(limit, async {
            let mut response = self.http.execute(request).await.map_err(unreachable)?;
            let mut answer = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
                answer.extend_from_slice(&chunk);
                if answer.len() > ANSWER_BYTES_MAX {
                    return Err(CallError::Unreachable(format!("{operation}: the answer has no end")));
                }
            }
            Ok((response, answer))
        });
        let late = |_| CallError::Unreachable(format!("{operation} at {}: no answer in {limit:?}", self.url));
        let (response, answer) = sent.await.map_err(late)??;
        if response.status().is_success() {
            return Ok(answer);
        }
        Err(refusal(&response, &answer))
    }

    async fn request(&self, operation: &str, body: String) -> Result<reqwest::Request, String> {
        let now = now();
        let mut request = http::Request::post(&self.url)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
            .body(body)
            .map_err(|error| format!("'{}' is no endpoint: {error}", self.url))?;
        if let Some(credentials) = self.credentials.current(now).await? {
            let identity = credentials.into();
            let params = v4::SigningParams::builder()
                .identity(&identity)
                .region(&self.region)
                .name("states")
                .time(now)
                .settings(SigningSettings::default())
                .build()
                .map_err(|error| error.to_string())?
                .into();
            let headers = request.headers().iter().filter_map(|(n, v)| Some((n.as_str(), v.to_str().ok()?)));
            let body = SignableBody::Bytes(request.body().as_bytes());
            let signable =
                SignableRequest::new("POST", &self.url, headers, body).map_err(|e| e.to_string())?;
            let (instructions, _) = sign(signable, &params).map_err(|error| error.to_string())?.into_parts();
            instructions.apply_to_request_http1x(&mut request);
        }
        request.try_into().map_err(|error: reqwest::Error| format!("'{}' is no endpoint: {error}", self.url))
    }
}

fn refusal(response: &reqwest::Response, answer: &[u8]) -> CallError {
    let said = serde_json::from_slice::<Refusal>(answer).unwrap_or(Refusal { name: None, message: None });
    let header = response.headers().get("x-amzn-errortype").and_then(|name| name.to_str().ok());
    // `com.amazonaws.states#TaskTimedOut` in the body, `TaskTimedOut:http://…` in the header.
    let name = said.name.as_deref().or(header).and_then(|name| name.rsplit('#').next()?.split(':').next());
    match name {
        Some(name) => CallError::Refused { name: name.to_owned(), message: said.message.unwrap_or_default() },
        None => {
            let text = String::from_utf8_lossy(&answer[..answer.len().min(300)]).into_owned();
            CallError::Unreachable(format!("status {}: {text}", response.status()))
        }
    }
}

fn tls() -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = set("SSL_CERT_FILE") {
        let unreadable = |error: rustls::pki_types::pem::Error| format!("SSL_CERT_FILE {path}: {error}");
        for certificate in CertificateDer::pem_file_iter(&path).map_err(unreadable)? {
            let certificate = certificate.map_err(unreadable)?;
            roots.add(certificate).map_err(|error| format!("SSL_CERT_FILE {path}: {error}"))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(lambda::clock::now_ms())
}

/// The last cause of an error: "connection refused" says more than "error sending request".
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
