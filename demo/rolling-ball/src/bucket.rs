//! Objects of an S3-compatible store: read one, write one.
//!
//! Signed URLs by `rusty-s3` and a plain HTTP client are all that two operations need; the AWS SDK would be most of the
//! program. Nothing is tried twice here: the state machine's `Retry` does that. The roots for TLS are compiled in, because the
//! image that this runs in has no files but the program.

use std::io::Read;
use std::time::Duration;

use rusty_s3::actions::{GetObject, PutObject, S3Action};
use rusty_s3::{Bucket, Credentials, UrlStyle};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use crate::failure::Failure;
use crate::request::Place;

/// A signature is used at once; this allows for clocks that differ a little.
const SIGNATURE_LIFETIME: Duration = Duration::from_secs(300);
/// A store that does not even accept a connection for so long is out of reach.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// More than any PNG file that the decoder accepts is likely to have; beyond it memory is at risk.
const OBJECT_BYTES_MAX: u64 = 1 << 30;
/// An error's text is some hundred bytes; a page from something that is no store may be any size.
const ERROR_BYTES_MAX: u64 = 64 * 1024;

/// An S3-compatible store, by the environment's usual variables.
pub(crate) struct Store {
    agent: Agent,
    endpoint: Endpoint,
    region: String,
    credentials: Option<Credentials>,
}

enum Endpoint {
    /// An address of its own, the bucket in the path.
    Custom(String),
    Aws,
}

impl Store {
    /// Reads `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`, the region and the keys; `environment` looks up a variable.
    pub(crate) fn of(environment: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
        let endpoint = variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL"));
        let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
        let keys = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
        let credentials = keys.map(|(key, secret)| match variable("AWS_SESSION_TOKEN") {
            Some(token) => Credentials::new_with_token(key, secret, token),
            None => Credentials::new(key, secret),
        });
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .build()
            .new_agent();
        Self {
            agent,
            endpoint: endpoint.map_or(Endpoint::Aws, Endpoint::Custom),
            region: region.unwrap_or_else(|| "us-east-1".to_owned()),
            credentials,
        }
    }

    /// The bytes of an object.
    pub(crate) fn get(&self, place: &Place) -> Result<Vec<u8>, Failure> {
        const OPERATION: &str = "GetObject";
        let bucket = self.bucket(place)?;
        let url = GetObject::new(&bucket, self.credentials.as_ref(), &place.key).sign(SIGNATURE_LIFETIME);
        let unreachable = |error: ureq::Error| unreachable(OPERATION, place, &error.to_string());
        let mut response = self.agent.get(url.as_str()).call().map_err(unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(answered(OPERATION, place, &mut response));
        }
        let mut bytes = Vec::new();
        let mut body = response.body_mut().as_reader().take(OBJECT_BYTES_MAX + 1);
        body.read_to_end(&mut bytes)
            .map_err(|error| self::unreachable(OPERATION, place, &error.to_string()))?;
        if bytes.len() as u64 > OBJECT_BYTES_MAX {
            let problem =
                format!("{:?} has more than {OBJECT_BYTES_MAX} bytes; give a smaller file", place.key);
            return Err(Failure::Request { field: "key".to_owned(), problem });
        }
        Ok(bytes)
    }

    /// Writes an object.
    pub(crate) fn put(&self, place: &Place, bytes: &[u8], content_type: &str) -> Result<(), Failure> {
        const OPERATION: &str = "PutObject";
        let bucket = self.bucket(place)?;
        let url = PutObject::new(&bucket, self.credentials.as_ref(), &place.key).sign(SIGNATURE_LIFETIME);
        let request = self.agent.put(url.as_str()).header("Content-Type", content_type);
        let mut response =
            request.send(bytes).map_err(|error| unreachable(OPERATION, place, &error.to_string()))?;
        if response.status().is_success() { Ok(()) } else { Err(answered(OPERATION, place, &mut response)) }
    }

