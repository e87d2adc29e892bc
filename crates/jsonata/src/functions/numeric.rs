//! Functions of numbers whose library's versions take them for 64-bit integers, or read more texts as numbers than
//! JavaScript: here they are jsonata-js 2.0.6's.

use jsonata_core::evaluator::HostFnResult;
use jsonata_core::value::JValue;

use super::{Moment, bounded};
use crate::errors::coded;

/// `$substring(text, start, length)`, by JavaScript's `slice` over characters.
pub(super) fn substring(arguments: &[JValue], _: &Moment) -> HostFnResult {
    let Some(JValue::String(text)) = arguments.first() else { return Ok(JValue::Undefined) };
    let count = text.chars().count() as f64;
    let mut start = number(arguments.get(1)).unwrap_or(f64::NAN);
    if count + start < 0.0 {
        start = 0.0;
    }
    let end = match number(arguments.get(2)) {
        None => count,
        Some(length) if length <= 0.0 => return Ok(JValue::from("")),
        Some(length) if start >= 0.0 => start + length,
        Some(length) => count + start + length,
    };
    // A bound below zero counts from the end; what is not a number is zero.
    let bound = |at: f64| {
        let at = if at.is_nan() { 0.0 } else { at.trunc() };
        (if at < 0.0 { count + at } else { at }).clamp(0.0, count) as usize
    };
    let (start, end) = (bound(start), bound(end));
    Ok(JValue::from(text.chars().skip(start).take(end.saturating_sub(start)).collect::<String>()))
}

/// The number that a text says to `$number`; anything else is for the library.
pub(super) fn numeral(arguments: &[JValue], _: &Moment) -> HostFnResult {
    match arguments.first() {
        Some(JValue::String(text)) => match decimal(text).or_else(|| with_prefix(text)) {
            Some(number) => Ok(JValue::Number(number)),
            None => Err(coded("D3030", format_args!("Cannot convert '{text}' to number"))),
        },
        other => Ok(other.cloned().unwrap_or(JValue::Undefined)),
    }
}

