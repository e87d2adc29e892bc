//! Runs on a skipped clock: what is waited for, in which order tasks are asked for, and what cuts a run short.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::sync::Arc;

use asl::jsonata::Jsonata;
use asl::machine::Machine;
use asl::{MachineType, parse};
use engine::{Start, Status};
use sim::{Answer, Asked, Options, Outcome, Script, Stopped, Why, run};

fn machine(definition: &str) -> Machine {
    let jsonata: Arc<dyn Jsonata> = Arc::new(jsonata::Evaluator::new(jsonata::Limits::STRICT));
    parse(definition, MachineType::Standard, &jsonata).unwrap()
}

fn start(input: &str) -> Start {
    Start {
        arn: "arn:aws:states:us-east-1:000000000000:execution:machine:run".into(),
        name: "run".into(),
        machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:machine".into(),
        machine_name: "machine".into(),
        role_arn: "arn:aws:iam::000000000000:role/states".into(),
        region: "us-east-1".into(),
        input: input.into(),
        trace_header: None,
        express: false,
        log: None,
        origin: engine::Origin::default(),
        child: None,
    }
}

/// Answers by a function, and remembers what it was asked.
struct Told<F> {
    answer: F,
    asked: Vec<String>,
}

impl<F: FnMut(&Asked<'_>) -> Result<Answer, String>> Script for Told<F> {
    type Trouble = String;

    fn answer(&mut self, asked: Asked<'_>) -> Result<Answer, String> {
        self.asked.push(format!("{}#{} {}", asked.state.name, asked.earlier, asked.input));
        (self.answer)(&asked)
    }
}

fn play(
    definition: &str,
    input: &str,
    answer: impl FnMut(&Asked<'_>) -> Result<Answer, String>,
) -> (Result<Outcome, Stopped<String>>, Vec<String>) {
    let mut script = Told { answer, asked: Vec::new() };
    let ended = run(&machine(definition), start(input), Options::default(), &mut script);
    (ended, script.asked)
}

fn failed(error: &str) -> Answer {
    Answer::Failed { error: Some(error.into()), cause: None }
}

fn path(outcome: &Outcome) -> Vec<&str> {
    outcome.path.iter().map(|visit| &*visit.state).collect()
}

#[test]
fn a_year_of_waiting_takes_no_time() {
    let definition = r#"{"StartAt": "Wait", "States": {
        "Wait": {"Type": "Wait", "Seconds": 31536000, "Next": "Done"},
        "Done": {"Type": "Pass", "End": true}}}"#;
    let (ended, _) = play(definition, r#"{"a": 1}"#, |_| Err("no task is asked for".into()));
    let outcome = ended.unwrap();
    assert_eq!(outcome.status, Status::Succeeded);
    assert_eq!(outcome.output.as_deref(), Some(r#"{"a": 1}"#));
    assert_eq!(outcome.took_ms, 31_536_000_000);
    assert_eq!(path(&outcome), ["Wait", "Done"]);
    assert_eq!(outcome.path[1].at_ms, 31_536_000_000);
}

const RETRIED: &str = r#"{"StartAt": "Work", "States": {"Work": {
    "Type": "Task", "Resource": "arn:aws:states:us-east-1:000000000000:activity:work", "TimeoutSeconds": 60,
    "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 120, "BackoffRate": 2.0, "MaxAttempts": 2}],
    "End": true}}}"#;

#[test]
fn retries_back_off_on_the_same_clock() {
    let (ended, asked) = play(RETRIED, "{}", |asked| match asked.earlier {
        0 | 1 => Ok(failed("Busy")),
        _ => Ok(Answer::Succeeded("[1]".into())),
    });
    let outcome = ended.unwrap();
    assert_eq!(outcome.output.as_deref(), Some("[1]"));
    assert_eq!(outcome.took_ms, 360_000);
    assert_eq!(asked, ["Work#0 {}", "Work#1 {}", "Work#2 {}"]);
}

#[test]
fn silence_runs_into_the_task_s_own_timeout() {
    let (ended, _) = play(RETRIED, "{}", |asked| {
        assert!(asked.ends_alone);
        Ok(Answer::Silence)
    });
    let outcome = ended.unwrap();
    assert_eq!(outcome.status, Status::Failed);
    assert_eq!(outcome.failure.error.as_deref(), Some("States.Timeout"));
    assert_eq!(outcome.took_ms, 60_000 + 120_000 + 60_000 + 240_000 + 60_000);
}

#[test]
fn silence_that_nothing_ends_stops_the_run() {
    let definition = r#"{"StartAt": "Work", "States": {"Work": {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"token.$": "$$.Task.Token"}, "End": true}}}"#;
    let (ended, asked) = play(definition, "{}", |_| Ok(Answer::Silence));
    let stopped = ended.unwrap_err();
    assert_eq!(stopped.why, Why::Parked("Work".into()));
    assert_eq!(stopped.path.len(), 1);
    assert!(asked[0].starts_with(r#"Work#0 {"token":"task-token-"#), "{asked:?}");
}

#[test]
fn the_machine_s_own_timeout_counts_skipped_time() {
    let definition = r#"{"StartAt": "Wait", "TimeoutSeconds": 10, "States": {
        "Wait": {"Type": "Wait", "Seconds": 11, "End": true}}}"#;
    let (ended, _) = play(definition, "{}", |_| Err("no task is asked for".into()));
    let outcome = ended.unwrap();
    assert_eq!((outcome.status, outcome.took_ms), (Status::TimedOut, 10_000));
}

#[test]
fn iterations_ask_in_the_order_of_their_items_and_a_failure_cuts_the_others_off() {
    let definition = r#"{"StartAt": "Each", "States": {"Each": {"Type": "Map", "End": true,
        "Iterator": {"StartAt": "Work", "States": {"Work": {
            "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f", "End": true}}}}}}"#;
    let (ended, asked) = play(definition, "[10, 20, 30]", |asked| match asked.earlier {
        1 => Ok(failed("Broken")),
        _ => Ok(Answer::Succeeded(asked.input.into())),
    });
    let outcome = ended.unwrap();
    assert_eq!((outcome.status, outcome.failure.error.as_deref()), (Status::Failed, Some("Broken")));
    // The third was asked for and withdrawn before its turn.
    assert_eq!(asked, ["Work#0 10", "Work#1 20"]);
}

#[test]
fn an_endless_loop_ends_with_the_history() {
    let definition = r#"{"StartAt": "A", "States": {
        "A": {"Type": "Wait", "Seconds": 60, "Next": "B"},
        "B": {"Type": "Choice", "Choices": [{"Variable": "$.done", "IsPresent": true, "Next": "C"}], "Default": "A"},
        "C": {"Type": "Succeed"}}}"#;
    let (ended, _) = play(definition, "{}", |_| Err("no task is asked for".into()));
    let outcome = ended.unwrap();
    assert_eq!((outcome.status, outcome.history.len()), (Status::Failed, 25_000));
}

#[test]
fn the_script_s_trouble_stops_the_run() {
    let (ended, _) = play(RETRIED, "{}", |_| Err("no more answers".into()));
    assert_eq!(ended.unwrap_err().why, Why::Script("no more answers".into()));
}

#[test]
fn the_same_run_twice_is_the_same() {
    let definition = r#"{"StartAt": "Id", "States": {"Id": {"Type": "Pass", "End": true,
        "Parameters": {"id.$": "States.UUID()", "at.$": "$$.State.EnteredTime"}}}}"#;
    let output = || play(definition, "{}", |_| Err(String::new())).0.unwrap().output;
    assert_eq!(output(), output());
}
