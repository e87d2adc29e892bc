//! A whole server: the store, the service over it, and the AWS protocols on one port.
//!
//! ```text
//!   DIR/            LOCK, FORMAT, rows/   the store: executions, machines, functions, rules
//!   DIR/buckets/                          objects and their index
//!   DIR/logs/                             what executions told, a folder a log group
//! ```

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use api::security::{Credentials, Security};
use buckets::{Buckets, EndpointConfig, PeerAddress};
use bytes::Bytes;
use connect::{Integrations, LambdaConnector, S3Access, S3Datasets, SfnConnector};
use events::Events;
use http::{Request, Response};
use hyper::body::Incoming;
use lambda::{Docker, Host, HostOptions, LambdaRest};
use logs::Logs;
use service::{Place, Quotas, Service, ServiceOptions};
use store::{Durability, EmbeddedStore, OpenOptions};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::logging::{ExecutionLogs, LogsEndpoint};
use crate::rows::Rows;
use crate::wiring::{EventsToExecutions, ObjectsToEvents, OwnOperations};

/// What a server is made of.
pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    pub(crate) data: PathBuf,
    pub(crate) lambda_endpoint: Option<String>,
    pub(crate) s3_endpoint: Option<String>,
    pub(crate) credentials: Option<PathBuf>,
    pub(crate) hosts: Vec<String>,
    pub(crate) origins: Vec<String>,
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) containers: bool,
    /// How long a second of waiting lasts, in milliseconds.
    pub(crate) waited_second_ms: u32,
    pub(crate) quotas: Quotas,
    pub(crate) retention: Duration,
}

