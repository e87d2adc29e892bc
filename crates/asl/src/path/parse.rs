//! Path text to tokens, with the freedoms of Jayway's compiler: names with dashes and any letters behind a dot, either
//! quote in brackets, blanks inside brackets, `.[0]` as well as `[0]`. A third part of a slice is read and ignored.
//!
//! Where that compiler overlooks a slip we refuse it: a name glued to a bracket or star (`$[0]a`), a single character
//! left over at the end (`$.a[`), quotes of both kinds in one bracket, arguments that a function would ignore.

use std::fmt;
use std::sync::Arc;

use super::Root;
use super::filter_parse;
use super::function::{Argument, Call, Function};
use super::relaxed;
use super::token::Token;
use crate::fields::continues_name;
use crate::json::Json;

/// Why a text is not a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError {
    reason: String,
    position: usize,
}

impl fmt::Display for PathError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at character {}", self.reason, self.position + 1)
    }
}

impl std::error::Error for PathError {}

/// A refusal of the path as a whole.
pub(super) fn refusal(reason: &str) -> PathError {
    PathError { reason: reason.into(), position: 0 }
}

/// More steps than this cannot lead anywhere (values nest less deep), and evaluation recurses once a step.
const TOKENS_MAX: usize = 256;

pub(super) fn path(text: &str) -> Result<(Root, Vec<Token>), PathError> {
    let mut cursor = Cursor {
        text,
        at: (text.len() - text.trim_start().len()).min(text.trim_end().len()),
        end: text.trim_end().len(),
        filter_depth: 0,
    };
    let root = root(&mut cursor)?;
    let tokens = tokens(&mut cursor, Place::Whole)?;
    match cursor.peek() {
        None => Ok((root, tokens)),
        Some(_) => Err(cursor.error("expected '.' or '['")),
    }
}

fn root(cursor: &mut Cursor) -> Result<Root, PathError> {
    if !cursor.take('$') {
        return Err(cursor.error("a path must start with '$'"));
    }
    if cursor.take('$') {
        return Ok(Root::Context);
    }
    if cursor.peek().is_some_and(char::is_numeric) {
        return Err(cursor.error("a variable's name must not start with a digit"));
    }
    match cursor.take_while(continues_name) {
        "" => Ok(Root::Input),
        name => Ok(Root::Variable(name.into())),
    }
}

/// Where tokens stand: alone; inside a filter, where a blank, an operator or a bracket ends a name; among the arguments
/// of a function, where a comma or a bracket does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Whole,
    Filter,
    Argument,
}

pub(super) fn tokens(cursor: &mut Cursor, place: Place) -> Result<Vec<Token>, PathError> {
    let mut tokens = Vec::new();
    loop {
        let step = match cursor.peek() {
            Some('.') => dot(cursor, place, &mut tokens)?,
            Some('[') => bracket(cursor)?,
            _ => return Ok(tokens),
        };
        if let Some(Token::Function(_)) = tokens.last() {
            return Err(cursor.error("a function must be the last step of a path"));
        }
        match (step, tokens.first()) {
            (Token::Function(_), Some(Token::Descend)) if tokens.len() == 1 => {
                return Err(cursor.error("a function cannot follow '..'"));
            }
            (Token::Function(call), Some(Token::Descend)) if !call.arguments.is_empty() => {
                return Err(cursor.error("a function of what '..' finds takes no arguments"));
            }
            (Token::Function(call), Some(Token::Descend)) => {
                let descent = std::mem::take(&mut tokens);
                tokens.push(Token::Function(call.over_descent(descent)));
            }
            (step, _) => tokens.push(step),
        }
        if tokens.len() > TOKENS_MAX {
            return Err(cursor.error("the path has too many steps"));
        }
    }
}