    /// The bucket, once it is sure that its URLs mean what the place says.
    fn bucket(&self, place: &Place) -> Result<Bucket, Failure> {
        let (url, style) = match &self.endpoint {
            Endpoint::Custom(url) => (url.clone(), UrlStyle::Path),
            // A certificate for `*.s3…` does not cover a bucket with a dot in its name.
            Endpoint::Aws if place.bucket.contains('.') => (self.aws(), UrlStyle::Path),
            Endpoint::Aws => (self.aws(), UrlStyle::VirtualHost),
        };
        let refused = |field: &str, problem: String| Failure::Request { field: field.to_owned(), problem };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if !place.bucket.chars().all(plain) || place.bucket.chars().all(|c| c == '.') {
            return Err(refused("bucket", format!("{:?} is not a bucket's name", place.bucket)));
        }
        let url = url.parse().map_err(|error| refused("AWS_ENDPOINT_URL", format!("is {url:?}: {error}")))?;
        let bucket = Bucket::new(url, style, place.bucket.clone(), self.region.clone())
            .map_err(|error| refused("AWS_ENDPOINT_URL", error.to_string()))?;
        let home = bucket.object_url("").map_err(|error| refused("bucket", error.to_string()))?;
        let object = bucket.object_url(&place.key).map_err(|error| refused("key", error.to_string()))?;
        // URLs resolve `.`, `..` and a leading `/`, so such a key would lead to another object, or bucket.
        let slashes = |text: &str| text.matches('/').count();
        let inside = object.origin() == home.origin()
            && object.path().starts_with(home.path())
            && slashes(object.path()) == slashes(home.path()) + slashes(&place.key);
        if inside {
            Ok(bucket)
        } else {
            Err(refused("key", format!("{:?} cannot be written as a URL; rename the object", place.key)))
        }
    }

    fn aws(&self) -> String {
        format!("https://s3.{}.amazonaws.com", self.region)
    }
}

fn unreachable(operation: &'static str, place: &Place, problem: &str) -> Failure {
    let Place { bucket, key } = place.clone();
    Failure::Unreachable { operation, bucket, key, problem: problem.to_owned() }
}

/// The store's error, by the code and message in its XML.
fn answered(operation: &'static str, place: &Place, response: &mut Response<Body>) -> Failure {
    let status = response.status();
    let mut body = String::new();
    // A body that breaks off leaves what was read, and the status says enough without it.
    let _ = response.body_mut().as_reader().take(ERROR_BYTES_MAX).read_to_string(&mut body);
    let element = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once(&format!("</{name}>"))?;
        Some(text.to_owned())
    };
    let is_name =
        |code: &String| !code.is_empty() && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    let code = element("Code").filter(is_name).unwrap_or_else(|| match status {
        StatusCode::NOT_FOUND => "NoSuchKey".to_owned(),
        StatusCode::FORBIDDEN => "AccessDenied".to_owned(),
        _ => "StorageError".to_owned(),
    });
    let message = element("Message").unwrap_or_else(|| "the store gave no message".to_owned());
    let Place { bucket, key } = place.clone();
    Failure::Store { operation, bucket, key, status: status.as_u16(), code, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Store {
        Store::of(|name| (name == "AWS_ENDPOINT_URL").then(|| "http://127.0.0.1:9".to_owned()))
    }

    fn place(bucket: &str, key: &str) -> Place {
        Place { bucket: bucket.to_owned(), key: key.to_owned() }
    }

    #[test]
    fn keys_that_a_url_would_change_are_refused() {
        for key in ["../b/x", "/x", "//host/x", "/b/x", "a/../b", "./x", "a/./b", ".."] {
            assert!(store().bucket(&place("b", key)).is_err(), "{key}");
        }
    }

    #[test]
    fn usual_keys_are_taken_as_they_are() {
        for (key, path) in [
            ("a.png", "a.png"),
            ("in/a b+c.png", "in/a%20b%2Bc.png"),
            ("ü/%41?x#y&z=1.png", "%C3%BC/%2541%3Fx%23y%26z%3D1.png"),
            ("a//b", "a//b"),
            ("a..b/.c", "a..b/.c"),
            ("end/", "end/"),
            ("http://host/x", "http%3A//host/x"),
        ] {
            let url = store().bucket(&place("b", key)).unwrap().object_url(key).unwrap();
            assert_eq!(url.as_str(), format!("http://127.0.0.1:9/b/{path}"));
        }
    }

    #[test]
    fn a_bucket_is_a_name_and_not_a_path() {
        for bucket in ["", "..", "a/b", "a?b", "a#b", "a@b:c"] {
            assert!(store().bucket(&place(bucket, "k")).is_err(), "{bucket:?}");
        }
    }

    #[test]
    fn amazons_buckets_are_hosts_where_certificates_allow() {
        let aws = Store::of(|name| (name == "AWS_REGION").then(|| "eu-central-1".to_owned()));
        for (bucket, url) in [
            ("photos", "https://photos.s3.eu-central-1.amazonaws.com/k"),
            ("my.photos", "https://s3.eu-central-1.amazonaws.com/my.photos/k"),
        ] {
            assert_eq!(aws.bucket(&place(bucket, "k")).unwrap().object_url("k").unwrap().as_str(), url);
        }
    }
}
