//! Who the server is: a certificate authority that is kept, and a certificate that it signs at each start.
//!
//! The certificate is new each time so that it always names the address in use; clients trust the authority.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};

use super::{ListenError, private};

/// The certificate authority of one data directory.
pub(super) struct Identity {
    key: KeyPair,
    pem: String,
    der: CertificateDer<'static>,
}

impl Identity {
    /// Reads the authority from `ca.crt` and `ca.key` in a directory, or makes it.
    pub(super) fn load_or_make(directory: &Path) -> Result<Self, ListenError> {
        let (key_path, pem_path) = (directory.join("ca.key"), directory.join("ca.crt"));
        match (private::read(&key_path)?, private::read(&pem_path)?) {
            (Some(key), Some(pem)) => {
                let damaged = |path: &Path| ListenError::Damaged {
                    path: path.to_owned(),
                };
                Ok(Self {
                    key: KeyPair::from_pem(&key).map_err(|_| damaged(&key_path))?,
                    der: CertificateDer::from_pem_slice(pem.as_bytes())
                        .map_err(|_| damaged(&pem_path))?,
                    pem,
                })
            }
            // Half a pair is what an interrupted first start leaves: nobody has used it yet.
            _ => Self::make(&key_path, &pem_path),
        }
    }

    /// The certificate of the authority, in PEM, for clients to trust.
    pub(super) fn authority_pem(&self) -> &str {
        &self.pem
    }

    /// A new certificate for an address, with its chain and key.
    pub(super) fn server(
        &self,
        address: SocketAddr,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), ListenError> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        params.distinguished_name = common_name("embedded control plane");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let mut addresses = vec![
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        if !addresses.contains(&address.ip()) && !address.ip().is_unspecified() {
            addresses.push(address.ip());
        }
        params
            .subject_alt_names
            .extend(addresses.into_iter().map(SanType::IpAddress));
        let key = KeyPair::generate()?;
        let authority = authority_params();
        let certificate = params.signed_by(&key, &Issuer::from_params(&authority, &self.key))?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok((
            vec![certificate.der().clone(), self.der.clone()],
            key.into(),
        ))
    }

    fn make(key_path: &Path, pem_path: &Path) -> Result<Self, ListenError> {
        let key = KeyPair::generate()?;
        let certificate = authority_params().self_signed(&key)?;
        private::write(key_path, key.serialize_pem().as_bytes())?;
        private::write(pem_path, certificate.pem().as_bytes())?;
        Ok(Self {
            key,
            pem: certificate.pem(),
            der: certificate.der().clone(),
        })
    }
}

/// The parameters of the authority: always the same, so that its key is all there is to keep.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name("embedded control plane authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}
