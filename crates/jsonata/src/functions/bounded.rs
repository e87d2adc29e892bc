//! Functions that make much out of little: their arguments are looked at before the library's function runs, because
//! what that allocates in one go cannot be taken back.

use indexmap::IndexMap;
use jsonata_core::evaluator::{EvaluatorError, HostFnResult};
use jsonata_core::functions::string::build_regex;
use jsonata_core::value::{JValue, with_stack};

use super::Moment;
use crate::errors::{TOO_LARGE, bound_met};

/// The longest text that a pattern is run over, and the longest that is split.
///
/// A search takes time in the product of the text and the pattern, and what it finds takes a few hundred bytes each.
/// Four payloads.
const SCANNED_BYTES_MAX: usize = 1024 * 1024;

/// The longest picture of a number or a date. Honest ones have less than a hundred bytes; each part of one becomes an
/// object, a pattern, or a thousand digits.
const PICTURE_BYTES_MAX: usize = 16 * 1024;

/// How many digits behind the point JavaScript prints at most.
const DECIMALS_MAX: usize = 100;

/// About what one match occupies as an object.
const MATCH_BYTES: usize = 1024;

/// About what an item occupies that `$zip` takes: a copy of it, another in its place, and that place.
const ZIPPED_BYTES: usize = 64;

/// About what a member occupies as an object of its own.
const SPREAD_BYTES: usize = 512;

/// `$pad(text, width, filler)`: filled to `width` characters at the end, or at the start if `width` is negative.
pub(super) fn pad(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let Some(JValue::String(text)) = arguments.first() else { return Ok(JValue::Undefined) };
    let Some(JValue::Number(width)) = arguments.get(1) else { return Ok(JValue::Undefined) };
    let filler = match arguments.get(2) {
        Some(JValue::String(filler)) if !filler.is_empty() => filler,
        _ => " ",
    };
    let missing = width.abs() - text.chars().count() as f64;
    if missing.is_nan() || missing <= 0.0 {
        return Ok(JValue::String(text.clone()));
    }
    if missing.fract() != 0.0 {
        // JavaScript's words for an array with a broken number of items; there is no code.
        return Err(EvaluatorError::EvaluationError("Invalid array length".to_owned()));
    }
    let widest = filler.chars().map(char::len_utf8).max().unwrap_or(1) as f64;
    if missing * widest > moment.limits.text_bytes as f64 {
        return Err(bound_met(TOO_LARGE));
    }
    let padding: String = filler.chars().cycle().take(missing as usize).collect();
    Ok(JValue::from(if *width > 0.0 { format!("{text}{padding}") } else { format!("{padding}{text}") }))
}

/// The texts that `$join` joins, unless they become too long.
pub(super) fn joined(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let texts = argument(arguments, 0);
    let separator = arguments.get(1).and_then(JValue::as_str).map_or(0, str::len);
    let length = texts.as_array().map_or(0, |items| {
        let each = |item: &JValue| item.as_str().map_or(0, str::len).saturating_add(separator);
        items.iter().map(each).fold(0, usize::saturating_add)
    });
    within(length, moment.limits.text_bytes)?;
    Ok(texts)
}

/// The text that `$contains` looks into.
pub(super) fn scanned(arguments: &[JValue], _: &Moment) -> HostFnResult {
    let text = argument(arguments, 0);
    if arguments.get(1).is_some_and(JValue::is_function) {
        scannable(&text)?;
    }
    Ok(text)
}

/// The text that `$split` splits.
pub(super) fn split(arguments: &[JValue], _: &Moment) -> HostFnResult {
    let text = argument(arguments, 0);
    scannable(&text)?;
    Ok(text)
}

/// The text that `$match` looks into, unless it finds too much.
pub(super) fn matched(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let text = argument(arguments, 0);
    scannable(&text)?;
    let most = moment.limits.heap_bytes / MATCH_BYTES;
    if let (Some(content), Some(JValue::Regex { pattern, flags })) = (text.as_str(), arguments.get(1))
        && content.len() > most
    {
        let limit = arguments.get(2).and_then(JValue::as_f64).unwrap_or(f64::INFINITY);
        let found = build_regex(pattern, flags)?.find_iter(content).take(most + 1).count();
        within((found as f64).min(limit) as usize, most)?;
    }
    Ok(text)
}

