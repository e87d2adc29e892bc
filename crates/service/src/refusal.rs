//! Why a request was refused: data that the API puts into AWS's words.

use asl::diagnostic::Diagnostic;
use store::StoreError;

use crate::pool::{NoRoom, Undone};

/// A request that was not carried out, and why.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// Not an ARN, or one of another kind of resource; the text says which.
    #[error("invalid ARN: {0}")]
    InvalidArn(String),
    /// A name with a character that names may not have, or of the wrong length.
    #[error("invalid name: {0}")]
    InvalidName(String),
    /// The definition does not validate.
    #[error("invalid definition")]
    InvalidDefinition(Vec<Diagnostic>),
    /// A state that cannot be tested; the text is AWS's.
    #[error("{0}")]
    NotTestable(String),
    /// The input is not JSON or too large; the text is the parser's.
    #[error("invalid execution input: {0}")]
    InvalidExecutionInput(String),
    /// A task's output is not JSON; the text is the parser's.
    #[error("invalid output: {0}")]
    InvalidOutput(String),
    /// Not a token of ours.
    #[error("invalid token")]
    InvalidToken,
    /// The task of the token is over.
    #[error("the task is closed")]
    TaskTimedOut,
    /// The execution of the token is gone.
    #[error("the task does not exist")]
    TaskDoesNotExist,
    /// No machine has this ARN.
    #[error("no state machine {0}")]
    StateMachineDoesNotExist(String),
    /// Another machine has the name.
    #[error("state machine {0} exists")]
    StateMachineAlreadyExists(String),
    /// The machine is being deleted.
    #[error("state machine {0} is being deleted")]
    StateMachineDeleting(String),
    /// The operation is not for machines of this type; the text says why where AWS's would not.
    #[error("not for this type of state machine: {0}")]
    StateMachineTypeNotSupported(String),
    /// There are as many machines as there may be.
    #[error("there may be no more than {0} state machines")]
    StateMachineLimitExceeded(usize),
    /// There are as many activities as there may be.
    #[error("there may be no more than {0} activities")]
    ActivityLimitExceeded(usize),
    /// As many executions run as may.
    #[error("no more than {0} executions may run at a time")]
    ExecutionLimitExceeded(usize),
    /// Another quota; the text says which.
    #[error("{0}")]
    ServiceQuotaExceeded(String),
    /// An alias or a version that a request names is not there.
    #[error("no resource {0}")]
    ResourceNotFound(String),
    /// The ARN of a Distributed Map's inner machine, where only a whole machine's will do.
    #[error("a labelled ARN: {0}")]
    LabelledArn(String),
    /// The routing of an alias breaks a rule; the text is AWS's.
    #[error("{0}")]
    InvalidRouting(String),
    /// No execution has this ARN.
    #[error("no execution {0}")]
    ExecutionDoesNotExist(String),
    /// Another execution has the name.
    #[error("execution {0} exists")]
    ExecutionAlreadyExists(String),
    /// The execution cannot be redriven; the text is that of `redriveStatusReason`.
    #[error("not redrivable: {0}")]
    ExecutionNotRedrivable(String),
    /// No Map Run has this ARN.
    #[error("no Map Run {0}")]
    MapRunDoesNotExist(String),
    /// The Map Run has ended, so that nothing of it can be changed.
    #[error("the Map Run {0} has ended")]
    MapRunCompleted(String),
    /// No activity has this ARN.
    #[error("no activity {0}")]
    ActivityDoesNotExist(String),
    /// Another activity with other settings has the name.
    #[error("activity {0} exists")]
    ActivityAlreadyExists(String),
    /// More pollers than one activity may have.
    #[error("too many workers")]
    ActivityWorkerLimitExceeded,
    /// UpdateStateMachine with nothing to update.
    #[error("nothing to update")]
    MissingRequiredParameter,
    /// A rule beyond the shapes of the model; the text is AWS's.
    #[error("{0}")]
    Validation(String),
    /// Somebody else changed the resource meanwhile; the text is AWS's.
    #[error("{0}")]
    Conflict(String),
    /// More work than the queues hold.
    #[error("too much work")]
    Throttled,
    /// The server is going down, its store has failed, or it broke on this request.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

impl Refusal {
    /// The answer of a server that is on its way down.
    pub(crate) fn stopping() -> Self {
        Refusal::Unavailable("the server is shutting down".into())
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Refusal::Unavailable(error.to_string())
    }
}

impl From<Undone> for Refusal {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Broken(message) => Refusal::Unavailable(message),
            Undone::NoRoom(NoRoom::Full) => Refusal::Throttled,
            Undone::NoRoom(NoRoom::Closed) => Refusal::stopping(),
        }
    }
}
