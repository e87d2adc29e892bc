//! TestState over the in-memory store: what is refused, what a mock comes to, and that a task without one is called.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing it did not expect")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use asl::states::task::Resource;
use connect::{BoxFuture, Call, Connector, Outcome};
use serde_json::{Value, json};
use service::{
    MockInput, Place, Refusal, Service, ServiceOptions, TestConfiguration, TestState, TestStatus, Tested,
};
use store::EmbeddedStore;

/// Knows Lambda; answers from a script, and without one never.
#[derive(Default)]
struct Scripted {
    calls: Mutex<Vec<Call>>,
    answers: Mutex<VecDeque<Outcome>>,
}

impl Connector for Scripted {
    fn supports(&self, resource: &Resource) -> bool {
        !matches!(resource, Resource::Service(service) if &*service.service != "lambda")
    }

    fn perform(&self, call: Call) -> BoxFuture<'_, Outcome> {
        self.calls.lock().unwrap().push(call);
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }
}

async fn world() -> (Service, Arc<Scripted>) {
    let store = Arc::new(EmbeddedStore::in_memory().unwrap());
    let connector = Arc::new(Scripted::default());
    let place = Place { region: "us-east-1".into(), account: "000000000000".into() };
    let options = ServiceOptions::new(place);
    (Service::open(store.clone(), store, connector.clone(), options).await.unwrap(), connector)
}

fn of(state: Value) -> TestState {
    TestState { definition: state.to_string(), ..TestState::default() }
}

fn lambda() -> TestState {
    let invoke = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
        "Parameters": {"FunctionName": "f"}});
    TestState { role_arn: Some("arn:aws:iam::000000000000:role/r".into()), ..of(invoke) }
}

fn result(text: &str) -> Option<MockInput> {
    Some(MockInput { result: Some(text.into()), ..MockInput::default() })
}

fn map() -> TestState {
    of(json!({"Type": "Map", "End": true, "ToleratedFailureCount": 0,
        "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}}}))
}

fn parallel() -> TestState {
    of(json!({"Type": "Parallel", "End": true,
        "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Pass", "End": true}}}]}))
}

fn pass() -> TestState {
    of(json!({"Type": "Pass", "End": true}))
}

