//! One expression: compiled with its definition, evaluated with its state, blamed by its field.

use std::fmt;
use std::sync::Arc;

use super::{Evaluation, Jsonata, Program, Refusal, Sees, Thrown};
use crate::diagnostic::Code;
use crate::json::Json;

/// A compiled expression of a definition.
#[derive(Clone, Debug)]
pub struct Expression {
    source: Arc<str>,
    field: Arc<str>,
    program: Program,
}

/// What a field wants of its expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Any value.
    Any,
    /// `true` or `false`.
    Boolean,
    /// An array.
    Array,
    /// A string.
    String,
    /// A whole number from 0 on.
    Integer,
    /// A number.
    Number,
    /// An object.
    Object,
}

impl Expected {
    fn name(self) -> &'static str {
        match self {
            Expected::Any => "any",
            Expected::Boolean => "boolean",
            Expected::Array => "array",
            Expected::String => "string",
            Expected::Integer => "integer",
            Expected::Number => "number",
            Expected::Object => "object",
        }
    }

    fn fits(self, value: &Json) -> bool {
        match (self, value) {
            (Expected::Any, _)
            | (Expected::Boolean, Json::Bool(_))
            | (Expected::Array, Json::Array(_))
            | (Expected::String, Json::String(_))
            | (Expected::Number, Json::Number(_))
            | (Expected::Object, Json::Object(_)) => true,
            (Expected::Integer, Json::Number(_)) => {
                value.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            _ => false,
        }
    }
}

/// Why a field got no value: `States.QueryEvaluationError`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryFailure {
    /// The field, as `Output/a/b[0]`.
    pub location: Option<Arc<str>>,
    /// The cause, without the state's prefix.
    pub text: String,
}

impl fmt::Display for QueryFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl std::error::Error for QueryFailure {}

impl Expression {
    /// Compiles the text between the delimiters. `field` is where it stands in its state, as `Choices[1]/Condition`.
    ///
    /// # Errors
    /// The evaluator refuses it, or it names a member of `$states` that is not there.
    pub fn compile(
        jsonata: &dyn Jsonata,
        source: &str,
        field: &str,
        sees: Sees,
    ) -> Result<Expression, Refusal> {
        let program = jsonata.compile(source)?;
        if let Some(member) = program.states.iter().find(|member| !sees.has(member)) {
            let message = format!("Field '$states.{member}' does not exist.");
            return Err(Refusal { code: Code::UnsupportedJsonata, message });
        }
        Ok(Expression { source: source.into(), field: field.into(), program })
    }

    /// The names that it reads.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Its value, of the type that its field wants.
    ///
    /// # Errors
    /// It threw, gave nothing, or gave something else; the texts are AWS's (recorded).
    pub fn evaluate(
        &self,
        evaluation: &mut dyn Evaluation,
        expected: Expected,
    ) -> Result<Json, QueryFailure> {
        match evaluation.evaluate(&self.program) {
            Ok(Some(value)) if expected.fits(&value) => Ok(value),
            Ok(Some(value)) => Err(self.failure(format_args!(
                "returned an unexpected result type. Expected '{}', but was '{}' for value: {}",
                expected.name(),
                value.type_name(),
                shown(&value)
            ))),
            Ok(None) => Err(self.failure("returned nothing (undefined).")),
            Err(Thrown::Error(text)) => {
                Err(self.failure(format_args!("threw an error during evaluation. {text}")))
            }
            Err(Thrown::Limit(text)) => {
                Err(self.failure(format_args!("threw an error during evaluation: {text}")))
            }
            Err(Thrown::Function) => Err(self.failure("returned an unsupported result type.")),
            Err(Thrown::Internal) => Err(self.failure("threw an internal error during evaluation.")),
        }
    }

    /// A failure of this expression, in the sentence that begins with it.
    pub fn failure(&self, what: impl fmt::Display) -> QueryFailure {
        let text = format!(
            "The JSONata expression '{}' specified for the field '{}' {what}",
            self.source, self.field
        );
        QueryFailure { location: Some(self.field.clone()), text }
    }
}

/// A value that is not what was expected may be large; a cause need not be.
const SHOWN_BYTES_MAX: usize = 4096;

fn shown(value: &Json) -> String {
    value.to_text_within(SHOWN_BYTES_MAX).unwrap_or_else(|_| "…".to_owned())
}
