//! Numbers as filters compare them: by value, and against texts in the form of Java's `BigDecimal`.
//!
//! Jayway's library keeps the decimal digits of both sides. We keep the number itself and make the digits only where a
//! text stands opposite, which they must equal (`'1.50'` is the text of the literal `1.50`, not of `1.5`).

use std::sync::Arc;

use crate::json::Number;

/// A number of a document, or a literal with its digits.
#[derive(Clone, Debug)]
pub(super) struct Decimal {
    number: Number,
    written: Option<Arc<str>>,
}

impl From<Number> for Decimal {
    fn from(number: Number) -> Decimal {
        Decimal { number, written: None }
    }
}

impl Decimal {
    /// Reads a decimal number with an optional sign, point and exponent; digits may be missing on one side of the point.
    /// A number beyond doubles becomes an infinity, which compares as it should.
    pub(super) fn parse(text: &str) -> Option<Decimal> {
        let parts = Parts::of(text)?;
        let whole = parts.fraction.is_empty() && !text.contains(['.', 'e', 'E']);
        let number = match text.parse() {
            Ok(int) if whole => Number::Int(int),
            _ => Number::Float(text.parse().ok()?),
        };
        Some(Decimal { number, written: Some(text.into()) })
    }

    pub(super) fn number(&self) -> Number {
        self.number
    }

    pub(super) fn equals(&self, other: &Decimal) -> bool {
        self.number.compare(other.number).is_eq()
    }

    /// The text of Java's `BigDecimal`.
    pub(super) fn text(&self) -> String {
        let written = match &self.written {
            Some(written) => written.to_string(),
            None => self.number.to_string(),
        };
        Parts::of(&written).map_or(written.clone(), |parts| parts.print())
    }
}

/// A decimal number taken apart.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Parts<'a>> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        Some(Parts { negative: text.starts_with('-'), whole, fraction, exponent: exponent.into() })
    }

    /// Plain digits while the number is not tiny and has no zeros to be filled in behind; else `1.5E+10`.
    fn print(&self) -> String {
        let scale = self.fraction.len() as i64 - self.exponent;
        let digits = format!("{}{}", self.whole, self.fraction);
        let digits = match digits.trim_start_matches('0') {
            "" => "0",
            significant => significant,
        };
        let length = digits.len() as i64;
        let leading = length - 1 - scale;
        let unsigned = if scale == 0 {
            digits.to_owned()
        } else if scale > 0 && leading >= -6 {
            let padded = format!("{}{digits}", "0".repeat((scale + 1 - length).max(0) as usize));
            let (whole, fraction) = padded.split_at(padded.len() - scale as usize);
            format!("{whole}.{fraction}")
        } else {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            let exponent = if leading == 0 { String::new() } else { format!("E{leading:+}") };
            format!("{first}{point}{rest}{exponent}")
        };
        if self.negative && digits != "0" { format!("-{unsigned}") } else { unsigned }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Java prints for `new BigDecimal(text)`.
    #[test]
    fn texts_are_those_of_java() {
        for (written, text) in [
            ("0", "0"),
            ("-0", "0"),
            ("007", "7"),
            ("+1", "1"),
            ("1.", "1"),
            (".5", "0.5"),
            ("-1.50", "-1.50"),
            ("0.00", "0.00"),
            ("1e2", "1E+2"),
            ("1.0E7", "1.0E+7"),
            ("1.25e1", "12.5"),
            ("1.0E-4", "0.00010"),
            ("1E-7", "1E-7"),
            ("12E-8", "1.2E-7"),
        ] {
            assert_eq!(Decimal::parse(written).unwrap().text(), text, "{written}");
        }
        for refused in ["", ".", "-", "1e", "1.5.2", "inf", "NaN", "0x1", " 1", "1 ", "--1"] {
            assert!(Decimal::parse(refused).is_none(), "{refused}");
        }
        assert_eq!(Decimal::from(Number::Float(1e7)).text(), "1.0E+7");
        assert_eq!(Decimal::from(Number::Float(0.1)).text(), "0.1");
    }
}
