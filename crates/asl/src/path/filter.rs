//! Filter expressions, `[?(@.a == 1 && @.b)]`, by the rules of Jayway's library.
//!
//! An operator that can make nothing of a side (`in` with a number behind it, `empty` without a boolean) makes the whole
//! filter false, also below `!`. `all`, `type` and `matches` can be written, but there is nothing to write behind them
//! that they could use: they are always of that kind.
//!
//! A bare path asks whether it names anything. It starts from the element even if it is written with `$`, as the library
//! has it; an indefinite one always names something, if only `[]`. One answer is not the library's: a path that names
//! `false` counts as absent, as AWS's own local emulator was seen to have it.

use std::cmp::Ordering;
use std::sync::Arc;

use super::PathMiss;
use super::decimal::Decimal;
use super::function::Function;
use super::pattern::Pattern;
use super::select::{Route, Walk};
use super::token::Token;
use super::value::{Fault, Value};
use crate::json::{Json, Number};

/// A condition on one element.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    /// Whether the path's naming something is what is `wanted`.
    Exists {
        path: FilterPath,
        wanted: bool,
    },
    Compare {
        left: Operand,
        operator: Operator,
        right: Operand,
    },
}

/// One side of a comparison, as written.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Null,
    Bool(bool),
    Number(Decimal),
    Text(Arc<str>),
    /// A list or an object.
    Json(Json),
    Pattern(Pattern),
    Path(FilterPath),
}

/// A path from the element (`@`) or from the document (`$`).
#[derive(Clone, Debug)]
pub(super) struct FilterPath {
    pub(super) from_document: bool,
    pub(super) tokens: Vec<Token>,
    pub(super) definite: bool,
}

/// How two operands are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    SameTypeEqual,
    SameTypeNotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    In,
    NotIn,
    Contains,
    SubsetOf,
    AnyOf,
    NoneOf,
    Size,
    Empty,
    Exists,
    /// Operators whose right side cannot be written in a path.
    Unusable,
}

impl Filter {
    pub(super) fn accepts(&self, element: &Json, walk: &Walk) -> Result<bool, PathMiss> {
        match self.holds(element, walk) {
            Ok(holds) => Ok(holds),
            Err(Fault::Unfit) => Ok(false),
            Err(Fault::Miss(miss)) => Err(miss),
        }
    }

