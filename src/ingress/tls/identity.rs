//! From the contents of files to who the listener is, and whose certificates it can judge.
//!
//! What is wrong is told with the file that it is wrong in.

use std::{fmt, path::Path, sync::Arc};

use jiff::Timestamp;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, InconsistentKeys,
    RootCertStore, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer, UnixTime,
        pem::{self, PemObject as _},
    },
    server::{
        NoClientAuth, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::{TLS12, TLS13},
};

use super::{
    certificate::not_after,
    files::{Contents, Digest, FileProblem, InvalidTlsFile, TlsFiles},
};

/// What is spoken, the preferred first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// The longest chain that a client may show: a certificate, six between, and an authority, as deep as is looked.
const MAX_CHAIN: usize = 8;
/// The largest chain that a client may show, in bytes: it is kept as long as the connection.
const MAX_CHAIN_BYTES: usize = 16 * 1024;

/// Who a listener is, and whose certificates it can judge.
pub(super) struct Identity {
    pub(super) config: Arc<ServerConfig>,
    pub(super) clients: Option<Arc<dyn ClientCertVerifier>>,
    /// The last moment at which the own chain is valid.
    pub(super) not_after: Option<Timestamp>,
    /// The last moment at which all authorities of clients are valid.
    pub(super) authorities_not_after: Option<Timestamp>,
    /// Of the contents that it was made of.
    pub(super) digest: Digest,
}

impl Identity {
    /// Makes an identity; a certificate that has expired is one, too, for clocks can be wrong.
    pub(super) fn of(contents: &Contents, files: &TlsFiles) -> Result<Self, InvalidTlsFile> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(&contents.certificate, &files.certificate)?;
        let key = private_key(&contents.key, &files.key)?;
        let ends = chain.iter().filter_map(not_after).min();
        let pem = contents.client_authorities.as_deref();
        let authorities = match (pem, &files.client_authorities) {
            (Some(pem), Some(file)) => Some(authorities(pem, file, &provider)?),
            _ => None,
        };
        let (clients, authorities_not_after) = authorities.unzip();
        let verifier = clients.clone().map_or_else(
            || Arc::new(NoClientAuth) as Arc<dyn ClientCertVerifier>,
            |judge| Arc::new(Unjudged(judge)),
        );
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| FileProblem::from(error).with(&files.certificate))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| unusable(error, files))?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Self {
            config: Arc::new(config),
            clients,
            not_after: ends,
            authorities_not_after: authorities_not_after.flatten(),
            digest: contents.digest(),
        })
    }
}

fn unusable(error: Error, files: &TlsFiles) -> InvalidTlsFile {
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => FileProblem::OtherKey {
            certificate: files.certificate.clone(),
        }
        .with(&files.key),
        Error::InvalidCertificate(_) => FileProblem::from(error).with(&files.certificate),
        _ => FileProblem::from(error).with(&files.key),
    }
}

fn certificates(pem: &[u8], file: &Path) -> Result<Vec<CertificateDer<'static>>, InvalidTlsFile> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| FileProblem::from(error).with(file))?;
    if certificates.is_empty() {
        return Err(FileProblem::NoCertificate.with(file));
    }
    Ok(certificates)
}

fn private_key(pem: &[u8], file: &Path) -> Result<PrivateKeyDer<'static>, InvalidTlsFile> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        let problem = match error {
            pem::Error::NoItemsFound => FileProblem::NoKey,
            other => FileProblem::from(other),
        };
        problem.with(file)
    })
}

type Authorities = (Arc<dyn ClientCertVerifier>, Option<Timestamp>);

fn authorities(
    pem: &[u8],
    file: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Authorities, InvalidTlsFile> {
    let unusable = |error: Error| FileProblem::from(error).with(file);
    let certificates = certificates(pem, file)?;
    let end = certificates.iter().filter_map(not_after).min();
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(unusable)?;
    }
    let (roots, provider) = (Arc::new(roots), Arc::clone(provider));
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
    let verifier = verifier.map_err(|error| unusable(Error::General(error.to_string())))?;
    Ok((verifier, end))
}

/// Lets a handshake go on whoever the client is, as long as its key belongs to the certificate that it shows.
///
/// Whether that certificate is of any worth matters only to Receivers that ask for one, and is found out when a
/// delivery comes for them: so a client with a certificate for other purposes can still deliver to the others, and an
/// operator can be told why it was refused.
struct Unjudged(Arc<dyn ClientCertVerifier>);

impl fmt::Debug for Unjudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unjudged")
    }
}

impl ClientCertVerifier for Unjudged {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let bytes = intermediates.iter().map(|certificate| certificate.len());
        let bytes = bytes.sum::<usize>() + end_entity.len();
        if intermediates.len() < MAX_CHAIN && bytes <= MAX_CHAIN_BYTES {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
