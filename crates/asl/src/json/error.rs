//! Why a text is not JSON, in the words that AWS's reader uses, and where.

use std::fmt;

/// The first thing wrong with a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    message: String,
    line: usize,
    column: usize,
}

impl JsonError {
    pub(super) fn new(message: impl Into<String>, line: usize, column: usize) -> JsonError {
        JsonError { message: message.into(), line, column }
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column behind the last character that was read, from 1, in UTF-16 units as AWS counts.
    pub fn column(&self) -> usize {
        self.column
    }

    /// The place as `[Source: (String)"…"; line: 1, column: 4]`; `text` is the text that was read.
    pub fn location(&self, text: &str) -> String {
        location(text, self.line, self.column)
    }

    /// The message with its place on a second line, as in the diagnostics of a definition.
    pub fn message_at(&self, text: &str) -> String {
        format!("{}\n at {}", self.message, self.location(text))
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at line {}, column {}", self.message, self.line, self.column)
    }
}

impl std::error::Error for JsonError {}

/// How much of the text a place quotes, in UTF-16 units: what AWS's reader quotes.
const QUOTED_MAX: usize = 500;

pub(super) fn location(text: &str, line: usize, column: usize) -> String {
    let mut quoted = String::new();
    let mut length = 0;
    for character in text.chars() {
        length += character.len_utf16();
        if length > QUOTED_MAX {
            continue;
        }
        match character {
            '\r' | '\n' => quoted.push(character),
            control if control.is_control() => quoted.push_str(&format!("\\u{:04X}", control as u32)),
            plain => quoted.push(plain),
        }
    }
    let truncated = if length > QUOTED_MAX {
        format!("[truncated {} chars]", length - QUOTED_MAX)
    } else {
        String::new()
    };
    format!("[Source: (String)\"{quoted}\"{truncated}; line: {line}, column: {column}]")
}
