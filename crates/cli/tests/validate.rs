//! `loveless validate` as a program: arguments, streams and exit codes. What it says about a definition is compared
//! file by file in the command's own tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Runs the command in the folder with the definitions.
fn validate(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_loveless"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/validate"))
        .arg("validate")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn check(arguments: &[&str], input: &str, code: i32, stdout: &str) -> String {
    let output = validate(arguments, input);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), stdout, "{stderr}");
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    stderr
}

const ORDER: &str = include_str!("validate/order.asl.json.txt");
const TWICE: &str = include_str!("validate/twice.json.txt");
const VALID: &str = include_str!("validate/valid.asl.json.txt");
const VALID_YAML: &str = include_str!("validate/valid.yaml.txt");

#[test]
fn the_exit_code_tells_errors_from_trouble() {
    check(&["valid.asl.json"], "", 0, VALID);
    check(&["valid.asl.json", "--quiet"], "", 0, "");
    check(&["twice.json"], "", 0, TWICE);
    check(&["order.asl.json"], "", 1, ORDER);
    check(&["--type", "express", "valid.asl.json"], "", 0, VALID);
    for arguments in [&[][..], &["--type", "FAST", "valid.asl.json"], &["--format", "xml", "valid.asl.json"]]
    {
        check(arguments, "", 2, "");
    }
}

#[test]
fn every_file_is_checked_also_behind_one_that_cannot_be_read() {
    check(&["order.asl.json", "valid.asl.json", "valid.yaml"], "", 1, &[ORDER, VALID, VALID_YAML].concat());
    let said =
        check(&["absent.json", "order.asl.json", ".", "valid.yaml"], "", 2, &[ORDER, VALID_YAML].concat());
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("error: cannot read absent.json: "), "{said}");
    assert!(lines[1].starts_with("error: cannot read .: "), "{said}");
}

#[test]
fn a_file_in_another_encoding_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("latin.json");
    std::fs::write(&file, b"{\"Comment\": \"caf\xe9\"}").unwrap();
    let name = file.to_str().unwrap();
    let said = check(&[name], "", 2, "");
    assert_eq!(said, format!("error: {name} is not UTF-8 (byte 16): save it in that encoding\n"));
}

#[test]
fn the_standard_input_is_read_as_it_begins() {
    check(&["-"], include_str!("validate/valid.asl.json"), 0, "<stdin>: valid\n");
    check(&["-"], include_str!("validate/valid.yaml"), 0, "<stdin>: valid\n");
    let order = ORDER.replace("order.asl.json", "<stdin>");
    check(&["-"], include_str!("validate/order.asl.json"), 1, &order);
    let said = check(&["-", "-"], "", 2, "");
    assert_eq!(said, "error: the standard input can be read only once: give `-` once\n");
}

#[test]
fn programs_get_one_document() {
    let output =
        validate(&["--format", "json", "wide.json", "twice.json", "commented.json", "absent.json"], "");
    assert_eq!(output.status.code(), Some(2));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["valid"], false);
    let trouble = "cannot read absent.json: No such file or directory (os error 2)";
    assert_eq!(
        report["files"],
        json!([
            {"file": "wide.json", "valid": false},
            {"file": "twice.json", "valid": true},
            {"file": "commented.json", "valid": false},
            {"file": "absent.json", "valid": false, "error": trouble},
        ])
    );
    let diagnostics = report["diagnostics"].as_array().unwrap();
    assert_eq!(
        diagnostics[..3],
        [
            json!({
                "file": "wide.json", "line": 4, "column": 53, "severity": "ERROR", "code": "MISSING_TRANSITION_TARGET",
                "message": "Missing 'Next' target: 終わり", "location": "/States/開始/Next",
            }),
            json!({
                "file": "wide.json", "line": 5, "column": 45, "severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED",
                "message": "Field 'Unknown' is not supported", "location": "/States/e\u{301}",
            }),
            json!({
                "file": "twice.json", "line": 6, "column": 5, "severity": "WARNING", "code": "DUPLICATE_FIELD",
                "message": "Field 'B' is given twice; the last one counts", "location": "/States/B",
            }),
        ]
    );
    assert_eq!(diagnostics.len(), 4);
    let broken = &diagnostics[3];
    assert_eq!((&broken["line"], &broken["column"]), (&json!(2), &json!(19)));
    assert!(broken["location"].as_str().unwrap().ends_with("; line: 2, column: 20]"), "{broken}");
    assert!(broken["help"].as_str().unwrap().contains(".jsonc"), "{broken}");
}

#[test]
fn the_help_has_an_example() {
    let output = validate(&["--help"], "");
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("loveless validate order.asl.json --type EXPRESS"), "{help}");
}
