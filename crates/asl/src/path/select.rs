//! Walks a document along a path's tokens.
//!
//! A definite path is a straight line that can say exactly where it broke. An indefinite one gathers matches and skips
//! what does not fit. Both count their steps: `..` behind `..` multiplies, and a definition comes from strangers.

use std::cell::Cell;

use super::PathMiss;
use super::token::{self, Token};
use crate::json::{Json, Object};

/// How many values one evaluation may visit: thirty times the values of the largest payload AWS takes, and well under
/// a second.
pub const STEPS_MAX: usize = 4_000_000;

/// How much of an unfit value a message shows, in bytes.
const SHOWN_MAX: usize = 32 * 1024;

pub(super) fn select(tokens: &[Token], definite: bool, document: &Json) -> Result<Json, PathMiss> {
    let walk = Walk { document, steps: Cell::new(0) };
    walk.select(tokens, definite, document)
}

/// One evaluation: the document that `$` names inside filters, and the steps taken so far.
pub(super) struct Walk<'a> {
    document: &'a Json,
    steps: Cell<usize>,
}

impl<'a> Walk<'a> {
    pub(super) fn document(&self) -> &'a Json {
        self.document
    }

    /// The value of a definite path, the array of an indefinite one's matches.
    pub(super) fn select(&self, tokens: &[Token], definite: bool, from: &Json) -> Result<Json, PathMiss> {
        if let [before @ .., Token::Function(function)] = tokens {
            return function.apply(&self.select(before, token::are_definite(before), from)?);
        }
        if definite {
            return self.one(tokens, from);
        }
        let mut matches = Vec::new();
        self.many(tokens, from, &mut matches)?;
        Ok(Json::from(matches))
    }

    /// Counts `steps` towards the budget.
    pub(super) fn step(&self, steps: usize) -> Result<(), PathMiss> {
        let total = self.steps.get().saturating_add(steps);
        self.steps.set(total);
        if total > STEPS_MAX { Err(PathMiss::TooMuchWork) } else { Ok(()) }
    }

    fn one(&self, tokens: &[Token], from: &Json) -> Result<Json, PathMiss> {
        let mut value = from;
        for (index, step) in tokens.iter().enumerate() {
            self.step(1)?;
            let is_last = index + 1 == tokens.len();
            let found = match (step, value) {
                (Token::Names(names), Json::Object(members)) => match names.as_slice() {
                    [name] => members.get(name),
                    several => return Ok(merged(several, members)),
                },
                (Token::Names(_), other) => {
                    return Err(PathMiss::NotAnObject {
                        property: step.to_string(),
                        path: token::print(&tokens[..index]),
                        found: java_type(other),
                    });
                }
                (Token::Indices(indices), Json::Array(items)) => {
                    let item = indices.first().and_then(|index| item(items, *index));
                    item.ok_or_else(|| PathMiss::NoResults { path: token::print(tokens) }).map(Some)?
                }
                (_, Json::Null) => return Err(PathMiss::IsNull { path: token::print(&tokens[..index]) }),
                (_, other) => {
                    return Err(PathMiss::NotAnArray { selector: step.to_string(), found: shown(other) });
                }
            };
            value = match found {
                Some(found) => found,
                None if is_last => return Err(PathMiss::NoResults { path: token::print(tokens) }),
                None => return Err(PathMiss::MissingProperty { path: token::print(&tokens[..=index]) }),
            };
        }
        Ok(value.clone())
    }

    /// Appends to `matches` what `tokens` name below `value`; what does not fit matches nothing.
    fn many(&self, tokens: &[Token], value: &Json, matches: &mut Vec<Json>) -> Result<(), PathMiss> {
        self.step(1)?;
        let Some((first, rest)) = tokens.split_first() else {
            matches.push(value.clone());
            return Ok(());
        };
        match (first, value) {
            (Token::Names(names), Json::Object(members)) => self.names(names, members, rest, matches),
            (Token::Indices(indices), Json::Array(items)) => {
                self.each(indices.iter().filter_map(|index| item(items, *index)), rest, matches)
            }
            (Token::Slice { from, to }, Json::Array(items)) => self.each(
                sliced(items.len(), *from, *to).filter_map(|index| item(items, index)),
                rest,
                matches,
            ),
            (Token::Wildcard, Json::Array(items)) => self.each(items.iter(), rest, matches),
            (Token::Wildcard, Json::Object(members)) => self.each(members.values(), rest, matches),
            (Token::Filter(filter), Json::Array(items)) => {
                for item in items.iter() {
                    if filter.accepts(item, self)? {
                        self.many(rest, item, matches)?;
                    }
                }
                Ok(())
            }
            // A filter behind an object tests that object itself.
            (Token::Filter(filter), Json::Object(_)) => {
                if filter.accepts(value, self)? {
                    self.many(rest, value, matches)
                } else {
                    Ok(())
                }
            }
            (Token::Descend, _) => self.descend(rest, value, matches),
            _ => Ok(()),
        }
    }

    fn each<'v>(
        &self,
        values: impl Iterator<Item = &'v Json>,
        rest: &[Token],
        matches: &mut Vec<Json>,
    ) -> Result<(), PathMiss> {
        for value in values {
            self.many(rest, value, matches)?;
        }
        Ok(())
    }

    /// Several names make one object at the end of a path, and several branches before it.
    fn names(
        &self,
        names: &[std::sync::Arc<str>],
        members: &Object,
        rest: &[Token],
        matches: &mut Vec<Json>,
    ) -> Result<(), PathMiss> {
        if names.len() > 1 && rest.is_empty() {
            matches.push(merged(names, members));
            return Ok(());
        }
        self.each(names.iter().filter_map(|name| members.get(name)), rest, matches)
    }

    /// Applies `tokens` to `value` and then to everything below it. A filter is applied to objects only: it would
    /// otherwise meet each object of an array twice, once from the array and once by itself.
    fn descend(&self, tokens: &[Token], value: &Json, matches: &mut Vec<Json>) -> Result<(), PathMiss> {
        self.step(1)?;
        let below: &mut dyn Iterator<Item = &Json> = match value {
            Json::Array(items) => &mut items.iter(),
            Json::Object(members) => &mut members.values(),
            _ => return Ok(()),
        };
        if !(value.as_array().is_some() && matches!(tokens.first(), Some(Token::Filter(_)))) {
            self.many(tokens, value, matches)?;
        }
        for child in below {
            self.descend(tokens, child, matches)?;
        }
        Ok(())
    }
}

