//! From a pattern's text to [`Fields`]; every refusal says where it stands.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::Comparison::{self, Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
use super::wildcard::Wildcard;
use super::{AnythingBut, Field, Fields, Matcher, PatternError, TextMatch};

/// EventBridge compares numbers up to this size, either sign.
const NUMBER_MAX: f64 = 5.0e9;
const OR: &str = "$or";

type Parsed<T> = Result<T, PatternError>;

pub(super) fn pattern(text: &str) -> Parsed<Fields> {
    let value: Value =
        serde_json::from_str(text).map_err(|e| PatternError(format!("It is not valid JSON: {e}")))?;
    let Value::Object(members) = value else { return refuse("Filter is not an object") };
    fields(&members)
}

fn fields(members: &Map<String, Value>) -> Parsed<Fields> {
    if members.is_empty() {
        return refuse("Empty objects are not allowed");
    }
    let mut parsed = Fields::default();
    for (name, value) in members {
        if let Some(choices) = choices(name, value) {
            parsed.any_of.push(choices.into_iter().map(fields).collect::<Parsed<_>>()?);
            continue;
        }
        let field = match value {
            Value::Object(members) => Field::Object(fields(members)?),
            Value::Array(values) if values.is_empty() => return refuse("Empty arrays are not allowed"),
            Value::Array(values) => Field::Alternatives(values.iter().map(matcher).collect::<Parsed<_>>()?),
            _ => return refuse(&format!("\"{name}\" must be an object or an array")),
        };
        parsed.fields.push((name.clone(), field));
    }
    Ok(parsed)
}

/// The objects of a `$or`; anything else under that name is an ordinary field.
fn choices<'v>(name: &str, value: &'v Value) -> Option<Vec<&'v Map<String, Value>>> {
    let Value::Array(values) = value else { return None };
    if name != OR || values.len() < 2 {
        return None;
    }
    values.iter().map(Value::as_object).collect()
}

fn matcher(value: &Value) -> Parsed<Matcher> {
    match value {
        Value::Null => Ok(Matcher::Null),
        Value::Bool(wanted) => Ok(Matcher::Bool(*wanted)),
        Value::Number(wanted) => Ok(Matcher::Number(wanted.clone())),
        Value::String(wanted) => Ok(Matcher::Text(TextMatch::Equals(wanted.clone()))),
        Value::Array(_) => refuse("Match value must be String, number, true, false, or null"),
        Value::Object(members) => {
            let (kind, argument) = only_member(members)?;
            operator(kind, argument)
        }
    }
}

fn operator(kind: &str, argument: &Value) -> Parsed<Matcher> {
    match kind {
        "numeric" => numeric(argument).map(Matcher::Numeric),
        "anything-but" => anything_but(argument).map(Matcher::AnythingBut),
        "exists" => match argument {
            Value::Bool(wanted) => Ok(Matcher::Exists(*wanted)),
            _ => refuse("exists match pattern must be either true or false"),
        },
        "cidr" => cidr(argument),
        "prefix" | "suffix" | "equals-ignore-case" | "wildcard" => text(kind, argument).map(Matcher::Text),
        _ => refuse(&format!("Unrecognized match type {kind}")),
    }
}

fn text(kind: &str, argument: &Value) -> Parsed<TextMatch> {
    if let (Value::Object(members), "prefix" | "suffix") = (argument, kind) {
        let ("equals-ignore-case", Value::String(wanted)) = only_member(members)? else {
            return refuse(&format!("{kind} match pattern must be a string or equals-ignore-case of one"));
        };
        let wanted = wanted.to_lowercase();
        return Ok(match kind {
            "prefix" => TextMatch::PrefixIgnoreCase(wanted),
            _ => TextMatch::SuffixIgnoreCase(wanted),
        });
    }
    let Value::String(wanted) = argument else {
        return refuse(&format!("{kind} match pattern must be a string"));
    };
    match kind {
        "prefix" => Ok(TextMatch::Prefix(wanted.clone())),
        "suffix" => Ok(TextMatch::Suffix(wanted.clone())),
        "equals-ignore-case" => Ok(TextMatch::EqualsIgnoreCase(wanted.to_lowercase())),
        _ => Wildcard::parse(wanted).map(TextMatch::Wildcard).map_err(PatternError),
    }
}

