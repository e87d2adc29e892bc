//! Unmodified boto3 and AWS CLI against the operations, over HTTP, where `LOVELESS_TEST_PYTHON` names a Python that has
//! them.

mod support;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use events::{Events, MemoryStore, Place};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use support::Notes;

#[tokio::test]
async fn boto3_and_the_aws_cli() {
    let Ok(python) = std::env::var("LOVELESS_TEST_PYTHON") else {
        println!("skipped: LOVELESS_TEST_PYTHON does not name a Python with boto3 and awscli");
        return;
    };
    let notes = Arc::new(Notes::default());
    let place = Place { region: "us-east-1".into(), account: "000000000000".into() };
    let events = Events::open(place, Arc::new(MemoryStore::default()), notes.clone()).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let events = events.clone();
            let service = service_fn(move |request| answer(events.clone(), request));
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boto_events.py");
    let run = tokio::process::Command::new(python).arg(script).arg(endpoint).output().await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{out}{err}");
    let taken = notes.wait_for(2).await;
    let mut inputs: Vec<&str> = taken.iter().map(|d| d.input.as_str()).collect();
    inputs.sort_unstable();
    assert_eq!(inputs, [r#"{"from": "cli", "order": "7"}"#, r#"{"order":7}"#]);
}

async fn answer(events: Events, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let target = request.headers().get("x-amz-target").and_then(|t| t.to_str().ok()).unwrap_or_default();
    let operation = target.strip_prefix("AWSEvents.").unwrap_or_default().to_owned();
    let body = request.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let (status, body) = match events.handle(&operation, &body).await {
        Ok(body) => (200, body),
        Err(e) => (e.status, serde_json::json!({"__type": e.code, "message": e.message})),
    };
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.1");
    Ok(response.body(Full::new(body.to_string().into())).expect("its status and header are valid"))
}
