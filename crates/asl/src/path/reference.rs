//! Paths that name one place and can be written to: `ResultPath`.
//!
//! Writing copies the arrays and objects along the path and shares everything beside it.

use std::fmt;
use std::sync::Arc;

use super::token::Token;
use super::{Path, PathError, Root, parse};
use crate::json::{Json, Object};

/// A path from `$` made of single names and indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferencePath {
    text: Arc<str>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(Arc<str>),
    Index(i64),
}

/// The value to write into has a shape that the path does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetError {
    path: Arc<str>,
    input: String,
}

/// How much of the input a message shows, in bytes: as much as a cause may hold.
const SHOWN_MAX: usize = 32 * 1024;

impl ReferencePath {
    /// Compiles `text`; refuses a path with another root than `$` or with anything but names and indices.
    pub fn parse(text: &str) -> Result<ReferencePath, PathError> {
        let path = Path::parse(text)?;
        if path.root != Root::Input {
            return Err(parse::refusal("a path to write to must start with '$.', '$[' or be '$'"));
        }
        if outside_quotes(text).any(|letter| "@,:?".contains(letter)) {
            return Err(parse::refusal(
                "a path to write to must not contain '@', ',', ':' or '?' outside of quotes",
            ));
        }
        let steps: Option<Vec<Step>> = path.tokens.iter().map(step).collect();
        match steps {
            Some(steps) => Ok(ReferencePath { text: text.trim().into(), steps }),
            None => Err(parse::refusal("a path to write to must consist of single names and indices")),
        }
    }

    /// The path as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the path is `$`: writing replaces everything.
    pub fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// The value at the path, if there is one.
    pub fn get(&self, root: &Json) -> Option<Json> {
        let mut value = root;
        for step in &self.steps {
            value = match (step, value) {
                (Step::Name(name), Json::Object(members)) => members.get(name)?,
                (Step::Index(index), Json::Array(items)) => items.get(position(*index, items.len())?)?,
                _ => return None,
            };
        }
        Some(value.clone())
    }

    /// `root` with `value` at the path. Missing parents become objects, as does a `null` on the way; an item is
    /// replaced, never added. `root` itself does not change.
    pub fn set(&self, root: &Json, value: Json) -> Result<Json, SetError> {
        let mut changed = root.clone();
        match place(&mut changed, &self.steps) {
            Some(place) => {
                *place = value;
                Ok(changed)
            }
            None => Err(SetError {
                path: self.text.clone(),
                input: root
                    .to_text_within(SHOWN_MAX)
                    .unwrap_or_else(|_| format!("a large {}", root.type_name())),
            }),
        }
    }
}

impl fmt::Display for ReferencePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// The cause as AWS words it.
impl fmt::Display for SetError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Unable to apply ReferencePath {} to input {}", self.path, self.input)
    }
}

impl std::error::Error for SetError {}

/// The letters of a path that are not part of a quoted name.
fn outside_quotes(text: &str) -> impl Iterator<Item = char> {
    let mut quote = None;
    let mut escaped = false;
    text.chars().filter(move |&letter| match quote {
        Some(mark) => {
            if letter == mark && !escaped {
                quote = None;
            }
            escaped = letter == '\\' && !escaped;
            false
        }
        None => {
            if matches!(letter, '\'' | '"') {
                quote = Some(letter);
            }
            true
        }
    })
}

fn step(token: &Token) -> Option<Step> {
    match token {
        Token::Names { names, .. } => match names.as_slice() {
            [name] => Some(Step::Name(name.clone())),
            _ => None,
        },
        Token::Indices(indices) => match indices.as_slice() {
            [index] => Some(Step::Index(*index)),
            _ => None,
        },
        _ => None,
    }
}

/// The place that `steps` name, made if it is missing; nodes on the way are copied if they are shared.
fn place<'v>(root: &'v mut Json, steps: &[Step]) -> Option<&'v mut Json> {
    let mut value = root;
    for step in steps {
        value = match step {
            Step::Name(name) => {
                if value.is_null() {
                    *value = Json::from(Object::new());
                }
                let Json::Object(members) = value else { return None };
                Arc::make_mut(members).entry(name.clone()).or_insert(Json::Null)
            }
            Step::Index(index) => {
                let Json::Array(items) = value else { return None };
                let position = position(*index, items.len())?;
                Arc::make_mut(items).get_mut(position)?
            }
        };
    }
    Some(value)
}

/// An index as a position in an array of `length` items; negative ones count from the end.
fn position(index: i64, length: usize) -> Option<usize> {
    usize::try_from(if index < 0 { index + length as i64 } else { index }).ok()
}
