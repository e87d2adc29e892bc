//! Which API's answer the result of a task is: for mocks, which stand in for it.
//!
//! Step Functions knows more services than this server can call. Here are all of them: the optimised integrations by a
//! table (asl-facts 17.3), those through the AWS SDK by the names of their services and, where the shapes of outputs are
//! known, of their operations.

use asl::json::Json;
use asl::states::task::{Pattern, Resource, Service};
use shapes::{Mismatch, Operation, Strictness};

/// What a result is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// No API's: what a function, a worker or whoever has the token gives.
    Anything,
    /// Some object: the API's shape is not known here, or Step Functions has one of its own.
    Object,
    /// An operation's answer, some of whose members may be anything.
    Of(Operation, &'static [&'static str]),
}

/// An action of an optimised integration.
struct Action {
    service: &'static str,
    name: &'static str,
    /// The operation whose answer is the result, if its shape is the API's own.
    answer: Option<Source>,
    /// The operation that `.sync` polls, whose answer is then the result.
    sync: Option<Source>,
}

/// A service by its name in AWS SDK integrations, and an operation.
type Source = (&'static str, &'static str);

const fn action(
    service: &'static str,
    name: &'static str,
    answer: Option<Source>,
    sync: Option<Source>,
) -> Action {
    Action { service, name, answer, sync }
}

