//! Tasks out: what a Task state's resource means to the world outside.
//!
//! A [`Connector`] performs one pushed task and says how it ended, in the words that a state's Retry and Catch match.
//! This crate knows the services' request and answer shapes; it refuses to know executions, histories and stores.
//! [`Datasets`] is what Map Runs read from and write to; [`S3Datasets`] is that over S3.
//! [`Integrations`] is the connector of a server: AWS Lambda's interface by the function host, and Step Functions' own.

mod answer;
mod datasets;
mod lambda_invoke;
mod nested;
mod rows;
mod s3;
mod sfn;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use asl::states::task::{Pattern, Resource};

pub use answer::{check_result, is_known};
pub use datasets::{Datasets, Items, NoDatasets, ReadItem, Reading, Upload};
pub use lambda_invoke::LambdaConnector;
pub use rows::read_items;
pub use s3::{S3Access, S3Datasets};
pub use sfn::{Refused, SfnConnector, StepFunctions};
pub use shapes::Strictness;

/// The service of AWS SDK integrations with Step Functions itself.
const SFN: &str = "aws-sdk:sfn";
/// The service of nested executions.
const STATES: &str = "states";

/// A future that a trait object gives.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One task to push.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who shall do it.
    pub resource: Resource,
    /// The effective input, a JSON text.
    pub input: Arc<str>,
    /// The same each time this attempt is pushed: a crash of the server may push it twice.
    pub idempotency_id: String,
    /// Whether it may have been pushed before, by a server that went down.
    pub again: bool,
    /// The trace header of the execution.
    pub trace_header: Option<String>,
}

/// How a pushed task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a result, a JSON text. For a task that waits for its token, or for the job that it submits: the call was
    /// answered.
    Succeeded(Arc<str>),
    /// With an error.
    Failed {
        /// The error's name.
        error: Arc<str>,
        /// What happened.
        cause: Arc<str>,
    },
}

/// Performs tasks.
pub trait Connector: Send + Sync + 'static {
    /// Whether it knows this resource; a machine that names another is refused when it is created.
    fn supports(&self, resource: &Resource) -> bool;

    /// Whether this server itself answers the call, so that nothing goes out.
    fn stays_inside(&self, _resource: &Resource) -> bool {
        false
    }

    /// Performs one task. It takes as long as it takes: timeouts are the caller's. Of a task that waits for a job
    /// (`.sync`) it submits the job; the outcome's text names it.
    fn perform(&self, call: Call) -> BoxFuture<'_, Outcome>;

    /// The end of a job. `submission` is what [`perform`](Self::perform) answered, perhaps to an earlier life of the
    /// server: it has to be enough to find the job. Waiting must cost no thread.
    fn job_end(&self, call: Call, _submission: Arc<str>) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let cause = format!("Nobody here waits for the jobs of {}.", call.resource.arn());
            Outcome::Failed { error: "States.Runtime".into(), cause: cause.into() }
        })
    }

    /// Nobody waits for this job any more: ends it, as well as that can be done.
    fn cancel_job(&self, _call: Call, _submission: Arc<str>) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// The connectors of a server, by the service that they speak to.
pub struct Integrations {
    lambda: LambdaConnector,
    sfn: SfnConnector,
}

impl Integrations {
    /// What this release can reach.
    pub fn new(lambda: LambdaConnector, sfn: SfnConnector) -> Self {
        Integrations { lambda, sfn }
    }
}

impl Connector for Integrations {
    fn supports(&self, resource: &Resource) -> bool {
        match resource {
            Resource::Lambda(_) | Resource::Activity(_) => true,
            Resource::Service(service) => match (&*service.service, &*service.action, service.pattern) {
                ("lambda", "invoke", Pattern::RequestResponse | Pattern::WaitForTaskToken) => true,
                (SFN, action, Pattern::RequestResponse | Pattern::WaitForTaskToken) => {
                    self.sfn.supports(action)
                }
                (STATES, "startExecution", _) => true,
                _ => false,
            },
        }
    }

    fn stays_inside(&self, resource: &Resource) -> bool {
        matches!(resource, Resource::Service(service) if [SFN, STATES].contains(&&*service.service))
    }

    fn job_end(&self, call: Call, submission: Arc<str>) -> BoxFuture<'_, Outcome> {
        // The only jobs so far are executions: `supports` lets no other `.sync` in.
        Box::pin(async move { self.sfn.execution_end(&call, &submission).await })
    }

    fn cancel_job(&self, _: Call, submission: Arc<str>) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.sfn.stop_started(&submission).await })
    }

    fn perform(&self, call: Call) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            match &call.resource {
                Resource::Lambda(arn) => self.lambda.invoke_function(arn, &call).await,
                Resource::Service(service) if &*service.service == SFN => {
                    self.sfn.perform(&service.action, &call).await
                }
                Resource::Service(service) if &*service.service == STATES => {
                    self.sfn.start_execution(&call).await
                }
                Resource::Service(_) => self.lambda.invoke_service(&call).await,
                Resource::Activity(arn) => Outcome::Failed {
                    error: "States.Runtime".into(),
                    cause: format!("The activity {arn} is pulled from, not pushed to.").into(),
                },
            }
        })
    }
}
