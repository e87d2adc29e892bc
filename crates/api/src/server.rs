//! The server: one port, its connections, and an orderly end.
//!
//! A connection is one task, and a request is answered in the task of its connection: when a client hangs up, whatever
//! waits for it is dropped with it. The end comes in three steps: no more connections; every connection is told to
//! close after the request that it has; what is left after a while is cut.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use service::Service;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::receipt::Pile;
use crate::reply::Body;
use crate::route::{Around, answer};
use crate::security::{Credentials, Guard, Security};

/// Connections at a time. Every worker that polls an activity holds one, so thousands are normal; each costs some 20 KiB
/// and a file descriptor. More wait in the kernel's backlog.
const CONNECTIONS_MAX: usize = 8192;
/// The headers of a request must arrive in this time, counted from the end of the request before: it also ends idle
/// connections. AWS SDKs keep a connection about a minute.
const HEADERS_READ_MAX: Duration = Duration::from_secs(75);
/// Requests in flight may take this long to end when the server goes down.
const DRAIN_MAX: Duration = Duration::from_secs(10);
/// After a failed accept (no file descriptors, mostly) the next is tried after this time, and not in a busy loop.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Answers requests with whole bodies.
pub type Handler = Arc<dyn Fn(Request<Bytes>) -> BoxFuture<'static, Response<Bytes>> + Send + Sync>;
/// Answers requests whose bodies are streams.
pub type StreamHandler = Arc<dyn Fn(Request<Incoming>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

/// Where a request came from; an extension of every request that a handler gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What stands behind the port. Clones share everything.
#[derive(Clone)]
pub struct Server(Arc<Parties>);

/// Who answers requests, and who may send them.
#[derive(Clone)]
pub(crate) struct Parties {
    pub(crate) service: Service,
    pub(crate) guard: Guard,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) lambda: Option<Handler>,
    pub(crate) events: Option<Handler>,
    pub(crate) logs: Option<Handler>,
    pub(crate) fallback: Option<StreamHandler>,
}

impl Server {
    /// A server that answers Step Functions, STS and IAM.
    pub fn new(service: Service, security: Security) -> Server {
        let guard = Guard::new(&security);
        let credentials = security.credentials;
        Server(Arc::new(Parties {
            service,
            guard,
            credentials,
            lambda: None,
            events: None,
            logs: None,
            fallback: None,
        }))
    }

    /// Answers Lambda's REST calls with this.
    #[must_use]
    pub fn with_lambda(self, handler: Handler) -> Server {
        self.with(|parties| parties.lambda = Some(handler))
    }

    /// Answers `X-Amz-Target: AWSEvents.…` with this.
    #[must_use]
    pub fn with_events(self, handler: Handler) -> Server {
        self.with(|parties| parties.events = Some(handler))
    }

    /// Answers `X-Amz-Target: Logs_20140328.…` with this.
    #[must_use]
    pub fn with_logs(self, handler: Handler) -> Server {
        self.with(|parties| parties.logs = Some(handler))
    }

    /// Answers everything that is of no other protocol with this: S3. With credentials its requests arrive verified, as
    /// far as their headers go: the handler holds the body against `x-amz-content-sha256`.
    #[must_use]
    pub fn with_fallback(self, handler: StreamHandler) -> Server {
        self.with(|parties| parties.fallback = Some(handler))
    }

    fn with(self, change: impl FnOnce(&mut Parties)) -> Server {
        let mut parties = Arc::try_unwrap(self.0).unwrap_or_else(|shared| Parties::clone(&shared));
        change(&mut parties);
        Server(Arc::new(parties))
    }
}

/// Serves until `shutdown` is ready, and then until the requests in flight have ended.
pub async fn serve(listener: TcpListener, server: Server, shutdown: impl Future<Output = ()>) {
    let stopping = CancellationToken::new();
    let mut connections = JoinSet::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                let (server, stopping) = (server.clone(), stopping.clone());
                connections.spawn(async move {
                    connection(stream, peer, &server, &stopping).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
        // Those that have ended are taken off, so that the set does not grow.
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    stopping.cancel();
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_MAX, drained).await.is_err() {
        tracing::warn!(left = connections.len(), "connections are cut: their requests did not end in time");
        connections.shutdown().await;
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

/// Serves one connection to its end.
async fn connection(stream: TcpStream, peer: SocketAddr, server: &Server, stopping: &CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let pile = Pile::default();
    let io = TokioIo::new(Connection::new(stream, pile.clone()));
    let answers = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let pile = &pile;
        async move {
            let around = Around { parties: &server.0, stopping, pile };
            Ok::<_, Infallible>(answer(&around, request).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_READ_MAX)
        .serve_connection(io, answers);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}
