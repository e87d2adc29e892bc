//! Errors on the wire: name, status and text side by side.
//!
//! Texts are AWS's where they are known (asl-facts 4 and 20, the recordings). Status codes are those of the JSON
//! protocol: 400 for nearly everything, because SDKs decide by the name.

use std::borrow::Cow;

use asl::diagnostic::{Code, Diagnostic};
use http::StatusCode;
use serde_json::{Map, Value};
use service::Refusal;

/// An error as a client sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WireError {
    pub(crate) code: Cow<'static, str>,
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// A further member that the error has in the service's model.
    pub(crate) extra: Option<Box<(&'static str, Value)>>,
}

impl WireError {
    /// An error of the usual status.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        WireError { code: code.into(), status: StatusCode::BAD_REQUEST, message: message.into(), extra: None }
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        WireError { status, ..self }
    }

    pub(crate) fn with(self, member: &'static str, value: impl Into<Value>) -> Self {
        WireError { extra: Some(Box::new((member, value.into()))), ..self }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        WireError::new("ValidationException", message)
    }

    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        WireError::new("SerializationException", message)
    }

    pub(crate) fn invalid_token() -> Self {
        Refusal::InvalidToken.into()
    }

    pub(crate) fn resource_not_found(arn: &str) -> Self {
        WireError::new("ResourceNotFound", format!("Resource not found: '{arn}'")).with("resourceName", arn)
    }

    pub(crate) fn too_many_tags(arn: &str, tags_max: usize) -> Self {
        WireError::new("TooManyTags", format!("A resource may have at most {tags_max} tags: '{arn}'"))
            .with("resourceName", arn)
    }

    pub(crate) fn unknown_operation(message: impl Into<String>) -> Self {
        WireError::new("UnknownOperationException", message)
    }

    /// The body of the JSON protocols.
    pub(crate) fn json(&self) -> Value {
        let mut members = Map::new();
        members.insert("__type".into(), Value::String(self.code.to_string()));
        members.insert("message".into(), Value::String(self.message.clone()));
        if let Some(extra) = &self.extra {
            members.insert(extra.0.into(), extra.1.clone());
        }
        Value::Object(members)
    }
}

impl From<Refusal> for WireError {
    fn from(refusal: Refusal) -> Self {
        use Refusal as R;
        let (code, message) = match refusal {
            R::InvalidArn(why) => ("InvalidArn", format!("Invalid Arn: '{why}'")),
            R::InvalidName(name) => ("InvalidName", format!("Invalid Name: '{name}'")),
            R::InvalidDefinition(diagnostics) => ("InvalidDefinition", invalid_definition(&diagnostics)),
            R::NotTestable(why) => ("InvalidDefinition", why),
            R::InvalidExecutionInput(why) => {
                ("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{why}'"))
            }
            R::InvalidOutput(why) => ("InvalidOutput", format!("Invalid Output: '{why}'")),
            R::InvalidToken => ("InvalidToken", "Invalid Token: 'Invalid token'".into()),
            R::TaskTimedOut => ("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'".into()),
            R::TaskDoesNotExist => {
                ("TaskDoesNotExist", "Task Does Not Exist: 'Provided task does not exist anymore'".into())
            }
            R::StateMachineDoesNotExist(arn) => {
                ("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{arn}'"))
            }
            R::StateMachineAlreadyExists(arn) => {
                ("StateMachineAlreadyExists", format!("State Machine Already Exists: '{arn}'"))
            }
            R::StateMachineDeleting(arn) => {
                ("StateMachineDeleting", format!("State machine is being deleted: '{arn}'"))
            }
            R::StateMachineTypeNotSupported(why) if why.is_empty() => (
                "StateMachineTypeNotSupported",
                "This operation is not supported by this type of state machine".into(),
            ),
            R::StateMachineTypeNotSupported(why) => ("StateMachineTypeNotSupported", why),
            R::StateMachineLimitExceeded(max) => {
                ("StateMachineLimitExceeded", format!("The maximum number of state machines has been reached: {max}"))
            }
            R::ActivityLimitExceeded(max) => {
                ("ActivityLimitExceeded", format!("The maximum number of activities has been reached: {max}"))
            }
            R::ExecutionLimitExceeded(max) => (
                "ExecutionLimitExceeded",
                format!("The maximum number of running executions has been reached: {max}"),
            ),
            R::ServiceQuotaExceeded(why) => ("ServiceQuotaExceededException", why),
            R::ResourceNotFound(arn) => {
                let told = "Request references a resource that does not exist.";
                return WireError::new("ResourceNotFound", told).with("resourceName", arn);
            }
            R::LabelledArn(arn) => {
                return WireError::validation(format!("The operation does not support labeled ARNs: '{arn}'"))
                    .with("reason", "API_DOES_NOT_SUPPORT_LABELED_ARNS");
            }
            R::InvalidRouting(why) => {
                return WireError::validation(why).with("reason", "INVALID_ROUTING_CONFIGURATION");
            }
            R::ExecutionDoesNotExist(arn) => {
                ("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'"))
            }
            R::ExecutionAlreadyExists(arn) => {
                ("ExecutionAlreadyExists", format!("Execution Already Exists: '{arn}'"))
            }
            // AWS's text is not known; its reason is (asl-facts 4).
            R::ExecutionNotRedrivable(why) => ("ExecutionNotRedrivable", why),
            R::MapRunDoesNotExist(arn) => return WireError::resource_not_found(&arn),
            R::MapRunCompleted(arn) => {
                return WireError::validation(format!("Map Run is already completed: '{arn}'"))
                    .with("reason", "CANNOT_UPDATE_COMPLETED_MAP_RUN");
            }
            R::ActivityDoesNotExist(arn) => ("ActivityDoesNotExist", format!("Activity Does Not Exist: '{arn}'")),
            R::ActivityAlreadyExists(arn) => ("ActivityAlreadyExists", format!("Activity Already Exists: '{arn}'")),
            R::ActivityWorkerLimitExceeded => (
                "ActivityWorkerLimitExceeded",
                "The maximum number of workers concurrently polling for activity tasks has been reached.".into(),
            ),
            R::MissingRequiredParameter => (
                "MissingRequiredParameter",
                "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be \
                 specified"
                    .into(),
            ),
            R::Validation(why) => ("ValidationException", why),
            R::Conflict(why) => ("ConflictException", why),
            R::Throttled => ("ThrottlingException", "Rate exceeded".into()),
            R::Unavailable(why) => {
                return WireError::new("ServiceUnavailable", why).with_status(StatusCode::SERVICE_UNAVAILABLE);
            }
        };
        WireError::new(code, message)
    }
}

