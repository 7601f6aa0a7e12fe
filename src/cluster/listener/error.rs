//! Why the front door could not be opened, in one sentence each.
//!
//! What goes wrong later, on a single connection, is logged and concerns only that connection.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Why the front door could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another process listens there.
    #[error("`{0}` is in use by another process: stop it or choose another address")]
    InUse(SocketAddr),
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on `{address}`: {source}")]
    Address {
        /// The address as asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A file or directory cannot be read or written.
    #[error("cannot use `{}`: {source}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A kept file does not hold what it should.
    #[error("`{}` is damaged: remove the directory it is in to make new ones, and use the new kubeconfig", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The system has no random bytes.
    #[error("no random bytes for a token: {0}")]
    Random(getrandom::Error),
    /// A certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The certificate cannot be served.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl ListenError {
    pub(super) fn address(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(address),
            _ => Self::Address { address, source },
        }
    }

    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }
}
