//! Fail: fails its container with an error and a cause, each written down, found by a path, made by an intrinsic
//! function, or absent.

use std::sync::Arc;

use crate::diagnostic::Diagnostics;
use crate::fields::Fields;
use crate::intrinsic::Call;
use crate::jsonata::{Expression, Sees};
use crate::path::Path;

/// A Fail state.
#[derive(Debug)]
pub struct Fail {
    /// `Error` or `ErrorPath`.
    pub error: Option<Message>,
    /// `Cause` or `CausePath`.
    pub cause: Option<Message>,
}

/// Where an error's text comes from.
#[derive(Debug)]
pub enum Message {
    /// Written in the definition.
    Fixed(Arc<str>),
    /// The `…Path` form with a path.
    Path(Path),
    /// The `…Path` form with an intrinsic function.
    Intrinsic(Call),
    /// An expression.
    Query(Expression),
}

/// The intrinsic functions that give a string, and so may stand in `ErrorPath` and `CausePath` (asl-facts 9.2).
const TEXT_FUNCTIONS: [&str; 7] = [
    "States.Format",
    "States.JsonToString",
    "States.ArrayGetItem",
    "States.Base64Encode",
    "States.Base64Decode",
    "States.Hash",
    "States.UUID",
];

impl Fail {
    pub(crate) fn parse(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Fail {
        let error = message(fields, "Error", "ErrorPath", diagnostics);
        let cause = message(fields, "Cause", "CausePath", diagnostics);
        Fail { error, cause }
    }
}

fn message(
    fields: &mut Fields<'_>,
    field: &'static str,
    path_field: &'static str,
    diagnostics: &mut Diagnostics,
) -> Option<Message> {
    if fields.is_expression(field) {
        return fields.expression(field, Sees::Input, diagnostics).map(Message::Query);
    }
    let fixed = fields.string(field, diagnostics).map(Message::Fixed);
    let text = fields.string(path_field, diagnostics);
    if fields.has(field) && fields.has(path_field) {
        diagnostics
            .schema(fields.location(), format!("Only one of '{field}' and '{path_field}' can be given"));
    }
    let Some(text) = text else { return fixed };
    if text.starts_with('$') {
        match Path::parse(&text) {
            Ok(path) if path.is_reference() => return Some(Message::Path(path)),
            _ => diagnostics.schema(fields.at(path_field), "Value is not a Reference Path"),
        }
        return None;
    }
    let name = text.split('(').next().unwrap_or_default();
    match Call::parse(&text) {
        Ok(call) if TEXT_FUNCTIONS.contains(&name) => Some(Message::Intrinsic(call)),
        _ => {
            diagnostics.schema(
                fields.at(path_field),
                format!(
                    "The value for the field '{path_field}' must be a valid JSONPath or one of these intrinsic \
                     functions: [{}]",
                    TEXT_FUNCTIONS.join(", ")
                ),
            );
            None
        }
    }
}
