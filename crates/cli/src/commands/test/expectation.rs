//! What a test case is expected to come to: a small file of our own beside the machine.
//!
//! ```text
//! {"cases": {"CASE": {"input": …, "status": "FAILED", "output": …, "outputContains": …,
//!                     "error": "…", "cause": "…", "causeContains": "…", "path": ["A", "B"]}}}
//! ```
//!
//! Every field is optional. Without `status` a case must succeed, unless an error or a cause is expected of it.

use std::ops::Range;

use serde_json::{Map, Value, json};
use similar::{ChangeTag, TextDiff};

use super::case::Ended;
use super::mocks::text;
use crate::document::finding::{Finding, Severity};
use crate::document::node::{Member, Node, Value as NodeValue};

const FIELDS: [&str; 8] =
    ["input", "status", "output", "outputContains", "error", "cause", "causeContains", "path"];
const STATUSES: [&str; 3] = ["SUCCEEDED", "FAILED", "TIMED_OUT"];

/// What one case is expected to come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Expectation {
    pub(super) input: Option<Value>,
    status: Option<String>,
    output: Option<Value>,
    output_contains: Option<Value>,
    error: Option<String>,
    cause: Option<String>,
    cause_contains: Option<String>,
    path: Option<Vec<String>>,
}

/// A case by its name, with the place of the name.
pub(super) struct Expected {
    pub(super) case: String,
    pub(super) span: Range<usize>,
    pub(super) expectation: Expectation,
}

/// Where an outcome is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// A field of the expectation.
    pub(super) field: &'static str,
    /// What differs, a line or several.
    pub(super) text: String,
}

/// Reads a file; what could be read, and everything that is wrong with the rest.
pub(super) fn read(root: &Node) -> (Vec<Expected>, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut expected = Vec::new();
    let mut cases = None;
    for member in root.members() {
        if member.name == "cases" {
            cases = Some(member);
        } else {
            findings.push(unknown(member, &["cases"]));
        }
    }
    let Some(cases) = cases.filter(|cases| matches!(cases.value.value, NodeValue::Object(_))) else {
        let help = r#"it begins {"cases": {"CASE": {"status": "SUCCEEDED"}}}"#;
        findings.push(wrong("The expectations have no object 'cases'".into(), &root.span, help));
        return (expected, findings);
    };
    for case in cases.value.members() {
        let expectation = one(&case.value, &mut findings);
        expected.push(Expected { case: case.name.clone(), span: case.name_span.clone(), expectation });
    }
    (expected, findings)
}

fn one(node: &Node, findings: &mut Vec<Finding>) -> Expectation {
    let mut read = Expectation::default();
    if !matches!(node.value, NodeValue::Object(_)) {
        findings.push(wrong("An expectation is an object".into(), &node.span, "its fields are optional"));
    }
    for member in node.members() {
        let value: Option<Value> = serde_json::from_str(&member.value.to_json()).ok();
        let mut string = || {
            let read = text(&member.value);
            if read.is_none() {
                findings.push(wrong(
                    format!("'{}' is a string", member.name),
                    &member.value.span,
                    "put it in quotes",
                ));
            }
            read
        };
        match member.name.as_str() {
            "input" => read.input = value,
            "output" => read.output = value,
            "outputContains" => read.output_contains = value,
            "error" => read.error = string(),
            "cause" => read.cause = string(),
            "causeContains" => read.cause_contains = string(),
            "status" => {
                read.status = string();
                if read.status.as_deref().is_some_and(|status| !STATUSES.contains(&status)) {
                    let help = "an execution ends SUCCEEDED, FAILED or TIMED_OUT";
                    findings.push(wrong("There is no such status".into(), &member.value.span, help));
                }
            }
            "path" => match value.map(serde_json::from_value) {
                Some(Ok(path)) => read.path = Some(path),
                _ => {
                    let help = r#"such as ["Reserve", "Charge"]"#;
                    let message = "'path' is an array of states' names".into();
                    findings.push(wrong(message, &member.value.span, help));
                }
            },
            _ => findings.push(unknown(member, &FIELDS)),
        }
    }
    read
}

fn unknown(member: &Member, known: &[&str]) -> Finding {
    let message = format!("Field '{}' is not known", member.name);
    let help = format!("fields are: {}", known.join(", "));
    Finding { help: Some(help.into()), ..wrong(message, &member.name_span, "") }
}

fn wrong(message: String, span: &Range<usize>, help: &'static str) -> Finding {
    let (severity, code) = (Severity::Error, "INVALID_EXPECTATION");
    Finding { severity, code, message, location: None, span: span.clone(), help: Some(help.into()) }
}

