//! The Runtime API call by call, driven by hand: who may say what when, and the limits.

use bytes::Bytes;
use lambda::{
    failure::ErrorBody,
    runtime_api::{Invocation, Outcome, RESPONSE_BYTES_MAX, RuntimeApi},
};
use serde_json::Value;

struct Runtime {
    base: String,
    client: reqwest::Client,
}

impl Runtime {
    fn of(api: &RuntimeApi) -> Runtime {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Runtime {
            base: format!("http://{}/2018-06-01/runtime", api.address()),
            client: reqwest::Client::new(),
        }
    }

    async fn next(&self) -> reqwest::Response {
        self.client.get(format!("{}/invocation/next", self.base)).send().await.unwrap()
    }

    async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let response = self.client.post(format!("{}/{path}", self.base)).body(body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
    }
}

fn invocation(request_id: &str) -> Invocation {
    Invocation {
        request_id: request_id.to_owned(),
        payload: Bytes::from_static(b"{\"a\": 1}"),
        deadline_ms: 1_700_000_000_123,
        function_arn: "arn:aws:lambda:us-east-1:000000000000:function:f".to_owned(),
        trace_id: "Root=1-0-0".to_owned(),
        client_context: Some("{\"custom\":{}}".to_owned()),
    }
}

#[tokio::test]
async fn an_event_is_taken_answered_and_followed_by_another() {
    let mut api = RuntimeApi::bind().await.unwrap();
    let runtime = Runtime::of(&api);
    for id in ["id-1", "id-2"] {
        let (outcome, ()) = tokio::join!(api.invoke(invocation(id)), async {
            let next = runtime.next().await;
            let header = |name: &str| next.headers()[name].to_str().unwrap().to_owned();
            assert_eq!(header("lambda-runtime-aws-request-id"), id);
            assert_eq!(header("lambda-runtime-deadline-ms"), "1700000000123");
            assert!(header("lambda-runtime-invoked-function-arn").ends_with(":function:f"));
            assert_eq!(header("lambda-runtime-trace-id"), "Root=1-0-0");
            assert_eq!(header("lambda-runtime-client-context"), "{\"custom\":{}}");
            assert_eq!(next.bytes().await.unwrap(), "{\"a\": 1}");
            assert_eq!(runtime.post(&format!("invocation/{id}/response"), "[ 1 ]").await.0, 202);
        });
        assert_eq!(outcome, Outcome::Response(Bytes::from_static(b"[ 1 ]")));
    }
    assert_eq!(api.started().await, Ok(()));
}

#[tokio::test]
async fn a_runtime_out_of_turn_is_told_so() {
    let mut api = RuntimeApi::bind().await.unwrap();
    let runtime = Runtime::of(&api);
    let told = |(status, body): (u16, Value)| (status, body["errorType"].as_str().unwrap_or("").to_owned());
    let expect = |status: u16, error_type: &str| (status, error_type.to_owned());
    assert_eq!(told(runtime.post("invocation/id-1/response", "1").await), expect(400, "InvalidRequestID"));
    let (outcome, ()) = tokio::join!(api.invoke(invocation("id-1")), async {
        runtime.next().await;
        assert_eq!(runtime.next().await.status(), 403);
        assert_eq!(
            told(runtime.post("invocation/id-2/response", "1").await),
            expect(400, "InvalidRequestID")
        );
        assert_eq!(told(runtime.post("invocation/id-2/error", "1").await), expect(400, "InvalidRequestID"));
        assert_eq!(told(runtime.post("init/error", "{}").await), expect(403, "InvalidStateTransition"));
        assert_eq!(told(runtime.post("no/such/call", "{}").await), expect(404, "NotFound"));
        assert_eq!(runtime.post("invocation/id-1/error", r#"{"errorType":"E"}"#).await.0, 202);
        assert_eq!(
            told(runtime.post("invocation/id-1/response", "1").await),
            expect(403, "InvalidStateTransition")
        );
    });
    let error = ErrorBody { error_type: Some("E".into()), body: Bytes::from_static(br#"{"errorType":"E"}"#) };
    assert_eq!(outcome, Outcome::FunctionError(error));
}

#[tokio::test]
async fn the_largest_response_passes_and_one_byte_more_does_not() {
    let mut api = RuntimeApi::bind().await.unwrap();
    let runtime = Runtime::of(&api);
    for (bytes, status) in [(RESPONSE_BYTES_MAX, 202), (RESPONSE_BYTES_MAX + 1, 413)] {
        let (outcome, ()) = tokio::join!(api.invoke(invocation("id-1")), async {
            runtime.next().await;
            assert_eq!(runtime.post("invocation/id-1/response", vec![b'1'; bytes]).await.0, status);
        });
        match outcome {
            Outcome::Response(body) => assert_eq!((body.len(), status), (bytes, 202)),
            other => assert_eq!((other, status), (Outcome::ResponseTooLarge, 413)),
        }
    }
}

#[tokio::test]
async fn an_init_error_reaches_who_waits_and_who_invokes() {
    let mut api = RuntimeApi::bind().await.unwrap();
    let runtime = Runtime::of(&api);
    let body = r#"{"errorMessage":"no module","errorType":"Runtime.ImportModuleError"}"#;
    let (started, posted) = tokio::join!(api.started(), runtime.post("init/error", body));
    assert_eq!(posted.0, 202);
    let error = started.unwrap_err();
    assert_eq!(error.error_type.as_deref(), Some("Runtime.ImportModuleError"));
    assert_eq!(api.invoke(invocation("id-1")).await, Outcome::InitError(error));
}

#[tokio::test]
async fn a_poll_that_breaks_off_loses_no_event() {
    let mut api = RuntimeApi::bind().await.unwrap();
    let runtime = Runtime::of(&api);
    {
        let poll = tokio::spawn({
            let runtime = Runtime::of(&api);
            async move { runtime.next().await.status() }
        });
        api.started().await.unwrap();
        poll.abort();
        assert!(poll.await.is_err());
    }
    assert!(api.was_taken(), "nothing is offered yet");
    let (outcome, ()) = tokio::join!(api.invoke(invocation("id-1")), async {
        // A broken connection is noticed late or not at all; the event may have gone down with it. Then the runtime
        // is told that it has an event already, as on Lambda; it never runs twice.
        let status = runtime.next().await.status().as_u16();
        assert!(status == 200 || status == 403, "{status}");
        assert_eq!(runtime.post("invocation/id-1/response", "1").await.0, 202);
    });
    assert_eq!(outcome, Outcome::Response(Bytes::from_static(b"1")));
}
