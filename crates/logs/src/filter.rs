//! Filter patterns: which messages a reader wants.
//!
//! | pattern | wants messages |
//! |--|--|
//! | nothing | all |
//! | `ERROR "two words"` | with all of these |
//! | `?ERROR ?WARN` | with one of these |
//! | `ERROR -Timeout` | without what follows the minus |
//! | `{ $.type = "Task*" && $.details.name != "A" }` | that are JSON with such members |
//!
//! The rest of the language of patterns (`||`, parentheses, regular expressions, numbers by size) is refused in so many
//! words, because a filter that is not understood must not look as if nothing was found.

use serde_json::Value;

/// A pattern that was understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filter {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
    members: Vec<Member>,
}

#[derive(Clone, Debug, PartialEq)]
struct Member {
    path: Vec<String>,
    equal: bool,
    wanted: String,
}

impl Filter {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Why it is not understood.
    pub(crate) fn parse(pattern: &str) -> Result<Filter, String> {
        let pattern = pattern.trim();
        if let Some(inside) = pattern.strip_prefix('{') {
            let inside = inside.strip_suffix('}').ok_or("A JSON pattern ends with '}'")?;
            if inside.contains("||") || inside.contains('(') || inside.contains('%') {
                return Err("Loveless understands comparisons by = and != that are joined by &&".into());
            }
            let members = inside.split("&&").map(member).collect::<Result<_, _>>()?;
            return Ok(Filter { members, ..Filter::default() });
        }
        if pattern.starts_with('[') || pattern.starts_with('%') {
            return Err(
                "Loveless understands terms and JSON patterns, no columns and no regular expressions".into(),
            );
        }
        let mut filter = Filter::default();
        for (mark, term) in terms(pattern)? {
            match mark {
                '?' => filter.any.push(term),
                '-' => filter.none.push(term),
                _ => filter.all.push(term),
            }
        }
        Ok(filter)
    }

    /// Whether it wants this message.
    pub(crate) fn wants(&self, message: &str) -> bool {
        self.all.iter().all(|term| message.contains(term))
            && (self.any.is_empty() || self.any.iter().any(|term| message.contains(term)))
            && !self.none.iter().any(|term| message.contains(term))
            && (self.members.is_empty() || self.wants_members(message))
    }

    fn wants_members(&self, message: &str) -> bool {
        let Ok(whole) = serde_json::from_str::<Value>(message) else { return false };
        self.members.iter().all(|member| {
            let found = member.path.iter().try_fold(&whole, |value, name| value.get(name));
            let text = match found {
                Some(Value::String(text)) => Some(text.clone()),
                Some(other) => Some(other.to_string()),
                None => None,
            };
            text.is_some_and(|text| like(&text, &member.wanted) == member.equal)
        })
    }
}

/// The terms of a pattern, each with the mark before it.
fn terms(pattern: &str) -> Result<Vec<(char, String)>, String> {
    let mut terms = Vec::new();
    let mut rest = pattern.trim_start();
    while let Some(first) = rest.chars().next() {
        let mark = if matches!(first, '?' | '-') { first } else { ' ' };
        if mark != ' ' {
            rest = &rest[1..];
        }
        let (term, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or("A quotation mark is missing")?,
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        if term.is_empty() {
            return Err("A term is empty".into());
        }
        terms.push((mark, term.to_owned()));
        rest = after.trim_start();
    }
    Ok(terms)
}

/// `$.a.b = "text"`.
fn member(text: &str) -> Result<Member, String> {
    let (path, equal, wanted) = match (text.split_once("!="), text.split_once('=')) {
        (Some((path, wanted)), _) => (path, false, wanted),
        (None, Some((path, wanted))) => (path, true, wanted),
        (None, None) => return Err(format!("'{}' compares nothing by = or !=", text.trim())),
    };
    let path = path.trim().strip_prefix("$.").ok_or("A member is named as in $.type")?;
    let wanted = wanted.trim();
    let wanted = wanted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(wanted);
    Ok(Member { path: path.split('.').map(str::to_owned).collect(), equal, wanted: wanted.to_owned() })
}

/// Equality in which `*` at either end stands for anything.
fn like(text: &str, wanted: &str) -> bool {
    match (wanted.strip_prefix('*'), wanted.strip_suffix('*')) {
        (Some(""), _) => true,
        (Some(_), Some(_)) => text.contains(&wanted[1..wanted.len() - 1]),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => text == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_want_what_aws_says_they_want() {
        let message = r#"{"id":"1","type":"TaskFailed","details":{"name":"A b"}}"#;
        for (pattern, wanted) in [
            ("", true),
            ("TaskFailed", true),
            ("TaskFailed nothing", false),
            (r#""A b" TaskFailed"#, true),
            ("?nothing ?Task", true),
            ("?nothing ?less", false),
            ("Task -Failed", false),
            (r#"{ $.type = "TaskFailed" }"#, true),
            (r#"{ $.type = "Task*" && $.details.name = "*b" }"#, true),
            (r#"{ $.type = "*ask*" && $.id != 2 }"#, true),
            (r#"{ $.type != "TaskFailed" }"#, false),
            (r#"{ $.absent != "x" }"#, false),
        ] {
            assert_eq!(Filter::parse(pattern).unwrap().wants(message), wanted, "{pattern}");
        }
        assert!(!Filter::parse("{ $.a = 1 }").unwrap().wants("no JSON"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for pattern in
            ["{ $.a = 1", "{ $.a = 1 || $.b = 2 }", "{ $.a > 1 }", "[a, b]", "%x%", "\"open", "{ a = 1 }"]
        {
            assert!(Filter::parse(pattern).is_err(), "{pattern}");
        }
    }
}
