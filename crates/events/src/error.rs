//! What EventBridge refuses, as its clients see it: a code, a status, a text.

use crate::pattern::PatternError;

/// A refusal in AWS's words; the server renders it as `{"__type": code, "message": message}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct EventsError {
    /// The exception's name.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The text.
    pub message: String,
}

impl EventsError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let status = match code {
            "InternalException" => 500,
            _ => 400,
        };
        Self { code, status, message: message.into() }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    pub(crate) fn no_rule(bus: &str, rule: &str) -> Self {
        Self::new("ResourceNotFoundException", format!("Rule {rule} does not exist on EventBus {bus}."))
    }

    pub(crate) fn no_bus(bus: &str) -> Self {
        Self::new("ResourceNotFoundException", format!("Event bus {bus} does not exist."))
    }

    /// Ours, not the caller's.
    pub(crate) fn internal(what: impl std::fmt::Display) -> Self {
        Self::new("InternalException", format!("The event store could not be used: {what}"))
    }
}

impl From<PatternError> for EventsError {
    fn from(error: PatternError) -> Self {
        Self::new("InvalidEventPatternException", error.to_string())
    }
}
