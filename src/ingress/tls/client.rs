//! The certificate that a client showed, and what comes of it when a delivery needs it.
//!
//! Which names a Receiver allows is for `hook` to say.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, UnixTime};

use super::{Tls, certificate::names};
use crate::hook::ClientIdentity;

/// What a connection knows of who is at its other end.
#[derive(Clone, Debug, Default)]
pub(in crate::ingress) enum ClientCertificate {
    /// Nobody was asked.
    #[default]
    NotAskedFor,
    /// The client was asked, and showed this chain, its own certificate first; nothing when it has none.
    Shown {
        chain: Option<Arc<[CertificateDer<'static>]>>,
        to: Tls,
    },
    /// It is taken for the right one: nothing follows from the delivery.
    Assumed,
}

impl ClientCertificate {
    /// What a listener got in a handshake.
    pub(in crate::ingress) fn shown(chain: Option<&[CertificateDer<'static>]>, to: &Tls) -> Self {
        if to.identity().clients.is_none() {
            return Self::NotAskedFor;
        }
        Self::Shown {
            chain: chain.map(Arc::from),
            to: to.clone(),
        }
    }

    /// Judges it by the authorities of this moment, so that neither they nor an end are overlooked in a connection
    /// that has been open for long.
    pub(in crate::ingress) fn judge(&self, now: Timestamp) -> ClientIdentity {
        let (chain, to) = match self {
            Self::NotAskedFor => return ClientIdentity::NotAskedFor,
            Self::Assumed => return ClientIdentity::Assumed,
            Self::Shown { chain, to } => (chain, to),
        };
        let Some(judge) = &to.identity().clients else {
            return ClientIdentity::NotAskedFor;
        };
        let Some([certificate, between @ ..]) = chain.as_deref() else {
            return ClientIdentity::Absent;
        };
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        match judge.verify_client_cert(certificate, between, now) {
            Ok(_) => ClientIdentity::Proven {
                names: names(certificate),
            },
            Err(error) => ClientIdentity::Untrusted {
                reason: error.to_string(),
            },
        }
    }
}