    fn holds(&self, element: &Json, walk: &Walk) -> Result<bool, Fault> {
        walk.step(1)?;
        match self {
            Filter::All(conditions) => {
                for condition in conditions {
                    if !condition.holds(element, walk)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Filter::Any(conditions) => {
                for condition in conditions {
                    if condition.holds(element, walk)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::Not(condition) => Ok(!condition.holds(element, walk)?),
            Filter::Exists { path, wanted } => Ok(path.exists(element, walk)? == *wanted),
            Filter::Compare { left, operator, right } => {
                operator.holds(&left.value(element, walk)?, &right.value(element, walk)?, walk)
            }
        }
    }
}

impl Operand {
    fn value<'a>(&'a self, element: &Json, walk: &Walk) -> Result<Value<'a>, Fault> {
        Ok(match self {
            Operand::Null => Value::Null,
            Operand::Bool(value) => Value::Bool(*value),
            Operand::Number(number) => Value::Number(number.clone()),
            Operand::Text(text) => Value::Text(text.clone()),
            Operand::Json(json) => Value::Written(json),
            Operand::Pattern(pattern) => Value::Pattern(pattern),
            Operand::Path(path) => path.value(element, walk)?,
        })
    }
}

impl FilterPath {
    fn value<'a>(&self, element: &Json, walk: &Walk) -> Result<Value<'a>, Fault> {
        let from = if self.from_document { walk.document() } else { element };
        match walk.select(Route::lenient(&self.tokens), self.definite, from) {
            Ok(keys @ Json::Array(_)) if self.gives_keys() => {
                let mut reason =
                    String::from("Could not convert class java.util.LinkedHashMap$LinkedKeySet:");
                keys.write_java_within(KEYS_SHOWN_MAX, &mut reason).map_err(|_| PathMiss::TooMuchWork)?;
                Err(Fault::Miss(PathMiss::Refused { reason: reason + " to a ValueNode" }))
            }
            Ok(json) => Ok(Value::found(json)),
            Err(miss) if miss.is_absence() => Ok(Value::Undefined),
            Err(miss) => Err(fault(miss)),
        }
    }

    /// The library compares with the keys of an object in no way and fails.
    fn gives_keys(&self) -> bool {
        self.definite
            && matches!(self.tokens.last(), Some(Token::Function(call)) if call.function == Function::Keys)
    }

    fn exists(&self, element: &Json, walk: &Walk) -> Result<bool, Fault> {
        match walk.select(Route::strict(&self.tokens), self.definite, element) {
            Ok(value) => Ok(value != Json::Bool(false)),
            Err(miss) if miss.is_absence() => Ok(false),
            Err(miss) => Err(fault(miss)),
        }
    }
}

/// How much a message shows of an object's keys, in bytes.
const KEYS_SHOWN_MAX: usize = 32 * 1024;

fn fault(miss: PathMiss) -> Fault {
    match miss {
        PathMiss::NothingToFilter { .. } => Fault::Unfit,
        other => Fault::Miss(other),
    }
}

impl Operator {
    fn holds(self, left: &Value, right: &Value, walk: &Walk) -> Result<bool, Fault> {
        let ordered = |holds: fn(Ordering) -> bool| -> Result<bool, Fault> {
            Ok(left.order(right, walk.work())?.is_some_and(holds))
        };
        match self {
            Operator::Equal => left.equals(right, walk.work()),
            Operator::NotEqual => Ok(!left.equals(right, walk.work())?),
            Operator::SameTypeEqual => Ok(left.same_kind(right) && left.equals(right, walk.work())?),
            Operator::SameTypeNotEqual => Ok(!(left.same_kind(right) && left.equals(right, walk.work())?)),
            Operator::Less => ordered(Ordering::is_lt),
            Operator::LessOrEqual => ordered(Ordering::is_le),
            Operator::Greater => ordered(Ordering::is_gt),
            Operator::GreaterOrEqual => ordered(Ordering::is_ge),
            Operator::Matches => matches(left, right, walk),
            Operator::In => is_in(left, right, walk),
            Operator::NotIn => Ok(!is_in(left, right, walk)?),
            Operator::Contains => match (left, right) {
                (Value::Text(text), Value::Text(part)) => {
                    walk.work().scan(text.len())?;
                    Ok(text.contains(&**part))
                }
                (Value::Found(_) | Value::Written(_), _) => is_in(right, left, walk),
                _ => Ok(false),
            },
            Operator::SubsetOf | Operator::AnyOf | Operator::NoneOf => self.relates(left, right, walk),
            Operator::Size => {
                let Value::Number(wanted) = right else { return Ok(false) };
                // An object has no size here; the library counts it as -1.
                let size = match left {
                    Value::Text(text) => {
                        walk.work().scan(text.len())?;
                        Some(text.encode_utf16().count() as i64)
                    }
                    _ => left.json().map(|json| json.as_array().map_or(-1, |items| items.len() as i64)),
                };
                Ok(size == Some(whole(wanted.number())))
            }
            Operator::Empty => match (left, left.json()) {
                (Value::Text(text), _) => Ok(text.is_empty() == right.bool()?),
                (_, Some(json)) => {
                    let is_empty = json.as_array().is_some_and(<[Json]>::is_empty)
                        || json.as_object().is_some_and(|members| members.is_empty());
                    Ok(is_empty == right.bool()?)
                }
                _ => Ok(false),
            },
            Operator::Exists => Ok(left.bool()? == right.bool()?),
            Operator::Unusable => Err(Fault::Unfit),
        }
    }

    fn relates(self, left: &Value, right: &Value, walk: &Walk) -> Result<bool, Fault> {
        let Some(right) = right.items()? else { return Ok(false) };
        let Some(left) = left.items()? else { return Ok(false) };
        walk.step(left.len() + right.len())?;
        let stops_at = self != Operator::SubsetOf;
        for item in &left {
            if is_among(item, &right, walk)? == stops_at {
                return Ok(self == Operator::AnyOf);
            }
        }
        Ok(self != Operator::AnyOf)
    }
}

fn is_in(wanted: &Value, list: &Value, walk: &Walk) -> Result<bool, Fault> {
    let Some(items) = list.items()? else { return Ok(false) };
    walk.step(items.len())?;
    is_among(wanted, &items, walk)
}

fn is_among(wanted: &Value, items: &[Value], walk: &Walk) -> Result<bool, Fault> {
    for item in items {
        if wanted.equals(item, walk.work())? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A pattern on exactly one side matches the whole of the other, or of any item of a list.
fn matches(left: &Value, right: &Value, walk: &Walk) -> Result<bool, Fault> {
    let (pattern, value) = match (left, right) {
        (Value::Pattern(_), Value::Pattern(_)) => return Ok(false),
        (Value::Pattern(pattern), value) | (value, Value::Pattern(pattern)) => (pattern, value),
        _ => return Ok(false),
    };
    let is_list = value.json().is_some_and(|json| json.as_array().is_some());
    let list = if is_list { value.items()? } else { None };
    for value in list.as_deref().unwrap_or(std::slice::from_ref(value)) {
        let input = value.input();
        walk.step(pattern.steps(&input))?;
        if pattern.matches(&input) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Java's `intValue`, as far as sizes go.
fn whole(number: Number) -> i64 {
    match number {
        Number::Int(int) => int,
        Number::Float(double) => double as i64,
    }
}
