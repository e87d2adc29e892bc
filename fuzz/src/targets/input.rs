//! Inputs: any text as JSON, as a payload template and as a timestamp. What was read is written so that it is read as
//! the same, and is what serde_json reads; bounds on writing hold to the byte.

use asl::json::{DEPTH_MAX, Json, TooLong};
use asl::path::{Scope, Work};
use asl::template::Template;
use asl::timestamp;

use super::intrinsic::Chance;
use crate::harness::dice_of;

/// Inputs are JSON: they are changed as trees, too.
pub const IS_JSON: bool = true;

/// How deep serde_json reads; ours goes deeper.
const SERDE_DEPTH_MAX: usize = 127;

/// Runs the target.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    check_timestamp(text);
    let reference = serde_json::from_str::<serde_json::Value>(text);
    match (Json::parse(text), reference) {
        (Ok(json), reference) => {
            check_same(text, &json, reference);
            check_json(&json);
            check_template(&json, data);
            strings(&json, &mut |text| check_timestamp(text));
        }
        (Err(error), Ok(_)) => panic!("only we refuse it ({error}): {text}"),
        (Err(error), Err(_)) => {
            assert!(error.message_at(text).contains(error.message()), "the place has the reason");
            assert!(error.line() >= 1 && error.column() >= 1, "places begin at 1: {error}");
        }
    }
}

/// What serde_json reads is what we read, but for what Java reads otherwise: `-0` is an integer, and half of a pair of
/// surrogates is no error.
fn check_same(text: &str, json: &Json, reference: serde_json::Result<serde_json::Value>) {
    match reference {
        Ok(value) if !text.contains("-0") => {
            assert!(Json::from(value) == *json, "serde_json reads otherwise: {text}");
        }
        Ok(_) => {}
        Err(error) => {
            let may = json.depth() > SERDE_DEPTH_MAX || text.contains("\\u");
            assert!(may, "only we take it ({error}): {text}");
        }
    }
}

fn check_json(json: &Json) {
    assert!(json.depth() <= DEPTH_MAX, "deeper than a reader goes");
    let text = json.to_text();
    let read = Json::parse(&text).expect("what we write is JSON");
    assert!(read == *json, "{text} was read as {read}");
    assert_eq!(read.to_text(), text, "writing is stable");
    assert_eq!(json.to_text_within(text.len()).as_deref(), Ok(text.as_str()), "it fits its own length");
    if let Some(less) = text.len().checked_sub(1) {
        assert_eq!(json.to_text_within(less), Err(TooLong), "and nothing less");
    }
    let value = serde_json::Value::from(json);
    assert!(Json::from(value) == *json, "to serde_json and back");
    check_numbers(json);
}

/// Comparing is the same from both sides, whatever kinds of numbers they are.
fn check_numbers(json: &Json) {
    let items = json.as_array().unwrap_or_default();
    let numbers: Vec<_> = items.iter().filter_map(Json::as_number).take(16).collect();
    for left in &numbers {
        for right in &numbers {
            assert_eq!(left.compare(*right), right.compare(*left).reverse(), "{left} and {right}");
        }
    }
}

fn check_template(json: &Json, data: &[u8]) {
    match Template::parse(json, "") {
        Ok(template) => {
            let evaluate = || {
                let work = Work::default();
                let scope = Scope { input: json, context: json, variables: &(), work: &work };
                template.evaluate(&scope, &mut Chance(dice_of(data)))
            };
            let made = evaluate();
            assert!(made == evaluate(), "a template gives something else the second time");
            if let Some(literal) = template.literal() {
                assert!(made.as_ref() == Ok(literal), "a literal is itself");
            }
            if let Err(failure) = made {
                assert!(!failure.cause().is_empty(), "a failure without words");
            }
        }
        Err(errors) => assert!(errors.iter().all(|error| !error.message.is_empty()), "words for each fault"),
    }
}

fn check_timestamp(text: &str) {
    if let Some(ms) = timestamp::parse(text) {
        assert_eq!(timestamp::parse(&timestamp::format(ms)), Some(ms), "{text}");
    }
}

fn strings(json: &Json, see: &mut dyn FnMut(&str)) {
    match json {
        Json::String(text) => see(text),
        Json::Array(items) => items.iter().for_each(|item| strings(item, see)),
        Json::Object(members) => members.values().for_each(|member| strings(member, see)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}
