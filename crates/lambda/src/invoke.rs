//! The Invoke call as values: what is asked, what is answered, and the table of errors with Lambda's names, statuses
//! and texts.
//!
//! A function that fails is not an error here: Lambda answers 200 with `function_error` set, and the caller reads the
//! payload. An [`InvokeError`] means that the function's own code was not heard. This file runs nothing.

use bytes::Bytes;

use crate::function::LATEST;

/// Largest payload of a call that waits for the answer, in bytes (AWS: 6 MB).
pub const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Largest payload of a call that does not wait, in bytes (AWS: 256 KB).
pub const EVENT_PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Invoke {
    /// Name, partial ARN or ARN.
    pub function: String,
    /// Version or alias; only `$LATEST` runs here.
    pub qualifier: Option<String>,
    /// JSON text; empty stands for `{}`.
    pub payload: Bytes,
    /// Wait, do not wait, or only check.
    pub kind: InvokeKind,
    /// Return the last 4 KB of the invocation's log.
    pub log_tail: bool,
    /// Base64 text handed to the function as its client context.
    pub client_context: Option<String>,
    /// X-Ray trace header handed to the function.
    pub trace: Option<String>,
    /// Stable over re-issues of the same task. The request id is derived from it, so that a function which remembers
    /// request ids can tell a repetition, as with Lambda's own asynchronous retries.
    pub idempotency_id: Option<String>,
}

impl Invoke {
    /// A call that waits for the answer, with nothing else asked.
    pub fn new(function: impl Into<String>, payload: impl Into<Bytes>) -> Invoke {
        Invoke {
            function: function.into(),
            qualifier: None,
            payload: payload.into(),
            kind: InvokeKind::RequestResponse,
            log_tail: false,
            client_context: None,
            trace: None,
            idempotency_id: None,
        }
    }
}

/// `InvocationType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InvokeKind {
    /// Wait for the answer.
    #[default]
    RequestResponse,
    /// Accept and run later; answers 202.
    Event,
    /// Check only; answers 204.
    DryRun,
}

impl InvokeKind {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            InvokeKind::RequestResponse => "RequestResponse",
            InvokeKind::Event => "Event",
            InvokeKind::DryRun => "DryRun",
        }
    }

    /// The kind of a name on the wire.
    pub fn from_name(name: &str) -> Option<InvokeKind> {
        [InvokeKind::RequestResponse, InvokeKind::Event, InvokeKind::DryRun]
            .into_iter()
            .find(|k| k.name() == name)
    }
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoked {
    /// HTTP status: 200, 202 (Event) or 204 (DryRun).
    pub status: u16,
    /// The function's answer or its error, byte for byte.
    pub payload: Bytes,
    /// `Handled` or `Unhandled` if the function failed.
    pub function_error: Option<String>,
    /// Version that ran.
    pub executed_version: String,
    /// Base64 of the last 4 KB of log, if asked for.
    pub log_tail: Option<String>,
    /// The request id.
    pub request_id: String,
    /// Response headers as a client would see them.
    pub headers: Vec<(String, String)>,
}

/// Why the function's code was not heard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// No such function, version or alias.
    #[error("Function not found: {arn}:{}", qualifier.as_deref().unwrap_or(LATEST))]
    ResourceNotFound {
        /// ARN without qualifier.
        arn: String,
        /// Qualifier that was asked for.
        qualifier: Option<String>,
    },
    /// The request names something that cannot be.
    #[error("{message}")]
    InvalidParameterValue {
        /// Which and why.
        message: String,
    },
    /// The payload is not JSON.
    #[error("Could not parse request body into json: {problem}")]
    InvalidRequestContent {
        /// The parser's words.
        problem: String,
    },
    /// The payload is too large.
    #[error("Request must be smaller than {limit} bytes for the InvokeFunction operation")]
    RequestTooLarge {
        /// Largest allowed.
        limit: usize,
    },
    /// Too many invocations at once.
    #[error("Rate Exceeded.")]
    TooManyRequests,
    /// The function exists and cannot run as it stands (image missing, no container engine).
    #[error(
        "The operation cannot be performed at this time. The function is currently in the following state: Failed. {reason}"
    )]
    ResourceConflict {
        /// Why, and the remedy.
        reason: String,
    },
    /// Our own failure.
    #[error("{message}")]
    Service {
        /// What happened.
        message: String,
    },
    /// An endpoint elsewhere did not answer.
    #[error("Unable to execute HTTP request: {problem}")]
    SdkClient {
        /// Where and why.
        problem: String,
    },
    /// An endpoint elsewhere answered with an error of its own.
    #[error("{message}")]
    Remote {
        /// Its error name.
        name: String,
        /// Its HTTP status.
        status: u16,
        /// Its text.
        message: String,
        /// Its request id.
        request_id: Option<String>,
    },
}

