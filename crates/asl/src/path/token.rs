//! The steps a path is made of, and how they print in AWS's messages (bracket notation).

use std::fmt;
use std::sync::Arc;

use super::filter::Filter;
use super::function::Function;

/// One step of a path.
#[derive(Clone, Debug)]
pub(super) enum Token {
    /// `.a`, `['a']`, `['a','b']`: never empty.
    Names(Vec<Arc<str>>),
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
    Function(Function),
}

impl Token {
    /// A single name or a single index.
    pub(super) fn is_reference(&self) -> bool {
        match self {
            Token::Names(names) => names.len() == 1,
            Token::Indices(indices) => indices.len() == 1,
            _ => false,
        }
    }
}

/// Whether a path of these tokens names at most one value. Several names at the end do: they give one object.
pub(super) fn are_definite(tokens: &[Token]) -> bool {
    let [before @ .., last] = tokens else { return true };
    before.iter().all(Token::is_reference)
        && (last.is_reference() || matches!(last, Token::Names(_) | Token::Function(_)))
        || matches!(last, Token::Function(_))
}

impl fmt::Display for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Names(names) => {
                let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
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
            Token::Function(function) => write!(out, ".{}()", function.name()),
        }
    }
}

/// `tokens` behind a `$`, in bracket notation.
pub(super) fn print(tokens: &[Token]) -> String {
    tokens.iter().fold(String::from("$"), |text, token| text + &token.to_string())
}
