//! The two sides of a comparison in a filter, once evaluated, and how they compare: the rules of Jayway's library.
//!
//! A number and a text are equal if the left side says so: a number reads the text as a number, a text compares with the
//! number's digits. A list or object that was written on the left of a comparison equals nothing. What names nothing is
//! neither equal to anything nor less nor greater.

use std::cmp::Ordering;
use std::sync::Arc;

use super::decimal::Decimal;
use super::pattern::Pattern;
use super::{PathMiss, Work};
use crate::json::Json;

/// One side of a comparison.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// A path named nothing.
    Undefined,
    Null,
    Bool(bool),
    Number(Decimal),
    Text(Arc<str>),
    /// A list or an object that a path named.
    Found(Json),
    /// A list or an object that stands in the filter.
    Written(&'a Json),
    Pattern(&'a Pattern),
}

/// Why a filter has no answer for an element.
pub(super) enum Fault {
    /// An operator got a side it can make nothing of: the whole filter is then false.
    Unfit,
    /// The path fails.
    Miss(PathMiss),
}

impl From<PathMiss> for Fault {
    fn from(miss: PathMiss) -> Fault {
        Fault::Miss(miss)
    }
}

impl<'a> Value<'a> {
    /// What a path named.
    pub(super) fn found(json: Json) -> Value<'a> {
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(value),
            Json::Number(number) => Value::Number(number.into()),
            Json::String(text) => Value::Text(text),
            Json::Array(_) | Json::Object(_) => Value::Found(json),
        }
    }

    pub(super) fn equals(&self, right: &Value, work: &Work) -> Result<bool, Fault> {
        work.step(1)?;
        Ok(match (self, right) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(left), Value::Bool(right)) => left == right,
            (Value::Number(left), Value::Number(right)) => left.equals(right),
            (Value::Number(left), Value::Text(right)) => {
                work.step(right.len())?;
                Decimal::parse(right).is_some_and(|right| left.equals(&right))
            }
            (Value::Text(left), Value::Number(right)) => **left == right.text(),
            (Value::Text(left), Value::Text(right)) => {
                work.scan(left.len().min(right.len()))?;
                left == right
            }
            (Value::Found(left), Value::Found(right)) => work.equal(left, right)?,
            (Value::Found(left), Value::Written(right)) => work.equal(left, right)?,
            _ => false,
        })
    }

    pub(super) fn same_kind(&self, right: &Value) -> bool {
        let kind = |value: &Value| match value {
            Value::Undefined => 0,
            Value::Null => 1,
            Value::Bool(_) => 2,
            Value::Number(_) => 3,
            Value::Text(_) => 4,
            Value::Found(_) | Value::Written(_) => 5,
            Value::Pattern(_) => 6,
        };
        kind(self) == kind(right)
    }

    /// Numbers by value, texts by UTF-16 units; nothing else has an order.
    pub(super) fn order(&self, right: &Value, work: &Work) -> Result<Option<Ordering>, Fault> {
        Ok(match (self, right) {
            (Value::Number(left), Value::Number(right)) => Some(left.number().compare(right.number())),
            (Value::Text(left), Value::Text(right)) => {
                work.step(left.len().min(right.len()))?;
                Some(left.encode_utf16().cmp(right.encode_utf16()))
            }
            _ => None,
        })
    }

    /// The list or object, if this is one.
    pub(super) fn json(&self) -> Option<&Json> {
        match self {
            Value::Found(json) => Some(json),
            Value::Written(json) => Some(json),
            _ => None,
        }
    }

    /// The items of a list, `None` of an object, [`Fault::Unfit`] of anything else. The library knows no lists within
    /// lists and no objects in them: it fails.
    pub(super) fn items(&self) -> Result<Option<Vec<Value<'a>>>, Fault> {
        let Json::Array(items) = self.json().ok_or(Fault::Unfit)? else { return Ok(None) };
        let value = |item: &Json| match item {
            Json::Array(_) | Json::Object(_) => {
                Err(Fault::Miss(PathMiss::Refused { reason: "Could not determine value type".into() }))
            }
            scalar => Ok(Value::found(scalar.clone())),
        };
        items.iter().map(value).collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn bool(&self) -> Result<bool, Fault> {
        match self {
            Value::Bool(value) => Ok(*value),
            _ => Err(Fault::Unfit),
        }
    }

    /// What a regular expression sees of a value: nothing, unless it is a text, a number or a boolean.
    pub(super) fn input(&self) -> String {
        match self {
            Value::Text(text) => text.to_string(),
            Value::Number(number) => number.text(),
            Value::Bool(value) => value.to_string(),
            _ => String::new(),
        }
    }
}
