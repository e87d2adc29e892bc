//! Verification of AWS Signature Version 4, in the header and in the query of a presigned URL.
//!
//! A signature covers the method, the path, the query, the headers that it names and a hash of the body. It must name
//! `host` and every `x-amz-*` header that is there: what it does not cover, anybody on the way could have added. Region
//! and service of the credential scope are taken as the client says: this server is every service in every region at
//! once, and a request that was signed for one cannot become another, since its path and target are signed.
//!
//! Why our own: the libraries that verify want the body and a key service of their own shape, and the whole of it is
//! smaller than their adapters would be. The signing side of the tests is AWS's own crate and recorded botocore requests.

use asl::timestamp;
use hmac::{Hmac, Mac};
use http::HeaderName;
use http::header::AUTHORIZATION;
use http::request::Parts;
use sha2::{Digest, Sha256};

use super::Credentials;
use super::canonical::{PathStyle, parameters, request_hash};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far the clocks of client and server may be apart, for every service but S3.
const SKEW_S_MAX: i64 = 5 * 60;
/// The same for S3.
const SKEW_S_MAX_S3: i64 = 15 * 60;
/// A presigned URL holds for seven days at most.
const PRESIGNED_S_MAX: i64 = 7 * 24 * 60 * 60;
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
const CONTENT_SHA256: &str = "x-amz-content-sha256";
/// An `x-amz-` header that some clients send without signing it; it means nothing.
const USER_AGENT: &str = "x-amz-user-agent";

/// The body of a request, as far as a signature is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload<'a> {
    /// It is here, and its hash must be the signed one.
    Whole(&'a [u8]),
    /// S3's: a header says its hash, or that it is not signed, or that its chunks are. Whoever reads it checks it.
    Declared,
}

/// Why a signature is not accepted. How each is told is in [`crate::route`], by protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SignatureError {
    /// There is none.
    Missing,
    /// It lacks a part, or a part is malformed.
    Incomplete(String),
    /// Nobody has this access key, or the session token is not its own.
    UnknownKey,
    /// The temporary credentials have expired.
    ExpiredToken,
    /// It was made too long ago or in the future.
    Skewed(String),
    /// The presigned URL has expired.
    PresignedExpired,
    /// Headers that it should cover are not covered.
    HeadersNotSigned(String),
    /// It is not the signature of this request.
    Mismatch,
}

/// A signature as the request has it.
struct Claim<'a> {
    access_key: String,
    date: String,
    scope: String,
    signed_headers: String,
    signature: String,
    session_token: Option<String>,
    /// The request's own time.
    time: String,
    /// For how long a presigned URL holds.
    expires_s: Option<i64>,
    head: &'a Parts,
}

/// Verifies a request; answers the access key that signed it.
pub(crate) fn verify(
    credentials: &Credentials,
    head: &Parts,
    payload: Payload<'_>,
    now_ms: i64,
) -> Result<String, SignatureError> {
    let claim = match head.headers.get(AUTHORIZATION) {
        Some(value) => Claim::of_header(head, value.to_str().unwrap_or_default())?,
        None => Claim::of_query(head)?,
    };
    let now_s = now_ms.div_euclid(1000);
    claim.check_time(payload, now_s)?;
    claim.check_headers()?;
    let payload_hash = claim.payload_hash(payload)?;
    let secret = credentials.signing_secret(&claim.access_key, claim.session_token.as_deref(), now_s)?;
    if claim.is_signed_with(&secret, payload, &payload_hash) {
        Ok(claim.access_key)
    } else {
        Err(SignatureError::Mismatch)
    }
}

