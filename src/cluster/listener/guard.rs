//! Who may come in: requests that name this server and carry its token.
//!
//! The name is checked against DNS rebinding: a page in a browser that reaches the port names another host.

use std::net::SocketAddr;

use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use serde_json::json;

use super::token::Token;

/// The most bytes of a request's body (Kubernetes: 3 MiB).
pub(super) const MAX_BODY: usize = 3 << 20;

/// The conditions for coming in.
#[derive(Debug)]
pub(super) struct Guard {
    hosts: [String; 4],
    port: u16,
    token: Token,
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It names another host.
    Host,
    /// It has no token, or a wrong one.
    Token,
    /// It announces a body that is too large.
    Body,
}

impl Guard {
    /// Lets in who names the address or loopback, and has the token.
    pub(super) fn new(address: SocketAddr, token: Token) -> Self {
        let listen = match address {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        };
        let hosts = ["127.0.0.1", "localhost", "[::1]", &listen].map(str::to_owned);
        Self {
            hosts,
            port: address.port(),
            token,
        }
    }

    /// Checks a request by its head.
    pub(super) fn admit<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        if !self.is_host(request.uri(), request.headers()) {
            return Err(Refusal::Host);
        }
        if !bearer(request.headers()).is_some_and(|given| self.token.is(given)) {
            return Err(Refusal::Token);
        }
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > MAX_BODY as u64) {
            return Err(Refusal::Body);
        }
        Ok(())
    }

    fn is_host(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else {
            return false;
        };
        let Ok(host) = host.to_str() else {
            return false;
        };
        let is_ours = |name: &str| {
            let (host, port) = match name.rsplit_once(':') {
                Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
                _ => (name, Some(443)),
            };
            port == Some(self.port)
                && self
                    .hosts
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(host))
        };
        is_ours(host)
            && uri
                .authority()
                .is_none_or(|authority| is_ours(authority.as_str()))
    }
}

impl Refusal {
    /// The answer: a Kubernetes `Status`.
    pub(super) fn response(self) -> Response<Full<bytes::Bytes>> {
        let (code, reason, message) = match self {
            Self::Host => (
                StatusCode::FORBIDDEN,
                "Forbidden",
                "the request names another host than this server",
            ),
            Self::Token => (StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized"),
            Self::Body => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                "Request entity too large: limit is 3145728",
            ),
        };
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code.as_u16(),
        });
        let mut response = Response::new(Full::from(status.to_string()));
        *response.status_mut() = code;
        let json = header::HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// The token of a request; there must be one `Authorization` header, of the scheme `Bearer`.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return None;
    };
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then_some(token.trim_ascii())
}
