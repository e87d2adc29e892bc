//! Task: work outside the machine, named by its `Resource`.
//!
//! This file knows the forms of a resource; which services can be called is known to whoever calls them.

use std::sync::Arc;

use crate::diagnostic::Diagnostics;
use crate::fields::{Fields, SECONDS_MAX};
use crate::jsonata::Sees;
use crate::machine::{Payload, Quantity};
use crate::parse::{MachineType, Names};
use crate::states::work::Work;

/// A Task state.
#[derive(Debug)]
pub struct Task {
    /// What it shares with the other states that work.
    pub work: Work,
    /// `Resource`.
    pub resource: Resource,
    /// `Parameters` or `Arguments`.
    pub parameters: Option<Payload>,
    /// `Credentials`.
    pub credentials: Option<Payload>,
    /// `TimeoutSeconds` or `TimeoutSecondsPath`.
    pub timeout: Option<Quantity>,
    /// `HeartbeatSeconds` or `HeartbeatSecondsPath`.
    pub heartbeat: Option<Quantity>,
}

/// Who does the work (asl-facts 17.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A Lambda function by its ARN: input and output are the function's own.
    Lambda(Arc<str>),
    /// An activity by its ARN: a worker takes the task.
    Activity(Arc<str>),
    /// `arn:aws:states:::SERVICE:ACTION[.PATTERN]`.
    Service(Service),
}

/// A service integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The whole resource.
    pub arn: Arc<str>,
    /// `lambda`, `sqs`, `aws-sdk:sfn`.
    pub service: Arc<str>,
    /// `invoke`.
    pub action: Arc<str>,
    /// How the state waits.
    pub pattern: Pattern,
}

impl Service {
    /// What the history calls the resource: the action with its suffix.
    pub fn resource(&self) -> Arc<str> {
        match self.pattern.suffix() {
            "" => self.action.clone(),
            suffix => format!("{}{suffix}", self.action).into(),
        }
    }
}

/// How a service task ends (asl-facts 17.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// When the call is answered.
    RequestResponse,
    /// When the job that it started is done.
    Sync,
    /// The same, with the job's output parsed.
    Sync2,
    /// When somebody sends the task's token back.
    WaitForTaskToken,
}

impl Pattern {
    /// As it ends the resource.
    pub fn suffix(self) -> &'static str {
        match self {
            Pattern::RequestResponse => "",
            Pattern::Sync => ".sync",
            Pattern::Sync2 => ".sync:2",
            Pattern::WaitForTaskToken => ".waitForTaskToken",
        }
    }
}

impl Resource {
    /// Reads a resource; `None` when it has none of the known forms.
    pub fn parse(text: &str) -> Option<Resource> {
        let mut parts = text.splitn(6, ':');
        let ("arn", _partition, service, region, account, rest) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?)
        else {
            return None;
        };
        match service {
            "lambda" if rest.starts_with("function:") && rest.len() > "function:".len() => {
                Some(Resource::Lambda(text.into()))
            }
            "states" if region.is_empty() && account.is_empty() => service_resource(text, rest),
            "states" if rest.starts_with("activity:") && rest.len() > "activity:".len() => {
                Some(Resource::Activity(text.into()))
            }
            _ => None,
        }
    }

    /// The ARN as the definition writes it.
    pub fn arn(&self) -> &Arc<str> {
        match self {
            Resource::Lambda(arn) | Resource::Activity(arn) => arn,
            Resource::Service(service) => &service.arn,
        }
    }
}

fn service_resource(arn: &str, rest: &str) -> Option<Resource> {
    let patterns = [Pattern::Sync2, Pattern::Sync, Pattern::WaitForTaskToken];
    let (call, pattern) = patterns
        .into_iter()
        .find_map(|pattern| rest.strip_suffix(pattern.suffix()).map(|call| (call, pattern)))
        .unwrap_or((rest, Pattern::RequestResponse));
    let (service, action) = call.rsplit_once(':')?;
    let word = |text: &str| !text.is_empty() && !text.contains('.');
    (word(service) && word(action)).then(|| {
        Resource::Service(Service {
            arn: arn.into(),
            service: service.into(),
            action: action.into(),
            pattern,
        })
    })
}

