//! [`Json`] in the form Java prints maps and lists: `{Arg1=1, Arg2=[]}`, strings bare; and how Java prints doubles.
//!
//! AWS shows values this way where a JSON text was not asked for: `States.Format` and some causes. It cannot be read
//! back, so nothing else should use it. Doubles look the same in JSON texts, which AWS writes with Java, too.

use std::fmt::{self, Write};

use super::{Json, TooLong};

impl Json {
    /// Appends the Java form to `out`, unless that makes it longer than `bytes_max` bytes.
    pub(crate) fn write_java_within(&self, bytes_max: usize, out: &mut String) -> Result<(), TooLong> {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => write!(out, "{value}").expect("writing to a String cannot fail"),
            Json::Number(number) => write!(out, "{number}").expect("writing to a String cannot fail"),
            Json::String(text) => out.push_str(text),
            Json::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(separator(index));
                    item.write_java_within(bytes_max, out)?;
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    out.push_str(separator(index));
                    out.push_str(key);
                    out.push('=');
                    value.write_java_within(bytes_max, out)?;
                }
                out.push('}');
            }
        }
        if out.len() > bytes_max { Err(TooLong) } else { Ok(()) }
    }
}

fn separator(index: usize) -> &'static str {
    if index == 0 { "" } else { ", " }
}

/// Writes a finite double as Java's `Double.toString`: plain from a thousandth up to ten million, else as `1.5E21`; with
/// the fewest digits that read back as the same double, but at least two.
pub(super) fn write_double(double: f64, out: &mut impl Write) -> fmt::Result {
    let size = double.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        // The debug form of a double is its shortest form, always with a point, and plain in this range.
        return write!(out, "{double:?}");
    }
    let mut text = format!("{double:e}");
    if !text.contains('.') {
        text = format!("{double:.1e}");
    }
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    write!(out, "{mantissa}E{exponent}")
}
