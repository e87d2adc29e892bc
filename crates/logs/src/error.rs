//! What a request is refused with: the names and texts of CloudWatch Logs.

/// A request that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct LogsError {
    /// The error's name.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The text.
    pub message: String,
}

impl LogsError {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        LogsError { code, status: 400, message: message.into() }
    }

    pub(crate) fn no_group() -> Self {
        LogsError::new("ResourceNotFoundException", "The specified log group does not exist.")
    }

    pub(crate) fn no_stream() -> Self {
        LogsError::new("ResourceNotFoundException", "The specified log stream does not exist.")
    }

    pub(crate) fn group_exists() -> Self {
        LogsError::new("ResourceAlreadyExistsException", "The specified log group already exists")
    }

    pub(crate) fn limit(what: impl Into<String>) -> Self {
        LogsError::new("LimitExceededException", what)
    }

    pub(crate) fn invalid(why: impl Into<String>) -> Self {
        LogsError::new("InvalidParameterException", why)
    }

    pub(crate) fn malformed(why: impl Into<String>) -> Self {
        LogsError::new("SerializationException", why)
    }

    pub(crate) fn unknown(operation: &str) -> Self {
        let why = format!("Loveless does not support the operation {operation} of CloudWatch Logs");
        LogsError::new("UnknownOperationException", why)
    }

    pub(crate) fn io(what: &str, error: &std::io::Error) -> Self {
        LogsError { code: "ServiceUnavailableException", status: 503, message: format!("{what}: {error}") }
    }
}
