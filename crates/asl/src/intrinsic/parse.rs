//! The text of a call to its tree. Arity is checked here, so that evaluation can rely on it and a definition with a
//! call that can never work is refused when it is made.

use std::fmt;

use super::function::Function;
use super::{Argument, Call};
use crate::json::Json;
use crate::path::Path;

/// Why a text is not a call of an intrinsic function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    reason: String,
    position: usize,
}

impl fmt::Display for CallError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at character {}", self.reason, self.position + 1)
    }
}

impl std::error::Error for CallError {}

/// How deep calls may nest in each other: AWS's limit.
const NESTING_MAX: usize = 10;

pub(super) fn call(text: &str) -> Result<Call, CallError> {
    let mut cursor = Cursor { text, rest: text.trim_end() };
    cursor.skip_blanks();
    let call = nested_call(&mut cursor, 1)?;
    if cursor.rest.is_empty() { Ok(call) } else { Err(cursor.error("expected nothing after the call")) }
}

fn nested_call(cursor: &mut Cursor, nesting: usize) -> Result<Call, CallError> {
    if nesting > NESTING_MAX {
        return Err(cursor.error("calls nest more than 10 deep"));
    }
    let start = cursor.rest;
    let name = cursor.take_until(|letter| !(letter.is_ascii_alphanumeric() || letter == '.'));
    let Some(function) = Function::named(name) else {
        return Err(cursor.error(&format!("'{name}' is not an intrinsic function")));
    };
    cursor.skip_blanks();
    if !cursor.take('(') {
        return Err(cursor.error(&format!("expected '(' after {name}")));
    }
    let arguments = arguments(cursor, nesting)?;
    if !function.takes(arguments.len()) {
        return Err(cursor.error(&format!("{name} does not take {} arguments", arguments.len())));
    }
    let text = &start[..start.len() - cursor.rest.len()];
    Ok(Call { text: text.into(), function, arguments })
}

/// The arguments behind `(`, and the `)`.
fn arguments(cursor: &mut Cursor, nesting: usize) -> Result<Vec<Argument>, CallError> {
    let mut arguments = Vec::new();
    cursor.skip_blanks();
    if cursor.take(')') {
        return Ok(arguments);
    }
    loop {
        cursor.skip_blanks();
        arguments.push(argument(cursor, nesting)?);
        cursor.skip_blanks();
        if cursor.take(')') {
            return Ok(arguments);
        }
        if !cursor.take(',') {
            return Err(cursor.error("expected ',' or ')' after an argument"));
        }
    }
}

fn argument(cursor: &mut Cursor, nesting: usize) -> Result<Argument, CallError> {
    if cursor.rest.starts_with('\'') {
        return quoted(cursor);
    }
    if cursor.rest.starts_with('$') {
        let text = cursor.rest;
        let path = cursor.take_path();
        return Path::parse(path).map(Argument::Path).map_err(|failure| {
            Cursor { text: cursor.text, rest: text }.error(&format!("'{path}' is not a path: {failure}"))
        });
    }
    if cursor.rest.starts_with("States.") {
        return nested_call(cursor, nesting + 1).map(Argument::Call);
    }
    let word = cursor.take_until(|letter| letter == ',' || letter == ')');
    match Json::parse(word) {
        Ok(value @ (Json::Null | Json::Bool(_) | Json::Number(_))) => Ok(Argument::Literal(value)),
        _ => {
            Err(cursor
                .error("expected a text in single quotes, a number, true, false, null, a path or a call"))
        }
    }
}

/// A text in single quotes. A backslash makes the four signs that mean something stand for themselves.
fn quoted(cursor: &mut Cursor) -> Result<Argument, CallError> {
    cursor.take('\'');
    let start = cursor.rest;
    let mut value = String::new();
    loop {
        let end = cursor.rest;
        match cursor.next() {
            Some('\'') => {
                let raw = &start[..start.len() - end.len()];
                return Ok(Argument::Text { value: Json::from(value), raw: raw.into() });
            }
            Some('\\') => match cursor.next() {
                Some(escaped @ ('\'' | '{' | '}' | '\\')) => value.push(escaped),
                _ => return Err(cursor.error(r"expected one of ' { } \ after '\'")),
            },
            Some(letter) => value.push(letter),
            None => return Err(cursor.error("expected ' to end the text")),
        }
    }
}

/// A place in the text of a call.
struct Cursor<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn take(&mut self, expected: char) -> bool {
        let behind = self.rest.strip_prefix(expected);
        self.rest = behind.unwrap_or(self.rest);
        behind.is_some()
    }

    fn take_until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let (taken, behind) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = behind;
        taken
    }

    /// A path up to the `,` or `)` that belongs to the call and not to the path's own brackets.
    fn take_path(&mut self) -> &'a str {
        let mut depth = 0_usize;
        let mut quote = None;
        let mut escaped = false;
        let end = self.rest.char_indices().find_map(|(at, letter)| {
            match (quote, letter) {
                (Some(_), _) if escaped => escaped = false,
                (Some(_), '\\') => escaped = true,
                (Some(open), close) if open == close => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') if depth > 0 => quote = Some(letter),
                (None, ',' | ')') if depth == 0 => return Some(at),
                (None, '[' | '(') => depth += 1,
                (None, ']' | ')') => depth = depth.saturating_sub(1),
                (None, _) => {}
            }
            None
        });
        let (path, behind) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = behind;
        path
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn error(&self, reason: &str) -> CallError {
        let consumed = self.text.trim_end().len() - self.rest.len();
        CallError { reason: reason.into(), position: self.text[..consumed].chars().count() }
    }
}
