//! The functions a path may end with: `.length()`, `.sum($.more, 1)` and their like, as Jayway's library has them.
//!
//! A function works on the one value before it: behind an indefinite path it is applied to each match. (Behind a `..`
//! that comes first it gets all matches at once, because `$..a.sum()` is read as `$.sum($..a)`; the parser does that.)
//! Aggregates look at the numbers of an array and at their arguments, and answer doubles.
//!
//! In three places the library answers nonsense, and we answer what was asked for: the maximum of negative numbers, the
//! last item of an array of one, and an index from the end that reaches the first item.

use std::fmt;

use super::PathMiss;
use super::select::{Route, Walk};
use super::token::{self, Token};
use crate::json::Json;

/// A function and its arguments.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) function: Function,
    pub(super) arguments: Vec<Argument>,
}

/// An argument of a function.
#[derive(Clone, Debug)]
pub(super) enum Argument {
    Literal(Json),
    /// A path from the document.
    Path(Vec<Token>),
}

/// A function at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Length,
    Size,
    Keys,
    First,
    Last,
    Index,
    Concat,
    Append,
    Min,
    Max,
    Sum,
    Avg,
    Stddev,
}

/// The longest text that `.concat()` makes, in bytes: far above every payload limit.
const TEXT_MAX: usize = 16 * 1024 * 1024;

const NAMES: [(&str, Function); 13] = [
    ("length", Function::Length),
    ("size", Function::Size),
    ("keys", Function::Keys),
    ("first", Function::First),
    ("last", Function::Last),
    ("index", Function::Index),
    ("concat", Function::Concat),
    ("append", Function::Append),
    ("min", Function::Min),
    ("max", Function::Max),
    ("sum", Function::Sum),
    ("avg", Function::Avg),
    ("stddev", Function::Stddev),
];

impl Function {
    pub(super) fn named(name: &str) -> Option<Function> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
    }

    fn name(self) -> &'static str {
        NAMES.iter().find(|(_, function)| *function == self).map_or("", |(name, _)| name)
    }

    /// Whether the function makes anything of arguments; the library would not complain about those it ignores.
    pub(super) fn takes_arguments(self) -> bool {
        !matches!(self, Function::Length | Function::Size | Function::Keys | Function::First | Function::Last)
    }
}

impl Call {
    /// `$..a.function()`: `descent` from the document's root, as the only argument. The length is that of everything
    /// directly below the matches, as if they were one array.
    pub(super) fn over_descent(self, mut descent: Vec<Token>) -> Call {
        if let Function::Length | Function::Size = self.function {
            descent.push(Token::Wildcard);
        }
        Call { function: self.function, arguments: vec![Argument::Path(descent)] }
    }

    pub(super) fn apply(&self, value: &Json, walk: &Walk) -> Result<Json, PathMiss> {
        let arguments = self.arguments.iter().map(|argument| argument.value(walk));
        let arguments: Vec<Json> = arguments.collect::<Result<_, _>>()?;
        let items = value.as_array();
        walk.step(items.map_or(1, <[Json]>::len))?;
        match self.function {
            Function::Length | Function::Size => Ok(match arguments.first().unwrap_or(value) {
                Json::Array(items) => Json::from(items.len()),
                Json::Object(members) => Json::from(members.len()),
                _ => Json::Null,
            }),
            Function::Keys => Ok(match value {
                Json::Object(members) => Json::array(members.keys().cloned()),
                _ => Json::Null,
            }),
            Function::First => nth(items, 0),
            Function::Last => nth(items, -1),
            Function::Index => match numbers(None, &arguments).first() {
                Some(index) => nth(items, *index as i64),
                None => Err(refused("The function index() needs a number".into())),
            },
            Function::Concat => {
                let own = items.unwrap_or_default().iter().filter_map(Json::as_str).map(String::from);
                let mut text: String = own.collect();
                arguments.iter().try_for_each(|argument| join(argument, &mut text))?;
                walk.work().scan(text.len())?;
                Ok(Json::from(text))
            }
            Function::Append => Ok(match items {
                Some(items) => Json::from([items, &arguments].concat()),
                None => value.clone(),
            }),
            aggregate => aggregate.over(&numbers(items, &arguments)),
        }
    }
}

impl Function {
    fn over(self, numbers: &[f64]) -> Result<Json, PathMiss> {
        if numbers.is_empty() {
            return Err(nothing_to_aggregate());
        }
        let count = numbers.len() as f64;
        let sum: f64 = numbers.iter().sum();
        Ok(Json::from(match self {
            Function::Min => numbers.iter().copied().fold(f64::INFINITY, f64::min),
            Function::Max => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Function::Avg => sum / count,
            Function::Stddev => {
                let squares: f64 = numbers.iter().map(|number| number * number).sum();
                (squares / count - sum * sum / count / count).max(0.0).sqrt()
            }
            _ => sum,
        }))
    }
}

impl Argument {
    fn value(&self, walk: &Walk) -> Result<Json, PathMiss> {
        match self {
            Argument::Literal(value) => Ok(value.clone()),
            Argument::Path(tokens) => {
                walk.select(Route::lenient(tokens), token::are_definite(tokens), walk.document())
            }
        }
    }
}

/// The call as it prints in a path: what its arguments are is left out.
impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}({})", self.function.name(), if self.arguments.is_empty() { "" } else { "..." })
    }
}

/// The numbers among `items`, and those that the arguments are or hold.
fn numbers(items: Option<&[Json]>, arguments: &[Json]) -> Vec<f64> {
    let argued = arguments.iter().flat_map(|argument| match argument {
        Json::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    });
    items.unwrap_or_default().iter().chain(argued).filter_map(Json::as_f64).collect()
}

/// Appends what an argument adds to a concatenation: itself, or each item of a list, in Java's form; nothing for
/// `null`.
fn join(argument: &Json, text: &mut String) -> Result<(), PathMiss> {
    let items = match argument {
        Json::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    let mut present = items.iter().filter(|item| !item.is_null());
    present.try_for_each(|item| item.write_java_within(TEXT_MAX, text)).map_err(|_| PathMiss::TooMuchWork)
}

fn nth(items: Option<&[Json]>, index: i64) -> Result<Json, PathMiss> {
    let items = items.ok_or_else(nothing_to_aggregate)?;
    let position = if index < 0 { index + items.len() as i64 } else { index };
    let item = usize::try_from(position).ok().and_then(|position| items.get(position));
    item.cloned()
        .ok_or_else(|| refused(format!("Target index:{index} larger than object count:{}", items.len())))
}

fn nothing_to_aggregate() -> PathMiss {
    refused("Aggregation function attempted to calculate value using empty array".into())
}

fn refused(reason: String) -> PathMiss {
    PathMiss::Refused { reason }
}
