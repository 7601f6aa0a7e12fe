//! The front door of the control plane: HTTPS on loopback, for `kubectl` and other processes of this machine.
//!
//! It knows who may come in and nothing of what they ask for; every request goes to one `tower` service.

mod connection;
mod error;
mod guard;
mod identity;
mod kubeconfig;
mod private;
#[cfg(test)]
mod tests;
mod token;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Limited;
use hyper::body::Incoming;
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{BoxError, Service};
use tracing::warn;

pub use self::error::ListenError;
use self::{guard::Guard, identity::Identity, token::Token};

/// How many connections are open at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 1024;
/// How long requests in flight may take to end once the listener is told to stop.
const DRAIN_DEADLINE: Duration = Duration::from_secs(2);
/// How long to leave a failing `accept` alone, such as when the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The body of a request as the service gets it: never more than 3 MiB.
pub type RequestBody = Limited<Incoming>;

/// A bound address with the means to prove who is at either end of a connection.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    kubeconfig: PathBuf,
    acceptor: TlsAcceptor,
    guard: Arc<Guard>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Listener")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Listener {
    /// Binds an address and writes `kubeconfig` into the directory; port 0 picks a free port.
    ///
    /// The certificate authority and the token are made once and kept in `pki` below the directory,
    /// so that a kubeconfig stays good across restarts on the same port. It blocks on small files.
    pub async fn bind(address: SocketAddr, directory: &Path) -> Result<Self, ListenError> {
        let pki = directory.join("pki");
        private::directory(&pki)?;
        let identity = Identity::load_or_make(&pki)?;
        let token = Token::load_or_make(&pki.join("token"))?;
        let bind = async || {
            let socket = TcpListener::bind(address).await?;
            let address = socket.local_addr()?;
            Ok((socket, address))
        };
        let (socket, address) = bind()
            .await
            .map_err(|source| ListenError::address(address, source))?;
        let tls = server_config(&identity, address)?;
        let kubeconfig = std::path::absolute(directory)
            .map_err(|source| ListenError::file(directory, source))?
            .join("kubeconfig");
        let text = kubeconfig::render(&kubeconfig::url(address), identity.authority_pem(), &token);
        private::write(&kubeconfig, text.as_bytes())?;
        Ok(Self {
            socket,
            address,
            kubeconfig,
            acceptor: TlsAcceptor::from(Arc::new(tls)),
            guard: Arc::new(Guard::new(address, token)),
        })
    }

    /// The address that is listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for clients on this machine, as it stands in the kubeconfig.
    #[must_use]
    pub fn url(&self) -> String {
        kubeconfig::url(self.address)
    }

    /// The absolute path of the kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Serves until told to stop; then ends streams, and lets other requests in flight end.
    pub async fn serve<S, B>(self, service: S, stop: CancellationToken)
    where
        S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let connections = TaskTracker::new();
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        while let Some((slot, stream)) = stop.run_until_cancelled(self.accept(&slots)).await {
            let (service, stop) = (service.clone(), stop.clone());
            let (acceptor, guard) = (self.acceptor.clone(), Arc::clone(&self.guard));
            connections.spawn(async move {
                connection::serve(stream, &acceptor, guard, service, stop).await;
                drop(slot);
            });
        }
        drop(self.socket);
        connections.close();
        if timeout(DRAIN_DEADLINE, connections.wait()).await.is_err() {
            warn!(
                open = connections.len(),
                "connections to the API are cut off: they did not end in time"
            );
        }
    }

    /// The next connection, once there is room for it; a failing `accept` is tried again.
    async fn accept(&self, slots: &Arc<Semaphore>) -> (Option<OwnedSemaphorePermit>, TcpStream) {
        let slot = Arc::clone(slots).acquire_owned().await.ok();
        loop {
            match self.socket.accept().await {
                Ok((stream, _)) => return (slot, stream),
                Err(error) => {
                    warn!(%error, "cannot accept a connection to the API");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn server_config(identity: &Identity, address: SocketAddr) -> Result<ServerConfig, ListenError> {
    let (chain, key) = identity.server(address)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
