//! Lambda's REST calls, so that unchanged AWS tools create and invoke functions here.
//!
//! | call | path under `/2015-03-31/functions` |
//! |--|--|
//! | Invoke | `POST /{name}/invocations` |
//! | CreateFunction, ListFunctions | `POST /`, `GET /` |
//! | GetFunction, DeleteFunction | `GET /{name}`, `DELETE /{name}` |
//! | GetFunctionConfiguration, UpdateFunctionConfiguration | `GET, PUT /{name}/configuration` |
//! | UpdateFunctionCode | `PUT /{name}/code` |
//!
//! It knows the wire shapes; it opens no port (a server hands it requests with their bodies read) and checks no
//! signature. What it registers it first hands to a [`FunctionStore`]: a function that was acknowledged is durable if
//! the store is. An image need not be there yet: its first invocation says if it is missing. Publishing versions, aliases, layers, zip archives, permissions and concurrency settings are refused,
//! by name.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::{
    clock,
    function::{ConfigError, FunctionConfig, FunctionRef, ImageConfig, LATEST, Target},
    host::Host,
    invoke::{Invoke, InvokeError, InvokeKind, Invoked},
};

const PREFIX: &str = "/2015-03-31/functions";
/// Page of ListFunctions, unless fewer are asked for (AWS: 50).
const PAGE_MAX: usize = 50;

/// What a store may fail with.
pub type StoreError = Box<dyn std::error::Error + Send + Sync>;
/// What a store answers with, some time.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Keeps functions over a restart. `save` and `delete` return once what they did is durable.
pub trait FunctionStore: Send + Sync {
    /// Keeps a function, in place of one of the same name.
    fn save<'a>(&'a self, function: &'a FunctionConfig) -> StoreFuture<'a, ()>;
    /// Forgets a function.
    fn delete<'a>(&'a self, name: &'a str) -> StoreFuture<'a, ()>;
    /// Every function that is kept.
    fn load_all(&self) -> StoreFuture<'_, Vec<FunctionConfig>>;
}

/// The REST calls over a host and a store.
#[derive(Clone)]
pub struct LambdaRest {
    host: Host,
    store: Arc<dyn FunctionStore>,
    /// One change at a time, so that store and host agree on which came last.
    changing: Arc<Mutex<()>>,
}

/// An error as the wire has it.
struct Refusal {
    status: StatusCode,
    name: String,
    fault: &'static str,
    message: String,
    request_id: Option<String>,
}

type Answer = Result<Response<Bytes>, Refusal>;

impl LambdaRest {
    /// Registers every function of the store with the host.
    pub async fn open(host: Host, store: Arc<dyn FunctionStore>) -> Result<LambdaRest, StoreError> {
        for function in store.load_all().await? {
            let name = function.name.clone();
            host.register(function).map_err(|error| format!("the stored function {name}: {error}"))?;
        }
        Ok(LambdaRest { host, store, changing: Arc::default() })
    }

    /// Whether a request is one of Lambda's, by its path.
    pub fn accepts(path: &str) -> bool {
        path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The host that runs the functions.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let request_id = Uuid::new_v4().to_string();
        let mut response = self.dispatch(request).await.unwrap_or_else(Refusal::into_response);
        let headers = response.headers_mut();
        if !headers.contains_key("x-amzn-requestid") {
            set(headers, "x-amzn-requestid", &request_id);
        }
        response
    }

