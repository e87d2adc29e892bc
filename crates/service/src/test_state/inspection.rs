//! `inspectionData`: which of the values between its fields a state shows.
//!
//! The table is what AWS was recorded to show. It depends on the type of the state and its query language only: DEBUG and
//! TRACE differ for calls over HTTP alone.

use asl::json::Json;
use asl::machine::Body;
use engine::{MapNumbers, Station};
use serde_json::{Map, Value, json};

use super::Over;

/// The members of `inspectionData` for a test that is over.
pub(super) fn told(over: &Over) -> Value {
    let seen = &over.seen;
    let state = over.state();
    let mut members = Map::new();
    members.insert("input".into(), json!(&*over.input));
    let shown = shown(&state.body, state.in_jsonata);
    // A Pass state with a Result shows what it began with no longer (recorded).
    let is_replaced = matches!(state.body, Body::Pass(_))
        && seen.texts.iter().any(|(station, _)| *station == Station::Result);
    for (station, text) in seen.texts.iter().filter(|(station, _)| shown.contains(station)) {
        if is_replaced && matches!(station, Station::InputPath | Station::Parameters) {
            continue;
        }
        let text = if *station == Station::ItemsPath { spaced(text) } else { text.to_string() };
        members.insert(member(*station).into(), text.into());
    }
    if let Some(numbers) = &seen.map {
        insert_numbers(&mut members, numbers);
    }
    if let Some(variables) = variables(over) {
        members.insert("variables".into(), variables.into());
    }
    let retry = seen.retry.map(
        |(retrier, delay_ms)| json!({"retryIndex": retrier, "retryBackoffIntervalSeconds": delay_ms / 1000}),
    );
    if let Some(details) = retry.or_else(|| seen.caught.map(|catcher| json!({"catchIndex": catcher}))) {
        members.insert("errorDetails".into(), details);
    }
    Value::Object(members)
}

/// What a state shows of what was seen.
fn shown(body: &Body, in_jsonata: bool) -> &'static [Station] {
    use Station as S;
    match (body, in_jsonata) {
        (Body::Task(_), true) => &[S::Arguments, S::Result],
        (Body::Map(_), true) => &[S::ItemsPointer, S::ItemSelector, S::ItemBatcher],
        (_, true) => &[],
        (Body::Pass(_) | Body::Task(_), false) => {
            &[S::InputPath, S::Parameters, S::Result, S::ResultSelector, S::ResultPath]
        }
        (Body::Choice(_) | Body::Wait(_) | Body::Succeed(_) | Body::Fail(_), false) => &[S::InputPath],
        (Body::Parallel(_), false) => &[S::ResultSelector, S::ResultPath],
        (Body::Map(_), false) => &[
            S::InputPath,
            S::ItemsPath,
            S::ItemsPointer,
            S::ItemSelector,
            S::ItemBatcher,
            S::ResultSelector,
            S::ResultPath,
        ],
    }
}

fn member(station: Station) -> &'static str {
    match station {
        Station::InputPath => "afterInputPath",
        Station::Parameters => "afterParameters",
        Station::Arguments => "afterArguments",
        Station::ItemsPath => "afterItemsPath",
        Station::ItemSelector => "afterItemSelector",
        Station::ItemsPointer => "afterItemsPointer",
        Station::ItemBatcher => "afterItemBatcher",
        Station::Result => "result",
        Station::ResultSelector => "afterResultSelector",
        Station::ResultPath => "afterResultPath",
    }
}

/// The items as a list of texts, joined as Java shows a list (recorded): the items are compact, and a space stands between
/// them.
fn spaced(text: &str) -> String {
    match Json::parse(text) {
        Ok(Json::Array(items)) => {
            let items: Vec<String> = items.iter().map(Json::to_text).collect();
            format!("[{}]", items.join(", "))
        }
        _ => text.to_owned(),
    }
}

fn insert_numbers(members: &mut Map<String, Value>, numbers: &MapNumbers) {
    members.insert("maxConcurrency".into(), numbers.concurrency.into());
    if let Some(count) = numbers.tolerated_count {
        members.insert("toleratedFailureCount".into(), count.into());
    }
    if let Some(percentage) = numbers.tolerated_percentage {
        members.insert("toleratedFailurePercentage".into(), percentage.into());
    }
}

/// The variables after the state, or before it if it was not left. None are not shown (recorded).
fn variables(over: &Over) -> Option<String> {
    let left = over.seen.left.as_ref().map(|left| &left.variables);
    let variables = left.unwrap_or(&over.trial.variables);
    let parsed = |text: &str| Json::parse(text).unwrap_or_default();
    let object = Json::object(variables.iter().map(|(name, text)| (name.clone(), parsed(text))));
    (!variables.is_empty()).then(|| object.to_text())
}
