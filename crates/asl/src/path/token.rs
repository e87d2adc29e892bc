//! The steps a path is made of, and how they print in AWS's messages (bracket notation).

use std::fmt;
use std::sync::Arc;

use super::filter::Filter;
use super::function::Call;

/// One step of a path.
#[derive(Clone, Debug)]
pub(super) enum Token {
    /// `.a`, `['a']`, `['a','b']`: never empty. The quote is the one that was written, which messages repeat.
    Names { names: Vec<Arc<str>>, quote: char },
    /// `[0]`, `[-1]`, `[0,2]`: never empty.
    Indices(Vec<i64>),
    /// `[1:]`, `[:2]`, `[1:5]`: at least one end is there.
    Slice { from: Option<i64>, to: Option<i64> },
    /// `.*`, `[*]`.
    Wildcard,
    /// `..`: the next token applies to the value and everything below it. Never last.
    Descend,
    /// `[?(…)]`.
    Filter(Filter),
    /// `.length()` and its like: always last.
    Function(Call),
}

impl Token {
    /// A single name or a single index.
    pub(super) fn is_reference(&self) -> bool {
        match self {
            Token::Names { names, .. } => names.len() == 1,
            Token::Indices(indices) => indices.len() == 1,
            _ => false,
        }
    }

    /// Whether the step leads to at most one value. Several names do at the end of a path: they give one object.
    fn is_definite(&self, is_last: bool) -> bool {
        match self {
            Token::Names { names, .. } => names.len() == 1 || is_last,
            Token::Indices(indices) => indices.len() == 1,
            Token::Function(_) => true,
            Token::Slice { .. } | Token::Wildcard | Token::Descend | Token::Filter(_) => false,
        }
    }
}

/// Whether a path of these tokens names at most one value.
pub(super) fn are_definite(tokens: &[Token]) -> bool {
    tokens.iter().enumerate().all(|(index, token)| token.is_definite(index + 1 == tokens.len()))
}

impl fmt::Display for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Names { names, quote } => {
                let quoted: Vec<String> = names.iter().map(|name| format!("{quote}{name}{quote}")).collect();
                write!(out, "[{}]", quoted.join(","))
            }
            Token::Indices(indices) => {
                let texts: Vec<String> = indices.iter().map(i64::to_string).collect();
                write!(out, "[{}]", texts.join(","))
            }
            Token::Slice { from, to } => {
                let end = |end: &Option<i64>| end.map_or(String::new(), |index| index.to_string());
                write!(out, "[{}:{}]", end(from), end(to))
            }
            Token::Wildcard => out.write_str("[*]"),
            Token::Descend => out.write_str(".."),
            Token::Filter(_) => out.write_str("[?]"),
            Token::Function(call) => write!(out, ".{call}"),
        }
    }
}

/// `tokens` behind a `$`, as they were written but in bracket notation.
pub(super) fn print(tokens: &[Token]) -> String {
    format!("${}", print_steps(tokens))
}

/// `tokens` alone, as in the messages about a step and all that follows.
pub(super) fn print_steps(tokens: &[Token]) -> String {
    tokens.iter().map(Token::to_string).collect()
}

/// The way that was walked along `tokens`, which are single names and indices; names stand in single quotes whatever
/// was written.
pub(super) fn print_walked(tokens: &[Token]) -> String {
    let step = |token: &Token| match token {
        Token::Names { names, .. } => format!("['{}']", names.join("', '")),
        other => other.to_string(),
    };
    format!("${}", tokens.iter().map(step).collect::<String>())
}
