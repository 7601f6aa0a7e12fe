//! The accept loop: one HTTP/1.1 connection per task, within limits that `axum::serve` does not have.
//!
//! TLS and limits per client are not here yet.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;
use tracing::{debug, warn};

/// How long the headers of a request may take, and how long a connection may idle between two.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// How many connections are open at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 4096;
/// The most headers a request may have; more are answered 431.
const MAX_HEADERS: usize = 100;
/// The largest head of a request, in bytes; a larger one is answered 431.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long requests in flight may take to end once the listener is told to stop.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);
/// How long to leave a failing `accept` alone, such as when the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The address a request came from.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// A bound address whose connections are not accepted yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// An address that could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{address}`: {source}")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

impl Listener {
    /// Binds an address; port 0 picks a free one.
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let bind = async || {
            let socket = TcpListener::bind(address).await?;
            let address = socket.local_addr()?;
            Ok(Self { socket, address })
        };
        bind().await.map_err(|source| BindError { address, source })
    }

    /// The address that is listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until told to stop, then lets requests in flight end.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let connections = TaskTracker::new();
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        while let Some((slot, stream, peer)) = stop.run_until_cancelled(self.accept(&slots)).await {
            let (router, stop) = (router.clone(), stop.clone());
            connections.spawn(async move {
                serve_connection(stream, peer, router, stop).await;
                drop(slot);
            });
        }
        drop(self.socket);
        connections.close();
        if timeout(DRAIN_DEADLINE, connections.wait()).await.is_err() {
            warn!(
                open = connections.len(),
                "connections are cut off: they did not end in time"
            );
        }
    }

    /// The next connection, once there is room for it; a failing `accept` is tried again.
    async fn accept(
        &self,
        slots: &Arc<Semaphore>,
    ) -> (Option<OwnedSemaphorePermit>, TcpStream, Peer) {
        let slot = Arc::clone(slots).acquire_owned().await.ok();
        loop {
            match self.socket.accept().await {
                Ok((stream, address)) => return (slot, stream, Peer(address)),
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, peer: Peer, router: Router, stop: CancellationToken) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let end = tokio::select! {
        end = connection.as_mut() => end,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = end {
        debug!(%error, "connection ended early");
    }
}