/// A server that answers.
pub(crate) struct Running {
    service: Service,
    host: Host,
    buckets: Buckets,
    execution_logs: Arc<ExecutionLogs>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Running {
    /// Opens everything, takes up what was in flight, and answers on the listener.
    pub(crate) async fn start(listener: TcpListener, options: Options) -> Result<Running> {
        let credentials = options.credentials.as_deref().map(Credentials::from_file).transpose()?;
        // The store first: it refuses a folder that is not its own, or in use.
        let open = OpenOptions { durability: Durability::Sync };
        let store = Arc::new(EmbeddedStore::open(&options.data, open)?);
        let rows = Arc::new(Rows(store.clone()));
        let host = Host::new(host_options(&options, credentials.as_ref()));
        let lambda = LambdaRest::open(host.clone(), rows.clone())
            .await
            .map_err(|error| anyhow::anyhow!("functions cannot be loaded: {error}"))?;
        let sfn = SfnConnector::default();
        let connector = Arc::new(Integrations::new(LambdaConnector::new(host.clone()), sfn.clone()));
        let place = Place { region: options.region.clone(), account: options.account.clone() };
        let logs = logs::Place { region: options.region.clone(), account: options.account.clone() };
        let logs = Logs::open(options.data.join("logs"), logs).context("the logs cannot be opened")?;
        let execution_logs = Arc::new(ExecutionLogs::start(logs.clone())?);
        let logs = LogsEndpoint::new(logs);
        let datasets = S3Datasets::new(s3_access(&options, credentials.as_ref()))
            .map_err(|error| anyhow::anyhow!("--s3-endpoint: {error}"))?;
        let mut quotas = options.quotas;
        quotas.limits.waited_second_ms = options.waited_second_ms;
        let service_options = ServiceOptions {
            logs: execution_logs.clone(),
            datasets: Arc::new(datasets),
            quotas,
            retention: options.retention,
            ..ServiceOptions::new(place)
        };
        let service = Service::open(store.clone(), store.clone(), connector, service_options)
            .await
            .context("the data folder cannot be served")?;
        sfn.answer_by(Arc::new(OwnOperations(service.clone())));
        let events = open_events(&options, rows, service.clone()).await?;
        let objects = ObjectsToEvents {
            events: events.clone(),
            account: options.account.clone(),
            region: options.region.clone(),
        };
        let buckets = Buckets::open(options.data.join("buckets"), Arc::new(objects))
            .await
            .context("the buckets cannot be opened")?;
        let endpoint = buckets.endpoint(EndpointConfig {
            region: options.region.clone(),
            account: options.account.clone(),
            domains: options.hosts.clone(),
            // The port verifies signatures for all its protocols, temporary credentials among them.
            secrets: None,
        });
        let security =
            Security { hosts: options.hosts.clone(), origins: options.origins.clone(), credentials };
        let server = api::Server::new(service.clone(), security)
            .with_lambda(Arc::new(move |request| {
                let lambda = lambda.clone();
                Box::pin(async move { lambda.handle(request).await })
            }))
            .with_events(Arc::new(move |request| {
                let events = events.clone();
                Box::pin(async move { answer_events(&events, request).await })
            }))
            .with_logs(Arc::new(move |request| Box::pin(logs.clone().answer(request))))
            .with_fallback(Arc::new(move |request| {
                let endpoint = endpoint.clone();
                Box::pin(async move { endpoint.call(with_peer(request)).await })
            }));
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(api::serve(listener, server, async {
            // A server that is dropped stops as well.
            let _stopped = stopped.await;
        }));
        Ok(Running { service, host, buckets, execution_logs, stop, serving })
    }

    /// Comes back when the store has failed, with the cause.
    pub(crate) async fn failed(&self) -> String {
        self.service.failed().await
    }

    /// Takes no more requests, lets those in flight finish, and closes everything.
    pub(crate) async fn shutdown(self, grace: Duration) {
        let Running { service, host, buckets, execution_logs, stop, serving } = self;
        let _already = stop.send(());
        // The port first, which ends its long polls: what it still answers needs the service, and a task whose answer
        // could not be written goes back to its queue.
        let _ended = serving.await;
        service.shutdown().await;
        // Writing may take a moment; nothing else has to be done meanwhile.
        let _broken = tokio::task::spawn_blocking(move || execution_logs.close()).await;
        host.shutdown(grace).await;
        buckets.close().await;
    }
}

fn host_options(options: &Options, credentials: Option<&Credentials>) -> HostOptions {
    let mut host = HostOptions {
        account: options.account.clone(),
        region: options.region.clone(),
        server_url: Some(format!("http://{}", reachable(options.address))),
        default_endpoint: options.lambda_endpoint.clone(),
        docker: if options.containers { Docker::Auto } else { Docker::Off },
        ..HostOptions::default()
    };
    if let Some(url) = &options.s3_endpoint {
        host.environment.insert("AWS_ENDPOINT_URL_S3".into(), url.clone());
    }
    if let Some((access_key, secret_key, session_token)) = credentials.and_then(Credentials::first) {
        host.credentials = lambda::environment::Credentials {
            access_key_id: access_key.to_owned(),
            secret_access_key: secret_key.to_owned(),
            session_token: session_token.map(str::to_owned),
        };
    }
    host
}

/// The store of Map Runs: this server's own, or another one that the environment has the keys of.
fn s3_access(options: &Options, credentials: Option<&Credentials>) -> S3Access {
    let own = |(key, secret, token): (&str, &str, Option<&str>)| {
        (key.to_owned(), secret.to_owned(), token.map(str::to_owned))
    };
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let credentials = match &options.s3_endpoint {
        None => credentials.and_then(Credentials::first).map(own),
        Some(_) => variable("AWS_ACCESS_KEY_ID")
            .zip(variable("AWS_SECRET_ACCESS_KEY"))
            .map(|(key, secret)| (key, secret, variable("AWS_SESSION_TOKEN"))),
    };
    let endpoint =
        options.s3_endpoint.clone().unwrap_or_else(|| format!("http://{}", reachable(options.address)));
    S3Access { endpoint, region: options.region.clone(), credentials }
}

/// The address by which functions on this machine reach a server that listens everywhere.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address
}

async fn open_events(options: &Options, rows: Arc<Rows>, service: Service) -> Result<Events> {
    let place = events::Place { region: options.region.clone(), account: options.account.clone() };
    Events::open(place, rows, Arc::new(EventsToExecutions { service }))
        .await
        .map_err(|error| anyhow::anyhow!("rules cannot be loaded: {error}"))
}

/// The caller's address, as the buckets know it.
fn with_peer(mut request: Request<Incoming>) -> Request<Incoming> {
    if let Some(api::Peer(address)) = request.extensions().get::<api::Peer>().copied() {
        request.extensions_mut().insert(PeerAddress(address.ip()));
    }
    request
}

/// An operation of EventBridge, by its target.
async fn answer_events(events: &Events, request: Request<Bytes>) -> Response<Bytes> {
    let target =
        request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default();
    let (status, code, body) = match events.handle(operation, request.body()).await {
        Ok(value) => (200, None, value),
        Err(error) => {
            let body = serde_json::json!({"__type": error.code, "message": error.message});
            (error.status, Some(error.code), body)
        }
    };
    let mut response =
        Response::builder().status(status).header("content-type", "application/x-amz-json-1.1");
    if let Some(code) = code {
        response = response.header("x-amzn-errortype", code);
    }
    response.body(Bytes::from(body.to_string())).unwrap_or_default()
}
