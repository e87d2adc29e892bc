//! How much the paths and calls of one field may do together.
//!
//! A definition comes from strangers: `..` behind `..` multiplies, filters look at every pair, and a template has room
//! for thousands of paths. Values that share their nodes make all of this cheap to write down. So everything that an
//! evaluation looks at is counted, and the count belongs to the whole field, not to one path of it.

use std::cell::Cell;

use super::PathMiss;
use crate::json::Json;

/// How many values one field's evaluation may visit: thirty times the values of the largest payload AWS takes, and well
/// under a second.
pub const STEPS_MAX: usize = 4_000_000;

/// How many bytes of text count as one step: a text is scanned faster than values are visited.
const SCAN_BYTES: usize = 16;

/// The steps that an evaluation has left.
#[derive(Debug)]
pub struct Work {
    given: usize,
    left: Cell<usize>,
}

impl Default for Work {
    /// As much as one field may do.
    fn default() -> Work {
        Work::within(STEPS_MAX)
    }
}

impl Work {
    /// At most `steps`, and never more than one field may do.
    pub fn within(steps: usize) -> Work {
        let given = steps.min(STEPS_MAX);
        Work { given, left: Cell::new(given) }
    }

    /// The steps taken so far.
    pub fn taken(&self) -> usize {
        self.given - self.left.get()
    }

    /// Counts steps.
    pub(crate) fn step(&self, steps: usize) -> Result<(), PathMiss> {
        let left = self.left.get().checked_sub(steps);
        self.left.set(left.unwrap_or(0));
        if left.is_some() { Ok(()) } else { Err(PathMiss::TooMuchWork) }
    }

    /// Counts the reading or writing of a text.
    pub(crate) fn scan(&self, bytes: usize) -> Result<(), PathMiss> {
        self.step(bytes / SCAN_BYTES)
    }

    /// Counts every value in `value`, however often it is shared.
    pub(crate) fn look_through(&self, value: &Json) -> Result<(), PathMiss> {
        match value {
            Json::Array(items) => {
                self.step(items.len())?;
                items.iter().filter(|item| is_wide(item)).try_for_each(|item| self.look_through(item))
            }
            Json::Object(members) => {
                self.step(members.len())?;
                members
                    .values()
                    .filter(|member| is_wide(member))
                    .try_for_each(|member| self.look_through(member))
            }
            Json::String(text) => self.scan(text.len()),
            _ => Ok(()),
        }
    }

    /// Whether two values are equal, counting what is looked at.
    pub(crate) fn equal(&self, left: &Json, right: &Json) -> Result<bool, PathMiss> {
        self.step(1)?;
        match (left, right) {
            (Json::Array(left), Json::Array(right)) => {
                if std::sync::Arc::ptr_eq(left, right) {
                    return Ok(true);
                }
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (left, right) in left.iter().zip(right.iter()) {
                    if !self.equal(left, right)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Json::Object(left), Json::Object(right)) => {
                if std::sync::Arc::ptr_eq(left, right) {
                    return Ok(true);
                }
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (name, left) in left.iter() {
                    match right.get(name) {
                        Some(right) if self.equal(left, right)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
            (Json::String(left), Json::String(right)) => {
                self.scan(left.len().min(right.len()))?;
                Ok(left == right)
            }
            (left, right) => Ok(left == right),
        }
    }
}

/// Whether there is more to look at in a value than itself.
fn is_wide(value: &Json) -> bool {
    matches!(value, Json::Array(_) | Json::Object(_) | Json::String(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn counted_equality_is_equality() {
        let values = [
            "null",
            "true",
            "1",
            "1.0",
            "\"a\"",
            "[]",
            "[1]",
            "[1,[2]]",
            "[1,[3]]",
            "{}",
            "{\"a\":1}",
            "{\"b\":1}",
            "{\"a\":1,\"b\":[1]}",
            "{\"b\":[1],\"a\":1}",
        ];
        for left in values {
            for right in values {
                let equal = Work::default().equal(&json(left), &json(right));
                assert_eq!(equal, Ok(json(left) == json(right)), "{left} {right}");
            }
        }
    }

    #[test]
    fn what_is_looked_at_is_counted_however_shared_it_is() {
        let mut wide = json("[1,1,1,1,1,1,1,1,1,1]");
        for _ in 0..8 {
            wide = Json::array(std::iter::repeat_n(wide.clone(), 10));
        }
        assert_eq!(Work::default().look_through(&wide), Err(PathMiss::TooMuchWork));
        let work = Work::within(10);
        assert_eq!(work.look_through(&json("[[1,2],{\"a\":3}]")), Ok(()));
        assert_eq!(work.taken(), 5);
        // The same node is equal to itself without a look.
        assert_eq!(Work::within(1).equal(&wide, &wide), Ok(true));
    }
}
