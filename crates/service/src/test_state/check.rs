//! What a test may ask for: of a state of which type, with which mock, and what a mocked result has to be.
//!
//! Texts are AWS's where they are recorded or in asl-facts 19; those that are ours say so.

use std::sync::Arc;

use asl::json::Json;
use asl::machine::{Body, Machine, StateId};
use asl::states::map::Map;
use asl::states::task::{Pattern, Resource, Task, unrecognized};
use connect::Connector;
use engine::{Failure, Mock, Seen, Trial};

use super::{MockInput, TestState, Validation, context};
use crate::refusal::Refusal;
use crate::service::{Service, Shared};

/// A request that can be carried out.
pub(super) struct Checked {
    pub(super) trial: Trial,
    pub(super) input: Arc<str>,
    pub(super) role_arn: Option<String>,
    /// What a Task comes to; a Map's or Parallel's is the trial's business.
    pub(super) mock: Option<Mock>,
}

/// Names and the texts of their values.
type Texts = Vec<(Arc<str>, Arc<str>)>;

fn invalid<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Validation(why.into()))
}

/// What is wrong whatever the definition is.
pub(super) fn before(request: TestState) -> Result<TestState, Refusal> {
    let configuration = &request.configuration;
    let Some(mock) = &request.mock else {
        // The first text is recorded, the others follow it.
        let given = [
            ("MapIterationFailureCount", configuration.map_iteration_failure_count.is_some()),
            ("RetrierRetryCount", configuration.retrier_retry_count.is_some()),
            ("ErrorCausedByState", configuration.error_caused_by_state.is_some()),
            ("MapItemReaderData", configuration.map_item_reader_data.is_some()),
            ("Context", request.context.is_some()),
        ];
        return match given.iter().find(|(_, given)| *given) {
            Some((name, _)) => {
                invalid(format!("TestState does not support {name} when a mock is not specified."))
            }
            None => Ok(request),
        };
    };
    if mock.result.is_some() == mock.error_output.is_some() {
        return invalid("A test mock should have only one of the following fields: [result, errorOutput].");
    }
    if request.reveal_secrets {
        return invalid("TestState does not support RevealSecrets when a mock is specified.");
    }
    Ok(request)
}

/// The state that is meant; every resource of the machine is one that AWS knows.
pub(super) fn state(
    machine: &Machine,
    name: Option<&str>,
    connector: &dyn Connector,
) -> Result<StateId, Refusal> {
    let unknown = machine.states.iter().find_map(|state| match &state.body {
        Body::Task(task) if !connect::is_known(&task.resource) && !connector.supports(&task.resource) => {
            Some((state, &task.resource))
        }
        _ => None,
    });
    if let Some((state, resource)) = unknown {
        return Err(not_recognized(&state.name, resource));
    }
    let name = name.unwrap_or(asl::LONE_STATE);
    machine.find(name).ok_or_else(|| Refusal::Validation("State not found in definition".into()))
}

fn not_recognized(state: &str, resource: &Resource) -> Refusal {
    let location = Some(format!("/States/{state}/Resource"));
    let code = asl::diagnostic::Code::Schema;
    let message = unrecognized(resource.arn());
    Refusal::InvalidDefinition(vec![asl::diagnostic::Diagnostic { code, message, location }])
}

/// Holds the request against the state.
pub(super) fn against(
    request: TestState,
    machine: &Machine,
    id: StateId,
    service: &Service,
) -> Result<Checked, Refusal> {
    let shared = service.shared();
    let state = machine.state(id);
    match &request.mock {
        Some(_) => with_mock(&state.body)?,
        None => without_mock(&state.name, &state.body, &request, shared.dispatch.connector())?,
    }
    let mut trial = Trial::of(id);
    if let Some(text) = &request.context {
        trial.context = Some(context::read(text, state)?);
    }
    let configuration = request.configuration;
    if let Some(name) = &configuration.error_caused_by_state
        && matches!(state.body, Body::Map(_) | Body::Parallel(_))
        && machine.find(name).is_none()
    {
        return invalid("State not found in definition");
    }
    let mock = request.mock.map(|mock| read_mock(mock, &state.body, shared)).transpose()?;
    let input: Arc<str> = request.input.as_deref().unwrap_or("{}").into();
    service.check_input(&input)?;
    trial.variables = variables(request.variables.as_deref())?;
    trial.retries = configuration.retrier_retry_count.unwrap_or_default();
    trial.failed_iterations = configuration.map_iteration_failure_count;
    if let Some(text) = &configuration.map_item_reader_data {
        trial.items = items(text, &state.body)?;
    }
    let mock = if matches!(state.body, Body::Task(_)) {
        mock
    } else {
        trial.mock = mock;
        None
    };
    Ok(Checked { trial, input, role_arn: request.role_arn, mock })
}

fn with_mock(body: &Body) -> Result<(), Refusal> {
    let name = match body {
        Body::Task(_) | Body::Parallel(_) | Body::Map(_) => return Ok(()),
        Body::Pass(_) => "Pass",
        Body::Choice(_) => "Choice",
        Body::Wait(_) => "Wait",
        Body::Succeed(_) => "Succeed",
        Body::Fail(_) => "Fail",
    };
    invalid(format!("State type '{name}' is not supported when a mock is specified"))
}

