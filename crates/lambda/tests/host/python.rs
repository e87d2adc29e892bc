//! Real awslambdaric functions, and the Python that tests use: `LOVELESS_TEST_PYTHON`, which the project's test
//! command sets to one with awslambdaric and boto3. Without it these tests say why they do not run.

use std::process::Command;

use lambda::{FunctionConfig, Host, HostOptions, Target};
use serde_json::json;

use crate::functions::{ACCOUNT, REGION, call, error, json_of, result};

/// The Python to test with, if there is one that has the module.
pub(crate) fn python(module: &str) -> Option<String> {
    let Ok(python) = std::env::var("LOVELESS_TEST_PYTHON") else {
        println!("skipped: LOVELESS_TEST_PYTHON names no Python with {module}");
        return None;
    };
    let found = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    println!("skipped: {python} has no module {module}");
    None
}

/// Runs a script with dummy credentials; its assertions are the test's.
pub(crate) async fn run_script(python: &str, script: &str, environment: &[(&str, &str)]) {
    let output = tokio::process::Command::new(python)
        .args(["-c", script])
        .envs([
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ])
        .envs(environment.iter().copied())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const APP: &str = r#"
import os, sys

class OrderNotFound(Exception):
    pass

def handler(event, context):
    if event.get("do") == "raise":
        raise OrderNotFound("no order 7")
    if event.get("do") == "exit":
        sys.exit(4)
    if event.get("do") == "big":
        return "x" * (7 * 1024 * 1024)
    return {"event": event, "name": context.function_name, "memory": context.memory_limit_in_mb,
            "remaining": context.get_remaining_time_in_millis() > 0, "root": os.environ["LAMBDA_TASK_ROOT"]}
"#;

fn host_of(python: &str, folder: &std::path::Path, handler: &str) -> Host {
    std::fs::write(folder.join("app.py"), APP).unwrap();
    let args = ["-m", "awslambdaric", handler].map(str::to_owned).into();
    let target = Target::Process { program: python.to_owned(), args };
    let mut function = FunctionConfig::new("f", target, ACCOUNT, REGION);
    function.timeout_s = 120;
    function.memory_mb = 512;
    function.image_config.working_directory = Some(folder.to_str().unwrap().to_owned());
    let host = Host::new(HostOptions::default());
    host.register(function).unwrap();
    host
}

#[tokio::test]
async fn awslambdaric_answers_fails_and_recovers() {
    let Some(python) = python("awslambdaric") else { return };
    let folder = tempfile::tempdir().unwrap();
    let host = host_of(&python, folder.path(), "app.handler");
    let answer = result(&host, json!({"a": 1})).await;
    let root = folder.path().to_str().unwrap();
    let expected = json!({"event": {"a": 1}, "name": "f", "memory": "512", "remaining": true, "root": root});
    assert_eq!(answer, expected);

    let raised = error(&host, json!({"do": "raise"})).await;
    assert_eq!(
        (&raised["errorType"], &raised["errorMessage"]),
        (&json!("OrderNotFound"), &json!("no order 7"))
    );
    assert!(raised["stackTrace"].as_array().is_some_and(|trace| !trace.is_empty()), "{raised}");
    let raw = call(&host, json!({"do": "raise"})).await.payload;
    assert!(
        raw.starts_with(b"{\"errorMessage\": \"no order 7\""),
        "the function's own spacing is kept: {raw:?}"
    );

    let exited = error(&host, json!({"do": "exit"})).await;
    assert_eq!(exited["errorType"], "Runtime.ExitError", "{exited}");
    let big = error(&host, json!({"do": "big"})).await;
    assert_eq!(big["errorType"], "Function.ResponseSizeTooLarge");
    assert_eq!(result(&host, json!({"b": 2})).await["event"], json!({"b": 2}));
}

#[tokio::test]
async fn awslambdaric_reports_a_module_that_is_not_there() {
    let Some(python) = python("awslambdaric") else { return };
    let folder = tempfile::tempdir().unwrap();
    let host = host_of(&python, folder.path(), "absent.handler");
    let invoked = call(&host, json!({})).await;
    let failed = json_of(&invoked.payload);
    assert_eq!(failed["errorType"], "Runtime.ImportModuleError", "{failed}");
    assert!(failed["errorMessage"].as_str().unwrap().contains("No module named 'absent'"), "{failed}");
}
