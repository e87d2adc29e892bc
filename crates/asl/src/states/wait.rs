//! Wait: lets time pass, for a number of seconds or until a moment.

use crate::diagnostic::Diagnostics;
use crate::fields::{Fields, SECONDS_MAX};
use crate::machine::{Selection, Transition};
use crate::parse::Names;
use crate::path::Path;
use crate::template::Template;
use crate::timestamp;

/// A Wait state.
#[derive(Debug)]
pub struct Wait {
    /// `InputPath`.
    pub input: Selection,
    /// What it waits for.
    pub until: Until,
    /// `Assign`.
    pub assign: Option<Template>,
    /// `OutputPath`.
    pub output: Selection,
    /// `Next` or `End`.
    pub next: Transition,
}

/// What a Wait state waits for.
#[derive(Debug)]
pub enum Until {
    /// `Seconds`.
    Seconds(u64),
    /// `SecondsPath`.
    SecondsPath(Path),
    /// `Timestamp`: milliseconds since the epoch.
    Timestamp(i64),
    /// `TimestampPath`.
    TimestampPath(Path),
}

const FIELDS: [&str; 4] = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];

impl Wait {
    pub(crate) fn parse(
        fields: &mut Fields<'_>,
        names: &Names<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Wait> {
        let given = FIELDS.iter().filter(|field| fields.has(field)).count();
        if given != 1 {
            let message = format!("Exactly one of these fields is required: [{}]", FIELDS.join(", "));
            diagnostics.schema(fields.location(), message);
        }
        let input = fields.selection("InputPath", diagnostics);
        let until = until(fields, diagnostics);
        let assign = fields.assign(diagnostics);
        let output = fields.selection("OutputPath", diagnostics);
        let next = names.transition(fields, diagnostics)?;
        Some(Wait { input, until: until?, assign, output, next })
    }
}

fn until(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Until> {
    let seconds = fields.integer("Seconds", 0..=SECONDS_MAX, diagnostics).map(Until::Seconds);
    let seconds_path = fields.path("SecondsPath", diagnostics).map(Until::SecondsPath);
    let timestamp = fields.string("Timestamp", diagnostics).and_then(|text| {
        let parsed = timestamp::parse(&text);
        if parsed.is_none() {
            diagnostics.schema(fields.at("Timestamp"), "String does not match RFC3339 timestamp");
        }
        parsed.map(Until::Timestamp)
    });
    let timestamp_path = fields.path("TimestampPath", diagnostics).map(Until::TimestampPath);
    seconds.or(seconds_path).or(timestamp).or(timestamp_path)
}
