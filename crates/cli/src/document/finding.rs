//! One thing wrong with a document, and where to look.
//!
//! It refuses to know who found it and how it is shown.

use std::borrow::Cow;
use std::ops::Range;

/// How bad a finding is, as `ValidateStateMachineDefinition` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    Error,
    Warning,
}

impl Severity {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
        }
    }
}

/// One thing wrong, and the bytes of the source to look at.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// As `asl` gives it; absent for what has no place in JSON.
    pub(crate) location: Option<String>,
    pub(crate) span: Range<usize>,
    pub(crate) help: Option<Cow<'static, str>>,
}
