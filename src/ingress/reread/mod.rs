//! Reads a Receiver's Secret again when a delivery could not be authenticated with what is known of it.
//!
//! One read at a time, and a few at once and then one every ten seconds for a Receiver, so that a forger gains nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio::{
    sync::Mutex as AsyncMutex,
    time::{Instant, timeout},
};
use tracing::warn;

use super::{reads::Reads, receiver::metadata};
use crate::{
    api::live_secrets::LiveSets,
    hook::{Entry, Hook, HookTable, ReceiverRef, Secrets},
};

/// The time in which one read for one Receiver is earned.
const INTERVAL: Duration = Duration::from_secs(10);
/// How many of them can be saved up.
const BURST: u32 = 3;
/// How long a read may take.
const DEADLINE: Duration = Duration::from_secs(1);

pub(super) struct SecretReader {
    /// Nothing where nothing can be read.
    client: Option<kube::Client>,
    table: HookTable,
    reads: Mutex<HashMap<ReceiverRef, ReadsOfOne>>,
}

/// How often the Secret of one Receiver may be read; held while it is being read.
type ReadsOfOne = Arc<AsyncMutex<Reads>>;

impl SecretReader {
    pub(super) fn new(client: kube::Client, table: HookTable) -> Self {
        Self {
            client: Some(client),
            table,
            reads: Mutex::default(),
        }
    }

    /// A reader that finds every Secret as it is known.
    pub(super) fn reading_nothing(table: HookTable) -> Self {
        Self {
            client: None,
            table,
            reads: Mutex::default(),
        }
    }

    /// The hook as it is after the Secret was read again, if that, or somebody else, changed it.
    ///
    /// A read that changed something is not counted: a stranger cannot bring that about.
    pub(super) async fn reread(&self, hook: &Arc<Hook>) -> Option<Arc<Hook>> {
        let reads = self.reads_of(hook.receiver());
        let mut reads = reads.lock().await;
        if let Some(current) = self.successor(hook) {
            return Some(current);
        }
        if reads.take(Instant::now(), 1) == 1 && self.refresh(hook).await {
            reads.give_back(1);
        }
        drop(reads);
        self.successor(hook)
    }

    /// Reads the Secret of a hook and puts what is new in it into the table; says whether there was anything.
    pub(super) async fn refresh(&self, hook: &Arc<Hook>) -> bool {
        let Ok(fresh) = timeout(DEADLINE, self.read(hook)).await else {
            warn!(receiver = %hook.receiver(), "the Secret of a Receiver could not be read in time");
            return false;
        };
        let Some(fresh) = fresh.filter(|fresh| !fresh.has_keys_of(hook)) else {
            return false;
        };
        self.table.replace(hook, &Arc::new(fresh));
        true
    }

    /// The hook that has taken the place of this one.
    fn successor(&self, hook: &Arc<Hook>) -> Option<Arc<Hook>> {
        match self.table.listing(hook.receiver())?.entry {
            Entry::Open(current) if !Arc::ptr_eq(&current, hook) => Some(current),
            Entry::Open(_) | Entry::Closed(_) | Entry::Pathless(_) | Entry::Unread(_) => None,
        }
    }

    fn reads_of(&self, receiver: &ReceiverRef) -> ReadsOfOne {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        if reads.len() > self.table.len() {
            reads.retain(|receiver, _| self.table.listing(receiver).is_some());
        }
        let new = || Arc::new(AsyncMutex::new(Reads::new(INTERVAL, BURST)));
        Arc::clone(reads.entry(receiver.clone()).or_insert_with(new))
    }

    /// The hook with what its Secret holds now; nothing when that cannot be read or used.
    async fn read(&self, hook: &Hook) -> Option<Hook> {
        let receiver = hook.receiver();
        let client = self.client.clone()?;
        let secrets: Api<Secret> = Api::namespaced(client, &receiver.namespace);
        let secret = match secrets.get(hook.secret()?).await {
            Ok(secret) => secret,
            Err(error) => {
                warn!(%receiver, %error, "cannot read the Secret of a Receiver");
                return None;
            }
        };
        let secrets = Secrets::of(secret.data.unwrap_or_default()).ok()?;
        let has_unnamed = secrets.sets().any(|set| hook.named().find(set).is_none());
        let mut hook = hook.clone();
        if has_unnamed {
            // The annotation that names them may be there and not have been seen yet.
            hook = hook.with_named(self.named(receiver).await?);
        }
        hook.with_secrets(&secrets, Timestamp::now()).ok()
    }

    /// The secrets that a Receiver names as live now.
    async fn named(&self, receiver: &ReceiverRef) -> Option<LiveSets> {
        match metadata(self.client.clone()?, receiver).await {
            Ok(metadata) => Some(LiveSets::of(&metadata?)),
            Err(error) => {
                warn!(%receiver, %error, "cannot read a Receiver");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
