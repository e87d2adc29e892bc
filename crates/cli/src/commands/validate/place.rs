//! From a diagnostic's location to the spot in the source that a reader should look at.
//!
//! A location such as `/States/a/b/Choices[0]/Next` cannot be split: a state may be called `a/b` or `a[0]`. The tree
//! knows the names, so the location is walked along it, longer names first. Of an object without a place for what is
//! wrong in it, such as a missing field, the spot is its name.

use std::cmp::Reverse;
use std::ops::Range;

use crate::document::node::{Member, Node, Value};

/// The spot for a diagnostic with this location and message.
pub(super) fn find(root: &Node, location: &str, message: &str) -> Range<usize> {
    let mut walk = Walk { best: Found { node: root, name: None }, left: location.len() };
    if location != "/" {
        walk.descend(walk.best, location);
    }
    spot(walk.best, message)
}

/// A node and the name that it has, if it is a member.
#[derive(Clone, Copy)]
struct Found<'a> {
    node: &'a Node,
    name: Option<&'a Range<usize>>,
}

/// The search for a location. What the source lacks ends at the nearest thing around it.
struct Walk<'a> {
    best: Found<'a>,
    /// How much of the location `best` leaves.
    left: usize,
}

impl<'a> Walk<'a> {
    /// Whether the whole of `rest` was found below `at`.
    fn descend(&mut self, at: Found<'a>, rest: &str) -> bool {
        if rest.len() < self.left {
            *self = Walk { best: at, left: rest.len() };
        }
        if rest.is_empty() {
            return true;
        }
        match &at.node.value {
            Value::Object(members) => {
                let Some(names) = rest.strip_prefix('/') else { return false };
                // Of two members with one name the last counts, hence the reversal.
                let mut fitting: Vec<&Member> =
                    members.iter().rev().filter(|member| begins(names, &member.name)).collect();
                fitting.sort_by_key(|member| Reverse(member.name.len()));
                fitting.iter().any(|member| {
                    let found = Found { node: &member.value, name: Some(&member.name_span) };
                    self.descend(found, &names[member.name.len()..])
                })
            }
            Value::Array(items) => {
                let Some((index, rest)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
                    return false;
                };
                let item = index.parse::<usize>().ok().and_then(|index| items.get(index));
                item.is_some_and(|item| self.descend(Found { node: item, name: None }, rest))
            }
            Value::Scalar(_) => false,
        }
    }
}

/// Whether `names` begins with `name` and goes on with another step or ends.
fn begins(names: &str, name: &str) -> bool {
    names.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
}

/// What to point at: a field that the message quotes, the value, or the name of what has no short value.
fn spot(found: Found<'_>, message: &str) -> Range<usize> {
    if let Some(member) = quoted_member(found.node.members(), message) {
        let is_about_value = message.starts_with("The value ");
        return if is_about_value { member.value.span.clone() } else { member.name_span.clone() };
    }
    let is_scalar = matches!(found.node.value, Value::Scalar(_));
    match found.name {
        // A field that may not be there is wrong whatever its value.
        Some(name) if !is_scalar || message.contains(" supported") => name.clone(),
        _ => found.node.span.clone(),
    }
}

/// The member that the message quotes first, with or without the `.$` of a template.
fn quoted_member<'a>(members: &'a [Member], message: &str) -> Option<&'a Member> {
    let quotes = members.iter().rev().filter_map(|member| {
        let bare = member.name.strip_suffix(".$").unwrap_or(&member.name);
        let names = [member.name.as_str(), bare];
        let at = names.iter().find_map(|name| message.find(&format!("'{name}'")))?;
        Some((at, Reverse(member.name.len()), member))
    });
    quotes.min_by_key(|(at, length, _)| (*at, *length)).map(|(_, _, member)| member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::json;

    const TEXT: &str = r#"{"StartAt": "a", "States": {"a": {"b/c": 1}, "a/b": {"c": 2, "c/d": {"it's": 3}},
        "x[0]": [{"é/": [4, [5]]}], "": {"": 6}, "twice": 7, "twice": 8}, "Comment": "'StartAt'"}"#;

    #[track_caller]
    fn check(location: &str, message: &str, expected: &str) {
        let root = json::read(TEXT).unwrap();
        assert_eq!(&TEXT[find(&root, location, message)], expected, "{location} {message}");
    }

    #[test]
    fn names_with_slashes_and_brackets_are_found() {
        check("/", "", "{");
        check("/StartAt", "", "\"a\"");
        check("/States/a/b/c", "", "2");
        check("/States/a/b/c/d", "", "\"c/d\"");
        check("/States/a/b/c/d/it's", "", "3");
        check("/States/x[0][0]/é/[0]", "", "4");
        check("/States/x[0][0]/é/[1][0]", "", "5");
        check("/States/x[0][0]", "", "{");
        check("/States//", "", "6");
        check("/States/twice", "", "8");
    }

    #[test]
    fn both_readings_of_a_slash_are_tried() {
        let text = r#"{"a": {"b": {"x": 1}}, "a/b": {"y": 2}}"#;
        let root = json::read(text).unwrap();
        assert_eq!(&text[find(&root, "/a/b/x", "")], "1");
        assert_eq!(&text[find(&root, "/a/b/y", "")], "2");
    }

    #[test]
    fn what_is_absent_is_shown_at_what_lacks_it() {
        check("/States/a/Next", "", "\"a\"");
        check("/Nowhere", "", "{");
        check("/States/x[0][7]", "", "\"x[0]\"");
        check("/States/x[0][0]/é/[99999999999999999999]", "", "\"é/\"");
        check("nonsense", "", "{");
    }

    #[test]
    fn a_quoted_field_is_shown_itself() {
        check("/", "Field 'Comment' is not supported", "\"Comment\"");
        check("/States/a/b/c/d", "Field 'it's' is not supported", "\"it's\"");
        check("/States/a/b", "The value for the field 'c' must be a valid JSONPath", "2");
        check("/StartAt", "but field 'StartAt' is only supported for the other", "\"StartAt\"");
        check("/", "'QueryLanguage' can not be 'JSONPath' if 'StartAt'", "\"StartAt\"");
    }
}
