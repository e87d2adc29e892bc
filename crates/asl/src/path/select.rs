//! Walks a document along a path's tokens, by the rules of Jayway's library.
//!
//! As long as every step so far was definite, a step that does not fit says exactly where and why. Behind an indefinite
//! step what does not fit is skipped. AWS turns the absence of anything behind an indefinite path into `[]` (recorded),
//! where the library alone would complain; [`select`] does that, filters do not. Values are counted: `..` behind `..`
//! multiplies, and a definition comes from strangers.

use std::sync::Arc;

use super::filter::Filter;
use super::token::{self, Token};
use super::{PathMiss, Work};
use crate::json::{Json, Number, Object};

/// How much of an unfit value a message shows, in bytes.
const SHOWN_MAX: usize = 32 * 1024;

pub(super) fn select(
    tokens: &[Token],
    definite: bool,
    document: &Json,
    work: &Work,
) -> Result<Json, PathMiss> {
    let walk = Walk { document, work };
    match walk.select(Route::lenient(tokens), definite, document) {
        Err(miss) if !definite && miss.is_absence() => Ok(Json::from(Vec::new())),
        selected => selected,
    }
}

/// The tokens to follow, and what to make of names that are not there.
#[derive(Clone, Copy)]
pub(super) struct Route<'t> {
    tokens: &'t [Token],
    /// Behind an indefinite step, too, an absent name is a miss: what a filter's test for existence asks.
    strict: bool,
}

impl<'t> Route<'t> {
    pub(super) fn lenient(tokens: &'t [Token]) -> Route<'t> {
        Route { tokens, strict: false }
    }

    pub(super) fn strict(tokens: &'t [Token]) -> Route<'t> {
        Route { tokens, strict: true }
    }
}

/// One evaluation: the document that `$` names inside filters and functions, and what it may do.
pub(super) struct Walk<'a> {
    document: &'a Json,
    work: &'a Work,
}

impl<'a> Walk<'a> {
    pub(super) fn document(&self) -> &'a Json {
        self.document
    }

    /// The value of a definite path, the array of an indefinite one's matches.
    pub(super) fn select(&self, route: Route, definite: bool, from: &Json) -> Result<Json, PathMiss> {
        let mut found = Vec::new();
        self.follow(route, 0, true, from, &mut found)?;
        if definite {
            found.pop().ok_or_else(|| PathMiss::NoResults { path: token::print(route.tokens) })
        } else {
            Ok(Json::from(found))
        }
    }

