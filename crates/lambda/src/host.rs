//! The function host: names to functions, and Invoke.
//!
//! It knows which functions there are and who runs each; how a sandbox lives is the pool's, how an endpoint elsewhere
//! is spoken to is `endpoint`'s. It holds no durable state: the caller registers what it has persisted, and an
//! accepted `Event` invocation lives in memory, as its documentation says.
//!
//! An invocation runs in a task of its own: a caller that goes away does not stop the function, as on Lambda.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    endpoint::Endpoint,
    environment::Credentials,
    failure::ErrorBody,
    function::{ConfigError, FunctionConfig, FunctionRef, LATEST, Target},
    invoke::{Invoke, InvokeError, InvokeKind, Invoked, checked_payload},
    launcher::{Containers, Launcher},
    pool::{Call, Pool, PoolLimits, Run},
};

/// Invocations in flight of one function, waiting ones included (AWS: 1,000 an account).
pub const CONCURRENCY_MAX: usize = 1000;
/// Sandboxes of one function. Invocations over it wait for a free one: a laptop is no region, and refusing what AWS
/// accepts would change an unchanged caller's answer.
pub const SANDBOXES_MAX: usize = 64;
/// How long a warm sandbox is kept without work. AWS does not say; five minutes is what is seen there.
pub const IDLE_MAX: Duration = Duration::from_secs(300);
/// How often idle sandboxes are looked through.
const REAP_INTERVAL: Duration = Duration::from_secs(5);
/// `Event` invocations accepted and not yet done, over all functions; their payloads are held in memory.
const EVENTS_MAX: usize = 1000;
/// Waits before the repetitions of an `Event` invocation whose function failed (AWS: two, after one and two minutes).
const EVENT_RETRY_WAITS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// After the grace of a shutdown, how long killed runtimes may take to be gone.
const KILL_MAX: Duration = Duration::from_secs(10);

/// How the host is set up.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Account of functions named without one.
    pub account: String,
    /// Region of functions named without one.
    pub region: String,
    /// Our own URL, given to every function as `AWS_ENDPOINT_URL`.
    pub server_url: Option<String>,
    /// Where functions are invoked that are not registered here.
    pub default_endpoint: Option<String>,
    /// Whether containers are run.
    pub docker: Docker,
    /// More variables for every function, such as `AWS_ENDPOINT_URL_S3`; these win over `server_url`.
    pub environment: BTreeMap<String, String>,
    /// Credentials given to functions.
    pub credentials: Credentials,
    /// See [`CONCURRENCY_MAX`].
    pub concurrency_max: usize,
    /// See [`SANDBOXES_MAX`].
    pub sandboxes_max: usize,
    /// See [`IDLE_MAX`].
    pub idle_max: Duration,
}

/// Whether containers are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Docker {
    /// Where a Docker engine answers (`DOCKER_HOST`, or the usual socket).
    #[default]
    Auto,
    /// Never.
    Off,
}

impl Default for HostOptions {
    fn default() -> HostOptions {
        HostOptions {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            server_url: None,
            default_endpoint: None,
            docker: Docker::Auto,
            environment: BTreeMap::new(),
            credentials: Credentials::default(),
            concurrency_max: CONCURRENCY_MAX,
            sandboxes_max: SANDBOXES_MAX,
            idle_max: IDLE_MAX,
        }
    }
}

/// The function host; clones share it.
#[derive(Clone, Debug)]
pub struct Host {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: HostOptions,
    functions: RwLock<BTreeMap<String, Arc<Pool>>>,
    launcher: Arc<Launcher>,
    endpoint: Endpoint,
    events: Arc<Semaphore>,
    /// Invocations in flight.
    running: TaskTracker,
    /// Cancelled when a shutdown begins: nothing new, and waiting events are dropped.
    closing: CancellationToken,
    /// Cancelled when the grace of a shutdown is over: running invocations are dropped.
    killed: CancellationToken,
}

/// Where an invocation goes.
enum Route {
    Pool(Arc<Pool>),
    Elsewhere { url: String, function: String },
}

