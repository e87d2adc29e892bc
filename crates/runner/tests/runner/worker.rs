//! A worker's life: results, failures, heartbeats, a server that is away, slots, the drain.

use serde_json::{Value, json};

use crate::{
    process::{Runner, folder, is_running, until},
    server::{Answer, Server},
};

/// The output of a task that must succeed.
async fn output(server: &Server, token: &str) -> Value {
    let report = server.report(token).await;
    let text = report["output"].as_str().unwrap_or_else(|| panic!("{report}"));
    serde_json::from_str(text).unwrap()
}

/// Error and cause of a task that must fail.
async fn failure(server: &Server, token: &str) -> (String, String) {
    let report = server.report(token).await;
    let text = |name: &str| report[name].as_str().unwrap_or_else(|| panic!("{report}")).to_owned();
    (text("error"), text("cause"))
}

#[tokio::test]
async fn tasks_are_run_in_one_warm_process_that_hears_what_lambda_tells() {
    let server = Server::start().await;
    server.task("echo", json!({"a": 1.0, "b": "é"}));
    server.task("first", json!({"do": "pid"}));
    server.task("second", json!({"do": "pid"}));
    server.task("context", json!({"do": "context"}));
    let _runner = Runner::worker(&server, &["--worker-name", "w", "--memory-mb", "512"], &[]);
    assert_eq!(server.report("echo").await["output"], r#"{"a":1.0,"b":"é"}"#);
    assert_eq!(output(&server, "first").await, output(&server, "second").await);
    let heard = output(&server, "context").await;
    assert_eq!(heard["arn"], "arn:aws:lambda:us-west-2:123456789012:function:resize");
    assert_eq!((&heard["name"], &heard["handler"]), (&json!("resize"), &json!("--nocapture")));
    assert_eq!(heard["endpoint"], server.url, "the function finds the same server");
    // Farther away than any early stop of a function, and no more than 32 bits of milliseconds.
    let remaining = heard["remaining_ms"].as_u64().unwrap();
    assert!(remaining > 23 * 86_400_000 && remaining < 1 << 31, "{remaining}");
    assert!(server.calls("GetActivityTask").iter().all(|call| call.body["workerName"] == "w-0"));
    assert_eq!(server.polls_open_max(), 1, "one slot polls once");
}

#[tokio::test]
async fn failures_are_those_of_a_lambda_function_and_the_next_task_runs() {
    let server = Server::start().await;
    let _runner = Runner::worker(&server, &[], &[]);
    let cases = [
        (json!({"do": "fail"}), "OrderNotFound", r#""errorMessage":"no order 7""#),
        (json!({"do": "exit"}), "Runtime.ExitError", "Error: Runtime exited with error: exit status 3"),
        (
            json!({"do": "string", "bytes": 300_000}),
            "States.DataLimitExceeded",
            "activity:resize' returned a result",
        ),
        (
            json!({"do": "string", "bytes": 7_000_000}),
            "Function.ResponseSizeTooLarge",
            "maximum allowed payload size",
        ),
    ];
    for (index, (input, error, cause)) in cases.into_iter().enumerate() {
        let (bad, good) = (format!("bad-{index}"), format!("good-{index}"));
        server.task(&bad, input.clone());
        server.task(&good, json!([index]));
        let (got_error, got_cause) = failure(&server, &bad).await;
        assert_eq!(got_error, error, "{input}");
        assert!(got_cause.contains(cause), "{got_cause}");
        assert_eq!(output(&server, &good).await, json!([index]));
    }
}

#[tokio::test]
async fn a_deadline_of_ours_fails_as_a_lambda_timeout_does() {
    let (_folder, path) = folder();
    let server = Server::start().await;
    server.task("late", json!({"do": "wait", "began": path("began"), "until": path("never")}));
    let _runner = Runner::worker(&server, &["--deadline", "1"], &[]);
    let (error, cause) = failure(&server, "late").await;
    assert_eq!(error, "Lambda.Unknown");
    assert!(cause.contains("Task timed out after 1.00 seconds"), "{cause}");
}

#[tokio::test]
async fn heartbeats_go_out_while_the_function_runs() {
    let (_folder, path) = folder();
    let server = Server::start().await;
    // One that fails is sent again.
    server.script("SendTaskHeartbeat", Answer::Break);
    server.script("SendTaskHeartbeat", Answer::HangUp);
    server.task("long", json!({"do": "wait", "began": path("began"), "until": path("go")}));
    let _runner = Runner::worker(&server, &["--heartbeat", "1"], &[]);
    server.called("SendTaskHeartbeat", |body| body["taskToken"] == "long").await;
    std::fs::write(path("go"), "").unwrap();
    assert_eq!(output(&server, "long").await, "waited");
}

#[tokio::test]
async fn a_closed_task_is_killed_and_not_reported() {
    for closed in ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"] {
        let (_folder, path) = folder();
        let server = Server::start().await;
        server.script("SendTaskHeartbeat", Answer::Refuse(closed));
        server.task("zombie", json!({"do": "wait", "began": path("began"), "until": path("never")}));
        server.task("next", json!({"b": 2}));
        let _runner = Runner::worker(&server, &["--heartbeat", "1"], &[]);
        assert_eq!(output(&server, "next").await, json!({"b": 2}), "{closed}");
        let pid = std::fs::read_to_string(path("began")).unwrap();
        until(|| !is_running(&pid)).await;
        assert!(server.reports("zombie").is_empty(), "{closed}");
    }
}

#[tokio::test]
async fn a_result_is_not_lost_while_the_server_is_away() {
    let server = Server::start().await;
    for answer in [Answer::HangUp, Answer::Break, Answer::Refuse("ThrottlingException")] {
        server.script("SendTaskSuccess", answer);
    }
    server.script("GetActivityTask", Answer::Break);
    server.script("GetActivityTask", Answer::Refuse("ActivityDoesNotExist"));
    server.task("kept", json!({"a": 1}));
    server.task("next", json!({"b": 2}));
    let _runner = Runner::worker(&server, &[], &[]);
    assert_eq!(output(&server, "next").await, json!({"b": 2}));
    // The throttled one was heard, and so was the one after it.
    assert_eq!(server.reports("kept").len(), 2);
    assert_eq!(output(&server, "kept").await, json!({"a": 1}));
}

#[tokio::test]
async fn a_refused_result_becomes_a_failure() {
    let server = Server::start().await;
    server.script("SendTaskSuccess", Answer::Refuse("InvalidOutput"));
    server.task("odd", json!({"a": 1}));
    server.task("next", json!({"b": 2}));
    let _runner = Runner::worker(&server, &[], &[]);
    assert_eq!(output(&server, "next").await, json!({"b": 2}));
    let (error, cause) = failure(&server, "odd").await;
    assert_eq!(error, "Runtime.MarshalError");
    assert!(cause.contains("InvalidOutput"), "{cause}");
}

#[tokio::test]
async fn slots_run_side_by_side_and_only_free_ones_poll() {
    let (_folder, path) = folder();
    let server = Server::start().await;
    let wait = |began: &str| json!({"do": "wait", "began": path(began), "until": path("go")});
    server.task("one", wait("one"));
    server.task("two", wait("two"));
    server.task("three", wait("three"));
    let _runner = Runner::worker(&server, &[], &[("LOVELESS_SLOTS", "2")]);
    until(|| path("one").exists() && path("two").exists()).await;
    assert_eq!(server.polls_open(), 0, "no slot is free");
    assert!(!path("three").exists());
    std::fs::write(path("go"), "").unwrap();
    for token in ["one", "two", "three"] {
        assert_eq!(output(&server, token).await, "waited");
    }
}

#[tokio::test]
async fn sigterm_lets_the_running_task_end_and_takes_no_other() {
    let (_folder, path) = folder();
    let server = Server::start().await;
    server.task("running", json!({"do": "wait", "began": path("began"), "until": path("go")}));
    let runner = Runner::worker(&server, &["--slots", "2", "--drain", "600"], &[]);
    until(|| path("began").exists() && server.polls_open() == 1).await;
    runner.signal("-TERM");
    until(|| server.polls_open() == 0).await;
    server.task("unwanted", json!({}));
    std::fs::write(path("go"), "").unwrap();
    assert!(runner.ended().await);
    assert_eq!(output(&server, "running").await, "waited");
    assert!(server.reports("unwanted").is_empty());
}

#[tokio::test]
async fn a_task_over_the_drain_is_reported_and_killed() {
    let (_folder, path) = folder();
    let server = Server::start().await;
    server.task("stuck", json!({"do": "wait", "began": path("began"), "until": path("never")}));
    let runner = Runner::worker(&server, &["--drain", "0", "--worker-name", "w"], &[]);
    until(|| path("began").exists()).await;
    runner.signal("-TERM");
    assert!(runner.ended().await);
    let (error, cause) = failure(&server, "stuck").await;
    assert_eq!(
        (error.as_str(), cause.as_str()),
        ("Runner.Drained", "The worker w-0 was stopped while the task ran.")
    );
    assert!(!is_running(&std::fs::read_to_string(path("began")).unwrap()));
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let (_folder, path) = folder();
    let server = Server::start().await;
    server.task("stuck", json!({"do": "wait", "began": path("began"), "until": path("never")}));
    server.script("GetActivityTask", Answer::Break);
    let runner = Runner::worker(&server, &["--drain", "600"], &[]);
    until(|| path("began").exists()).await;
    runner.signal("-TERM");
    // The second must not fall together with the first.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    runner.signal("-INT");
    assert!(!runner.ended().await, "work was given up");
    let pid = std::fs::read_to_string(path("began")).unwrap();
    until(|| !is_running(&pid)).await;
    assert!(server.reports("stuck").is_empty());
}

#[tokio::test]
async fn a_function_that_does_not_start_takes_no_task() {
    let server = Server::start().await;
    server.task("safe", json!({}));
    let runner = Runner::worker(&server, &[], &[("FAIL_AT_START", "1")]);
    assert!(!runner.ended().await);
    assert!(server.calls("GetActivityTask").is_empty());
}

#[tokio::test]
async fn awslambdaric_works_for_an_activity() {
    let found = std::env::var("LOVELESS_TEST_PYTHON").ok().filter(|python| {
        let output = std::process::Command::new(python).args(["-c", "import awslambdaric"]).output();
        output.is_ok_and(|output| output.status.success())
    });
    let Some(python) = found else {
        println!("skipped: LOVELESS_TEST_PYTHON names no Python with awslambdaric");
        return;
    };
    let (_folder, path) = folder();
    let app = "class OrderNotFound(Exception):\n    pass\n\ndef handler(event, context):\n    if event.get('bad'):\n        \
               raise OrderNotFound('no order 7')\n    return {'name': context.function_name, 'event': event}\n";
    std::fs::write(path("app.py"), app).unwrap();
    let server = Server::start().await;
    server.task("good", json!({"a": 1}));
    server.task("bad", json!({"bad": true}));
    let command = [python.as_str(), "-m", "awslambdaric", "app.handler"].map(str::to_owned);
    let root = path("").to_str().unwrap().to_owned();
    let environment = [("PYTHONPATH", root.as_str()), ("LAMBDA_TASK_ROOT", root.as_str())];
    let _runner = Runner::worker_of(&server, &[], &environment, &command);
    assert_eq!(output(&server, "good").await, json!({"name": "resize", "event": {"a": 1}}));
    let (error, cause) = failure(&server, "bad").await;
    assert_eq!(error, "OrderNotFound");
    let cause: Value = serde_json::from_str(&cause).unwrap();
    assert_eq!(cause["errorMessage"], "no order 7");
    assert!(cause["stackTrace"].is_array(), "{cause}");
}
