//! One case: the machine is run against its mocks, and what came of it is held against what was expected.

use std::sync::Arc;

use asl::machine::Machine;
use engine::Start;
use serde_json::Value;
use sim::{Options, Stopped, Visit, Why, run};

use super::expectation::{Difference, Expectation};
use super::mocks::Case;
use super::script::CaseScript;
use crate::document::source::Source;

/// Where a machine under test is; those of the server's defaults.
const REGION: &str = "us-east-1";
const ACCOUNT: &str = "000000000000";

/// How an execution ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ended {
    pub(super) status: String,
    pub(super) output: Option<Value>,
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
    /// The states in the order in which they were entered.
    pub(super) path: Vec<String>,
    /// How long it took on its own clock.
    pub(super) took_ms: i64,
}

/// A case that was run.
pub(super) struct Ran {
    /// `MACHINE#CASE`.
    pub(super) name: String,
    pub(super) outcome: Outcome,
}

pub(super) enum Outcome {
    /// It ended; where it differs it has failed.
    Ended { ended: Ended, differences: Vec<Difference> },
    /// It could not go on.
    Stopped { trouble: String, path: Vec<String> },
}

impl Ran {
    pub(super) fn passed(&self) -> bool {
        matches!(&self.outcome, Outcome::Ended { differences, .. } if differences.is_empty())
    }
}

impl Ended {
    /// The error and its cause, as they follow the status.
    pub(super) fn failed_how(&self) -> String {
        match (&self.error, &self.cause) {
            (Some(error), Some(cause)) => format!(" ({error}: {cause})"),
            (Some(text), None) | (None, Some(text)) => format!(" ({text})"),
            (None, None) => String::new(),
        }
    }
}

/// The machine under test.
pub(super) struct Subject<'a> {
    pub(super) machine: &'a Machine,
    pub(super) name: &'a str,
    /// Whether it is an EXPRESS one.
    pub(super) express: bool,
}

/// Runs a case of a machine; without an expectation whatever comes of it is right.
pub(super) fn run_case(
    subject: &Subject<'_>,
    case: &Case,
    mocks: &Source,
    input: &Value,
    expectation: Option<&Expectation>,
) -> Ran {
    let name = format!("{}#{}", subject.name, case.name);
    let mut script = CaseScript { case, file: mocks };
    let start = start(subject, &case.name, input.to_string().into());
    let outcome = match run(subject.machine, start, Options::default(), &mut script) {
        Ok(outcome) => {
            let ended = ended(&outcome);
            let differences = expectation.map(|expected| expected.differences(&ended)).unwrap_or_default();
            Outcome::Ended { ended, differences }
        }
        Err(Stopped { why, path }) => {
            let trouble = match why {
                Why::Script(trouble) => trouble,
                Why::Parked(state) => format!("state '{state}' is not answered, and no clock ends it"),
            };
            Outcome::Stopped { trouble, path: names(&path) }
        }
    };
    Ran { name, outcome }
}

fn ended(outcome: &sim::Outcome) -> Ended {
    let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
    Ended {
        status: outcome.status.as_str().into(),
        output: outcome.output.as_deref().and_then(|output| serde_json::from_str(output).ok()),
        error: text(&outcome.failure.error),
        cause: text(&outcome.failure.cause),
        path: names(&outcome.path),
        took_ms: outcome.took_ms,
    }
}

fn names(path: &[Visit]) -> Vec<String> {
    path.iter().map(|visit| visit.state.to_string()).collect()
}

fn start(subject: &Subject<'_>, case: &str, input: Arc<str>) -> Start {
    let machine = subject.name;
    Start {
        arn: format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:{machine}:{case}"),
        name: case.into(),
        machine_arn: format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{machine}"),
        machine_name: machine.into(),
        role_arn: format!("arn:aws:iam::{ACCOUNT}:role/states"),
        region: REGION.into(),
        input,
        trace_header: None,
        express: subject.express,
        log: None,
        origin: engine::Origin::default(),
        child: None,
    }
}
