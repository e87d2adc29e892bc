//! The context object that a test may bring along: which fields it may have, and of what type.
//!
//! What it does not have is absent for the state too: nothing is filled in (recorded).

use asl::json::Json;
use asl::machine::{Body, State};
use asl::states::task::{Pattern, Resource};

use crate::refusal::Refusal;

/// What a field holds.
enum Kind {
    Text,
    Number,
    Anything,
    Object(&'static [(&'static str, Kind)]),
}

const FIELDS: &[(&str, Kind)] = &[
    (
        "Execution",
        Kind::Object(&[
            ("Id", Kind::Text),
            ("Input", Kind::Anything),
            ("Name", Kind::Text),
            ("RoleArn", Kind::Text),
            ("StartTime", Kind::Text),
            ("RedriveCount", Kind::Number),
            ("RedriveTime", Kind::Text),
        ]),
    ),
    (
        "State",
        Kind::Object(&[("EnteredTime", Kind::Text), ("Name", Kind::Text), ("RetryCount", Kind::Number)]),
    ),
    ("StateMachine", Kind::Object(&[("Id", Kind::Text), ("Name", Kind::Text)])),
    ("Task", Kind::Object(&[("Token", Kind::Text)])),
];

/// Reads a context object for a state.
///
/// # Errors
/// What it may not have, in AWS's words.
pub(super) fn read(text: &str, state: &State) -> Result<Json, Refusal> {
    // The text is ours, after that of other parts of the request: no recording shows it.
    let json = Json::parse(text).map_err(|_| invalid("Context object must be valid JSON"))?;
    if json.get("Map").is_some() {
        return Err(invalid("'Map' field is not supported when mocking a Context object"));
    }
    if json.get("Task").is_some() && !waits(state) {
        return Err(invalid(
            "Context object contains 'Task' when state is not a Task state with a '.sync' or '.waitForTaskToken' \
             service integration pattern",
        ));
    }
    check(&json, FIELDS, "")?;
    Ok(json)
}

fn check(json: &Json, fields: &[(&str, Kind)], at: &str) -> Result<(), Refusal> {
    let Some(members) = json.as_object() else {
        let what = if at.is_empty() { "Context object" } else { at };
        return Err(invalid(format!("{what} must be an object")));
    };
    for (name, value) in members {
        let Some((_, kind)) = fields.iter().find(|(field, _)| *field == &**name) else {
            return Err(invalid(format!("Field '{name}' is not allowed")));
        };
        let path = if at.is_empty() { name.to_string() } else { format!("{at}.{name}") };
        match kind {
            Kind::Text if value.as_str().is_none() => {
                return Err(invalid(format!("{path} must be a string")));
            }
            Kind::Number if value.as_number().is_none() => {
                return Err(invalid(format!("{path} must be a number")));
            }
            Kind::Object(fields) => check(value, fields, &path)?,
            Kind::Text | Kind::Number | Kind::Anything => {}
        }
    }
    Ok(())
}

/// Whether a task of the state has a token, or a job that it waits for.
fn waits(state: &State) -> bool {
    let Body::Task(task) = &state.body else { return false };
    matches!(&task.resource, Resource::Service(service) if service.pattern != Pattern::RequestResponse)
}

fn invalid(why: impl std::fmt::Display) -> Refusal {
    Refusal::Validation(format!("Invalid Context object provided: {why}"))
}
