//! A request from its head to the last byte of its body, within fixed limits.
//!
//! Bodies go by in pieces; only as much is kept as the caller needs, and nothing is parsed.

use std::time::Duration;

use axum::{body::Body, extract::Request};
use http::{
    HeaderMap, HeaderValue, Uri, Version,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
    request::Parts,
};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::{
    bytes::{Charge, Need},
    outcome::Rejection,
};
use crate::hook::MAX_INTERPRETED_BYTES;

/// The largest body that is read, in bytes: GitHub sends up to 25 MB.
pub(super) const MAX_BODY_BYTES: u64 = 25 * 1024 * 1024;
/// The longest target that is looked at, in bytes; what RFC 9110, 4.1, asks for at least.
const MAX_TARGET_BYTES: usize = 8000;
/// The largest body that is kept to be checked against a Secret that has just been read again, in bytes.
const MAX_KEPT_BYTES: usize = 64 * 1024;
/// How long a body waits for room in memory: Harbor gives up after 3 s.
const ROOM_PATIENCE: Duration = Duration::from_secs(2);
/// How long a body may take to arrive, from the end of the headers.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// A request whose head is acceptable and whose body is still to be read.
pub(super) struct Arrival {
    uri: Uri,
    headers: HeaderMap,
    body: Body,
}

/// A request whose body has gone by.
pub(super) struct Received {
    uri: Uri,
    pub(super) headers: HeaderMap,
    kept: Option<Vec<u8>>,
    _charge: Charge,
}

/// What is kept of a body, at most `limit` bytes.
pub(super) struct Keep {
    limit: usize,
    need: Need,
    charge: Charge,
    kept: Option<Vec<u8>>,
}

impl Arrival {
    /// Checks what can be told from the head alone.
    pub(super) fn receive(request: Request) -> Result<Self, Rejection> {
        let (head, body) = request.into_parts();
        if target(&head.uri).len() > MAX_TARGET_BYTES {
            return Err(Rejection::LongTarget);
        }
        check_host(&head)?;
        check_codings(&head.headers)?;
        if head
            .headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .any(|encoding| encoding != "identity")
        {
            return Err(Rejection::UnsupportedMediaType);
        }
        let declared = head
            .headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok());
        if declared
            .and_then(|length| length.parse::<u64>().ok())
            .is_some_and(|length| length > MAX_BODY_BYTES)
        {
            return Err(Rejection::TooLarge {
                limit: MAX_BODY_BYTES,
            });
        }
        Ok(Self {
            uri: head.uri,
            headers: head.headers,
            body,
        })
    }

    /// The target exactly as it was sent, query included.
    pub(super) fn path(&self) -> &str {
        target(&self.uri)
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Reads the body to its end, shows each piece to `inspect`, and keeps it all if it is to be kept.
    pub(super) async fn read(
        self,
        mut keep: Keep,
        inspect: impl FnMut(&[u8]),
    ) -> Result<Received, Rejection> {
        timeout(BODY_DEADLINE, drain(self.body, &mut keep, inspect))
            .await
            .map_err(|_| Rejection::TimedOut)??;
        Ok(Received {
            uri: self.uri,
            headers: self.headers,
            kept: keep.kept,
            _charge: keep.charge,
        })
    }
}

/// One host and no more (RFC 9112, 3.2): as `Host`, or in HTTP/2 as `:authority`, which is where hyper finds it in the
/// target.
fn check_host(head: &Parts) -> Result<(), Rejection> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    if another.is_some() {
        return Err(Rejection::Malformed("more than one Host"));
    }
    match head.uri.authority() {
        None if host.is_none() && head.version == Version::HTTP_11 => {
            Err(Rejection::Malformed("no Host"))
        }
        None => Ok(()),
        Some(_) if head.version < Version::HTTP_2 => {
            Err(Rejection::Malformed("absolute-form target"))
        }
        Some(authority) if host.is_none_or(|host| host == authority.as_str()) => Ok(()),
        Some(_) => Err(Rejection::Malformed("more than one Host")),
    }
}

/// A body in chunks is in chunks once, and in no other coding: of two, parsers disagree where the body ends.
fn check_codings(headers: &HeaderMap) -> Result<(), Rejection> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if is_chunked(coding) => Ok(()),
        _ => Err(Rejection::Malformed(
            "a transfer coding that is not `chunked`, once",
        )),
    }
}

fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("", |target| target.as_str())
}

impl Received {
    /// The target exactly as it was sent, query included.
    pub(super) fn path(&self) -> &str {
        target(&self.uri)
    }

    /// The whole body, if it was small enough to be kept.
    pub(super) fn kept(&self) -> Option<&[u8]> {
        self.kept.as_deref()
    }
}

impl Keep {
    /// All of a body that the hook must understand, provided that it is not too large for that.
    pub(super) fn to_interpret(charge: Charge) -> Self {
        Self::of(charge, MAX_INTERPRETED_BYTES, Need::Required)
    }

    /// A small body, so that it can be checked against a Secret that has just been read again.
    pub(super) fn to_check_again(charge: Charge) -> Self {
        Self::of(charge, MAX_KEPT_BYTES, Need::Optional)
    }

    fn of(charge: Charge, limit: usize, need: Need) -> Self {
        Self {
            limit,
            need,
            charge,
            kept: Some(Vec::new()),
        }
    }

