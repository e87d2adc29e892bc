//! How heavy a value is: how long a walk over the whole of it would take.

use jsonata_core::evaluator::HostFnResult;
use jsonata_core::value::{JValue, with_stack};

use super::Moment;
use crate::errors::{TOO_LARGE, bound_met};
use crate::limits::Limits;

/// How deep a value may be nested that is walked. Some walks take a time that grows with the square of the depth.
const DEPTH_MAX: usize = 1_000;

/// What a walk over a value makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// Its JSON text.
    Text,
    /// That, indented.
    Indented,
    /// Lists of its parts.
    Lists,
}

/// What an item takes in a list, while that grows.
const ITEM_BYTES: usize = 32;

/// The first argument, unless its text is longer than a text may be. The second says whether that text would be
/// indented.
pub(super) fn weighed(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let indented = matches!(arguments.get(1), Some(JValue::Bool(true)));
    light(arguments, if indented { Walk::Indented } else { Walk::Text }, moment)
}

/// The first argument, unless lists of its parts would be too long.
pub(super) fn listed(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    light(arguments, Walk::Lists, moment)
}

fn light(arguments: &[JValue], walk: Walk, moment: &Moment) -> HostFnResult {
    let value = arguments.first().unwrap_or(&JValue::Undefined);
    if spent(value, walk, 0, &mut walk.budget(&moment.limits)) {
        return Err(bound_met(TOO_LARGE));
    }
    Ok(value.clone())
}

impl Walk {
    /// How much may be walked.
    pub(super) fn budget(self, limits: &Limits) -> usize {
        match self {
            Walk::Text | Walk::Indented => limits.text_bytes,
            Walk::Lists => limits.heap_bytes / 2,
        }
    }
}

/// The first argument, unless the arrays in it, and in each other, have more items than a sequence may have. What is in
/// objects does not count: steps and tests stop there.
pub(super) fn counted(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let value = arguments.first().unwrap_or(&JValue::Undefined);
    if !has_few(value, &mut moment.limits.sequence_items.clone()) {
        return Err(bound_met(TOO_LARGE));
    }
    Ok(value.clone())
}

fn has_few(value: &JValue, items_left: &mut usize) -> bool {
    let JValue::Array(items) = value else { return true };
    let Some(left) = items_left.checked_sub(items.len()) else { return false };
    *items_left = left;
    with_stack(|| items.iter().all(|item| has_few(item, items_left)))
}

/// Takes the value's weight off `bytes_left`; true when that does not suffice.
pub(super) fn spent(value: &JValue, walk: Walk, depth: usize, bytes_left: &mut usize) -> bool {
    let own = match (value, walk) {
        (JValue::String(text), Walk::Text | Walk::Indented) => text.len() + 1,
        // A list shares its texts.
        (_, Walk::Indented) => 2 + 2 * depth,
        (_, Walk::Text) => 1,
        (_, Walk::Lists) => ITEM_BYTES,
    };
    let Some(left) = bytes_left.checked_sub(own) else { return true };
    *bytes_left = left;
    match value {
        JValue::Array(_) | JValue::Object(_) if depth == DEPTH_MAX => true,
        JValue::Array(items) => {
            with_stack(|| items.iter().any(|item| spent(item, walk, depth + 1, bytes_left)))
        }
        JValue::Object(members) => with_stack(|| {
            members.iter().any(|(name, member)| {
                *bytes_left = bytes_left.saturating_sub(name.len());
                spent(member, walk, depth + 1, bytes_left)
            })
        }),
        _ => false,
    }
}