#[rustfmt::skip]
const ACTIONS: &[Action] = &[
    action("apigateway", "invoke", None, None),
    action("athena", "getQueryExecution", Some(("athena", "GetQueryExecution")), None),
    action("athena", "getQueryResults", Some(("athena", "GetQueryResults")), None),
    action("athena", "startQueryExecution", Some(("athena", "StartQueryExecution")), Some(("athena", "GetQueryExecution"))),
    action("athena", "stopQueryExecution", Some(("athena", "StopQueryExecution")), None),
    action("batch", "submitJob", Some(("batch", "SubmitJob")), Some(("batch", "DescribeJobs"))),
    action("bedrock", "createModelCustomizationJob", Some(("bedrock", "CreateModelCustomizationJob")), Some(("bedrock", "GetModelCustomizationJob"))),
    action("bedrock", "invokeModel", Some(("bedrockruntime", "InvokeModel")), None),
    action("codebuild", "batchDeleteBuilds", Some(("codebuild", "BatchDeleteBuilds")), None),
    action("codebuild", "batchGetReports", Some(("codebuild", "BatchGetReports")), None),
    action("codebuild", "startBuild", Some(("codebuild", "StartBuild")), Some(("codebuild", "BatchGetBuilds"))),
    action("codebuild", "startBuildBatch", Some(("codebuild", "StartBuildBatch")), Some(("codebuild", "BatchGetBuildBatches"))),
    action("codebuild", "stopBuild", Some(("codebuild", "StopBuild")), None),
    action("codebuild", "stopBuildBatch", Some(("codebuild", "StopBuildBatch")), None),
    action("codebuild", "retryBuild", Some(("codebuild", "RetryBuild")), None),
    action("codebuild", "retryBuildBatch", Some(("codebuild", "RetryBuildBatch")), None),
    action("codebuild", "deleteBuildBatch", Some(("codebuild", "DeleteBuildBatch")), None),
    action("databrew", "startJobRun", Some(("databrew", "StartJobRun")), Some(("databrew", "DescribeJobRun"))),
    action("dynamodb", "deleteItem", Some(("dynamodb", "DeleteItem")), None),
    action("dynamodb", "getItem", Some(("dynamodb", "GetItem")), None),
    action("dynamodb", "putItem", Some(("dynamodb", "PutItem")), None),
    action("dynamodb", "updateItem", Some(("dynamodb", "UpdateItem")), None),
    action("ecs", "runTask", Some(("ecs", "RunTask")), Some(("ecs", "DescribeTasks"))),
    action("eks", "call", None, None),
    action("eks", "createCluster", Some(("eks", "CreateCluster")), Some(("eks", "DescribeCluster"))),
    action("eks", "createFargateProfile", Some(("eks", "CreateFargateProfile")), Some(("eks", "DescribeFargateProfile"))),
    action("eks", "createNodegroup", Some(("eks", "CreateNodegroup")), Some(("eks", "DescribeNodegroup"))),
    action("eks", "deleteCluster", Some(("eks", "DeleteCluster")), Some(("eks", "DescribeCluster"))),
    action("eks", "deleteFargateProfile", Some(("eks", "DeleteFargateProfile")), Some(("eks", "DescribeFargateProfile"))),
    action("eks", "deleteNodegroup", Some(("eks", "DeleteNodegroup")), Some(("eks", "DescribeNodegroup"))),
    action("eks", "runJob", None, None),
    // The API has other names for these, and Step Functions other answers.
    action("elasticmapreduce", "addStep", None, Some(("emr", "DescribeStep"))),
    action("elasticmapreduce", "cancelStep", None, None),
    action("elasticmapreduce", "createCluster", None, Some(("emr", "DescribeCluster"))),
    action("elasticmapreduce", "modifyInstanceFleetByName", None, None),
    action("elasticmapreduce", "modifyInstanceGroupByName", None, None),
    action("elasticmapreduce", "setClusterTerminationProtection", None, None),
    action("elasticmapreduce", "terminateCluster", None, Some(("emr", "DescribeCluster"))),
    action("emr-containers", "createVirtualCluster", Some(("emrcontainers", "CreateVirtualCluster")), None),
    action("emr-containers", "deleteVirtualCluster", Some(("emrcontainers", "DeleteVirtualCluster")), Some(("emrcontainers", "DescribeVirtualCluster"))),
    action("emr-containers", "startJobRun", Some(("emrcontainers", "StartJobRun")), Some(("emrcontainers", "DescribeJobRun"))),
    action("emr-serverless", "cancelJobRun", Some(("emrserverless", "CancelJobRun")), Some(("emrserverless", "GetJobRun"))),
    action("emr-serverless", "createApplication", Some(("emrserverless", "CreateApplication")), Some(("emrserverless", "GetApplication"))),
    action("emr-serverless", "deleteApplication", Some(("emrserverless", "DeleteApplication")), Some(("emrserverless", "GetApplication"))),
    action("emr-serverless", "startApplication", Some(("emrserverless", "StartApplication")), Some(("emrserverless", "GetApplication"))),
    action("emr-serverless", "startJobRun", Some(("emrserverless", "StartJobRun")), Some(("emrserverless", "GetJobRun"))),
    action("emr-serverless", "stopApplication", Some(("emrserverless", "StopApplication")), Some(("emrserverless", "GetApplication"))),
    action("events", "putEvents", Some(("eventbridge", "PutEvents")), None),
    action("glue", "startJobRun", Some(("glue", "StartJobRun")), Some(("glue", "GetJobRun"))),
    action("http", "invoke", None, None),
    action("lambda", "invoke", Some(("lambda", "Invoke")), None),
    action("mediaconvert", "createJob", Some(("mediaconvert", "CreateJob")), Some(("mediaconvert", "GetJob"))),
    action("sagemaker", "createEndpoint", Some(("sagemaker", "CreateEndpoint")), None),
    action("sagemaker", "createEndpointConfig", Some(("sagemaker", "CreateEndpointConfig")), None),
    action("sagemaker", "createHyperParameterTuningJob", Some(("sagemaker", "CreateHyperParameterTuningJob")), Some(("sagemaker", "DescribeHyperParameterTuningJob"))),
    action("sagemaker", "createLabelingJob", Some(("sagemaker", "CreateLabelingJob")), Some(("sagemaker", "DescribeLabelingJob"))),
    action("sagemaker", "createModel", Some(("sagemaker", "CreateModel")), None),
    action("sagemaker", "createProcessingJob", Some(("sagemaker", "CreateProcessingJob")), Some(("sagemaker", "DescribeProcessingJob"))),
    action("sagemaker", "createTrainingJob", Some(("sagemaker", "CreateTrainingJob")), Some(("sagemaker", "DescribeTrainingJob"))),
    action("sagemaker", "createTransformJob", Some(("sagemaker", "CreateTransformJob")), Some(("sagemaker", "DescribeTransformJob"))),
    action("sagemaker", "updateEndpoint", Some(("sagemaker", "UpdateEndpoint")), None),
    action("sns", "publish", Some(("sns", "Publish")), None),
    action("sqs", "sendMessage", Some(("sqs", "SendMessage")), None),
    action("states", "startExecution", Some(("sfn", "StartExecution")), Some(("sfn", "DescribeExecution"))),
];

/// Whether AWS knows this resource, be it that this server can call it or not.
pub fn is_known(resource: &Resource) -> bool {
    answer(resource).is_some()
}

/// Holds a result against what the resource answers; without a strictness, everything fits.
///
/// # Errors
/// What does not fit, in AWS's words.
pub fn check_result(
    resource: &Resource,
    result: &Json,
    strictness: Option<Strictness>,
) -> Result<(), Mismatch> {
    let (Some(answer), Some(strictness)) = (answer(resource), strictness) else { return Ok(()) };
    match answer {
        Answer::Anything => Ok(()),
        Answer::Object if result.as_object().is_some() => Ok(()),
        Answer::Object => Err(Mismatch::NotAnObject),
        Answer::Of(operation, free) => operation.check(result, strictness, free),
    }
}