impl Host {
    /// A host without functions. Needs a tokio runtime, on which it reaps idle sandboxes until it is dropped.
    pub fn new(options: HostOptions) -> Host {
        let mut environment = BTreeMap::new();
        if let Some(url) = &options.server_url {
            environment.insert("AWS_ENDPOINT_URL".to_owned(), url.clone());
        }
        environment.extend(options.environment.clone());
        let launcher = Launcher {
            environment,
            credentials: options.credentials.clone(),
            containers: containers(options.docker),
            watchers: TaskTracker::new(),
        };
        let shared = Arc::new(Shared {
            options,
            functions: RwLock::default(),
            launcher: Arc::new(launcher),
            endpoint: Endpoint::new(),
            events: Arc::new(Semaphore::new(EVENTS_MAX)),
            running: TaskTracker::new(),
            closing: CancellationToken::new(),
            killed: CancellationToken::new(),
        });
        tokio::spawn(reap(Arc::downgrade(&shared), shared.closing.clone()));
        Host { shared }
    }

    /// Adds a function, or replaces it: its warm sandboxes are then discarded, busy ones after their invocation.
    pub fn register(&self, function: FunctionConfig) -> Result<(), ConfigError> {
        function.validate()?;
        let options = &self.shared.options;
        let limits =
            PoolLimits { concurrency_max: options.concurrency_max, sandboxes_max: options.sandboxes_max };
        let name = function.name.clone();
        let pool = Arc::new(Pool::new(Arc::new(function), Arc::clone(&self.shared.launcher), limits));
        let replaced = self.shared.functions_mut().insert(name, pool);
        if let Some(old) = replaced {
            old.retire();
        }
        Ok(())
    }

    /// Removes a function; whether there was one.
    pub fn remove(&self, name: &str) -> bool {
        let removed = self.shared.functions_mut().remove(name);
        if let Some(pool) = &removed {
            pool.retire();
        }
        removed.is_some()
    }

    /// A function by its name.
    pub fn get(&self, name: &str) -> Option<Arc<FunctionConfig>> {
        self.shared.pool(name).map(|pool| Arc::clone(pool.function()))
    }

    /// Every function, by name.
    pub fn list(&self) -> Vec<Arc<FunctionConfig>> {
        let functions = self.shared.functions.read().unwrap_or_else(PoisonError::into_inner);
        functions.values().map(|pool| Arc::clone(pool.function())).collect()
    }

    /// Account of functions that are named without one.
    pub fn account(&self) -> &str {
        &self.shared.options.account
    }

    /// Region of functions that are named without one.
    pub fn region(&self) -> &str {
        &self.shared.options.region
    }

    /// Invokes a function and, unless it is an `Event`, waits for its answer.
    pub async fn invoke(&self, mut invoke: Invoke) -> Result<Invoked, InvokeError> {
        if self.shared.closing.is_cancelled() {
            return Err(InvokeError::Service { message: "The server is shutting down.".to_owned() });
        }
        invoke.payload = checked_payload(&invoke.payload, invoke.kind)?;
        let request_id = request_id(invoke.idempotency_id.as_deref());
        match self.shared.route(&invoke)? {
            Route::Elsewhere { url, function } => {
                self.shared.endpoint.invoke(&url, &function, &invoke, &request_id).await
            }
            Route::Pool(pool) => match invoke.kind {
                InvokeKind::RequestResponse => self.run(pool, invoke, request_id).await,
                InvokeKind::Event => self.queue(pool, invoke, request_id),
                InvokeKind::DryRun => Ok(accepted(204, request_id)),
            },
        }
    }

    /// The digest by which the engine knows a container image.
    #[cfg(feature = "containers")]
    pub async fn image_digest(&self, uri: &str) -> Result<String, InvokeError> {
        let digest = async {
            match &self.shared.launcher.containers {
                Containers::Off(reason) => Err(crate::sandbox::StartError::Machine((*reason).to_owned())),
                Containers::Docker(engines) => Ok(engines.engine().await?.image(uri).await?.digest()),
            }
        };
        digest.await.map_err(crate::pool::refusal)
    }

    /// Whether container images can be run here; the reason if not.
    pub async fn containers(&self) -> Result<(), String> {
        match &self.shared.launcher.containers {
            Containers::Off(reason) => Err((*reason).to_owned()),
            #[cfg(feature = "containers")]
            Containers::Docker(engines) => {
                engines.engine().await.map(drop).map_err(|error| error.to_string())
            }
        }
    }