impl Expectation {
    /// Where an outcome is not as expected.
    pub(super) fn differences(&self, ended: &Ended) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut differs = |field: &'static str, text: String| found.push(Difference { field, text });
        let may_fail = self.error.is_some() || self.cause.is_some() || self.cause_contains.is_some();
        match self.status.as_deref() {
            Some(status) if status != ended.status => {
                differs("status", format!("expected {status}, was {}{}", ended.status, ended.failed_how()));
            }
            None if !may_fail && ended.status != "SUCCEEDED" => {
                differs("status", format!("expected SUCCEEDED, was {}{}", ended.status, ended.failed_how()));
            }
            Some(_) | None => {}
        }
        if let Some(expected) = &self.output
            && !ended.output.as_ref().is_some_and(|output| same(expected, output))
        {
            differs("output", diff(&pretty(Some(expected)), &pretty(ended.output.as_ref())));
        }
        if let Some(expected) = &self.output_contains
            && !ended.output.as_ref().is_some_and(|output| contains(output, expected))
        {
            differs("outputContains", diff(&pretty(Some(expected)), &pretty(ended.output.as_ref())));
        }
        for (field, expected, actual) in
            [("error", &self.error, &ended.error), ("cause", &self.cause, &ended.cause)]
        {
            if expected.is_some() && expected != actual {
                let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "(none)".into());
                differs(field, diff(&shown(expected), &shown(actual)));
            }
        }
        if let Some(expected) = &self.cause_contains
            && !ended.cause.as_ref().is_some_and(|cause| cause.contains(expected.as_str()))
        {
            let cause = ended.cause.as_deref().unwrap_or("(none)");
            differs("causeContains", format!("expected … {expected} …, was {cause}"));
        }
        if let Some(expected) = &self.path
            && *expected != ended.path
        {
            differs("path", diff(&expected.join("\n"), &ended.path.join("\n")));
        }
        found
    }

    /// The expectation that an outcome meets, which says no more kinds of things about it than this one does, or
    /// everything if this one says nothing.
    pub(super) fn updated(&self, ended: &Ended, input: Option<Value>) -> Expectation {
        let kept = |holds: bool, value: &Option<Value>| value.clone().filter(|_| holds);
        let contained =
            |expected: &Value| ended.output.as_ref().is_some_and(|output| contains(output, expected));
        let output_contains =
            kept(self.output_contains.as_ref().is_some_and(contained), &self.output_contains);
        let cause_contains = self
            .cause_contains
            .clone()
            .filter(|part| ended.cause.as_ref().is_some_and(|cause| cause.contains(part.as_str())));
        Expectation {
            input: input.or_else(|| self.input.clone()),
            status: Some(ended.status.clone()),
            output: ended.output.clone().filter(|_| output_contains.is_none()),
            output_contains,
            error: ended.error.clone(),
            cause: ended.cause.clone().filter(|_| cause_contains.is_none()),
            cause_contains,
            path: Some(ended.path.clone()),
        }
    }

    fn to_json(&self) -> Value {
        let mut out = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                out.insert(name.into(), value);
            }
        };
        put("input", self.input.clone());
        put("status", self.status.clone().map(Value::from));
        put("output", self.output.clone());
        put("outputContains", self.output_contains.clone());
        put("error", self.error.clone().map(Value::from));
        put("cause", self.cause.clone().map(Value::from));
        put("causeContains", self.cause_contains.clone().map(Value::from));
        put("path", self.path.clone().map(Value::from));
        Value::Object(out)
    }
}

/// The text of a file with these expectations.
pub(super) fn write(expected: &[Expected]) -> String {
    let cases: Map<String, Value> =
        expected.iter().map(|one| (one.case.clone(), one.expectation.to_json())).collect();
    format!("{:#}\n", json!({"cases": cases}))
}

/// Whether two values are the same; `1` and `1.0` are.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

/// Whether all that `part` says is so in `whole`: objects may have more members there, arrays not more items.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, part)| whole.get(name).is_some_and(|whole| contains(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        _ => same(whole, part),
    }
}

fn pretty(value: Option<&Value>) -> String {
    value.map_or("(none)".into(), |value| format!("{value:#}"))
}

/// The lines of both, those of one only marked: `-` expected, `+` there.
fn diff(expected: &str, actual: &str) -> String {
    let diff = TextDiff::from_lines(expected, actual);
    let lines = diff.iter_all_changes().map(|change| {
        let mark = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        format!("{mark} {}", change.value().trim_end_matches('\n'))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_contained_whatever_else_is_there() {
        let whole = json!({"a": 1, "b": [{"c": 2, "d": 3}], "e": "f"});
        for (part, is_part) in [
            (json!({}), true),
            (json!({"a": 1.0}), true),
            (json!({"b": [{"d": 3}]}), true),
            (json!({"b": []}), false),
            (json!({"a": null}), false),
            (json!({"g": 1}), false),
            (json!([]), false),
        ] {
            assert_eq!(contains(&whole, &part), is_part, "{part}");
        }
        assert!(same(&json!({"a": 1, "b": 2}), &json!({"b": 2.0, "a": 1})));
        assert!(!same(&json!({"a": 1}), &json!({"a": 1, "b": 2})));
    }

    #[test]
    fn lines_of_one_side_are_marked() {
        assert_eq!(diff("a\nb\nc", "a\nx\nc"), "  a\n- b\n+ x\n  c");
    }
}
