//! A target of a rule, and the text that it is sent: the whole event, a constant, a part, or a template filled in. Pure.
//!
//! In a template `<name>` stands for a value. Inside a JSON string it is replaced by the value's text, elsewhere by its
//! JSON. A name that the event lacks becomes the empty string. What comes out must be JSON, as an execution's input must.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::path::Path;

/// AWS's limits.
const TEMPLATE_BYTES_MAX: usize = 8192;
const INPUT_BYTES_MAX: usize = 8192;
const PATHS_MAX: usize = 100;
/// Names that the transformer defines itself begin like this.
const RESERVED: &str = "aws.events.";

/// Where matching events go, as PutTargets gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Target {
    /// Its name within the rule.
    pub id: String,
    /// What receives: a state machine's ARN, say.
    pub arn: String,
    /// The role that AWS would take on; kept, and handed back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// A constant instead of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The part of the event to send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_path: Option<String>,
    /// A template to fill in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_transformer: Option<InputTransformer>,
    /// How long and how often to try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicy>,
}

/// Values picked out of the event, and the text to put them into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InputTransformer {
    /// Names and the paths of their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub input_paths_map: BTreeMap<String, String>,
    /// The text.
    pub input_template: String,
}

/// How long and how often a delivery that failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RetryPolicy {
    /// Give up after that many more tries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_retry_attempts: Option<u32>,
    /// Give up when the event is that old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_event_age_in_seconds: Option<u64>,
}

/// What a template may say about the rule that matched.
#[derive(Debug, Clone, Copy)]
pub struct Matched<'a> {
    /// The rule's ARN.
    pub rule_arn: &'a str,
    /// The rule's name.
    pub rule_name: &'a str,
    /// When the event came in, as RFC 3339.
    pub ingestion_time: &'a str,
}

impl Target {
    /// Why it cannot be a target, if so; the text names the target.
    ///
    /// # Errors
    /// The text of AWS's `ValidationException`.
    pub fn check(&self) -> Result<(), String> {
        let id = &self.id;
        let ways = [self.input.is_some(), self.input_path.is_some(), self.input_transformer.is_some()];
        if ways.into_iter().filter(|given| *given).count() > 1 {
            return Err(format!(
                "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
            ));
        }
        if let Some(input) = &self.input {
            if input.len() > INPUT_BYTES_MAX {
                return Err(format!("Input for target {id} is longer than {INPUT_BYTES_MAX} bytes."));
            }
            if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(input) {
                return Err(format!("JSON syntax error in input for target {id}: {error}"));
            }
        }
        if self.input_path.as_deref().is_some_and(|path| !path.is_empty() && Path::parse(path).is_none()) {
            return Err(format!(
                "Parameter InputPath is not valid for target {id}. Reason: it is not a JSON path."
            ));
        }
        self.input_transformer.as_ref().map_or(Ok(()), |transformer| transformer.check(id))
    }

    /// The text to send for an event.
    ///
    /// # Errors
    /// When a template, filled in, is not JSON.
    pub fn input_for(&self, event: &Value, matched: Matched<'_>) -> Result<String, String> {
        if let Some(input) = &self.input {
            return Ok(input.clone());
        }
        if let Some(path) = self.input_path.as_deref().filter(|path| !path.is_empty()) {
            let found = Path::parse(path).and_then(|path| path.find(event));
            return Ok(found.unwrap_or(Value::Null).to_string());
        }
        match &self.input_transformer {
            Some(transformer) => transformer.fill(event, matched),
            None => Ok(event.to_string()),
        }
    }
}

impl InputTransformer {
    fn check(&self, id: &str) -> Result<(), String> {
        if self.input_template.is_empty() {
            return Err(format!("InputTemplate of target {id} must not be empty."));
        }
        if self.input_template.len() > TEMPLATE_BYTES_MAX {
            return Err(format!("InputTemplate of target {id} is longer than {TEMPLATE_BYTES_MAX} bytes."));
        }
        if self.input_paths_map.len() > PATHS_MAX {
            return Err(format!("InputPathsMap of target {id} has more than {PATHS_MAX} entries."));
        }
        for (name, path) in &self.input_paths_map {
            if name.to_ascii_lowercase().starts_with("aws") {
                return Err(format!(
                    "InputPathsMap of target {id} must not define {name}: names with AWS are reserved."
                ));
            }
            if Path::parse(path).is_none() {
                return Err(format!(
                    "InputPathsMap of target {id}: the path {path} of {name} is not a JSON path."
                ));
            }
        }
        // Filled with values of every kind that could come, it must be JSON.
        let fillings = [Value::from("text"), Value::from(1), serde_json::json!({"a": "b"})];
        let valid = fillings.into_iter().any(|value| {
            let filled = fill(&self.input_template, |_| value.clone());
            serde_json::from_str::<serde::de::IgnoredAny>(&filled).is_ok()
        });
        if !valid {
            return Err(format!(
                "Invalid InputTemplate for target {id}: filled in, it is not JSON. A text needs quotes around it."
            ));
        }
        Ok(())
    }

    fn fill(&self, event: &Value, matched: Matched<'_>) -> Result<String, String> {
        let missing = || Value::from("");
        let filled = fill(&self.input_template, |name| match name.strip_prefix(RESERVED) {
            Some("rule-arn") => Value::from(matched.rule_arn),
            Some("rule-name") => Value::from(matched.rule_name),
            Some("event.ingestion-time") => Value::from(matched.ingestion_time),
            Some("event.json") => event.clone(),
            Some("event") => {
                let mut envelope = event.clone();
                if let Value::Object(members) = &mut envelope {
                    members.shift_remove("detail");
                }
                envelope
            }
            _ => {
                let path = self.input_paths_map.get(name).and_then(|path| Path::parse(path));
                path.and_then(|path| path.find(event)).unwrap_or_else(missing)
            }
        });
        match serde_json::from_str::<serde::de::IgnoredAny>(&filled) {
            Ok(_) => Ok(filled),
            Err(error) => Err(format!("the filled template is not JSON ({error}): {filled}")),
        }
    }
}

