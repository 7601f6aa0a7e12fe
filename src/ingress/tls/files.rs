//! The files of an identity: where they are, what is in them, and what can be wrong with one.
//!
//! The names do not matter; cert-manager's `tls.crt`, `tls.key` and `ca.crt` are as good as any.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The largest file that is read, in bytes; bundles of authorities have some hundred thousand.
const MAX_BYTES: u64 = 1024 * 1024;

/// Where the certificate of a listener is, and what belongs to it; all in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, and those between it and an authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities of client certificates; clients are asked for none without.
    pub client_authorities: Option<PathBuf>,
}

/// A file that no identity can be made of.
#[derive(Debug, thiserror::Error)]
#[error("cannot use `{}`: {problem}", path.display())]
pub struct InvalidTlsFile {
    path: PathBuf,
    problem: FileProblem,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileProblem {
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("it is not PEM: {0}")]
    NotPem(#[from] rustls::pki_types::pem::Error),
    #[error("there is no certificate in it")]
    NoCertificate,
    #[error("there is no private key in it that is not encrypted")]
    NoKey,
    #[error("the key does not belong to the certificate in `{}`", certificate.display())]
    OtherKey { certificate: PathBuf },
    #[error("{0}")]
    Unusable(#[from] rustls::Error),
}

impl FileProblem {
    pub(super) fn with(self, path: &Path) -> InvalidTlsFile {
        InvalidTlsFile {
            path: path.to_owned(),
            problem: self,
        }
    }
}

/// What tells contents apart without keeping them.
pub(super) type Digest = [u8; 32];

/// What is in the files at a moment.
pub(super) struct Contents {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Zeroizing<Vec<u8>>,
    pub(super) client_authorities: Option<Vec<u8>>,
}

impl Contents {
    /// Reads all files, one after the other.
    pub(super) fn read(files: &TlsFiles) -> Result<Self, InvalidTlsFile> {
        let client_authorities = files.client_authorities.as_deref().map(read);
        Ok(Self {
            certificate: read(&files.certificate)?,
            key: Zeroizing::new(read(&files.key)?),
            client_authorities: client_authorities.transpose()?,
        })
    }

    pub(super) fn digest(&self) -> Digest {
        let authorities = self.client_authorities.as_deref().unwrap_or_default();
        let parts = [
            self.certificate.as_slice(),
            self.key.as_slice(),
            authorities,
        ];
        let digests = parts.map(Sha256::digest).concat();
        Sha256::digest(digests).into()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, InvalidTlsFile> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)?;
        io::Result::Ok(bytes)
    };
    let bytes = read().map_err(|error| FileProblem::from(error).with(path))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_BYTES) {
        Ok(bytes)
    } else {
        Err(FileProblem::TooLarge.with(path))
    }
}
