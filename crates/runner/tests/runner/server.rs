//! A Step Functions server that hands out the tasks it is given, keeps every call, and answers as it is told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use hmac::{Hmac, Mac};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

pub(crate) const ACTIVITY: &str = "arn:aws:states:us-west-2:123456789012:activity:resize";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// One call as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) body: Value,
}

/// How calls of an operation are answered, in order; afterwards with success.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// Status 400 with this error.
    Refuse(&'static str),
    /// Status 500 without a body.
    Break,
    /// The connection closes without an answer.
    HangUp,
}

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    tasks: VecDeque<(String, Value)>,
    calls: Vec<Call>,
    scripts: Vec<(String, Answer)>,
    polls_open: usize,
    polls_open_max: usize,
}

/// Counts an open poll, also when its connection breaks.
struct OpenPoll<'a>(&'a Server);

impl Drop for OpenPoll<'_> {
    fn drop(&mut self) {
        self.0.state().polls_open -= 1;
    }
}

impl Server {
    pub(crate) async fn start() -> Server {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Server { url, state: Arc::default(), changed: Arc::default() };
        let shared = server.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let server = shared.clone();
                let service = service_fn(move |request| {
                    let server = server.clone();
                    async move { server.answer(request).await.ok_or("hang up") }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        server
    }

    /// Queues a task; its token is its name.
    pub(crate) fn task(&self, name: &str, input: Value) {
        self.state().tasks.push_back((name.to_owned(), input));
        self.changed.notify_waiters();
    }

    /// Tells how the next call of an operation is answered; several queue up.
    pub(crate) fn script(&self, operation: &str, answer: Answer) {
        self.state().scripts.push((operation.to_owned(), answer));
    }

    /// Waits for a call and gives it.
    pub(crate) async fn called(&self, operation: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let found = self.calls(operation).into_iter().find(|call| is_it(&call.body));
            if let Some(call) = found {
                return call.body;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits for the report of a task: its operation and body.
    pub(crate) async fn report(&self, token: &str) -> Value {
        loop {
            let reports = self.reports(token);
            if let Some(report) = reports.last() {
                return report.clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Every report of a task so far.
    pub(crate) fn reports(&self, token: &str) -> Vec<Value> {
        let is_report =
            |call: &&Call| call.operation != "SendTaskHeartbeat" && call.body["taskToken"] == token;
        self.state().calls.iter().filter(is_report).map(|call| call.body.clone()).collect()
    }

    pub(crate) fn calls(&self, operation: &str) -> Vec<Call> {
        self.state().calls.iter().filter(|call| call.operation == operation).cloned().collect()
    }

    pub(crate) fn polls_open(&self) -> usize {
        self.state().polls_open
    }

    pub(crate) fn polls_open_max(&self) -> usize {
        self.state().polls_open_max
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn answer(&self, request: Request<Incoming>) -> Option<Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        check_signature(&parts.headers, &body);
        let target = parts.headers["x-amz-target"].to_str().unwrap();
        let operation = target.strip_prefix("AWSStepFunctions.").unwrap().to_owned();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let script = {
            let mut state = self.state();
            let found = state.scripts.iter().position(|(scripted, _)| *scripted == operation);
            let answer = found.map(|at| state.scripts.remove(at).1);
            // What was not heard was not said: it does not count as a call.
            if !matches!(answer, Some(Answer::Break | Answer::HangUp)) {
                state.calls.push(Call { operation: operation.clone(), body: body.clone() });
            }
            answer
        };
        match script {
            Some(Answer::HangUp) => None,
            Some(Answer::Break) => Some(response(500, String::new())),
            Some(Answer::Refuse(name)) => {
                let body = json!({"__type": format!("com.amazonaws.states#{name}"), "message": "scripted"});
                Some(response(400, body.to_string()))
            }
            None if operation == "GetActivityTask" => Some(self.poll(&body).await),
            None => Some(response(200, "{}".to_owned())),
        }
    }

    async fn poll(&self, body: &Value) -> Response<Full<Bytes>> {
        assert_eq!(body["activityArn"], ACTIVITY);
        {
            let mut state = self.state();
            state.polls_open += 1;
            state.polls_open_max = state.polls_open_max.max(state.polls_open);
        }
        let _open = OpenPoll(self);
        // Sixty seconds at AWS; here a poll may well come back empty within a test.
        for _ in 0..100 {
            let task = self.state().tasks.pop_front();
            if let Some((token, input)) = task {
                return response(200, json!({"taskToken": token, "input": input.to_string()}).to_string());
            }
            let _ = tokio::time::timeout(Duration::from_millis(10), self.changed.notified()).await;
        }
        response(200, json!({"taskToken": null, "input": null}).to_string())
    }
}

fn response(status: u16, body: String) -> Response<Full<Bytes>> {
    let headers = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    headers.body(Full::new(body.into())).unwrap()
}

/// Computes the request's SigV4 signature from what came over the wire, and compares.
fn check_signature(headers: &HeaderMap, body: &[u8]) {
    let header = |name: &str| headers[name].to_str().unwrap();
    let authorization = header("authorization").strip_prefix("AWS4-HMAC-SHA256 ").unwrap();
    let part = |name: &str| authorization.split(", ").find_map(|part| part.strip_prefix(name)).unwrap();
    let (scope, signed, signature) =
        (part("Credential=AKIDEXAMPLE/"), part("SignedHeaders="), part("Signature="));
    let at = header("x-amz-date");
    assert_eq!(scope, format!("{}/us-west-2/states/aws4_request", &at[..8]));
    assert_eq!(header("x-amz-security-token"), "the-session");
    assert!(
        signed.split(';').any(|name| name == "x-amz-security-token") && signed.contains("host"),
        "{signed}"
    );
    let canonical_headers: String =
        signed.split(';').map(|name| format!("{name}:{}\n", header(name).trim())).collect();
    let sha256 = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    let canonical = format!("POST\n/\n\n{canonical_headers}\n{signed}\n{}", sha256(body));
    let to_sign = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let hmac = |key: &[u8], text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let key = format!("AWS4{SECRET}").into_bytes();
    let key = scope.split('/').fold(key, |key, text| hmac(&key, text));
    assert_eq!(hex::encode(hmac(&key, &to_sign)), signature);
}