impl<'a> Claim<'a> {
    fn of_header(head: &'a Parts, value: &str) -> Result<Claim<'a>, SignatureError> {
        let Some(rest) = value.strip_prefix(ALGORITHM).filter(|rest| rest.starts_with([' ', '\t'])) else {
            return Err(SignatureError::Incomplete(format!(
                "Unsupported Authorization header: use {ALGORITHM}."
            )));
        };
        let part = |name: &str| {
            let mut parts = rest.split(',').map(str::trim);
            let value = parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
            value.filter(|value| !value.is_empty()).map(str::to_owned).ok_or_else(|| {
                SignatureError::Incomplete(format!("Authorization header requires '{name}' parameter."))
            })
        };
        let time = header(head, "x-amz-date").ok_or_else(|| {
            SignatureError::Incomplete(
                "Authorization header requires the existence of an 'X-Amz-Date' header.".into(),
            )
        })?;
        let (access_key, date, scope) = credential(&part("Credential")?)?;
        Ok(Claim {
            access_key,
            date,
            scope,
            signed_headers: part("SignedHeaders")?,
            signature: part("Signature")?,
            session_token: header(head, "x-amz-security-token"),
            time,
            expires_s: None,
            head,
        })
    }

    fn of_query(head: &'a Parts) -> Result<Claim<'a>, SignatureError> {
        let query = head.uri.query().unwrap_or_default();
        let find = |name: &str| parameters(query).find(|(there, _)| there == name).map(|(_, value)| value);
        match find("X-Amz-Algorithm") {
            None => return Err(SignatureError::Missing),
            Some(algorithm) if algorithm == ALGORITHM => {}
            Some(other) => {
                return Err(SignatureError::Incomplete(format!("Unsupported X-Amz-Algorithm '{other}'.")));
            }
        }
        let part = |name: &str| {
            let value = find(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| {
                SignatureError::Incomplete(format!("AWS query-string requires '{name}' parameter."))
            })
        };
        let expires_s =
            part("X-Amz-Expires")?.parse().ok().filter(|expires| (1..=PRESIGNED_S_MAX).contains(expires));
        let (access_key, date, scope) = credential(&part("X-Amz-Credential")?)?;
        Ok(Claim {
            access_key,
            date,
            scope,
            signed_headers: part("X-Amz-SignedHeaders")?,
            signature: part("X-Amz-Signature")?,
            session_token: find("X-Amz-Security-Token"),
            time: part("X-Amz-Date")?,
            expires_s: Some(expires_s.ok_or_else(|| {
                SignatureError::Incomplete(format!(
                    "X-Amz-Expires must be from 1 to {PRESIGNED_S_MAX} seconds."
                ))
            })?),
            head,
        })
    }

    fn check_time(&self, payload: Payload<'_>, now_s: i64) -> Result<(), SignatureError> {
        let time_s = parse_time(&self.time).ok_or_else(|| {
            SignatureError::Incomplete(format!(
                "Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601",
                self.time
            ))
        })?;
        if !self.time.starts_with(&self.date) {
            let why =
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP";
            return Err(SignatureError::Incomplete(format!(
                "{why}: '{}' != '{}'.",
                self.date,
                &self.time[..8]
            )));
        }
        let skew_s = match payload {
            Payload::Whole(_) => SKEW_S_MAX,
            Payload::Declared => SKEW_S_MAX_S3,
        };
        let (now, minutes) = (format_time(now_s), skew_s / 60);
        if time_s > now_s + skew_s {
            let limit = format_time(now_s + skew_s);
            return Err(SignatureError::Skewed(format!(
                "Signature not yet current: {} is still later than {limit} ({now} + {minutes} min.)",
                self.time
            )));
        }
        match self.expires_s {
            Some(expires_s) if time_s + expires_s < now_s => Err(SignatureError::PresignedExpired),
            None if time_s < now_s - skew_s => Err(SignatureError::Skewed(format!(
                "Signature expired: {} is now earlier than {} ({now} - {minutes} min.)",
                self.time,
                format_time(now_s - skew_s)
            ))),
            _ => Ok(()),
        }
    }

    fn signed_headers(&self) -> Vec<&str> {
        self.signed_headers.split(';').collect()
    }

    /// What has to be signed is.
    fn check_headers(&self) -> Result<(), SignatureError> {
        let signed = self.signed_headers();
        if !signed.contains(&"host") {
            let why = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization header.";
            return Err(SignatureError::Incomplete(why.into()));
        }
        let left_out: Vec<&str> = self
            .head
            .headers
            .keys()
            .map(HeaderName::as_str)
            .filter(|name| name.starts_with("x-amz-") && *name != USER_AGENT && !signed.contains(name))
            .collect();
        if left_out.is_empty() { Ok(()) } else { Err(SignatureError::HeadersNotSigned(left_out.join(", "))) }
    }

    fn payload_hash(&self, payload: Payload<'_>) -> Result<String, SignatureError> {
        let declared = header(self.head, CONTENT_SHA256);
        match payload {
            Payload::Whole(body) => {
                let hash = hex::encode(Sha256::digest(body));
                if declared.is_some_and(|declared| !declared.eq_ignore_ascii_case(&hash)) {
                    return Err(SignatureError::Mismatch);
                }
                Ok(hash)
            }
            Payload::Declared if self.expires_s.is_some() => {
                Ok(declared.unwrap_or_else(|| UNSIGNED_PAYLOAD.into()))
            }
            Payload::Declared => declared.ok_or_else(|| {
                SignatureError::Incomplete(format!(
                    "Missing required header for this request: {CONTENT_SHA256}"
                ))
            }),
        }
    }

    fn is_signed_with(&self, secret: &str, payload: Payload<'_>, payload_hash: &str) -> bool {
        let style = match payload {
            Payload::Whole(_) => PathStyle::Tidied,
            Payload::Declared => PathStyle::AsIs,
        };
        let left_out = self.expires_s.map(|_| "X-Amz-Signature");
        let hash = request_hash(self.head, style, &self.signed_headers(), left_out, payload_hash);
        let text = format!("{ALGORITHM}\n{}\n{}/{}\n{hash}", self.time, self.date, self.scope);
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in std::iter::once(self.date.as_str()).chain(self.scope.split('/')) {
            key = hmac(&key, part).finalize().into_bytes().to_vec();
        }
        // `verify_slice` takes the same time whatever differs.
        hex::decode(&self.signature).is_ok_and(|given| hmac(&key, &text).verify_slice(&given).is_ok())
    }
}

/// `KEY/date/region/service/aws4_request`, as key, date and the rest.
fn credential(text: &str) -> Result<(String, String, String), SignatureError> {
    let parts: Vec<&str> = text.rsplitn(5, '/').collect();
    match parts[..] {
        ["aws4_request", service, region, date, key] if !key.is_empty() && date.len() == 8 => {
            Ok((key.to_owned(), date.to_owned(), format!("{region}/{service}/aws4_request")))
        }
        _ => Err(SignatureError::Incomplete(format!(
            "Credential must have 5 slash-delimited elements with key/date/region/service/aws4_request, got '{text}'"
        ))),
    }
}

fn header(head: &Parts, name: &str) -> Option<String> {
    head.headers.get(name).and_then(|value| value.to_str().ok()).map(|value| value.trim().to_owned())
}

fn hmac(key: &[u8], text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac
}

/// `20261123T093700Z` as seconds since the epoch.
fn parse_time(text: &str) -> Option<i64> {
    let digits = |range| text.get(range).filter(|part: &&str| part.bytes().all(|byte| byte.is_ascii_digit()));
    let (date, time) = (digits(0..8)?, digits(9..15)?);
    if text.len() != 16 || &text[8..9] != "T" || &text[15..] != "Z" {
        return None;
    }
    let [y, m, d] = [&date[..4], &date[4..6], &date[6..]];
    let [h, min, s] = [&time[..2], &time[2..4], &time[4..]];
    timestamp::parse(&format!("{y}-{m}-{d}T{h}:{min}:{s}Z")).map(|ms| ms / 1000)
}

/// The other way round.
fn format_time(seconds: i64) -> String {
    let extended = timestamp::format(seconds * 1000);
    let basic: String = extended.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{}Z", basic.split(['.', 'Z']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests;
