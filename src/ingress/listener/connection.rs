//! One connection: from its first byte through the entrance to its last answer, within limits.
//!
//! Which connection must go when there are too many is for `connections` to say.

use std::{net::IpAddr, sync::Arc};

use axum::{Router, body::Body};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::debug;

use super::{
    HEADER_DEADLINE, Peer,
    entrance::{Entrance, Refused, Transport},
};
use crate::{
    ingress::{
        caller::Caller,
        connections::{Connection, Tracked},
        limit::network,
        tls::ClientCertificate,
    },
    telemetry::RefusedConnection,
};

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

/// One accepted connection, and what it needs.
pub(super) struct Guest {
    pub(super) peer: Peer,
    pub(super) router: Router,
    pub(super) connection: Arc<Connection>,
    pub(super) entrance: Arc<Entrance>,
    pub(super) stop: CancellationToken,
}

/// Who made a connection, as far as that is the same for all its requests.
struct Origin {
    address: IpAddr,
    certificate: ClientCertificate,
}

impl Guest {
    /// Serves the connection until either side is done with it, or it must make room.
    pub(super) async fn serve(self, stream: TcpStream) {
        let entering = timeout(self.entrance.deadline, self.enter(stream));
        let entered = tokio::select! {
            entered = entering => entered,
            () = self.connection.cut_off() => return debug!("a connection makes room before it speaks HTTP"),
            () = self.stop.cancelled() => return,
        };
        match entered {
            Ok(Some((Transport::Plain(stream), origin))) => self.answer(stream, origin).await,
            Ok(Some((Transport::Tls(stream), origin))) => self.answer(*stream, origin).await,
            Ok(None) => {}
            Err(_) => {
                self.entrance.count(RefusedConnection::Timeout);
                debug!("a connection took too long to begin");
            }
        }
    }

    /// Serves bytes of HTTP that passed no entrance.
    pub(super) async fn serve_stream<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let origin = Origin {
            address: self.peer.0.ip().to_canonical(),
            certificate: ClientCertificate::NotAskedFor,
        };
        self.answer(stream, origin).await;
    }

    async fn enter(&self, mut stream: TcpStream) -> Option<(Transport, Origin)> {
        let peer = self.peer.0.ip().to_canonical();
        let entering = async {
            let address = self.entrance.origin(&mut stream, peer).await?;
            self.connection.belongs_to(network(address));
            let (transport, certificate) = self.entrance.pass(stream).await?;
            let origin = Origin {
                address,
                certificate,
            };
            Ok((transport, origin))
        };
        let entered: Result<_, Refused> = entering.await;
        entered
            .inspect_err(|refused| self.entrance.tell(peer, refused))
            .ok()
    }

    async fn answer<S>(&self, stream: S, origin: Origin)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let service = service_fn(|mut request: hyper::Request<Incoming>| {
            let work = self.connection.work();
            let caller = origin.caller(&self.entrance, &request);
            request.extensions_mut().insert(caller);
            let answering = self.router.clone().oneshot(request.map(Body::new));
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
            () = self.connection.cut_off() => return debug!("an idle connection makes room"),
            () = idles(&self.connection) => return debug!("a connection has been idle for too long"),
            () = self.stop.cancelled() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = end {
            debug!(%error, "connection ended early");
        }
    }
}

impl Origin {
    /// Who sends a request: over one connection of a proxy come those of many.
    fn caller(&self, entrance: &Entrance, request: &hyper::Request<Incoming>) -> Caller {
        let headers = request.headers();
        Caller {
            address: entrance.proxies.client(self.address, headers),
            is_disbelieved: entrance.proxies.disbelieve(self.address, headers),
            certificate: self.certificate.clone(),
        }
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
