//! How heavy a value is: how long a walk over the whole of it would take.

use jsonata_core::evaluator::HostFnResult;
use jsonata_core::value::{JValue, with_stack};

use super::Moment;
use crate::errors::{TOO_LARGE, bound_met};

/// How deep a value may be nested that is walked. Some walks take a time that grows with the square of the depth.
const DEPTH_MAX: usize = 1_000;

/// The first argument, unless its text is longer than a text may be. The second says whether that text would be
/// indented.
pub(super) fn weighed(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let value = arguments.first().unwrap_or(&JValue::Undefined);
    let indented = matches!(arguments.get(1), Some(JValue::Bool(true)));
    if spent(value, indented, 0, &mut moment.limits.text_bytes.clone()) {
        return Err(bound_met(TOO_LARGE));
    }
    Ok(value.clone())
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

/// Takes the length of the value's text off `bytes_left`; true when that does not suffice.
fn spent(value: &JValue, indented: bool, depth: usize, bytes_left: &mut usize) -> bool {
    let own = match value {
        JValue::String(text) => text.len() + 1,
        _ if indented => 2 + 2 * depth,
        _ => 1,
    };
    let Some(left) = bytes_left.checked_sub(own) else { return true };
    *bytes_left = left;
    match value {
        JValue::Array(_) | JValue::Object(_) if depth == DEPTH_MAX => true,
        JValue::Array(items) => {
            with_stack(|| items.iter().any(|item| spent(item, indented, depth + 1, bytes_left)))
        }
        JValue::Object(members) => with_stack(|| {
            members.iter().any(|(name, member)| {
                *bytes_left = bytes_left.saturating_sub(name.len());
                spent(member, indented, depth + 1, bytes_left)
            })
        }),
        _ => false,
    }
}