fn numeric(argument: &Value) -> Parsed<Vec<(Comparison, f64)>> {
    let Value::Array(terms) = argument else { return refuse("Value of numeric must be an array.") };
    if terms.is_empty() || terms.len() % 2 != 0 {
        return refuse("Invalid member in numeric match: operators and numbers must come in pairs");
    }
    let mut bounds = Vec::new();
    for pair in terms.chunks_exact(2) {
        let [Value::String(operator), bound] = pair else {
            return refuse("Invalid member in numeric match: an operator must be a string");
        };
        let comparison = match operator.as_str() {
            "=" => Equal,
            "<" => Less,
            "<=" => LessOrEqual,
            ">" => Greater,
            ">=" => GreaterOrEqual,
            _ => return refuse(&format!("Unrecognized numeric range operator: {operator}")),
        };
        let Some(bound) = bound.as_f64() else {
            return refuse(&format!("Value of {operator} must be numeric"));
        };
        if bound.abs() > NUMBER_MAX {
            return refuse("Value must be between -5.0E9 and 5.0E9, inclusive");
        }
        bounds.push((comparison, bound));
    }
    match bounds.as_slice() {
        [_] => Ok(bounds),
        [(Greater | GreaterOrEqual, bottom), (Less | LessOrEqual, top)] if bottom < top => Ok(bounds),
        [(Greater | GreaterOrEqual, _), (Less | LessOrEqual, _)] => refuse("Bottom must be less than top"),
        _ => refuse("Too many elements in numeric expression"),
    }
}

fn anything_but(argument: &Value) -> Parsed<AnythingBut> {
    let mut unwanted = AnythingBut::default();
    match argument {
        Value::String(text) => unwanted.texts.push(TextMatch::Equals(text.clone())),
        Value::Number(number) => unwanted.numbers.push(number.clone()),
        Value::Array(values) if values.is_empty() => return refuse("Empty arrays are not allowed"),
        Value::Array(values) => {
            for value in values {
                match value {
                    Value::String(text) if unwanted.numbers.is_empty() => {
                        unwanted.texts.push(TextMatch::Equals(text.clone()));
                    }
                    Value::Number(number) if unwanted.texts.is_empty() => {
                        unwanted.numbers.push(number.clone())
                    }
                    _ => return refuse("Inside anything-but list, either all values are Number or String"),
                }
            }
        }
        Value::Object(members) => {
            let (kind, argument) = only_member(members)?;
            if !matches!(kind, "prefix" | "suffix" | "equals-ignore-case" | "wildcard") {
                return refuse(&format!("Unsupported anything-but pattern: {kind}"));
            }
            match argument {
                Value::Array(values) if values.is_empty() => return refuse("Empty arrays are not allowed"),
                Value::Array(values) => {
                    unwanted.texts = values.iter().map(|value| text(kind, value)).collect::<Parsed<_>>()?;
                }
                one => unwanted.texts.push(text(kind, one)?),
            }
        }
        Value::Null | Value::Bool(_) => {
            return refuse("Value of anything-but must be an array or single string/number value.");
        }
    }
    Ok(unwanted)
}

fn cidr(argument: &Value) -> Parsed<Matcher> {
    let Value::String(text) = argument else { return refuse("cidr match pattern must be a string") };
    let (address, bits) = text.split_once('/').unwrap_or((text, ""));
    let network: Option<IpAddr> = address.parse().ok();
    let most = network.map_or(0, |network| if network.is_ipv4() { 32 } else { 128 });
    let bits = if text.contains('/') { bits.parse().ok() } else { Some(most) };
    match (network, bits) {
        (Some(network), Some(bits)) if bits <= most => Ok(Matcher::Cidr { network, bits }),
        _ => refuse(&format!("Malformed CIDR, an address, one '/' and a number of bits are needed: {text}")),
    }
}

fn only_member(members: &Map<String, Value>) -> Parsed<(&str, &Value)> {
    let mut members = members.iter();
    match (members.next(), members.next()) {
        (Some((kind, argument)), None) => Ok((kind, argument)),
        (None, _) => refuse("Empty objects are not allowed"),
        _ => refuse("Only one key allowed in match expression"),
    }
}

fn refuse<T>(reason: &str) -> Parsed<T> {
    Err(PatternError(reason.to_owned()))
}