fn task(resource: &str) -> TestState {
    let state = json!({"Type": "Task", "Resource": resource, "End": true});
    TestState { role_arn: Some("arn:aws:iam::000000000000:role/r".into()), ..of(state) }
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let (service, _) = world().await;
    let failing = TestConfiguration { map_iteration_failure_count: Some(4), ..TestConfiguration::default() };
    let both = MockInput { error_output: Some((None, None)), ..result("{}").unwrap() };
    let context = |text: &str| TestState { mock: result("{}"), context: Some(text.into()), ..lambda() };
    let one_of = "A test mock should have only one of the following fields: [result, errorOutput].";
    let cases = [
        (TestState { mock: Some(both), ..lambda() }, one_of),
        (TestState { mock: Some(MockInput::default()), ..lambda() }, one_of),
        (
            TestState { mock: result("{}"), reveal_secrets: true, ..lambda() },
            "TestState does not support RevealSecrets when a mock is specified.",
        ),
        (
            TestState { configuration: failing.clone(), ..map() },
            "TestState does not support MapIterationFailureCount when a mock is not specified.",
        ),
        (
            TestState { context: Some("{}".into()), ..lambda() },
            "TestState does not support Context when a mock is not specified.",
        ),
        (
            TestState { mock: result("{}"), ..pass() },
            "State type 'Pass' is not supported when a mock is specified",
        ),
        (
            map(),
            "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, \
             Succeed, Fail, Choice]",
        ),
        (TestState { mock: result("not JSON"), ..lambda() }, "Mocked result must be valid JSON"),
        (TestState { mock: result("{}"), ..map() }, "Mocked result must be an array."),
        (TestState { mock: result("1"), ..parallel() }, "Mocked result must be an array."),
        (
            TestState { mock: result("[1, 2]"), ..parallel() },
            "Mocked result must contain the same number of items as number of Parallel branches.",
        ),
        (TestState { mock: result("[]"), ..lambda() }, "Mocked result must be a JSON object."),
        (
            TestState { mock: result(r#"{"StatusCode": "200"}"#), ..lambda() },
            "Mock result schema validation error: Field 'StatusCode' must be a number",
        ),
        (
            TestState {
                mock: result("[0, 0, 0]"),
                input: Some("[1, 2, 3]".into()),
                configuration: failing,
                ..map()
            },
            "Map iteration failure count must be less than or equal to the number of Map iterations",
        ),
        (TestState { role_arn: None, ..lambda() }, "RoleArn must be specified when testing a Task state"),
        (
            task("arn:aws:states:us-east-1:000000000000:activity:a"),
            "TestState does not support activities when a mock is not specified.",
        ),
        (
            task("arn:aws:states:::lambda:invoke.waitForTaskToken"),
            "TestState does not support the service integration pattern '.waitForTaskToken' when a mock is not \
             specified.",
        ),
        (TestState { state_name: Some("No".into()), ..whole() }, "State not found in definition"),
        (context(r#"{"Pokedex": {}}"#), "Invalid Context object provided: Field 'Pokedex' is not allowed"),
        (
            context(r#"{"Execution": {"Id": 1}}"#),
            "Invalid Context object provided: Execution.Id must be a string",
        ),
        (
            context(r#"{"State": {"RetryCount": "1"}}"#),
            "Invalid Context object provided: State.RetryCount must be a number",
        ),
        (context(r#"{"State": 1}"#), "Invalid Context object provided: State must be an object"),
        (
            context(r#"{"Map": {}}"#),
            "Invalid Context object provided: 'Map' field is not supported when mocking a Context object",
        ),
        (
            context(r#"{"Task": {"Token": "t"}}"#),
            "Invalid Context object provided: Context object contains 'Task' when state is not a Task state with a \
             '.sync' or '.waitForTaskToken' service integration pattern",
        ),
        (TestState { variables: Some("[]".into()), ..pass() }, "Variables must be a JSON object."),
    ];
    for (request, want) in cases {
        match service.test_state(request).await {
            Err(Refusal::Validation(text) | Refusal::NotTestable(text)) => assert_eq!(text, want),
            other => panic!("{want}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn definitions_and_inputs_are_judged_as_everywhere() {
    let (service, _) = world().await;
    let unknown = TestState { mock: result("{}"), ..task("arn:aws:states:::sqs:receive") };
    let uncallable = task("arn:aws:states:::sqs:sendMessage");
    for request in [unknown, uncallable, of(json!({"Type": "Pass"})), of(json!([]))] {
        let refused = service.test_state(request.clone()).await;
        assert!(matches!(refused, Err(Refusal::InvalidDefinition(_))), "{}: {refused:?}", request.definition);
    }
    let refused = service.test_state(TestState { input: Some("no".into()), ..pass() }).await;
    assert!(matches!(refused, Err(Refusal::InvalidExecutionInput(_))), "{refused:?}");
    // What this server cannot call can still be mocked.
    let mocked = TestState { mock: result("{}"), ..task("arn:aws:states:::sqs:sendMessage") };
    assert_eq!(service.test_state(mocked).await.unwrap().status, TestStatus::Succeeded);
}

fn whole() -> TestState {
    of(json!({"StartAt": "A", "States": {
        "A": {"Type": "Map", "End": true,
            "ItemProcessor": {"StartAt": "I", "States": {
                "I": {"Type": "Pass", "Next": "J"}, "J": {"Type": "Wait", "Seconds": 0, "End": true}}}}}}))
}

#[tokio::test]
async fn a_state_of_a_machine_is_tried_wherever_it_is() {
    let (service, _) = world().await;
    let tested = |name: &str| TestState { state_name: Some(name.into()), ..whole() };
    let first = service.test_state(tested("I")).await.unwrap();
    assert_eq!((first.status, first.next_state.as_deref()), (TestStatus::Succeeded, Some("J")));
    let second = service.test_state(tested("J")).await.unwrap();
    assert_eq!((second.status, second.next_state), (TestStatus::Succeeded, None));
}

#[tokio::test]
async fn a_wait_ends_when_it_is_due() {
    let (service, _) = world().await;
    let request = of(json!({"Type": "Wait", "Seconds": 1, "Next": "After"}));
    let tested = service.test_state(request).await.unwrap();
    assert_eq!((tested.status, tested.next_state.as_deref()), (TestStatus::Succeeded, Some("After")));
}

#[tokio::test]
async fn a_task_without_a_mock_is_called() {
    let (service, connector) = world().await;
    let answer = r#"{"Payload": 1, "StatusCode": 200}"#;
    connector.answers.lock().unwrap().push_back(Outcome::Succeeded(answer.into()));
    let Tested { status, output, inspection, .. } = service.test_state(lambda()).await.unwrap();
    assert_eq!((status, output.as_deref()), (TestStatus::Succeeded, Some(answer)));
    assert_eq!(inspection["afterParameters"], r#"{"FunctionName":"f"}"#);
    assert_eq!(inspection["result"], answer);
    assert_eq!(&*connector.calls.lock().unwrap()[0].input, r#"{"FunctionName":"f"}"#);

    let failed = Outcome::Failed { error: "E".into(), cause: "C".into() };
    connector.answers.lock().unwrap().push_back(failed);
    let tested = service.test_state(lambda()).await.unwrap();
    let failure = tested.failure.unwrap();
    assert_eq!((tested.status, tested.output), (TestStatus::Failed, None));
    assert_eq!((failure.error.as_deref(), failure.cause.as_deref()), (Some("E"), Some("C")));
}

#[tokio::test]
async fn a_task_that_is_never_answered_times_out_as_it_says() {
    let (service, _) = world().await;
    let state = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 1,
        "Parameters": {"FunctionName": "f"}, "End": true,
        "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Late"}]});
    let tested = service.test_state(TestState { definition: state.to_string(), ..lambda() }).await.unwrap();
    assert_eq!((tested.status, tested.next_state.as_deref()), (TestStatus::CaughtError, Some("Late")));
    assert_eq!(tested.inspection["errorDetails"], json!({"catchIndex": 0}));
}
