//! Lists and objects in filters: JSON with the freedoms of the reader that Jayway's library uses for them.
//!
//! Texts may stand in either quote or in none (`[a, b]`), names of members as well. A word that JSON knows (a number,
//! `true`, `false`, `null`) is what JSON says.

use super::PathError;
use super::parse::Cursor;
use crate::json::{Json, Object};

/// How deep literals may nest: the reader recurses, and comparing goes no further than one list.
const DEPTH_MAX: usize = 32;

/// The list or object that comes next.
pub(super) fn value(cursor: &mut Cursor) -> Result<Json, PathError> {
    nested(cursor, 0)
}

fn nested(cursor: &mut Cursor, depth: usize) -> Result<Json, PathError> {
    if depth > DEPTH_MAX {
        return Err(cursor.error("lists nest too deep"));
    }
    cursor.skip_blanks();
    match cursor.peek() {
        Some('[') => list(cursor, depth),
        Some('{') => object(cursor, depth),
        Some('\'' | '"') => cursor.quoted().map(Json::from),
        _ => bare(cursor).map(scalar),
    }
}

/// What a word says: a number may have zeros in front, what is nothing else is a text.
fn scalar(word: &str) -> Json {
    let digits = word.trim_start_matches('0');
    let text = if digits.starts_with(|first: char| first.is_ascii_digit()) { digits } else { word };
    Json::parse(text).unwrap_or_else(|_| Json::from(word))
}

fn list(cursor: &mut Cursor, depth: usize) -> Result<Json, PathError> {
    cursor.take('[');
    let mut items = Vec::new();
    while !ends(cursor, ']') {
        items.push(nested(cursor, depth + 1)?);
        separator(cursor, ']')?;
    }
    Ok(Json::from(items))
}

fn object(cursor: &mut Cursor, depth: usize) -> Result<Json, PathError> {
    cursor.take('{');
    let mut members = Object::new();
    while !ends(cursor, '}') {
        let name = match cursor.peek() {
            Some('\'' | '"') => cursor.quoted()?,
            _ => bare(cursor)?.to_owned(),
        };
        cursor.skip_blanks();
        if !cursor.take(':') {
            return Err(cursor.error("expected ':' behind the name of a member"));
        }
        members.insert(name.into(), nested(cursor, depth + 1)?);
        separator(cursor, '}')?;
    }
    Ok(Json::from(members))
}

/// Steps over `close` if it comes next, behind blanks.
fn ends(cursor: &mut Cursor, close: char) -> bool {
    cursor.skip_blanks();
    cursor.take(close)
}

/// A comma, or the bracket that closes, which is left where it is.
fn separator(cursor: &mut Cursor, close: char) -> Result<(), PathError> {
    cursor.skip_blanks();
    if cursor.take(',') || cursor.peek() == Some(close) {
        return Ok(());
    }
    Err(cursor.error(&format!("expected ',' or '{close}'")))
}

/// A word without quotes.
fn bare<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, PathError> {
    let word = cursor.take_while(|letter| !",:]}[{'\"".contains(letter)).trim_end();
    if word.is_empty() { Err(cursor.error("expected a value of a list")) } else { Ok(word) }
}
