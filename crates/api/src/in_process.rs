//! Operations without HTTP: a state machine's own calls of Step Functions.

use serde_json::Value;
use service::{Refusal, Service};
use tokio_util::sync::CancellationToken;

use crate::errors::WireError;
use crate::operations::{Call, OPERATIONS, perform};

/// What an operation refused, as its caller sees it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refused {
    /// The error's name.
    pub code: String,
    /// The HTTP status that it would have had.
    pub status: u16,
    /// The text.
    pub message: String,
}

impl From<WireError> for Refused {
    fn from(error: WireError) -> Self {
        Refused { code: error.code.to_string(), status: error.status.as_u16(), message: error.message }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        WireError::from(refusal).into()
    }
}

/// The operations that this server performs.
pub fn operations() -> impl Iterator<Item = &'static str> {
    OPERATIONS.into_iter()
}

/// Performs an operation, such as `StartExecution`, with its request and answer as on the wire.
///
/// # Errors
/// What the operation refuses, in the wire's words.
pub async fn call(service: &Service, operation: &str, request: &Value) -> Result<Value, Refused> {
    let stopping = CancellationToken::new();
    let call = Call { service, stopping: &stopping, trace_header: None };
    let body = request.to_string();
    let answered = perform(&call, operation, body.as_bytes()).await;
    let reply = answered.map_err(Refused::from)?;
    // The answer is in the caller's hands: there is no connection that it could be lost in.
    if let Some(receipt) = reply.receipt {
        receipt();
    }
    serde_json::from_slice(&reply.json).map_err(|error| Refused {
        code: "InternalFailure".into(),
        status: 500,
        message: format!("the answer of {operation} cannot be read: {error}"),
    })
}