impl InvokeError {
    /// The error's name, as in `x-amzn-ErrorType`.
    pub fn name(&self) -> &str {
        self.wire().0
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.wire().1
    }

    /// Who has to act: `User` or `Service`.
    pub fn fault(&self) -> &'static str {
        if self.status() < 500 { "User" } else { "Service" }
    }

    /// The request id that an endpoint elsewhere gave with its error.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            InvokeError::Remote { request_id, .. } => request_id.as_deref(),
            _ => None,
        }
    }

    fn wire(&self) -> (&str, u16) {
        match self {
            InvokeError::ResourceNotFound { .. } => ("ResourceNotFoundException", 404),
            InvokeError::InvalidParameterValue { .. } => ("InvalidParameterValueException", 400),
            InvokeError::InvalidRequestContent { .. } => ("InvalidRequestContentException", 400),
            InvokeError::RequestTooLarge { .. } => ("RequestTooLargeException", 413),
            InvokeError::TooManyRequests => ("TooManyRequestsException", 429),
            InvokeError::ResourceConflict { .. } => ("ResourceConflictException", 409),
            InvokeError::Service { .. } => ("ServiceException", 500),
            InvokeError::SdkClient { .. } => ("SdkClientException", 502),
            InvokeError::Remote { name, status, .. } => (name, *status),
        }
    }
}

/// The payload that the function gets, if what was sent can be one.
pub(crate) fn checked_payload(payload: &Bytes, kind: InvokeKind) -> Result<Bytes, InvokeError> {
    let limit = match kind {
        InvokeKind::Event => EVENT_PAYLOAD_BYTES_MAX,
        InvokeKind::RequestResponse | InvokeKind::DryRun => PAYLOAD_BYTES_MAX,
    };
    if payload.len() > limit {
        return Err(InvokeError::RequestTooLarge { limit });
    }
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<&serde_json::value::RawValue>(payload) {
        Ok(_) => Ok(payload.clone()),
        Err(problem) => Err(InvokeError::InvalidRequestContent { problem: problem.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_checked_before_anything_runs() {
        let check =
            |text: &'static str| checked_payload(&Bytes::from_static(text.as_bytes()), InvokeKind::Event);
        assert_eq!(check("").unwrap(), "{}");
        for json in ["null", "1e400", " {\"a\": [1, 2]} ", "\"\\ud83d\\ude00\""] {
            assert_eq!(check(json).unwrap(), json);
        }
        for text in ["{", "{'a':1}", "1 2", "nul"] {
            assert_eq!(check(text).unwrap_err().name(), "InvalidRequestContentException", "{text}");
        }
    }

    #[test]
    fn payload_limits_depend_on_the_kind() {
        let text = |bytes: usize| Bytes::from(format!("\"{}\"", "x".repeat(bytes - 2)));
        let cases = [
            (InvokeKind::RequestResponse, PAYLOAD_BYTES_MAX),
            (InvokeKind::DryRun, PAYLOAD_BYTES_MAX),
            (InvokeKind::Event, EVENT_PAYLOAD_BYTES_MAX),
        ];
        for (kind, limit) in cases {
            assert!(checked_payload(&text(limit), kind).is_ok(), "{kind:?}");
            assert_eq!(checked_payload(&text(limit + 1), kind), Err(InvokeError::RequestTooLarge { limit }));
        }
    }

    #[test]
    fn an_unknown_function_is_named_with_its_version() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f".to_owned();
        let unknown = InvokeError::ResourceNotFound { arn, qualifier: None };
        let text = "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST";
        assert_eq!(unknown.to_string(), text);
        assert_eq!((unknown.name(), unknown.status()), ("ResourceNotFoundException", 404));
    }
}
