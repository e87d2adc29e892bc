//! Why an invocation failed, and the error name that a state machine sees, so that `Retry` and `Catch` can tell
//! a bad image (never again) from a bucket out of reach (try again).

use lambda_runtime::Diagnostic;

/// Why an invocation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The event, or the environment that completes it, does not say what to do.
    #[error("{field} {problem}")]
    Request { field: String, problem: String },
    /// The object store answered with an error of its own.
    #[error("{operation} {bucket}/{key}: {status} {code}: {message}")]
    Store { operation: &'static str, bucket: String, key: String, status: u16, code: String, message: String },
    /// The object store did not answer.
    #[error("{operation} {bucket}/{key}: {problem}; check AWS_ENDPOINT_URL and the network")]
    Unreachable { operation: &'static str, bucket: String, key: String, problem: String },
    /// The image, or what to do with it, is wrong.
    #[error("{key}: {error}")]
    Image { key: String, error: rolling_ball::Error },
    /// The work was torn down.
    #[error("the computation ended abnormally: {0}")]
    Aborted(String),
}

impl Failure {
    /// The name that `ErrorEquals` is compared with.
    fn name(&self) -> String {
        use rolling_ball::Error;
        match self {
            Self::Request { .. } => "InvalidRequest".to_owned(),
            Self::Store { code, .. } => code.clone(),
            Self::Unreachable { .. } => "StorageUnreachable".to_owned(),
            Self::Image { error, .. } => match error {
                Error::Radius(_) | Error::UnknownMethod(_) => "InvalidRequest",
                Error::NotEightBit(_) => "UnsupportedImage",
                Error::TooLarge { .. } => "ImageTooLarge",
                Error::Encode(_) => "ImageEncodeError",
                _ => "ImageDecodeError",
            }
            .to_owned(),
            Self::Aborted(_) => "ComputationAborted".to_owned(),
        }
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.name(), error_message: failure.to_string() }
    }
}
