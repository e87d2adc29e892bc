//! Holds a value against the output of an operation, and says what does not fit in the words that TestState has for it.
//!
//! Members are called as Step Functions calls them, with a capital first letter. What is blamed is the innermost member
//! by its own name, and only the first one (recorded); entries of lists and maps have the name of the member that they
//! are in. Members that the output does not have are no
//! mistake (recorded). Timestamps and blobs are strings (recorded). Patterns are not held against a value: no recording shows
//! that AWS does.

use std::fmt;

use asl::json::{Json, Object};

use crate::model::Operation;

/// How much of an output has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// What the model requires.
    Whole,
    /// Nothing; but what is there has to fit.
    Present,
}

/// A member that does not fit, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The output itself is not an object.
    NotAnObject,
    /// A required member is not there.
    Missing(String),
    /// A member breaks a rule: the name of the member, and the end of the sentence.
    Broken(String, &'static str),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::NotAnObject => f.write_str("Mocked result must be a JSON object."),
            Mismatch::Missing(field) => {
                write!(f, "Mock result schema validation error: Required field '{field}' is missing")
            }
            Mismatch::Broken(field, rule) => {
                write!(f, "Mock result schema validation error: Field '{field}' {rule}")
            }
        }
    }
}

impl Operation {
    /// Whether a value is what the operation answers. Top-level members that are called `free` may be anything.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn check(self, value: &Json, strictness: Strictness, free: &[&str]) -> Result<(), Mismatch> {
        let Json::Object(members) = value else { return Err(Mismatch::NotAnObject) };
        let Some(output) = self.output else { return Ok(()) };
        let checker = Checker { shapes: self.shapes(), strictness };
        let mut shown = members.as_ref().clone();
        shown.retain(|name, _| !free.contains(&&**name));
        let checked = checker.check(output, "", &Json::from(shown));
        match checked {
            Err(Mismatch::Missing(name)) if free.contains(&name.as_str()) && members.contains_key(&*name) => {
                Ok(())
            }
            checked => checked,
        }
    }
}

struct Checker {
    shapes: Vec<&'static str>,
    strictness: Strictness,
}

impl Checker {
    /// Holds a member against a type; see `data/README.md` for how types are written. The data has no type that could not be
    /// read, as a test shows; one would hold for every value.
    fn check(&self, kind: &str, field: &str, value: &Json) -> Result<(), Mismatch> {
        let broken = |rule| Err(Mismatch::Broken(field.to_owned(), rule));
        if let Some(shape) = kind.parse().ok().and_then(|number: usize| self.shapes.get(number)) {
            return self.check_shape(shape, field, value);
        }
        let bounds = kind.get(1..).unwrap_or_default();
        match (kind.chars().next(), value) {
            (Some('t' | 'b'), Json::String(text)) => {
                let length = text.encode_utf16().count();
                length_within(bounds, length).map_or(Ok(()), broken)
            }
            (Some('d'), Json::String(_)) | (Some('f'), Json::Bool(_)) | (Some('a') | None, _) => Ok(()),
            (Some('n'), Json::Number(number)) => match (bounds_of(bounds), number.as_f64()) {
                ((Some(low), _), number) if number < low => broken("is less than the minimum value"),
                ((_, Some(high)), number) if number > high => broken("exceeds the maximum value"),
                _ => Ok(()),
            },
            (Some('t' | 'b' | 'd'), _) => broken("must be a string"),
            (Some('n'), _) => broken("must be a number"),
            (Some('f'), _) => broken("must be a boolean"),
            (Some(_), _) => Ok(()),
        }
    }

    /// First what is missing, then what does not fit.
    fn check_members(&self, shape: &str, members: &Object) -> Result<(), Mismatch> {
        let given = |name: &str| members.get(name).filter(|value| !value.is_null());
        let all = || shape.split(' ').filter_map(member);
        let missing = all().find(|(required, name, _)| *required && given(name).is_none());
        match missing {
            Some((_, name, _)) if self.strictness == Strictness::Whole => {
                return Err(Mismatch::Missing(name.to_owned()));
            }
            _ => {}
        }
        all()
            .try_for_each(|(_, name, kind)| given(name).map_or(Ok(()), |value| self.check(kind, name, value)))
    }

    fn check_shape(&self, shape: &str, field: &str, value: &Json) -> Result<(), Mismatch> {
        let broken = |rule| Err(Mismatch::Broken(field.to_owned(), rule));
        let (kind, rest) = shape.split_once(' ').unwrap_or((shape, ""));
        match (kind, value) {
            ("s", Json::Object(members)) => self.check_members(rest, members),
            ("l", Json::Array(items)) => {
                let (kind, bounds) = rest.split_once(' ').unwrap_or((rest, ""));
                if let Some(rule) = length_within(bounds, items.len()) {
                    return broken(rule);
                }
                items.iter().try_for_each(|item| self.check(kind, field, item))
            }
            ("m", Json::Object(entries)) => {
                let mut parts = rest.split(' ');
                let (key, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                if let Some(rule) = length_within(parts.next().unwrap_or_default(), entries.len()) {
                    return broken(rule);
                }
                entries.iter().try_for_each(|(name, value)| {
                    self.check(key, field, &Json::String(name.clone()))?;
                    self.check(kind, field, value)
                })
            }
            ("e", Json::String(text)) if rest.split('|').any(|known| known == &**text) => Ok(()),
            ("e", Json::String(_)) => broken("is not an expected value"),
            ("s" | "m", _) => broken("must be an object"),
            ("l", _) => broken("must be an array"),
            _ => broken("must be a string"),
        }
    }
}

/// A member of a structure: whether it is required, its name and its type.
fn member(text: &str) -> Option<(bool, &str, &str)> {
    let bare = text.strip_prefix('!');
    let (name, kind) = bare.unwrap_or(text).split_once(':')?;
    Some((bare.is_some(), name, kind))
}

/// What is wrong with a length.
fn length_within(bounds: &str, length: usize) -> Option<&'static str> {
    let length = length as f64;
    match bounds_of(bounds) {
        (Some(low), _) if length < low => Some("is smaller than the minimum length"),
        // The text is ours, after that of numbers: no recording shows it.
        (_, Some(high)) if length > high => Some("exceeds the maximum length"),
        _ => None,
    }
}

/// `1..5`, `1..` or `..5`.
fn bounds_of(text: &str) -> (Option<f64>, Option<f64>) {
    let (low, high) = text.split_once("..").unwrap_or_default();
    (low.parse().ok(), high.parse().ok())
}

#[cfg(test)]
mod tests;
