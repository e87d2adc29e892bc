//! Filter expressions, `[?(@.a == 1 && @.b)]`, with the comparison rules of Jayway's library.
//!
//! A path that names nothing equals nothing and is unequal to everything. A number and a string compare by the
//! string's number or the number's text, whichever side leads. A bare path asks whether there is a value that is not
//! `false`: AWS leaves out elements whose member is `false`.

use std::cmp::Ordering;

use super::PathMiss;
use super::select::Walk;
use super::token::Token;
use crate::json::{Json, Number};

/// A condition on one element.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Exists(Operand),
    Compare { left: Operand, operator: Operator, right: Operand },
}

/// One side of a comparison.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Literal(Json),
    /// A path from the element (`@`) or from the document (`$`).
    Path {
        from_document: bool,
        tokens: Vec<Token>,
        definite: bool,
    },
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
    In,
    NotIn,
    Contains,
    SubsetOf,
    AnyOf,
    NoneOf,
    All,
    Size,
    Empty,
}

impl Filter {
    pub(super) fn accepts(&self, element: &Json, walk: &Walk) -> Result<bool, PathMiss> {
        walk.step(1)?;
        match self {
            Filter::All(conditions) => {
                for condition in conditions {
                    if !condition.accepts(element, walk)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Filter::Any(conditions) => {
                for condition in conditions {
                    if condition.accepts(element, walk)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::Not(condition) => Ok(!condition.accepts(element, walk)?),
            Filter::Exists(operand) => operand.exists(element, walk),
            Filter::Compare { left, operator, right } => {
                let (left, right) = (left.value(element, walk)?, right.value(element, walk)?);
                operator.holds(left.as_ref(), right.as_ref(), walk)
            }
        }
    }
}

impl Operand {
    /// The operand's value, or nothing where its path names nothing.
    fn value(&self, element: &Json, walk: &Walk) -> Result<Option<Json>, PathMiss> {
        match self {
            Operand::Literal(value) => Ok(Some(value.clone())),
            Operand::Path { from_document, tokens, definite } => {
                let from = if *from_document { walk.document() } else { element };
                match walk.select(tokens, *definite, from) {
                    Ok(value) => Ok(Some(value)),
                    Err(PathMiss::TooMuchWork) => Err(PathMiss::TooMuchWork),
                    Err(_) => Ok(None),
                }
            }
        }
    }

    fn exists(&self, element: &Json, walk: &Walk) -> Result<bool, PathMiss> {
        let value = self.value(element, walk)?;
        Ok(match (self, value) {
            (Operand::Path { definite: false, .. }, Some(Json::Array(matches))) => !matches.is_empty(),
            (_, value) => value.is_some_and(|value| value != Json::Bool(false)),
        })
    }
}

impl Operator {
    fn holds(self, left: Option<&Json>, right: Option<&Json>, walk: &Walk) -> Result<bool, PathMiss> {
        let (Some(left), Some(right)) = (left, right) else {
            return Ok(self.is_negative());
        };
        // Membership looks at every pair; its cost is that product.
        let pairs = |left: &Json, right: &Json| {
            walk.step(
                left.as_array()
                    .map_or(1, <[Json]>::len)
                    .saturating_mul(right.as_array().map_or(1, <[Json]>::len)),
            )
        };
        Ok(match self {
            Operator::Equal => equal(left, right),
            Operator::NotEqual => !equal(left, right),
            Operator::SameTypeEqual => left.type_name() == right.type_name() && equal(left, right),
            Operator::SameTypeNotEqual => left.type_name() != right.type_name() || !equal(left, right),
            Operator::Less => ordered(left, right, Ordering::is_lt),
            Operator::LessOrEqual => ordered(left, right, Ordering::is_le),
            Operator::Greater => ordered(left, right, Ordering::is_gt),
            Operator::GreaterOrEqual => ordered(left, right, Ordering::is_ge),
            Operator::In | Operator::NotIn => {
                walk.step(right.as_array().map_or(1, <[Json]>::len))?;
                let found = right.as_array().is_some_and(|list| contains(list, left));
                found != (self == Operator::NotIn)
            }
            Operator::Contains => match (left, right) {
                (Json::String(text), Json::String(part)) => text.contains(&**part),
                (Json::Array(list), item) => {
                    walk.step(list.len())?;
                    contains(list, item)
                }
                _ => false,
            },
            Operator::SubsetOf | Operator::AnyOf | Operator::NoneOf | Operator::All => {
                pairs(left, right)?;
                self.relates(left, right)
            }
            Operator::Size => size(left).is_some_and(|size| right.as_i64() == Some(size as i64)),
            Operator::Empty => size(left).is_some_and(|size| right.as_bool() == Some(size == 0)),
        })
    }

    fn relates(self, left: &Json, right: &Json) -> bool {
        let (Some(left), Some(right)) = (left.as_array(), right.as_array()) else { return false };
        match self {
            Operator::SubsetOf => left.iter().all(|item| contains(right, item)),
            Operator::All => right.iter().all(|item| contains(left, item)),
            Operator::AnyOf => left.iter().any(|item| contains(right, item)),
            _ => !left.iter().any(|item| contains(right, item)),
        }
    }

    /// Whether the operator denies another one, which makes it true of an absent value.
    fn is_negative(self) -> bool {
        matches!(self, Operator::NotEqual | Operator::SameTypeNotEqual | Operator::NotIn | Operator::NoneOf)
    }
}

fn equal(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => left.compare(*right).is_eq(),
        (Json::Number(number), Json::String(text)) => {
            number_in(text).is_some_and(|parsed| number.compare(parsed).is_eq())
        }
        (Json::String(text), Json::Number(number)) => **text == number.to_string(),
        _ => left == right,
    }
}

fn ordered(left: &Json, right: &Json, holds: fn(Ordering) -> bool) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => holds(left.compare(*right)),
        (Json::String(left), Json::String(right)) => holds(left.encode_utf16().cmp(right.encode_utf16())),
        _ => false,
    }
}

fn number_in(text: &str) -> Option<Number> {
    Json::parse(text).ok()?.as_number()
}

fn contains(list: &[Json], wanted: &Json) -> bool {
    list.iter().any(|item| equal(item, wanted))
}

fn size(value: &Json) -> Option<usize> {
    match value {
        Json::String(text) => Some(text.encode_utf16().count()),
        Json::Array(items) => Some(items.len()),
        Json::Object(members) => Some(members.len()),
        _ => None,
    }
}
