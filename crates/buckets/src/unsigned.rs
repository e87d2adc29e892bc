//! Laptop mode: requests are accepted whoever signed them, and also unsigned.
//!
//! Our protocol library refuses a signed request when it has no secret to verify it with. Here every client is welcome,
//! so the signature is taken off before the library sees the request: the header or the query of a presigned URL goes,
//! and a body that was encoded along with its signature (`aws-chunked`) is decoded. What can be checked without a secret
//! still is: the expiry of a presigned URL, the SHA-256 of the body, and (later, by the put) lengths and checksums.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue};
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyStream, StreamBody};
use s3s::dto::{Timestamp, TimestampFormat};

use crate::chunked::{Decoder, Step};
use crate::digest::{Algorithm, BodySha256};
use crate::error::Error;
use crate::rows::Checksums;
use crate::store::now_ms;

const CONTENT_SHA256: &str = "x-amz-content-sha256";
const DECODED_LENGTH: &str = "x-amz-decoded-content-length";
/// What presigning adds to a query, in the lower case that it is compared in.
const SIGNING_PARAMETERS: [&str; 7] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-amz-signature",
    "x-amz-security-token",
];
/// The same for the older signature.
const SIGNING_PARAMETERS_V2: [&str; 3] = ["awsaccesskeyid", "signature", "expires"];

/// The checksums that came after a decoded body; a request extension.
#[derive(Debug, Clone, Default)]
pub(crate) struct LateChecksums(Arc<Mutex<Checksums>>);

impl LateChecksums {
    /// What came; call it once the body is read.
    pub(crate) fn take(&self) -> Checksums {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, trailers: Vec<(String, String)>) {
        let mut late = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in trailers {
            if let Some(algorithm) = Algorithm::ALL.into_iter().find(|a| a.header() == name) {
                late.set(algorithm, value);
            }
        }
    }
}

/// Takes the signature off a request.
pub(crate) fn accept<B>(request: Request<B>) -> Result<Request<s3s::Body>, Error>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display,
{
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(AUTHORIZATION);
    if let Some(uri) = unsigned_uri(&parts.uri)? {
        parts.uri = uri;
    }
    let claimed = parts.headers.remove(CONTENT_SHA256);
    let claimed = claimed.as_ref().and_then(|v| v.to_str().ok()).unwrap_or_default();
    let body = plain_bytes(body);
    let body = if claimed.starts_with("STREAMING-") {
        use_decoded_length(&mut parts.headers);
        let late = LateChecksums::default();
        parts.extensions.insert(late.clone());
        framed(decoded(body, late))
    } else if claimed.len() == 64 {
        framed(verified(body, claimed.to_ascii_lowercase()))
    } else {
        framed(body)
    };
    Ok(Request::from_parts(parts, body))
}

/// The URI without the parameters of a presigned URL; `None` when it has none.
fn unsigned_uri(uri: &Uri) -> Result<Option<Uri>, Error> {
    let Some(query) = uri.query() else { return Ok(None) };
    let pairs: Vec<(&str, &str)> = query.split('&').map(|p| p.split_once('=').unwrap_or((p, ""))).collect();
    let value = |name: &str| pairs.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| *v);
    let names: &[&str] = if value("x-amz-signature").is_some() {
        check_expiry(value("x-amz-date").and_then(date_ms), value("x-amz-expires"))?;
        &SIGNING_PARAMETERS
    } else if value("signature").is_some() && value("awsaccesskeyid").is_some() {
        check_expiry(Some(0), value("expires"))?;
        &SIGNING_PARAMETERS_V2
    } else {
        return Ok(None);
    };
    let kept = query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
        !names.contains(&name.as_str())
    });
    let kept = kept.collect::<Vec<_>>().join("&");
    let path_and_query =
        if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{kept}", uri.path()) };
    let mut parts = uri.clone().into_parts();
    let parsed = path_and_query.parse();
    parts.path_and_query =
        Some(parsed.map_err(|e| Error::InvalidRequest(format!("the URL is not valid: {e}")))?);
    Uri::from_parts(parts).map(Some).map_err(|e| Error::InvalidRequest(format!("the URL is not valid: {e}")))
}

/// `YYYYMMDDTHHMMSSZ` as milliseconds since 1970.
fn date_ms(text: &str) -> Option<u64> {
    let part = |from: usize, to: usize| text.get(from..to);
    let (date, time) =
        ((part(0, 4)?, part(4, 6)?, part(6, 8)?), (part(9, 11)?, part(11, 13)?, part(13, 15)?));
    let rfc3339 = format!("{}-{}-{}T{}:{}:{}Z", date.0, date.1, date.2, time.0, time.1, time.2);
    let moment = Timestamp::parse(TimestampFormat::DateTime, &rfc3339).ok()?;
    let mut seconds = Vec::new();
    moment.format(TimestampFormat::EpochSeconds, &mut seconds).ok()?;
    let seconds: f64 = std::str::from_utf8(&seconds).ok()?.parse().ok()?;
    // Whole seconds after 1970, far below what an f64 holds exactly.
    Some(seconds as u64 * 1000)
}

