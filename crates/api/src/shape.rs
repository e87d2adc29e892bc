//! The members of a request: which there are, of what type, within which bounds.
//!
//! An operation declares its shape as a table; [`read`] holds a request against it. A member of the wrong type is a
//! `SerializationException`, found while reading; everything out of bounds is told in one `ValidationException`, as
//! AWS does before it looks at what a request means. Members that the table does not name are ignored, as there.

use serde_json::{Map, Number, Value};

use crate::errors::WireError;

/// One member of a structure.
pub(crate) struct Member {
    name: &'static str,
    required: bool,
    kind: Kind,
}

/// What a member may be.
pub(crate) enum Kind {
    /// A text of so many characters, of which `pattern` (if there is one) must hold.
    Text { min: usize, max: usize, pattern: Option<Pattern> },
    /// A text of so many bytes of UTF-8 that AWS keeps out of its error messages.
    Sensitive { min: usize, max: usize },
    /// What goes into an execution or a task, or comes out: as `Sensitive`, of as many bytes as the server allows.
    Payload,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A whole number.
    Integer { min: i64, max: i64 },
    /// A number.
    Number { min: f64, max: f64 },
    /// A boolean.
    Flag,
    /// A structure.
    Structure(&'static [Member]),
    /// A list of these.
    List(&'static Kind),
    /// A list of so many of these; the function shows such a list as AWS's messages do.
    ListOf { of: &'static Kind, min: usize, max: usize, shown: fn(&[Value]) -> String },
}

/// A pattern, as the model writes it and as it is checked.
pub(crate) struct Pattern {
    pub(crate) text: &'static str,
    pub(crate) holds: fn(&str) -> bool,
}

/// A member that must be there.
pub(crate) const fn required(name: &'static str, kind: Kind) -> Member {
    Member { name, required: true, kind }
}

/// A member that may be there.
pub(crate) const fn optional(name: &'static str, kind: Kind) -> Member {
    Member { name, required: false, kind }
}

/// A text of so many characters.
pub(crate) const fn text(min: usize, max: usize) -> Kind {
    Kind::Text { min, max, pattern: None }
}

/// `Arn` of the model.
pub(crate) const ARN: Kind = text(1, 256);
/// `LongArn` of the model.
pub(crate) const LONG_ARN: Kind = text(1, 2000);
/// `Name` of the model.
pub(crate) const NAME: Kind = text(1, 80);
/// `PageToken` of the model.
pub(crate) const PAGE_TOKEN: Kind = text(1, 1024);
/// `PageSize` of the model; 0 asks for the default.
pub(crate) const PAGE_SIZE: Kind = Kind::Integer { min: 0, max: 1000 };
/// `SensitiveData` of the model: what goes into an execution or a task, and what comes out.
pub(crate) const PAYLOAD: Kind = Kind::Payload;
/// `SensitiveError` of the model.
pub(crate) const ERROR: Kind = Kind::Sensitive { min: 0, max: 256 };
/// `SensitiveCause` of the model.
pub(crate) const CAUSE: Kind = Kind::Sensitive { min: 0, max: 32_768 };
/// `IncludedData` of the model.
pub(crate) const INCLUDED_DATA: Kind = Kind::OneOf(&["ALL_DATA", "METADATA_ONLY"]);
/// `EncryptionConfiguration` of the model.
pub(crate) const ENCRYPTION: Kind = Kind::Structure(&[
    optional("kmsKeyId", text(1, 2048)),
    optional("kmsDataKeyReusePeriodSeconds", Kind::Integer { min: 60, max: 900 }),
    required("type", Kind::OneOf(&["AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY"])),
]);
/// `TagList` of the model.
pub(crate) const TAGS: Kind =
    Kind::List(&Kind::Structure(&[optional("key", text(1, 128)), optional("value", text(0, 256))]));

/// Entries in a page when none, or 0, is asked for.
const PAGE_SIZE_DEFAULT: usize = 100;

/// The members of a request that fit their shape.
#[derive(Debug)]
pub(crate) struct Members(Map<String, Value>);

/// Reads the body of a request whose payloads may have so many bytes. An empty body stands for `{}`.
pub(crate) fn read(
    body: &[u8],
    shape: &'static [Member],
    payload_bytes_max: usize,
) -> Result<Members, WireError> {
    let value = if body.is_empty() {
        Value::Object(Map::new())
    } else {
        serde_json::from_slice(body)
            .map_err(|error| WireError::serialization(format!("The request is not valid JSON: {error}")))?
    };
    let Value::Object(mut members) = value else {
        return Err(WireError::serialization("The request must be a JSON object"));
    };
    members.retain(|_, value| !value.is_null());
    let mut checks = Checks { payload_bytes_max, violations: Vec::new() };
    checks.structure(shape, &members, "")?;
    let violations = checks.violations;
    match violations.len() {
        0 => Ok(Members(members)),
        1 => Err(WireError::validation(format!("1 validation error detected: {}", violations[0]))),
        n => Err(WireError::validation(format!("{n} validation errors detected: {}", violations.join("; ")))),
    }
}

impl Members {
    /// A text that the shape requires.
    pub(crate) fn required(&mut self, name: &str) -> String {
        self.text(name).expect("the shape of the operation requires this text")
    }

    /// A text, if it is there.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        match self.0.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// A boolean, if it is there.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(Value::as_bool)
    }

    /// A whole number that is not less than nothing, if it is there.
    pub(crate) fn count(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(whole).and_then(|count| u64::try_from(count).ok())
    }

    /// A number, if it is there.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.0.get(name).and_then(Value::as_f64)
    }

    /// A structure or list as it was sent, if it is there.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// `maxResults`, or the default.
    pub(crate) fn page_size(&self) -> usize {
        match self.0.get("maxResults").and_then(whole).and_then(|size| usize::try_from(size).ok()) {
            None | Some(0) => PAGE_SIZE_DEFAULT,
            Some(size) => size,
        }
    }

    /// `tags`: keys once, the last value of a key counts.
    pub(crate) fn tags(&mut self) -> Vec<(String, String)> {
        let mut tags: Vec<(String, String)> = Vec::new();
        let Some(Value::Array(list)) = self.0.remove("tags") else { return tags };
        for tag in list {
            let part = |name: &str| tag[name].as_str().unwrap_or_default().to_owned();
            let (key, value) = (part("key"), part("value"));
            match tags.iter_mut().find(|(there, _)| *there == key) {
                Some(there) => there.1 = value,
                None => tags.push((key, value)),
            }
        }
        tags
    }

    /// A list of texts.
    pub(crate) fn texts(&mut self, name: &str) -> Vec<String> {
        let Some(Value::Array(list)) = self.0.remove(name) else { return Vec::new() };
        list.into_iter()
            .filter_map(|value| match value {
                Value::String(text) => Some(text),
                _ => None,
            })
            .collect()
    }
}

/// A request that is held against its shape, and what was found.
struct Checks {
    payload_bytes_max: usize,
    violations: Vec<String>,
}

impl Checks {
    fn violated(&mut self, shown: &str, path: &str, must: &str) {
        let text = format!("Value{shown} at '{path}' failed to satisfy constraint: Member must {must}");
        self.violations.push(text);
    }

