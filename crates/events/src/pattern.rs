//! Event patterns: which events a rule wants. Pure: text to [`Pattern`], pattern and event to yes or no.
//!
//! A pattern mirrors the event's shape; its leaves are arrays of alternatives. All fields must match (and), any
//! alternative of a field will do (or). An array in the event matches when one of its elements does; the fields of one
//! pattern object must then match within one and the same element.
//!
//! Numbers match exactly only in the same form: `300` is not `300.0`, as AWS documents. `numeric` compares values.

mod parse;
mod wildcard;

use std::net::IpAddr;

use serde_json::{Number, Value};

use wildcard::Wildcard;

/// A pattern that is not valid; the text is the reason that AWS's message ends in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Event pattern is not valid. Reason: {0}")]
pub struct PatternError(pub String);

/// Which events are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern(Fields);

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// With the reason, and where in the pattern it is.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        parse::pattern(text).map(Self)
    }

    /// Whether the event is wanted.
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        self.0.matches(Some(event))
    }
}

/// An object of a pattern: what each field must be, and groups of alternatives (`$or`) of which one must hold.
#[derive(Debug, Clone, PartialEq, Default)]
struct Fields {
    fields: Vec<(String, Field)>,
    any_of: Vec<Vec<Fields>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Field {
    Object(Fields),
    Alternatives(Vec<Matcher>),
}

impl Fields {
    fn matches(&self, value: Option<&Value>) -> bool {
        match value {
            Some(Value::Array(elements)) => elements.iter().any(|element| self.matches(Some(element))),
            Some(Value::Object(members)) => self.all(|name| members.get(name)),
            // Nothing below: only what asks for absence can hold.
            _ => self.all(|_| None),
        }
    }

    fn all<'e>(&self, member: impl Fn(&str) -> Option<&'e Value> + Copy) -> bool {
        let field = |(name, field): &(String, Field)| match field {
            Field::Object(fields) => fields.matches(member(name)),
            Field::Alternatives(alternatives) => {
                let leaves = leaves(member(name));
                alternatives.iter().any(|matcher| matcher.matches(&leaves))
            }
        };
        self.fields.iter().all(field)
            && self.any_of.iter().all(|choices| choices.iter().any(|choice| choice.all(member)))
    }
}

/// One alternative of a field.
#[derive(Debug, Clone, PartialEq)]
enum Matcher {
    Null,
    Bool(bool),
    Number(Number),
    Text(TextMatch),
    Numeric(Vec<(Comparison, f64)>),
    AnythingBut(AnythingBut),
    Exists(bool),
    Cidr { network: IpAddr, bits: u8 },
}

#[derive(Debug, Clone, PartialEq)]
enum TextMatch {
    Equals(String),
    /// Lower-cased.
    EqualsIgnoreCase(String),
    Prefix(String),
    PrefixIgnoreCase(String),
    Suffix(String),
    SuffixIgnoreCase(String),
    Wildcard(Wildcard),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What the value must not be, in any of the listed ways.
#[derive(Debug, Clone, PartialEq, Default)]
struct AnythingBut {
    texts: Vec<TextMatch>,
    numbers: Vec<Number>,
}

impl Matcher {
    fn matches(&self, leaves: &[&Value]) -> bool {
        match self {
            Self::Exists(wanted) => *wanted != leaves.is_empty(),
            _ => leaves.iter().any(|leaf| self.matches_leaf(leaf)),
        }
    }

    fn matches_leaf(&self, leaf: &Value) -> bool {
        match (self, leaf) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(wanted), Value::Bool(found)) => wanted == found,
            (Self::Number(wanted), Value::Number(found)) => wanted == found,
            (Self::Text(wanted), Value::String(found)) => wanted.matches(found),
            (Self::Numeric(bounds), Value::Number(found)) => {
                let found = found.as_f64();
                found.is_some_and(|found| bounds.iter().all(|(compare, bound)| compare.holds(found, *bound)))
            }
            (Self::AnythingBut(unwanted), leaf) => !unwanted.covers(leaf),
            (Self::Cidr { network, bits }, Value::String(found)) => {
                found.parse().is_ok_and(|address| within(address, *network, *bits))
            }
            _ => false,
        }
    }
}

