//! Where a request goes, and in which protocol an error is told.
//!
//! One port stands for every service, so a request is recognised by what its protocol puts into it:
//!
//! | what it has | who answers |
//! |--|--|
//! | path `/_loveless/health` (no bucket can be named so) | this file |
//! | `X-Amz-Target: AWSStepFunctions.…` | [`crate::operations`] |
//! | `X-Amz-Target: Loveless.…` | operations of our own, likewise |
//! | `X-Amz-Target: AWSEvents.…` | the events handler |
//! | `X-Amz-Target: Logs_20140328.…` | the logs handler |
//! | a path under `/2015-03-31/` | the Lambda handler |
//! | at `/`, an `Action` in a form or in the query | [`crate::query`] |
//! | everything else | the fallback, which is S3 |

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::json;
use service::Quotas;
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::errors::WireError;
use crate::operations::{Call, perform, perform_own};
use crate::query::{self, Caller, Form};
use crate::receipt::Pile;
use crate::reply::{self, Body, Reply, json_error, whole, xml_escaped};
use crate::security::{Payload, SignatureError, verify};
use crate::server::{Handler, Parties, StreamHandler};

/// Where the server says that it is well. Bucket names have no underscore.
const HEALTH: &str = "/_loveless/health";
/// Lambda's REST calls.
const LAMBDA: &str = "/2015-03-31/";
const STEP_FUNCTIONS: &str = "AWSStepFunctions.";
/// What Step Functions does not have.
const OWN: &str = "Loveless.";
const EVENTS: &str = "AWSEvents.";
const LOGS: &str = "Logs_20140328.";
const TARGET: &str = "x-amz-target";
const JSON_1_0: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
const JSON_1_1: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The body of an AWS JSON request: 1 MiB for its longest member, and AWS's allowance for what is around it.
const JSON_BYTES_MAX: usize = 1_049_600;
/// The body of a Lambda call: a payload of 6 MiB, as on AWS, and some room for the members around an image's name.
const LAMBDA_BYTES_MAX: usize = 6 * 1024 * 1024 + 64 * 1024;
/// The body of an STS or IAM call. Policies are the largest thing in one, and AWS allows them 10 KiB.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// A body that is read whole must arrive in this time, or a slow client could hold its memory for ever. Streamed
/// bodies (S3) may take as long as they keep coming.
const BODY_READ_MAX: Duration = Duration::from_secs(60);

/// Where a request goes.
enum Route {
    Health,
    StepFunctions {
        operation: String,
        /// Whether it is one of our own.
        own: bool,
    },
    Events(Handler),
    Logs(Handler),
    Lambda(Handler),
    Form,
    Fallback(StreamHandler),
    /// Nobody answers it; the text says why.
    Nobody(WireError),
}

/// The protocol that an error is told in.
#[derive(Clone)]
enum Dialect {
    Json(HeaderValue),
    Query,
    S3,
}

/// What a request has around it: its connection, its id, its time.
pub(crate) struct Around<'a> {
    pub(crate) parties: &'a Parties,
    pub(crate) stopping: &'a CancellationToken,
    pub(crate) pile: &'a Pile,
}

