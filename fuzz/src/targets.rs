//! The targets by name.

use asl::json::{DEPTH_MAX, Json};

pub mod definition;
pub mod input;
pub mod intrinsic;
pub mod jsonata;
pub mod path;

/// A target: what it is called, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const ALL: &[Target] = &[
    ("definition", definition::run),
    ("path", path::run),
    ("intrinsic", intrinsic::run),
    ("input", input::run),
    ("jsonata", jsonata::run),
];

/// An input of two parts: a line, and the rest as JSON, or as a string if it is none.
fn line_and_document(data: &[u8]) -> Option<(&str, Json)> {
    let (line, document) = std::str::from_utf8(data).ok()?.split_once('\n')?;
    Some((line, Json::parse(document).unwrap_or_else(|_| Json::from(document))))
}

/// More than any payload may have: what is longer is not written out to be compared.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// A value that the language made can be written, and read again as the same, unless it is too deep or too long for that.
fn check_round_trip(value: &Json, what: &dyn std::fmt::Display) {
    if value.depth() > DEPTH_MAX {
        return;
    }
    let Ok(text) = value.to_text_within(TEXT_BYTES_MAX) else { return };
    match Json::parse(&text) {
        Ok(read) => assert!(read == *value, "{what}: {text} was read as {read}"),
        Err(error) => panic!("{what}: wrote {text}, which is no JSON: {error}"),
    }
}