    fn structure(
        &mut self,
        shape: &[Member],
        members: &Map<String, Value>,
        path: &str,
    ) -> Result<(), WireError> {
        for member in shape {
            let path =
                if path.is_empty() { member.name.to_owned() } else { format!("{path}.{}", member.name) };
            match members.get(member.name) {
                None | Some(Value::Null) if member.required => self.violated(" null", &path, "not be null"),
                None | Some(Value::Null) => {}
                Some(value) => self.value(&member.kind, value, &path)?,
            }
        }
        Ok(())
    }

    /// Holds a value against its kind; `Err` when it is of another type.
    fn value(&mut self, kind: &Kind, value: &Value, path: &str) -> Result<(), WireError> {
        match (kind, value) {
            (Kind::Text { min, max, pattern }, Value::String(text)) => {
                let shown = format!(" '{text}'");
                self.length(text.chars().count(), *min, *max, &shown, path);
                if let Some(pattern) = pattern.as_ref().filter(|pattern| !(pattern.holds)(text)) {
                    let must = format!("satisfy regular expression pattern: {}", pattern.text);
                    self.violated(&shown, path, &must);
                }
            }
            (Kind::Sensitive { min, max }, Value::String(text)) => {
                self.length(text.len(), *min, *max, "", path);
            }
            (Kind::Payload, Value::String(text)) => {
                self.length(text.len(), 0, self.payload_bytes_max, "", path);
            }
            (Kind::OneOf(names), Value::String(text)) if !names.contains(&text.as_str()) => {
                let must = format!("satisfy enum value set: [{}]", names.join(", "));
                self.violated(&format!(" '{text}'"), path, &must);
            }
            (Kind::OneOf(_), Value::String(_)) | (Kind::Flag, Value::Bool(_)) => {}
            (Kind::Integer { min, max }, Value::Number(number)) => {
                let value = integer(number);
                let shown = format!(" '{value}'");
                if value > *max {
                    self.violated(&shown, path, &format!("have value less than or equal to {max}"));
                }
                if value < *min {
                    self.violated(&shown, path, &format!("have value greater than or equal to {min}"));
                }
            }
            (Kind::Number { min, max }, Value::Number(number)) => {
                let value = number.as_f64().unwrap_or(f64::NAN);
                let shown = format!(" '{value}'");
                if value > *max {
                    self.violated(&shown, path, &format!("have value less than or equal to {max}"));
                }
                if value < *min {
                    self.violated(&shown, path, &format!("have value greater than or equal to {min}"));
                }
            }
            (Kind::Structure(shape), Value::Object(members)) => self.structure(shape, members, path)?,
            (Kind::List(of), Value::Array(list)) => self.list(of, list, path)?,
            (Kind::ListOf { of, min, max, shown }, Value::Array(list)) => {
                self.length(list.len(), *min, *max, &format!(" '{}'", shown(list)), path);
                self.list(of, list, path)?;
            }
            (kind, value) => return Err(WireError::serialization(wrong_type(kind, value))),
        }
        Ok(())
    }

