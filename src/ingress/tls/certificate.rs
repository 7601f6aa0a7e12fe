//! What can be told from one certificate: until when it is valid, and what it is for.
//!
//! Whether it can be trusted is not asked here.

use std::time::Duration;

use jiff::Timestamp;
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, UnixTime},
};
use webpki::{EndEntityCert, Error, KeyUsage};

/// A moment behind every one that a certificate can name (RFC 5280, 4.1.2.5): the year 16,000.
const END_OF_TIME: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(442_742_000_000));

/// The last moment at which a certificate is valid; nothing when it cannot be read.
///
/// All that the library tells of it is since when a certificate has been expired, so it is asked at the end of time.
pub(super) fn not_after(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let algorithms = ring::default_provider()
        .signature_verification_algorithms
        .all;
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let verified = certificate.verify_for_usage(
        algorithms,
        &[],
        &[],
        END_OF_TIME,
        KeyUsage::client_auth(),
        None,
        None,
    );
    match verified {
        Err(Error::CertExpired { not_after, .. }) => {
            let seconds = i64::try_from(not_after.as_secs()).ok()?;
            Timestamp::from_second(seconds.min(Timestamp::MAX.as_second())).ok()
        }
        _ => None,
    }
}

/// The DNS names and URIs that a certificate is for; none when it cannot be read.
pub(super) fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else {
        return Vec::new();
    };
    let names = certificate.valid_dns_names();
    let names = names.chain(certificate.valid_uri_names());
    names.map(ToOwned::to_owned).collect()
}
