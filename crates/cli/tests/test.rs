//! `loveless test` as a program: the manual's example, the larger machines, and every way in which files can be wrong.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

const MANUAL: &str = include_str!("../../../docs/testing-machines.md");

fn loveless(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loveless"))
        .current_dir(folder)
        .arg("test")
        .args(arguments)
        .output()
        .unwrap()
}

/// What is printed and the exit code.
fn run(folder: &Path, arguments: &[&str]) -> (String, String, i32) {
    let output = loveless(folder, arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

fn examples() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples"))
}

/// The n-th block of the manual that begins with this fence.
fn block(fence: &str) -> &'static str {
    let (_, rest) = MANUAL.split_once(&format!("```{fence}\n")).unwrap();
    rest.split_once("```\n").unwrap().0
}

/// A folder with the manual's files.
fn manual() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (files, _) = block("sh").rsplit_once("loveless test").unwrap();
    assert!(Command::new("sh").args(["-ec", files]).current_dir(&folder).status().unwrap().success());
    folder
}

fn edit(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

const ORDER: [&str; 3] = ["order.asl.json", "--mocks", "MockConfigFile.json"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&ORDER[..], more].concat()
}

#[test]
fn the_manual_s_example_works_as_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_loveless")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let done = Command::new("sh")
        .args(["-ec", block("sh")])
        .current_dir(&folder)
        .env("PATH", path)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(done.stderr).unwrap(), "");
    assert_eq!(String::from_utf8(done.stdout).unwrap(), block("text"));
}

#[test]
fn the_larger_machines_pass_and_skip_their_waits() {
    for (machine, cases) in [("downsample", 4), ("index", 2), ("delete", 2)] {
        let file = format!("{machine}.asl.json");
        let (stdout, stderr, code) =
            run(&examples(), &[&file, "--mocks", "MockConfigFile.json", "--format", "json"]);
        assert_eq!(code, 0, "{stdout}{stderr}");
        let report: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(report["cases"].as_array().unwrap().len(), cases, "{stdout}");
    }
    let (stdout, _, _) =
        run(&examples(), &["index.asl.json", "--mocks", "MockConfigFile.json", "--case", "index#Throttled"]);
    // 5 + 10 s of one retrier, 60 s of another, and two waits.
    assert!(
        stdout.starts_with("ok   index#Throttled  SUCCEEDED (675 s skipped)  Find parts → Index each"),
        "{stdout}"
    );
}

#[test]
fn what_differs_is_shown() {
    let folder = manual();
    edit(folder.path(), "order.test.json", "\"receipt\": 7", "\"receipt\": 8");
    edit(folder.path(), "order.test.json", "\"Release\", \"Refused\"]", "\"Refused\"]");
    let (stdout, _, code) = run(folder.path(), &ORDER);
    assert_eq!(code, 1);
    let expected = r#"FAIL order#Paid  SUCCEEDED (180 s skipped)  Reserve → Charge
       output:
           {
             "item": "book",
             "reservation": {
               "id": "r-1"
             },
             "charge": {
         -     "receipt": 8
         +     "receipt": 7
             }
           }
FAIL order#Declined  FAILED  Reserve → Charge → Release → Refused
       path:
           Reserve
           Charge
         + Release
           Refused
2 of 2 cases failed
"#;
    assert_eq!(stdout, expected);
}

