//! What the endpoint's tests share: a server in this process, a plain HTTP client, and a listener for object changes.
#![allow(dead_code, reason = "every test binary uses its own part of this")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use buckets::{Buckets, Endpoint, EndpointConfig, ObjectChange, ObjectEvents, PeerAddress};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// A store in a temporary folder behind a real HTTP server.
pub(crate) struct Server {
    pub(crate) buckets: Buckets,
    pub(crate) address: SocketAddr,
    pub(crate) changes: Arc<Changes>,
    pub(crate) dir: tempfile::TempDir,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Server {
    pub(crate) async fn start(config: EndpointConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let changes = Arc::new(Changes::default());
        let buckets = Buckets::open(dir.path(), changes.clone()).await.unwrap();
        let address = serve(buckets.endpoint(config)).await;
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { buckets, address, changes, dir, client }
    }

    pub(crate) async fn default() -> Self {
        Self::start(EndpointConfig::default()).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends a request; the path is sent as it stands.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let response = self.client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer(Response::from_parts(parts, body))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn put(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.send(Method::PUT, path, &[], body).await
    }
}

pub(crate) async fn serve(endpoint: Endpoint) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let endpoint = endpoint.clone();
            let service = service_fn(move |mut request: Request<hyper::body::Incoming>| {
                let endpoint = endpoint.clone();
                request.extensions_mut().insert(PeerAddress(peer.ip()));
                async move { Ok::<_, Infallible>(endpoint.call(request).await) }
            });
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    address
}

/// A whole response.
pub(crate) struct Answer(pub(crate) Response<Bytes>);

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.0.body()).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.0.headers().get(name).and_then(|v| v.to_str().ok())
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert!(self.0.status().is_success(), "{}: {}", self.status(), self.text());
        self
    }

    /// The content of the first element of that name.
    pub(crate) fn element(&self, name: &str) -> Option<String> {
        self.elements(name).into_iter().next()
    }

    pub(crate) fn elements(&self, name: &str) -> Vec<String> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let text = self.text();
        let found = text.split(&open).skip(1).filter_map(|rest| rest.split_once(&close));
        found.map(|(inside, _)| inside.to_owned()).collect()
    }

    /// Status and error code, and the error's text.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str, message: &str) {
        assert_eq!((self.status(), self.element("Code").as_deref()), (status, Some(code)), "{}", self.text());
        assert_eq!(self.element("Message").as_deref(), Some(message));
        assert!(self.header("x-amz-request-id").is_some());
    }
}

/// A change of a local outbox that has not come by then will not come: it takes milliseconds.
const LOST_AFTER: std::time::Duration = std::time::Duration::from_secs(60);

/// Keeps every change that it is told of.
#[derive(Default)]
pub(crate) struct Changes {
    told: Mutex<Vec<ObjectChange>>,
    more: Notify,
}

impl Changes {
    pub(crate) fn so_far(&self) -> Vec<ObjectChange> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until that many changes were told.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<ObjectChange> {
        loop {
            let more = self.more.notified();
            let told = self.so_far();
            if told.len() >= count {
                return told;
            }
            let waited = tokio::time::timeout(LOST_AFTER, more).await;
            assert!(waited.is_ok(), "only {} of {count} changes were told: {told:?}", told.len());
        }
    }
}

impl ObjectEvents for Changes {
    fn deliver(&self, change: ObjectChange) -> BoxFuture<'_, Result<(), String>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(change);
        self.more.notify_one();
        Box::pin(async { Ok(()) })
    }
}
