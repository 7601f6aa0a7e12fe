//! TLS at the exposed listener: an identity that follows its files, and the certificates that clients show.
//!
//! Handshakes happen elsewhere, one per connection; a connection keeps the identity that it began with.

mod certificate;
mod client;
mod files;
mod identity;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::ServerConfig;
use tokio::{task::spawn_blocking, time::sleep};
use tracing::{info, warn};

pub(super) use self::client::ClientCertificate;
pub use self::files::{InvalidTlsFile, TlsFiles};
use self::{files::Contents, identity::Identity};
use crate::telemetry::Metrics;

/// Who the listener is, as its files have it; clones share it.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    files: TlsFiles,
    poll_interval: Duration,
    identity: ArcSwap<Identity>,
    metrics: Metrics,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.0.files)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files, which are small; `poll_interval` is how often [`Tls::follow_files`] looks at them.
    pub fn load(
        files: TlsFiles,
        poll_interval: Duration,
        metrics: Metrics,
    ) -> Result<Self, InvalidTlsFile> {
        let identity = Identity::of(&Contents::read(&files)?, &files)?;
        let tls = Self(Arc::new(Shared {
            files,
            poll_interval,
            identity: ArcSwap::from_pointee(identity),
            metrics,
        }));
        tls.tell("the certificate is read");
        Ok(tls)
    }

    /// Takes over what the files hold whenever that changes and can be used; never ends.
    ///
    /// They are read and compared, because Kubernetes replaces the folder that they are in and not the files. What
    /// cannot be used is told once, and who the listener was it stays.
    pub async fn follow_files(self) {
        let mut last = Ok(self.identity().digest);
        loop {
            sleep(self.0.poll_interval).await;
            let (this, before) = (self.clone(), last.clone());
            let looked = spawn_blocking(move || this.look(&before)).await;
            last = looked.unwrap_or(last);
        }
    }

    /// What a handshake needs at the moment.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.identity().config)
    }

    fn identity(&self) -> Arc<Identity> {
        self.0.identity.load_full()
    }

    /// Looks at the files once, given what came of the time before: a digest of them, or what was wrong.
    fn look(&self, before: &Result<files::Digest, String>) -> Result<files::Digest, String> {
        let read = Contents::read(&self.0.files);
        if let (Ok(contents), Ok(digest)) = (&read, before)
            && contents.digest() == *digest
        {
            return Ok(*digest);
        }
        if is_changing(&read, &self.0.files) {
            return before.clone();
        }
        match read.and_then(|contents| self.replace(&contents)) {
            Ok(digest) => Ok(digest),
            Err(problem) => {
                let problem = problem.to_string();
                if before.as_ref().err() != Some(&problem) {
                    self.0.metrics.tls_reload(false);
                    warn!(%problem, "files for TLS have changed and cannot be used; the certificate from before goes on");
                }
                Err(problem)
            }
        }
    }

    fn replace(&self, contents: &Contents) -> Result<files::Digest, InvalidTlsFile> {
        let identity = Identity::of(contents, &self.0.files)?;
        let digest = identity.digest;
        if digest != self.identity().digest {
            self.0.identity.store(Arc::new(identity));
            self.0.metrics.tls_reload(true);
            self.tell("the files for TLS have changed and are in use");
        }
        Ok(digest)
    }

    /// Writes until when the certificates are valid to the log and the metrics.
    fn tell(&self, what: &'static str) {
        let identity = self.identity();
        let (own, clients) = (identity.not_after, identity.authorities_not_after);
        self.0.metrics.tls_not_after("certificate", own);
        self.0.metrics.tls_not_after("client-ca", clients);
        let not_after = own.map(|end| end.to_string()).unwrap_or_default();
        if own.is_some_and(|end| end < Timestamp::now()) {
            warn!(not_after, "{what}, and the certificate has expired");
        } else {
            info!(not_after, "{what}");
        }
    }
}

/// Whether the files are being changed: a folder may be replaced by another while it is read.
fn is_changing(read: &Result<Contents, InvalidTlsFile>, files: &TlsFiles) -> bool {
    let digest = read.as_ref().ok().map(Contents::digest);
    digest != Contents::read(files).ok().map(|again| again.digest())
}

#[cfg(test)]
mod tests;