    /// Adds a piece, or gives up keeping any.
    async fn add(&mut self, chunk: &[u8]) -> Result<(), Rejection> {
        let Some(kept) = &mut self.kept else {
            return Ok(());
        };
        let length = kept.len() + chunk.len();
        let is_kept = length <= self.limit
            && timeout(ROOM_PATIENCE, self.charge.cover(length, self.need))
                .await
                .map_err(|_| Rejection::Overloaded)?;
        if is_kept {
            kept.extend_from_slice(chunk);
        } else {
            self.kept = None;
            self.charge.release();
        }
        Ok(())
    }
}

async fn drain(
    mut body: Body,
    keep: &mut Keep,
    mut inspect: impl FnMut(&[u8]),
) -> Result<(), Rejection> {
    let mut left = MAX_BODY_BYTES;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Rejection::Malformed("the body broke off"))?;
        let Some(chunk) = frame.data_ref() else {
            continue;
        };
        left = left
            .checked_sub(chunk.len() as u64)
            .ok_or(Rejection::TooLarge {
                limit: MAX_BODY_BYTES,
            })?;
        inspect(chunk);
        keep.add(chunk).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::request::Builder;

    use super::*;
    use crate::{hook::ReceiverRef, ingress::bytes::ByteBudget, telemetry::Metrics};

    fn receive(request: Builder) -> Result<Arrival, Rejection> {
        Arrival::receive(request.body(Body::empty()).unwrap())
    }

    #[test]
    fn the_path_is_the_target_as_it_was_sent() {
        for target in ["/hook/a", "/hook/a?b=c", "/hook/%61", "/hook//a/"] {
            assert_eq!(
                receive(Request::builder().uri(target).header(HOST, "a"))
                    .ok()
                    .unwrap()
                    .path(),
                target
            );
        }
    }

    #[test]
    fn heads_that_no_sender_makes_are_refused() {
        let request = || Request::builder().uri("/hook/a").header(HOST, "a");
        let chunked = "a transfer coding that is not `chunked`, once";
        for (request, rejection) in [
            (
                Request::builder().uri("http://host/hook/a"),
                Rejection::Malformed("absolute-form target"),
            ),
            (
                Request::builder().uri("/hook/a"),
                Rejection::Malformed("no Host"),
            ),
            (
                request().uri(format!("/hook/{}", "a".repeat(MAX_TARGET_BYTES))),
                Rejection::LongTarget,
            ),
            (
                request().header(TRANSFER_ENCODING, "gzip, chunked"),
                Rejection::Malformed(chunked),
            ),
            (
                request()
                    .header(TRANSFER_ENCODING, "chunked")
                    .header(TRANSFER_ENCODING, "chunked"),
                Rejection::Malformed(chunked),
            ),
            (
                request().header(HOST, "b"),
                Rejection::Malformed("more than one Host"),
            ),
            (
                Request::builder()
                    .version(Version::HTTP_2)
                    .uri("http://a/hook/a")
                    .header(HOST, "b"),
                Rejection::Malformed("more than one Host"),
            ),
            (
                request().header(CONTENT_ENCODING, "gzip"),
                Rejection::UnsupportedMediaType,
            ),
            (
                request().header(CONTENT_LENGTH, MAX_BODY_BYTES + 1),
                Rejection::TooLarge {
                    limit: MAX_BODY_BYTES,
                },
            ),
        ] {
            assert_eq!(receive(request).err(), Some(rejection));
        }
        assert!(receive(request().header(CONTENT_LENGTH, MAX_BODY_BYTES)).is_ok());
        assert!(receive(request().header(CONTENT_ENCODING, "identity")).is_ok());
        assert!(receive(request().header(TRANSFER_ENCODING, "Chunked")).is_ok());
    }

    async fn read(size: usize) -> Result<(usize, Option<usize>), Rejection> {
        let body = Body::from(vec![b'x'; size]);
        let mut seen = 0;
        let request = Request::builder().header(HOST, "a").body(body).unwrap();
        let arrival = Arrival::receive(request)?;
        let of = ReceiverRef {
            namespace: "default".to_owned(),
            name: "ci".to_owned(),
        };
        let keep = Keep::to_check_again(ByteBudget::new(Metrics::new()).open(Arc::new(of)));
        let received = arrival.read(keep, |chunk| seen += chunk.len()).await?;
        Ok((seen, received.kept().map(<[u8]>::len)))
    }

    #[tokio::test]
    async fn only_small_bodies_are_kept_and_none_above_the_limit_is_read() {
        let limit = usize::try_from(MAX_BODY_BYTES).unwrap();
        assert_eq!(read(0).await, Ok((0, Some(0))));
        assert_eq!(
            read(MAX_KEPT_BYTES).await,
            Ok((MAX_KEPT_BYTES, Some(MAX_KEPT_BYTES)))
        );
        assert_eq!(
            read(MAX_KEPT_BYTES + 1).await,
            Ok((MAX_KEPT_BYTES + 1, None))
        );
        assert_eq!(read(limit).await, Ok((limit, None)));
        assert_eq!(
            read(limit + 1).await,
            Err(Rejection::TooLarge {
                limit: MAX_BODY_BYTES
            })
        );
    }
}