/// What stands behind `.` or `..`; the latter first pushes its own token.
fn dot(cursor: &mut Cursor, place: Place, tokens: &mut Vec<Token>) -> Result<Token, PathError> {
    cursor.take('.');
    if cursor.take('.') {
        tokens.push(Token::Descend);
    }
    match cursor.peek() {
        Some('[') => return bracket(cursor),
        Some('.') => return Err(cursor.error("expected a name after '.'")),
        _ => {}
    }
    let start = cursor.at;
    let name = cursor.take_while(|letter| !ends_name(letter, place));
    match (name, cursor.peek()) {
        ("", None) => Err(cursor.error("a path must not end with '.'")),
        ("", Some(_)) => Err(cursor.error("expected a name after '.'")),
        ("*", _) => Ok(Token::Wildcard),
        (name, Some('(')) => function(cursor, name, place),
        (_, Some(' ')) if place != Place::Filter => {
            Err(cursor.error("a name with blanks must stand in brackets and quotes: ['my name']"))
        }
        (name, _) if name.starts_with('*') => {
            Err(PathError { reason: "expected '.' or '[' after '*'".into(), position: start })
        }
        (name, _) => Ok(Token::Names { names: vec![name.into()], quote: '\'' }),
    }
}

fn ends_name(letter: char, place: Place) -> bool {
    match letter {
        '.' | '[' | '(' | ' ' => true,
        ')' => place != Place::Whole,
        ',' => place == Place::Argument,
        sign => place == Place::Filter && filter_parse::is_sign(sign),
    }
}

fn function(cursor: &mut Cursor, name: &str, place: Place) -> Result<Token, PathError> {
    cursor.take('(');
    let Some(function) = Function::named(name) else {
        return Err(cursor.error(&format!("there is no function '{name}'")));
    };
    let arguments = arguments(cursor, place)?;
    if !arguments.is_empty() && !function.takes_arguments() {
        return Err(cursor.error(&format!("{name}() takes no arguments")));
    }
    Ok(Token::Function(Call { function, arguments }))
}

/// The arguments of a function and the bracket that closes them. Inside a filter there can be none.
fn arguments(cursor: &mut Cursor, place: Place) -> Result<Vec<Argument>, PathError> {
    let mut arguments = Vec::new();
    cursor.skip_blanks();
    if cursor.take(')') {
        return Ok(arguments);
    }
    if place != Place::Whole {
        return Err(cursor.error("a function in a filter or an argument takes no arguments: expected ')'"));
    }
    loop {
        cursor.skip_blanks();
        arguments.push(argument(cursor)?);
        cursor.skip_blanks();
        if cursor.take(')') {
            return Ok(arguments);
        }
        if !cursor.take(',') {
            return Err(cursor.error("expected ',' or ')' after an argument"));
        }
    }
}