/// The text in which `$replace` replaces, unless what comes in becomes too long.
pub(super) fn replaced(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let text = argument(arguments, 0);
    let (Some(content), Some(with)) = (text.as_str(), arguments.get(2).and_then(JValue::as_str)) else {
        scannable(&text)?;
        return Ok(text);
    };
    let limit = arguments.get(3).and_then(JValue::as_f64).unwrap_or(f64::INFINITY);
    let most = |found: usize| (found as f64).min(limit).max(0.0) as usize;
    let length = match arguments.get(1) {
        Some(JValue::String(pattern)) if !pattern.is_empty() => {
            most(content.matches(&**pattern).count()).saturating_mul(with.len())
        }
        Some(JValue::Regex { pattern, flags }) => {
            scannable(&text)?;
            let groups = with.matches('$').count().saturating_mul(content.len());
            let crude = most(content.len() + 1).saturating_mul(with.len());
            let found = if crude > moment.limits.text_bytes {
                most(build_regex(pattern, flags)?.find_iter(content).count()).saturating_mul(with.len())
            } else {
                crude
            };
            found.saturating_add(groups)
        }
        _ => 0,
    };
    within(length.saturating_add(content.len()), moment.limits.text_bytes)?;
    Ok(text)
}

/// An argument of `$zip`, of as many as the second argument says: that many times its items are put together.
pub(super) fn zipped(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let items = argument(arguments, 0);
    let count = arguments.get(1).and_then(JValue::as_f64).unwrap_or(1.0) as usize;
    let length = items.as_array().map_or(1, Vec::len);
    within(length.saturating_mul(count), moment.limits.heap_bytes / ZIPPED_BYTES)?;
    Ok(items)
}

/// What `$spread` spreads, unless that has too many members.
pub(super) fn spread(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let value = argument(arguments, 0);
    let members = |value: &JValue| value.as_object().map_or(1, |members| members.len());
    let count = match &value {
        JValue::Array(items) => items.iter().map(members).fold(0, usize::saturating_add),
        other => members(other),
    };
    within(count, moment.limits.heap_bytes / SPREAD_BYTES)?;
    Ok(value)
}

/// What `$keys` takes the names of: of a list one object with the names of all, because the library looks for each name
/// among all before it.
pub(super) fn keyed(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let value = super::weight::listed(arguments, moment)?;
    let JValue::Array(items) = &value else { return Ok(value) };
    let mut names = IndexMap::new();
    collect_names(items, &mut names);
    Ok(JValue::object(names))
}

fn collect_names(items: &[JValue], names: &mut IndexMap<String, JValue>) {
    for item in items {
        match item {
            JValue::Object(members) => {
                for name in members.keys().filter(|name| !names.contains_key(*name)).collect::<Vec<_>>() {
                    names.insert(name.clone(), JValue::Null);
                }
            }
            JValue::Array(items) => with_stack(|| collect_names(items, names)),
            _ => {}
        }
    }
}

/// What `$reduce` reduces where there is no first value: nothing, if it is empty. The library would make null of it.
pub(super) fn reducible(arguments: &[JValue], _: &Moment) -> HostFnResult {
    let items = argument(arguments, 0);
    Ok(if items.as_array().is_some_and(Vec::is_empty) { JValue::Undefined } else { items })
}

/// The number that `$formatInteger` writes, unless its Roman numeral becomes too long: it has an M for each thousand.
pub(super) fn drawn(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let number = argument(arguments, 0);
    let picture = picture(arguments.get(1..).unwrap_or_default(), moment)?;
    let roman = picture.as_str().is_some_and(|picture| picture.starts_with(['I', 'i']));
    if let (true, Some(number)) = (roman, number.as_f64()) {
        within((number / 1000.0) as usize, moment.limits.text_bytes)?;
    }
    Ok(number)
}

/// A picture of a date or an integer, unless it is too long to be honest.
pub(super) fn picture(arguments: &[JValue], _: &Moment) -> HostFnResult {
    let picture = argument(arguments, 0);
    within(picture.as_str().map_or(0, str::len), PICTURE_BYTES_MAX)?;
    Ok(picture)
}

/// A picture of a number, unless it wants more digits behind the point than JavaScript gives.
pub(super) fn decimals(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let picture = picture(arguments, moment)?;
    let digits = picture
        .as_str()
        .unwrap_or_default()
        .split(['.', ';'])
        .skip(1)
        .map(|part| part.chars().filter(|letter| letter.is_ascii_digit() || *letter == '#').count());
    if digits.max().unwrap_or(0) > DECIMALS_MAX {
        // JavaScript's own words; there is no code.
        let words = "toFixed() digits argument must be between 0 and 100";
        return Err(EvaluatorError::EvaluationError(words.to_owned()));
    }
    Ok(picture)
}

fn argument(arguments: &[JValue], index: usize) -> JValue {
    arguments.get(index).cloned().unwrap_or(JValue::Undefined)
}

fn scannable(text: &JValue) -> Result<(), EvaluatorError> {
    within(text.as_str().map_or(0, str::len), SCANNED_BYTES_MAX)
}

fn within(amount: usize, most: usize) -> Result<(), EvaluatorError> {
    if amount > most { Err(bound_met(TOO_LARGE)) } else { Ok(()) }
}