/// The diagnostics of a definition in one text. The text of broken JSON names its place itself.
fn invalid_definition(diagnostics: &[Diagnostic]) -> String {
    let texts: Vec<String> = diagnostics
        .iter()
        .map(|diagnostic| match diagnostic.code {
            Code::InvalidJson => format!("{}: {}", diagnostic.code.as_str(), diagnostic.message),
            _ => diagnostic.to_string(),
        })
        .collect();
    format!("Invalid State Machine Definition: '{}'", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_in_the_words_of_the_recordings() {
        let diagnostic = |code, message: &str, location: Option<&str>| Diagnostic {
            code,
            message: message.into(),
            location: location.map(Into::into),
        };
        let cases = [
            (
                Refusal::InvalidArn("Invalid ARN prefix: not_a_valid_arn".into()),
                "InvalidArn",
                "Invalid Arn: 'Invalid ARN prefix: not_a_valid_arn'",
            ),
            (
                Refusal::InvalidDefinition(vec![diagnostic(
                    Code::Schema,
                    "These fields are required: [States]",
                    Some("/"),
                )]),
                "InvalidDefinition",
                "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [States] at \
                 /'",
            ),
            (
                Refusal::InvalidExecutionInput("Invalid execution input.".into()),
                "InvalidExecutionInput",
                "Invalid State Machine Execution Input: 'Invalid execution input.'",
            ),
            (
                Refusal::MissingRequiredParameter,
                "MissingRequiredParameter",
                "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be \
                 specified",
            ),
            (Refusal::InvalidToken, "InvalidToken", "Invalid Token: 'Invalid token'"),
            (
                Refusal::ActivityDoesNotExist("arn:a".into()),
                "ActivityDoesNotExist",
                "Activity Does Not Exist: 'arn:a'",
            ),
            (Refusal::InvalidName("a b".into()), "InvalidName", "Invalid Name: 'a b'"),
        ];
        for (refusal, code, message) in cases {
            assert_eq!(WireError::from(refusal), WireError::new(code, message));
        }
    }

    #[test]
    fn broken_json_is_located_once() {
        let message = "Unrecognized token 'not'\n at [Source: (String)\"not\"; line: 1, column: 4]";
        let location = Some("[Source: (String)\"not\"; line: 1, column: 4]".into());
        let broken = Diagnostic { code: Code::InvalidJson, message: message.into(), location };
        let error = WireError::from(Refusal::InvalidDefinition(vec![broken]));
        assert_eq!(
            error.message,
            format!("Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION: {message}'")
        );
    }

    #[test]
    fn what_is_ours_to_mend_is_not_the_clients_fault() {
        let error = WireError::from(Refusal::Unavailable("the disk is full".into()));
        assert_eq!(error.status, StatusCode::SERVICE_UNAVAILABLE);
    }
}
