//! A server over a store in memory, and a client that speaks plain HTTP over a socket of its own: it can hang up.

#![expect(dead_code, reason = "every test binary uses its part")]

use std::sync::Arc;

use api::security::Security;
use api::{Server, serve};
use asl::states::task::Resource;
use connect::{BoxFuture, Call, Connector, Outcome};
use serde_json::{Value, json};
use service::{Place, Quotas, Service, ServiceOptions};
use store::EmbeddedStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/r";
pub(crate) const PASS: &str = r#"{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}"#;
pub(crate) const WAIT: &str = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}"#;

/// Nothing is pushed anywhere.
struct Nowhere;

impl Connector for Nowhere {
    fn supports(&self, resource: &Resource) -> bool {
        matches!(resource, Resource::Activity(_))
    }

    fn perform(&self, _: Call) -> BoxFuture<'_, Outcome> {
        Box::pin(async { Outcome::Failed { error: "Nowhere".into(), cause: "".into() } })
    }
}

/// A server that runs.
pub(crate) struct Running {
    pub(crate) port: u16,
    shutdown: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

/// One response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) async fn service() -> Service {
    service_with(Quotas::STRICT).await
}

pub(crate) async fn service_with(quotas: Quotas) -> Service {
    let store = Arc::new(EmbeddedStore::in_memory().unwrap());
    let place = Place { region: "us-east-1".into(), account: "000000000000".into() };
    let options = ServiceOptions { quotas, ..ServiceOptions::new(place) };
    Service::open(store.clone(), store, Arc::new(Nowhere), options).await.unwrap()
}

impl Running {
    pub(crate) async fn start() -> Running {
        Running::of(Server::new(service().await, Security::default())).await
    }

    pub(crate) async fn of(server: Server) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (shutdown, told) = oneshot::channel::<()>();
        let serving = tokio::spawn(serve(listener, server, async {
            let _dropped = told.await;
        }));
        Running { port, shutdown: Some(shutdown), serving }
    }

    /// Tells the server to stop.
    pub(crate) fn stop(&mut self) {
        drop(self.shutdown.take());
    }

    /// Comes back when it has stopped.
    pub(crate) async fn stopped(mut self) {
        self.stop();
        self.serving.await.unwrap();
    }

    /// Sends a request and leaves its connection open.
    pub(crate) async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    pub(crate) async fn ask(&self, request: &str) -> Answer {
        answer(&mut self.send(request).await).await
    }

    /// An operation of Step Functions.
    pub(crate) async fn call(&self, operation: &str, body: Value) -> Answer {
        self.ask(&states(operation, &body.to_string())).await
    }

    /// An operation that succeeds.
    pub(crate) async fn ok(&self, operation: &str, body: Value) -> Value {
        let answer = self.call(operation, body).await;
        assert_eq!(answer.status, 200, "{operation}: {}", answer.body);
        answer.json()
    }

    /// Creates a machine; its ARN.
    pub(crate) async fn machine(&self, name: &str, definition: &str) -> String {
        let created =
            self.ok("CreateStateMachine", json!({"name": name, "definition": definition, "roleArn": ROLE}));
        created.await["stateMachineArn"].as_str().unwrap().to_owned()
    }

    /// Starts an execution; its ARN.
    pub(crate) async fn execution(&self, machine: &str, input: &str) -> String {
        let started = self.ok("StartExecution", json!({"stateMachineArn": machine, "input": input})).await;
        started["executionArn"].as_str().unwrap().to_owned()
    }

    /// Waits until an execution has ended; its description.
    pub(crate) async fn ended(&self, execution: &str) -> Value {
        loop {
            let described = self.ok("DescribeExecution", json!({"executionArn": execution})).await;
            if described["status"] != "RUNNING" {
                return described;
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Status and error code.
    pub(crate) fn error(&self) -> (u16, String) {
        (self.status, self.json()["__type"].as_str().unwrap_or("no error").to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (there, value) = line.split_once(": ")?;
            there.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// The text of a call of Step Functions.
pub(crate) fn states(operation: &str, body: &str) -> String {
    post(
        &format!(
            "X-Amz-Target: AWSStepFunctions.{operation}\r\nContent-Type: application/x-amz-json-1.0\r\n"
        ),
        body,
    )
}

/// The text of a POST to `/`.
pub(crate) fn post(headers: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// Reads one response.
pub(crate) async fn answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        assert_ne!(
            stream.read_buf(&mut bytes).await.unwrap(),
            0,
            "closed: {}",
            String::from_utf8_lossy(&bytes)
        );
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head[9..12].parse().unwrap();
    let mut answer = Answer { status, head, body: String::new() };
    let length: usize = answer.header("content-length").expect("a length").parse().unwrap();
    while bytes.len() < end + length {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "closed in the body");
    }
    answer.body = String::from_utf8(bytes[end..].to_vec()).unwrap();
    answer
}