    /// What it may do.
    pub(super) fn work(&self) -> &'a Work {
        self.work
    }

    /// Counts `steps` towards the budget.
    pub(super) fn step(&self, steps: usize) -> Result<(), PathMiss> {
        self.work.step(steps)
    }

    /// Appends to `found` what the tokens from `at` on name below `value`; `certain` while all before are definite.
    fn follow(
        &self,
        route: Route,
        at: usize,
        certain: bool,
        value: &Json,
        found: &mut Vec<Json>,
    ) -> Result<(), PathMiss> {
        self.step(1)?;
        let Some(token) = route.tokens.get(at) else {
            found.push(value.clone());
            return Ok(());
        };
        let mut each = |values: &mut dyn Iterator<Item = &Json>, certain: bool| {
            for value in values {
                self.follow(route, at + 1, certain, value, found)?;
            }
            Ok(())
        };
        match (token, value) {
            (Token::Names { names, .. }, Json::Object(members)) => {
                self.names(route, at, certain, names, members, found)
            }
            (Token::Indices(indices), Json::Array(items)) => {
                self.step(indices.len())?;
                let mut named = indices.iter().filter_map(|index| item(items, *index));
                each(&mut named, certain && indices.len() == 1)
            }
            (Token::Slice { from, to }, Json::Array(items)) => {
                each(&mut sliced(items.len(), *from, *to).filter_map(|index| item(items, index)), false)
            }
            (Token::Wildcard, Json::Array(items)) => each(&mut items.iter(), false),
            (Token::Wildcard, Json::Object(members)) => each(&mut members.values(), false),
            (Token::Filter(filter), Json::Array(items)) => {
                for item in items.iter() {
                    if filter.accepts(item, self)? {
                        self.follow(route, at + 1, false, item, found)?;
                    }
                }
                Ok(())
            }
            // A filter behind an object tests that object itself.
            (Token::Filter(filter), Json::Object(_)) => {
                if filter.accepts(value, self)? {
                    self.follow(route, at + 1, false, value, found)?;
                }
                Ok(())
            }
            (Token::Descend, _) => self.descend(route, at + 1, value, found),
            (Token::Function(call), _) => {
                let result = call.apply(value, self)?;
                self.follow(route, at + 1, certain, &result, found)
            }
            (Token::Wildcard, _) => Ok(()),
            (_, unfit) if certain => Err(self.unfit(route, at, token, unfit)),
            _ => Ok(()),
        }
    }

    /// Several names make one object at the end of a path, and several branches before it.
    fn names(
        &self,
        route: Route,
        at: usize,
        certain: bool,
        names: &[Arc<str>],
        members: &Object,
        found: &mut Vec<Json>,
    ) -> Result<(), PathMiss> {
        self.step(names.len())?;
        let is_last = at + 1 == route.tokens.len();
        let missing = || PathMiss::MissingProperty { path: token::print_walked(&route.tokens[..=at]) };
        if let ([_, _, ..], true) = (names, is_last) {
            if route.strict && !names.iter().all(|name| members.contains_key(name)) {
                return Err(missing());
            }
            found.push(merged(names, members));
            return Ok(());
        }
        let certain = certain && names.len() == 1;
        for name in names {
            match members.get(name) {
                Some(member) => self.follow(route, at + 1, certain, member, found)?,
                None if route.strict || (certain && !is_last) => return Err(missing()),
                None => {}
            }
        }
        Ok(())
    }

    /// Applies the tokens from `at` on to `value` and to everything below it, outermost first.
    fn descend(&self, route: Route, at: usize, value: &Json, found: &mut Vec<Json>) -> Result<(), PathMiss> {
        let mut waiting = vec![value];
        while let Some(value) = waiting.pop() {
            self.step(1)?;
            match value {
                Json::Array(items) => {
                    self.arrive(route, at, value, found)?;
                    waiting.extend(items.iter().rev());
                }
                Json::Object(members) => {
                    self.arrive(route, at, value, found)?;
                    waiting.extend(members.values().rev());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Applies the tokens from `at` on to one array or object that `..` came to, if the first of them can mean it.
    fn arrive(&self, route: Route, at: usize, value: &Json, found: &mut Vec<Json>) -> Result<(), PathMiss> {
        let is_last = at + 1 == route.tokens.len();
        match (route.tokens.get(at), value) {
            (Some(Token::Names { names, .. }), Json::Object(members)) => {
                let means_it =
                    (names.len() > 1 && !is_last) || names.iter().all(|name| members.contains_key(name));
                if means_it { self.follow(route, at, false, value, found) } else { Ok(()) }
            }
            (Some(Token::Indices(_) | Token::Slice { .. }), Json::Array(_)) | (Some(Token::Wildcard), _) => {
                self.follow(route, at, false, value, found)
            }
            (Some(Token::Filter(filter)), _) => self.filtered(route, at, filter, value, found),
            _ => Ok(()),
        }
    }

    /// A filter behind `..` asks the value itself, an array, too. Of an array that it accepts it then takes the items:
    /// those it accepts again where the path ends, all of them where it goes on.
    fn filtered(
        &self,
        route: Route,
        at: usize,
        filter: &Filter,
        value: &Json,
        found: &mut Vec<Json>,
    ) -> Result<(), PathMiss> {
        if !filter.accepts(value, self)? {
            return Ok(());
        }
        match value {
            Json::Array(_) if at + 1 == route.tokens.len() => self.follow(route, at, false, value, found),
            Json::Array(items) => {
                items.iter().try_for_each(|item| self.follow(route, at + 1, false, item, found))
            }
            _ => self.follow(route, at + 1, false, value, found),
        }
    }

    fn unfit(&self, route: Route, at: usize, token: &Token, found: &Json) -> PathMiss {
        let (before, rest) = route.tokens.split_at(at);
        match (token, found) {
            (Token::Names { .. }, _) => PathMiss::NotAnObject {
                property: token.to_string(),
                path: token::print_walked(before),
                found: java_type(found),
            },
            (Token::Filter(_), _) => {
                PathMiss::NothingToFilter { selector: token::print_steps(rest), found: shown(found) }
            }
            (_, Json::Null) => PathMiss::IsNull { path: token::print_walked(before) },
            _ => PathMiss::NotAnArray { selector: token::print_steps(rest), found: shown(found) },
        }
    }
}

/// The members of those names that are there, as one object.
fn merged(names: &[Arc<str>], members: &Object) -> Json {
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