/// Replaces every `<name>`; anything else between angle brackets stays.
fn fill(template: &str, value_of: impl Fn(&str) -> Value) -> String {
    let mut filled = String::with_capacity(template.len());
    let (mut quoted, mut escaped) = (false, false);
    let mut rest = template;
    while let Some(char) = rest.chars().next() {
        if let Some(name) = placeholder(rest) {
            let value = value_of(name);
            filled.push_str(&if quoted { inside_quotes(&value) } else { value.to_string() });
            rest = rest.get(name.len() + 2..).unwrap_or_default();
            continue;
        }
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ => {}
        }
        filled.push(char);
        rest = rest.get(char.len_utf8()..).unwrap_or_default();
    }
    filled
}

/// The name, if the text begins with a placeholder.
fn placeholder(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('<')?.split_once('>')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "._-".contains(c));
    is_name.then_some(name)
}

/// A value as part of a string: its text, escaped; objects and lists lose their quotes.
fn inside_quotes(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let json = Value::from(text.as_str()).to_string();
            json.get(1..json.len() - 1).unwrap_or_default().to_owned()
        }
        Value::Array(_) | Value::Object(_) => value.to_string().replace(['"', '\\'], ""),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MATCHED: Matched<'_> = Matched {
        rule_arn: "arn:aws:events:r:1:rule/n",
        rule_name: "n",
        ingestion_time: "2026-01-02T03:04:05Z",
    };

    fn target(more: Value) -> Target {
        let mut target = json!({"Id": "t", "Arn": "arn"});
        if let (Value::Object(all), Value::Object(more)) = (&mut target, more) {
            all.extend(more);
        }
        serde_json::from_value(target).unwrap()
    }

    fn event() -> Value {
        json!({"id": "e", "detail": {"bucket": {"name": "in"}, "object": {"key": "a \"b\".png", "size": 5}, "l": [1, "x"],
            "none": null}})
    }

    fn sent(more: Value) -> Value {
        let target = target(more);
        target.check().unwrap();
        serde_json::from_str(&target.input_for(&event(), MATCHED).unwrap()).unwrap()
    }

    fn transformed(template: &str) -> Value {
        let paths = json!({"key": "$.detail.object.key", "size": "$.detail.object.size", "object": "$.detail.object",
            "list": "$.detail.l", "null": "$.detail.none", "missing": "$.detail.nowhere"});
        sent(json!({"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}))
    }

    #[test]
    fn whole_constant_and_part() {
        assert_eq!(sent(json!({})), event());
        assert_eq!(sent(json!({"Input": "{\"x\": [1]}"})), json!({"x": [1]}));
        assert_eq!(sent(json!({"InputPath": "$.detail.bucket"})), json!({"name": "in"}));
        assert_eq!(sent(json!({"InputPath": "$.detail.object.key"})), json!("a \"b\".png"));
        assert_eq!(sent(json!({"InputPath": "$.nowhere"})), Value::Null);
    }

    #[test]
    fn templates() {
        for (template, expected) in [
            (r#"{"k": <key>, "n": <size>}"#, json!({"k": "a \"b\".png", "n": 5})),
            (r#"{"text": "key <key> has <size> bytes"}"#, json!({"text": "key a \"b\".png has 5 bytes"})),
            (r#""<key> is new""#, json!("a \"b\".png is new")),
            (
                r#"{"o": <object>, "l": <list>, "z": <null>}"#,
                json!({"o": event()["detail"]["object"], "l": [1, "x"], "z": null}),
            ),
            (r#"{"l": "<list>"}"#, json!({"l": "[1,x]"})),
            (
                r#"{"m": <missing>, "t": "[<missing>]", "u": <undefined>}"#,
                json!({"m": "", "t": "[]", "u": ""}),
            ),
            (r#"{"not": "1 < 2 > 0 <a b>"}"#, json!({"not": "1 < 2 > 0 <a b>"})),
            (r#"{"q": "\"<key>\""}"#, json!({"q": "\"a \"b\".png\""})),
            ("<object>", event()["detail"]["object"].clone()),
            (
                r#"{"r": <aws.events.rule-name>, "a": "<aws.events.rule-arn>", "t": <aws.events.event.ingestion-time>}"#,
                json!({"r": "n", "a": "arn:aws:events:r:1:rule/n", "t": "2026-01-02T03:04:05Z"}),
            ),
            (r#"{"e": <aws.events.event.json>}"#, json!({"e": event()})),
            (r#"{"e": <aws.events.event>}"#, json!({"e": {"id": "e"}})),
        ] {
            assert_eq!(transformed(template), expected, "{template}");
        }
    }

    #[test]
    fn bad_targets_say_why() {
        let transformer = |paths: Value, template: &str| json!({"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}});
        for (more, reason) in [
            (json!({"Input": "{}", "InputPath": "$"}), "Only one of Input"),
            (json!({"Input": "{"}), "JSON syntax error in input for target t"),
            (json!({"InputPath": "detail"}), "InputPath is not valid"),
            (transformer(json!({"a": "nope"}), "<a>"), "not a JSON path"),
            (transformer(json!({"AWS.x": "$"}), "<a>"), "reserved"),
            (transformer(json!({"a": "$"}), "no quotes <a>"), "not JSON"),
            (transformer(json!({}), ""), "must not be empty"),
        ] {
            let error = target(more.clone()).check().expect_err(&more.to_string());
            assert!(error.contains(reason), "{more}: {error}");
        }
    }
}
