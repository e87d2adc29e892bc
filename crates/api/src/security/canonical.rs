//! The canonical form of a request: what both sides of a signature write down in the same way.
//!
//! S3 takes the path as it is and encodes it once; every other service tidies it and encodes it twice. An encoded
//! character is decoded before it is encoded, so that a client's taste in percent signs does not matter.

use std::fmt::Write;

use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

/// Everything but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same within a path.
const PATH_ENCODED: &AsciiSet = &ENCODED.remove(b'/');

/// The two ways to write a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathStyle {
    /// S3's: as it is.
    AsIs,
    /// Everybody else's: tidied, and encoded twice.
    Tidied,
}

/// The SHA-256 of a request in its canonical form.
pub(super) fn request_hash(
    head: &Parts,
    style: PathStyle,
    signed_headers: &[&str],
    left_out_of_query: Option<&str>,
    payload_hash: &str,
) -> String {
    let mut text = format!("{}\n{}\n", head.method, path(head.uri.path(), style));
    let _ = writeln!(text, "{}", query(head.uri.query().unwrap_or_default(), left_out_of_query));
    for name in signed_headers {
        let _ = writeln!(text, "{name}:{}", header(head, name));
    }
    let _ = write!(text, "\n{}\n{payload_hash}", signed_headers.join(";"));
    hex::encode(Sha256::digest(text))
}

/// The parameters of a query, decoded, in order.
pub(super) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    query.split('&').filter(|part| !part.is_empty()).map(move |part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decoded(name), decoded(value))
    })
}

fn path(path: &str, style: PathStyle) -> String {
    match style {
        PathStyle::AsIs => {
            let decoded: Vec<u8> = percent_decode_str(path).collect();
            percent_encoding::percent_encode(&decoded, PATH_ENCODED).to_string()
        }
        PathStyle::Tidied => utf8_percent_encode(&tidied(path), PATH_ENCODED).to_string(),
    }
}

/// A path without `.`, `..` and empty segments.
fn tidied(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let end = if path.len() > 1 && path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

fn query(query: &str, left_out: Option<&str>) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let mut parts: Vec<(String, String)> = parameters(query)
        .filter(|(name, _)| Some(name.as_str()) != left_out)
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .collect();
    parts.sort();
    parts.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The values of a header, with runs of spaces made one.
fn header(head: &Parts, name: &str) -> String {
    let values = head.headers.get_all(name).iter().map(|value| {
        let value = String::from_utf8_lossy(value.as_bytes());
        value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
    });
    values.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        #[rustfmt::skip]
        let cases = [
            ("/", "/", "/"),
            ("/2015-03-31/functions/arn%3Aaws%3Af/invocations", "/2015-03-31/functions/arn%3Aaws%3Af/invocations", "/2015-03-31/functions/arn%253Aaws%253Af/invocations"),
            ("/a/./b/../c//d/", "/a/./b/../c//d/", "/a/c/d/"),
            ("/k%20e+y:=~%2F", "/k%20e%2By%3A%3D~/", "/k%2520e%2By%3A%3D~%252F"),
            ("/..", "/..", "/"),
        ];
        for (given, as_is, tidied) in cases {
            assert_eq!(path(given, PathStyle::AsIs), as_is, "{given}");
            assert_eq!(path(given, PathStyle::Tidied), tidied, "{given}");
        }
    }

    #[test]
    fn queries() {
        assert_eq!(
            query("b=2&a=1&a=0&c&d=x%20y+z&X-Amz-Signature=s", Some("X-Amz-Signature")),
            "a=0&a=1&b=2&c=&d=x%20y%2Bz"
        );
        assert_eq!(query("", None), "");
        assert_eq!(query("list-type=2&prefix=a%2Fb", None), "list-type=2&prefix=a%2Fb");
    }
}
