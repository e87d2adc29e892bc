//! The Lambda Runtime API for one sandbox: a listener of its own, one invocation at a time.
//!
//! ```text
//!   invoke(…) ── Offered ──► GET …/invocation/next   (long poll of the function's runtime)
//!                Running ◄── POST …/invocation/{id}/response | error
//!   outcome  ◄── Answered ─► GET …/invocation/next   (ready for another)
//! ```
//!
//! It knows HTTP and whose turn it is; it starts no process, keeps no time, and reads nothing into a payload. A
//! sandbox that is not at its turn gets Lambda's 400 or 403, so that a confused runtime fails the way it would there.
//!
//! One listener a sandbox, rather than one for all with a token in the path: the variable that names it,
//! `AWS_LAMBDA_RUNTIME_API`, is `host:port` and runtimes append fixed paths to it.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot, watch},
    task::{AbortHandle, JoinSet},
};

use crate::failure::{self, ErrorBody};

/// Largest response of a function, in bytes (AWS: 6 MiB and 100 bytes).
pub const RESPONSE_BYTES_MAX: usize = 6 * 1024 * 1024 + 100;
/// A response over the limit is read on to here before it is refused, so that the runtime, which writes before it
/// reads, sees the 413 rather than a broken pipe.
const DRAIN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One event for the function.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Unique id, as the function sees it.
    pub request_id: String,
    /// JSON text.
    pub payload: Bytes,
    /// Moment at which the function is stopped, in milliseconds since 1970.
    pub deadline_ms: u64,
    /// ARN by which the function was invoked.
    pub function_arn: String,
    /// X-Ray trace header.
    pub trace_id: String,
    /// JSON text of the caller's client context.
    pub client_context: Option<String>,
}

/// What the runtime said about its invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The function's result.
    Response(Bytes),
    /// The function failed.
    FunctionError(ErrorBody),
    /// The result was over [`RESPONSE_BYTES_MAX`]; the runtime was told 413 and may exit.
    ResponseTooLarge,
    /// The runtime reported that it could not start the function.
    InitError(ErrorBody),
}

/// How far the runtime has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has not yet asked for an event.
    Starting,
    /// It asked for its first event: the function's own start-up is over.
    Ready,
    /// It reported an error of its start-up.
    Failed(ErrorBody),
}

/// The Runtime API of one sandbox. Dropping it closes the listener and every connection.
#[derive(Debug)]
pub struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Listener,
}

/// Keeps the listener and its connections open. Who kills a runtime holds one until it is dead, so that it does not
/// see its connection break and complain about that in the function's log.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    _open: Arc<AbortOnDrop>,
}

#[derive(Debug)]
struct AbortOnDrop(AbortHandle);

#[derive(Debug)]
struct Shared {
    turn: Mutex<Turn>,
    offered: Notify,
    phase: watch::Sender<Phase>,
}

#[derive(Debug)]
enum Turn {
    /// Nothing to run.
    Idle,
    Offered(Invocation, oneshot::Sender<Outcome>),
    Running(String, oneshot::Sender<Outcome>),
    /// The runtime answered the invocation of this id and has not asked for another.
    Answered(String),
    /// The runtime gave up before its first event.
    Failed(ErrorBody),
}

