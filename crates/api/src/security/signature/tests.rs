//! The verifier against two signers that are not ours: botocore (recorded requests, in `botocore.json`) and AWS's own
//! signing crate.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials as SigningCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use http::{HeaderValue, Request};
use serde_json::Value;

use super::*;

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// 2026-11-23T09:37:00Z, when the recorded requests were signed.
const SIGNED_S: i64 = 1_795_426_620;
const SIGNED_MS: i64 = SIGNED_S * 1000;

fn credentials(session_token: Option<&str>) -> Credentials {
    let mut credentials = Credentials::default();
    credentials.insert(KEY, SECRET, session_token);
    credentials
}

fn head<T>(request: Request<T>) -> Parts {
    request.into_parts().0
}

#[test]
fn requests_that_botocore_signed_are_accepted_and_nothing_else() {
    let recorded: Value = serde_json::from_str(include_str!("botocore.json")).unwrap();
    for case in recorded.as_array().unwrap() {
        let note = &case["note"];
        let mut request =
            Request::builder().method(case["method"].as_str().unwrap()).uri(case["uri"].as_str().unwrap());
        for (name, value) in case["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        let head = head(request.body(()).unwrap());
        let body = case["body"].as_str().unwrap();
        let payload =
            |body| if case["payload"] == "whole" { Payload::Whole(body) } else { Payload::Declared };
        let verified =
            |head: &Parts, body: &'static [u8]| verify(&credentials(None), head, payload(body), SIGNED_MS);
        let body: &'static [u8] = body.to_owned().leak().as_bytes();
        assert_eq!(verified(&head, body), Ok(KEY.to_owned()), "{note}");

        let mut other = Credentials::default();
        other.insert(KEY, "another secret", None);
        assert_eq!(verify(&other, &head, payload(body), SIGNED_MS), Err(SignatureError::Mismatch), "{note}");
        let mut method = head.clone();
        method.method = http::Method::DELETE;
        assert_eq!(verified(&method, body), Err(SignatureError::Mismatch), "{note}");
        let mut path = head.clone();
        path.uri = format!("/other{}", head.uri).parse().unwrap();
        assert_eq!(verified(&path, body), Err(SignatureError::Mismatch), "{note}");
        let mut query = head.clone();
        let separator = if head.uri.query().is_some() { "&" } else { "?" };
        query.uri = format!("{}{separator}more=1", head.uri).parse().unwrap();
        assert_eq!(verified(&query, body), Err(SignatureError::Mismatch), "{note}");
        let mut host = head.clone();
        host.headers.insert("host", HeaderValue::from_static("localhost:1"));
        assert_eq!(verified(&host, body), Err(SignatureError::Mismatch), "{note}");
        if case["payload"] == "whole" {
            assert_eq!(verified(&head, b"another body"), Err(SignatureError::Mismatch), "{note}");
        }
    }
}

/// How a request is signed by AWS's crate.
struct Signer {
    service: &'static str,
    session_token: Option<&'static str>,
    settings: SigningSettings,
}

impl Signer {
    fn of(service: &'static str) -> Signer {
        let mut settings = SigningSettings::default();
        if service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        Signer { service, session_token: None, settings }
    }

    fn presigned(mut self, expires_s: u64) -> Signer {
        self.settings.signature_location = SignatureLocation::QueryParams;
        self.settings.expires_in = Some(Duration::from_secs(expires_s));
        self
    }

    fn sign(&self, mut request: Request<&'static str>, body: SignableBody<'static>) -> Parts {
        let identity =
            SigningCredentials::new(KEY, SECRET, self.session_token.map(Into::into), None, "test").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-central-1")
            .name(self.service)
            .time(UNIX_EPOCH + Duration::from_secs(SIGNED_S.unsigned_abs()))
            .settings(self.settings.clone())
            .build()
            .unwrap()
            .into();
        let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let uri = format!("http://localhost:8083{}", request.uri());
        let signable = SignableRequest::new(request.method().as_str(), uri, headers, body).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        instructions.apply_to_request_http1x(&mut request);
        head(request)
    }
}

fn call(body: &'static str) -> Request<&'static str> {
    Request::post("/")
        .header("host", "localhost:8083")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "AWSStepFunctions.ListStateMachines")
        .body(body)
        .unwrap()
}

fn check(head: &Parts, payload: Payload<'_>, now_ms: i64) -> Result<String, SignatureError> {
    verify(&credentials(None), head, payload, now_ms)
}

const ACCEPTED: Result<&str, SignatureError> = Ok(KEY);

fn shown(result: &Result<String, SignatureError>) -> Result<&str, SignatureError> {
    result.as_deref().map_err(Clone::clone)
}

#[test]
fn requests_that_awss_crate_signed_are_accepted() {
    let signed = Signer::of("states").sign(call("{}"), SignableBody::Bytes(b"{}"));
    assert_eq!(shown(&check(&signed, Payload::Whole(b"{}"), SIGNED_MS)), ACCEPTED);
    assert_eq!(check(&signed, Payload::Whole(b"{ }"), SIGNED_MS), Err(SignatureError::Mismatch));

    let object = || {
        let uri = "/bucket/a%20b/%C3%A9//.x?uploadId=1&partNumber=2";
        Request::put(uri).header("host", "localhost:8083").header("content-length", "4").body("body").unwrap()
    };
    let bodies = [
        SignableBody::Bytes(b"body"),
        SignableBody::UnsignedPayload,
        SignableBody::StreamingUnsignedPayloadTrailer,
        SignableBody::Precomputed("STREAMING-AWS4-HMAC-SHA256-PAYLOAD".into()),
    ];
    for body in bodies {
        let note = format!("{body:?}");
        let signed = Signer::of("s3").sign(object(), body);
        assert_eq!(shown(&check(&signed, Payload::Declared, SIGNED_MS)), ACCEPTED, "{note}");
        let mut other = signed;
        other.headers.insert(CONTENT_SHA256, HeaderValue::from_static("UNSIGNED-PAYLOAD-NOT"));
        assert_eq!(check(&other, Payload::Declared, SIGNED_MS), Err(SignatureError::Mismatch), "{note}");
    }
}

#[test]
fn presigned_urls_hold_until_they_expire() {
    let get =
        Request::get("/bucket/k%C3%A9y?versionId=x%2Fy").header("host", "localhost:8083").body("").unwrap();
    let signed = Signer::of("s3").presigned(60).sign(get, SignableBody::UnsignedPayload);
    assert_eq!(shown(&check(&signed, Payload::Declared, SIGNED_MS)), ACCEPTED);
    assert_eq!(shown(&check(&signed, Payload::Declared, SIGNED_MS + 60_000)), ACCEPTED);
    let late = check(&signed, Payload::Declared, SIGNED_MS + 61_000);
    assert_eq!(late, Err(SignatureError::PresignedExpired));
    let mut longer = signed.clone();
    longer.uri = signed.uri.to_string().replace("X-Amz-Expires=60", "X-Amz-Expires=600").parse().unwrap();
    assert_eq!(check(&longer, Payload::Declared, SIGNED_MS), Err(SignatureError::Mismatch));
    let mut eternal = signed.clone();
    eternal.uri = signed.uri.to_string().replace("X-Amz-Expires=60", "X-Amz-Expires=999999").parse().unwrap();
    assert!(matches!(check(&eternal, Payload::Declared, SIGNED_MS), Err(SignatureError::Incomplete(_))));
}

#[test]
fn clocks_may_differ_a_little() {
    let signed = Signer::of("states").sign(call("{}"), SignableBody::Bytes(b"{}"));
    let at = |shift_s: i64| check(&signed, Payload::Whole(b"{}"), SIGNED_MS + shift_s * 1000);
    for fine in [-300, 300] {
        assert_eq!(shown(&at(fine)), ACCEPTED, "{fine}");
    }
    let expired = "Signature expired: 20261123T093700Z is now earlier than 20261123T093701Z (20261123T094201Z - 5 min.)";
    assert_eq!(at(301), Err(SignatureError::Skewed(expired.into())));
    let early = "Signature not yet current: 20261123T093700Z is still later than 20261123T093659Z (20261123T093159Z + 5 \
                 min.)";
    assert_eq!(at(-301), Err(SignatureError::Skewed(early.into())));
    let get = Request::get("/b/k").header("host", "localhost:8083").body("").unwrap();
    let object = Signer::of("s3").sign(get, SignableBody::Bytes(b""));
    assert_eq!(shown(&check(&object, Payload::Declared, SIGNED_MS + 900_000)), ACCEPTED);
    assert!(matches!(check(&object, Payload::Declared, SIGNED_MS + 901_000), Err(SignatureError::Skewed(_))));
}

#[test]
fn session_tokens_belong_to_their_keys() {
    let mut signer = Signer::of("states");
    signer.session_token = Some("session");
    let signed = signer.sign(call("{}"), SignableBody::Bytes(b"{}"));
    let verified = |token| verify(&credentials(token), &signed, Payload::Whole(b"{}"), SIGNED_MS);
    assert_eq!(shown(&verified(Some("session"))), ACCEPTED);
    assert_eq!(verified(Some("another")), Err(SignatureError::UnknownKey));
    assert_eq!(verified(None), Err(SignatureError::UnknownKey));
}

#[test]
fn temporary_credentials_sign_too() {
    let credentials = credentials(None);
    let temporary = credentials.temporary(KEY, "nonce", SIGNED_S + 60).unwrap();
    let identity = SigningCredentials::new(
        &temporary.access_key,
        &temporary.secret_key,
        Some(temporary.session_token.clone()),
        None,
        "test",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("states")
        .time(UNIX_EPOCH + Duration::from_secs(SIGNED_S.unsigned_abs()))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let mut request = call("{}");
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let signable =
        SignableRequest::new("POST", "http://localhost:8083/", headers, SignableBody::Bytes(b"{}")).unwrap();
    sign(signable, &params).unwrap().into_parts().0.apply_to_request_http1x(&mut request);
    let head = head(request);
    let at = |now_ms| verify(&credentials, &head, Payload::Whole(b"{}"), now_ms);
    assert_eq!(at(SIGNED_MS), Ok(temporary.access_key));
    assert_eq!(at(SIGNED_MS + 61_000), Err(SignatureError::ExpiredToken));
}

#[test]
fn what_is_not_covered_is_refused() {
    let mut signed = Signer::of("states").sign(call("{}"), SignableBody::Bytes(b"{}"));
    signed.headers.insert("x-amz-user-agent", HeaderValue::from_static("aws-sdk-js"));
    assert_eq!(shown(&check(&signed, Payload::Whole(b"{}"), SIGNED_MS)), ACCEPTED);
    signed.headers.insert("x-amz-acl", HeaderValue::from_static("public-read"));
    let error = check(&signed, Payload::Whole(b"{}"), SIGNED_MS);
    assert_eq!(error, Err(SignatureError::HeadersNotSigned("x-amz-acl".into())));
}

#[test]
fn signatures_that_are_none() {
    let request = |authorization: &str, date: &str| {
        let mut request = Request::post("/").header("host", "localhost");
        for (name, value) in [("authorization", authorization), ("x-amz-date", date)] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        check(&head(request.body(()).unwrap()), Payload::Whole(b""), SIGNED_MS)
    };
    assert_eq!(request("", ""), Err(SignatureError::Missing));
    let date = "20261123T093700Z";
    let credential = format!("Credential={KEY}/20261123/us-east-1/states/aws4_request");
    let full =
        |headers: &str| format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders={headers}, Signature=00");
    #[rustfmt::skip]
    let incomplete = [
        ("Basic dXNlcjpwYXNz".to_owned(), date, "Unsupported Authorization header"),
        ("AWS4-HMAC-SHA256".to_owned(), date, "Unsupported Authorization header"),
        (format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host"), date, "requires 'Signature'"),
        (format!("AWS4-HMAC-SHA256 {credential}, Signature=00"), date, "requires 'SignedHeaders'"),
        ("AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00".to_owned(), date, "requires 'Credential'"),
        ("AWS4-HMAC-SHA256 Credential=x/y, SignedHeaders=host, Signature=00".to_owned(), date, "5 slash-delimited"),
        (full("host;x-amz-date"), "", "'X-Amz-Date' header"),
        (full("host;x-amz-date"), "2026-11-23", "ISO-8601"),
        (full("host;x-amz-date"), "20261124T093700Z", "does not match YYYYMMDD"),
        (full("host;x-amz-date"), "é0261123T09370Z", "Date"),
        (full("x-amz-date"), date, "'Host'"),
    ];
    for (authorization, date, why) in incomplete {
        match request(&authorization, date) {
            Err(SignatureError::Incomplete(text)) => assert!(text.contains(why), "{authorization}: {text}"),
            other => panic!("{authorization}: {other:?}"),
        }
    }
    assert_eq!(request(&full("host;x-amz-date"), date), Err(SignatureError::Mismatch));
    let unknown = full("host;x-amz-date").replace(KEY, "AKIASOMEBODY");
    assert_eq!(request(&unknown, date), Err(SignatureError::UnknownKey));
    let nonsense = full("host;x-amz-date").replace("Signature=00", "Signature=zz");
    assert_eq!(request(&nonsense, date), Err(SignatureError::Mismatch));
}
