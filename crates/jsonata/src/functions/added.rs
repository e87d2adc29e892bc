//! The functions that AWS adds to JSONata. Where an argument makes no sense the result is undefined (recorded), and
//! numbers are rounded towards zero.

use asl::json::Json;
use jsonata_core::evaluator::CancelToken;
use jsonata_core::evaluator::HostFnResult;
use jsonata_core::value::JValue;
use sha2::Digest;

use super::Moment;
use crate::errors::{TOO_LARGE, bound_met, coded};
use crate::values::{self, NotJson};

/// `$partition(array, size)`: arrays of `size` items, the last one of what is left.
pub(super) fn partition(arguments: &[JValue], _: &Moment) -> HostFnResult {
    let (Some(items), Some(size)) = (arguments.first().and_then(JValue::as_array), whole(arguments.get(1)))
    else {
        return Ok(JValue::Undefined);
    };
    if items.is_empty() || size < 1.0 {
        return Ok(JValue::Undefined);
    }
    // The conversion holds beyond 64 bits at their ends.
    let chunks = items.chunks(size as usize).map(|chunk| JValue::array(chunk.to_vec()));
    Ok(JValue::array(chunks.collect()))
}

/// `$range(start, end, step)`: the numbers from start to end, both included.
pub(super) fn range(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let (Some(start), Some(end), Some(step)) =
        (whole(arguments.first()), whole(arguments.get(1)), whole(arguments.get(2)))
    else {
        return Ok(JValue::Undefined);
    };
    let steps = ((end - start) / step).trunc();
    if step == 0.0 || steps.is_nan() || (end - start) * step < 0.0 {
        return Ok(JValue::Undefined);
    }
    if steps >= moment.limits.sequence_items as f64 {
        return Err(bound_met(TOO_LARGE));
    }
    let numbers = (0..=steps as usize).map(|index| JValue::Number(start + step * index as f64));
    Ok(JValue::sequence(numbers.collect()))
}

/// `$hash(data, algorithm)`: the digest of a text, or of the JSON text of another value, in lower-case hexadecimal.
pub(super) fn hash(arguments: &[JValue], _: &Moment) -> HostFnResult {
    let (Some(data), Some(algorithm)) = (arguments.first(), arguments.get(1)) else {
        return Ok(JValue::Undefined);
    };
    let data = match data {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::String(text) => text.to_string(),
        other => match values::to_json(other, HASHED_BYTES_MAX, &CancelToken::new()) {
            Ok(json) => json.unwrap_or_default().to_text(),
            Err(NotJson::Function) => return Err(mismatch(1, "hash")),
            Err(NotJson::TooLong) => return Err(bound_met(TOO_LARGE)),
        },
    };
    let digest = match algorithm {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::String(name) => match &**name {
            "MD5" => hex(&md5::Md5::digest(&data)),
            "SHA-1" => hex(&sha1::Sha1::digest(&data)),
            "SHA-256" => hex(&sha2::Sha256::digest(&data)),
            "SHA-384" => hex(&sha2::Sha384::digest(&data)),
            "SHA-512" => hex(&sha2::Sha512::digest(&data)),
            _ => return Err(mismatch(2, "hash")),
        },
        _ => return Err(mismatch(2, "hash")),
    };
    Ok(JValue::from(digest))
}

/// The longest JSON text that is made to be hashed. Four payloads.
const HASHED_BYTES_MAX: usize = 1024 * 1024;

/// `$parse(text)`: the value that a JSON text says.
pub(super) fn parse(arguments: &[JValue], _: &Moment) -> HostFnResult {
    let Some(JValue::String(text)) = arguments.first() else { return Ok(JValue::Undefined) };
    match Json::parse(text) {
        Ok(json) => Ok(values::to_core(&json)),
        // The code is a guess: the next of those for functions that take apart what they are given.
        Err(failure) => {
            Err(coded("D3142", format_args!("Malformed JSON passed to $parse(): {}", failure.message())))
        }
    }
}

/// A number rounded towards zero.
fn whole(value: Option<&JValue>) -> Option<f64> {
    Some(value?.as_f64()?.trunc())
}

/// JSONata's complaint about an argument.
fn mismatch(index: usize, function: &str) -> jsonata_core::evaluator::EvaluatorError {
    coded(
        "T0410",
        format_args!("Argument {index} of function \"{function}\" does not match function signature"),
    )
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}
