//! The function under test: this test program itself, when `AWS_LAMBDA_RUNTIME_API` is set.

use std::time::Duration;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value, json};

/// The command that runs this program as the function.
pub(crate) fn command() -> Vec<String> {
    let program = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    vec![program, "functions::function".into(), "--exact".into(), "--nocapture".into()]
}

#[test]
fn function() {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return;
    }
    if std::env::var_os("FAIL_AT_START").is_some() {
        eprintln!("no database here");
        std::process::exit(7);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // It ends with the connection, when a test kills its runner.
    let _ = runtime.block_on(lambda_runtime::run(service_fn(handle)));
    std::process::exit(1);
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let (event, context) = event.into_parts();
    match event["do"].as_str().unwrap_or("echo") {
        "echo" => Ok(event),
        "pid" => Ok(json!(std::process::id())),
        "context" => Ok(json!({
            "arn": context.invoked_function_arn,
            "name": context.env_config.function_name,
            "remaining_ms": context.deadline - now_ms(),
            "endpoint": std::env::var("AWS_ENDPOINT_URL").ok(),
            "handler": std::env::var("_HANDLER").ok(),
        })),
        "fail" => {
            Err(Diagnostic { error_type: "OrderNotFound".to_owned(), error_message: "no order 7".to_owned() })
        }
        "exit" => std::process::exit(3),
        "string" => Ok(Value::from("x".repeat(usize::try_from(event["bytes"].as_u64().unwrap()).unwrap()))),
        // Tells its process id in a file, then waits for another file.
        "wait" => {
            let began = event["began"].as_str().unwrap();
            std::fs::write(format!("{began}.half"), std::process::id().to_string()).unwrap();
            std::fs::rename(format!("{began}.half"), began).unwrap();
            while !std::fs::exists(event["until"].as_str().unwrap()).unwrap() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(json!("waited"))
        }
        other => {
            Err(Diagnostic { error_type: "UnknownBehaviour".to_owned(), error_message: other.to_owned() })
        }
    }
}

fn now_ms() -> u64 {
    lambda::clock::now_ms()
}
