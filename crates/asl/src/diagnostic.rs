//! What is wrong with a definition, and where: data with a location, never a panic and never a half-built machine.
//!
//! The codes and texts are those of `ValidateStateMachineDefinition` where AWS's are known; a location is the path
//! of the field (`/States/Name/Field`), `/` for the definition itself, line and column of a text that is not JSON.

use std::fmt;

/// The kind of problem, as `ValidateStateMachineDefinition` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The definition is not JSON.
    InvalidJson,
    /// A field is missing, unknown, of the wrong type or out of range.
    Schema,
    /// A transition names a state that is not in its container, or nothing leads to a state.
    MissingTransitionTarget,
    /// A container has no state that ends it.
    MissingEndState,
    /// Two states of the machine share a name.
    DuplicateStateName,
    /// An expression is not JSONata.
    InvalidJsonata,
    /// An expression is JSONata, and uses what state machines do not have.
    UnsupportedJsonata,
}

impl Code {
    /// The code on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::InvalidJson => "INVALID_JSON_DESCRIPTION",
            Code::Schema => "SCHEMA_VALIDATION_FAILED",
            Code::MissingTransitionTarget => "MISSING_TRANSITION_TARGET",
            Code::MissingEndState => "MISSING_END_STATE",
            Code::DuplicateStateName => "DUPLICATE_STATE_NAME",
            Code::InvalidJsonata => "INVALID_JSONATA_EXPRESSION",
            Code::UnsupportedJsonata => "UNSUPPORTED_JSONATA_EXPRESSION",
        }
    }
}

/// One problem of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of problem.
    pub code: Code,
    /// AWS's text where it is known.
    pub message: String,
    /// Where: a field's path, the place in a text that is not JSON, or absent when the text is JSON and no object.
    pub location: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)?;
        match &self.location {
            // The reader's own message ends with its place.
            Some(location) if !self.message.ends_with(location) => write!(f, " at {location}"),
            _ => Ok(()),
        }
    }
}

/// The problems found so far, in the order of the definition.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics(pub(crate) Vec<Diagnostic>);

impl Diagnostics {
    pub(crate) fn schema(&mut self, location: impl Into<String>, message: impl Into<String>) {
        self.push(Code::Schema, location, message);
    }

    pub(crate) fn push(&mut self, code: Code, location: impl Into<String>, message: impl Into<String>) {
        self.0.push(Diagnostic { code, message: message.into(), location: Some(location.into()) });
    }
}