#[test]
fn without_expectations_a_case_must_succeed() {
    let folder = manual();
    std::fs::remove_file(folder.path().join("order.test.json")).unwrap();
    let (stdout, _, code) = run(folder.path(), &ORDER);
    assert_eq!(code, 1);
    assert!(
        stdout.contains("expected SUCCEEDED, was FAILED (OrderRefused: the card was declined)"),
        "{stdout}"
    );
    let (stdout, _, code) = run(folder.path(), &with(&["--case", "Paid", "--input", r#"{"item": 1}"#]));
    assert_eq!((code, stdout.lines().last()), (0, Some("1 case passed")));
}

#[test]
fn update_writes_what_is_then_expected() {
    let folder = manual();
    let file = folder.path().join("order.test.json");
    std::fs::remove_file(&file).unwrap();
    let (_, _, code) = run(folder.path(), &with(&["--update", "--input", r#"{"item": "pen"}"#]));
    assert_eq!(code, 0);
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(
        written["cases"]["Paid"],
        json!({
            "input": {"item": "pen"},
            "status": "SUCCEEDED",
            "output": {"item": "pen", "reservation": {"id": "r-1"}, "charge": {"receipt": 7}},
            "path": ["Reserve", "Charge"],
        })
    );
    assert_eq!(written["cases"]["Declined"]["cause"], "the card was declined");
    assert_eq!(run(folder.path(), &ORDER).2, 0);
    edit(folder.path(), "MockConfigFile.json", "\"receipt\": 7", "\"receipt\": 9");
    assert_eq!(run(folder.path(), &ORDER).2, 1);
    assert_eq!(run(folder.path(), &with(&["--update"])).2, 0);
    assert_eq!(run(folder.path(), &ORDER).2, 0);
    // What a part was enough for stays a part.
    edit(
        folder.path(),
        "order.test.json",
        "\"cause\": \"the card was declined\"",
        "\"causeContains\": \"declined\"",
    );
    assert_eq!(run(folder.path(), &with(&["--update"])).2, 0);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("causeContains") && !text.contains("\"cause\""), "{text}");
    let (_, stderr, code) = run(folder.path(), &with(&["--update", "--expect", "order.yaml"]));
    assert_eq!((code, stderr.contains("--update writes JSON")), (2, true), "{stderr}");
}

#[test]
fn a_state_that_is_not_mocked_is_named() {
    let folder = manual();
    edit(folder.path(), "MockConfigFile.json", ", \"Release\": \"Released\"", "");
    edit(
        folder.path(),
        "MockConfigFile.json",
        "\"2\": {\"Return\": {\"receipt\": 7}}",
        "\"2\": {\"Throw\": {\"Error\": \"Busy\"}}",
    );
    let (stdout, _, code) = run(folder.path(), &ORDER);
    assert_eq!(code, 1);
    let exhausted = "state 'Charge' asks for attempt 3, and the last one of response 'ChargedAtThirdAttempt' is 2 \
                     (MockConfigFile.json:12:5): answers are not repeated, so add \"3\" to it";
    assert!(stdout.contains(exhausted), "{stdout}");
    let unmocked = "state 'Release' would call arn:aws:lambda:us-east-1:000000000000:function:release, and the case \
                    does not mock it: add \"Release\": \"RESPONSE\" to 'Declined' (MockConfigFile.json:6:9)";
    assert!(stdout.contains(unmocked), "{stdout}");
    assert!(stdout.contains("FAIL order#Declined  Reserve → Charge → Release\n"), "{stdout}");
}

#[test]
fn what_is_wrong_with_a_file_is_shown_at_its_place() {
    const MOCKS: &str = "MockConfigFile.json";
    for (file, from, to, code, place, help) in [
        (
            MOCKS,
            "\"Reserve\": \"Reserved\"",
            "\"Reserv\": \"Reserved\"",
            "UNKNOWN_STATE",
            "5:18",
            "Task states are: Reserve",
        ),
        (MOCKS, "\"Release\": \"Rel", "\"Refused\": \"Rel", "NOT_A_TASK", "6:67", "take it out"),
        (
            MOCKS,
            "\"Release\": \"Released\"",
            "\"Release\": \"Freed\"",
            "UNKNOWN_RESPONSE",
            "6:78",
            "\"Freed\": {\"0\"",
        ),
        (MOCKS, "\"2\": {\"Return\"", "\"3\": {\"Return\"", "GAP_IN_SEQUENCE", "14:7", "without gaps"),
        (MOCKS, "\"2\": {\"Return\"", "\"1\": {\"Return\"", "TWO_ANSWERS", "14:7", "take one"),
        (MOCKS, "\"0-1\"", "\"1-0\"", "INVALID_ATTEMPT", "13:7", "\"1-3\""),
        (MOCKS, "{\"Return\": {}}", "{}", "INVALID_ANSWER", "17:18", "\"Throw\""),
        (
            MOCKS,
            "\"Error\": \"Busy\"",
            "\"Err\": \"Busy\"",
            "INVALID_ANSWER",
            "13:15",
            "Throw has no field 'Err'",
        ),
        (MOCKS, "\"0\": {\"Return\": {\"id\": \"r-1\"}}", "", "EMPTY_RESPONSE", "11:5", "\"0\""),
        (MOCKS, "\"StateMachines\"", "\"Machines\"", "MISSING_FIELD", "1:1", "StateMachines"),
        (MOCKS, "\"TestCases\"", "\"Cases\"", "MISSING_FIELD", "3:5", "TestCases"),
        (MOCKS, "\"MockedResponses\": {", "\"MockedResponses\": {,", "INVALID_JSON", "10:23", ""),
        (
            "order.test.json",
            "\"causeContains\"",
            "\"causeHas\"",
            "INVALID_EXPECTATION",
            "9:7",
            "causeContains",
        ),
        ("order.test.json", "\"Declined\": {", "\"Delined\": {", "UNKNOWN_CASE", "7:5", "Paid, Declined"),
        (
            "order.test.json",
            "\"error\": \"OrderRefused\"",
            "\"status\": \"DONE\"",
            "INVALID_EXPECTATION",
            "8:17",
            "TIMED_OUT",
        ),
        (
            "order.asl.json",
            "\"Next\": \"Charge\"",
            "\"Next\": \"Chage\"",
            "MISSING_TRANSITION_TARGET",
            "8:15",
            "Chage",
        ),
    ] {
        let folder = manual();
        edit(folder.path(), file, from, to);
        let (stdout, stderr, exit) = run(folder.path(), &ORDER);
        let said = format!("{to}:\n{stdout}{stderr}");
        assert_eq!((exit, stdout.as_str()), (2, ""), "{said}");
        assert!(stderr.contains(&format!("error[{code}]")), "{said}");
        assert!(stderr.contains(&format!("--> {file}:{place}\n")), "{said}");
        assert!(stderr.contains(help), "{said}");
    }
}

#[test]
fn arguments_that_name_nothing_are_refused() {
    let folder = manual();
    for (arguments, said) in [
        (
            with(&["--case", "order#Absent"]),
            "'order' has no case 'Absent' in MockConfigFile.json, but Paid, Declined",
        ),
        (with(&["--case", "other#Paid"]), "MockConfigFile.json has no machine 'other', but order"),
        (with(&["--case", "order#Paid", "--case", "other#Paid"]), "run them one by one"),
        (with(&["--input", "absent.json"]), "--input: absent.json is neither JSON nor a file"),
        (with(&["--input", "{"]), "--input is not JSON"),
        (with(&["--expect", "absent.json"]), "cannot read absent.json"),
        (vec!["absent.json", "--mocks", "MockConfigFile.json"], "cannot read absent.json"),
        (vec!["order.asl.json"], "--mocks"),
    ] {
        let (stdout, stderr, code) = run(folder.path(), &arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
}

#[test]
fn ci_systems_get_junit() {
    let folder = manual();
    edit(folder.path(), "order.test.json", "OrderRefused", "Order<&>Refused");
    let (stdout, _, code) = run(folder.path(), &with(&["--format", "junit"]));
    assert_eq!(code, 1);
    let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="2" failures="1">
  <testsuite name="order" tests="2" failures="1">
    <testcase classname="order" name="Paid">
      <system-out>SUCCEEDED  Reserve → Charge</system-out>
    </testcase>
    <testcase classname="order" name="Declined">
      <failure message="error">error:
- Order&lt;&amp;&gt;Refused
+ OrderRefused</failure>
      <system-out>FAILED  Reserve → Charge → Release → Refused</system-out>
    </testcase>
  </testsuite>
</testsuites>
"#;
    assert_eq!(stdout, expected);
}

#[test]
fn resources_of_every_kind_are_mocked_by_the_state_s_name() {
    let folder = tempfile::tempdir().unwrap();
    let resources = [
        "arn:aws:states:::lambda:invoke",
        "arn:aws:states:::states:startExecution.sync:2",
        "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "arn:aws:states:::ecs:runTask.sync",
        "arn:aws:states:::aws-sdk:s3:getObject",
        "arn:aws:states:us-east-1:000000000000:activity:a",
        "arn:aws:lambda:us-east-1:000000000000:function:f",
    ];
    let states = resources.iter().enumerate().map(|(at, resource)| {
        let state = json!({"Type": "Task", "QueryLanguage": "JSONata", "Resource": resource, "End": true,
                           "Arguments": {"at": "{% $states.context.State.Name %}"}});
        json!({"StartAt": format!("S{at}"), "States": {format!("S{at}"): state}})
    });
    let machine = json!({"StartAt": "All", "States": {"All": {
        "Type": "Parallel", "Branches": states.collect::<Vec<_>>(), "End": true}}});
    let mocked: serde_json::Map<String, Value> =
        (0..resources.len()).map(|at| (format!("S{at}"), json!("Ok"))).collect();
    let mocks = json!({
        "StateMachines": {"all": {"TestCases": {"Case": mocked}}},
        "MockedResponses": {"Ok": {"0": {"Return": {"Payload": 1}}}},
    });
    std::fs::write(folder.path().join("all.json"), machine.to_string()).unwrap();
    std::fs::write(folder.path().join("mocks.json"), mocks.to_string()).unwrap();
    let (stdout, stderr, code) =
        run(folder.path(), &["all.json", "--mocks", "mocks.json", "--format", "json"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["cases"][0]["output"], json!(vec![json!({"Payload": 1}); resources.len()]));
    // An Express machine may have none of those that outlive it.
    let (_, stderr, code) = run(folder.path(), &["all.json", "--mocks", "mocks.json", "--type", "EXPRESS"]);
    assert_eq!((code, stderr.contains("Express state machine does not support")), (2, true), "{stderr}");
}

#[test]
fn machines_mocks_and_expectations_may_be_in_other_formats() {
    let folder = tempfile::tempdir().unwrap();
    let machine = r"
StartAt: Look
States:
  Look: {Type: Task, Resource: 'arn:aws:states:::aws-sdk:glue:getJobRun', Next: Done?}
  Done?: {Type: Choice, Choices: [{Variable: $.done, BooleanEquals: true, Next: 'Yes'}], Default: Rest}
  Rest: {Type: Wait, Seconds: 600, Next: Look}
  'Yes': {Type: Succeed}
";
    let mocks = r"
StateMachines: {poll: {TestCases: {Third: {Look: Third}}}}
MockedResponses:
  Third:
    0-1: {Return: {done: false}}  # twice
    '2': {Return: {done: true}}
";
    let expected = r#"{"cases": {"Third": {"output": {"done": true}, /* whatever the path */ }}}"#;
    for (file, text) in [("poll.asl.yaml", machine), ("mocks.yaml", mocks), ("poll.test.jsonc", expected)] {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    let (stdout, stderr, code) = run(folder.path(), &["poll.asl.yaml", "--mocks", "mocks.yaml"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let path = "Look → Done? → Rest → Look → Done? → Rest → Look → Done? → Yes";
    assert_eq!(stdout, format!("ok   poll#Third  SUCCEEDED (1200 s skipped)  {path}\n1 case passed\n"));
}

#[test]
fn the_help_has_an_example() {
    let (stdout, _, code) = run(&examples(), &["--help"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("loveless test order.asl.json --mocks MockConfigFile.json"), "{stdout}");
}
