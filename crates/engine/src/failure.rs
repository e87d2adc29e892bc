//! What goes wrong in a state: an error's name and cause, and who may handle it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An error and its cause, each perhaps absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error's name.
    pub error: Option<Arc<str>>,
    /// What happened.
    pub cause: Option<Arc<str>>,
}

/// A failure on its way to a retrier, a catcher or the end of the execution.
#[derive(Clone, Debug)]
pub(crate) struct Raised {
    pub(crate) failure: Failure,
    /// A second name that retriers and catchers know it by.
    pub(crate) alias: Option<&'static str>,
    /// Whether a task failed, so that `States.TaskFailed` means it too.
    pub(crate) task: bool,
    /// Whether nothing may handle it: it ends the execution at once.
    pub(crate) fatal: bool,
    /// The expression that failed, until the history has told it.
    pub(crate) query: Option<Query>,
}

/// A failed expression, as the history tells it.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// The field, as `Output/a`; absent when it is the state's input that is wrong.
    pub(crate) location: Option<Arc<str>>,
    /// Whether its event follows that of the state's entry. Otherwise it follows what the entry follows (recorded).
    pub(crate) entered: bool,
}

pub(crate) const RUNTIME: &str = "States.Runtime";
pub(crate) const TIMEOUT: &str = "States.Timeout";
pub(crate) const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
pub(crate) const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";
pub(crate) const NO_CHOICE_MATCHED: &str = "States.NoChoiceMatched";
pub(crate) const QUERY_EVALUATION_ERROR: &str = "States.QueryEvaluationError";
pub(crate) const INTRINSIC_FAILURE: &str = "States.IntrinsicFailure";
pub(crate) const EXCEED_TOLERATED_FAILURE_THRESHOLD: &str = "States.ExceedToleratedFailureThreshold";
pub(crate) const RESULT_PATH_MATCH_FAILURE: &str = "States.ResultPathMatchFailure";
const ALL: &str = "States.ALL";
const TASK_FAILED: &str = "States.TaskFailed";

/// The longest name and cause of an error, in UTF-16 units, as the API has them (asl-facts 7).
const ERROR_UNITS_MAX: usize = 256;
const CAUSE_UNITS_MAX: usize = 32_768;

impl Failure {
    /// The failure within the lengths that the API has for it.
    pub(crate) fn cut(self) -> Failure {
        Failure {
            error: self.error.map(|error| cut(error, ERROR_UNITS_MAX)),
            cause: self.cause.map(|cause| cut(cause, CAUSE_UNITS_MAX)),
        }
    }

    pub(crate) fn new(error: &str, cause: impl Into<Arc<str>>) -> Failure {
        Failure { error: Some(error.into()), cause: Some(cause.into()) }
    }
}

/// The beginning of a text that is longer than `max` UTF-16 units.
fn cut(text: Arc<str>, max: usize) -> Arc<str> {
    // No unit is longer than a byte of UTF-8.
    if text.len() <= max {
        return text;
    }
    let mut units = 0;
    let end = text.char_indices().find(|(_, letter)| {
        units += letter.len_utf16();
        units > max
    });
    match end {
        Some((at, _)) => text[..at].into(),
        None => text,
    }
}

impl Raised {
    /// A failure of the interpreter itself: nothing handles it.
    pub(crate) fn runtime(cause: impl Into<Arc<str>>) -> Raised {
        Raised { fatal: true, ..Raised::of(Failure::new(RUNTIME, cause)) }
    }

    /// A failure with a name of the language that retriers and catchers may handle.
    pub(crate) fn named(error: &str, cause: impl Into<Arc<str>>) -> Raised {
        Raised::of(Failure::new(error, cause))
    }

    /// An expression failed.
    pub(crate) fn query(cause: impl Into<Arc<str>>, query: Query) -> Raised {
        Raised { query: Some(query), ..Raised::named(QUERY_EVALUATION_ERROR, cause) }
    }

    /// A failure that a definition or a worker named.
    pub(crate) fn of(failure: Failure) -> Raised {
        Raised { failure: failure.cut(), alias: None, task: false, fatal: false, query: None }
    }

    pub(crate) fn of_task(failure: Failure) -> Raised {
        Raised { task: true, ..Raised::of(failure) }
    }

    /// A Map Run failed. What is wrong with the definition is no more to be handled there than elsewhere.
    pub(crate) fn of_map_run(failure: Failure) -> Raised {
        let fatal = failure.error.as_deref() == Some(RUNTIME);
        Raised { fatal, ..Raised::of(failure) }
    }

    /// A task took too long, or its worker fell silent. Neither has a cause (recorded).
    pub(crate) fn timeout(heartbeat: bool) -> Raised {
        let failure = Failure { error: Some(TIMEOUT.into()), cause: None };
        Raised { alias: heartbeat.then_some(HEARTBEAT_TIMEOUT), ..Raised::of_task(failure) }
    }

    /// A result is larger than a state may return (recorded text).
    pub(crate) fn data_limit(what: &str) -> Raised {
        Raised::named(
            DATA_LIMIT_EXCEEDED,
            format!(
                "The state/task '{what}' returned a result with a size exceeding the maximum number of bytes \
                 service limit."
            ),
        )
    }

    /// Variables are larger than they may be. The text is ours: no recording shows it.
    pub(crate) fn variables_limit(state: &str) -> Raised {
        Raised::named(
            DATA_LIMIT_EXCEEDED,
            format!(
                "The state '{state}' assigned variables with a size exceeding the maximum number of bytes service limit."
            ),
        )
    }

    /// Whether a retrier or catcher with these names is for it (asl-facts 15.1).
    pub(crate) fn matches(&self, names: &[Arc<str>]) -> bool {
        let own = self.failure.error.as_deref();
        !self.fatal
            && names.iter().any(|name| match &**name {
                ALL => true,
                TASK_FAILED => own == Some(TASK_FAILED) || (self.task && own != Some(TIMEOUT)),
                TIMEOUT => own == Some(TIMEOUT) || own == Some(HEARTBEAT_TIMEOUT),
                name => own == Some(name) || self.alias == Some(name),
            })
    }
}
