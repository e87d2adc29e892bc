//! A scalar of YAML as JSON, by the core schema of YAML 1.2.
//!
//! Numbers keep their digits. What YAML 1.1 reads differently and silently (`010` is 8 there) is refused, because the
//! tool that sends the definition may be of that age. `yes` and `no` are strings here; where the language wants a
//! boolean it says so.

use std::ops::Range;

use saphyr_parser::{ScalarStyle, Tag};

use super::super::node::quoted;
use super::Refusal;

/// The JSON text of a scalar.
pub(super) fn to_json(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    span: &Range<usize>,
) -> Result<String, Refusal> {
    let refuse = |message: String| Refusal::new(span.clone(), message);
    let wanted = match tag {
        Some(tag) if tag.is_yaml_core_schema() => Some(tag.suffix.as_str()),
        // A single `!` says: as it stands, a string.
        Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => Some("str"),
        Some(tag) => return Err(foreign(tag, span)),
        None if style == ScalarStyle::Plain => None,
        None => Some("str"),
    };
    if wanted == Some("str") {
        return Ok(quoted(text));
    }
    let resolved = resolve(text).map_err(refuse)?;
    let fits = match wanted {
        None => true,
        Some("null") => resolved == "null",
        Some("bool") => resolved == "true" || resolved == "false",
        Some("int") => resolved.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()),
        Some("float") => resolved.starts_with(|first: char| first == '-' || first.is_ascii_digit()),
        Some(_) => return Err(foreign(tag.expect("a wanted type comes from a tag"), span)),
    };
    if fits { Ok(resolved) } else { Err(refuse(format!("`{text}` is not what its tag says"))) }
}

/// Refuses a tag on a list (`seq`) or mapping (`map`) that is not its own.
pub(super) fn check_container_tag(tag: Option<&Tag>, own: &str, span: &Range<usize>) -> Result<(), Refusal> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == own) => Err(foreign(tag, span)),
        _ => Ok(()),
    }
}

fn foreign(tag: &Tag, span: &Range<usize>) -> Refusal {
    let shown = if tag.is_yaml_core_schema() {
        format!("!!{}", tag.suffix)
    } else {
        format!("{}{}", tag.handle, tag.suffix)
    };
    Refusal {
        message: format!("The tag {shown} has no meaning in a definition"),
        span: span.clone(),
        help: Some("functions of a template, such as CloudFormation's !Sub, must be resolved before"),
    }
}

/// A plain scalar without a tag.
fn resolve(text: &str) -> Result<String, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok("null".into()),
        "true" | "True" | "TRUE" => return Ok("true".into()),
        "false" | "False" | "FALSE" => return Ok("false".into()),
        _ => {}
    }
    match number(text) {
        Some(number) => number,
        None => Ok(quoted(text)),
    }
}

/// A number as JSON writes it; `None` for what is no number, an error for a number that JSON cannot say.
fn number(text: &str) -> Option<Result<String, String>> {
    if let Some((digits, radix)) =
        text.strip_prefix("0x").map(|hex| (hex, 16)).or(text.strip_prefix("0o").map(|octal| (octal, 8)))
    {
        let all = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
        let value = u64::from_str_radix(digits, radix);
        return all.then(|| {
            value.map(|value| value.to_string()).map_err(|_| format!("{text} has more than 64 bits"))
        });
    }
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Err(format!("JSON has no number {text}")));
    }
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => unsigned.split_at(at),
        None => (unsigned, ""),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let power = exponent.get(1..).unwrap_or_default();
    let power = power.strip_prefix(['+', '-']).unwrap_or(power);
    let is_number = are_digits(whole)
        && are_digits(fraction.unwrap_or_default())
        && !(whole.is_empty() && fraction.unwrap_or_default().is_empty())
        && are_digits(power)
        && exponent.is_empty() == power.is_empty();
    if !is_number {
        return None;
    }
    if fraction.is_none() && exponent.is_empty() && whole.len() > 1 && whole.starts_with('0') {
        return Some(Err(format!(
            "{text} is octal in YAML 1.1 and decimal in YAML 1.2: write it without the zero"
        )));
    }
    let trimmed = whole.trim_start_matches('0');
    let whole = if trimmed.is_empty() { "0" } else { trimmed };
    let fraction = match fraction {
        Some("") => ".0".into(),
        Some(digits) => format!(".{digits}"),
        None => String::new(),
    };
    Some(Ok(format!("{sign}{whole}{fraction}{exponent}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, expected) in [
            ("", "null"),
            ("~", "null"),
            ("True", "true"),
            ("yes", "\"yes\""),
            ("0", "0"),
            ("-12", "-12"),
            ("+12", "12"),
            ("12345678901234567890", "12345678901234567890"),
            ("1.10", "1.10"),
            ("1e3", "1e3"),
            ("-.5", "-0.5"),
            ("5.", "5.0"),
            ("5.e-2", "5.0e-2"),
            ("01.5", "1.5"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("0x", "\"0x\""),
            ("0xg", "\"0xg\""),
            (".", "\".\""),
            ("-", "\"-\""),
            ("1e", "\"1e\""),
            ("e3", "\"e3\""),
            ("1.2.3", "\"1.2.3\""),
            ("2016-03-14T01:59:00Z", "\"2016-03-14T01:59:00Z\""),
            ("$.a", "\"$.a\""),
            ("12 é", "\"12 é\""),
        ] {
            assert_eq!(resolve(text).unwrap(), expected, "of {text}");
            serde_json::from_str::<serde_json::Value>(expected).unwrap();
        }
    }

    #[test]
    fn numbers_that_json_cannot_say_are_refused() {
        for (text, reason) in [
            (".inf", "JSON has no number .inf"),
            ("-.INF", "JSON has no number -.INF"),
            (".nan", "JSON has no number .nan"),
            ("010", "010 is octal in YAML 1.1 and decimal in YAML 1.2: write it without the zero"),
            ("0x11112222333344445", "0x11112222333344445 has more than 64 bits"),
        ] {
            assert_eq!(resolve(text).unwrap_err(), reason);
        }
    }
}