impl Task {
    pub(crate) fn parse(
        fields: &mut Fields<'_>,
        names: &Names<'_>,
        machine_type: MachineType,
        diagnostics: &mut Diagnostics,
    ) -> Option<Task> {
        let resource = resource(fields, machine_type, diagnostics);
        let parameters = fields.payload(fields.parameters_field(), Sees::Input, diagnostics);
        let credentials = credentials(fields, diagnostics);
        let timeout = fields.quantity("TimeoutSeconds", "TimeoutSecondsPath", 1..=SECONDS_MAX, diagnostics);
        let heartbeat =
            fields.quantity("HeartbeatSeconds", "HeartbeatSecondsPath", 1..=SECONDS_MAX, diagnostics);
        if let (Some(Quantity::Fixed(timeout)), Some(Quantity::Fixed(heartbeat))) = (&timeout, &heartbeat)
            && heartbeat >= timeout
        {
            diagnostics.schema(fields.at("HeartbeatSeconds"), "Value should be less than 'TimeoutSeconds'");
        }
        let work = Work::parse(fields, names, diagnostics)?;
        Some(Task { work, resource: resource?, parameters, credentials, timeout, heartbeat })
    }
}

/// Reads `Resource`; an express machine cannot wait for what outlives it (asl-facts 17.8).
fn resource(
    fields: &mut Fields<'_>,
    machine_type: MachineType,
    diagnostics: &mut Diagnostics,
) -> Option<Resource> {
    const FIELD: &str = "Resource";
    if !fields.has(FIELD) {
        fields.missing(FIELD, diagnostics);
    }
    let text = fields.string(FIELD, diagnostics)?;
    let Some(resource) = Resource::parse(&text) else {
        diagnostics.schema(fields.at(FIELD), unrecognized(&text));
        return None;
    };
    if machine_type == MachineType::Express {
        let refusal = match &resource {
            Resource::Activity(_) => Some("Express state machine does not support Activity ARN"),
            Resource::Service(service) => match service.pattern {
                // The space at the end is AWS's own (recorded).
                Pattern::WaitForTaskToken => {
                    Some("Express state machine does not support '.waitForTaskToken' service integration ")
                }
                Pattern::Sync | Pattern::Sync2 => {
                    Some("Express state machine does not support '.sync' service integration")
                }
                Pattern::RequestResponse => None,
            },
            Resource::Lambda(_) => None,
        };
        if let Some(message) = refusal {
            diagnostics.schema(fields.at(FIELD), message);
        }
    }
    Some(resource)
}

/// The text for a resource that nobody can call.
pub fn unrecognized(resource: &str) -> String {
    format!(
        "The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the resource \
         is not available in this region."
    )
}

/// `Credentials`: `RoleArn` and nothing else, as a text or as whatever gives one when the state is entered.
fn credentials(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Payload> {
    const FIELD: &str = "Credentials";
    const ROLE: &str = "RoleArn";
    const ROLE_PATH: &str = "RoleArn.$";
    let at = fields.at(FIELD);
    let object = fields.object(FIELD, diagnostics)?;
    let mut inner = fields.inside(object, at);
    if !inner.language().is_jsonata() {
        inner.take(ROLE_PATH);
    }
    let has_path = !inner.language().is_jsonata() && inner.has(ROLE_PATH);
    if !inner.has(ROLE) && !has_path {
        inner.missing(ROLE, diagnostics);
    }
    if inner.string(ROLE, diagnostics).is_some_and(|role| role.is_empty()) {
        diagnostics.schema(inner.at(ROLE), "Value cannot be empty");
    }
    inner.finish(diagnostics);
    fields.payload(FIELD, Sees::Input, diagnostics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_of_every_form() {
        let service = |text: &str| match Resource::parse(text) {
            Some(Resource::Service(service)) => {
                format!("{}|{}|{:?}|{}", service.service, service.action, service.pattern, service.resource())
            }
            other => format!("{other:?}"),
        };
        for (text, want) in [
            ("arn:aws:states:::lambda:invoke", "lambda|invoke|RequestResponse|invoke"),
            (
                "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "lambda|invoke|WaitForTaskToken|invoke.waitForTaskToken",
            ),
            (
                "arn:aws:states:::states:startExecution.sync:2",
                "states|startExecution|Sync2|startExecution.sync:2",
            ),
            ("arn:aws:states:::ecs:runTask.sync", "ecs|runTask|Sync|runTask.sync"),
            (
                "arn:aws:states:::aws-sdk:sfn:listActivities",
                "aws-sdk:sfn|listActivities|RequestResponse|listActivities",
            ),
            ("arn:aws:states:::lambda", "None"),
            ("arn:aws:sqs:us-east-1:000000000000:queue", "None"),
            ("not an arn", "None"),
        ] {
            assert_eq!(service(text), want, "{text}");
        }
        let lambda = "arn:aws:lambda:us-east-1:000000000000:function:f:3";
        assert_eq!(Resource::parse(lambda), Some(Resource::Lambda(lambda.into())));
        let activity = "arn:aws:states:us-east-1:000000000000:activity:a";
        assert_eq!(Resource::parse(activity), Some(Resource::Activity(activity.into())));
    }
}