fn argument(cursor: &mut Cursor) -> Result<Argument, PathError> {
    match cursor.peek() {
        Some(root @ ('$' | '@')) => {
            cursor.take(root);
            tokens(cursor, Place::Argument).map(Argument::Path)
        }
        Some('"') => {
            let text = cursor.quoted()?;
            if text.contains([')', '(', '\\', '"']) {
                return Err(
                    cursor.error("a text among the arguments must have no brackets, quotes or backslashes")
                );
            }
            // The library loses commas here.
            Ok(Argument::Literal(Json::from(text.replace(',', ""))))
        }
        Some('0'..='9' | '-') => {
            let digits = cursor.take_while(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
            match Json::parse(digits) {
                Ok(number) => Ok(Argument::Literal(number)),
                Err(_) => Err(cursor.error(&format!("'{digits}' is not a number"))),
            }
        }
        Some('{') => relaxed::value(cursor).map(Argument::Literal),
        _ => {
            Err(cursor
                .error("expected a path, a number, an object or a text in double quotes as an argument"))
        }
    }
}

fn bracket(cursor: &mut Cursor) -> Result<Token, PathError> {
    cursor.take('[');
    cursor.skip_blanks();
    let token = match cursor.peek() {
        Some('\'' | '"') => names(cursor)?,
        Some('*') => {
            cursor.take('*');
            Token::Wildcard
        }
        Some('?') => {
            cursor.take('?');
            Token::Filter(filter_parse::filter(cursor)?)
        }
        Some('0'..='9' | '-' | ':') => numbers(cursor)?,
        _ => return Err(cursor.error("expected a quoted name, an index, a slice, '*' or '?(' after '['")),
    };
    cursor.skip_blanks();
    if !cursor.take(']') {
        return Err(cursor.error("expected ']'"));
    }
    Ok(token)
}

fn names(cursor: &mut Cursor) -> Result<Token, PathError> {
    let quote = if cursor.peek() == Some('"') { '"' } else { '\'' };
    let mut names: Vec<Arc<str>> = Vec::new();
    loop {
        if cursor.peek() != Some(quote) {
            return Err(cursor.error(&format!("expected a name in {quote}")));
        }
        names.push(cursor.quoted()?.into());
        cursor.skip_blanks();
        if !cursor.take(',') {
            return Ok(Token::Names { names, quote });
        }
        cursor.skip_blanks();
    }
}

fn numbers(cursor: &mut Cursor) -> Result<Token, PathError> {
    let text = cursor.take_while(|letter| letter.is_ascii_digit() || "-:, ".contains(letter)).trim_end();
    let blanks_matter = text.contains(':');
    let number = |part: &str| match if blanks_matter { part } else { part.trim() } {
        "" => Ok(None),
        // AWS counts with 32 bits; a greater index names nothing in any payload.
        digits => digits.parse::<i32>().map(|index| Some(i64::from(index))),
    };
    let parsed = if text.contains(':') {
        let mut ends = text.split(':').map(number);
        let mut end = || ends.next().transpose().map(Option::flatten);
        end().and_then(|from| Ok(Token::Slice { from, to: end()? }))
    } else {
        let indices: Result<Option<Vec<i64>>, _> = text.split(',').map(number).collect();
        indices.map(|indices| Token::Indices(indices.unwrap_or_default()))
    };
    match parsed {
        Ok(Token::Slice { from: None, to: None }) => Err(cursor.error("a slice needs at least one end")),
        Ok(Token::Indices(indices)) if indices.is_empty() => Err(cursor.error("expected an index")),
        Ok(token) => Ok(token),
        Err(_) => Err(cursor.error(&format!("'{text}' is neither an index nor a slice"))),
    }
}

/// A place in the text of a path.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    end: usize,
    /// How many filters and conditions are open around this place.
    pub(super) filter_depth: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..self.end]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Steps over `expected` if it comes next.
    pub(super) fn take(&mut self, expected: char) -> bool {
        self.take_text(expected.encode_utf8(&mut [0; 4]))
    }

    pub(super) fn take_text(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    pub(super) fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|letter| !belongs(letter)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    pub(super) fn skip_blanks(&mut self) {
        self.take_while(char::is_whitespace);
    }

    /// A string in the quotes that come next; a backslash takes the following character for itself.
    pub(super) fn quoted(&mut self) -> Result<String, PathError> {
        let Some(quote @ ('\'' | '"')) = self.next() else {
            return Err(self.error("expected a quoted text"));
        };
        let mut text = String::new();
        loop {
            match self.next() {
                Some(end) if end == quote => return Ok(text),
                Some('\\') => text.push(self.escaped()?),
                Some(letter) => text.push(letter),
                None => return Err(self.error(&format!("expected {quote} to end the text"))),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, PathError> {
        match self.next() {
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('u') => {
                let high = self.unit()?;
                // A letter beyond the first 65,536 is written as two escapes.
                let behind = self.at;
                if (0xD800..0xDC00).contains(&high) && self.take_text("\\u") {
                    let low = self.unit()?;
                    if (0xDC00..0xE000).contains(&low) {
                        let letter = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                        return Ok(char::from_u32(letter).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    self.at = behind;
                }
                Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
            }
            Some(other) => Ok(other),
            None => Err(self.error("expected a character after '\\'")),
        }
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, PathError> {
        let digits = self.rest().get(..4).unwrap_or_default();
        let unit = u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'));
        self.at += digits.len();
        unit.ok_or_else(|| self.error("expected four hexadecimal digits after '\\u'"))
    }

    pub(super) fn error(&self, reason: &str) -> PathError {
        PathError { reason: reason.into(), position: self.text[..self.at].chars().count() }
    }
}
