//! The other two modes of the same entry point, and what cannot be a mode.

use serde_json::{Value, json};

use crate::process::{emulator, folder, program};

/// Invokes the emulator: status, error mark, body.
async fn invoke(url: &str, payload: impl Into<reqwest::Body>) -> (u16, bool, Value) {
    let tls = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).build().unwrap();
    let response = client.post(url).body(payload).send().await.unwrap();
    let (status, failed) =
        (response.status().as_u16(), response.headers().contains_key("x-amz-function-error"));
    (status, failed, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

#[tokio::test]
async fn under_lambda_it_becomes_the_function() {
    let mut command = program();
    command.env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001").env("ACTIVITY_ARN", "not even read");
    let output = command
        .args(["sh", "-c", "echo $AWS_LAMBDA_RUNTIME_API $0 $1", "-x", "--flag"])
        .output()
        .await
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "127.0.0.1:9001 -x --flag\n");
    let mut command = program();
    let output = command
        .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
        .arg("/no/such/program")
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot run /no/such/program"));
}

#[tokio::test]
async fn what_is_no_activity_is_refused_in_words() {
    let output = program().env("ACTIVITY_ARN", "resize").arg("/fn").output().await.unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("'resize' is no activity: expected arn:aws:states:"), "{text}");
}

#[tokio::test]
async fn aws_without_credentials_is_refused_in_words() {
    let arn = "arn:aws:states:us-west-2:123456789012:activity:resize";
    let output = program().env("ACTIVITY_ARN", arn).arg("/fn").output().await.unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("https://states.us-west-2.amazonaws.com needs credentials"), "{text}");
}

#[tokio::test]
async fn alone_it_answers_invocations_on_a_port() {
    let (runner, url) = emulator(&[]).await;
    assert_eq!(invoke(&url, r#"{"a":1}"#).await, (200, false, json!({"a": 1})));
    assert_eq!(invoke(&url, "").await, (200, false, json!({})));
    let (first, second) = tokio::join!(invoke(&url, r#"{"do":"pid"}"#), invoke(&url, r#"{"do":"pid"}"#));
    assert_eq!(first, second, "one process, one invocation at a time");
    let (status, failed, body) = invoke(&url, r#"{"do":"fail"}"#).await;
    assert_eq!((status, failed, &body["errorType"]), (200, true, &json!("OrderNotFound")));
    let (_, failed, body) = invoke(&url, r#"{"do":"exit"}"#).await;
    assert_eq!((failed, &body["errorType"]), (true, &json!("Runtime.ExitError")));
    assert_eq!(invoke(&url, r#"{"b":2}"#).await, (200, false, json!({"b": 2})));
    let elsewhere = url.replace("/invocations", "/configuration");
    assert_eq!(invoke(&elsewhere, "").await.0, 404);
    assert_eq!(invoke(&url, vec![b' '; 6 * 1024 * 1024 + 1]).await.0, 413);
    runner.signal("-TERM");
    assert!(runner.ended().await);
}

#[tokio::test]
async fn a_port_ends_what_takes_too_long() {
    let (_folder, path) = folder();
    let (_runner, url) = emulator(&["--deadline", "1"]).await;
    let event = json!({"do": "wait", "began": path("began"), "until": path("never")});
    let (status, failed, body) = invoke(&url, event.to_string()).await;
    assert_eq!((status, failed), (200, true));
    assert!(body["errorMessage"].as_str().unwrap().ends_with("Task timed out after 1.00 seconds"), "{body}");
    assert_eq!(invoke(&url, r#"{"b":2}"#).await.2, json!({"b": 2}));
}
