//! The four functions of URLs, which are JavaScript's `encodeURI` and its like: the library's spare other characters.

use jsonata_core::evaluator::HostFnResult;
use jsonata_core::value::JValue;

use super::Moment;
use crate::errors::{TOO_LARGE, bound_met, coded};
use crate::syntax::quoted;

/// What no URL has to escape, besides letters and digits.
const UNRESERVED: &str = "-_.!~*'()";
/// What has a meaning in a URL: it stays as it is in a whole one.
const RESERVED: &str = ";/?:@&=+$,#";

pub(super) fn encode_url(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    encoded(arguments, RESERVED, moment)
}

pub(super) fn encode_url_component(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    encoded(arguments, "", moment)
}

pub(super) fn decode_url(arguments: &[JValue], _: &Moment) -> HostFnResult {
    decoded(arguments, RESERVED, "decodeUrl")
}

pub(super) fn decode_url_component(arguments: &[JValue], _: &Moment) -> HostFnResult {
    decoded(arguments, "", "decodeUrlComponent")
}

fn encoded(arguments: &[JValue], spared: &str, moment: &Moment) -> HostFnResult {
    use std::fmt::Write;
    let Some(JValue::String(text)) = arguments.first() else { return Ok(JValue::Undefined) };
    let mut encoded = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() || UNRESERVED.contains(letter) || spared.contains(letter) {
            encoded.push(letter);
            continue;
        }
        for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
            write!(encoded, "%{byte:02X}").expect("writing to a String cannot fail");
        }
        if encoded.len() > moment.limits.text_bytes {
            return Err(bound_met(TOO_LARGE));
        }
    }
    Ok(JValue::from(encoded))
}

fn decoded(arguments: &[JValue], kept: &str, function: &str) -> HostFnResult {
    let Some(JValue::String(text)) = arguments.first() else { return Ok(JValue::Undefined) };
    match decode(text, kept) {
        Some(decoded) => Ok(JValue::from(decoded)),
        None => Err(coded("D3140", format_args!("Malformed URL passed to ${function}(): {}", quoted(text)))),
    }
}

/// The text with its escapes read, except those of what is `kept`; `None` when one is broken.
fn decode(text: &str, kept: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut bytes = vec![escape(rest)?];
        let length = match bytes[0] {
            0..0x80 => 1,
            0xC0..0xE0 => 2,
            0xE0..0xF0 => 3,
            0xF0..0xF8 => 4,
            _ => return None,
        };
        for index in 1..length {
            bytes.push(escape(rest.get(3 * index..)?)?);
        }
        // Neither more bytes than needed nor half of a surrogate pair.
        let letter = std::str::from_utf8(&bytes).ok()?;
        decoded.push_str(if kept.contains(letter) { &rest[..3] } else { letter });
        rest = &rest[3 * length..];
    }
    decoded.push_str(rest);
    Some(decoded)
}

/// The byte that `%` and two digits say.
fn escape(text: &str) -> Option<u8> {
    let digits = text.strip_prefix('%')?.get(..2)?;
    let all_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| all_digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_as_javascript_reads_them() {
        let check = |text, kept, expected: Option<&str>| {
            assert_eq!(decode(text, kept).as_deref(), expected, "{text}")
        };
        check("a%20b%C3%A9", "", Some("a bé"));
        check("%2F%3f%41", RESERVED, Some("%2F%3fA"));
        check("%F0%9F%98%80", RESERVED, Some("😀"));
        for broken in ["%", "%4", "%G1", "%+1", "%C3", "%C3a9", "%80", "%C0%80", "%ED%A0%80", "%é1"] {
            check(broken, "", None);
        }
    }
}