fn without_mock(
    name: &str,
    body: &Body,
    request: &TestState,
    connector: &dyn Connector,
) -> Result<(), Refusal> {
    match body {
        Body::Parallel(_) | Body::Map(_) => Err(Refusal::NotTestable(
            "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, \
             Succeed, Fail, Choice]"
                .into(),
        )),
        Body::Task(task) => really_called(name, task, request, connector),
        Body::Pass(_) | Body::Choice(_) | Body::Wait(_) | Body::Succeed(_) | Body::Fail(_) => Ok(()),
    }
}

/// A task that is not mocked is called. The texts of what cannot be waited for are ours: no recording shows them.
fn really_called(
    name: &str,
    task: &Task,
    request: &TestState,
    connector: &dyn Connector,
) -> Result<(), Refusal> {
    let refused = match &task.resource {
        Resource::Activity(_) => Some("activities"),
        Resource::Service(service) => match service.pattern {
            Pattern::Sync | Pattern::Sync2 => Some("the service integration pattern '.sync'"),
            Pattern::WaitForTaskToken => Some("the service integration pattern '.waitForTaskToken'"),
            Pattern::RequestResponse => None,
        },
        Resource::Lambda(_) => None,
    };
    if let Some(what) = refused {
        return invalid(format!("TestState does not support {what} when a mock is not specified."));
    }
    if request.role_arn.is_none() {
        return invalid("RoleArn must be specified when testing a Task state");
    }
    if !connector.supports(&task.resource) {
        return Err(not_recognized(name, &task.resource));
    }
    Ok(())
}

fn read_mock(mock: MockInput, body: &Body, shared: &Shared) -> Result<Mock, Refusal> {
    let Some(text) = mock.result else {
        let (error, cause) = mock.error_output.unwrap_or_default();
        return Ok(Mock::Failure(Failure { error: error.map(Into::into), cause: cause.map(Into::into) }));
    };
    if text.len() > shared.limits().payload_bytes_max {
        // The text is ours: no recording shows it.
        return invalid(format!("Mocked result is larger than {} bytes", shared.limits().payload_bytes_max));
    }
    let Ok(result) = Json::parse(&text) else { return invalid("Mocked result must be valid JSON") };
    check_result(&result, body, mock.validation)?;
    Ok(Mock::Result(text.into()))
}

/// What the result of a state has to be.
fn check_result(result: &Json, body: &Body, validation: Validation) -> Result<(), Refusal> {
    match (body, result.as_array()) {
        (Body::Map(map), _) if exports(map) => match result.as_object() {
            Some(_) => Ok(()),
            None => invalid("Mocked result must be a JSON object."),
        },
        (Body::Task(task), _) => connect::check_result(&task.resource, result, validation.strictness())
            .map_err(|mismatch| Refusal::Validation(mismatch.to_string())),
        (Body::Map(_) | Body::Parallel(_), None) => invalid("Mocked result must be an array."),
        (Body::Parallel(state), Some(results)) if results.len() != state.branches.len() => {
            invalid("Mocked result must contain the same number of items as number of Parallel branches.")
        }
        _ => Ok(()),
    }
}

/// Whether the state's result is where its children's results went.
fn exports(map: &Map) -> bool {
    let writer = map.distributed.as_ref().and_then(|fields| fields.writer.as_ref());
    writer.is_some_and(|writer| writer.target.is_some())
}

/// What a Map's reader is said to have read. The text is ours: no recording shows it.
fn items(text: &str, body: &Body) -> Result<Option<Json>, Refusal> {
    let Body::Map(map) = body else { return Ok(None) };
    let reader = map.distributed.as_ref().and_then(|fields| fields.reader.as_ref());
    let Some(reader) = reader else { return Ok(None) };
    connect::read_items(text, reader.source, &reader.format)
        .map(Some)
        .map_err(|why| Refusal::Validation(format!("MapItemReaderData could not be read: {why}")))
}

/// The variables that there are. The texts are ours: no recording shows them.
fn variables(text: Option<&str>) -> Result<Texts, Refusal> {
    let Some(text) = text else { return Ok(Vec::new()) };
    match Json::parse(text) {
        Ok(Json::Object(members)) => {
            Ok(members.iter().map(|(name, value)| (name.clone(), value.to_text().into())).collect())
        }
        Ok(_) => invalid("Variables must be a JSON object."),
        Err(_) => invalid("Variables must be valid JSON"),
    }
}

/// No more iterations can have failed than there are; how many there are is known when the state had its items.
pub(super) fn iterations(seen: &Seen, failed: Option<u64>) -> Result<(), Refusal> {
    let items = seen.map.and_then(|numbers| numbers.items).map(|items| items as u64);
    match (failed, items) {
        (Some(failed), Some(items)) if failed > items => {
            invalid("Map iteration failure count must be less than or equal to the number of Map iterations")
        }
        _ => Ok(()),
    }
}
