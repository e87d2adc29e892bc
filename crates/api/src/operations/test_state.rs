//! TestState: one state tried, with what it showed on the way when that was asked for.

use serde_json::{Value, json};
use service::{MockInput, TestConfiguration, TestState, Tested, Validation};

use super::{Call, set};
use crate::errors::WireError;
use crate::reply::Reply;
use crate::shape::{ARN, CAUSE, ERROR, Kind, Member, Members, PAYLOAD, optional, required};

/// An integer of the model without an upper bound.
const COUNT: Kind = Kind::Integer { min: 0, max: i32::MAX as i64 };
/// `TestStateStateName` of the model.
const STATE_NAME: Kind = Kind::Sensitive { min: 1, max: 80 };
const MOCK: Kind = Kind::Structure(&[
    optional("result", PAYLOAD),
    optional("errorOutput", Kind::Structure(&[optional("error", ERROR), optional("cause", CAUSE)])),
    optional("fieldValidationMode", Kind::OneOf(&["STRICT", "PRESENT", "NONE"])),
]);
const CONFIGURATION: Kind = Kind::Structure(&[
    optional("retrierRetryCount", COUNT),
    optional("errorCausedByState", STATE_NAME),
    optional("mapIterationFailureCount", COUNT),
    optional("mapItemReaderData", PAYLOAD),
]);

pub(super) const TEST: &[Member] = &[
    required("definition", Kind::Sensitive { min: 1, max: 1_048_576 }),
    optional("roleArn", ARN),
    optional("input", PAYLOAD),
    optional("inspectionLevel", Kind::OneOf(&["INFO", "DEBUG", "TRACE"])),
    optional("revealSecrets", Kind::Flag),
    optional("variables", PAYLOAD),
    optional("stateName", STATE_NAME),
    optional("mock", MOCK),
    optional("context", PAYLOAD),
    optional("stateConfiguration", CONFIGURATION),
];

pub(super) async fn test(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let shows = members.text("inspectionLevel").is_some_and(|level| level != "INFO");
    let request = TestState {
        definition: members.required("definition"),
        state_name: members.text("stateName"),
        role_arn: members.text("roleArn"),
        input: members.text("input"),
        variables: members.text("variables"),
        context: members.text("context"),
        mock: members.value("mock").map(|given| mock(&given)),
        configuration: members
            .value("stateConfiguration")
            .map(|given| configuration(&given))
            .unwrap_or_default(),
        reveal_secrets: members.flag("revealSecrets") == Some(true),
    };
    let tested = call.service.test_state(request).await?;
    Ok(Reply::of(&answer(tested, shows)))
}

fn text(given: &Value, name: &str) -> Option<String> {
    given[name].as_str().map(str::to_owned)
}

fn mock(given: &Value) -> MockInput {
    let error = given.get("errorOutput").filter(|error| !error.is_null());
    MockInput {
        result: text(given, "result"),
        error_output: error.map(|error| (text(error, "error"), text(error, "cause"))),
        validation: match given["fieldValidationMode"].as_str() {
            Some("PRESENT") => Validation::Present,
            Some("NONE") => Validation::None,
            _ => Validation::Strict,
        },
    }
}

fn configuration(given: &Value) -> TestConfiguration {
    let count = |name: &str| given[name].as_u64();
    TestConfiguration {
        retrier_retry_count: count("retrierRetryCount").and_then(|count| u32::try_from(count).ok()),
        error_caused_by_state: text(given, "errorCausedByState"),
        map_iteration_failure_count: count("mapIterationFailureCount"),
        map_item_reader_data: text(given, "mapItemReaderData"),
    }
}

fn answer(tested: Tested, shows: bool) -> Value {
    let mut answer = json!({"status": tested.status.as_str()});
    let failure = tested.failure.unwrap_or_default();
    set(&mut answer, "output", tested.output.as_deref());
    set(&mut answer, "error", failure.error.as_deref());
    set(&mut answer, "cause", failure.cause.as_deref());
    set(&mut answer, "nextState", tested.next_state.as_deref());
    set(&mut answer, "inspectionData", shows.then_some(tested.inspection));
    answer
}
