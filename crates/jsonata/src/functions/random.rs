//! `$random`, `$shuffle` and `$uuid`: all from the evaluation's one seed, unless `$random` is given its own.

use jsonata_core::evaluator::HostFnResult;
use jsonata_core::value::JValue;

use super::Moment;
use crate::chance::java_double;

/// A number from 0 on and below 1. With a seed it is always the same: the one that Java would give.
pub(super) fn random(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    Ok(JValue::Number(match arguments.first() {
        Some(JValue::Number(seed)) => java_double(*seed as i64),
        _ => moment.chance.next_double(),
    }))
}

/// The items in another order (Fisher and Yates).
pub(super) fn shuffle(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let Some(items) = arguments.first().and_then(JValue::as_array) else { return Ok(JValue::Undefined) };
    let mut items = items.clone();
    for last in (1..items.len()).rev() {
        items.swap(last, moment.chance.below(last + 1));
    }
    Ok(JValue::array(items))
}

/// A UUID of version 4.
pub(super) fn uuid(_: &[JValue], moment: &Moment) -> HostFnResult {
    let chance = &moment.chance;
    let (high, low) = (chance.next_u64(), chance.next_u64());
    let high = high & !0xF000 | 0x4000;
    let low = low & !(0b11 << 62) | 0b10 << 62;
    Ok(JValue::from(format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xFFFF,
        high & 0xFFFF,
        low >> 48,
        low & 0xFFFF_FFFF_FFFF
    )))
}
