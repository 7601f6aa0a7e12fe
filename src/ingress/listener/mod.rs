//! The accept loop: one connection per task, HTTP/1.1 or HTTP/2, within limits that `axum::serve` does not have.
//!
//! It waits for nobody but the next connection: what one passes before it speaks HTTP, and what it says then, is in a
//! task of its own.

mod connection;
mod descriptors;
mod entrance;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use self::{connection::Guest, descriptors::FailedAccepts, entrance::Entrance};
use super::{connections::Connections, limit::network, proxies::TrustedProxies, tls::Tls};
use crate::telemetry::Metrics;

/// How long the headers of a request may take, and how long a connection may idle between two.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// How long a connection may take until it speaks HTTP: the header of a proxy and the handshake of TLS together.
const ENTRANCE_DEADLINE: Duration = Duration::from_secs(10);
/// How many connections are open at once; for another one an idle one is cut off, and if none is, it waits.
const MAX_CONNECTIONS: usize = 4096;
/// How long requests in flight may take to end once the listener is told to stop.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);
/// How long to leave a failing `accept` alone, such as when the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// The address a connection came from.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// A bound address whose connections are not accepted yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    max_connections: usize,
    entrance: Entrance,
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
                max_connections: descriptors::room(MAX_CONNECTIONS),
                entrance: Entrance::default(),
            })
        };
        bind().await.map_err(|source| BindError { address, source })
    }

    /// The address that is listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same with room for so many connections; 4,096 unless told, or half of what the process may open.
    #[must_use]
    pub fn with_max_connections(self, max_connections: usize) -> Self {
        Self {
            max_connections,
            ..self
        }
    }

    /// The same over TLS.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.entrance.tls = Some(tls);
        self
    }

    /// The same behind these proxies, and no others.
    #[must_use]
    pub fn behind(mut self, proxies: TrustedProxies) -> Self {
        self.entrance.proxies = proxies;
        self
    }

    /// The same with so much time for a connection until it speaks HTTP; ten seconds unless told.
    #[must_use]
    pub fn with_entrance_deadline(mut self, deadline: Duration) -> Self {
        self.entrance.deadline = deadline;
        self
    }

    /// The same, counting the connections that come to nothing.
    #[must_use]
    pub fn counted_by(mut self, metrics: Metrics) -> Self {
        self.entrance.metrics = Some(metrics);
        self
    }

    /// Serves until told to stop, then lets requests in flight end.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let (tasks, connections) = (TaskTracker::new(), Connections::default());
        let slots = Arc::new(Semaphore::new(self.max_connections));
        let entrance = Arc::new(self.entrance.clone());
        let failed = FailedAccepts::default();
        let accept = || self.accept(&failed, &slots, &connections);
        while let Some((slot, stream, peer)) = stop.run_until_cancelled(accept()).await {
            let guest = Guest {
                peer,
                router: router.clone(),
                connection: connections.open(network(peer.0.ip())),
                entrance: Arc::clone(&entrance),
                stop: stop.clone(),
            };
            tasks.spawn(async move {
                guest.serve(stream).await;
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
        failed: &FailedAccepts,
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
                    failed.note(&error);
                    if descriptors::have_run_out(&error) {
                        connections.make_room();
                    }
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
    let guest = Guest {
        peer,
        router,
        connection: Connections::default().open(network(peer.0.ip())),
        entrance: Arc::default(),
        stop: CancellationToken::new(),
    };
    guest.serve_stream(stream).await;
}
