//! Changes that a fuzzer of bytes does not find by itself: JSON changed as a tree, with the words of the language; and
//! a piece of a text repeated until it is long, which is what deep recursion and quadratic loops need.
//!
//! Half of the time it does nothing, and libFuzzer changes bytes.

use serde_json::{Map, Value};

use crate::harness::dice::Dice;
use crate::words::{EXPRESSIONS, FIELDS, WORDS};

/// A changed input of at most `bytes_max` bytes, or `None` to let libFuzzer change bytes.
pub fn mutated(data: &[u8], bytes_max: usize, seed: u32, is_json: bool) -> Option<Vec<u8>> {
    let mut dice = Dice::new(u64::from(seed));
    let text = std::str::from_utf8(data).ok()?;
    let made = match dice.below(16) {
        0..6 => regrown(text, &mut dice, is_json)?,
        6 => stuttered(text, &mut dice, bytes_max),
        7 => with_word(text, &mut dice),
        _ => return None,
    };
    (made.len() <= bytes_max).then_some(made.into_bytes())
}

/// The JSON in the text, which is all of it or what follows its first line, with up to three changes.
fn regrown(text: &str, dice: &mut Dice, is_json: bool) -> Option<String> {
    let (line, json) =
        if is_json { (None, text) } else { text.split_once('\n').map(|(l, j)| (Some(l), j))? };
    let mut tree: Value = serde_json::from_str(json).ok()?;
    for _ in 0..=dice.below(3) {
        let other = pick(&tree, dice).clone();
        change(&mut tree, other, dice);
    }
    let json = if dice.chance(10) { format!("{tree:#}") } else { tree.to_string() };
    Some(line.map_or(json.clone(), |line| format!("{line}\n{json}")))
}

/// Changes one node; `other` is a node of the same tree, to put somewhere else.
fn change(tree: &mut Value, other: Value, dice: &mut Dice) {
    let count = size(tree);
    let node = nth(tree, dice.below(count)).expect("a tree has as many nodes as it has");
    match (dice.below(8), &mut *node) {
        (0, node) => *node = other,
        (1, node) => *node = scalar(dice),
        (2, node) => *node = Value::Array(vec![node.take(), other]),
        (3, node) => {
            let inner = node.take();
            *node = Value::Object(Map::from_iter([(field(dice), inner)]));
        }
        (4, Value::Object(members)) => {
            let key = members.keys().nth(dice.below(members.len().max(1))).cloned();
            key.and_then(|key| members.shift_remove(&key));
        }
        (4, Value::Array(items)) if !items.is_empty() => {
            items.swap_remove(dice.below(items.len()));
        }
        (5, Value::Object(members)) => {
            let key = members.keys().nth(dice.below(members.len().max(1))).cloned();
            if let Some(value) = key.and_then(|key| members.shift_remove(&key)) {
                members.insert(field(dice), value);
            }
        }
        (_, Value::Object(members)) => {
            let value = if dice.chance(50) { other } else { scalar(dice) };
            members.insert(field(dice), value);
        }
        (_, Value::Array(items)) => items.push(other),
        (_, Value::String(text)) if dice.chance(50) => *text = with_word(text, dice),
        (_, node) => *node = scalar(dice),
    }
}

/// A piece of the text many times in its place.
fn stuttered(text: &str, dice: &mut Dice, bytes_max: usize) -> String {
    let from = boundary(text, dice.below(text.len() + 1));
    let to = boundary(text, (from + 1 + dice.below(12)).min(text.len())).max(from);
    let piece = &text[from..to];
    let most = bytes_max.saturating_sub(text.len()) / piece.len().max(1);
    // As often a few times as thousands of times.
    let most = most >> dice.below(12);
    format!("{}{}{}", &text[..from], piece.repeat(most), &text[from..])
}

fn with_word(text: &str, dice: &mut Dice) -> String {
    let at = boundary(text, dice.below(text.len() + 1));
    let to = boundary(text, (at + dice.below(8)).min(text.len())).max(at);
    let words = if dice.chance(30) { EXPRESSIONS } else { WORDS };
    format!("{}{}{}", &text[..at], dice.pick(words), &text[to..])
}

/// The nearest place at or before `at` that is no middle of a character.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn field(dice: &mut Dice) -> String {
    let name = *dice.pick(FIELDS);
    if dice.chance(20) { format!("{name}.$") } else { name.to_owned() }
}

fn scalar(dice: &mut Dice) -> Value {
    match dice.below(8) {
        0 => Value::Null,
        1 => Value::Bool(dice.chance(50)),
        2 => Value::from(*dice.pick(&[0, 1, -1, 2, 99_999_999, 100_000_000, i64::MAX, i64::MIN])),
        3 => Value::from(*dice.pick(&[0.0, 0.5, -1.5, 1e300, 9.007_199_254_740_993e15, 1e-300])),
        4 => Value::Object(Map::new()),
        5 => Value::from(format!("{{% {} %}}", dice.pick(EXPRESSIONS))),
        _ => Value::from(*dice.pick(WORDS)),
    }
}

fn size(tree: &Value) -> usize {
    1 + match tree {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(members) => members.values().map(size).sum(),
        _ => 0,
    }
}

fn pick<'a>(tree: &'a Value, dice: &mut Dice) -> &'a Value {
    let mut node = tree;
    loop {
        let inner: Vec<&Value> = match node {
            Value::Array(items) => items.iter().collect(),
            Value::Object(members) => members.values().collect(),
            _ => return node,
        };
        if inner.is_empty() || dice.chance(30) {
            return node;
        }
        node = inner[dice.below(inner.len())];
    }
}

/// A node by its number in the order of the text.
fn nth(tree: &mut Value, number: usize) -> Option<&mut Value> {
    let Some(mut rest) = number.checked_sub(1) else { return Some(tree) };
    let inner: Vec<&mut Value> = match tree {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(members) => members.values_mut().collect(),
        _ => Vec::new(),
    };
    for node in inner {
        let size = size(node);
        if rest < size {
            return nth(node, rest);
        }
        rest -= size;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"b.$":"$.é"},"End":true}}}"#;

    #[test]
    fn what_is_made_is_within_its_bound_and_stays_text() {
        let mut trees = 0;
        for seed in 0..5000 {
            let bytes_max = TEXT.len() + seed as usize;
            if let Some(made) = mutated(TEXT.as_bytes(), bytes_max, seed, true) {
                assert!(made.len() <= bytes_max, "seed {seed}");
                let text = String::from_utf8(made).expect("a text stays one");
                trees += usize::from(serde_json::from_str::<Value>(&text).is_ok());
            }
        }
        assert!(trees > 1000, "only {trees} are JSON");
    }

    #[test]
    fn a_line_before_the_document_stays() {
        let changed = (0..200).filter_map(|seed| mutated(b"$.a\n[1]", 1000, seed, false));
        let kept = changed.filter(|made| made.starts_with(b"$.a\n") && made != b"$.a\n[1]").count();
        assert!(kept > 20, "{kept}");
    }

    #[test]
    fn every_node_can_be_reached() {
        let mut tree: Value = serde_json::from_str(TEXT).expect("JSON");
        let count = size(&tree);
        assert_eq!(count, 8);
        assert!((0..count).all(|number| nth(&mut tree, number).is_some()));
        assert!(nth(&mut tree, count).is_none());
    }
}
