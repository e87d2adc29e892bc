//! An Invoke endpoint elsewhere: another Lambda service, a runtime interface emulator, a colleague's server.
//!
//! It knows the Invoke call over HTTP from the caller's side. It does not sign: the endpoints that it is meant for ask
//! for no signature. It retries nothing: the caller's own Retry decides, as with a function here.

use std::{error::Error, sync::OnceLock, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::{
    function::LATEST,
    invoke::{Invoke, InvokeError, InvokeKind, Invoked},
};

/// Time to connect. An endpoint that takes longer is not there.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Time for the whole call: the longest function and a minute for what is around it.
const CALL_MAX: Duration = Duration::from_secs(900 + 60);
/// Largest answer that is read: the largest response of a function, and room for an error around it.
const ANSWER_BYTES_MAX: usize = crate::runtime_api::RESPONSE_BYTES_MAX + 64 * 1024;

/// Invokes functions elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Endpoint {
    /// Made at the first use: it reads the machine's certificates, which most hosts never need.
    client: OnceLock<Result<reqwest::Client, String>>,
}

/// An error in Lambda's REST shape; other services use the small letter.
#[derive(Deserialize)]
struct Refusal {
    #[serde(alias = "Message", alias = "errorMessage")]
    message: Option<String>,
}

impl Endpoint {
    pub(crate) fn new() -> Endpoint {
        Endpoint::default()
    }

    /// Sends the call and reads the answer as the caller of a local function would get it.
    pub(crate) async fn invoke(
        &self,
        url: &str,
        function: &str,
        invoke: &Invoke,
        request_id: &str,
    ) -> Result<Invoked, InvokeError> {
        let url = invocation_url(url, function, invoke.qualifier.as_deref())?;
        let unreachable = |problem: String| InvokeError::SdkClient { problem: format!("{url}: {problem}") };
        let client =
            self.client.get_or_init(client).as_ref().map_err(|problem| unreachable(problem.clone()))?;
        let mut request = client
            .post(url.clone())
            .header("content-type", "application/json")
            .header("x-amz-invocation-type", invoke.kind.name())
            .header("amz-sdk-invocation-id", request_id)
            .body(invoke.payload.clone());
        if invoke.log_tail {
            request = request.header("x-amz-log-type", "Tail");
        }
        if let Some(context) = &invoke.client_context {
            request = request.header("x-amz-client-context", context);
        }
        if let Some(trace) = &invoke.trace {
            request = request.header("x-amzn-trace-id", trace);
        }
        let response = request.send().await.map_err(|error| unreachable(innermost(&error)))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read(response).await.map_err(unreachable)?;
        if status.is_success() {
            Ok(invoked(status, &headers, body, request_id, invoke.kind))
        } else {
            Err(refusal(status, &headers, &body))
        }
    }
}

fn client() -> Result<reqwest::Client, String> {
    // Another part of the program may have chosen a provider; either serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(CONNECT_MAX)
        .timeout(CALL_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| innermost(&error))
}

/// `URL/2015-03-31/functions/NAME/invocations`, or the URL as it stands if it has a path.
fn invocation_url(base: &str, function: &str, qualifier: Option<&str>) -> Result<reqwest::Url, InvokeError> {
    let mut url: reqwest::Url = base
        .parse()
        .map_err(|error| InvokeError::SdkClient { problem: format!("'{base}' is not a URL: {error}") })?;
    if url.path() == "/" {
        let no_host = || InvokeError::SdkClient { problem: format!("'{base}' cannot have a path") };
        let mut path = url.path_segments_mut().map_err(|()| no_host())?;
        path.clear().extend(["2015-03-31", "functions", function, "invocations"]);
    }
    if let Some(qualifier) = qualifier {
        url.query_pairs_mut().append_pair("Qualifier", qualifier);
    }
    Ok(url)
}

async fn read(mut response: reqwest::Response) -> Result<Bytes, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| innermost(&error))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(format!("its answer is over {ANSWER_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

fn invoked(
    status: StatusCode,
    headers: &HeaderMap,
    payload: Bytes,
    request_id: &str,
    kind: InvokeKind,
) -> Invoked {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let waited = kind == InvokeKind::RequestResponse;
    Invoked {
        status: status.as_u16(),
        payload,
        function_error: text("x-amz-function-error").filter(|_| waited),
        executed_version: text("x-amz-executed-version").unwrap_or_else(|| LATEST.to_owned()),
        log_tail: text("x-amz-log-result"),
        request_id: text("x-amzn-requestid").unwrap_or_else(|| request_id.to_owned()),
        headers: headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect(),
    }
}

fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> InvokeError {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    // Some services append a namespace after a colon.
    let name = text("x-amzn-errortype").and_then(|name| name.split(':').next().map(str::to_owned));
    let said = serde_json::from_slice::<Refusal>(body).ok().and_then(|refusal| refusal.message);
    let unnamed = if status.is_server_error() { "ServiceException" } else { "AWSLambdaException" };
    InvokeError::Remote {
        name: name.unwrap_or_else(|| unnamed.to_owned()),
        status: status.as_u16(),
        message: said.unwrap_or_else(|| String::from_utf8_lossy(&body[..body.len().min(1000)]).into_owned()),
        request_id: text("x-amzn-requestid"),
    }
}

/// The last cause of an error: "connection refused" says more than "error sending request".
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_names_the_function_unless_it_has_a_path() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        let cases = [
            ("http://h:1", "f", None, "http://h:1/2015-03-31/functions/f/invocations"),
            ("http://h:1/", arn, None, &*format!("http://h:1/2015-03-31/functions/{arn}/invocations")),
            (
                "http://h:1",
                "f",
                Some("$LATEST"),
                "http://h:1/2015-03-31/functions/f/invocations?Qualifier=%24LATEST",
            ),
            ("http://h:1/2015-03-31/functions/function/invocations", "f", None, {
                "http://h:1/2015-03-31/functions/function/invocations"
            }),
        ];
        for (base, function, qualifier, url) in cases {
            assert_eq!(invocation_url(base, function, qualifier).unwrap().as_str(), url);
        }
        assert_eq!(invocation_url("nowhere", "f", None).unwrap_err().name(), "SdkClientException");
    }

    #[test]
    fn refusals_keep_their_name_and_text() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amzn-errortype", "ResourceNotFoundException:http://x/".parse().unwrap());
        headers.insert("x-amzn-requestid", "id-1".parse().unwrap());
        let body = br#"{"Type":"User","Message":"Function not found: f"}"#;
        let refused = refusal(StatusCode::NOT_FOUND, &headers, body);
        assert_eq!((refused.name(), refused.status()), ("ResourceNotFoundException", 404));
        assert_eq!(
            (refused.to_string(), refused.request_id()),
            ("Function not found: f".to_owned(), Some("id-1"))
        );
        let plain = refusal(StatusCode::BAD_GATEWAY, &HeaderMap::new(), b"no upstream");
        assert_eq!((plain.name(), plain.to_string()), ("ServiceException", "no upstream".to_owned()));
    }
}