    async fn dispatch(&self, request: Request<Bytes>) -> Answer {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let query = parts.uri.query().unwrap_or_default();
        let rest = path.strip_prefix(PREFIX).unwrap_or_default().trim_matches('/');
        let segments: Vec<String> = rest.split('/').map(percent_decoded).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (&parts.method, segments.as_slice()) {
            (&Method::POST, [name, "invocations"]) => self.invoke(name, query, &parts.headers, body).await,
            (&Method::POST, [""]) => self.create(&body).await,
            (&Method::GET, [""]) => self.list(query),
            (&Method::GET, [name]) => self.find(name, query).map(|f| reply(StatusCode::OK, &described(&f))),
            (&Method::DELETE, [name]) => self.delete(name, query).await,
            (&Method::GET, [name, "configuration"]) => {
                self.find(name, query).map(|f| reply(StatusCode::OK, &configuration(&f)))
            }
            (&Method::PUT, [name, "configuration"]) => self.update_configuration(name, &body).await,
            (&Method::PUT, [name, "code"]) => self.update_code(name, &body).await,
            (method, _) => Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "UnknownOperationException",
                format!("{method} {path} is no Lambda call that this server answers"),
            )),
        }
    }

    async fn invoke(&self, name: &str, query: &str, headers: &HeaderMap, body: Bytes) -> Answer {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let kind = match header("x-amz-invocation-type") {
            None => InvokeKind::RequestResponse,
            Some(kind) => InvokeKind::from_name(kind).ok_or_else(|| {
                invalid(format!("InvocationType '{kind}' must be RequestResponse, Event or DryRun"))
            })?,
        };
        let invoke = Invoke {
            function: name.to_owned(),
            qualifier: query_value(query, "Qualifier"),
            payload: body,
            kind,
            log_tail: header("x-amz-log-type") == Some("Tail"),
            client_context: header("x-amz-client-context").map(str::to_owned),
            trace: header("x-amzn-trace-id").map(str::to_owned),
            idempotency_id: None,
        };
        Ok(invoked(self.host.invoke(invoke).await?))
    }

    async fn create(&self, body: &[u8]) -> Answer {
        let wanted: CreateFunction = parse(body)?;
        let target = wanted.code.unwrap_or_default().target(wanted.package_type.as_deref())?;
        let target =
            target.ok_or_else(|| invalid("Code.ImageUri: an image, process: or http(s) URI is needed"))?;
        let name = wanted.function_name.ok_or_else(|| invalid("FunctionName: a name is needed"))?;
        let name = self.ours(&name)?.name;
        let mut function = FunctionConfig::new(name, target, self.host.account(), self.host.region());
        function.role = wanted.role.unwrap_or_default();
        wanted.settings.apply(&mut function);
        let _changing = self.changing.lock().await;
        if self.host.get(&function.name).is_some() {
            let message = format!("Function already exist: {}", function.name);
            return Err(Refusal::new(StatusCode::CONFLICT, "ResourceConflictException", message));
        }
        let function = self.keep(function).await?;
        Ok(reply(StatusCode::CREATED, &configuration(&function)))
    }

    fn list(&self, query: &str) -> Answer {
        let page = match query_value(query, "MaxItems").map(|text| text.parse::<usize>()) {
            None => PAGE_MAX,
            Some(Ok(items @ 1..)) => items.min(PAGE_MAX),
            Some(_) => return Err(invalid("MaxItems must be a number from 1 to 10000")),
        };
        let after = query_value(query, "Marker").unwrap_or_default();
        let mut functions = self.host.list();
        functions.retain(|function| function.name > after);
        let marker = functions.get(page - 1).filter(|_| functions.len() > page).map(|last| last.name.clone());
        functions.truncate(page);
        let functions: Vec<Value> = functions.iter().map(|function| configuration(function)).collect();
        let mut answer = json!({"Functions": functions});
        if let Some(marker) = marker {
            answer["NextMarker"] = marker.into();
        }
        Ok(reply(StatusCode::OK, &answer))
    }

    async fn delete(&self, name: &str, query: &str) -> Answer {
        let _changing = self.changing.lock().await;
        let function = self.find(name, query)?;
        self.store.delete(&function.name).await.map_err(not_kept)?;
        self.host.remove(&function.name);
        Ok(empty(StatusCode::NO_CONTENT))
    }

    async fn update_configuration(&self, name: &str, body: &[u8]) -> Answer {
        let wanted: UpdateConfiguration = parse(body)?;
        self.update(name, wanted.revision_id.as_deref(), |function| {
            if let Some(role) = wanted.role {
                function.role = role;
            }
            wanted.settings.apply(function);
            Ok(())
        })
        .await
    }

    async fn update_code(&self, name: &str, body: &[u8]) -> Answer {
        let wanted: UpdateCode = parse(body)?;
        let target = wanted.code.target(None)?.ok_or_else(|| invalid("ImageUri: a URI is needed"))?;
        self.update(name, wanted.revision_id.as_deref(), |function| {
            function.target = target;
            Ok(())
        })
        .await
    }

    async fn update(
        &self,
        name: &str,
        revision_id: Option<&str>,
        change: impl FnOnce(&mut FunctionConfig) -> Result<(), Refusal>,
    ) -> Answer {
        let _changing = self.changing.lock().await;
        let mut function = FunctionConfig::clone(&*self.find(name, "")?);
        if revision_id.is_some_and(|revision_id| revision_id != function.revision_id) {
            let message = "The RevisionId provided does not match the latest RevisionId. Call the GetFunction or \
                           the GetFunctionConfiguration API to retrieve the latest RevisionId";
            return Err(Refusal::new(
                StatusCode::PRECONDITION_FAILED,
                "PreconditionFailedException",
                message,
            ));
        }
        change(&mut function)?;
        let function = self.keep(function).await?;
        Ok(reply(StatusCode::OK, &configuration(&function)))
    }

    /// Checks a function, stores it, and only then lets it run.
    async fn keep(&self, mut function: FunctionConfig) -> Result<FunctionConfig, Refusal> {
        function.validate()?;
        function.revision_id = Uuid::new_v4().to_string();
        function.last_modified = clock::rfc3339(clock::now_ms()).replace('Z', "+0000");
        self.store.save(&function).await.map_err(not_kept)?;
        self.host.register(function.clone())?;
        Ok(function)
    }

    fn find(&self, name: &str, query: &str) -> Result<Arc<FunctionConfig>, Refusal> {
        let wanted = self.ours(name)?;
        let qualifier = query_value(query, "Qualifier").or(wanted.qualifier);
        let known = qualifier.as_deref().is_none_or(|qualifier| qualifier == LATEST);
        self.host.get(&wanted.name).filter(|_| known).ok_or_else(|| {
            let (region, account, name) = (self.host.region(), self.host.account(), &wanted.name);
            let version = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
            let message =
                format!("Function not found: arn:aws:lambda:{region}:{account}:function:{name}{version}");
            Refusal::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", message)
        })
    }

    /// A function's name, unless it names one of another account or region.
    fn ours(&self, name: &str) -> Result<FunctionRef, Refusal> {
        let wanted: FunctionRef = name.parse()?;
        let is = |part: &Option<String>, ours: &str| part.as_ref().is_none_or(|part| part == ours);
        if is(&wanted.account, self.host.account()) && is(&wanted.region, self.host.region()) {
            return Ok(wanted);
        }
        let (region, account) = (self.host.region(), self.host.account());
        let message =
            format!("{name} is not in region {region} and account {account}, which this server keeps");
        Err(Refusal::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", message))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateFunction {
    function_name: Option<String>,
    role: Option<String>,
    package_type: Option<String>,
    code: Option<Code>,
    #[serde(flatten)]
    settings: Settings,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateConfiguration {
    role: Option<String>,
    revision_id: Option<String>,
    #[serde(flatten)]
    settings: Settings,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateCode {
    revision_id: Option<String>,
    #[serde(flatten)]
    code: Code,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Code {
    image_uri: Option<String>,
    zip_file: Option<String>,
    s3_bucket: Option<String>,
}

/// Settings that both create and update may set; absent ones stay as they are.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Settings {
    description: Option<String>,
    timeout: Option<u32>,
    memory_size: Option<u32>,
    environment: Option<Environment>,
    image_config: Option<WireImageConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    #[serde(default)]
    variables: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireImageConfig {
    entry_point: Option<Vec<String>>,
    command: Option<Vec<String>>,
    working_directory: Option<String>,
}

impl Code {
    fn target(&self, package_type: Option<&str>) -> Result<Option<Target>, Refusal> {
        if self.zip_file.is_some() || self.s3_bucket.is_some() || package_type == Some("Zip") {
            return Err(invalid(
                "Zip packages are not run here. Use PackageType Image with Code.ImageUri: a container image, \
                 process:/path/to/program, or the http(s) URL of an Invoke endpoint",
            ));
        }
        Ok(self.image_uri.as_deref().map(str::parse).transpose()?)
    }
}

impl Settings {
    fn apply(self, function: &mut FunctionConfig) {
        let Settings { description, timeout, memory_size, environment, image_config } = self;
        if let Some(description) = description {
            function.description = description;
        }
        if let Some(timeout_s) = timeout {
            function.timeout_s = timeout_s;
        }
        if let Some(memory_mb) = memory_size {
            function.memory_mb = memory_mb;
        }
        if let Some(environment) = environment {
            function.environment = environment.variables;
        }
        if let Some(WireImageConfig { entry_point, command, working_directory }) = image_config {
            function.image_config = ImageConfig { entry_point, command, working_directory };
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        let message = format!("Could not parse request body into json: {error}");
        Refusal::new(StatusCode::BAD_REQUEST, "InvalidRequestContentException", message)
    })
}

/// FunctionConfiguration of the wire.
fn configuration(function: &FunctionConfig) -> Value {
    let mut wire = json!({
        "FunctionName": function.name,
        "FunctionArn": function.arn(),
        "Role": function.role,
        "CodeSize": 0,
        "Description": function.description,
        "Timeout": function.timeout_s,
        "MemorySize": function.memory_mb,
        "LastModified": function.last_modified,
        "CodeSha256": hex::encode(Sha256::digest(function.target.to_string())),
        "Version": LATEST,
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": function.revision_id,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Image",
        "Architectures": [if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }],
        "EphemeralStorage": {"Size": 512},
    });
    if !function.environment.is_empty() {
        wire["Environment"] = json!({"Variables": function.environment});
    }
    let ImageConfig { entry_point, command, working_directory } = &function.image_config;
    let mut overrides = serde_json::Map::new();
    let mut set =
        |name: &str, value: Option<Value>| value.map(|value| overrides.insert(name.to_owned(), value));
    set("EntryPoint", entry_point.clone().map(Value::from));
    set("Command", command.clone().map(Value::from));
    set("WorkingDirectory", working_directory.clone().map(Value::from));
    if !overrides.is_empty() {
        wire["ImageConfigResponse"] = json!({"ImageConfig": overrides});
    }
    wire
}

/// GetFunction's answer.
fn described(function: &FunctionConfig) -> Value {
    let uri = function.target.to_string();
    json!({
        "Configuration": configuration(function),
        "Code": {"RepositoryType": "ECR", "ImageUri": uri, "ResolvedImageUri": uri},
        "Tags": {},
    })
}

fn invoked(invoked: Invoked) -> Response<Bytes> {
    let Invoked { status, payload, function_error, executed_version, log_tail, request_id, headers: _ } =
        invoked;
    let mut response = Response::new(payload);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    set(headers, "content-type", "application/json");
    set(headers, "x-amzn-requestid", &request_id);
    set(headers, "x-amz-executed-version", &executed_version);
    if let Some(error) = &function_error {
        set(headers, "x-amz-function-error", error);
    }
    if let Some(tail) = &log_tail {
        set(headers, "x-amz-log-result", tail);
    }
    response
}

impl Refusal {
    fn new(status: StatusCode, name: &str, message: impl Into<String>) -> Refusal {
        let fault = if status.is_server_error() { "Service" } else { "User" };
        Refusal { status, name: name.to_owned(), fault, message: message.into(), request_id: None }
    }

    fn into_response(self) -> Response<Bytes> {
        let mut body = json!({"Type": self.fault, "Message": self.message});
        if self.name == "TooManyRequestsException" {
            // The one error whose text has a small letter on the wire.
            body = json!({"Type": self.fault, "message": self.message, "Reason": "ConcurrentInvocationLimitExceeded"});
        }
        let mut response = reply(self.status, &body);
        set(response.headers_mut(), "x-amzn-errortype", &self.name);
        if let Some(request_id) = &self.request_id {
            set(response.headers_mut(), "x-amzn-requestid", request_id);
        }
        response
    }
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Refusal {
        invalid(error.to_string())
    }
}

impl From<InvokeError> for Refusal {
    fn from(error: InvokeError) -> Refusal {
        Refusal {
            status: StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            name: error.name().to_owned(),
            fault: error.fault(),
            message: error.to_string(),
            request_id: error.request_id().map(str::to_owned),
        }
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "InvalidParameterValueException", message)
}

fn not_kept(error: StoreError) -> Refusal {
    tracing::error!(%error, "a function could not be stored");
    let message = format!("The function could not be stored: {error}");
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "ServiceException", message)
}

fn reply(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    set(response.headers_mut(), "content-type", "application/json");
    response
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// Sets a header; a value that no header can hold is left out.
fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn query_value(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.into_iter().find(|(key, _)| *key == name);
    found.map(|(_, value)| percent_decoded(&value.replace('+', " ")))
}

/// `%XX` decoded; what is not UTF-8 then is replaced, and matches no function.
fn percent_decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, after @ ..] = rest {
        let escaped = after.get(..2).filter(|_| *first == b'%');
        let code = escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_other_services_are_left_alone() {
        let cases = [
            ("/2015-03-31/functions", true),
            ("/2015-03-31/functions/", true),
            ("/2015-03-31/functions/f/invocations", true),
            ("/2015-03-31/functionsx", false),
            ("/", false),
        ];
        for (path, accepted) in cases {
            assert_eq!(LambdaRest::accepts(path), accepted, "{path}");
        }
    }

    #[test]
    fn escapes_are_decoded_once() {
        let cases =
            [("a%3Ab", "a:b"), ("%2525", "%25"), ("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%C3%A9", "é")];
        for (text, decoded) in cases {
            assert_eq!(percent_decoded(text), decoded);
        }
        assert_eq!(query_value("a=1&Qualifier=%24LATEST", "Qualifier").as_deref(), Some("$LATEST"));
        assert_eq!(query_value("Qualifier", "Qualifier"), None);
    }
}
