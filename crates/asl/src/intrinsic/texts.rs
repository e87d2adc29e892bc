//! The intrinsic functions on texts: formats, encodings, hashes, JSON in text form.

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::Digest;

use crate::json::Json;

/// The longest text that `States.Base64Encode`, `Base64Decode` and `Hash` take, in UTF-16 units: AWS's limit.
const ENCODED_MAX: usize = 10_000;

/// No text of that many UTF-16 units has more bytes.
const HASHED_BYTES_MAX: usize = 3 * ENCODED_MAX;

/// The longest text a call may make, in bytes: far above every payload limit, and a stop for templates that name a
/// large input thousands of times.
const TEXT_MAX: usize = 16 * 1024 * 1024;

/// Replaces each `{}` of `template` by the next argument. A backslash makes `'`, `{`, `}` and itself stand for
/// themselves.
pub(super) fn format(template: &str, arguments: &[Json]) -> Result<Json, String> {
    let mut text = String::new();
    let mut left = arguments.iter();
    let mut rest = template;
    let uneven = || "The number of arguments does not match the occurrences of {}".to_owned();
    while let Some(at) = rest.find(['\\', '{']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(behind) = rest.strip_prefix("{}") {
            let argument = left.next().ok_or_else(uneven)?;
            argument.write_java_within(TEXT_MAX, &mut text).map_err(|_| too_long())?;
            rest = behind;
            continue;
        }
        let escaped =
            rest[1..].chars().next().filter(|next| rest.starts_with('\\') && r"'{}\".contains(*next));
        text.push_str(match escaped {
            Some(_) => &rest[1..2],
            None => &rest[..1],
        });
        rest = &rest[if escaped.is_some() { 2 } else { 1 }..];
    }
    text.push_str(rest);
    match left.next() {
        None => Ok(Json::from(text)),
        Some(_) => Err(uneven()),
    }
}

/// The non-empty pieces between any of the characters of `delimiters`.
pub(super) fn split(value: &Json, delimiters: &Json) -> Result<Json, String> {
    let (value, delimiters) = (text(value, "first argument")?, text(delimiters, "delimiters")?);
    // Both texts may be long: each letter is looked up, not searched for.
    let delimiters: HashSet<char> = delimiters.chars().collect();
    let pieces = value.split(|letter| delimiters.contains(&letter));
    Ok(Json::array(pieces.filter(|piece| !piece.is_empty())))
}

pub(super) fn base64_encode(value: &Json) -> Result<Json, String> {
    Ok(Json::from(BASE64.encode(short_text(value)?)))
}

/// Decodes as Java's MIME decoder does: what is not in the alphabet is skipped, missing padding is no matter, but padding
/// that is there must be right and end the text.
pub(super) fn base64_decode(value: &Json) -> Result<Json, String> {
    const NOT_BASE64: &str = "The argument is not valid Base64";
    let encoded = short_text(value)?;
    let (data, padding) = encoded.split_at(encoded.find('=').unwrap_or(encoded.len()));
    let letters: Vec<u8> = data.bytes().filter(|byte| is_base64(*byte)).collect();
    let padded = match letters.len() % 4 {
        2 => padding.is_empty() || padding.starts_with("=="),
        3 => true,
        _ => padding.is_empty(),
    };
    if !padded || padding.bytes().any(is_base64) {
        return Err(NOT_BASE64.into());
    }
    let bytes = BASE64.decode(letters).map_err(|_| NOT_BASE64)?;
    Ok(Json::from(&*String::from_utf8_lossy(&bytes)))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// The lower-case hex digest of a text, or of the JSON text of another value.
pub(super) fn hash(data: &Json, algorithm: &Json) -> Result<Json, String> {
    let data = match data {
        Json::String(_) => short_text(data)?.to_owned(),
        other => other.to_text_within(HASHED_BYTES_MAX).map_err(|_| too_many_letters())?,
    };
    refuse_long(&data)?;
    let digest = match text(algorithm, "algorithm")? {
        "MD5" => hex(&md5::Md5::digest(&data)),
        "SHA-1" => hex(&sha1::Sha1::digest(&data)),
        "SHA-256" => hex(&sha2::Sha256::digest(&data)),
        "SHA-384" => hex(&sha2::Sha384::digest(&data)),
        "SHA-512" => hex(&sha2::Sha512::digest(&data)),
        other => {
            return Err(format!(
                "The algorithm must be MD5, SHA-1, SHA-256, SHA-384 or SHA-512, but was '{other}'"
            ));
        }
    };
    Ok(Json::from(digest))
}

/// The members of both objects, the second one winning. The third argument would ask for a deep merge, which AWS does
/// not offer.
pub(super) fn json_merge(first: &Json, second: &Json, deep: &Json) -> Result<Json, String> {
    let (Json::Object(first), Json::Object(second)) = (first, second) else {
        return Err(format!(
            "The first two arguments must be objects, but were {} and {}",
            first.type_name(),
            second.type_name()
        ));
    };
    if *deep != Json::Bool(false) {
        return Err("The third argument must be false: only shallow merging is supported".into());
    }
    let mut merged = first.clone();
    Arc::make_mut(&mut merged).extend(second.iter().map(|(key, value)| (key.clone(), value.clone())));
    Ok(Json::Object(merged))
}

/// The value that a JSON text says; a blank text says `null`.
pub(super) fn string_to_json(value: &Json) -> Result<Json, String> {
    let value = text(value, "argument")?;
    if value.trim().is_empty() {
        return Ok(Json::Null);
    }
    Json::parse(value).map_err(|failure| format!("Invalid JSON provided: {}", failure.message()))
}

pub(super) fn json_to_string(value: &Json) -> Result<Json, String> {
    value.to_text_within(TEXT_MAX).map(Json::from).map_err(|_| too_long())
}

/// The text that `value` is; `what` names it in the refusal.
pub(super) fn text<'a>(value: &'a Json, what: &str) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("The {what} must be a string, but was {}", value.type_name()))
}

fn short_text(value: &Json) -> Result<&str, String> {
    let text = text(value, "argument")?;
    refuse_long(text)?;
    Ok(text)
}

fn refuse_long(text: &str) -> Result<(), String> {
    if text.encode_utf16().count() <= ENCODED_MAX {
        return Ok(());
    }
    Err(too_many_letters())
}

fn too_many_letters() -> String {
    format!("The argument must not be longer than {ENCODED_MAX} characters")
}

fn too_long() -> String {
    format!("The result is longer than {TEXT_MAX} bytes")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
