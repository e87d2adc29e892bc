//! ValidateStateMachineDefinition: the diagnostics of a definition, without creating anything.

use asl::diagnostic::Diagnostic;
use serde_json::{Value, json};

use super::machines::TYPE;
use super::{Call, set};
use crate::errors::WireError;
use crate::reply::Reply;
use crate::shape::{Kind, Member, Members, optional, required};

/// Diagnostics when none, or 0, is asked for; also the most that may be asked for.
const DIAGNOSTICS_MAX: usize = 100;

pub(super) const VALIDATE: &[Member] = &[
    required("definition", Kind::Sensitive { min: 1, max: 1_048_576 }),
    optional("type", TYPE),
    optional("severity", Kind::OneOf(&["ERROR", "WARNING"])),
    optional("maxResults", Kind::Integer { min: 0, max: 100 }),
];

pub(super) async fn validate(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let express = members.text("type").as_deref() == Some("EXPRESS");
    let found = call.service.validate(&members.required("definition"), express).await?;
    let shown = members.page_size().min(DIAGNOSTICS_MAX);
    let diagnostics: Vec<Value> = found.iter().take(shown).map(diagnostic).collect();
    Ok(Reply::of(&json!({
        "result": if found.is_empty() { "OK" } else { "FAIL" },
        "diagnostics": diagnostics,
        "truncated": found.len() > shown,
    })))
}

/// What the language finds is always an error; it has no warnings.
fn diagnostic(found: &Diagnostic) -> Value {
    let mut shown = json!({"severity": "ERROR", "code": found.code.as_str(), "message": found.message});
    set(&mut shown, "location", found.location.as_deref());
    shown
}
