//! Why a definite path names nothing, in the words of AWS's causes.

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
        /// The index, in brackets.
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
    /// A function at the end of the path cannot work on what it got.
    Function {
        /// What it says.
        reason: String,
    },
    /// The path visits more values than one evaluation may.
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
            PathMiss::IsNull { path } => write!(out, "The path {path} is null"),
            PathMiss::UnknownVariable { name } => write!(out, "The variable '${name}' is not defined"),
            PathMiss::Function { reason } => out.write_str(reason),
            PathMiss::TooMuchWork => write!(
                out,
                "The path visits more than {} values; select less of the document",
                super::STEPS_MAX
            ),
        }
    }
}

impl std::error::Error for PathMiss {}
