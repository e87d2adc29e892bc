//! What a path can see while it is evaluated: the input, the context object, the variables.
//!
//! The context object is behind a trait because most states never look at it: it is built when a path first asks.

use std::cell::LazyCell;

use super::{Path, Root, Work};
use crate::json::{Json, Object};

/// The values that paths start from.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// What `$` names.
    pub input: &'a Json,
    /// What `$$` names.
    pub context: &'a dyn Context,
    /// What `$name` names.
    pub variables: &'a dyn Variables,
    /// What all evaluations in this scope may still do together.
    pub work: &'a Work,
}

/// A holder of the context object: the object itself, or a `LazyCell` that builds it at the first use.
pub trait Context {
    /// The context object.
    fn context(&self) -> &Json;
}

impl Context for Json {
    fn context(&self) -> &Json {
        self
    }
}

impl<F: FnOnce() -> Json> Context for LazyCell<Json, F> {
    fn context(&self) -> &Json {
        self
    }
}

/// The variables that a state can see.
pub trait Variables {
    /// The value of the variable called `name` (without its `$`), if it was assigned.
    fn variable(&self, name: &str) -> Option<Json>;
}

impl Variables for Object {
    fn variable(&self, name: &str) -> Option<Json> {
        self.get(name).cloned()
    }
}

/// No variables at all.
impl Variables for () {
    fn variable(&self, _name: &str) -> Option<Json> {
        None
    }
}

/// How much of a document a cause shows, in bytes: four times the largest payload AWS takes.
const SHOWN_MAX: usize = 1024 * 1024;

impl Scope<'_> {
    /// The text of the document that `path` starts from, for messages; of the input where that variable is unknown.
    pub(crate) fn shown(&self, path: &Path) -> String {
        let variable;
        let document = match path.root() {
            Root::Input => self.input,
            Root::Context => self.context.context(),
            Root::Variable(name) => {
                variable = self.variables.variable(name);
                variable.as_ref().unwrap_or(self.input)
            }
        };
        document.to_text_within(SHOWN_MAX).unwrap_or_else(|_| format!("a large {}", document.type_name()))
    }
}
