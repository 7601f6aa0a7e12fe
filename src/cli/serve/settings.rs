//! A validated description of a serving process, in the words of each of its parts.
//!
//! It starts nothing but the journal, which must be open before anything else is.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use crate::{
    api::rate::Rate,
    config::{self, Role, SecretWatch, StatusWrites},
    hook::{self, CertificateChecks, PlainIssuers, Policy},
    ingress::{InvalidTlsFile, IssuerSettings, Tls, TlsFiles, TrustedProxies},
    reconcile::{ReceiverOptions, ReceiverStatusWriting, Scope, leader::LeaseSettings},
    telemetry::Metrics,
    trigger::{
        Audit, AuditError, AuditSink, Budget, PresenceSettings, WatchScope,
        journal::{Journal, OpenError, Opened, Origin},
    },
};

/// The name of the Lease that replicas compete for.
const LEASE_NAME: &str = "hookgate-leader-election";

/// The same settings in the words of the controller.
pub(super) fn receiver_options(config: &config::Serving) -> ReceiverOptions {
    ReceiverOptions {
        scope: match &config.scope {
            config::Scope::AllNamespaces => Scope::Cluster,
            config::Scope::Namespace(namespace) => Scope::Namespace(namespace.clone()),
        },
        policy: Policy {
            cross_namespace_refs: match config.cross_namespace_refs {
                config::CrossNamespaceRefs::Allowed => hook::CrossNamespaceRefs::Allowed,
                config::CrossNamespaceRefs::Denied => hook::CrossNamespaceRefs::Denied,
            },
            plain_issuers: plain_issuers(&config.issuers),
            certificate_checks: certificate_checks(config),
        },
        secret_selector: match &config.secret_watch {
            SecretWatch::Matching(selector) => Some(selector.clone()),
            SecretWatch::Off => None,
        },
        status: match (config.role, config.status_writes) {
            (Role::All | Role::Reconcilers, StatusWrites::On) => ReceiverStatusWriting::On,
            (Role::Gateway, _) | (_, StatusWrites::Off) => ReceiverStatusWriting::Off,
        },
        concurrency: config.concurrent,
        min_retry_delay: config.retry.min_delay,
        max_retry_delay: config.retry.max_delay,
    }
}

/// What a proxy must be to be believed.
pub(super) fn proxies(config: &config::Serving) -> TrustedProxies {
    let entrance = &config.entrance;
    let proxies = TrustedProxies::new(entrance.trusted_proxies.clone());
    if entrance.proxy_protocol {
        proxies.speaking_proxy_protocol()
    } else {
        proxies
    }
}

/// Who the gateway is, where it speaks TLS.
pub(super) fn tls(
    config: &config::Serving,
    metrics: &Metrics,
) -> Result<Option<Tls>, InvalidTlsFile> {
    let Some(tls) = config
        .entrance
        .tls
        .as_ref()
        .filter(|_| config.role.has_gateway())
    else {
        return Ok(None);
    };
    let files = TlsFiles {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        client_authorities: tls.client_authorities.clone(),
    };
    Tls::load(files, tls.poll_interval, metrics.clone()).map(Some)
}

/// Whether a Receiver can be told that its client certificates will not be checked: by who writes its status, and is
/// the gateway itself. Another process may have been told of authorities that this one was not.
fn certificate_checks(config: &config::Serving) -> CertificateChecks {
    let tls = config.entrance.tls.as_ref();
    let asks_clients = tls.is_some_and(|tls| tls.client_authorities.is_some());
    match (config.role, config.status_writes) {
        (Role::All, StatusWrites::On) if !asks_clients => CertificateChecks::Impossible,
        _ => CertificateChecks::Possible,
    }
}

/// How keys of issuers are fetched, with the certificates that the operator named.
pub(in crate::cli) fn issuers(config: &config::Issuers) -> anyhow::Result<IssuerSettings> {
    let extra_roots = match &config.ca_file {
        Some(file) => certificates(file)
            .with_context(|| format!("cannot use `--oidc-ca-file {}`", file.display()))?,
        None => Vec::new(),
    };
    Ok(IssuerSettings {
        plain_issuers: plain_issuers(config),
        extra_roots,
        google_certs_url: config.google_certs_url.clone(),
        google_proxy_certs_url: config.google_proxy_certs_url.clone(),
    })
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let pem = std::fs::read(file)?;
    let mut roots = RootCertStore::empty();
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.context("it is not PEM")?;
        roots.add(certificate.clone())?;
        certificates.push(certificate);
    }
    anyhow::ensure!(!certificates.is_empty(), "there is no certificate in it");
    Ok(certificates)
}

