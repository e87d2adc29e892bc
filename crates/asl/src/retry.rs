//! `Retry` and `Catch`: which errors a state tries again, how long it waits, and where the rest goes.

use std::sync::Arc;

use crate::diagnostic::Diagnostics;
use crate::fields::{Fields, ResultPath, SECONDS_MAX};
use crate::json::Json;
use crate::jsonata::{self, Sees};
use crate::machine::{Payload, StateId};
use crate::parse::Names;

/// The longest `MaxDelaySeconds`: a year of 366 days (asl-facts 15.2).
const MAX_DELAY_SECONDS_MAX: u64 = 31_622_400;

/// One entry of `Retry`.
#[derive(Debug)]
pub struct Retrier {
    /// The errors it is for.
    pub errors: Vec<Arc<str>>,
    /// The first delay.
    pub interval_seconds: u64,
    /// How often; 0 means never.
    pub max_attempts: u64,
    /// What each delay is multiplied by.
    pub backoff_rate: f64,
    /// No delay is longer than this.
    pub max_delay_seconds: Option<u64>,
    /// `JitterStrategy: FULL`: anything from nothing to the computed delay.
    pub jitter: bool,
}

impl Retrier {
    /// The delay before retry `attempt` (from 1), in milliseconds, before jitter.
    pub fn delay_ms(&self, attempt: u64) -> u64 {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.interval_seconds as f64 * self.backoff_rate.powi(exponent);
        let capped = self.max_delay_seconds.map_or(seconds, |max| seconds.min(max as f64));
        // Past the longest interval of the language the number only has to stay finite.
        (capped.min(SECONDS_MAX as f64) * 1000.0).round() as u64
    }
}

/// One entry of `Catch`.
#[derive(Debug)]
pub struct Catcher {
    /// The errors it is for.
    pub errors: Vec<Arc<str>>,
    /// Where to go.
    pub next: StateId,
    /// Where the error output goes.
    pub result_path: ResultPath,
    /// `Output`, in JSONata: instead of the error output.
    pub output: Option<jsonata::Template>,
    /// Variables that it sets.
    pub assign: Option<Payload>,
}

pub(crate) fn retriers(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Vec<Retrier>> {
    each(fields, "Retry", diagnostics, |entry, diagnostics| {
        let errors = error_equals(entry, diagnostics);
        let interval_seconds = entry.integer("IntervalSeconds", 1..=SECONDS_MAX, diagnostics).unwrap_or(1);
        let max_attempts = entry.integer("MaxAttempts", 0..=SECONDS_MAX, diagnostics).unwrap_or(3);
        let backoff_rate = entry.number("BackoffRate", 1.0, diagnostics).unwrap_or(2.0);
        let max_delay_seconds = entry.integer("MaxDelaySeconds", 1..=MAX_DELAY_SECONDS_MAX, diagnostics);
        if max_delay_seconds.is_some_and(|max| max <= interval_seconds) {
            diagnostics.schema(entry.at("MaxDelaySeconds"), "Value should be greater than 'IntervalSeconds'");
        }
        let jitter = match entry.string("JitterStrategy", diagnostics).as_deref() {
            Some("FULL") => true,
            Some("NONE") | None => false,
            Some(_) => {
                let at = entry.at("JitterStrategy");
                diagnostics.schema(at, "Value should be one of the following: [FULL, NONE]");
                false
            }
        };
        Some(Retrier { errors, interval_seconds, max_attempts, backoff_rate, max_delay_seconds, jitter })
    })
}

pub(crate) fn catchers(
    fields: &mut Fields<'_>,
    names: &Names<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<Catcher>> {
    each(fields, "Catch", diagnostics, |entry, diagnostics| {
        let errors = error_equals(entry, diagnostics);
        let next = names.target(entry, "Next", diagnostics);
        entry.refuse_language(
            if entry.language().is_jsonata() { &["ResultPath"] } else { &["Output"] },
            diagnostics,
        );
        let result_path = entry.result_path(diagnostics);
        let assign = entry.assign(Sees::Error, diagnostics);
        let output = entry.query("Output", Sees::Error, diagnostics);
        Some(Catcher { errors, next: next?, result_path, output, assign })
    })
}

/// Reads every entry of a list of objects; wildcards must stand in the last one. `None` when one could not be read.
fn each<T>(
    fields: &mut Fields<'_>,
    field: &'static str,
    diagnostics: &mut Diagnostics,
    read: impl Fn(&mut Fields<'_>, &mut Diagnostics) -> Option<T>,
) -> Option<Vec<T>> {
    let at = fields.at(field);
    let Some(value) = fields.take(field) else { return Some(Vec::new()) };
    let Json::Array(entries) = value else {
        diagnostics.schema(at, "Expected value of type [ARRAY]");
        return None;
    };
    let mut out = Vec::new();
    for (index, value) in entries.iter().enumerate() {
        let at = format!("{at}[{index}]");
        let Json::Object(object) = value else {
            diagnostics.schema(at, "Expected value of type [OBJECT]");
            continue;
        };
        let mut entry = fields.inside(object, at.clone());
        entry.take("Comment");
        if let Some(read) = read(&mut entry, diagnostics) {
            out.push(read);
        }
        entry.finish(diagnostics);
        let wildcard = object
            .get("ErrorEquals")
            .and_then(Json::as_array)
            .is_some_and(|errors| errors.iter().any(|error| error.as_str() == Some("States.ALL")));
        if wildcard && index + 1 < entries.len() {
            diagnostics.schema(at, "States.ALL must appear in the last entry of the list");
        }
    }
    (out.len() == entries.len()).then_some(out)
}

fn error_equals(entry: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Vec<Arc<str>> {
    const FIELD: &str = "ErrorEquals";
    if !entry.has(FIELD) {
        entry.missing(FIELD, diagnostics);
    }
    let Some(list) = entry.list(FIELD, diagnostics) else { return Vec::new() };
    let errors: Vec<Arc<str>> = list.iter().filter_map(|error| error.as_str().map(Arc::from)).collect();
    if errors.len() < list.len() {
        diagnostics.schema(entry.at(FIELD), "Expected value of type [STRING]");
    }
    if errors.len() > 1 && errors.iter().any(|error| &**error == "States.ALL") {
        diagnostics.schema(entry.at(FIELD), "States.ALL must appear alone");
    }
    errors
}