/// `None` for a resource that AWS does not know.
fn answer(resource: &Resource) -> Option<Answer> {
    let Resource::Service(service) = resource else { return Some(Answer::Anything) };
    let answer = match service.service.strip_prefix("aws-sdk:") {
        Some(name) => through_sdk(name, service),
        None => optimised(service),
    };
    match service.pattern {
        // Whatever the call was answered, the result is what comes with the token.
        Pattern::WaitForTaskToken => answer.map(|_| Answer::Anything),
        _ => answer,
    }
}

fn through_sdk(name: &str, service: &Service) -> Option<Answer> {
    if matches!(service.pattern, Pattern::Sync | Pattern::Sync2) {
        return None;
    }
    match shapes::service(name)? {
        shapes::Service::Modelled(model) => Some(Answer::Of(model.operation(&service.action)?, &[])),
        shapes::Service::Named => Some(Answer::Object),
    }
}

fn optimised(service: &Service) -> Option<Answer> {
    let is_it = |action: &&Action| action.service == &*service.service && action.name == &*service.action;
    let action = ACTIONS.iter().find(is_it)?;
    let source = match service.pattern {
        Pattern::RequestResponse | Pattern::WaitForTaskToken => action.answer,
        Pattern::Sync2 if action.service != "states" => return None,
        Pattern::Sync | Pattern::Sync2 => Some(action.sync?),
    };
    Some(source.and_then(operation).map_or(Answer::Object, |operation| Answer::Of(operation, free(service))))
}

fn operation((service, name): Source) -> Option<Operation> {
    match shapes::service(service)? {
        shapes::Service::Modelled(model) => model.operation(name),
        shapes::Service::Named => None,
    }
}

/// What an optimised integration reads as JSON where the API has bytes or a text.
fn free(service: &Service) -> &'static [&'static str] {
    match (&*service.service, service.pattern) {
        ("lambda", _) => &["Payload"],
        ("bedrock", Pattern::RequestResponse) => &["Body"],
        ("states", Pattern::Sync2) => &["Output"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(text: &str) -> Resource {
        Resource::parse(&format!("arn:aws:states:::{text}")).expect("it has the form of a resource")
    }

    #[test]
    fn every_operation_of_the_table_has_a_shape() {
        for action in ACTIONS {
            for source in action.answer.into_iter().chain(action.sync) {
                assert!(operation(source).is_some(), "{source:?}");
            }
        }
    }

    #[test]
    fn what_aws_knows_is_known() {
        for (text, want) in [
            ("lambda:invoke", true),
            ("lambda:invoke.waitForTaskToken", true),
            ("lambda:invoke.sync", false),
            ("lambda:create", false),
            ("apigateway:invoke", true),
            ("ecs:runTask.sync", true),
            ("ecs:runTask.sync:2", false),
            ("states:startExecution.sync:2", true),
            ("dynamodb:getItem", true),
            ("dynamodb:query", false),
            ("aws-sdk:dynamodb:query", true),
            ("aws-sdk:dynamodb:quarry", false),
            ("aws-sdk:s3:getObject.waitForTaskToken", true),
            ("aws-sdk:s3:getObject.sync", false),
            ("aws-sdk:ec2:describeInstances", true),
            ("aws-sdk:unknown:do", false),
            ("unknown:do", false),
        ] {
            assert_eq!(is_known(&resource(text)), want, "{text}");
        }
        let activity =
            Resource::parse("arn:aws:states:us-east-1:000000000000:activity:a").expect("an activity");
        assert!(is_known(&activity));
    }

    #[test]
    fn a_result_is_held_against_the_answer_that_it_stands_for() {
        let told = |text: &str, result: &str| {
            let result = Json::parse(result).expect("JSON");
            let checked = check_result(&resource(text), &result, Some(Strictness::Whole));
            checked.map_or_else(|mismatch| mismatch.to_string(), |()| "fits".into())
        };
        let missing =
            |name: &str| format!("Mock result schema validation error: Required field '{name}' is missing");
        assert_eq!(told("states:startExecution", "{}"), missing("ExecutionArn"));
        assert_eq!(told("states:startExecution.sync", "{}"), missing("ExecutionArn"));
        assert_eq!(told("aws-sdk:sfn:startExecution", "{}"), missing("ExecutionArn"));
        assert_eq!(told("states:startExecution.waitForTaskToken", "[]"), "fits");
        assert_eq!(told("lambda:invoke", r#"{"Payload": {"a": 1}, "StatusCode": 200}"#), "fits");
        assert_eq!(told("apigateway:invoke", r#"{"approval": true}"#), "fits");
        assert_eq!(told("apigateway:invoke", "[]"), "Mocked result must be a JSON object.");
        assert_eq!(told("aws-sdk:ec2:describeInstances", "1"), "Mocked result must be a JSON object.");
        assert_eq!(check_result(&resource("states:startExecution"), &Json::Null, None), Ok(()));
    }
}
