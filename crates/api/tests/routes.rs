//! One port for many protocols, and who is let in.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod support;

use std::sync::Arc;
use std::time::SystemTime;

use api::security::{Credentials, Security};
use api::{Body, BoxError, Peer, Server};
use aws_credential_types::Credentials as SigningCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use support::{Answer, Running, post, service, states};
use tokio::io::AsyncReadExt;

/// A server whose other services say who they are and what they got.
async fn server(security: Security) -> Running {
    let handler = |name: &'static str| -> api::Handler {
        Arc::new(move |request: Request<Bytes>| {
            Box::pin(async move {
                assert!(request.extensions().get::<Peer>().is_some());
                let text = format!("{name} {} {} {:?}", request.method(), request.uri(), request.body());
                Response::new(Bytes::from(text))
            })
        })
    };
    let fallback: api::StreamHandler = Arc::new(|request| {
        Box::pin(async move {
            let uri = request.uri().clone();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let text = format!("s3 {uri} {}", body.len());
            let body: Body = UnsyncBoxBody::new(
                Full::new(Bytes::from(text)).map_err(|never| -> BoxError { match never {} }),
            );
            Response::new(body)
        })
    });
    let server = Server::new(service().await, security);
    Running::of(server.with_lambda(handler("lambda")).with_events(handler("events")).with_fallback(fallback))
        .await
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

#[tokio::test]
async fn every_protocol_finds_its_service() {
    let server = server(Security::default()).await;
    let form = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n";
    let json_1_1 = "Content-Type: application/x-amz-json-1.1\r\n";
    let large = "x".repeat(2_000_000);
    #[rustfmt::skip]
    let cases = [
        (get("/_loveless/health"), 200, "{\"status\":\"ok\""),
        (states("ListStateMachines", "{}"), 200, "{\"stateMachines\":[]}"),
        (states("ListStateMachines", ""), 200, "{\"stateMachines\":[]}"),
        (post(&format!("X-Amz-Target: AWSEvents.PutRule\r\n{json_1_1}"), "{}"), 200, "events POST / b\"{}\""),
        (post(&format!("X-Amz-Target: AmazonSSM.GetParameter\r\n{json_1_1}"), "{}"), 400, "{\"__type\":\"UnknownOperationException\""),
        (post(json_1_1, "{}"), 400, "{\"__type\":\"UnknownOperationException\""),
        (get("/2015-03-31/functions/f?Qualifier=1"), 200, "lambda GET /2015-03-31/functions/f?Qualifier=1"),
        (post(form, "Action=GetCallerIdentity&Version=2011-06-15"), 200, "<GetCallerIdentityResponse"),
        (get("/?Action=GetCallerIdentity"), 200, "<GetCallerIdentityResponse"),
        (post(form, "Action=ListQueues"), 400, "<ErrorResponse"),
        (get("/"), 200, "s3 / 0"),
        (get("/bucket/key?list-type=2"), 200, "s3 /bucket/key?list-type=2 0"),
        (post("", &large), 200, "s3 / 2000000"),
        (states("CreateStateMachine", &large), 413, "{\"__type\":\"RequestEntityTooLargeException\""),
        (post("X-Amz-Target: AWSStepFunctions.ListStateMachines\r\nTransfer-Encoding: chunked\r\n", "").replace("Content-Length: 0\r\n", "") + "zz\r\n", 400, "{\"__type\":\"SerializationException\""),
    ];
    for (request, status, start) in cases {
        let answer = server.ask(&request).await;
        let shown = &request[..request.len().min(200)];
        assert_eq!(answer.status, status, "{shown}: {}", answer.body);
        assert!(answer.body.starts_with(start), "{shown}: {}", answer.body);
        assert!(answer.header("x-amzn-requestid").is_some_and(|id| id.len() == 36), "{shown}");
    }
}

#[tokio::test]
async fn an_answer_is_in_the_dialect_of_its_request() {
    let server = server(Security::default()).await;
    for version in ["application/x-amz-json-1.0", "application/x-amz-json-1.1"] {
        for (operation, status) in [("ListStateMachines", 200), ("Nonsense", 400)] {
            let headers =
                format!("X-Amz-Target: AWSStepFunctions.{operation}\r\nContent-Type: {version}\r\n");
            let answer = server.ask(&post(&headers, "{}")).await;
            assert_eq!((answer.status, answer.header("content-type")), (status, Some(version)));
        }
    }
}