impl RuntimeApi {
    /// Opens a listener on a free port of the loopback interface.
    pub async fn bind() -> std::io::Result<RuntimeApi> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (phase, _) = watch::channel(Phase::Starting);
        let shared = Arc::new(Shared { turn: Mutex::new(Turn::Idle), offered: Notify::new(), phase });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        let listener = Listener { _open: Arc::new(AbortOnDrop(accepting)) };
        Ok(RuntimeApi { address, shared, listener })
    }

    /// `host:port`, for `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn listener(&self) -> Listener {
        self.listener.clone()
    }

    /// Waits until the runtime has asked for its first event or reported that it cannot start.
    pub async fn started(&self) -> Result<(), ErrorBody> {
        let mut phase = self.shared.phase.subscribe();
        let reached = phase.wait_for(|phase| *phase != Phase::Starting).await;
        match reached.as_deref() {
            Ok(Phase::Failed(error)) => Err(error.clone()),
            Ok(Phase::Ready | Phase::Starting) => Ok(()),
            Err(_) => unreachable!("the sender lives in self.shared"),
        }
    }

    /// Offers an invocation and waits for its outcome. One at a time: the caller owns the sandbox.
    ///
    /// Dropping the future abandons the invocation; the sandbox must then be discarded, since the runtime may be in
    /// the middle of it.
    pub async fn invoke(&mut self, invocation: Invocation) -> Outcome {
        let (outcome, answer) = oneshot::channel();
        {
            let mut turn = self.shared.turn();
            if let Turn::Failed(error) = &*turn {
                return Outcome::InitError(error.clone());
            }
            *turn = Turn::Offered(invocation, outcome);
        }
        self.shared.offered.notify_one();
        answer
            .await
            .expect("the turn keeps the sender until it answers, and &mut self lets nobody replace it")
    }

    /// Whether the runtime has taken the last invocation: if not, nothing of it has run.
    pub fn was_taken(&self) -> bool {
        !matches!(&*self.shared.turn(), Turn::Offered(..))
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Shared {
    /// The turn. A panic elsewhere cannot leave it half written: every change is one assignment.
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of file descriptors: the runtime's connect fails or waits, and its sandbox's limits end it.
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                };
                let _ = stream.set_nodelay(true);
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let shared = Arc::clone(&shared);
                        async move { Ok::<_, Infallible>(answer(&shared, request).await) }
                    });
                    let served = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                    if let Err(error) = served {
                        tracing::debug!(%error, "a runtime's connection ended");
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let Some(call) = path.strip_prefix("/2018-06-01/runtime/") else { return not_found(&path) };
    let words: Vec<&str> = call.split('/').collect();
    match (request.method(), words.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => next(shared).await,
        (&Method::POST, ["invocation", id, "response"]) => respond(shared, id, request).await,
        (&Method::POST, ["invocation", id, "error"]) => respond_error(shared, id, request).await,
        (&Method::POST, ["init", "error"]) => init_error(shared, request).await,
        _ => not_found(&path),
    }
}

/// The long poll. If the runtime closes the connection, this future is dropped with the event still offered.
async fn next(shared: &Shared) -> Response<Full<Bytes>> {
    loop {
        let offered = shared.offered.notified();
        {
            let mut turn = shared.turn();
            match std::mem::replace(&mut *turn, Turn::Idle) {
                Turn::Offered(invocation, outcome) => {
                    *turn = Turn::Running(invocation.request_id.clone(), outcome);
                    drop(turn);
                    shared.phase.send_if_modified(became_ready);
                    return event(invocation);
                }
                Turn::Running(id, outcome) => {
                    *turn = Turn::Running(id, outcome);
                    return invalid_state("Running", "Ready");
                }
                Turn::Failed(error) => {
                    *turn = Turn::Failed(error);
                    return invalid_state("InitError", "Ready");
                }
                Turn::Idle | Turn::Answered(_) => {}
            }
        }
        shared.phase.send_if_modified(became_ready);
        offered.await;
    }
}

fn became_ready(phase: &mut Phase) -> bool {
    let first = *phase == Phase::Starting;
    if first {
        *phase = Phase::Ready;
    }
    first
}

fn event(invocation: Invocation) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(invocation.payload));
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &str| {
        // A value that no header can hold (a control character in a client's context) is left out.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("content-type", "application/json");
    set("lambda-runtime-aws-request-id", &invocation.request_id);
    set("lambda-runtime-deadline-ms", &invocation.deadline_ms.to_string());
    set("lambda-runtime-invoked-function-arn", &invocation.function_arn);
    set("lambda-runtime-trace-id", &invocation.trace_id);
    if let Some(context) = &invocation.client_context {
        set("lambda-runtime-client-context", context);
    }
    response
}

async fn respond(shared: &Shared, id: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if let Some(refusal) = out_of_turn(shared, id, "InvocationResponse") {
        return refusal;
    }
    let posted = match Posted::read(request).await {
        Ok(posted) => posted,
        Err(TooLarge) => {
            return finish(shared, id, Outcome::ResponseTooLarge, too_large());
        }
    };
    let outcome = match posted.streamed_error() {
        Some(error) => Outcome::FunctionError(error),
        None => Outcome::Response(posted.body),
    };
    finish(shared, id, outcome, accepted())
}

async fn respond_error(shared: &Shared, id: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if let Some(refusal) = out_of_turn(shared, id, "InvocationErrorResponse") {
        return refusal;
    }
    match Posted::read(request).await {
        Ok(posted) => finish(shared, id, Outcome::FunctionError(posted.error()), accepted()),
        Err(TooLarge) => finish(shared, id, Outcome::ResponseTooLarge, too_large()),
    }
}