/// Answers one request.
pub(crate) async fn answer(around: &Around<'_>, request: Request<Incoming>) -> Response<Body> {
    let request_id = uuid::Uuid::new_v4().to_string();
    let mut response = route(around, request, &request_id).await;
    if !response.headers().contains_key(&REQUEST_ID)
        && let Ok(id) = HeaderValue::from_str(&request_id)
    {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

async fn route(around: &Around<'_>, request: Request<Incoming>, request_id: &str) -> Response<Body> {
    let (head, body) = request.into_parts();
    let route = Route::of(&head, around.parties);
    let dialect = route.dialect(&head);
    if let Err(intrusion) = around.parties.guard.admit(&head) {
        let code = "AccessDeniedException";
        return dialect.error(
            intrusion.status(),
            [code, "AccessDenied", "AccessDenied"],
            &intrusion.to_string(),
            request_id,
        );
    }
    let bytes_max = match &route {
        Route::Health => return health(&head, around.parties.service.time_scale()),
        Route::Fallback(handler) => {
            return match signed_by(around, &head, Payload::Declared) {
                Ok(_) => handler(Request::from_parts(head, body)).await,
                Err(error) => signature_error(&dialect, &error, request_id),
            };
        }
        Route::Nobody(error) => return closing(json_error(error, dialect.content_type())),
        Route::StepFunctions { .. } => json_bytes_max(around.parties.service.quotas()),
        Route::Events(_) | Route::Logs(_) => JSON_BYTES_MAX,
        Route::Lambda(_) => LAMBDA_BYTES_MAX,
        Route::Form => FORM_BYTES_MAX,
    };
    let body = match read_body(&head.headers, body, bytes_max).await {
        Ok(body) => body,
        Err(error) => {
            let codes = [&*error.code; 3];
            return closing(dialect.error(error.status, codes, &error.message, request_id));
        }
    };
    let access_key = match signed_by(around, &head, Payload::Whole(&body)) {
        Ok(access_key) => access_key,
        Err(error) => return signature_error(&dialect, &error, request_id),
    };
    match route {
        Route::StepFunctions { operation, own } => {
            let performed = performed(around, &head, &operation, own, &body).await;
            step_functions(around, &operation, performed, &dialect)
        }
        Route::Events(handler) | Route::Logs(handler) | Route::Lambda(handler) => {
            handler(Request::from_parts(head, body)).await.map(whole)
        }
        Route::Form => {
            let signed = around.parties.credentials.as_ref().zip(access_key.as_deref());
            let place = around.parties.service.place();
            let caller = Caller { place, signed, now_ms: now_ms(), request_id };
            query::answer(&Form::read(head.uri.query().unwrap_or_default(), &body), &caller)
        }
        Route::Health | Route::Fallback(_) | Route::Nobody(_) => {
            unreachable!("answered before the body was read")
        }
    }
}

impl Route {
    fn of(head: &Parts, parties: &Parties) -> Route {
        let path = head.uri.path();
        if path == HEALTH {
            return Route::Health;
        }
        if let Some(target) = head.headers.get(TARGET) {
            return Route::of_target(&String::from_utf8_lossy(target.as_bytes()), parties);
        }
        if path.starts_with(LAMBDA) {
            return match &parties.lambda {
                Some(handler) => Route::Lambda(handler.clone()),
                None => Route::Nobody(WireError::unknown_operation("This server has no Lambda functions")),
            };
        }
        let content_type = content_type(&head.headers);
        let posted = head.method == Method::POST && path == "/";
        let asks =
            head.uri.query().is_some_and(|query| query.split('&').any(|part| part.starts_with("Action=")));
        if path == "/" && (asks || posted && content_type == "application/x-www-form-urlencoded") {
            return Route::Form;
        }
        if posted
            && (content_type.starts_with("application/x-amz-json") || content_type == "application/json")
        {
            return Route::Nobody(WireError::unknown_operation("The X-Amz-Target header is missing"));
        }
        match &parties.fallback {
            Some(handler) => Route::Fallback(handler.clone()),
            None => Route::Nobody(WireError::unknown_operation("This server does not answer such requests")),
        }
    }

    fn of_target(target: &str, parties: &Parties) -> Route {
        if let Some(operation) = target.strip_prefix(STEP_FUNCTIONS) {
            return Route::StepFunctions { operation: operation.to_owned(), own: false };
        }
        if let Some(operation) = target.strip_prefix(OWN) {
            return Route::StepFunctions { operation: operation.to_owned(), own: true };
        }
        match (&parties.events, &parties.logs) {
            (Some(handler), _) if target.starts_with(EVENTS) => Route::Events(handler.clone()),
            (_, Some(handler)) if target.starts_with(LOGS) => Route::Logs(handler.clone()),
            _ => Route::Nobody(WireError::unknown_operation(format!(
                "Loveless does not answer the X-Amz-Target '{target}'"
            ))),
        }
    }

    fn dialect(&self, head: &Parts) -> Dialect {
        match self {
            Route::Form => Dialect::Query,
            Route::Fallback(_) => Dialect::S3,
            Route::Lambda(_) | Route::Health => Dialect::Json(JSON),
            Route::StepFunctions { .. } | Route::Events(_) | Route::Logs(_) | Route::Nobody(_) => {
                Dialect::Json(json_type(head))
            }
        }
    }
}

impl Dialect {
    /// An error by its names in the three protocols: JSON, query, S3.
    fn error(&self, status: StatusCode, codes: [&str; 3], message: &str, request_id: &str) -> Response<Body> {
        let [json_code, query_code, s3_code] = codes;
        match self {
            Dialect::Json(content_type) => {
                let code = Cow::Owned(json_code.to_owned());
                let error = WireError { code, status, message: message.into(), extra: None };
                json_error(&error, content_type.clone())
            }
            Dialect::Query => query::error(status, query_code, message, request_id),
            Dialect::S3 => {
                let document = format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{s3_code}</Code><Message>{}</Message>\
                     <RequestId>{request_id}</RequestId></Error>",
                    xml_escaped(message)
                );
                closing(reply::text(status, "application/xml", document))
            }
        }
    }

    fn content_type(&self) -> HeaderValue {
        match self {
            Dialect::Json(content_type) => content_type.clone(),
            Dialect::Query | Dialect::S3 => JSON,
        }
    }
}

async fn performed(
    around: &Around<'_>,
    head: &Parts,
    operation: &str,
    own: bool,
    body: &[u8],
) -> Result<Reply, WireError> {
    let trace_header =
        head.headers.get("x-amzn-trace-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let call = Call { service: &around.parties.service, stopping: around.stopping, trace_header };
    if own { perform_own(&call, operation, body).await } else { perform(&call, operation, body).await }
}

fn step_functions(
    around: &Around<'_>,
    operation: &str,
    performed: Result<Reply, WireError>,
    dialect: &Dialect,
) -> Response<Body> {
    match performed {
        Ok(reply) => reply.into_response(dialect.content_type(), around.pile),
        Err(error) => {
            if error.status.is_server_error() {
                tracing::error!(operation, message = error.message, "an operation failed");
            }
            json_error(&error, dialect.content_type())
        }
    }
}

/// How long a body may be: more than AWS's if payloads may be longer than there, with room for quotes that are escaped.
fn json_bytes_max(quotas: &Quotas) -> usize {
    let longer = quotas.limits.payload_bytes_max.saturating_sub(Quotas::STRICT.limits.payload_bytes_max);
    JSON_BYTES_MAX + 2 * longer
}

fn health(head: &Parts, time_scale: f64) -> Response<Body> {
    if !matches!(head.method, Method::GET | Method::HEAD) {
        let error = WireError::new("MethodNotAllowed", format!("{HEALTH} answers GET and HEAD only"));
        return closing(json_error(&error.with_status(StatusCode::METHOD_NOT_ALLOWED), JSON));
    }
    let mut state = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")});
    if time_scale < 1.0 {
        // Whoever wonders why waits are short shall find it here.
        state["timeScale"] = json!(time_scale);
    }
    reply::text(StatusCode::OK, "application/json", state.to_string())
}

/// Reads a body of at most so many bytes.
async fn read_body(headers: &HeaderMap, body: Incoming, bytes_max: usize) -> Result<Bytes, WireError> {
    let too_large = || {
        let message = format!("HTTP content length exceeded {bytes_max} bytes.");
        WireError::new("RequestEntityTooLargeException", message).with_status(StatusCode::PAYLOAD_TOO_LARGE)
    };
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > bytes_max as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_READ_MAX, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => {
            Err(WireError::serialization(format!("The request's body could not be read: {error}")))
        }
        Err(_) => {
            let message =
                format!("The request's body did not arrive within {} seconds", BODY_READ_MAX.as_secs());
            Err(WireError::new("RequestTimeoutException", message).with_status(StatusCode::REQUEST_TIMEOUT))
        }
    }
}

/// The access key that signed a request, where signatures are asked for.
fn signed_by(
    around: &Around<'_>,
    head: &Parts,
    payload: Payload<'_>,
) -> Result<Option<String>, SignatureError> {
    let Some(credentials) = &around.parties.credentials else { return Ok(None) };
    verify(credentials, head, payload, now_ms()).map(Some)
}

/// How a bad signature is told: its names in JSON, query and S3, its status, its text.
fn signature_error(dialect: &Dialect, error: &SignatureError, request_id: &str) -> Response<Body> {
    use SignatureError as E;
    let (codes, status, text): (_, _, Cow<'_, str>) = match error {
        E::Missing => (
            ["MissingAuthenticationTokenException", "MissingAuthenticationToken", "AccessDenied"],
            StatusCode::FORBIDDEN,
            "Missing Authentication Token".into(),
        ),
        E::Incomplete(why) => (
            ["IncompleteSignatureException", "IncompleteSignature", "AuthorizationHeaderMalformed"],
            StatusCode::BAD_REQUEST,
            why.into(),
        ),
        E::UnknownKey => (
            ["UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"],
            StatusCode::FORBIDDEN,
            "The security token included in the request is invalid.".into(),
        ),
        E::ExpiredToken => (
            ["ExpiredTokenException", "ExpiredToken", "ExpiredToken"],
            StatusCode::FORBIDDEN,
            "The security token included in the request is expired".into(),
        ),
        E::Skewed(why) => (
            ["InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"],
            StatusCode::FORBIDDEN,
            why.into(),
        ),
        E::PresignedExpired => (
            ["InvalidSignatureException", "SignatureDoesNotMatch", "AccessDenied"],
            StatusCode::FORBIDDEN,
            "Request has expired".into(),
        ),
        E::HeadersNotSigned(names) => (
            ["InvalidSignatureException", "SignatureDoesNotMatch", "AccessDenied"],
            StatusCode::FORBIDDEN,
            format!("There were headers present in the request which were not signed: {names}").into(),
        ),
        E::Mismatch => (
            ["InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch"],
            StatusCode::FORBIDDEN,
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
             Key and signing method. Consult the service documentation for details."
                .into(),
        ),
    };
    dialect.error(status, codes, &text, request_id)
}

/// The dialect of AWS JSON that a request is in.
fn json_type(head: &Parts) -> HeaderValue {
    if content_type(&head.headers) == "application/x-amz-json-1.1" { JSON_1_1 } else { JSON_1_0 }
}

/// The type of a body without its parameters.
fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// A response after which the connection closes, because its request may not have been read.
fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
