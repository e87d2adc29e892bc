//! The S3 endpoint as an HTTP handler: a request in, a response out, whatever server calls it.
//!
//! The protocol (routing, XML, SigV4) is `s3s`'s; what S3 means here is `protocol`. This file joins them: whom to believe
//! (configured credentials, or anyone), where the bucket's name stands, the request's id, and errors that always carry a
//! text.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::error::{Error, default_message};
use crate::host::Hosts;
use crate::outbox::Caller;
use crate::protocol::{Protocol, s3_error};
use crate::store::Buckets;
use crate::unsigned;

/// What a response carries.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Finds the secret of an access key; `None` means that the key is unknown.
pub type Secrets = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// How the endpoint presents itself.
#[derive(Clone)]
pub struct EndpointConfig {
    /// The region that buckets are in. In `us-east-1`, as on AWS, creating one's own bucket again succeeds.
    pub region: String,
    /// The account that owns everything, and the requester in events.
    pub account: String,
    /// Domains below which a host name is a bucket (virtual-host style), besides `localhost`.
    pub domains: Vec<String>,
    /// With it every request must be signed by a known key; without it every request is accepted.
    pub secrets: Option<Secrets>,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            account: "000000000000".into(),
            domains: Vec::new(),
            secrets: None,
        }
    }
}

/// Where a request came from; the server puts it into the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

/// The endpoint. Clones share everything.
#[derive(Clone)]
pub struct Endpoint {
    service: S3Service,
    account: String,
    verifies: bool,
}

impl Buckets {
    /// The S3 endpoint over this store.
    #[must_use]
    pub fn endpoint(&self, config: EndpointConfig) -> Endpoint {
        let EndpointConfig { region, account, domains, secrets } = config;
        let protocol = Protocol { store: Arc::clone(&self.inner), region, account: account.clone() };
        let mut builder = S3ServiceBuilder::new(protocol);
        builder.set_host(Hosts::new(domains));
        let verifies = secrets.is_some();
        if let Some(secrets) = secrets {
            builder.set_auth(Known(secrets));
            builder.set_access(Signed);
        }
        Endpoint { service: builder.build(), account, verifies }
    }
}

impl Endpoint {
    /// Answers one request. Failures are S3 error documents; there is no other kind.
    pub async fn call<B>(&self, mut request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        // As AWS writes them: upper-case hexadecimal.
        let request_id = uuid::Uuid::new_v4().simple().to_string()[..16].to_ascii_uppercase();
        let source_ip = request.extensions().get::<PeerAddress>().map_or(LOCAL, |peer| peer.0);
        let caller = Caller {
            request_id: request_id.clone(),
            requester: self.account.clone(),
            source_ip: source_ip.to_string(),
        };
        request.extensions_mut().insert(caller);
        let resource = request.uri().path().to_owned();
        let prepared = if self.verifies {
            Ok(request.map(s3s::Body::http_body_unsync))
        } else {
            unsigned::accept(request)
        };
        let response = match prepared {
            Ok(request) => match self.service.call(request).await {
                Ok(response) => response,
                Err(error) => refusal(S3Error::with_source(S3ErrorCode::InternalError, error.into())),
            },
            Err(error) => refusal(s3_error(error)),
        };
        let mut response = finish(response, &resource, &request_id).await;
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert("x-amz-request-id", id);
        }
        response
    }
}

const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

struct Known(Secrets);

#[async_trait::async_trait]
impl S3Auth for Known {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match (self.0)(access_key) {
            Some(secret) => Ok(SecretKey::from(secret)),
            None => Err(S3Error::new(S3ErrorCode::InvalidAccessKeyId)),
        }
    }
}

/// Everyone who signs may do everything; nobody else may do anything.
struct Signed;

#[async_trait::async_trait]
impl S3Access for Signed {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        match request.credentials() {
            Some(_) => Ok(()),
            None => Err(S3Error::new(S3ErrorCode::AccessDenied)),
        }
    }
}

fn refusal(error: S3Error) -> s3s::HttpResponse {
    error.to_http_response().unwrap_or_else(|_| {
        let mut response = Response::new(s3s::Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// Boxes the body; completes error documents with text, resource and request id.
async fn finish(response: s3s::HttpResponse, resource: &str, request_id: &str) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if parts.status == StatusCode::NOT_MODIFIED {
        return Response::from_parts(parts, boxed(Bytes::new()));
    }
    if !parts.status.is_client_error() && !parts.status.is_server_error() {
        return Response::from_parts(parts, UnsyncBoxBody::new(body));
    }
    let document = match body.collect().await {
        Ok(whole) => whole.to_bytes(),
        // An error document is in memory already.
        Err(_) => Bytes::new(),
    };
    let document = completed(&String::from_utf8_lossy(&document), resource, request_id);
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    Response::from_parts(parts, boxed(Bytes::from(document)))
}

fn boxed(bytes: Bytes) -> Body {
    UnsyncBoxBody::new(Full::new(bytes).map_err(|never: Infallible| match never {}))
}

fn completed(document: &str, resource: &str, request_id: &str) -> String {
    let code = document.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    let code = code.map_or("InternalError", |(code, _)| code);
    let message = document.split_once("<Message>").and_then(|(_, rest)| rest.split_once("</Message>"));
    let message = message.map_or(default_message(code), |(message, _)| message);
    let resource = resource.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
         <Resource>{resource}</Resource><RequestId>{request_id}</RequestId></Error>"
    )
}

/// The caller that [`Endpoint::call`] put into the request.
pub(crate) fn caller_of(extensions: &http::Extensions) -> Result<Caller, Error> {
    let caller = extensions.get::<Caller>().cloned();
    caller.ok_or_else(|| Error::InvalidRequest("The request did not come through the endpoint.".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_documents_are_completed() {
        let bare = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code></Error>";
        let full = completed(bare, "/b/<k>&", "ID");
        assert!(full.contains("<Message>The request signature we calculated does not match"), "{full}");
        assert!(
            full.contains("<Resource>/b/&lt;k&gt;&amp;</Resource><RequestId>ID</RequestId></Error>"),
            "{full}"
        );
        let given = "<Error><Code>NoSuchKey</Code><Message>gone &amp; lost</Message></Error>";
        assert!(completed(given, "/", "ID").contains("<Message>gone &amp; lost</Message>"));
    }
}
