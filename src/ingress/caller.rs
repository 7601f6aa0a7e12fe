//! Who sends a request, as the listener saw it.
//!
//! Nothing of it is proven but what a certificate shows; what is made of it is for the phases to say.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::Request;

use super::tls::ClientCertificate;

/// Who sends a request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Where it comes from, past all trusted proxies.
    pub(super) address: IpAddr,
    /// Whether somebody who is not trusted says that it comes from elsewhere.
    pub(super) is_disbelieved: bool,
    /// What the client showed of itself.
    pub(super) certificate: ClientCertificate,
}

impl Caller {
    /// Who sends this request; nobody, where it did not come through a listener.
    pub(super) fn of(request: &Request) -> Self {
        request.extensions().get().cloned().unwrap_or(Self {
            address: Ipv4Addr::UNSPECIFIED.into(),
            is_disbelieved: false,
            certificate: ClientCertificate::NotAskedFor,
        })
    }
}
