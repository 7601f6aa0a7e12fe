//! What a connection passes before it speaks HTTP: the word of a proxy, and the handshake of TLS.
//!
//! Each connection passes it in a task of its own, so that nobody waits for another; how long it may take, and who must
//! go meanwhile, is not decided here.

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tracing::{debug, warn};

use super::ENTRANCE_DEADLINE;
use crate::{
    ingress::{
        proxies::{HeaderError, TrustedProxies, read_header},
        tls::{ClientCertificate, Tls},
    },
    telemetry::{Metrics, RefusedConnection},
};

/// What a client that speaks plain HTTP is told where TLS is spoken.
const PLAIN_HTTP_ANSWER: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
/// How much of its request is read first, in bytes, so that the answer is not lost with what was never read.
const PLAIN_HTTP_BYTES: usize = 4096;

/// How connections become such that speak HTTP.
#[derive(Clone, Debug)]
pub(super) struct Entrance {
    pub(super) tls: Option<Tls>,
    pub(super) proxies: TrustedProxies,
    pub(super) deadline: Duration,
    pub(super) metrics: Option<Metrics>,
    told_of_proxy: Arc<AtomicBool>,
}

impl Default for Entrance {
    fn default() -> Self {
        Self {
            tls: None,
            proxies: TrustedProxies::default(),
            deadline: ENTRANCE_DEADLINE,
            metrics: None,
            told_of_proxy: Arc::default(),
        }
    }
}

/// Bytes of HTTP, in whatever they are wrapped.
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why a connection never speaks HTTP.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("it ended before it began")]
    Gone,
    #[error("a trusted proxy did not say for whom it speaks: {0}")]
    ProxyHeader(#[from] HeaderError),
    #[error("it speaks plain HTTP")]
    PlainHttp,
    #[error("the handshake failed: {0}")]
    Handshake(#[from] io::Error),
}

impl Refused {
    /// What is counted; nothing for one that only looked whether anybody listens.
    fn why(&self) -> Option<RefusedConnection> {
        match self {
            Self::Gone => None,
            Self::ProxyHeader(_) => Some(RefusedConnection::ProxyHeader),
            Self::PlainHttp => Some(RefusedConnection::PlainHttp),
            Self::Handshake(_) => Some(RefusedConnection::Handshake),
        }
    }
}

impl Entrance {
    /// Where a connection comes from: the peer, or whom a trusted proxy says that it speaks for.
    pub(super) async fn origin(
        &self,
        stream: &mut TcpStream,
        peer: IpAddr,
    ) -> Result<IpAddr, Refused> {
        if !self.proxies.announces_clients(peer) {
            return Ok(peer);
        }
        if stream.peek(&mut [0]).await? == 0 {
            return Err(Refused::Gone);
        }
        let header = read_header(stream).await?;
        Ok(header.client.unwrap_or(peer))
    }

    /// Ends with bytes of HTTP, and with what the client showed of itself.
    pub(super) async fn pass(
        &self,
        stream: TcpStream,
    ) -> Result<(Transport, ClientCertificate), Refused> {
        let Some(tls) = &self.tls else {
            return Ok((Transport::Plain(stream), ClientCertificate::NotAskedFor));
        };
        let stream = handshake(tls, stream).await?;
        let (_, session) = stream.get_ref();
        let certificate = ClientCertificate::shown(session.peer_certificates(), tls);
        Ok((Transport::Tls(Box::new(stream)), certificate))
    }

    /// Tells of a connection that came to nothing: the operator at once of a proxy that is not set up as it must be.
    pub(super) fn tell(&self, peer: IpAddr, refused: &Refused) {
        if let Some(why) = refused.why() {
            self.count(why);
        }
        let is_proxy = matches!(refused, Refused::ProxyHeader(_));
        if is_proxy && !self.told_of_proxy.swap(true, Ordering::Relaxed) {
            warn!(%peer, %refused, "a connection from --trusted-proxies is refused, as --proxy-protocol asks: let the proxy send the header, or run without the flag");
        } else {
            debug!(%peer, %refused, "a connection ended before it spoke HTTP");
        }
    }

    /// Counts a connection that came to nothing.
    pub(super) fn count(&self, why: RefusedConnection) {
        if let Some(metrics) = &self.metrics {
            metrics.connection_refused(why);
        }
    }
}

async fn handshake(tls: &Tls, mut stream: TcpStream) -> Result<TlsStream<TcpStream>, Refused> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Err(Refused::Gone);
    }
    // A method begins with a letter, and no message of TLS does.
    if first.iter().all(u8::is_ascii_uppercase) {
        let mut request = Vec::with_capacity(PLAIN_HTTP_BYTES);
        stream.read_buf(&mut request).await?;
        stream.write_all(PLAIN_HTTP_ANSWER).await?;
        stream.shutdown().await?;
        return Err(Refused::PlainHttp);
    }
    Ok(TlsAcceptor::from(tls.config()).accept(stream).await?)
}
