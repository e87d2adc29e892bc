//! A JSON number: an integer of 64 bits kept exactly, or a double.
//!
//! Larger integers become doubles, as the service's own reader does. It refuses to know about rounding rules of the
//! intrinsic functions; those live with them.

use std::cmp::Ordering;
use std::fmt;

use super::java;

/// A JSON number. Equality is structural (`1` is not `1.0`); [`Number::compare`] goes by value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer of at most 64 bits.
    Int(i64),
    /// A finite double.
    Float(f64),
}

impl Number {
    /// The nearest double.
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Int(int) => int as f64,
            Number::Float(double) => double,
        }
    }

    /// The integer, also of a double without a fraction that fits.
    pub fn as_integer(self) -> Option<i64> {
        match self {
            Number::Int(int) => Some(int),
            Number::Float(double) if double.fract() == 0.0 && fits_i64(double) => Some(double as i64),
            Number::Float(_) => None,
        }
    }

    /// Compares by value, exactly: large integers are not rounded to doubles first.
    pub fn compare(self, other: Number) -> Ordering {
        match (self, other) {
            (Number::Int(left), Number::Int(right)) => left.cmp(&right),
            (Number::Int(left), Number::Float(right)) => compare_int_with_float(left, right),
            (Number::Float(left), Number::Int(right)) => compare_int_with_float(right, left).reverse(),
            (Number::Float(left), Number::Float(right)) => {
                left.partial_cmp(&right).unwrap_or(Ordering::Equal)
            }
        }
    }
}

impl From<u64> for Number {
    fn from(int: u64) -> Number {
        i64::try_from(int).map_or(Number::Float(int as f64), Number::Int)
    }
}

/// The number's JSON text as Java writes it: an integer's digits, or the double as `0.1`, `1.5E21`, `-0.0`.
impl fmt::Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Int(int) => write!(out, "{int}"),
            Number::Float(double) => java::write_double(*double, out),
        }
    }
}

fn compare_int_with_float(int: i64, float: f64) -> Ordering {
    if float >= TWO_TO_63 {
        return Ordering::Less;
    }
    if float < -TWO_TO_63 {
        return Ordering::Greater;
    }
    // In range the whole part is exact; the fraction decides only between equal whole parts.
    int.cmp(&(float.trunc() as i64)).then_with(|| 0.0.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal))
}

fn fits_i64(double: f64) -> bool {
    (-TWO_TO_63..TWO_TO_63).contains(&double)
}

/// The first double beyond a 64-bit signed integer.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