/// The members of those names that are there, as one object.
fn merged(names: &[std::sync::Arc<str>], members: &Object) -> Json {
    Json::from(
        names.iter().filter_map(|name| Some((name.clone(), members.get(name)?.clone()))).collect::<Object>(),
    )
}

/// The item at `index`, counted from the end if negative.
fn item(items: &[Json], index: i64) -> Option<&Json> {
    let index = if index < 0 { index + items.len() as i64 } else { index };
    items.get(usize::try_from(index).ok()?)
}

/// The indices of a slice, by the rules of Jayway's library: an open end counts negative numbers from the end, while
/// two given ends are taken as they are and a negative index in between counts from the end by itself.
fn sliced(length: usize, from: Option<i64>, to: Option<i64>) -> std::ops::Range<i64> {
    let length = length as i64;
    let from_end = |index: i64| if index < 0 { (index + length).max(0) } else { index };
    match (from, to) {
        (Some(from), Some(to)) => from.max(-length)..to.min(length),
        (Some(from), None) => from_end(from)..length,
        (None, Some(to)) => 0..from_end(to).min(length),
        (None, None) => 0..0,
    }
}

fn java_type(value: &Json) -> &'static str {
    use crate::json::Number;
    match value {
        Json::Null => "null",
        Json::Bool(_) => "java.lang.Boolean",
        Json::Number(Number::Int(int)) if i32::try_from(*int).is_ok() => "java.lang.Integer",
        Json::Number(Number::Int(_)) => "java.lang.Long",
        Json::Number(Number::Float(_)) => "java.lang.Double",
        Json::String(_) => "java.lang.String",
        Json::Array(_) => "java.util.ArrayList",
        Json::Object(_) => "java.util.LinkedHashMap",
    }
}

fn shown(value: &Json) -> String {
    let mut text = String::new();
    match value.write_java_within(SHOWN_MAX, &mut text) {
        Ok(()) => text,
        Err(_) => format!("a large {}", value.type_name()),
    }
}
