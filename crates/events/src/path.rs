//! The little JSONPath of targets: `$`, `.name`, `['name']`, `[n]`, `[*]`. Pure.
//!
//! EventBridge takes no filters or recursive descent there, so this is not the language's evaluator, which lives with the
//! language.

use serde_json::Value;

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
    Every,
}

impl Path {
    /// `None` when it is not a path.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = if let Some(name) = rest.strip_prefix('.') {
                let end = name.find(['.', '[']).unwrap_or(name.len());
                let (name, after) = name.split_at(end);
                (Some(name).filter(|n| !n.is_empty()).map(member)?, after)
            } else {
                bracket(rest.strip_prefix('[')?)?
            };
            steps.push(step);
            rest = after;
        }
        Some(Self(steps))
    }

    /// The value there; with a `*`, the list of values.
    pub(crate) fn find(&self, value: &Value) -> Option<Value> {
        find(&self.0, value)
    }
}

fn member(name: &str) -> Step {
    if name == "*" { Step::Every } else { Step::Member(name.to_owned()) }
}

fn bracket(text: &str) -> Option<(Step, &str)> {
    for quote in ['\'', '"'] {
        if let Some(name) = text.strip_prefix(quote) {
            let (name, after) = name.split_once(quote)?;
            return Some((Step::Member(name.to_owned()), after.strip_prefix(']')?));
        }
    }
    let (inside, after) = text.split_once(']')?;
    let step = if inside == "*" { Step::Every } else { Step::Element(inside.parse().ok()?) };
    Some((step, after))
}

fn find(steps: &[Step], value: &Value) -> Option<Value> {
    let Some((step, rest)) = steps.split_first() else { return Some(value.clone()) };
    match step {
        Step::Member(name) => find(rest, value.get(name)?),
        Step::Element(index) => find(rest, value.get(index)?),
        Step::Every => {
            let values: Vec<&Value> = match value {
                Value::Array(values) => values.iter().collect(),
                Value::Object(members) => members.values().collect(),
                _ => return None,
            };
            Some(Value::Array(values.into_iter().filter_map(|value| find(rest, value)).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let value = serde_json::json!({"detail": {"a-b": [{"x": 1}, {"x": 2}], "c d": {"e.f": null}}});
        for (path, expected) in [
            ("$.detail.a-b[1].x", Some("2")),
            ("$.detail['a-b'][0]", Some(r#"{"x":1}"#)),
            ("$.detail.a-b[*].x", Some("[1,2]")),
            (r#"$.detail["c d"]['e.f']"#, Some("null")),
            ("$.detail.none", None),
            ("$.detail.a-b[9]", None),
            ("$", Some(r#"{"detail":{"a-b":[{"x":1},{"x":2}],"c d":{"e.f":null}}}"#)),
        ] {
            let found = Path::parse(path).unwrap_or_else(|| panic!("{path}")).find(&value);
            assert_eq!(found.map(|v| v.to_string()).as_deref(), expected, "{path}");
        }
        for refused in ["", "detail", "$detail", "$.", "$..a", "$[", "$['a", "$[-1]", "$[?(@.x)]"] {
            assert_eq!(Path::parse(refused), None, "{refused}");
        }
    }
}
