//! [`Json`] to compact text, with the escapes AWS writes: short forms for the five common control characters, upper-case
//! hex for the others, everything else as it is.
//!
//! A bounded form exists because shared nodes make small values with enormous texts: a template that names its input
//! twice, run in a loop, doubles the text at every turn while the tree hardly grows.

use std::fmt;

use super::{Json, Number, Object};

/// The text would be longer than the bound it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Json {
    /// The compact text of this value, keys in their order.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// Appends the compact text to `out`.
    pub fn write(&self, out: &mut String) {
        let unbounded = self.write_within(usize::MAX, out);
        debug_assert!(unbounded.is_ok(), "no text is longer than memory");
    }

    /// The compact text, or [`TooLong`] as soon as it passes `bytes_max` bytes; work and memory stay within the bound.
    pub fn to_text_within(&self, bytes_max: usize) -> Result<String, TooLong> {
        let mut out = String::new();
        self.write_within(bytes_max, &mut out)?;
        if out.len() > bytes_max { Err(TooLong) } else { Ok(out) }
    }

    fn write_within(&self, bytes_max: usize, out: &mut String) -> Result<(), TooLong> {
        if out.len() > bytes_max {
            return Err(TooLong);
        }
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(true) => out.push_str("true"),
            Json::Bool(false) => out.push_str("false"),
            Json::Number(number) => write_number(*number, out),
            Json::String(text) => write_string(text, out),
            Json::Array(items) => write_array(items, bytes_max, out)?,
            Json::Object(members) => write_object(members, bytes_max, out)?,
        }
        Ok(())
    }
}

/// The compact JSON text.
impl fmt::Display for Json {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.to_text())
    }
}

fn write_number(number: Number, out: &mut String) {
    use std::fmt::Write;
    write!(out, "{number}").expect("writing to a String cannot fail");
}

fn write_array(items: &[Json], bytes_max: usize, out: &mut String) -> Result<(), TooLong> {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        item.write_within(bytes_max, out)?;
    }
    out.push(']');
    Ok(())
}

fn write_object(members: &Object, bytes_max: usize, out: &mut String) -> Result<(), TooLong> {
    out.push('{');
    for (index, (key, value)) in members.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(key, out);
        out.push(':');
        value.write_within(bytes_max, out)?;
    }
    out.push('}');
    Ok(())
}

/// Appends `text` as a JSON string: runs without anything to escape are copied whole.
pub(super) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[copied..at]);
        copied = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0C => out.push_str("\\f"),
            control => {
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(control >> 4)]));
                out.push(char::from(HEX[usize::from(control & 15)]));
            }
        }
    }
    out.push_str(&text[copied..]);
    out.push('"');
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";
