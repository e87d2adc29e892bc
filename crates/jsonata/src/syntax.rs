//! What the text of an expression may say, and the words when it may not: those of jsonata-js 2.0.6 without their code.
//!
//! The library's parser accepts what came after 2.0.6 (`??`, `?:`) and names tokens by its own names, so texts are read
//! twice: by the grammar here, which only finds the first fault, then by the library, which builds the tree. Renaming
//! the library's complaints was the road not taken: it also finds another fault first in one text out of six.

use std::borrow::Cow;

use jsonata_core::parser::ParserError;

mod grammar;
mod tokens;

pub(crate) use tokens::quoted;

/// A refusal in jsonata-js's words.
pub(crate) type Complaint = String;

/// The text for the library's parser, if it keeps to the grammar of JSONata 2.0.6: that parser ends a pattern at a slash
/// in brackets, so such a slash gets its backslash.
pub(crate) fn checked(text: &str) -> Result<Cow<'_, str>, Complaint> {
    let slashes = grammar::read(text)?;
    if slashes.is_empty() {
        return Ok(Cow::Borrowed(text));
    }
    let mut escaped = String::with_capacity(text.len() + slashes.len());
    let mut copied = 0;
    for slash in slashes {
        escaped.push_str(&text[copied..slash]);
        escaped.push('\\');
        copied = slash;
    }
    Ok(Cow::Owned(escaped + &text[copied..]))
}

/// What the library's parser complains of in a text that keeps to the grammar: its words are jsonata-js's, behind a
/// code.
pub(crate) fn message(failure: &ParserError) -> Complaint {
    let text = failure.to_string();
    let text = text.strip_prefix("Invalid syntax: ").unwrap_or(&text);
    match text.split_once(": ") {
        Some((code, words)) if is_code(code) => words.to_owned(),
        _ => text.to_owned(),
    }
}

/// `S0213` and its like.
fn is_code(text: &str) -> bool {
    text.len() == 5
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text[1..].bytes().all(|byte| byte.is_ascii_digit())
}

/// A number as JavaScript prints it.
fn number_text(number: f64) -> String {
    jsonata_core::value::JValue::Number(number).to_string()
}
