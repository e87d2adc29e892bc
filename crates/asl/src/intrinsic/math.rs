//! The intrinsic functions on numbers: arguments are rounded to integers of 32 bits first, halves upwards, as Java's
//! `Math.round` does.

use super::Entropy;
use crate::json::{Json, Number};

pub(super) fn add(left: &Json, right: &Json) -> Result<Json, String> {
    let sum = rounded(left, "first argument")? + rounded(right, "second argument")?;
    in_range(sum, "sum").map(Json::from)
}

/// An integer from `start` up to, and without, `end`. With a seed it is the one that Java's `Random` would give.
pub(super) fn random(
    start: &Json,
    end: &Json,
    seed: Option<&Json>,
    entropy: &mut dyn Entropy,
) -> Result<Json, String> {
    let (start, end) = (rounded(start, "start")?, rounded(end, "end")?);
    if start >= end {
        return Err(format!("The start {start} must be less than the end {end}"));
    }
    let width = end.abs_diff(start);
    let offset = match seed {
        Some(seed) => JavaRandom::new(rounded_to_i64(seed, "seed")?).below(width),
        None => evenly_below(width, entropy),
    };
    Ok(Json::from(start + offset as i64))
}

/// `value` as an integer of 32 bits; `what` names it in the refusal.
pub(super) fn rounded(value: &Json, what: &str) -> Result<i64, String> {
    in_range(rounded_to_i64(value, what)?, what)
}

fn rounded_to_i64(value: &Json, what: &str) -> Result<i64, String> {
    match value {
        Json::Number(Number::Int(int)) => Ok(*int),
        Json::Number(Number::Float(double)) => {
            let floor = double.floor();
            // The conversion holds beyond 64 bits at their ends, as Java's does.
            Ok(if double - floor >= 0.5 { floor + 1.0 } else { floor } as i64)
        }
        other => Err(format!("The {what} must be a number, but was {}", other.type_name())),
    }
}

fn in_range(value: i64, what: &str) -> Result<i64, String> {
    if i32::try_from(value).is_ok() {
        return Ok(value);
    }
    Err(format!("The {what} must be between {} and {}, but was {value}", i32::MIN, i32::MAX))
}

/// A number below `width`, which is less than 2^32, by rejection of the uneven rest.
fn evenly_below(width: u64, entropy: &mut dyn Entropy) -> u64 {
    let uneven = u64::MAX - u64::MAX % width;
    loop {
        let drawn = entropy.next_u64();
        if drawn < uneven {
            return drawn % width;
        }
    }
}

/// The linear congruential generator of `java.util.Random`: AWS promises only that a seed repeats, and its service is
/// written in Java.
struct JavaRandom(u64);

impl JavaRandom {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;

    fn new(seed: i64) -> JavaRandom {
        JavaRandom((seed as u64 ^ JavaRandom::MULTIPLIER) & JavaRandom::MASK)
    }

    fn bits(&mut self, count: u32) -> u64 {
        self.0 = self.0.wrapping_mul(JavaRandom::MULTIPLIER).wrapping_add(0xB) & JavaRandom::MASK;
        self.0 >> (48 - count)
    }

    /// As `nextInt(bound)`; widths beyond 31 bits draw until one fits.
    fn below(&mut self, width: u64) -> u64 {
        const TWO_TO_31: u64 = 1 << 31;
        if width >= TWO_TO_31 {
            loop {
                let drawn = self.bits(32);
                if drawn < width {
                    return drawn;
                }
            }
        }
        if width.is_power_of_two() {
            return (width * self.bits(31)) >> 31;
        }
        loop {
            let drawn = self.bits(31);
            let rest = drawn % width;
            if drawn - rest + (width - 1) < TWO_TO_31 {
                return rest;
            }
        }
    }
}
