//! Reads a Receiver's Secret again when a delivery could not be authenticated with what is known of it.
//!
//! One read at a time and at most one every ten seconds for a Receiver, so that a forger gains nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio::{
    sync::Mutex as AsyncMutex,
    time::{Instant, timeout},
};
use tracing::warn;

use crate::hook::{Entry, Hook, HookTable, ReceiverRef, Secrets};

/// The shortest time between two reads for one Receiver.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long a read may take.
const DEADLINE: Duration = Duration::from_secs(1);

pub(super) struct SecretReader {
    client: kube::Client,
    table: HookTable,
    reads: Mutex<HashMap<ReceiverRef, LastRead>>,
}

/// When the Secret was last read; held while it is being read.
type LastRead = Arc<AsyncMutex<Option<Instant>>>;

impl SecretReader {
    pub(super) fn new(client: kube::Client, table: HookTable) -> Self {
        Self {
            client,
            table,
            reads: Mutex::default(),
        }
    }

    /// The hook as it is after the Secret was read again, if that changed it.
    pub(super) async fn reread(&self, hook: &Arc<Hook>) -> Option<Arc<Hook>> {
        let last_read = self.last_read(hook.receiver());
        let mut last_read = last_read.lock().await;
        if last_read.is_none_or(|read| read.elapsed() >= INTERVAL) {
            *last_read = Some(Instant::now());
            let fresh = self.read(hook).await;
            if let Some(fresh) = fresh.filter(|fresh| !fresh.has_keys_of(hook)) {
                self.table.replace(hook, &Arc::new(fresh));
            }
        }
        drop(last_read);
        match self.table.listing(hook.receiver())?.entry {
            Entry::Open(current) if !Arc::ptr_eq(&current, hook) => Some(current),
            Entry::Open(_) | Entry::Closed(_) | Entry::Pathless(_) => None,
        }
    }

    fn last_read(&self, receiver: &ReceiverRef) -> LastRead {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        if reads.len() > self.table.len() {
            reads.retain(|receiver, _| self.table.listing(receiver).is_some());
        }
        Arc::clone(reads.entry(receiver.clone()).or_default())
    }

    /// The hook with what its Secret holds now; nothing when that cannot be read or used.
    async fn read(&self, hook: &Hook) -> Option<Hook> {
        let receiver = hook.receiver();
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &receiver.namespace);
        let secret = match timeout(DEADLINE, secrets.get(hook.secret()?)).await {
            Ok(Ok(secret)) => secret,
            Ok(Err(error)) => {
                warn!(%receiver, %error, "cannot read the Secret of a Receiver");
                return None;
            }
            Err(_) => {
                warn!(%receiver, "the Secret of a Receiver could not be read in time");
                return None;
            }
        };
        let secrets = Secrets::of(secret.data.unwrap_or_default()).ok()?;
        hook.clone().with_secrets(&[secrets]).ok()
    }
}
