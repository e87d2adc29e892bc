//! The text of a filter to its tree: `||` binds least, then `&&`, then `!`, then comparisons.

use super::PathError;
use super::filter::{Filter, Operand, Operator};
use super::parse::{Cursor, Place, tokens};
use super::token::{Token, are_definite};
use crate::json::Json;

/// How deep brackets and `!` may nest in a filter: the parser recurses, and nobody can read more.
const DEPTH_MAX: usize = 32;

/// The words and signs of comparison; longer ones first where one starts another.
const OPERATORS: [(&str, Operator); 17] = [
    ("===", Operator::SameTypeEqual),
    ("!==", Operator::SameTypeNotEqual),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("in", Operator::In),
    ("nin", Operator::NotIn),
    ("contains", Operator::Contains),
    ("subsetof", Operator::SubsetOf),
    ("anyof", Operator::AnyOf),
    ("noneof", Operator::NoneOf),
    ("all", Operator::All),
    ("size", Operator::Size),
    ("empty", Operator::Empty),
];

/// The filter behind `[?`, with its brackets, up to the `]`.
pub(super) fn filter(cursor: &mut Cursor) -> Result<Filter, PathError> {
    cursor.skip_blanks();
    if !cursor.take('(') {
        return Err(cursor.error("a filter must stand in brackets: [?(…)]"));
    }
    let nested = cursor.filter_depth;
    cursor.filter_depth += 1;
    if nested >= DEPTH_MAX {
        return Err(cursor.error("filters nest too deep"));
    }
    let filter = any(cursor)?;
    cursor.filter_depth = nested;
    close(cursor)?;
    Ok(filter)
}

fn any(cursor: &mut Cursor) -> Result<Filter, PathError> {
    let mut conditions = vec![all(cursor)?];
    while cursor.take_text("||") {
        conditions.push(all(cursor)?);
    }
    Ok(if conditions.len() == 1 { conditions.remove(0) } else { Filter::Any(conditions) })
}

fn all(cursor: &mut Cursor) -> Result<Filter, PathError> {
    let mut conditions = vec![condition(cursor)?];
    while cursor.take_text("&&") {
        conditions.push(condition(cursor)?);
    }
    Ok(if conditions.len() == 1 { conditions.remove(0) } else { Filter::All(conditions) })
}

/// One condition and the blanks around it.
fn condition(cursor: &mut Cursor) -> Result<Filter, PathError> {
    cursor.skip_blanks();
    cursor.filter_depth += 1;
    if cursor.filter_depth > DEPTH_MAX {
        return Err(cursor.error("filters nest too deep"));
    }
    let condition = match cursor.peek() {
        Some('!') => {
            cursor.take('!');
            Filter::Not(Box::new(condition(cursor)?))
        }
        Some('(') => {
            cursor.take('(');
            let inner = any(cursor)?;
            close(cursor)?;
            inner
        }
        _ => comparison(cursor)?,
    };
    cursor.filter_depth -= 1;
    cursor.skip_blanks();
    Ok(condition)
}

fn close(cursor: &mut Cursor) -> Result<(), PathError> {
    cursor.skip_blanks();
    if cursor.take(')') { Ok(()) } else { Err(cursor.error("expected '&&', '||', a comparison or ')'")) }
}

fn comparison(cursor: &mut Cursor) -> Result<Filter, PathError> {
    let left = operand(cursor)?;
    cursor.skip_blanks();
    if cursor.rest().starts_with("=~") {
        return Err(
            cursor.error("regular expressions (=~) are not supported; compare with ==, in or contains")
        );
    }
    let Some(operator) = operator(cursor) else {
        return match left {
            Operand::Path { .. } => Ok(Filter::Exists(left)),
            Operand::Literal(_) => Err(cursor.error("expected a comparison behind the literal")),
        };
    };
    cursor.skip_blanks();
    Ok(Filter::Compare { left, operator, right: operand(cursor)? })
}

fn operator(cursor: &mut Cursor) -> Option<Operator> {
    let (text, operator) = OPERATORS.iter().find(|(text, _)| begins_with(cursor.rest(), text))?;
    cursor.take_text(text);
    Some(*operator)
}

/// A sign may touch what follows; a word (in either case) may not.
fn begins_with(rest: &str, operator: &str) -> bool {
    let Some((head, behind)) = rest.split_at_checked(operator.len()) else { return false };
    head == operator
        && (!operator.starts_with(char::is_alphabetic)
            || !behind.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
}

fn operand(cursor: &mut Cursor) -> Result<Operand, PathError> {
    match cursor.peek() {
        Some(root @ ('@' | '$')) => {
            cursor.take(root);
            let tokens = tokens(cursor, Place::Filter)?;
            let definite = are_definite(&tokens);
            if let Some(Token::Descend) = tokens.last() {
                return Err(cursor.error("a path must not end with '..'"));
            }
            Ok(Operand::Path { from_document: root == '$', tokens, definite })
        }
        Some('\'' | '"') => Ok(Operand::Literal(cursor.quoted()?.into())),
        Some('[' | '{') => bracketed(cursor),
        Some(_) => word(cursor),
        None => Err(cursor.error("expected a path or a literal")),
    }
}

/// `true`, `null`, `1.5`: a JSON scalar up to the next sign.
fn word(cursor: &mut Cursor) -> Result<Operand, PathError> {
    let word = cursor.take_while(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
    match Json::parse(word) {
        Ok(value) => Ok(Operand::Literal(value)),
        Err(_) => {
            Err(cursor.error("expected a path, a quoted text, a number, true, false, null or a JSON list"))
        }
    }
}

/// A JSON array or object; its strings may stand in either quote, as in Jayway's examples.
fn bracketed(cursor: &mut Cursor) -> Result<Operand, PathError> {
    let mut text = String::new();
    let mut depth = 0_usize;
    loop {
        match cursor.peek() {
            Some('\'' | '"') => Json::from(cursor.quoted()?).write(&mut text),
            Some(letter) => {
                cursor.take(letter);
                text.push(letter);
                match letter {
                    '[' | '{' => depth += 1,
                    ']' | '}' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            None => return Err(cursor.error("expected ']' or '}' to end the literal")),
        }
    }
    Json::parse(&text).map(Operand::Literal).map_err(|failure| cursor.error(failure.message()))
}
