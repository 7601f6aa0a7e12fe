//! Files that can and cannot be used, and what becomes of an identity when they change.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tempfile::TempDir;

use super::*;

/// A certificate for a name, and its key, in PEM.
fn pair(name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2050, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn authority() -> String {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    params.self_signed(&key).unwrap().pem()
}

/// The files as cert-manager names them.
fn files(folder: &Path) -> TlsFiles {
    TlsFiles {
        certificate: folder.join("tls.crt"),
        key: folder.join("tls.key"),
        client_authorities: Some(folder.join("ca.crt")),
    }
}

fn written() -> (TempDir, TlsFiles) {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    write(&files, &pair("a.example.com"));
    std::fs::write(folder.path().join("ca.crt"), authority()).unwrap();
    (folder, files)
}

fn write(files: &TlsFiles, (certificate, key): &(String, String)) {
    std::fs::write(&files.certificate, certificate).unwrap();
    std::fs::write(&files.key, key).unwrap();
}

fn load(files: &TlsFiles) -> Result<Tls, InvalidTlsFile> {
    Tls::load(files.clone(), Duration::from_secs(1), Metrics::new())
}

fn refused(files: &TlsFiles, file: &str, reason: &str) {
    let error = load(files).unwrap_err().to_string();
    assert!(error.contains(file) && error.contains(reason), "{error}");
}

#[test]
fn the_files_of_cert_manager_make_an_identity() {
    let (_folder, files) = written();
    let tls = load(&files).unwrap();
    let (own, authorities) = (
        tls.identity().not_after,
        tls.identity().authorities_not_after,
    );
    assert_eq!(own, Some("2050-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(authorities, Some("2040-01-01T00:00:00Z".parse().unwrap()));
    let metrics = tls.0.metrics.encode();
    let shown = "hookgate_tls_not_after_timestamp_seconds{file=\"certificate\"} 2524608000.0";
    assert!(metrics.contains(shown), "{metrics}");
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_reason() {
    let (folder, files) = written();
    let at = |name: &str| folder.path().join(name);
    let spoil = |name: &str, text: &str, reason: &str| {
        let before = std::fs::read(at(name)).unwrap();
        std::fs::write(at(name), text).unwrap();
        refused(&files, name, reason);
        std::fs::write(at(name), before).unwrap();
    };
    let (other_certificate, other_key) = pair("b.example.com");
    spoil("tls.crt", "", "no certificate");
    spoil("tls.crt", &other_key, "no certificate");
    spoil("tls.crt", "-----BEGIN CERTIFICATE-----\n", "not PEM");
    spoil("tls.crt", &"x".repeat(2_000_000), "bytes");
    spoil("tls.key", &other_certificate, "no private key");
    spoil("tls.key", &other_key, "does not belong");
    spoil(
        "tls.key",
        &other_key.replace(" PRIVATE", " ENCRYPTED PRIVATE"),
        "no private key",
    );
    spoil("ca.crt", "nonsense", "no certificate");
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    spoil("ca.crt", junk, "");
    spoil("tls.crt", junk, "");
    assert!(load(&files).is_ok());
    for name in ["tls.crt", "tls.key", "ca.crt"] {
        let (moved, name) = (at("moved"), at(name));
        std::fs::rename(&name, &moved).unwrap();
        refused(&files, name.to_str().unwrap(), "No such file");
        std::fs::rename(&moved, &name).unwrap();
    }
}

#[test]
fn a_change_is_taken_over_and_a_bad_one_told_once() {
    let (_folder, files) = written();
    let tls = load(&files).unwrap();
    let first = tls.identity().digest;
    assert_eq!(tls.look(&Ok(first)), Ok(first));

    let (second, third) = (pair("b.example.com"), pair("c.example.com"));
    write(&files, &(second.0.clone(), third.1));
    let problem = tls.look(&Ok(first)).unwrap_err();
    assert!(problem.contains("tls.key"), "{problem}");
    assert_eq!(tls.look(&Err(problem.clone())), Err(problem.clone()));
    assert_eq!(tls.identity().digest, first);

    write(&files, &second);
    let digest = tls.look(&Err(problem)).unwrap();
    assert_ne!(digest, first);
    assert_eq!(tls.identity().digest, digest);
    let metrics = tls.0.metrics.encode();
    for counted in [r#"{result="failed"} 1"#, r#"{result="done"} 1"#] {
        let line = format!("hookgate_tls_reloads_total{counted}");
        assert!(metrics.contains(&line), "{metrics}");
    }
}

#[test]
fn files_that_are_put_back_are_no_change() {
    let (_folder, files) = written();
    let tls = load(&files).unwrap();
    let first = tls.identity().digest;
    let kept = std::fs::read(&files.key).unwrap();
    std::fs::remove_file(&files.key).unwrap();
    let problem = tls.look(&Ok(first));
    assert!(problem.is_err());
    std::fs::write(&files.key, kept).unwrap();
    assert_eq!(tls.look(&problem), Ok(first));
    assert!(!tls.0.metrics.encode().contains(r#"{result="done"}"#));
}