async fn init_error(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if *shared.phase.borrow() != Phase::Starting {
        return invalid_state("Ready", "InitError");
    }
    let Ok(posted) = Posted::read(request).await else { return too_large() };
    let error = posted.error();
    let offered = std::mem::replace(&mut *shared.turn(), Turn::Failed(error.clone()));
    if let Turn::Offered(_, outcome) = offered {
        // The receiver is gone if the caller gave up; then nobody is left to tell.
        let _ = outcome.send(Outcome::InitError(error.clone()));
    }
    shared.phase.send_replace(Phase::Failed(error));
    accepted()
}

/// Hands the outcome to the caller if the invocation is still the one that runs.
fn finish(
    shared: &Shared,
    id: &str,
    outcome: Outcome,
    reply: Response<Full<Bytes>>,
) -> Response<Full<Bytes>> {
    let mut turn = shared.turn();
    match std::mem::replace(&mut *turn, Turn::Answered(id.to_owned())) {
        Turn::Running(running, caller) if running == id => {
            // The receiver is gone if the caller gave up; then nobody is left to tell.
            let _ = caller.send(outcome);
            reply
        }
        other => {
            *turn = other;
            invalid_state("Answered", "InvocationResponse")
        }
    }
}

/// The refusal for a runtime that answers what it was not asked.
fn out_of_turn(shared: &Shared, id: &str, wanted: &str) -> Option<Response<Full<Bytes>>> {
    match &*shared.turn() {
        Turn::Running(running, _) if running == id => None,
        Turn::Answered(answered) if answered == id => Some(invalid_state("Answered", wanted)),
        _ => Some(refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")),
    }
}

/// What a runtime posted: the body, and headers and trailers as one map.
struct Posted {
    headers: HeaderMap,
    body: Bytes,
}

struct TooLarge;

impl Posted {
    async fn read(request: Request<Incoming>) -> Result<Posted, TooLarge> {
        let (parts, mut body) = request.into_parts();
        let mut headers = parts.headers;
        let (mut held, mut seen) = (Vec::new(), 0usize);
        // A body that breaks off counts as far as it came: the runtime's exit will be reported by its sandbox.
        while let Some(Ok(frame)) = body.frame().await {
            match frame.into_data() {
                Ok(data) => {
                    seen += data.len();
                    if seen <= RESPONSE_BYTES_MAX {
                        held.extend_from_slice(&data);
                    } else if seen > DRAIN_BYTES_MAX {
                        break;
                    }
                }
                Err(frame) => headers.extend(frame.into_trailers().unwrap_or_default()),
            }
        }
        if seen > RESPONSE_BYTES_MAX { Err(TooLarge) } else { Ok(Posted { headers, body: held.into() }) }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn error(self) -> ErrorBody {
        let error_type = self.header("lambda-runtime-function-error-type").map(str::to_owned);
        ErrorBody::posted(self.body, error_type)
    }

    /// The error that a streamed response ended with, named in its trailers.
    fn streamed_error(&self) -> Option<ErrorBody> {
        let error_type = self.header("lambda-runtime-function-error-type")?;
        let body = self.header("lambda-runtime-function-error-body").and_then(failure::from_base64);
        Some(ErrorBody::posted(body.unwrap_or_default(), Some(error_type.to_owned())))
    }
}

fn accepted() -> Response<Full<Bytes>> {
    reply(StatusCode::ACCEPTED, json!({"status": "OK"}))
}

fn too_large() -> Response<Full<Bytes>> {
    let text = format!("Exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes).");
    refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &text)
}

fn invalid_state(from: &str, to: &str) -> Response<Full<Bytes>> {
    let text = format!(
        "State transition from {from} to {to} failed for runtime. Error: State transition is not allowed"
    );
    refuse(StatusCode::FORBIDDEN, "InvalidStateTransition", &text)
}

fn not_found(path: &str) -> Response<Full<Bytes>> {
    refuse(StatusCode::NOT_FOUND, "NotFound", &format!("{path} is no call of the Runtime API 2018-06-01"))
}

fn refuse(status: StatusCode, error_type: &str, message: &str) -> Response<Full<Bytes>> {
    reply(status, json!({"errorMessage": message, "errorType": error_type}))
}

fn reply(status: StatusCode, body: serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
