//! Intrinsic functions: `States.Format('{}', $.name)` and the other seventeen of JSONPath mode.
//!
//! A call is parsed once, with its definition, down to functions, paths and literals; evaluating it needs a scope and,
//! for `States.UUID` and `States.MathRandom`, a source of chance handed in by the caller. It refuses to know where
//! calls are allowed and what happens to the state when one fails: a [`Failure`] says which of the two error names
//! applies, the caller adds the state's prefix.

mod arrays;
mod function;
mod math;
mod parse;
mod texts;

use std::fmt;
use std::sync::Arc;

use crate::json::Json;
use crate::path::{Path, PathMiss, Scope, Work};
use function::Function;

pub use parse::CallError;

/// A parsed call of an intrinsic function. Its text, as written, is its `Display` and its identity.
#[derive(Clone, Debug)]
pub struct Call {
    text: Arc<str>,
    function: Function,
    arguments: Vec<Argument>,
}

/// An argument of a call.
#[derive(Clone, Debug)]
enum Argument {
    Literal(Json),
    /// A quoted text; `raw` still has its backslashes, which tell `\{` from `{` in a template.
    Text {
        value: Json,
        raw: Arc<str>,
    },
    Path(Path),
    Call(Call),
}

/// A source of chance. The caller decides where it comes from, so that a decision can be repeated.
pub trait Entropy {
    /// 64 evenly distributed bits.
    fn next_u64(&mut self) -> u64;

    /// A version 4 UUID in lower case.
    fn uuid(&mut self) -> String {
        let bits = (u128::from(self.next_u64()) << 64) | u128::from(self.next_u64());
        let versioned = bits & !(0xF << 76) | (4 << 76);
        let hex = format!("{:032x}", versioned & !(3 << 62) | (2 << 62));
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

/// Why a call gave no value. The text is the cause that AWS gives, without the state's prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The function refused its arguments.
    Intrinsic(String),
    /// An argument's path names nothing.
    Path(String),
}

impl Failure {
    /// The error name: `States.IntrinsicFailure` or `States.Runtime`.
    pub fn error(&self) -> &'static str {
        match self {
            Failure::Intrinsic(_) => "States.IntrinsicFailure",
            Failure::Path(_) => "States.Runtime",
        }
    }

    /// The cause, without the state's prefix.
    pub fn cause(&self) -> &str {
        match self {
            Failure::Intrinsic(cause) | Failure::Path(cause) => cause,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.cause())
    }
}

impl std::error::Error for Failure {}

impl Call {
    /// Parses `text`, which must be one call and nothing else.
    pub fn parse(text: &str) -> Result<Call, CallError> {
        parse::call(text)
    }

    /// The call as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The function's name, `States.Format` for one.
    pub fn name(&self) -> &'static str {
        self.function.name()
    }

    /// Every path among the arguments, also of nested calls.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        for argument in &self.arguments {
            match argument {
                Argument::Path(path) => paths.push(path),
                Argument::Call(call) => paths.extend(call.paths()),
                Argument::Literal(_) | Argument::Text { .. } => {}
            }
        }
        paths
    }

    /// The call's value in `scope`.
    pub fn evaluate(&self, scope: &Scope, entropy: &mut dyn Entropy) -> Result<Json, Failure> {
        let mut values = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            values.push(match argument {
                Argument::Literal(value) | Argument::Text { value, .. } => value.clone(),
                Argument::Path(path) => path.select(scope).map_err(|miss| self.miss(path, scope, &miss))?,
                Argument::Call(call) => call.evaluate(scope, entropy)?,
            });
        }
        let made = self.apply(&values, entropy, scope.work).and_then(|made| {
            scope.work.step(self.cost(&values, &made)).map_err(|_| too_much())?;
            Ok(made)
        });
        made.map_err(|reason| {
            Failure::Intrinsic(format!("The function '{self}' had the following error: {reason}"))
        })
    }

    /// What the call was in steps of the field's work, besides what the function has counted itself: its arguments, and
    /// what it made. Texts count by their length, also those that are read.
    fn cost(&self, values: &[Json], made: &Json) -> usize {
        let size = |value: &Json| match value {
            Json::String(text) => 1 + text.len() / TEXT_BYTES_PER_STEP,
            Json::Array(items) => 1 + items.len(),
            Json::Object(members) => 1 + members.len(),
            _ => 1,
        };
        let read = match self.function {
            // These hand their arguments on, or look at one item.
            Function::Array | Function::ArrayGetItem | Function::ArrayLength => values.len(),
            _ => values.iter().map(size).sum(),
        };
        read + size(made)
    }

    fn apply(&self, values: &[Json], entropy: &mut dyn Entropy, work: &Work) -> Result<Json, String> {
        match self.function {
            Function::Array => Ok(Json::from(values.to_vec())),
            Function::ArrayPartition => arrays::partition(&values[0], &values[1]),
            Function::ArrayContains => arrays::contains(&values[0], &values[1], work),
            Function::ArrayRange => arrays::range(&values[0], &values[1], &values[2]),
            Function::ArrayGetItem => arrays::item(&values[0], &values[1]),
            Function::ArrayLength => arrays::length(&values[0]),
            Function::ArrayUnique => arrays::unique(&values[0], work),
            Function::Base64Encode => texts::base64_encode(&values[0]),
            Function::Base64Decode => texts::base64_decode(&values[0]),
            Function::Hash => texts::hash(&values[0], &values[1]),
            Function::JsonMerge => texts::json_merge(&values[0], &values[1], &values[2]),
            Function::StringToJson => texts::string_to_json(&values[0]),
            Function::JsonToString => texts::json_to_string(&values[0]),
            Function::MathRandom => math::random(&values[0], &values[1], values.get(2), entropy),
            Function::MathAdd => math::add(&values[0], &values[1]),
            Function::StringSplit => texts::split(&values[0], &values[1]),
            Function::Uuid => Ok(Json::from(entropy.uuid())),
            Function::Format => texts::format(self.template(values)?, &values[1..]),
        }
    }

    /// The template of `States.Format` with its backslashes: from the definition, or as it came out of a path.
    fn template<'a>(&'a self, values: &'a [Json]) -> Result<&'a str, String> {
        match (&self.arguments[0], &values[0]) {
            (Argument::Text { raw, .. }, _) => Ok(raw),
            (_, value) => texts::text(value, "template"),
        }
    }

    fn miss(&self, path: &Path, scope: &Scope, miss: &PathMiss) -> Failure {
        if *miss == PathMiss::TooMuchWork {
            let cause = miss.cause(path);
            return Failure::Path(format!("The function '{self}' had the following error: {cause}"));
        }
        let shown = scope.shown(path);
        Failure::Path(format!(
            "The function '{self}' had the following error: \
             The JsonPath argument for the field '{path}' could not be found in the input '{shown}'"
        ))
    }
}

/// Bytes of text that a call reads or writes in the time of one step.
const TEXT_BYTES_PER_STEP: usize = 8;

fn too_much() -> String {
    format!("The functions of a field may look at {} values, and these look at more", crate::path::STEPS_MAX)
}

impl PartialEq for Call {
    fn eq(&self, other: &Call) -> bool {
        self.text == other.text
    }
}

impl Eq for Call {}

impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
