//! The image by itself: `POST /2015-03-31/functions/function/invocations` on a port, as AWS's runtime interface
//! emulator answers it, for trying a function with curl.
//!
//! One invocation at a time; others wait for it. Errors come with status 200 and the error as body, as there; unlike
//! there, `X-Amz-Function-Error` marks them and a timeout is JSON, so that a caller can tell failure from success.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use lambda::{
    failure::ErrorBody,
    runtime_api::Outcome,
    sandbox::{Ending, Sandbox},
};
use serde_json::json;
use tokio::{net::TcpListener, sync::Mutex};
use tokio_util::task::TaskTracker;

use crate::{
    options::{Options, set},
    runtime::Runtime,
    shutdown::Stages,
};

/// Largest payload, in bytes (AWS: 6 MB).
const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Time for an invocation, unless `--deadline` or `AWS_LAMBDA_FUNCTION_TIMEOUT` says otherwise (the emulator's own).
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(300);
/// Time for killed processes to be gone at the end.
const GONE_MAX: Duration = Duration::from_secs(5);

struct Emulator {
    runtime: Runtime,
    timeout: Duration,
    warm: Mutex<Option<Sandbox>>,
}

/// Serves until the drain is over.
pub(crate) async fn run(options: &Options, stages: Stages) -> Result<(), String> {
    let seconds = set("AWS_LAMBDA_FUNCTION_TIMEOUT").and_then(|seconds| seconds.parse().ok());
    let timeout = options.deadline().or(seconds.map(Duration::from_secs)).unwrap_or(TIMEOUT_DEFAULT);
    let watchers = TaskTracker::new();
    let runtime = Runtime::new(options, None, watchers.clone());
    let emulator = Arc::new(Emulator { runtime, timeout, warm: Mutex::default() });
    let unavailable = |error: std::io::Error| format!("cannot listen on {}: {error}", options.listen);
    let listener = TcpListener::bind(options.listen).await.map_err(unavailable)?;
    let address = listener.local_addr().map_err(unavailable)?;
    tracing::info!("listening on http://{address}/2015-03-31/functions/function/invocations");
    let requests = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stages.draining.cancelled() => break,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors: wait for some to come back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (emulator, requests) = (Arc::clone(&emulator), requests.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let emulator = Arc::clone(&emulator);
                // The drain waits for requests, not for connections that are kept open without one.
                let answer = requests.track_future(async move { emulator.answer(request).await });
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let served =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = served.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
    requests.close();
    tokio::select! {
        () = requests.wait() => {}
        () = stages.killed.cancelled() => {}
    }
    // If a request is still at work it holds the process; the end of this program then kills it.
    if let Ok(mut warm) = emulator.warm.try_lock() {
        drop(warm.take());
        watchers.close();
        let _ = tokio::time::timeout(GONE_MAX, watchers.wait()).await;
    }
    Ok(())
}

impl Emulator {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let is_invocation = path.starts_with("/2015-03-31/functions/") && path.ends_with("/invocations");
        if request.method() != Method::POST || !is_invocation {
            let text = "POST /2015-03-31/functions/function/invocations is all that is answered here";
            return refuse(StatusCode::NOT_FOUND, text);
        }
        let body = match Limited::new(request.into_body(), PAYLOAD_BYTES_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                let text = format!("the payload is over {PAYLOAD_BYTES_MAX} bytes");
                return refuse(StatusCode::PAYLOAD_TOO_LARGE, &text);
            }
            Err(error) => return refuse(StatusCode::BAD_REQUEST, &format!("the payload broke off: {error}")),
        };
        let payload = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
        match self.invoke(payload).await {
            Ok(payload) => reply(StatusCode::OK, payload),
            Err(ErrorBody { body, .. }) => {
                let mut response = reply(StatusCode::OK, body);
                let value = HeaderValue::from_static("Unhandled");
                response.headers_mut().insert("x-amz-function-error", value);
                response
            }
        }
    }

    async fn invoke(&self, payload: Bytes) -> Result<Bytes, ErrorBody> {
        let request_id = uuid::Uuid::new_v4().to_string();
        let mut warm = self.warm.lock().await;
        let mut sandbox = match warm.take().filter(Sandbox::is_alive) {
            Some(sandbox) => sandbox,
            None => self.runtime.start().await.map_err(|failed| failed.error(&request_id))?,
        };
        let mut invocation = self.runtime.invocation(&request_id, payload);
        invocation.deadline_ms =
            lambda::clock::now_ms() + u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX / 2);
        let ending = sandbox.invoke(invocation, Some(self.timeout)).await;
        match ending {
            Ending::Answered(Outcome::Response(payload)) => {
                *warm = Some(sandbox);
                Ok(payload)
            }
            Ending::Answered(Outcome::FunctionError(error)) => {
                *warm = Some(sandbox);
                Err(error)
            }
            Ending::Answered(Outcome::InitError(error)) => Err(error),
            Ending::Answered(Outcome::ResponseTooLarge) => Err(ErrorBody::response_too_large()),
            Ending::Exited { exit, .. } => Err(ErrorBody::exited(&request_id, &exit)),
            Ending::TimedOut => Err(ErrorBody::timed_out(&request_id, self.timeout)),
        }
    }
}

fn refuse(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    reply(status, json!({"Type": "User", "Message": message}).to_string().into())
}

fn reply(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
