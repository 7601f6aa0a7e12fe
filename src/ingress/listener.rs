//! The accept loop: one connection per task, HTTP/1.1 or HTTP/2, within limits that `axum::serve` does not have.
//!
//! TLS is not here yet; which connection must go when there are too many is for `connections` to say.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;
use tracing::{debug, warn};

use super::{
    connections::{Connection, Connections, Tracked},
    limit::network,
};

/// How long the headers of a request may take, and how long a connection may idle between two.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// How many connections are open at once; for another one an idle one is cut off, and if none is, it waits.
const MAX_CONNECTIONS: usize = 4096;
/// The most headers a request may have; more are answered 431.
const MAX_HEADERS: usize = 100;
/// The largest head of a request, in bytes; a larger one is answered 431.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The same for HTTP/2, where names and values count 32 bytes more each pair (RFC 9113, 6.5.2).
const HEAD_LIST_BYTES: u32 = 64 * 1024;
/// How many requests of one HTTP/2 connection are answered at once.
const MAX_STREAMS: u32 = 32;
/// How many of them a client may reset before they are accepted; after that the connection ends (CVE-2023-44487).
const MAX_RESET_STREAMS: usize = 16;
/// How much of one body an HTTP/2 client may send ahead, in bytes.
const STREAM_WINDOW: u32 = 128 * 1024;
/// The same for all bodies of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
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
    max_connections: usize,
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
            Ok(Self {
                socket,
                address,
                max_connections: MAX_CONNECTIONS,
            })
        };
        bind().await.map_err(|source| BindError { address, source })
    }

    /// The address that is listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same with room for so many connections; 4,096 unless told.
    #[must_use]
    pub fn with_max_connections(self, max_connections: usize) -> Self {
        Self {
            max_connections,
            ..self
        }
    }

    /// Serves until told to stop, then lets requests in flight end.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let (tasks, connections) = (TaskTracker::new(), Connections::default());
        let slots = Arc::new(Semaphore::new(self.max_connections));
        let accept = || self.accept(&slots, &connections);
        while let Some((slot, stream, peer)) = stop.run_until_cancelled(accept()).await {
            let connection = connections.open(network(peer.0.ip()));
            let (router, stop) = (router.clone(), stop.clone());
            tasks.spawn(async move {
                serve_connection(stream, peer, router, connection, stop).await;
                drop(slot);
            });
        }
        drop(self.socket);
        tasks.close();
        if timeout(DRAIN_DEADLINE, tasks.wait()).await.is_err() {
            warn!(
                open = tasks.len(),
                "connections are cut off: they did not end in time"
            );
        }
    }

    /// The next connection, once there is room for it; a failing `accept` is tried again.
    async fn accept(
        &self,
        slots: &Arc<Semaphore>,
        connections: &Connections,
    ) -> (Option<OwnedSemaphorePermit>, TcpStream, Peer) {
        loop {
            match self.socket.accept().await {
                Ok((stream, address)) => {
                    if slots.available_permits() == 0 {
                        connections.make_room();
                    }
                    let slot = Arc::clone(slots).acquire_owned().await.ok();
                    return (slot, stream, Peer(address));
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Serves one connection over any stream until it ends, within the same limits; there is always room for it.
pub async fn serve_stream<S>(stream: S, peer: Peer, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = Connections::default().open(network(peer.0.ip()));
    serve_connection(stream, peer, router, connection, CancellationToken::new()).await;
}

async fn serve_connection<S>(
    stream: S,
    peer: Peer,
    router: Router,
    connection: Arc<Connection>,
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let working = Arc::clone(&connection);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let work = working.work();
        request.extensions_mut().insert(peer);
        let answering = router.clone().oneshot(request.map(Body::new));
        async move {
            answering
                .await
                .map(|answer| answer.map(|body| Tracked::new(body, work)))
        }
    });
    let builder = builder();
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let end = tokio::select! {
        end = serving.as_mut() => end,
        () = connection.cut_off() => return debug!("an idle connection makes room"),
        () = idles(&connection) => return debug!("a connection has been idle for too long"),
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = end {
        debug!(%error, "connection ended early");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .half_close(true)
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
        .max_header_list_size(HEAD_LIST_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    builder
}

/// Waits until no request has been answered, or is being answered, for as long as headers may take.
async fn idles(connection: &Connection) {
    while timeout(HEADER_DEADLINE, connection.answered())
        .await
        .is_ok()
        || connection.is_busy()
    {}
}
