//! One connection: handshake, requests one after the other, an orderly end.
//!
//! Answers are passed on as they come; a watch is never held back.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::FutureExt as _;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, BodyStream, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Service, ServiceExt as _};
use tracing::debug;

use super::{
    RequestBody,
    guard::{Guard, MAX_BODY},
};

/// How long the TLS handshake may take.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// How long the headers of a request may take, and how long a connection may idle between two.
const HEADER_DEADLINE: Duration = Duration::from_secs(30);

/// Serves a connection until either side is done with it.
pub(super) async fn serve<S, B>(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    guard: Arc<Guard>,
    service: S,
    stop: CancellationToken,
) where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    // Small watch events must not wait for the acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "cannot set TCP_NODELAY");
    }
    let handshake = timeout(HANDSHAKE_DEADLINE, acceptor.accept(stream));
    let stream = match stop.run_until_cancelled(handshake).await {
        Some(Ok(Ok(stream))) => stream,
        Some(Ok(Err(error))) => return debug!(%error, "a TLS handshake failed"),
        Some(Err(_)) | None => return,
    };
    let ended = stop.clone();
    let respond = service_fn(move |request| {
        answer(request, Arc::clone(&guard), service.clone(), ended.clone())
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .serve_connection(TokioIo::new(stream), respond);
    tokio::pin!(connection);
    let end = tokio::select! {
        end = connection.as_mut() => end,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = end {
        debug!(%error, "a connection to the API ended early");
    }
}

async fn answer<S, B>(
    request: Request<Incoming>,
    guard: Arc<Guard>,
    service: S,
    stop: CancellationToken,
) -> Result<Response<UnsyncBoxBody<Bytes, BoxError>>, BoxError>
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    if let Err(refusal) = guard.admit(&request) {
        return Ok(refusal
            .response()
            .map(|body| body.map_err(BoxError::from).boxed_unsync()));
    }
    let request = request.map(|body| Limited::new(body, MAX_BODY));
    let response = service.oneshot(request).await.map_err(Into::into)?;
    Ok(response.map(|body| until(stop, body)))
}

/// The same body; if its length is not known, it is a stream that ends when the server does.
fn until<B>(stop: CancellationToken, body: B) -> UnsyncBoxBody<Bytes, BoxError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    if body.size_hint().exact().is_some() {
        return body.map_err(Into::into).boxed_unsync();
    }
    let frames =
        futures::StreamExt::take_until(BodyStream::new(body), stop.cancelled_owned().fuse());
    let frames = futures::StreamExt::map(frames, |frame: Result<Frame<Bytes>, B::Error>| {
        frame.map_err(Into::into)
    });
    StreamBody::new(frames).boxed_unsync()
}
