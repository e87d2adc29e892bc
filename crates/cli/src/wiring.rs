//! From one part to another: an object in a bucket becomes an event, an event starts an execution.

use buckets::{Change, ObjectChange, ObjectEvents};
use connect::StepFunctions;
use events::s3_event::{S3Change, S3What, s3_event};
use events::{Delivery, DeliveryError, Events, Targets};
use futures::future::BoxFuture;
use service::{Refusal, Service, StartExecution, StatesArn};

/// Object changes to EventBridge.
pub(crate) struct ObjectsToEvents {
    pub(crate) events: Events,
    pub(crate) account: String,
    pub(crate) region: String,
}

impl ObjectEvents for ObjectsToEvents {
    fn deliver(&self, change: ObjectChange) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let what = match &change.what {
                Change::Created { size, etag } => S3What::Created { size: *size, etag },
                Change::Deleted => S3What::Deleted,
            };
            let told = S3Change {
                id: &change.id,
                time_ms: change.time_ms,
                bucket: &change.bucket,
                key: &change.key,
                sequencer: &change.sequencer,
                what,
                reason: &change.reason,
                request_id: &change.caller.request_id,
                requester: &change.caller.requester,
                source_ip: &change.caller.source_ip,
            };
            let event = s3_event(&told, &self.account, &self.region);
            self.events.publish(&event).await.map_err(|error| error.to_string())
        })
    }
}

/// Events to executions.
#[derive(Clone)]
pub(crate) struct EventsToExecutions {
    pub(crate) service: Service,
}

impl Targets for EventsToExecutions {
    fn check(&self, arn: &str) -> Result<(), String> {
        match StatesArn::parse(arn, &["stateMachine"]) {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("{arn} cannot be a target here: targets are state machines")),
        }
    }

    fn deliver(&self, delivery: Delivery) -> BoxFuture<'_, Result<(), DeliveryError>> {
        Box::pin(async move {
            let request = StartExecution {
                machine_arn: delivery.target_arn,
                name: Some(delivery.name),
                input: Some(delivery.input),
                trace_header: None,
            };
            match self.service.start_execution(request).await {
                // The name is the delivery's: an execution of that name was started by this delivery before.
                Ok(_) | Err(Refusal::ExecutionAlreadyExists(_)) => Ok(()),
                Err(refusal @ (Refusal::Throttled | Refusal::Unavailable(_))) => {
                    Err(DeliveryError::Retry(refusal.to_string()))
                }
                Err(refusal) => Err(DeliveryError::Refused(refusal.to_string())),
            }
        })
    }
}

/// A machine's own calls of Step Functions: answered in place.
pub(crate) struct OwnOperations(pub(crate) Service);

impl StepFunctions for OwnOperations {
    fn has(&self, operation: &str) -> bool {
        api::operations().any(|name| name == operation)
    }

    fn closed(&self, execution_arn: String) -> BoxFuture<'_, Result<(), connect::Refused>> {
        Box::pin(async move {
            let closed = self.0.closed_execution(&execution_arn).await;
            closed.map(|_| ()).map_err(|refusal| refused(api::Refused::from(refusal)))
        })
    }

    fn call(
        &self,
        operation: String,
        request: serde_json::Value,
    ) -> BoxFuture<'_, Result<serde_json::Value, connect::Refused>> {
        Box::pin(async move { api::call(&self.0, &operation, &request).await.map_err(refused) })
    }
}

fn refused(refused: api::Refused) -> connect::Refused {
    connect::Refused { code: refused.code, status: refused.status, message: refused.message }
}
