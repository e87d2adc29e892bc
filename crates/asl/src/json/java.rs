//! [`Json`] in the form Java prints maps and lists: `{Arg1=1, Arg2=[]}`, strings bare.
//!
//! AWS shows values this way where a JSON text was not asked for: `States.Format` and some causes. It cannot be read
//! back, so nothing else should use it.

use std::fmt::Write;

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
