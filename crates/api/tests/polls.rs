//! Activities: a task reaches exactly one worker that is there, whatever becomes of the others.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod support;

use serde_json::{Value, json};
use support::{Running, answer, states};

const ACTIVITY: &str = "arn:aws:states:us-east-1:000000000000:activity:a";

/// A server with an activity and a machine that waits at it; the machine's ARN.
async fn server() -> (Running, String) {
    let server = Running::start().await;
    server.ok("CreateActivity", json!({"name": "a"})).await;
    let task = json!({"Type": "Task", "Resource": ACTIVITY, "End": true});
    let definition = json!({"StartAt": "T", "States": {"T": task}}).to_string();
    let machine = server.machine("m", &definition).await;
    (server, machine)
}

fn poll() -> String {
    states("GetActivityTask", &json!({"activityArn": ACTIVITY, "workerName": "w"}).to_string())
}

/// The types of an execution's events.
async fn events(server: &Running, execution: &str) -> Vec<String> {
    let history = server.ok("GetExecutionHistory", json!({"executionArn": execution})).await;
    let events = history["events"].as_array().unwrap().iter();
    events.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_worker_gets_a_task_and_ends_it() {
    let (server, machine) = server().await;
    let mut worker = server.send(&poll()).await;
    let execution = server.execution(&machine, r#"{"n": 1}"#).await;
    let task = answer(&mut worker).await.json();
    assert_eq!(task["input"], r#"{"n": 1}"#);
    let token = &task["taskToken"];
    assert_eq!(server.ok("SendTaskHeartbeat", json!({"taskToken": token})).await, json!({}));
    let refused = server.call("SendTaskSuccess", json!({"taskToken": token, "output": "not json"})).await;
    assert_eq!(refused.error(), (400, "InvalidOutput".into()));
    assert_eq!(server.ok("SendTaskSuccess", json!({"taskToken": token, "output": "[1]"})).await, json!({}));
    assert_eq!(server.ended(&execution).await["output"], "[1]");
    let late = server.call("SendTaskSuccess", json!({"taskToken": token, "output": "[2]"})).await;
    assert_eq!(late.error().0, 400);
    let whole =
        ["ExecutionStarted", "TaskStateEntered", "ActivityScheduled", "ActivityStarted", "ActivitySucceeded"];
    assert_eq!(events(&server, &execution).await[..5], whole);
}

#[tokio::test]
async fn a_worker_may_fail_in_its_own_words() {
    let (server, machine) = server().await;
    let execution = server.execution(&machine, "{}").await;
    let task = server.ask(&poll()).await.json();
    let failure = json!({"taskToken": task["taskToken"], "error": "it went wrong", "cause": "{\"why\": 1}"});
    server.ok("SendTaskFailure", failure).await;
    let described = server.ended(&execution).await;
    assert_eq!((&described["error"], &described["cause"]), (&json!("it went wrong"), &json!("{\"why\": 1}")));
}

#[tokio::test]
async fn a_poll_whose_client_hung_up_takes_no_task() {
    let (server, machine) = server().await;
    for _ in 0..20 {
        drop(server.send(&poll()).await);
    }
    let execution = server.execution(&machine, "{}").await;
    // Whether the hung-up polls were noticed before or after the task came, it is there for who stays.
    let task = server.ask(&poll()).await.json();
    server.ok("SendTaskSuccess", json!({"taskToken": task["taskToken"], "output": "{}"})).await;
    assert_eq!(server.ended(&execution).await["status"], "SUCCEEDED");
}

#[tokio::test]
async fn a_server_that_goes_down_answers_its_polls() {
    let (mut server, _) = server().await;
    let mut worker = server.send(&poll()).await;
    // The poll waits once its activity could be described after it.
    server.ok("DescribeActivity", json!({"activityArn": ACTIVITY})).await;
    server.stop();
    let task: Value = answer(&mut worker).await.json();
    assert_eq!(task, json!({"taskToken": null, "input": null}));
    server.stopped().await;
}
