//! The metrics of the exposed listener: TLS, connections that come to nothing, and signs of proxies nobody named.
//!
//! No label holds an address or a name of a client.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::Metrics;

/// Why a connection ended before a request could be read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedConnection {
    /// What it began with took too long.
    Timeout,
    /// A trusted proxy did not say for whom it speaks.
    ProxyHeader,
    /// It was plain HTTP, and TLS is spoken here.
    PlainHttp,
    /// The handshake of TLS failed.
    Handshake,
}

/// What tells that a proxy stands in front of the listener which it was not told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxySign {
    /// A proven delivery has `X-Forwarded-For` from somebody who is not trusted.
    UntrustedForwardedFor,
    /// A limit for one client was left aside, because all seem to share an address.
    SharedAddress,
}

impl Metrics {
    /// Counts an attempt to take over files of TLS that have changed.
    pub fn tls_reload(&self, is_done: bool) {
        let result = if is_done { "done" } else { "failed" };
        let reloads = &self.0.entrance.reloads;
        reloads.get_or_create(&Reload { result }).inc();
    }

    /// Shows the last moment at which what is in a file of TLS is valid; nothing when that is not known.
    pub fn tls_not_after(&self, file: &'static str, end: Option<Timestamp>) {
        let labels = Certificate { file };
        let ends = &self.0.entrance.not_after;
        match end {
            Some(end) => {
                let end = end.as_duration().as_secs_f64();
                ends.get_or_create(&labels).set(end);
            }
            None => drop(ends.remove(&labels)),
        }
    }

    /// Counts a connection that ended before a request could be read from it.
    pub fn connection_refused(&self, why: RefusedConnection) {
        let reason = match why {
            RefusedConnection::Timeout => "timeout",
            RefusedConnection::ProxyHeader => "proxy-header",
            RefusedConnection::PlainHttp => "plain-http",
            RefusedConnection::Handshake => "handshake",
        };
        let refused = &self.0.entrance.refused;
        refused.get_or_create(&Refused { reason }).inc();
    }

    /// Counts a sign of a proxy that was not named.
    pub fn proxy_sign(&self, sign: ProxySign) {
        let sign = match sign {
            ProxySign::UntrustedForwardedFor => "untrusted-forwarded-for",
            ProxySign::SharedAddress => "shared-address",
        };
        let signs = &self.0.entrance.signs;
        signs.get_or_create(&Sign { sign }).inc();
    }
}

#[derive(Default)]
pub(super) struct EntranceFamilies {
    reloads: Family<Reload, Counter>,
    not_after: Family<Certificate, Gauge<f64, AtomicU64>>,
    refused: Family<Refused, Counter>,
    signs: Family<Sign, Counter>,
}

impl EntranceFamilies {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "hookgate_tls_reloads",
            "Changes of the files for TLS, by whether they could be used",
            self.reloads.clone(),
        );
        registry.register(
            "hookgate_tls_not_after_timestamp_seconds",
            "When the first certificate in a file for TLS expires",
            self.not_after.clone(),
        );
        registry.register(
            "hookgate_refused_connections",
            "Connections that ended before a request could be read from them, by reason",
            self.refused.clone(),
        );
        registry.register(
            "hookgate_unnamed_proxy_signs",
            "Deliveries that tell of a proxy which --trusted-proxies does not name, by how",
            self.signs.clone(),
        );
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reload {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Certificate {
    file: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Sign {
    sign: &'static str,
}
