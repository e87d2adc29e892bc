//! The intrinsic functions on arrays.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::math::rounded;
use super::too_much;
use crate::json::{Json, Number};
use crate::path::Work;

/// The longest range `States.ArrayRange` may make: AWS's limit.
const RANGE_MAX: i64 = 1000;

/// The largest array `States.ArrayPartition` takes, in bytes of its text: AWS's limit.
const PARTITION_BYTES_MAX: usize = 256 * 1024;

/// Chunks of `size` items, the last one perhaps shorter.
pub(super) fn partition(array: &Json, size: &Json) -> Result<Json, String> {
    let items = items(array)?;
    if array.to_text_within(PARTITION_BYTES_MAX).is_err() {
        return Err(format!("The array must not be larger than {PARTITION_BYTES_MAX} bytes"));
    }
    let size = rounded(size, "chunk size")?;
    match usize::try_from(size) {
        Ok(size) if size > 0 => Ok(Json::array(items.chunks(size).map(|chunk| Json::from(chunk.to_vec())))),
        _ => Err(format!("The chunk size must be a positive integer, but was {size}")),
    }
}

pub(super) fn contains(array: &Json, wanted: &Json, work: &Work) -> Result<Json, String> {
    for item in items(array)? {
        if work.equal(item, wanted).map_err(|_| too_much())? {
            return Ok(Json::from(true));
        }
    }
    Ok(Json::from(false))
}

/// The numbers from `first` to `last`, the latter included when a step lands on it.
pub(super) fn range(first: &Json, last: &Json, step: &Json) -> Result<Json, String> {
    let (first, last, step) = (rounded(first, "start")?, rounded(last, "end")?, rounded(step, "step")?);
    if step == 0 {
        return Err("The step must not be 0".into());
    }
    // The three are integers of 32 bits, so that their differences fit.
    let count = ((last - first) / step + 1).max(0);
    let runs_away = (last - first).signum() * step.signum() < 0;
    if runs_away {
        return Ok(Json::from(Vec::new()));
    }
    if count > RANGE_MAX {
        return Err(format!("The range has {count} items; no more than {RANGE_MAX} are allowed"));
    }
    Ok(Json::array((0..count).map(|index| first + index * step)))
}

pub(super) fn item(array: &Json, index: &Json) -> Result<Json, String> {
    let items = items(array)?;
    let index = rounded(index, "index")?;
    let found = usize::try_from(index).ok().and_then(|index| items.get(index));
    found
        .cloned()
        .ok_or_else(|| format!("The index {index} is out of bounds for an array of length {}", items.len()))
}

pub(super) fn length(array: &Json) -> Result<Json, String> {
    Ok(Json::from(items(array)?.len()))
}

/// The items without those that equal an earlier one.
pub(super) fn unique(array: &Json, work: &Work) -> Result<Json, String> {
    let items = items(array)?;
    // The fingerprints look at everything once, and comparing those that are alike once more.
    work.look_through(array).and_then(|()| work.look_through(array)).map_err(|_| too_much())?;
    let mut kept: Vec<Json> = Vec::new();
    let mut by_print: HashMap<u64, Vec<usize>> = HashMap::new();
    for item in items {
        let mut hasher = DefaultHasher::new();
        fingerprint(item, &mut hasher);
        let alike = by_print.entry(hasher.finish()).or_default();
        if !alike.iter().any(|index| kept[*index] == *item) {
            alike.push(kept.len());
            kept.push(item.clone());
        }
    }
    Ok(Json::from(kept))
}

fn items(array: &Json) -> Result<&[Json], String> {
    array.as_array().ok_or_else(|| format!("The argument must be an array, but was {}", array.type_name()))
}

/// Equal values have equal fingerprints, whatever the order of their members.
fn fingerprint(value: &Json, hasher: &mut DefaultHasher) {
    value.type_name().hash(hasher);
    match value {
        Json::Null => {}
        Json::Bool(value) => value.hash(hasher),
        Json::Number(Number::Int(int)) => int.hash(hasher),
        // Adding zero makes the two zeros one.
        Json::Number(Number::Float(double)) => (double + 0.0).to_bits().hash(hasher),
        Json::String(text) => text.hash(hasher),
        Json::Array(items) => items.iter().for_each(|item| fingerprint(item, hasher)),
        Json::Object(members) => {
            let mut all = 0_u64;
            for (key, member) in members.iter() {
                let mut one = DefaultHasher::new();
                key.hash(&mut one);
                fingerprint(member, &mut one);
                all = all.wrapping_add(one.finish());
            }
            all.hash(hasher);
        }
    }
}
