//! The function under test, and how tests name it. The test program runs itself again as the function: started with
//! `AWS_LAMBDA_RUNTIME_API` set, the test `functions::function` is a `lambda_runtime` loop; else it does nothing.
//! So no test depends on a binary that somebody else must have built.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use bytes::Bytes;
use lambda::{FunctionConfig, Host, HostOptions, Invoke, Invoked, Target};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value, json};

pub(crate) const ACCOUNT: &str = "000000000000";
pub(crate) const REGION: &str = "us-east-1";

/// The arguments that make this program the function.
pub(crate) const FUNCTION_ARGS: [&str; 3] = ["functions::function", "--exact", "--nocapture"];

#[test]
fn function() {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return;
    }
    match std::env::var("INIT").as_deref() {
        Ok("exit") => {
            eprintln!("no database here");
            std::process::exit(7);
        }
        // Longer than any init may take, once; the marker makes the second start quick.
        Ok(marker) if std::fs::File::create_new(marker).is_ok() => {
            std::thread::sleep(Duration::from_secs(3600))
        }
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(lambda_runtime::run(service_fn(handle))).unwrap();
    // The loop ends only with the connection; never fall back into the test harness as a success.
    std::process::exit(1);
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let (event, context) = event.into_parts();
    if let Some(line) = event["print"].as_str() {
        println!("{line}");
    }
    let fail = |error_type: &str, error_message: &str| {
        Err(Diagnostic { error_type: error_type.to_owned(), error_message: error_message.to_owned() })
    };
    match event["do"].as_str().unwrap_or("echo") {
        "echo" => Ok(event),
        "pid" => Ok(json!(std::process::id())),
        "environment" => Ok(json!(std::env::vars().collect::<BTreeMap<_, _>>())),
        "context" => Ok(json!({
            "request_id": context.request_id,
            "deadline": context.deadline,
            "arn": context.invoked_function_arn,
            "trace": context.xray_trace_id,
            "client": context.client_context.map(|client| client.custom),
        })),
        "fail" => fail("OrderNotFound", "no order 7"),
        "panic" => panic!("out of cheese"),
        "exit" => std::process::exit(3),
        "big" => Ok(Value::from("x".repeat(7 * 1024 * 1024))),
        "hog" => {
            // Written to, or the pages would not count.
            let held = vec![1u8; 400 * 1024 * 1024];
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok(json!(held.len()))
        }
        // Tells its own and a child's process id, then waits for the file named `until`.
        "wait" => {
            if let Some(path) = event["pids"].as_str() {
                #[expect(
                    clippy::zombie_processes,
                    reason = "it is killed with the group, which is what is tested"
                )]
                let child = std::process::Command::new("sleep").arg("3600").spawn().expect("sleep is there");
                write_whole(path, &format!("{} {}", std::process::id(), child.id()));
            }
            if let Some(path) = event["began"].as_str() {
                write_whole(path, "");
            }
            while !std::fs::exists(event["until"].as_str().unwrap()).unwrap() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if let Some(path) = event["done"].as_str() {
                write_whole(path, "");
            }
            Ok(json!(std::process::id()))
        }
        other => fail("UnknownBehaviour", other),
    }
}

/// A file that appears with all of its content.
fn write_whole(path: &str, text: &str) {
    let half = format!("{path}.half");
    std::fs::write(&half, text).unwrap();
    std::fs::rename(half, path).unwrap();
}

/// This program as a local function.
pub(crate) fn process(name: &str) -> FunctionConfig {
    let program = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    let target = Target::Process { program, args: FUNCTION_ARGS.map(str::to_owned).into() };
    let mut function = FunctionConfig::new(name, target, ACCOUNT, REGION);
    // Builds with debug information are large and the machine may be busy: not what these tests are about.
    function.timeout_s = 120;
    function.memory_mb = 256;
    function
}

/// A host with this program as function `f`.
pub(crate) fn host() -> Host {
    let host = Host::new(HostOptions::default());
    host.register(process("f")).unwrap();
    host
}

pub(crate) async fn call(host: &Host, event: Value) -> Invoked {
    host.invoke(Invoke::new("f", event.to_string())).await.unwrap()
}

/// The answer of a function that must not fail.
pub(crate) async fn result(host: &Host, event: Value) -> Value {
    let invoked = call(host, event).await;
    assert_eq!(invoked.function_error, None, "{:?}", invoked.payload);
    json_of(&invoked.payload)
}

/// The error of a function that must fail.
pub(crate) async fn error(host: &Host, event: Value) -> Value {
    let invoked = call(host, event).await;
    assert_eq!(invoked.function_error.as_deref(), Some("Unhandled"), "{:?}", invoked.payload);
    assert_eq!(invoked.status, 200);
    json_of(&invoked.payload)
}

pub(crate) fn json_of(payload: &Bytes) -> Value {
    serde_json::from_slice(payload).unwrap_or_else(|error| panic!("{error}: {payload:?}"))
}

/// Waits until something holds. Hangs, and so fails by the test run's own limit, if it never does.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A fresh folder and a function that names files in it.
pub(crate) fn folder() -> (tempfile::TempDir, impl Fn(&str) -> PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    (folder, move |name: &str| path.join(name))
}

/// Whether a process runs (a zombie does not).
pub(crate) fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .and_then(|rest| rest.split_ascii_whitespace().next())
        .is_some_and(|state| state != "Z")
}
