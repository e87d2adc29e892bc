//! `$distinct` by fingerprints. The library's compares each item with all before it, which nothing interrupts.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use jsonata_core::evaluator::HostFnResult;
use jsonata_core::value::{JValue, with_stack};

use super::{Moment, weight};

/// The items without those that equal an earlier one; what is no array is itself.
pub(super) fn distinct(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let value = weight::weighed(arguments.get(..1).unwrap_or_default(), moment)?;
    let JValue::Array(items) = &value else { return Ok(value) };
    if items.len() < 2 {
        return Ok(value);
    }
    let mut kept: Vec<JValue> = Vec::new();
    let mut by_print: HashMap<u64, Vec<usize>> = HashMap::new();
    for item in items {
        let same = by_print.entry(fingerprint(item)).or_default();
        if !same.iter().any(|index| kept[*index] == *item) {
            same.push(kept.len());
            kept.push(item.clone());
        }
    }
    Ok(if items.sequence { JValue::sequence(kept) } else { JValue::array(kept) })
}

/// Equal values have the same; the order of an object's members does not count.
fn fingerprint(value: &JValue) -> u64 {
    let mut hasher = DefaultHasher::new();
    std::mem::discriminant(value).hash(&mut hasher);
    match value {
        JValue::Bool(value) => value.hash(&mut hasher),
        // The two zeros are equal.
        JValue::Number(number) => (number + 0.0).to_bits().hash(&mut hasher),
        JValue::String(text) => text.hash(&mut hasher),
        JValue::Array(items) => {
            with_stack(|| items.iter().for_each(|item| fingerprint(item).hash(&mut hasher)));
        }
        JValue::Object(members) => {
            let sum = with_stack(|| {
                members.iter().fold(0_u64, |sum, (name, member)| {
                    let mut pair = DefaultHasher::new();
                    name.hash(&mut pair);
                    fingerprint(member).hash(&mut pair);
                    sum.wrapping_add(pair.finish())
                })
            });
            sum.hash(&mut hasher);
        }
        _ => {}
    }
    hasher.finish()
}
