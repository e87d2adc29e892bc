//! Unmodified boto3 and AWS CLI against the endpoint, where `LOVELESS_TEST_PYTHON` names a Python that has them: once
//! without credentials configured, once with, when every signature is verified.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use buckets::EndpointConfig;
use support::Server;

async fn run(script: &str, server: &Server, more: &[&str]) {
    let Ok(python) = std::env::var("LOVELESS_TEST_PYTHON") else {
        println!("skipped: LOVELESS_TEST_PYTHON does not name a Python with boto3 and awscli");
        return;
    };
    let script = format!("{}/tests/{script}", env!("CARGO_MANIFEST_DIR"));
    let work = tempfile::tempdir().unwrap();
    let mut command = tokio::process::Command::new(python);
    command.arg(script).arg(server.url()).args(more).current_dir(work.path());
    let run = command.output().await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{out}{err}");
    print!("{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn anyone_is_welcome_without_credentials() {
    run("boto_s3.py", &Server::default().await, &["open"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_are_verified_with_credentials() {
    let secrets = Arc::new(|key: &str| (key == "AKIATEST").then(|| "the secret".to_owned()));
    let config = EndpointConfig { secrets: Some(secrets), ..EndpointConfig::default() };
    let server = Server::start(config).await;
    let unsigned = server.get("/").await;
    unsigned.refused(403, "AccessDenied", "Access Denied");
    run("boto_s3.py", &server, &["verified"]).await;
}
