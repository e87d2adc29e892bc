//! Invoke endpoints elsewhere: one host forwards to another over HTTP, and to nowhere.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lambda::{FunctionConfig, Host, HostOptions, Invoke, InvokeKind, LambdaRest};
use serde_json::json;

use crate::{
    functions::{ACCOUNT, REGION, host, json_of},
    rest::MemoryStore,
};

/// Serves a host's REST calls on a free port.
pub(crate) async fn serve(rest: LambdaRest) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let rest = rest.clone();
            let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let rest = rest.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let response = rest.handle(hyper::Request::from_parts(parts, body)).await;
                    Ok::<_, Infallible>(response.map(Full::new))
                }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    address
}

#[tokio::test]
async fn calls_and_their_answers_pass_through_unchanged() {
    let there = LambdaRest::open(host(), Arc::new(MemoryStore::default())).await.unwrap();
    let url = format!("http://{}", serve(there).await);
    let here = Host::new(HostOptions { default_endpoint: Some(url.clone()), ..HostOptions::default() });
    here.register(FunctionConfig::new("g", url.parse().unwrap(), ACCOUNT, REGION)).unwrap();

    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let echoed = here.invoke(Invoke { log_tail: true, ..Invoke::new(arn, "{\"a\":  1}") }).await.unwrap();
    assert_eq!((echoed.status, json_of(&echoed.payload)), (200, json!({"a": 1})));
    assert_eq!((echoed.executed_version.as_str(), echoed.log_tail.is_some()), ("$LATEST", true));
    assert!(
        echoed.headers.iter().any(|(name, value)| name == "x-amzn-requestid" && *value == echoed.request_id)
    );

    let failed = here.invoke(Invoke::new("f", r#"{"do":"fail"}"#)).await.unwrap();
    assert_eq!(failed.function_error.as_deref(), Some("Unhandled"));
    assert_eq!(json_of(&failed.payload)["errorType"], "OrderNotFound");

    let event = here.invoke(Invoke { kind: InvokeKind::Event, ..Invoke::new("f", "{}") }).await.unwrap();
    assert_eq!((event.status, event.payload), (202, Bytes::new()));

    let unknown = here.invoke(Invoke::new("h", "{}")).await.unwrap_err();
    assert_eq!((unknown.name(), unknown.status()), ("ResourceNotFoundException", 404));
    assert_eq!(
        unknown.to_string(),
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:h:$LATEST"
    );
    assert!(unknown.request_id().is_some());

    // `g` is registered here and runs there under its own name, which is unknown there.
    let unknown = here.invoke(Invoke::new("g", "{}")).await.unwrap_err();
    assert!(unknown.to_string().contains(":function:g:$LATEST"), "{unknown}");
}

#[tokio::test]
async fn a_whole_invocation_url_is_used_as_it_stands() {
    let there = LambdaRest::open(host(), Arc::new(MemoryStore::default())).await.unwrap();
    let url = format!("http://{}/2015-03-31/functions/f/invocations", serve(there).await);
    let here = Host::new(HostOptions::default());
    here.register(FunctionConfig::new("other-name", url.parse().unwrap(), ACCOUNT, REGION)).unwrap();
    let echoed = here.invoke(Invoke::new("other-name", "[1]")).await.unwrap();
    assert_eq!(json_of(&echoed.payload), json!([1]));
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_named() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let here =
        Host::new(HostOptions { default_endpoint: Some(format!("http://{free}")), ..HostOptions::default() });
    let refused = here.invoke(Invoke::new("f", "{}")).await.unwrap_err();
    assert_eq!(refused.name(), "SdkClientException");
    let text = refused.to_string();
    assert!(
        text.starts_with("Unable to execute HTTP request: ") && text.contains(&free.to_string()),
        "{text}"
    );
    assert!(text.contains("refused"), "{text}");
}
