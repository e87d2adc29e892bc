//! Lambda's error payloads, in one table: what a caller of a function reads when its code failed or could not answer.
//!
//! | what happened | `errorType` | text |
//! |--|--|--|
//! | the function raised | its own | its own, byte for byte |
//! | the runtime died | `Runtime.ExitError` | `RequestId: … Error: Runtime exited with error: exit status 1` |
//! | time ran out | none, as on AWS | `<moment> <request id> Task timed out after 3.00 seconds` |
//! | the answer was too large | `Function.ResponseSizeTooLarge` | |
//! | the program could not be run | `Runtime.InvalidEntrypoint` | |
//!
//! It knows the shapes and nothing of who sends them where.

use std::{fmt, time::Duration};

use base64::Engine as _;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use crate::{clock, runtime_api::RESPONSE_BYTES_MAX};

/// An error payload: JSON text as the caller gets it, and its type read out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorBody {
    /// `errorType`, if there is one.
    pub error_type: Option<String>,
    /// JSON text.
    pub body: Bytes,
}

/// How a runtime ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// Exit status, if it ended by itself.
    pub code: Option<i32>,
    /// Signal that ended it.
    pub signal: Option<i32>,
    /// Whether it was ended for using more memory than it may.
    pub out_of_memory: bool,
    /// What the engine or the operating system said, if the runtime could not be watched to its end.
    pub problem: Option<String>,
}

#[derive(Deserialize)]
struct Typed {
    #[serde(rename = "errorType")]
    error_type: Option<String>,
}

impl ErrorBody {
    /// What a runtime posted as its error. The type in the body counts; the header's is used if the body has none,
    /// because awslambdaric sends no header for a handler's error and the body is what callers match on. A body that
    /// is not JSON is wrapped, so that callers can always parse it.
    pub fn posted(body: Bytes, header: Option<String>) -> ErrorBody {
        match serde_json::from_slice::<Typed>(&body) {
            Ok(typed) => ErrorBody { error_type: typed.error_type.or(header), body },
            Err(_) if serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok() => {
                ErrorBody { error_type: header, body }
            }
            Err(_) => {
                let error_type = header.unwrap_or_else(|| "Runtime.Unknown".to_owned());
                ErrorBody::typed(&error_type, &String::from_utf8_lossy(&body))
            }
        }
    }

    /// An error with a type and a message.
    pub fn typed(error_type: &str, message: &str) -> ErrorBody {
        let body = json!({"errorType": error_type, "errorMessage": message}).to_string();
        ErrorBody { error_type: Some(error_type.to_owned()), body: body.into() }
    }

    /// The runtime died with the invocation in hand.
    pub fn exited(request_id: &str, exit: &Exit) -> ErrorBody {
        ErrorBody::typed("Runtime.ExitError", &format!("RequestId: {request_id} Error: {exit}"))
    }

    /// The function took longer than its `Timeout`. Without a type: what AWS sends, and its callers know it by that.
    pub fn timed_out(request_id: &str, limit: Duration) -> ErrorBody {
        let moment = clock::rfc3339(clock::now_ms());
        let message =
            format!("{moment} {request_id} Task timed out after {:.2} seconds", limit.as_secs_f64());
        ErrorBody { error_type: None, body: json!({ "errorMessage": message }).to_string().into() }
    }

    /// The function's answer was larger than any answer may be.
    pub fn response_too_large() -> ErrorBody {
        let text = format!(
            "Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes)."
        );
        ErrorBody::typed("Function.ResponseSizeTooLarge", &text)
    }

    /// The start command cannot be run.
    pub fn invalid_entrypoint(request_id: &str, problem: &str) -> ErrorBody {
        ErrorBody::typed("Runtime.InvalidEntrypoint", &format!("RequestId: {request_id} Error: {problem}"))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit { problem: Some(problem), .. } => write!(f, "Runtime was lost: {problem}"),
            Exit { signal: Some(signal), .. } => {
                write!(f, "Runtime exited with error: signal: {}", signal_name(*signal))
            }
            Exit { code: Some(0) | None, .. } => f.write_str("Runtime exited without providing a reason"),
            Exit { code: Some(code), .. } => write!(f, "Runtime exited with error: exit status {code}"),
        }
    }
}

/// A signal in the words that Lambda uses for it.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        15 => "terminated",
        31 => "bad system call",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

/// The bytes of a base64 text, if it is one.
pub(crate) fn from_base64(text: &str) -> Option<Bytes> {
    base64::engine::general_purpose::STANDARD.decode(text).ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_read_from_the_body_first() {
        let cases = [
            (r#"{"errorType":"KeyError","errorMessage":"x"}"#, Some("H"), Some("KeyError")),
            (r#"{"errorMessage":"x"}"#, Some("H"), Some("H")),
            (r#"{"errorMessage":"x"}"#, None, None),
            ("[1]", Some("H"), Some("H")),
            (r#"{"errorType":7}"#, None, None),
        ];
        for (body, header, expected) in cases {
            let error = ErrorBody::posted(Bytes::from(body), header.map(str::to_owned));
            assert_eq!(error.error_type.as_deref(), expected, "{body}");
            assert_eq!(error.body, body);
        }
        let wrapped = ErrorBody::posted(Bytes::from("oh no"), None);
        assert_eq!(wrapped.body, r#"{"errorType":"Runtime.Unknown","errorMessage":"oh no"}"#);
    }

    #[test]
    fn exits_read_as_on_lambda() {
        let exit = |code, signal| Exit { code, signal, ..Exit::default() };
        let cases = [
            (exit(Some(1), None), "Runtime exited with error: exit status 1"),
            (exit(Some(0), None), "Runtime exited without providing a reason"),
            (exit(None, Some(9)), "Runtime exited with error: signal: killed"),
            (exit(None, Some(11)), "Runtime exited with error: signal: segmentation fault"),
            (exit(None, Some(64)), "Runtime exited with error: signal: signal 64"),
        ];
        for (exit, text) in cases {
            assert_eq!(exit.to_string(), text);
        }
    }

    #[test]
    fn a_timeout_has_no_type() {
        let error = ErrorBody::timed_out("id-1", Duration::from_millis(3000));
        let value: serde_json::Value = serde_json::from_slice(&error.body).unwrap();
        let message = value["errorMessage"].as_str().unwrap();
        assert!(message.ends_with("Z id-1 Task timed out after 3.00 seconds"), "{message}");
        assert_eq!((value.get("errorType"), error.error_type), (None, None));
    }
}