impl TextMatch {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Equals(wanted) => wanted == text,
            Self::EqualsIgnoreCase(wanted) => *wanted == text.to_lowercase(),
            Self::Prefix(wanted) => text.starts_with(wanted),
            Self::PrefixIgnoreCase(wanted) => text.to_lowercase().starts_with(wanted),
            Self::Suffix(wanted) => text.ends_with(wanted),
            Self::SuffixIgnoreCase(wanted) => text.to_lowercase().ends_with(wanted),
            Self::Wildcard(wanted) => wanted.matches(text),
        }
    }
}

impl Comparison {
    fn holds(self, found: f64, bound: f64) -> bool {
        match self {
            #[expect(clippy::float_cmp, reason = "the pattern asks for equality")]
            Self::Equal => found == bound,
            Self::Less => found < bound,
            Self::LessOrEqual => found <= bound,
            Self::Greater => found > bound,
            Self::GreaterOrEqual => found >= bound,
        }
    }
}

impl AnythingBut {
    fn covers(&self, leaf: &Value) -> bool {
        match leaf {
            Value::String(found) => self.texts.iter().any(|unwanted| unwanted.matches(found)),
            Value::Number(found) => self.numbers.contains(found),
            _ => false,
        }
    }
}

/// The scalars that a field holds, directly or in arrays.
fn leaves(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Object(_)) => Vec::new(),
        Some(Value::Array(elements)) => elements.iter().flat_map(|element| leaves(Some(element))).collect(),
        Some(leaf) => vec![leaf],
    }
}

fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let bits = u32::from(bits);
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differ = u32::from(address) ^ u32::from(network);
            differ.leading_zeros() >= bits
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differ = u128::from(address) ^ u128::from(network);
            differ.leading_zeros() >= bits
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YES: bool = true;
    const NO: bool = false;

    fn check(pattern: &str, event: &str, expected: bool) {
        let parsed = Pattern::parse(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
        let event: Value = serde_json::from_str(event).unwrap();
        assert_eq!(parsed.matches(&event), expected, "{pattern} on {event}");
    }

    #[test]
    fn exact_values() {
        for (pattern, event, expected) in [
            (r#"{"a":["x"]}"#, r#"{"a":"x"}"#, YES),
            (r#"{"a":["x","y"]}"#, r#"{"a":"y"}"#, YES),
            (r#"{"a":["x"]}"#, r#"{"a":"X"}"#, NO),
            (r#"{"a":["x"]}"#, "{}", NO),
            (r#"{"a":["x"],"b":["y"]}"#, r#"{"a":"x","b":"z"}"#, NO),
            (r#"{"a":{"b":{"c":["x"]}}}"#, r#"{"a":{"b":{"c":"x","d":1}}}"#, YES),
            (r#"{"a":{"b":["x"]}}"#, r#"{"a":"x"}"#, NO),
            (r#"{"a":[1]}"#, r#"{"a":1}"#, YES),
            (r#"{"a":[300]}"#, r#"{"a":300.0}"#, NO),
            (r#"{"a":[1]}"#, r#"{"a":"1"}"#, NO),
            (r#"{"a":[null]}"#, r#"{"a":null}"#, YES),
            (r#"{"a":[null]}"#, "{}", NO),
            (r#"{"a":[true]}"#, r#"{"a":true}"#, YES),
            (r#"{"a":[false]}"#, r#"{"a":true}"#, NO),
            (r#"{"a":[""]}"#, r#"{"a":""}"#, YES),
            (r#"{"a":["ü"]}"#, r#"{"a":"ü"}"#, YES),
        ] {
            check(pattern, event, expected);
        }
    }

    #[test]
    fn arrays_in_events() {
        for (pattern, event, expected) in [
            (r#"{"a":["x"]}"#, r#"{"a":["w","x"]}"#, YES),
            (r#"{"a":["x"]}"#, r#"{"a":[]}"#, NO),
            (r#"{"a":["x"]}"#, r#"{"a":[["x"]]}"#, YES),
            (r#"{"a":{"b":["x"],"c":["y"]}}"#, r#"{"a":[{"b":"x","c":"y"}]}"#, YES),
            // Both fields must be found in one element.
            (r#"{"a":{"b":["x"],"c":["y"]}}"#, r#"{"a":[{"b":"x"},{"c":"y"}]}"#, NO),
            (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"a":["x","y"]}"#, YES),
        ] {
            check(pattern, event, expected);
        }
    }

    #[test]
    fn text_operators() {
        for (operator, value, expected) in [
            (r#"{"prefix":"eu-"}"#, "eu-west", YES),
            (r#"{"prefix":"eu-"}"#, "us-east", NO),
            (r#"{"prefix":{"equals-ignore-case":"EU-"}}"#, "eu-west", YES),
            (r#"{"suffix":".png"}"#, "a.png", YES),
            (r#"{"suffix":".png"}"#, "a.PNG", NO),
            (r#"{"suffix":{"equals-ignore-case":".png"}}"#, "a.PNG", YES),
            (r#"{"equals-ignore-case":"Alice"}"#, "aLICE", YES),
            (r#"{"equals-ignore-case":"Alice"}"#, "bob", NO),
            (r#"{"wildcard":"dir/*.png"}"#, "dir/x/y.png", YES),
            (r#"{"wildcard":"dir/*.png"}"#, "dir/x.jpg", NO),
            (r#"{"wildcard":"*a*b*"}"#, "xxaxxbxx", YES),
            (r#"{"wildcard":"*a*b*"}"#, "xxbxxaxx", NO),
            (r#"{"wildcard":"*"}"#, "", YES),
            (r#"{"wildcard":"1\\*2"}"#, "1*2", YES),
            (r#"{"wildcard":"1\\*2"}"#, "1x2", NO),
            (r#"{"cidr":"10.0.0.0/24"}"#, "10.0.0.77", YES),
            (r#"{"cidr":"10.0.0.0/24"}"#, "10.0.1.77", NO),
            (r#"{"cidr":"10.0.0.0/24"}"#, "not an address", NO),
            (r#"{"cidr":"0.0.0.0/0"}"#, "1.2.3.4", YES),
            (r#"{"cidr":"fd00::/8"}"#, "fd12::1", YES),
        ] {
            check(&format!(r#"{{"a":[{operator}]}}"#), &format!(r#"{{"a":"{value}"}}"#), expected);
            check(&format!(r#"{{"a":[{operator}]}}"#), r#"{"a":5}"#, NO);
        }
    }

    #[test]
    fn numeric_ranges() {
        for (terms, value, expected) in [
            (r#"["=",5]"#, "5", YES),
            (r#"["=",5]"#, "5.0", YES),
            (r#"[">",0,"<=",5]"#, "5", YES),
            (r#"[">",0,"<=",5]"#, "0", NO),
            (r#"[">",0,"<=",5]"#, "5.001", NO),
            (r#"["<",10]"#, "-3", YES),
            (r#"[">=",3.5]"#, "3.5", YES),
            (r#"["=",5]"#, "\"5\"", NO),
        ] {
            check(&format!(r#"{{"a":[{{"numeric":{terms}}}]}}"#), &format!(r#"{{"a":{value}}}"#), expected);
        }
    }

    #[test]
    fn anything_but() {
        for (unwanted, value, expected) in [
            (r#""x""#, r#""y""#, YES),
            (r#""x""#, r#""x""#, NO),
            (r#""x""#, "5", YES),
            (r#"["x","y"]"#, r#""y""#, NO),
            (r#"["x","y"]"#, r#""z""#, YES),
            ("5", "5", NO),
            ("5", "6", YES),
            ("[5,6]", "6", NO),
            (r#"{"prefix":"in"}"#, r#""init""#, NO),
            (r#"{"prefix":"in"}"#, r#""out""#, YES),
            (r#"{"prefix":["a","b"]}"#, r#""bb""#, NO),
            (r#"{"suffix":"t"}"#, r#""init""#, NO),
            (r#"{"suffix":["t","x"]}"#, r#""abc""#, YES),
            (r#"{"wildcard":"*/lib/*"}"#, r#""usr/lib/x""#, NO),
            (r#"{"wildcard":["*a","*b"]}"#, r#""xc""#, YES),
            (r#"{"equals-ignore-case":["INIT"]}"#, r#""init""#, NO),
        ] {
            let pattern = format!(r#"{{"a":[{{"anything-but":{unwanted}}}]}}"#);
            check(&pattern, &format!(r#"{{"a":{value}}}"#), expected);
            // It wants a value, just another one.
            check(&pattern, "{}", NO);
        }
    }

    #[test]
    fn existence() {
        for (pattern, event, expected) in [
            (r#"{"a":[{"exists":true}]}"#, r#"{"a":null}"#, YES),
            (r#"{"a":[{"exists":true}]}"#, "{}", NO),
            (r#"{"a":[{"exists":false}]}"#, "{}", YES),
            (r#"{"a":[{"exists":false}]}"#, r#"{"a":1}"#, NO),
            (r#"{"a":{"b":[{"exists":false}]}}"#, "{}", YES),
            (r#"{"a":{"b":[{"exists":false}]}}"#, r#"{"a":{"b":1}}"#, NO),
            // Only leaves exist.
            (r#"{"a":[{"exists":true}]}"#, r#"{"a":{"b":1}}"#, NO),
            (r#"{"a":["x",{"exists":false}]}"#, "{}", YES),
        ] {
            check(pattern, event, expected);
        }
    }

    #[test]
    fn or_of_fields() {
        let pattern = r#"{"s":["m"],"$or":[{"a":["x"]},{"b":[{"numeric":[">",5]}]}]}"#;
        for (event, expected) in [
            (r#"{"s":"m","a":"x"}"#, YES),
            (r#"{"s":"m","b":6}"#, YES),
            (r#"{"s":"m","b":5}"#, NO),
            (r#"{"s":"n","a":"x"}"#, NO),
        ] {
            check(pattern, event, expected);
        }
        check(r#"{"d":{"$or":[{"a":["x"]},{"b":["y"]}]}}"#, r#"{"d":{"b":"y"}}"#, YES);
    }

    #[test]
    fn the_s3_tutorial_pattern() {
        let pattern = r#"{"source":["aws.s3"],"detail-type":["Object Created"],
            "detail":{"bucket":{"name":["in"]},"object":{"key":[{"prefix":"img/"}],"size":[{"numeric":["<",100]}]}}}"#;
        let event = |key: &str, size: u32| {
            format!(
                r#"{{"source":"aws.s3","detail-type":"Object Created",
                "detail":{{"bucket":{{"name":"in"}},"object":{{"key":"{key}","size":{size}}}}}}}"#
            )
        };
        check(pattern, &event("img/a.png", 99), YES);
        check(pattern, &event("img/a.png", 100), NO);
        check(pattern, &event("doc/a.png", 1), NO);
    }

    #[test]
    fn invalid_patterns_say_why() {
        for (pattern, reason) in [
            ("", "not valid JSON"),
            ("[]", "Filter is not an object"),
            ("{}", "Empty objects are not allowed"),
            (r#"{"a":"x"}"#, r#""a" must be an object or an array"#),
            (r#"{"a":[]}"#, "Empty arrays are not allowed"),
            (r#"{"a":{}}"#, "Empty objects are not allowed"),
            (r#"{"a":[["x"]]}"#, "Match value must be String, number, true, false, or null"),
            (r#"{"a":[{"foo":"x"}]}"#, "Unrecognized match type foo"),
            (r#"{"a":[{"prefix":"x","suffix":"y"}]}"#, "Only one key allowed in match expression"),
            (r#"{"a":[{"prefix":5}]}"#, "prefix match pattern must be a string"),
            (r#"{"a":[{"exists":"yes"}]}"#, "exists match pattern must be either true or false"),
            (r#"{"a":[{"numeric":[]}]}"#, "Invalid member in numeric match"),
            (r#"{"a":[{"numeric":["!",5]}]}"#, "Unrecognized numeric range operator: !"),
            (r#"{"a":[{"numeric":[">",5,"<",4]}]}"#, "Bottom must be less than top"),
            (r#"{"a":[{"numeric":[">",5,">",6]}]}"#, "Too many elements in numeric expression"),
            (r#"{"a":[{"numeric":["=",9999999999]}]}"#, "Value must be between"),
            (r#"{"a":[{"wildcard":"a**b"}]}"#, "Consecutive wildcard characters at pos 1"),
            (r#"{"a":[{"wildcard":"a\\b"}]}"#, "Invalid escape character at pos 1"),
            (r#"{"a":[{"cidr":"10.0.0.0/33"}]}"#, "Malformed CIDR"),
            (r#"{"a":[{"anything-but":[]}]}"#, "Empty arrays are not allowed"),
            (r#"{"a":[{"anything-but":["x",1]}]}"#, "Inside anything-but list"),
            (r#"{"a":[{"anything-but":{"exists":true}}]}"#, "Unsupported anything-but pattern: exists"),
            (r#"{"$or":[{"a":["x"]}]}"#, "Unrecognized match type a"),
        ] {
            let error = Pattern::parse(pattern).expect_err(pattern);
            assert!(error.0.contains(reason), "{pattern}: {error}");
            assert!(error.to_string().starts_with("Event pattern is not valid. Reason: "));
        }
    }
}
