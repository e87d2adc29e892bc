//! Executions as the catalogue of the outside sees them: the list row, and starting one.

use std::sync::Arc;

use engine::{Child, Execution, Origin, PayloadId, Start, Status};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::Listing;

use crate::arn::Place;
use crate::log::LogPlan;
use crate::machine::encode;
use crate::map_run::redrive_token;
use crate::resolution::Revision;

/// One execution without its payloads: the body of its list row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExecutionRecord {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its machine's ARN.
    pub machine_arn: String,
    /// Its machine's name.
    pub machine_name: String,
    /// The hash of the definition that it runs.
    pub definition: String,
    /// The role that it runs under.
    pub role_arn: String,
    /// Where it stands.
    pub status: Status,
    /// When it started, in milliseconds since the epoch.
    pub started_ms: i64,
    /// When it ended, in milliseconds since the epoch.
    pub stopped_ms: Option<i64>,
    /// The error's name, if it failed or was aborted with one.
    pub error: Option<String>,
    /// Why.
    pub cause: Option<String>,
    /// The trace header of the request that started it.
    pub trace_header: Option<String>,
    /// Its input.
    pub input: PayloadId,
    /// Its output.
    pub output: Option<PayloadId>,
    /// How often it was redriven.
    pub redrive_count: u32,
    /// When it was last redriven, in milliseconds since the epoch.
    pub redriven_ms: Option<i64>,
    /// The events of its history when this was written: at its end, all of them.
    pub events: u64,
    /// Through which of its machine's versions and aliases it was started.
    pub origin: Origin,
    /// Of a Map Run's child, the token that it was last redriven with: it tells in which redrive of the run.
    pub(crate) redrive_token: Option<String>,
    /// Whether it waits for its Map Run to redrive it. That is not written here: the Map Run says it.
    #[serde(skip)]
    pub pending_redrive: bool,
    /// The step that this was written with: the execution's version in the store, until it goes on.
    pub step: u32,
    /// What it is when a Map Run started it.
    pub child: Option<Child>,
}

impl ExecutionRecord {
    /// The record of a live execution.
    pub(crate) fn of(execution: &Execution, definition: &str) -> Self {
        let facts = execution.facts();
        let part = |part: Option<&Arc<str>>| part.map(|text| text.to_string());
        let failure = execution.failure.as_ref();
        // A timed-out execution shows neither error nor cause (BEHAVIOURS 44, recorded).
        let shown = failure.filter(|_| execution.status != Status::TimedOut);
        ExecutionRecord {
            arn: facts.arn.clone(),
            name: facts.name.clone(),
            machine_arn: facts.machine_arn.clone(),
            machine_name: facts.machine_name.clone(),
            definition: definition.to_owned(),
            role_arn: facts.role_arn.clone(),
            status: execution.status,
            started_ms: facts.started_ms,
            stopped_ms: execution.stopped_ms,
            error: part(shown.and_then(|failure| failure.error.as_ref())),
            cause: part(shown.and_then(|failure| failure.cause.as_ref())),
            trace_header: facts.trace_header.clone(),
            input: facts.input,
            output: execution.output,
            redrive_count: execution.redrives.count(),
            redriven_ms: execution.redrives.last_ms(),
            events: execution.next_event() - 1,
            origin: facts.origin.clone(),
            redrive_token: part(facts.child.as_ref().and(execution.redrives.last_token())),
            pending_redrive: false,
            step: execution.step,
            child: facts.child.clone(),
        }
    }

    /// Whether it is a Map Run's child that was to be redriven with its run when that was redriven for
    /// this time, and has not been.
    pub(crate) fn waits_for_redrive(&self, redrives: u32) -> bool {
        let unsuccessful = !matches!(self.status, Status::Running | Status::Succeeded);
        let standard = self.child.is_some() && !self.is_express();
        redrives > 0
            && standard
            && unsuccessful
            && self.redrive_token.as_deref() != Some(&redrive_token(redrives))
    }

