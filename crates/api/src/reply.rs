//! Responses: their one body type, and the few kinds that this crate makes itself.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderName, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde::Serialize;

use crate::errors::WireError;
use crate::receipt::{Pile, Receipt, ReceiptBody};

/// What a body may fail with while it is sent.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a response carries.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// REST-JSON clients read the error's name from this header.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// What an operation answers: JSON, and perhaps something to do once it is written.
pub(crate) struct Reply {
    pub(crate) json: Bytes,
    pub(crate) receipt: Option<Receipt>,
}

impl Reply {
    pub(crate) fn of(value: &impl Serialize) -> Reply {
        let json = serde_json::to_vec(value).expect("replies are plain data with string keys");
        Reply { json: json.into(), receipt: None }
    }

    /// The response of AWS JSON, in the dialect that the request was in.
    pub(crate) fn into_response(self, content_type: HeaderValue, pile: &Pile) -> Response<Body> {
        let body = match self.receipt {
            None => whole(self.json),
            Some(receipt) => {
                let body = ReceiptBody::new(self.json, receipt, pile.clone());
                UnsyncBoxBody::new(body.map_err(|never: Infallible| match never {}))
            }
        };
        respond(StatusCode::OK, content_type, body)
    }
}

/// An error as AWS JSON writes it.
pub(crate) fn json_error(error: &WireError, content_type: HeaderValue) -> Response<Body> {
    let json = serde_json::to_vec(&error.json()).expect("errors are plain data with string keys");
    let mut response = respond(error.status, content_type, whole(json.into()));
    if let Ok(code) = HeaderValue::from_str(&error.code) {
        response.headers_mut().insert(ERROR_TYPE, code);
    }
    response
}

/// A response with a text.
pub(crate) fn text(status: StatusCode, content_type: &'static str, text: String) -> Response<Body> {
    respond(status, HeaderValue::from_static(content_type), whole(text.into()))
}

/// A body that is there already.
pub(crate) fn whole(bytes: Bytes) -> Body {
    UnsyncBoxBody::new(Full::new(bytes).map_err(|never: Infallible| match never {}))
}

/// A text within XML.
pub(crate) fn xml_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML 1.0 has no other control characters, not even escaped ones.
            c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

fn respond(status: StatusCode, content_type: HeaderValue, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
