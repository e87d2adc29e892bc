//! Requests to an S3-compatible store: what they ask for, how they are signed, and how their failures read.

use std::time::Duration;

use asl::json::Json;
use reqwest::{Method, Response, Url};
use rusty_s3::actions::ListObjectsV2Response;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};

/// How long a signature holds: longer than any request waits for its turn.
const SIGNED_FOR: Duration = Duration::from_secs(900);
/// How long a store may take to be reached, and to send the next bytes.
const CONNECT_MAX: Duration = Duration::from_secs(10);
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How often a request is sent that a store could not answer, and the pause before the second time.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(200);
/// The most bytes of an error's body that are looked at.
const ERROR_BYTES_MAX: usize = 8 * 1024;

/// Where a store is and who asks.
#[derive(Clone, Debug)]
pub struct S3Access {
    /// The URL of the store; buckets are the first part of the path.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The access key, the secret key and perhaps a session token; without them requests are not signed.
    pub credentials: Option<(String, String, Option<String>)>,
}

/// A store.
pub(crate) struct Client {
    http: reqwest::Client,
    endpoint: Url,
    region: String,
    credentials: Option<Credentials>,
}

/// What an ItemReader's arguments name.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) bucket: String,
    /// Of an object.
    pub(crate) key: String,
    pub(crate) version: Option<String>,
    pub(crate) owner: Option<String>,
    /// Of a listing.
    pub(crate) prefix: Option<String>,
    pub(crate) start_after: Option<String>,
    pub(crate) delimiter: Option<String>,
}

impl Address {
    /// Reads the arguments of a reader.
    pub(crate) fn of(arguments: &Json, object: bool) -> Result<Address, String> {
        const KNOWN: [&str; 12] = [
            "Bucket",
            "Key",
            "VersionId",
            "ExpectedBucketOwner",
            "Prefix",
            "StartAfter",
            "Delimiter",
            "MaxKeys",
            "EncodingType",
            "FetchOwner",
            "RequestPayer",
            "ContinuationToken",
        ];
        for name in arguments.as_object().into_iter().flatten().map(|(name, _)| name) {
            if !KNOWN.contains(&&**name) {
                return Err(format!("The field \"{name}\" is not supported by ItemReader"));
            }
        }
        let text = |name: &str| arguments.get(name).and_then(Json::as_str).map(str::to_owned);
        let missing = |name: &str| format!("The field '{name}' of the ItemReader must be a string");
        let bucket = text("Bucket").filter(|bucket| !bucket.is_empty()).ok_or_else(|| missing("Bucket"))?;
        let key = if object { text("Key").ok_or_else(|| missing("Key"))? } else { String::new() };
        Ok(Address {
            bucket,
            key,
            version: text("VersionId"),
            owner: text("ExpectedBucketOwner"),
            prefix: text("Prefix"),
            start_after: text("StartAfter"),
            delimiter: text("Delimiter"),
        })
    }

    /// Another object, as whoever asks for this one.
    pub(crate) fn object(&self, bucket: &str, key: &str) -> Address {
        Address { bucket: bucket.to_owned(), key: key.to_owned(), version: None, ..self.clone() }
    }
}

const OWNER: &str = "x-amz-expected-bucket-owner";