    /// Whether it is of the EXPRESS type, as its ARN says.
    fn is_express(&self) -> bool {
        self.arn.split(':').nth(5) == Some("express")
    }

    /// Its list row: running executions by start or redrive, closed ones by end (asl-facts 6).
    pub(crate) fn listing(&self) -> Listing {
        // Children are listed by their Map Run: the machine's own list does not show them.
        let group = self.child.as_ref().map_or(&self.machine_arn, |child| &child.map_run_arn);
        Listing {
            group: group_of(group),
            also: self
                .origin
                .version_arn
                .iter()
                .chain(&self.origin.alias_arn)
                .map(|arn| group_of(arn))
                .collect(),
            status: status_code(self.status),
            sort_ms: self.stopped_ms.or(self.redriven_ms).unwrap_or(self.started_ms),
            body: encode(self),
        }
    }
}

/// Executions are listed by machine, and by the version and the alias that they were started through.
pub(crate) fn group_of(machine_arn: &str) -> [u8; 16] {
    let digest = Sha256::digest(machine_arn.as_bytes());
    let mut group = [0; 16];
    group.copy_from_slice(&digest[..16]);
    group
}

/// The status as the store indexes it.
pub(crate) fn status_code(status: Status) -> u8 {
    match status {
        Status::Running => 0,
        Status::Succeeded => 1,
        Status::Failed => 2,
        Status::TimedOut => 3,
        Status::Aborted => 4,
    }
}

/// What StartExecution asks for.
#[derive(Clone, Debug, Default)]
pub struct StartExecution {
    /// The ARN of a machine, of a version, or of an alias.
    pub machine_arn: String,
    /// A name; a UUID when absent.
    pub name: Option<String>,
    /// A JSON text; `{}` when absent.
    pub input: Option<String>,
    /// The trace header of the request.
    pub trace_header: Option<String>,
}

/// A start that was checked.
pub(crate) struct Ordered {
    pub(crate) machine: Revision,
    pub(crate) origin: Origin,
    pub(crate) name: String,
    pub(crate) input: Arc<str>,
    pub(crate) trace_header: Option<String>,
}

impl Ordered {
    /// The first event of a STANDARD execution.
    pub(crate) fn into_start(self, place: &Place) -> Start {
        let Ordered { machine, origin, name, input, trace_header } = self;
        Start {
            arn: place.execution(&machine.name, &name),
            name,
            machine_arn: machine.machine_arn,
            machine_name: machine.name,
            role_arn: machine.role_arn,
            region: place.region.clone(),
            input,
            trace_header,
            express: false,
            log: LogPlan::of(machine.logging.as_ref()).map(|plan| plan.kept()),
            origin,
            child: None,
        }
    }
}

/// An execution that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Its ARN.
    pub arn: String,
    /// When, in milliseconds since the epoch.
    pub started_ms: i64,
}

/// An execution with its payloads.
#[derive(Clone, Debug)]
pub struct Described {
    /// The rest of it.
    pub record: ExecutionRecord,
    /// Its input, verbatim.
    pub input: Arc<str>,
    /// Its output, when it succeeded.
    pub output: Option<Arc<str>>,
    /// Why it cannot be redriven; absent when it can.
    pub not_redrivable: Option<String>,
}

/// What ListExecutions asks for.
#[derive(Clone, Debug, Default)]
pub struct ListExecutions {
    /// The ARN of a machine, of a version, of an alias, or of a Map Run.
    pub machine_arn: String,
    /// Only these.
    pub status: Option<Status>,
    /// Only those that wait for their Map Run to redrive them; no other status has such.
    pub pending_redrive: bool,
    /// Only those that were redriven, or only those that were not.
    pub redriven: Option<bool>,
    /// Where the page before ended.
    pub cursor: Option<Vec<u8>>,
    /// How many.
    pub limit: usize,
}

/// A page of executions, newest first.
#[derive(Clone, Debug, Default)]
pub struct ExecutionPage {
    /// The executions.
    pub executions: Vec<ExecutionRecord>,
    /// Where the next page begins.
    pub next: Option<Vec<u8>>,
}
