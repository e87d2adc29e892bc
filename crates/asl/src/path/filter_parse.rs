//! The text of a filter to its tree: `||` binds least, then `&&`, then `!`, then comparisons.
//!
//! It reads as Jayway's compiler does, with its surprises: a path ends only at a blank, a `)` or one of `<>=~!` (so that
//! `@.a&&@.b` is one path, of a member called `a&&@`), a word such as `in` needs a blank behind it, and a `!` before a
//! path that is compared means nothing.

use super::PathError;
use super::decimal::Decimal;
use super::filter::{Filter, FilterPath, Operand, Operator};
use super::parse::{Cursor, Place, tokens};
use super::pattern::Pattern;
use super::relaxed;
use super::token::are_definite;

/// How deep brackets and `!` may nest in a filter: the parser recurses, and nobody can read more.
const DEPTH_MAX: usize = 32;

/// The words and signs of comparison.
const OPERATORS: [(&str, Operator); 21] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("===", Operator::SameTypeEqual),
    ("!==", Operator::SameTypeNotEqual),
    ("<", Operator::Less),
    ("<=", Operator::LessOrEqual),
    (">", Operator::Greater),
    (">=", Operator::GreaterOrEqual),
    ("=~", Operator::Matches),
    ("in", Operator::In),
    ("nin", Operator::NotIn),
    ("contains", Operator::Contains),
    ("subsetof", Operator::SubsetOf),
    ("anyof", Operator::AnyOf),
    ("noneof", Operator::NoneOf),
    ("size", Operator::Size),
    ("empty", Operator::Empty),
    ("exists", Operator::Exists),
    ("all", Operator::Unusable),
    ("type", Operator::Unusable),
    ("matches", Operator::Unusable),
];

/// Whether a sign belongs to an operator: it ends a path, and such signs are read together.
pub(super) fn is_sign(letter: char) -> bool {
    matches!(letter, '<' | '>' | '=' | '~' | '!')
}

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
    let negated = cursor.take('!');
    cursor.skip_blanks();
    let condition = match cursor.peek() {
        Some('@' | '$') => comparison(cursor, negated)?,
        _ if negated => Filter::Not(Box::new(condition(cursor)?)),
        Some('(') => {
            cursor.take('(');
            let inner = any(cursor)?;
            close(cursor)?;
            inner
        }
        _ => comparison(cursor, false)?,
    };
    cursor.filter_depth -= 1;
    cursor.skip_blanks();
    Ok(condition)
}

fn close(cursor: &mut Cursor) -> Result<(), PathError> {
    cursor.skip_blanks();
    if cursor.take(')') { Ok(()) } else { Err(cursor.error("expected '&&', '||', a comparison or ')'")) }
}

fn comparison(cursor: &mut Cursor, negated: bool) -> Result<Filter, PathError> {
    let left = operand(cursor)?;
    cursor.skip_blanks();
    if let Some(operator) = operator(cursor) {
        cursor.skip_blanks();
        return Ok(Filter::Compare { left, operator, right: operand(cursor)? });
    }
    match left {
        Operand::Path(path) => Ok(Filter::Exists { path, wanted: !negated }),
        _ => Err(cursor.error("expected a comparison behind the literal")),
    }
}

/// The operator that comes next, if one does.
fn operator(cursor: &mut Cursor) -> Option<Operator> {
    let rest = cursor.rest();
    let is_end: fn(char) -> bool =
        if rest.starts_with(is_sign) { |letter| !is_sign(letter) } else { |letter| letter == ' ' };
    let text = &rest[..rest.find(is_end).unwrap_or(rest.len())];
    let (_, operator) = OPERATORS.iter().find(|(known, _)| known.eq_ignore_ascii_case(text))?;
    cursor.take_text(text);
    Some(*operator)
}

fn operand(cursor: &mut Cursor) -> Result<Operand, PathError> {
    if cursor.take('!') {
        cursor.skip_blanks();
        if !matches!(cursor.peek(), Some('@' | '$')) {
            return Err(cursor.error("expected a path behind '!'"));
        }
    }
    match cursor.peek() {
        Some(root @ ('@' | '$')) => {
            cursor.take(root);
            let tokens = tokens(cursor, Place::Filter)?;
            let definite = are_definite(&tokens);
            Ok(Operand::Path(FilterPath { from_document: root == '$', tokens, definite }))
        }
        Some('\'' | '"') => Ok(Operand::Text(cursor.quoted()?.into())),
        Some('[' | '{') => relaxed::value(cursor).map(Operand::Json),
        Some('/') => pattern(cursor),
        Some(_) => word(cursor),
        None => Err(cursor.error("expected a path or a literal")),
    }
}

/// `true`, `false`, `null` or a number.
fn word(cursor: &mut Cursor) -> Result<Operand, PathError> {
    for (word, operand) in
        [("true", Operand::Bool(true)), ("false", Operand::Bool(false)), ("null", Operand::Null)]
    {
        if cursor.take_text(word) {
            return Ok(operand);
        }
    }
    let digits = cursor.take_while(|letter| letter.is_ascii_digit() || "-.eE".contains(letter));
    match Decimal::parse(digits) {
        Some(number) => Ok(Operand::Number(number)),
        None => Err(cursor.error(
            "expected a path, a quoted text, a number, true, false, null, a list or a regular expression",
        )),
    }
}

/// `/pattern/flags`; a slash in the pattern stands behind a backslash.
fn pattern(cursor: &mut Cursor) -> Result<Operand, PathError> {
    cursor.take('/');
    let rest = cursor.rest();
    let mut escaped = false;
    let end = rest.find(|letter| match letter {
        _ if escaped => {
            escaped = false;
            false
        }
        '\\' => {
            escaped = true;
            false
        }
        other => other == '/',
    });
    let Some(end) = end else { return Err(cursor.error("expected '/' to end the regular expression")) };
    cursor.take_text(&rest[..end]);
    cursor.take('/');
    let flags = cursor.take_while(|letter| letter.is_ascii_alphabetic());
    Pattern::parse(&rest[..end], flags).map(Operand::Pattern).map_err(|reason| cursor.error(&reason))
}
