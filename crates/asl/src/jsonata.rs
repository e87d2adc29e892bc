//! JSONata, as the language uses it: expressions between `{%` and `%}` in place of values.
//!
//! ```text
//!   "{% $states.input.a %}" ──compile──► Expression ──evaluate──► value, or why there is none
//!                                │                       │
//!                            Jsonata (a trait)       Evaluation (a trait)
//! ```
//!
//! This module knows where an expression may stand, what it may name and how its failure reads. It refuses to know how
//! one is parsed and run: that is an implementation of [`Jsonata`], which lives outside this crate because it reads
//! clocks to bound an evaluation and brings a library that others need not inherit.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::diagnostic::Code;
use crate::json::Json;

mod expression;
mod template;

pub use expression::{Expected, Expression, QueryFailure};
pub(crate) use template::Misplaced;
pub use template::Template;

/// Compiles and evaluates expressions. Programs go back only to the implementation that made them.
pub trait Jsonata: fmt::Debug + Send + Sync {
    /// Compiles the text between the delimiters.
    ///
    /// # Errors
    /// The text is not JSONata, or names what an expression of a state machine cannot have.
    fn compile(&self, source: &str) -> Result<Program, Refusal>;

    /// Begins evaluations that share their surroundings: what one of them needed is there for the next.
    fn begin<'a>(&'a self, surroundings: &'a dyn Surroundings) -> Box<dyn Evaluation + 'a>;
}

/// A compiled expression and the names that it reads.
#[derive(Clone)]
pub struct Program {
    /// What the implementation runs.
    pub code: Arc<dyn Any + Send + Sync>,
    /// The variables that it takes from its surroundings, without `$`: each once, in the order of the text.
    pub variables: Vec<Arc<str>>,
    /// The members of `$states` that it names: each once, in the order of the text.
    pub states: Vec<Arc<str>>,
    /// Whether it uses `$states` other than by naming a member: then it may need all of them.
    pub whole_states: bool,
}

impl fmt::Debug for Program {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Program")
            .field("variables", &self.variables)
            .field("states", &self.states)
            .field("whole_states", &self.whole_states)
            .finish_non_exhaustive()
    }
}

/// Why an expression cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// [`Code::InvalidJsonata`] or [`Code::UnsupportedJsonata`].
    pub code: Code,
    /// AWS's text.
    pub message: String,
}

/// What expressions see. Asked only for what a program names.
pub trait Surroundings {
    /// `$states.input`, `$states.result`, `$states.errorOutput`, `$states.context`; `None` where there is none.
    fn states(&self, member: &str) -> Option<Json>;

    /// The value of a variable, without `$`.
    fn variable(&self, name: &str) -> Option<Json>;

    /// `$now` and `$millis`: milliseconds since the epoch.
    fn now_ms(&self) -> i64;

    /// Where `$random`, `$uuid` and `$shuffle` begin.
    fn seed(&self) -> u64;

    /// Milliseconds that all evaluations in these surroundings may take together, besides the evaluator's own bound for
    /// each.
    fn budget_ms(&self) -> u64 {
        u64::MAX
    }
}

/// Evaluations in the same surroundings.
pub trait Evaluation {
    /// The program's value; `None` when it is undefined.
    ///
    /// # Errors
    /// See [`Thrown`].
    fn evaluate(&mut self, program: &Program) -> Result<Option<Json>, Thrown>;

    /// Milliseconds of work so far in this evaluation: a step of an execution is bounded by it.
    fn spent_ms(&self) -> u64;
}

/// Why an evaluation gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thrown {
    /// The expression failed: JSONata's code and message, as `T1006: Attempted to invoke a non-function`.
    Error(String),
    /// It met a bound of time, depth or memory.
    Limit(String),
    /// Its value is a function.
    Function,
    /// The evaluator itself failed.
    Internal,
}

/// The names under `$states`, besides `input` and `context`, that an expression sees where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    /// Nothing more.
    Input,
    /// `$states.result`.
    Result,
    /// `$states.errorOutput`.
    Error,
}

impl Sees {
    /// Whether there is such a member here.
    pub fn has(self, member: &str) -> bool {
        match member {
            "input" | "context" => true,
            "result" => self == Sees::Result,
            "errorOutput" => self == Sees::Error,
            _ => false,
        }
    }
}

/// The text of an expression, if a string is one: it begins with `{%` and ends with `%}`, with nothing around them.
pub fn source(text: &str) -> Option<&str> {
    Some(text.strip_prefix("{%")?.strip_suffix("%}")?.trim())
}

/// No evaluator at all: every expression is refused. For whoever works with JSONPath alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoJsonata;

impl Jsonata for NoJsonata {
    fn compile(&self, _source: &str) -> Result<Program, Refusal> {
        let message = "JSONata is not available here".to_owned();
        Err(Refusal { code: Code::UnsupportedJsonata, message })
    }

    fn begin<'a>(&'a self, _surroundings: &'a dyn Surroundings) -> Box<dyn Evaluation + 'a> {
        Box::new(NoJsonata)
    }
}

impl Evaluation for NoJsonata {
    fn evaluate(&mut self, _program: &Program) -> Result<Option<Json>, Thrown> {
        Err(Thrown::Internal)
    }

    fn spent_ms(&self) -> u64 {
        0
    }
}