#[tokio::test]
async fn foreign_names_and_pages_are_refused_everywhere() {
    let server = server(Security::default()).await;
    for request in [
        states("ListStateMachines", "{}"),
        get("/bucket/key"),
        get("/2015-03-31/functions"),
        get("/_loveless/health"),
    ] {
        let foreign_host = request.replace("Host: localhost", "Host: evil.example");
        let foreign_page =
            request.replace("Host: localhost", "Host: localhost\r\nOrigin: http://evil.example");
        for refused in [foreign_host, foreign_page] {
            let answer = server.ask(&refused).await;
            assert_eq!(answer.status, 403, "{refused}: {}", answer.body);
            assert!(answer.body.contains("evil.example"), "{}", answer.body);
        }
        let synced = server.ask(&request.replace("Host: localhost", "Host: sync-127.0.0.1")).await;
        assert_eq!(synced.status, 200);
    }
    let nameless = server.ask("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(nameless.status, 400);
}

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

fn credentials() -> Credentials {
    let mut credentials = Credentials::default();
    credentials.insert(KEY, "secret", None);
    credentials
}

/// Signs a request as AWS's clients do, now; the text to send.
#[expect(clippy::disallowed_methods, reason = "the server holds signatures against the real time")]
fn signed(request: Request<&str>, service: &str, secret: &str) -> String {
    let identity = SigningCredentials::new(KEY, secret, None, None, "test").into();
    let mut settings = SigningSettings::default();
    if service == "s3" {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name(service)
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let mut request = request;
    request.headers_mut().insert("host", "localhost".parse().unwrap());
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let uri = format!("http://localhost{}", request.uri());
    let body = SignableBody::Bytes(request.body().as_bytes());
    let signable = SignableRequest::new(request.method().as_str(), uri, headers, body).unwrap();
    sign(signable, &params).unwrap().into_parts().0.apply_to_request_http1x(&mut request);
    let mut text = format!(
        "{} {} HTTP/1.1\r\ncontent-length: {}\r\n",
        request.method(),
        request.uri(),
        request.body().len()
    );
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    format!("{text}\r\n{}", request.body())
}

#[tokio::test]
async fn with_credentials_every_call_is_signed() {
    let server = server(Security { credentials: Some(credentials()), ..Security::default() }).await;
    let states_call = || {
        Request::post("/").header("x-amz-target", "AWSStepFunctions.ListStateMachines").body("{}").unwrap()
    };
    let events_call = || Request::post("/").header("x-amz-target", "AWSEvents.PutRule").body("{}").unwrap();
    let lambda_call = || Request::get("/2015-03-31/functions/arn%3Af").body("").unwrap();
    let sts_call = || {
        let form = "Action=GetSessionToken&Version=2011-06-15";
        Request::post("/").header("content-type", "application/x-www-form-urlencoded").body(form).unwrap()
    };
    let s3_call = || Request::put("/bucket/k%20y").body("body").unwrap();
    type Make<'a> = &'a dyn Fn() -> Request<&'static str>;
    #[rustfmt::skip]
    let cases: [(Make<'_>, &str, &str, &str); 5] = [
        (&states_call, "states", "MissingAuthenticationTokenException", "InvalidSignatureException"),
        (&events_call, "events", "MissingAuthenticationTokenException", "InvalidSignatureException"),
        (&lambda_call, "lambda", "MissingAuthenticationTokenException", "InvalidSignatureException"),
        (&sts_call, "sts", "<Code>MissingAuthenticationToken<", "<Code>SignatureDoesNotMatch<"),
        (&s3_call, "s3", "<Code>AccessDenied<", "<Code>SignatureDoesNotMatch<"),
    ];
    for (make, service, missing, mismatch) in cases {
        let accepted = server.ask(&signed(make(), service, "secret")).await;
        assert_eq!(accepted.status, 200, "{service}: {}", accepted.body);
        let refused = server.ask(&signed(make(), service, "another secret")).await;
        assert_eq!(refused.status, 403, "{service}: {}", refused.body);
        assert!(refused.body.contains(mismatch), "{service}: {}", refused.body);
        let text = signed(make(), service, "secret");
        let unsigned: Vec<&str> =
            text.split("\r\n").filter(|line| !line.starts_with("authorization")).collect();
        let refused: Answer = server.ask(&unsigned.join("\r\n")).await;
        assert_eq!(refused.status, 403, "{service}: {}", refused.body);
        assert!(refused.body.contains(missing), "{service}: {}", refused.body);
    }
    assert_eq!(server.ask(&get("/_loveless/health")).await.status, 200);
}

#[tokio::test]
async fn a_server_that_goes_down_lets_requests_end_and_closes_what_is_idle() {
    let mut server = server(Security::default()).await;
    let mut idle = server.send(&states("ListStateMachines", "{}")).await;
    assert_eq!(support::answer(&mut idle).await.status, 200);
    server.stop();
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0, "the idle connection is closed");
    server.stopped().await;
}