/// Whether keys of issuers may be fetched without TLS.
pub(in crate::cli) fn plain_issuers(config: &config::Issuers) -> PlainIssuers {
    if config.allow_http {
        PlainIssuers::Allowed
    } else {
        PlainIssuers::Denied
    }
}

/// How far the watches of targets reach.
pub(super) fn watch_scope(scope: &config::Scope) -> WatchScope {
    match scope {
        config::Scope::AllNamespaces => WatchScope::Cluster,
        config::Scope::Namespace(_) => WatchScope::Namespace,
    }
}

/// Opens the audit record of a process that has something to record in it.
pub(super) fn open_audit(
    config: &config::Serving,
    metrics: &Metrics,
) -> Result<Option<Audit>, AuditError> {
    let sink = match &config.audit {
        config::AuditLog::File(path) => AuditSink::File(path.clone()),
        config::AuditLog::Stdout => AuditSink::Stdout,
        config::AuditLog::Off => return Ok(None),
    };
    let has_deliveries = config.role.has_gateway();
    let audit = has_deliveries.then(|| Audit::open(sink, metrics.clone()));
    audit.transpose()
}

/// Opens the journal of a process that has something to keep in it.
pub(super) fn open_journal(config: &config::Serving) -> Result<Opened, OpenError> {
    let folder = match &config.journal {
        config::Journal::In(folder) if config.role.has_gateway() => folder,
        config::Journal::In(_) | config::Journal::Off => return Ok(Journal::off()),
    };
    let mut opened = Journal::open(folder)?;
    if config.is_new_cluster && opened.origin == Origin::New {
        opened.journal.swept();
        opened.owes_sweep = false;
    }
    let folder = folder.display();
    match &opened.origin {
        Origin::Continued => tracing::info!(%folder, "journal opened"),
        Origin::New => tracing::info!(%folder, "journal made"),
        Origin::Replaced { damaged } => {
            tracing::error!(%folder, damaged = %damaged.display(), "the journal was damaged; it is moved aside, and what was in it may be lost");
        }
    }
    Ok(opened)
}

/// The budget of the process.
pub(super) fn budget(config: &config::Serving) -> Budget {
    Budget::new(Rate {
        interval: config.api_budget.interval,
        burst: config.api_budget.burst,
    })
}

/// How to compete for leading, for a process that does anything a leader does.
pub(super) fn lease(config: &config::Serving) -> Option<LeaseSettings> {
    let election = config.leader_election.as_ref()?;
    Some(LeaseSettings {
        namespace: election.namespace.clone(),
        name: LEASE_NAME.to_owned(),
        identity: format!("{}_{}", election.identity, uuid::Uuid::new_v4()),
        duration: election.lease_duration,
        renew_deadline: election.renew_deadline,
        retry_period: election.retry_period,
    })
}

/// How to show the presence of a gateway, where there may be others and what it accepts can outlive it.
pub(super) fn presence(config: &config::Serving) -> Option<PresenceSettings> {
    let election = config.leader_election.as_ref()?;
    let has_marks = config.role.has_gateway() && config.journal != config::Journal::Off;
    has_marks.then(|| PresenceSettings {
        namespace: election.namespace.clone(),
        identity: election.identity.clone(),
        duration: election.lease_duration.max(Duration::from_secs(1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_named_with_its_flag() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.crt");
        let refused = || {
            let config = config::Issuers {
                ca_file: Some(file.clone()),
                ..config::Issuers::default()
            };
            format!("{:#}", issuers(&config).unwrap_err())
        };
        assert!(refused().contains("--oidc-ca-file"), "{}", refused());
        for text in [
            "",
            "no PEM",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n",
        ] {
            std::fs::write(&file, text).unwrap();
            assert!(refused().contains("ca.crt"), "{text:?}: {}", refused());
        }
    }

    #[test]
    fn issuers_are_asked_over_https_and_trusted_as_the_system_does_by_default() {
        let settings = issuers(&config::Issuers::default()).unwrap();
        assert_eq!(settings.plain_issuers, PlainIssuers::Denied);
        assert!(settings.extra_roots.is_empty());
        assert!(
            settings
                .google_certs_url
                .starts_with("https://www.googleapis.com/")
        );
    }
}