fn check_expiry(signed_ms: Option<u64>, seconds: Option<&str>) -> Result<(), Error> {
    let seconds = seconds.and_then(|s| s.parse::<u64>().ok());
    let (Some(signed_ms), Some(seconds)) = (signed_ms, seconds) else {
        return Err(Error::InvalidRequest("A presigned URL needs its date and its expiry.".into()));
    };
    if signed_ms.saturating_add(seconds.saturating_mul(1000)) < now_ms() {
        return Err(Error::Expired);
    }
    Ok(())
}

fn use_decoded_length(headers: &mut HeaderMap) {
    let decoded: Option<HeaderValue> = headers.remove(DECODED_LENGTH);
    match decoded {
        Some(length) => drop(headers.insert(CONTENT_LENGTH, length)),
        // The length on the wire is not that of the content.
        None => drop(headers.remove(CONTENT_LENGTH)),
    }
}

/// The bytes of any body, its trailers aside.
fn plain_bytes<B>(body: B) -> impl Stream<Item = Result<Bytes, Error>> + Send
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display,
{
    BodyStream::new(body)
        .map_err(|e| Error::BadBody(e.to_string()))
        .try_filter_map(|frame| async move { Ok(frame.into_data().ok()) })
}

fn decoded(
    body: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
    late: LateChecksums,
) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    let start = (Box::pin(body), Decoder::default(), BytesMut::new(), late);
    stream::try_unfold(start, |(mut body, mut decoder, mut input, late)| async move {
        loop {
            match decoder.step(&mut input)? {
                Step::Data(bytes) => return Ok(Some((bytes, (body, decoder, input, late)))),
                // Read to its end, so that the connection can carry the next request.
                Step::Done => while body.next().await.transpose()?.is_some() {},
                Step::Starved => {
                    if let Some(more) = body.next().await {
                        input.extend_from_slice(&more?);
                        continue;
                    }
                }
            }
            decoder.end()?;
            late.set(decoder.into_trailers());
            return Ok(None);
        }
    })
}

/// Fails at the end when the bytes have another SHA-256.
fn verified(
    body: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
    claimed: String,
) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    let start = (Box::pin(body), BodySha256::new(), claimed);
    stream::try_unfold(start, |(mut body, mut sha256, claimed)| async move {
        let Some(bytes) = body.next().await.transpose()? else {
            return if sha256.hex() == claimed { Ok(None) } else { Err(Error::ContentSha256Mismatch) };
        };
        sha256.update(&bytes);
        Ok(Some((bytes, (body, sha256, claimed))))
    })
}

fn framed(body: impl Stream<Item = Result<Bytes, Error>> + Send + 'static) -> s3s::Body {
    s3s::Body::http_body_unsync(StreamBody::new(Box::pin(body.map_ok(http_body::Frame::data))))
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    #[test]
    fn presigned_parameters_go_and_the_others_stay() {
        let far = "X-Amz-Date=20990101T000000Z&X-Amz-Expires=60";
        let cases = [
            (format!("/b/k?X-Amz-Algorithm=A&{far}&X-Amz-Signature=s"), Some("/b/k")),
            (
                format!("/b/k?partNumber=1&{far}&X-Amz-Signature=s&uploadId=u"),
                Some("/b/k?partNumber=1&uploadId=u"),
            ),
            ("/b/k?AWSAccessKeyId=a&Signature=s&Expires=4000000000&tagging".into(), Some("/b/k?tagging")),
            ("/b?list-type=2&prefix=Signature".into(), None),
            ("/b".into(), None),
        ];
        for (uri, expected) in cases {
            let found = unsigned_uri(&uri.parse().unwrap()).unwrap().map(|u| u.to_string());
            assert_eq!(found.as_deref(), expected, "{uri}");
        }
        let late = "/b/k?X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-Signature=s";
        assert!(matches!(unsigned_uri(&late.parse().unwrap()), Err(Error::Expired)));
        let incomplete = "/b/k?X-Amz-Signature=s";
        assert!(matches!(unsigned_uri(&incomplete.parse().unwrap()), Err(Error::InvalidRequest(_))));
    }

    #[tokio::test]
    async fn bodies_come_out_plain_and_checked() {
        let sha = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let chunked = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
        let cases = [
            ("UNSIGNED-PAYLOAD", "hello", Ok("hello")),
            (sha, "hello", Ok("hello")),
            (sha, "hallo", Err("x-amz-content-sha256")),
            ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", chunked, Ok("hello")),
            ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "5\r\nhel", Err("number of bytes")),
        ];
        for (claimed, body, expected) in cases {
            let request = Request::put("/b/k")
                .header(CONTENT_SHA256, claimed)
                .header(DECODED_LENGTH, "5")
                .body(Full::new(Bytes::from(body)))
                .unwrap();
            let accepted = accept(request).unwrap();
            let late = accepted.extensions().get::<LateChecksums>().cloned();
            let read = BodyExt::collect(accepted.into_body()).await;
            match expected {
                Ok(text) => assert_eq!(read.unwrap().to_bytes(), text),
                Err(reason) => assert!(read.unwrap_err().to_string().contains(reason), "{claimed}"),
            }
            if claimed.ends_with("TRAILER") {
                assert_eq!(late.unwrap().take().crc32.as_deref(), Some("NhCmhg=="));
            }
        }
    }
}