/// `-?[0-9]+(\.[0-9]+)?([Ee][-+]?[0-9]+)?`, if that is not infinite.
fn decimal(text: &str) -> Option<f64> {
    let digits = |text: &mut &str| {
        let rest = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let some = rest.len() < text.len();
        *text = rest;
        some
    };
    let mut rest = text.strip_prefix('-').unwrap_or(text);
    if !digits(&mut rest) {
        return None;
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction;
        if !digits(&mut rest) {
            return None;
        }
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        rest = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if !digits(&mut rest) {
            return None;
        }
    }
    if !rest.is_empty() {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A number in hexadecimal, octal or binary digits behind their prefix.
fn with_prefix(text: &str) -> Option<f64> {
    let mut letters = text.chars();
    let radix = match (letters.next()?, letters.next()?) {
        ('0', 'x' | 'X') => 16,
        ('0', 'o' | 'O') => 8,
        ('0', 'b' | 'B') => 2,
        _ => return None,
    };
    let digits = letters.as_str();
    if digits.is_empty() {
        return None;
    }
    let number = digits
        .chars()
        .try_fold(0.0, |number, digit| Some(number * f64::from(radix) + f64::from(digit.to_digit(radix)?)))?;
    Some(number).filter(|number| number.is_finite())
}

/// `$formatBase(number, radix)`.
pub(super) fn format_base(arguments: &[JValue], _: &Moment) -> HostFnResult {
    let Some(value) = number(arguments.first()) else { return Ok(JValue::Undefined) };
    let value = value.round_ties_even() + 0.0;
    let radix = number(arguments.get(1)).map_or(10.0, f64::round_ties_even);
    if !(2.0..=36.0).contains(&radix) {
        return Err(coded("D3100", format_args!("Radix must be between 2 and 36, got {radix}")));
    }
    Ok(JValue::from(if radix == 10.0 { text(value) } else { in_radix(value, radix) }))
}

/// A whole number's digits, as V8 finds them: zeros stand where a double has no more digits to tell.
fn in_radix(value: f64, radix: f64) -> String {
    let mut left = value.abs();
    let mut digits = Vec::new();
    while left / radix >= FRACTIONLESS {
        left /= radix;
        digits.push('0');
    }
    loop {
        let digit = left % radix;
        digits.push(char::from_digit(digit as u32, radix as u32).expect("a remainder is a digit"));
        left = (left - digit) / radix;
        if left <= 0.0 {
            break;
        }
    }
    if value < 0.0 {
        digits.push('-');
    }
    digits.iter().rev().collect()
}

/// 2^53: from here on doubles have no fractions, nor all whole numbers.
const FRACTIONLESS: f64 = 9_007_199_254_740_992.0;

/// `$round(number, precision)`: the point is moved in the number's text, as jsonata-js does it.
pub(super) fn round(arguments: &[JValue], _: &Moment) -> HostFnResult {
    let Some(value) = number(arguments.first()) else { return Ok(JValue::Undefined) };
    let precision = number(arguments.get(1)).unwrap_or(0.0);
    let shifted = shift(value, precision);
    let below = shifted.floor();
    let mut rounded = if shifted - below >= 0.5 { below + 1.0 } else { below };
    if (rounded - shifted).abs() == 0.5 && (rounded % 2.0).abs() == 1.0 {
        rounded -= 1.0;
    }
    Ok(JValue::Number(shift(rounded, -precision) + 0.0))
}

fn shift(value: f64, places: f64) -> f64 {
    if places == 0.0 {
        return value;
    }
    let value = text(value);
    let (digits, exponent) = value.split_once('e').unwrap_or((&value, "0"));
    let exponent = exponent.parse::<f64>().unwrap_or(f64::NAN) + places;
    format!("{digits}e{}", text(exponent)).parse().unwrap_or(f64::NAN)
}

/// The limit of `$split`. Of a text JavaScript takes its lowest 32 bits, of a pattern it counts up to it.
pub(super) fn limit(arguments: &[JValue], _: &Moment) -> HostFnResult {
    const WIDTH: f64 = 4_294_967_296.0;
    Ok(match (arguments.first(), arguments.get(1)) {
        (Some(JValue::Number(limit)), Some(JValue::String(_))) if *limit >= 0.0 => {
            JValue::Number(limit.trunc() % WIDTH)
        }
        (Some(JValue::Number(limit)), _) if *limit >= 0.0 => JValue::Number(limit.ceil().min(WIDTH)),
        (other, _) => other.cloned().unwrap_or(JValue::Undefined),
    })
}

/// Whether `$formatInteger` would write a number by decimal digits that no 64-bit integer has.
pub(super) fn is_wide(arguments: &[JValue], _: &Moment) -> HostFnResult {
    let decimal = arguments.get(1).and_then(JValue::as_str).is_some_and(is_plain_picture);
    let wide = number(arguments.first()).is_some_and(|number| number.abs() > FRACTIONLESS);
    Ok(JValue::Bool(decimal && wide))
}

/// A picture of decimal digits with a comma for each thousand, or none.
fn is_plain_picture(picture: &str) -> bool {
    let picture = picture.strip_suffix(ORDINAL).unwrap_or(picture);
    let groups: Vec<&str> = picture.split(',').collect();
    picture.ends_with('0')
        && groups.iter().flat_map(|group| group.chars()).all(|letter| matches!(letter, '#' | '0'))
        && groups.iter().skip(1).all(|group| group.len() == 3)
        && !picture.trim_start_matches(['#', ',']).contains('#')
}

/// How a picture asks for an ordinal number.
const ORDINAL: &str = ";o";

/// `$formatInteger(number, picture)` of such a number and picture.
pub(super) fn wide(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let (Some(value), JValue::String(picture)) =
        (number(arguments.first()), bounded::picture(arguments.get(1..).unwrap_or_default(), moment)?)
    else {
        return Ok(JValue::Undefined);
    };
    let digits = text(value.abs().floor());
    let wanted = picture.matches('0').count();
    let digits = format!("{}{digits}", "0".repeat(wanted.saturating_sub(digits.len())));
    let mut written = String::from(if value < 0.0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && picture.contains(',') {
            written.push(',');
        }
        written.push(digit);
    }
    if picture.ends_with(ORDINAL) {
        let teen = digits[..digits.len() - 1].ends_with('1');
        written += match digits.chars().last() {
            Some('1') if !teen => "st",
            Some('2') if !teen => "nd",
            Some('3') if !teen => "rd",
            _ => "th",
        };
    }
    Ok(JValue::from(written))
}

fn number(value: Option<&JValue>) -> Option<f64> {
    value?.as_f64()
}

/// The number as JavaScript prints it.
fn text(number: f64) -> String {
    JValue::Number(number).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Node.js 20 gives for `number.toString(radix)`.
    #[test]
    fn digits_are_v8s() {
        assert_eq!(in_radix(9_007_199_254_740_992.0, 3.0), "1121202011211211122211100012101112");
        assert_eq!(in_radix(-1e19, 36.0), "-23z405fz79ts0");
        assert_eq!(in_radix(1e21, 36.0), "5v1j4f4ds7c000");
        assert_eq!(in_radix(9_223_372_036_854_775_807.0, 3.0), "2021110011022210012102010021220021000000");
        assert_eq!(in_radix(1e19, 16.0), "8ac7230489e80000");
        assert_eq!(in_radix(0.0, 2.0), "0");
    }
}
