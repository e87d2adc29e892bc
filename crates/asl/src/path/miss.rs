//! Why a path names nothing, in the words of AWS's causes, which are those of Jayway's library.

use std::fmt;
use std::sync::Arc;

use super::Path;

/// Why there is no value. The text is what AWS writes behind `Invalid path '…' : `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMiss {
    /// The last name or an index is not there.
    NoResults {
        /// The whole path, in bracket notation.
        path: String,
    },
    /// A name before the last is not there.
    MissingProperty {
        /// The path up to that name, in bracket notation.
        path: String,
    },
    /// A name was asked of something that is not an object.
    NotAnObject {
        /// The name, in bracket notation.
        property: String,
        /// Where that something is.
        path: String,
        /// What it is, as AWS names types.
        found: &'static str,
    },
    /// An index was asked of something that is not an array.
    NotAnArray {
        /// The index or slice and what follows it, in bracket notation.
        selector: String,
        /// The value found instead.
        found: String,
    },
    /// A filter was asked of something that is neither an array nor an object.
    NothingToFilter {
        /// The filter and what follows it, in bracket notation.
        selector: String,
        /// The value found instead.
        found: String,
    },
    /// An index was asked of `null`.
    IsNull {
        /// Where the `null` is.
        path: String,
    },
    /// The path starts from a variable that nobody assigned.
    UnknownVariable {
        /// The variable's name.
        name: Arc<str>,
    },
    /// A function or a comparison cannot work on what it got.
    Refused {
        /// What it says.
        reason: String,
    },
    /// The paths of a field visit more values than one evaluation may.
    TooMuchWork,
}

impl PathMiss {
    /// The cause that AWS gives when `path`, the value of a field such as `InputPath`, names nothing.
    pub fn cause(&self, path: &Path) -> String {
        match self {
            PathMiss::UnknownVariable { .. } => format!("Invalid path '{path}' : {self}"),
            _ => format!("Invalid path '{}' : {self}", path.from_document()),
        }
    }

    /// Whether what the path asks for is simply not there. An indefinite path then gives `[]`, and inside a filter it
    /// has no value; everything else is a fault of the path.
    pub(super) fn is_absence(&self) -> bool {
        match self {
            PathMiss::NoResults { .. }
            | PathMiss::MissingProperty { .. }
            | PathMiss::NotAnObject { .. }
            | PathMiss::NotAnArray { .. }
            | PathMiss::IsNull { .. } => true,
            PathMiss::NothingToFilter { .. }
            | PathMiss::UnknownVariable { .. }
            | PathMiss::Refused { .. }
            | PathMiss::TooMuchWork => false,
        }
    }
}

impl fmt::Display for PathMiss {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathMiss::NoResults { path } => write!(out, "No results for path: {path}"),
            PathMiss::MissingProperty { path } => write!(out, "Missing property in path {path}"),
            PathMiss::NotAnObject { property, path, found } => write!(
                out,
                "Expected to find an object with property {property} in path {path} but found '{found}'. \
                 This is not a json object according to the JsonProvider: \
                 'com.jayway.jsonpath.spi.json.JacksonJsonProvider'."
            ),
            PathMiss::NotAnArray { selector, found } => {
                write!(out, "Filter: {selector} can only be applied to arrays. Current context is: {found}")
            }
            PathMiss::NothingToFilter { selector, found } => {
                write!(
                    out,
                    "Filter: {selector} can not be applied to primitives. Current context is: {found}"
                )
            }
            PathMiss::IsNull { path } => write!(out, "The path {path} is null"),
            PathMiss::UnknownVariable { name } => write!(out, "The variable '${name}' is not defined"),
            PathMiss::Refused { reason } => out.write_str(reason),
            PathMiss::TooMuchWork => write!(
                out,
                "The paths of a field may visit {} values, and these visit more; select less of the document",
                super::STEPS_MAX
            ),
        }
    }
}

impl std::error::Error for PathMiss {}
