//! JSONPath as AWS speaks it: the selectors of Jayway's library on the input, the context object or a variable.
//!
//! A path is compiled once, with its definition, and selects many times. A definite path gives the one value it names
//! or says why there is none; an indefinite one (wildcard, slice, filter, `..`) gives an array of its matches, `[]`
//! when there are none, even below something missing. [`ReferencePath`] is the writable subset.
//!
//! It refuses to know which state asks and which field it asks for; the words of a [`PathMiss`] are AWS's, their frame
//! is the caller's. No existing crate has this dialect: they follow RFC 9535, which has no definite paths, no names
//! with dashes, and other filters. `tests/path-jayway.json` holds what Jayway's library itself answers, and says where
//! and why ours differs.
//!
//! ```text
//!  text ─ parse ─► Path { root, tokens } ─ select(scope) ─► Json | PathMiss
//!                     │                      └ definite: a straight walk; indefinite: matches, within a work budget
//!                     └ Scope { input, context (built when asked for), variables, work }
//! ```

mod decimal;
mod filter;
mod filter_parse;
mod function;
mod miss;
mod parse;
mod pattern;
mod reference;
mod relaxed;
mod scope;
mod select;
mod token;
mod value;
mod work;

use std::fmt;
use std::sync::Arc;

use crate::json::Json;
use token::Token;

pub use miss::PathMiss;
pub use parse::PathError;
pub use reference::{ReferencePath, SetError};
pub use scope::{Context, Scope, Variables};
pub use work::{STEPS_MAX, Work};

/// What a path starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// `$`: the state's input, or the value that takes its place in the field.
    Input,
    /// `$$`: the context object.
    Context,
    /// `$name`: a variable.
    Variable(Arc<str>),
}

/// A compiled path. Its text, as written, is its `Display` and its identity.
#[derive(Clone, Debug)]
pub struct Path {
    text: Arc<str>,
    root: Root,
    tokens: Vec<Token>,
    definite: bool,
}

impl Path {
    /// Compiles `text`.
    pub fn parse(text: &str) -> Result<Path, PathError> {
        let (root, tokens) = parse::path(text)?;
        let definite = token::are_definite(&tokens);
        Ok(Path { text: text.into(), root, tokens, definite })
    }

    /// The path as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What the path starts from.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The name of the variable the path starts from, if it does.
    pub fn variable(&self) -> Option<&Arc<str>> {
        match &self.root {
            Root::Variable(name) => Some(name),
            Root::Input | Root::Context => None,
        }
    }

    /// Whether the path is exactly `$`, `$$` or a variable's name.
    pub fn is_whole(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Whether the path names at most one value (which makes its result that value and not an array).
    pub fn is_definite(&self) -> bool {
        self.definite
    }

    /// Whether the path is made of single names and indices only, as fields that take a reference path demand.
    pub fn is_reference(&self) -> bool {
        self.tokens.iter().all(Token::is_reference)
    }

    /// The path as seen from its own document, always starting with one `$`; AWS's causes name context paths so.
    pub fn from_document(&self) -> String {
        let behind = match &self.root {
            Root::Input => return self.text.to_string(),
            Root::Context => "$$".len(),
            Root::Variable(name) => "$".len() + name.len(),
        };
        format!("${}", &self.text.trim_start()[behind..])
    }

    /// What the path names in `scope`: the value of a definite path, the array of an indefinite path's matches.
    pub fn select(&self, scope: &Scope) -> Result<Json, PathMiss> {
        match &self.root {
            Root::Input => self.select_in(scope.input, scope.work),
            Root::Context => self.select_in(scope.context.context(), scope.work),
            Root::Variable(name) => match scope.variables.variable(name) {
                Some(value) => self.select_in(&value, scope.work),
                None => Err(PathMiss::UnknownVariable { name: name.clone() }),
            },
        }
    }

    /// What the path names in `document`, whatever its root is.
    pub fn select_in(&self, document: &Json, work: &Work) -> Result<Json, PathMiss> {
        select::select(&self.tokens, self.definite, document, work)
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Path) -> bool {
        self.text == other.text
    }
}

impl Eq for Path {}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
