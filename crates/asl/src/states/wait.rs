//! Wait: lets time pass, for a number of seconds or until a moment.

use crate::diagnostic::Diagnostics;
use crate::fields::{Fields, SECONDS_MAX};
use crate::jsonata::{Expression, Sees};
use crate::machine::{Output, Payload, Selection, Transition};
use crate::parse::Names;
use crate::path::Path;
use crate::timestamp;

/// A Wait state.
#[derive(Debug)]
pub struct Wait {
    /// `InputPath`.
    pub input: Selection,
    /// What it waits for.
    pub until: Until,
    /// `Assign`.
    pub assign: Option<Payload>,
    /// `OutputPath` or `Output`.
    pub output: Output,
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
    /// `Seconds`, as an expression.
    SecondsQuery(Expression),
    /// `Timestamp`, as an expression.
    TimestampQuery(Expression),
}

const JSONATA_FIELDS: [&str; 2] = ["Seconds", "Timestamp"];
const FIELDS: [&str; 4] = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];

impl Wait {
    pub(crate) fn parse(
        fields: &mut Fields<'_>,
        targets: &Names<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Wait> {
        let names = if fields.language().is_jsonata() { &JSONATA_FIELDS[..] } else { &FIELDS[..] };
        let given = names.iter().filter(|field| fields.has(field)).count();
        if given != 1 {
            let message = format!("Exactly one of these fields is required: [{}]", names.join(", "));
            diagnostics.schema(fields.location(), message);
        }
        let input = fields.selection("InputPath", diagnostics);
        let until = until(fields, diagnostics);
        let assign = fields.assign(Sees::Input, diagnostics);
        let output = fields.output(Sees::Input, diagnostics);
        let next = targets.transition(fields, diagnostics)?;
        Some(Wait { input, until: until?, assign, output, next })
    }
}

fn until(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Until> {
    if fields.is_expression("Seconds") {
        return fields.expression("Seconds", Sees::Input, diagnostics).map(Until::SecondsQuery);
    }
    if fields.is_expression("Timestamp") {
        return fields.expression("Timestamp", Sees::Input, diagnostics).map(Until::TimestampQuery);
    }
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