    /// Takes no more work, gives what runs `grace` to end, then kills it; returns when nothing is left running.
    pub async fn shutdown(&self, grace: Duration) {
        let shared = &self.shared;
        shared.closing.cancel();
        shared.running.close();
        let _ = tokio::time::timeout(grace, shared.running.wait()).await;
        shared.killed.cancel();
        let pools = std::mem::take(&mut *shared.functions_mut());
        pools.values().for_each(|pool| pool.retire());
        shared.launcher.watchers.close();
        let gone = async {
            shared.running.wait().await;
            shared.launcher.watchers.wait().await;
        };
        if tokio::time::timeout(KILL_MAX, gone).await.is_err() {
            tracing::warn!("some functions could not be stopped within {KILL_MAX:?}");
        }
    }

    async fn run(&self, pool: Arc<Pool>, invoke: Invoke, request_id: String) -> Result<Invoked, InvokeError> {
        let call = call(&pool, &invoke, &request_id);
        let killed = self.shared.killed.clone();
        let task = self.shared.running.spawn(async move {
            tokio::select! {
                run = pool.run(call) => Some(run),
                () = killed.cancelled() => None,
            }
        });
        match task.await {
            Ok(Some(run)) => run.map(|run| answered(run, request_id)),
            Ok(None) => Err(InvokeError::Service { message: "The server was shut down.".to_owned() }),
            Err(failed) => {
                tracing::error!(%failed, "an invocation's task failed");
                Err(InvokeError::Service { message: format!("An internal error occurred: {failed}") })
            }
        }
    }

    fn queue(&self, pool: Arc<Pool>, invoke: Invoke, request_id: String) -> Result<Invoked, InvokeError> {
        let place =
            Arc::clone(&self.shared.events).try_acquire_owned().map_err(|_| InvokeError::TooManyRequests)?;
        let call = call(&pool, &invoke, &request_id);
        let (closing, killed) = (self.shared.closing.clone(), self.shared.killed.clone());
        self.shared.running.spawn(async move {
            tokio::select! {
                () = run_event(pool, call, closing) => {}
                () = killed.cancelled() => {}
            }
            drop(place);
        });
        Ok(accepted(202, request_id))
    }
}

impl Shared {
    fn route(&self, invoke: &Invoke) -> Result<Route, InvokeError> {
        let parsed: FunctionRef = invoke.function.parse().map_err(|error: ConfigError| {
            InvokeError::InvalidParameterValue { message: error.to_string() }
        })?;
        let qualifier = invoke.qualifier.as_ref().or(parsed.qualifier.as_ref());
        let is_ours = parsed.account.as_ref().is_none_or(|account| *account == self.options.account)
            && parsed.region.as_ref().is_none_or(|region| *region == self.options.region);
        if let Some(pool) = self.pool(&parsed.name).filter(|_| is_ours) {
            if let Target::Endpoint { url } = &pool.function().target {
                return Ok(Route::Elsewhere { url: url.clone(), function: invoke.function.clone() });
            }
            if qualifier.is_none_or(|qualifier| qualifier == LATEST) {
                return Ok(Route::Pool(pool));
            }
        } else if let Some(url) = &self.options.default_endpoint {
            return Ok(Route::Elsewhere { url: url.clone(), function: invoke.function.clone() });
        }
        let account = parsed.account.as_ref().unwrap_or(&self.options.account);
        let region = parsed.region.as_ref().unwrap_or(&self.options.region);
        let arn = format!("arn:aws:lambda:{region}:{account}:function:{}", parsed.name);
        Err(InvokeError::ResourceNotFound { arn, qualifier: qualifier.cloned() })
    }