    fn list(&mut self, of: &Kind, list: &[Value], path: &str) -> Result<(), WireError> {
        for (index, value) in list.iter().enumerate() {
            self.value(of, value, &format!("{path}.{}.member", index + 1))?;
        }
        Ok(())
    }

    fn length(&mut self, length: usize, min: usize, max: usize, shown: &str, path: &str) {
        if length > max {
            self.violated(shown, path, &format!("have length less than or equal to {max}"));
        }
        if length < min {
            self.violated(shown, path, &format!("have length greater than or equal to {min}"));
        }
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => Some(integer(number)),
        _ => None,
    }
}

/// A number as an integer: fractions are cut off, as AWS does, and what is too large stays at the bound.
fn integer(number: &Number) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "cutting off is what is wanted, and `as` saturates")]
    number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or(f64::MAX) as i64)
}

/// AWS's deserialiser names the token that it saw and the Java type that it wanted.
fn wrong_type(kind: &Kind, value: &Value) -> String {
    let seen = match value {
        Value::Object(_) => return "Start of structure or map found where not expected.".into(),
        Value::Array(_) => return "Start of list found where not expected".into(),
        Value::String(_) => "STRING_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Null => "NULL_VALUE",
    };
    let wanted = match kind {
        Kind::Structure(_) => return "Expected structure or null".into(),
        Kind::List(_) | Kind::ListOf { .. } => return "Expected list or null".into(),
        Kind::Text { .. } | Kind::Sensitive { .. } | Kind::Payload | Kind::OneOf(_) => "a String",
        Kind::Integer { .. } => "an Integer",
        Kind::Number { .. } => "a Float",
        Kind::Flag => "a Boolean",
    };
    format!("{seen} can not be converted to {wanted}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: &[Member] = &[
        required("name", NAME),
        optional("input", Kind::Sensitive { min: 1, max: 4 }),
        optional("maxResults", PAGE_SIZE),
        optional("statusFilter", Kind::OneOf(&["SUCCEEDED", "FAILED"])),
        optional("reverseOrder", Kind::Flag),
        optional("encryption", ENCRYPTION),
        optional("tags", TAGS),
        optional(
            "trace",
            Kind::Text {
                min: 0,
                max: 9,
                pattern: Some(Pattern { text: "\\p{ASCII}*", holds: str::is_ascii }),
            },
        ),
    ];

    #[test]
    fn requests_that_do_not_fit_are_refused_in_awss_words() {
        let validation = "ValidationException";
        let serialization = "SerializationException";
        let long = format!(r#"{{"name":"{}"}}"#, "a".repeat(81));
        let too_long = format!(
            "1 validation error detected: Value '{}' at 'name' failed to satisfy constraint: Member must have length \
             less than or equal to 80",
            "a".repeat(81)
        );
        #[rustfmt::skip]
        let cases: &[(&str, &str, &str)] = &[
            ("{}", validation, "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"),
            ("", validation, "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"),
            (r#"{"name":null}"#, validation, "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"),
            (&long, validation, &too_long),
            (r#"{"name":""}"#, validation, "1 validation error detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1"),
            (r#"{"name":"n","input":"héé"}"#, validation, "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have length less than or equal to 4"),
            (r#"{"name":"n","maxResults":1001}"#, validation, "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000"),
            (r#"{"name":"n","maxResults":-1}"#, validation, "1 validation error detected: Value '-1' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 0"),
            (r#"{"name":"n","statusFilter":"succeeded"}"#, validation, "1 validation error detected: Value 'succeeded' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: [SUCCEEDED, FAILED]"),
            (r#"{"name":"n","encryption":{}}"#, validation, "1 validation error detected: Value null at 'encryption.type' failed to satisfy constraint: Member must not be null"),
            (r#"{"name":"n","tags":[{"key":"k"},{"key":""}]}"#, validation, "1 validation error detected: Value '' at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1"),
            (r#"{"name":"n","trace":"ü"}"#, validation, "1 validation error detected: Value 'ü' at 'trace' failed to satisfy constraint: Member must satisfy regular expression pattern: \\p{ASCII}*"),
            (r#"{"maxResults":1001}"#, validation, "2 validation errors detected: Value null at 'name' failed to satisfy constraint: Member must not be null; Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000"),
            (r#"{"name":1}"#, serialization, "NUMBER_VALUE can not be converted to a String"),
            (r#"{"name":true}"#, serialization, "TRUE_VALUE can not be converted to a String"),
            (r#"{"name":{}}"#, serialization, "Start of structure or map found where not expected."),
            (r#"{"name":[]}"#, serialization, "Start of list found where not expected"),
            (r#"{"name":"n","maxResults":"many"}"#, serialization, "STRING_VALUE can not be converted to an Integer"),
            (r#"{"name":"n","reverseOrder":"yes"}"#, serialization, "STRING_VALUE can not be converted to a Boolean"),
            (r#"{"name":"n","tags":"x"}"#, serialization, "Expected list or null"),
            (r#"{"name":"n","encryption":"x"}"#, serialization, "Expected structure or null"),
            ("[]", serialization, "The request must be a JSON object"),
        ];
        for (body, code, message) in cases {
            let error = read(body.as_bytes(), SHAPE, 4096).unwrap_err();
            assert_eq!((&*error.code, error.message.as_str()), (*code, *message), "{body}");
        }
        assert_eq!(read(b"not json", SHAPE, 4096).unwrap_err().code, serialization);
        assert_eq!(read(b"\xff\xfe{}", SHAPE, 4096).unwrap_err().code, serialization);
    }

    #[test]
    fn what_fits_is_read() {
        let body = r#"{"name":"é","maxResults":7.9,"reverseOrder":true,"unknown":[{}],"input":null,
            "tags":[{"key":"a","value":"1"},{"key":"b"},{"key":"a","value":"2"}]}"#;
        let mut members = read(body.as_bytes(), SHAPE, 4096).unwrap();
        assert_eq!(members.required("name"), "é");
        assert_eq!(members.page_size(), 7);
        assert_eq!(members.flag("reverseOrder"), Some(true));
        assert_eq!(members.text("input"), None);
        let expected = [("a", "2"), ("b", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(members.tags(), expected);
        for asked in ["{\"name\":\"n\"}", "{\"name\":\"n\",\"maxResults\":0}"] {
            assert_eq!(read(asked.as_bytes(), SHAPE, 4096).unwrap().page_size(), PAGE_SIZE_DEFAULT);
        }
    }
}
