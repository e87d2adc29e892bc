//! What the steps of a path give for all of their items together.
//!
//! The evaluator puts that into one list in one go. Each thing that goes into it passes by here first, one after the
//! other, and is counted by a counter that the path has for itself.

use std::collections::HashMap;
use std::rc::Rc;

use jsonata_core::evaluator::{EvaluatorError, HostFnResult};
use jsonata_core::value::{JValue, with_stack};

use super::Moment;
use super::weight::{self, Walk};
use crate::errors::{TOO_LARGE, bound_met};
use crate::limits::Limits;

/// The counters of an evaluation.
pub(crate) type Counters = Vec<Counter>;

/// What may still come.
#[derive(Debug)]
pub(crate) struct Counter {
    items: usize,
    rows: usize,
    bytes: usize,
    grouping: usize,
    groups: HashMap<Rc<str>, usize>,
}

impl Counter {
    fn new(limits: &Limits) -> Counter {
        Counter {
            items: limits.sequence_items,
            rows: limits.heap_bytes / ROW_BYTES,
            bytes: Walk::Lists.budget(limits),
            grouping: GROUPING_MAX,
            groups: HashMap::new(),
        }
    }
}

/// About what an item occupies that carries bindings along.
const ROW_BYTES: usize = 512;
/// How many items are copied to put groups together, where each item copies those of its group before it: a group may
/// have ten thousand.
const GROUPING_MAX: usize = 50_000_000;
/// What an item on the way to a name weighs: what it takes in a list.
const ITEM_BYTES: usize = 32;

/// A counter that has counted nothing.
pub(super) fn begun(_: &[JValue], moment: &Moment) -> HostFnResult {
    let mut counters = moment.counters.borrow_mut();
    counters.push(Counter::new(&moment.limits));
    Ok(JValue::Number((counters.len() - 1) as f64))
}

/// The first argument, counted by the counter in the second. The rest are the names that the path goes on with: what
/// they do not reach is not walked.
pub(super) fn gathered(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    let names = arguments.get(2..).unwrap_or_default();
    counting(arguments, moment, |value, counter| {
        let mut left = counter.bytes;
        let fits = take(&mut counter.items, length(value)) && reaches(value, names, &mut left);
        counter.bytes = left;
        fits
    })
}

/// As [`gathered`], where an object is made of each item.
pub(super) fn row(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    counting(arguments, moment, |value, counter| {
        let mut left = counter.bytes;
        let fits = take(&mut counter.rows, length(value)) && reaches(value, &[], &mut left);
        counter.bytes = left;
        fits
    })
}

/// The result of a predicate. The third argument is the item: it weighs as often as a list of indices may name it.
pub(super) fn selected(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    weight::counted(arguments, moment)?;
    let item = arguments.get(2).unwrap_or(&JValue::Undefined);
    counting(arguments, moment, |selector, counter| {
        let mut left = counter.bytes;
        let fits = (1..most_repeated(selector)).all(|_| reaches(item, &[], &mut left));
        counter.bytes = left;
        fits
    })
}

/// The key of an item's group.
pub(super) fn grouped(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    counting(arguments, moment, |key, counter| {
        let JValue::String(key) = key else { return true };
        let before = counter.groups.entry(key.clone()).or_default();
        *before += 1;
        take(&mut counter.grouping, *before)
    })
}

/// The first argument, unless `fits` says that the counter in the second has counted too much with it.
fn counting(
    arguments: &[JValue],
    moment: &Moment,
    fits: impl FnOnce(&JValue, &mut Counter) -> bool,
) -> HostFnResult {
    let value = arguments.first().unwrap_or(&JValue::Undefined);
    let mut counters = moment.counters.borrow_mut();
    let counter =
        arguments.get(1).and_then(JValue::as_f64).and_then(|index| counters.get_mut(index as usize));
    // Without its counter nothing is let through.
    if counter.is_some_and(|counter| fits(value, counter)) { Ok(value.clone()) } else { Err(too_large()) }
}

fn too_large() -> EvaluatorError {
    bound_met(TOO_LARGE)
}

fn take(left: &mut usize, amount: usize) -> bool {
    *left = left.saturating_sub(amount);
    *left > 0
}

/// How many items the value is in a list.
fn length(value: &JValue) -> usize {
    match value {
        JValue::Undefined => 0,
        JValue::Array(items) => items.len(),
        _ => 1,
    }
}

/// Takes off what is on the way along `names`, and the whole of what they reach; false when that does not suffice.
fn reaches(value: &JValue, names: &[JValue], bytes_left: &mut usize) -> bool {
    let Some((JValue::String(name), behind)) = names.split_first() else {
        return !weight::spent(value, Walk::Lists, 0, bytes_left);
    };
    if !take(bytes_left, ITEM_BYTES) {
        return false;
    }
    match value {
        JValue::Array(items) => with_stack(|| items.iter().all(|item| reaches(item, names, bytes_left))),
        JValue::Object(members) => {
            members.get(&**name).is_none_or(|member| reaches(member, behind, bytes_left))
        }
        _ => true,
    }
}

/// How often a list of indices may have one: from the beginning and, below zero, from the end.
fn most_repeated(selector: &JValue) -> usize {
    let JValue::Array(items) = selector else { return 1 };
    let mut often: HashMap<u64, usize> = HashMap::new();
    let mut most = [0, 0];
    for item in items {
        let JValue::Number(index) = item else { return 1 };
        let count = often.entry((index.floor() + 0.0).to_bits()).or_default();
        *count += 1;
        let most = &mut most[usize::from(*index < 0.0)];
        *most = (*most).max(*count);
    }
    most.iter().sum::<usize>().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_repeated_as_often_as_they_can_mean_one_item() {
        let numbers = |numbers: &[f64]| JValue::array(numbers.iter().map(|n| JValue::Number(*n)).collect());
        let check = |indices: &[f64], expected| assert_eq!(most_repeated(&numbers(indices)), expected);
        check(&[], 1);
        check(&[0.0, 1.0, 2.0], 1);
        check(&[0.0, -1.0], 2);
        check(&[1.0, 1.5, 1.0, -1.0], 4);
        assert_eq!(most_repeated(&JValue::Bool(true)), 1);
    }

    #[test]
    fn names_that_follow_spare_what_they_do_not_reach() {
        let heavy = JValue::array(vec![JValue::Null; 100]);
        let value = JValue::object([("heavy".to_owned(), heavy), ("light".to_owned(), JValue::Null)].into());
        let list = JValue::array(vec![value.clone(), value]);
        let left = |names: &[&str]| {
            let names: Vec<JValue> = names.iter().copied().map(JValue::from).collect();
            let mut left = 20_000;
            assert!(reaches(&list, &names, &mut left));
            20_000 - left
        };
        assert!(left(&["light"]) < 500);
        assert!(left(&["heavy"]) > 2_000);
        assert!(left(&[]) > 2_000);
        assert!(!reaches(&list, &[], &mut 1_500));
    }
}