    fn pool(&self, name: &str) -> Option<Arc<Pool>> {
        self.functions.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn functions_mut(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<String, Arc<Pool>>> {
        self.functions.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(feature = "containers")]
fn containers(docker: Docker) -> Containers {
    match docker {
        Docker::Auto => Containers::Docker(crate::container::Engines::default()),
        Docker::Off => Containers::Off("they were switched off"),
    }
}

#[cfg(not(feature = "containers"))]
fn containers(_: Docker) -> Containers {
    Containers::Off("this program was built without them")
}

async fn reap(shared: std::sync::Weak<Shared>, closing: CancellationToken) {
    while closing.run_until_cancelled(tokio::time::sleep(REAP_INTERVAL)).await.is_some() {
        let Some(shared) = shared.upgrade() else { return };
        let pools: Vec<Arc<Pool>> =
            shared.functions.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        pools.iter().for_each(|pool| pool.reap(shared.options.idle_max));
    }
}

/// Runs an `Event` to its end: at once, and after a failure of the function twice more, as Lambda does.
async fn run_event(pool: Arc<Pool>, call: Call, closing: CancellationToken) {
    let function = pool.function().name.clone();
    for wait in EVENT_RETRY_WAITS.map(Some).into_iter().chain([None]) {
        let failure = match Arc::clone(&pool).run(call.clone()).await {
            Ok(Run { error: None, .. }) => return,
            Ok(Run { error: Some(error), .. }) => String::from_utf8_lossy(&error.body).into_owned(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(%function, request_id = %call.request_id, %failure, "an asynchronous invocation failed");
        let Some(wait) = wait else { return };
        if closing.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            tracing::warn!(%function, request_id = %call.request_id, "dropped by shutdown before it was repeated");
            return;
        }
    }
}

/// A request id: of the caller's stable id if it gave one, so that a repetition has the same; else a new one.
fn request_id(stable: Option<&str>) -> String {
    let Some(stable) = stable else { return Uuid::new_v4().to_string() };
    if let Ok(id) = Uuid::try_parse(stable) {
        return id.to_string();
    }
    let digest = Sha256::digest(stable.as_bytes());
    let bytes: [u8; 16] = digest[..16].try_into().expect("a SHA-256 digest has 32 bytes");
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

fn call(pool: &Pool, invoke: &Invoke, request_id: &str) -> Call {
    Call {
        request_id: request_id.to_owned(),
        payload: invoke.payload.clone(),
        function_arn: pool.function().arn(),
        trace_id: invoke.trace.clone().unwrap_or_else(new_trace),
        client_context: invoke.client_context.as_deref().and_then(decoded),
        log_tail: invoke.log_tail,
    }
}

/// Callers send a client context in base64; runtimes get JSON.
fn decoded(context: &str) -> Option<String> {
    crate::failure::from_base64(context).and_then(|json| String::from_utf8(json.to_vec()).ok())
}

/// A trace header of a request that came without one; never sampled, since nothing collects it.
fn new_trace() -> String {
    let random = Uuid::new_v4().simple().to_string();
    let seconds = crate::clock::now_ms() / 1000;
    format!("Root=1-{seconds:08x}-{};Parent={};Sampled=0", &random[..24], &random[16..])
}

fn accepted(status: u16, request_id: String) -> Invoked {
    Invoked {
        status,
        payload: Bytes::new(),
        function_error: None,
        executed_version: LATEST.to_owned(),
        log_tail: None,
        headers: vec![("x-amzn-RequestId".to_owned(), request_id.clone())],
        request_id,
    }
}

fn answered(run: Run, request_id: String) -> Invoked {
    let failed = run.error.is_some();
    let payload = match run.error {
        Some(ErrorBody { body, .. }) => body,
        None => run.payload,
    };
    let mut headers = vec![
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("Content-Length".to_owned(), payload.len().to_string()),
        ("x-amzn-RequestId".to_owned(), request_id.clone()),
        ("x-amzn-Remapped-Content-Length".to_owned(), "0".to_owned()),
        ("X-Amz-Executed-Version".to_owned(), LATEST.to_owned()),
        ("X-Amzn-Trace-Id".to_owned(), run.trace_id),
    ];
    let mut set = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    if failed {
        set("X-Amz-Function-Error", "Unhandled");
    }
    if let Some(tail) = &run.log_tail {
        set("X-Amz-Log-Result", tail);
    }
    Invoked {
        status: 200,
        payload,
        function_error: failed.then(|| "Unhandled".to_owned()),
        executed_version: LATEST.to_owned(),
        log_tail: run.log_tail,
        request_id,
        headers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_task_has_the_same_request_id() {
        let uuid = "0b7f6c1e-5a43-4c7b-9d5f-3f4b6f0a7c11";
        assert_eq!(request_id(Some(uuid)), uuid);
        let derived = request_id(Some("execution:7:1"));
        assert_eq!(derived, request_id(Some("execution:7:1")));
        assert_ne!(derived, request_id(Some("execution:7:2")));
        assert!(Uuid::try_parse(&derived).is_ok());
        assert_ne!(request_id(None), request_id(None));
    }

    #[test]
    fn traces_have_the_shape_of_xray() {
        let trace = new_trace();
        let parts: Vec<usize> = trace.split([';', '-', '=']).map(str::len).collect();
        // Root, 1, eight, twenty-four, Parent, sixteen, Sampled, 0.
        assert_eq!(parts, [4, 1, 8, 24, 6, 16, 7, 1], "{trace}");
    }
}