impl Client {
    pub(crate) fn new(access: S3Access) -> Result<Client, String> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_MAX)
            .read_timeout(SILENCE_MAX)
            .build()
            .map_err(|error| format!("there is no HTTP client: {error}"))?;
        let endpoint = Url::parse(&access.endpoint)
            .map_err(|error| format!("the S3 endpoint {} is no URL: {error}", access.endpoint))?;
        let credentials = access.credentials.map(|(key, secret, token)| match token {
            Some(token) => Credentials::new_with_token(key, secret, token),
            None => Credentials::new(key, secret),
        });
        Ok(Client { http, endpoint, region: access.region, credentials })
    }

    pub(crate) fn bucket(&self, name: &str) -> Result<Bucket, String> {
        Bucket::new(self.endpoint.clone(), UrlStyle::Path, name.to_owned(), self.region.clone())
            .map_err(|error| format!("'{name}' is no name of a bucket: {error}"))
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// An object from a byte on, until another if that is given; `etag`: only if it is still the same.
    pub(crate) async fn get(
        &self,
        address: &Address,
        from: u64,
        until: Option<u64>,
        etag: Option<&str>,
    ) -> Result<Response, String> {
        let bucket = self.bucket(&address.bucket)?;
        let mut action = bucket.get_object(self.credentials(), &address.key);
        if let Some(version) = &address.version {
            action.query_mut().insert("versionId", version.clone());
        }
        let mut headers = Vec::new();
        if let Some(owner) = &address.owner {
            action.headers_mut().insert(OWNER, owner.clone());
            headers.push((OWNER, owner.clone()));
        }
        match until {
            // The last byte of a range belongs to it.
            Some(until) => headers.push(("range", format!("bytes={from}-{}", until.saturating_sub(1)))),
            None if from > 0 => headers.push(("range", format!("bytes={from}-"))),
            None => {}
        }
        headers.extend(etag.map(|etag| ("if-match", etag.to_owned())));
        self.send(Method::GET, action.sign(SIGNED_FOR), &headers, None).await
    }

    /// A page of a listing.
    pub(crate) async fn list(
        &self,
        address: &Address,
        token: Option<&str>,
    ) -> Result<ListObjectsV2Response, String> {
        let bucket = self.bucket(&address.bucket)?;
        let mut action = bucket.list_objects_v2(self.credentials());
        let prefix = address.prefix.as_deref();
        prefix.into_iter().for_each(|prefix| action.with_prefix(prefix.to_owned()));
        let delimiter = address.delimiter.as_deref();
        delimiter.into_iter().for_each(|delimiter| action.with_delimiter(delimiter.to_owned()));
        let start_after = address.start_after.as_deref();
        start_after.into_iter().for_each(|after| action.with_start_after(after.to_owned()));
        token.into_iter().for_each(|token| action.with_continuation_token(token.to_owned()));
        let mut headers = Vec::new();
        if let Some(owner) = &address.owner {
            action.headers_mut().insert(OWNER, owner.clone());
            headers.push((OWNER, owner.clone()));
        }
        let response = self.send(Method::GET, action.sign(SIGNED_FOR), &headers, None).await?;
        let text = response.text().await.map_err(|error| told(&error))?;
        rusty_s3::actions::ListObjectsV2::parse_response(&text)
            .map_err(|error| format!("The listing cannot be read: {error}"))
    }

    /// Sends a request until it is answered, a few times at most. What it asks for may be done twice.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: Url,
        headers: &[(&'static str, String)],
        body: Option<bytes::Bytes>,
    ) -> Result<Response, String> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            let mut request = self.http.request(method.clone(), url.clone());
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            request = request.body(body.clone().unwrap_or_default());
            let why = match request.send().await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    let again = response.status().is_server_error() || response.status() == 429;
                    let why = refused(response).await;
                    if !again {
                        return Err(why);
                    }
                    why
                }
                Err(error) => told(&error),
            };
            if attempt == TRIES {
                return Err(why);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        unreachable!("the last attempt returns")
    }
}

/// A refusal in the words that AWS's own clients have for it (BEHAVIOURS 25).
async fn refused(response: Response) -> String {
    let status = response.status().as_u16();
    let header = |name: &str| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let (request_id, extended) = (header("x-amz-request-id"), header("x-amz-id-2"));
    let body = response.text().await.unwrap_or_default();
    let body = body.get(..ERROR_BYTES_MAX).unwrap_or(&body);
    let part = |name: &str| {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let from = body.find(&open)? + open.len();
        let until = from + body[from..].find(&close)?;
        Some(body[from..until].to_owned())
    };
    let message = part("Message").unwrap_or_else(|| format!("The store answered with status {status}"));
    let code = part("Code").map(|code| format!(", Error Code: {code}")).unwrap_or_default();
    let extended =
        if extended.is_empty() { String::new() } else { format!(", Extended Request ID: {extended}") };
    format!("{message} (Service: S3, Status Code: {status}{code}, Request ID: {request_id}{extended})")
}

/// A failure of the way there, with its innermost cause.
pub(crate) fn told(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    format!("Unable to execute HTTP request: {cause}")
}
