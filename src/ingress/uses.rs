//! When each live secret of each Receiver was last used, so that an operator knows which of them nobody needs any more.
//!
//! It is known since the start of this process, and of this replica only; nothing of a secret is in it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    hook::{Hook, HookTable, ReceiverRef, SecretDigest, SetIdentity},
    telemetry::UsedSecret,
};

/// The last uses of all live secrets; clones share them.
#[derive(Clone, Debug)]
pub struct SecretUses(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    table: HookTable,
    since: Timestamp,
    last: Mutex<HashMap<ReceiverRef, Vec<(SecretDigest, Timestamp)>>>,
}

/// The live secrets of Receivers, as the operator's listener shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveSecretUses {
    /// Since when uses are noted.
    pub since: Timestamp,
    /// One entry for each live set of secrets of each Receiver.
    pub secrets: Vec<SecretUse>,
}

/// One live set of secrets of one Receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretUse {
    /// The Receiver, as `namespace/name`.
    pub receiver: String,
    /// The name of the set: `current`, or as the annotation has it.
    pub name: String,
    /// The last moment at which it is live; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// When a delivery was last proven by it; not since uses are noted when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

impl SecretUses {
    /// Notes uses from now on.
    #[must_use]
    pub fn new(table: HookTable) -> Self {
        Self(Arc::new(Shared {
            table,
            since: Timestamp::now(),
            last: Mutex::default(),
        }))
    }

    /// A delivery was proven by a set of secrets of a hook; those that the hook no longer has are forgotten.
    pub(super) fn note(&self, hook: &Hook, set: &SetIdentity, now: Timestamp) {
        let mut last = self.last();
        if last.len() > self.0.table.len() {
            last.retain(|receiver, _| self.0.table.listing(receiver).is_some());
        }
        if let Some(uses) = last.get_mut(hook.receiver()) {
            if let Some((_, at)) = uses.iter_mut().find(|(used, _)| *used == set.digest()) {
                *at = now.max(*at);
                return;
            }
            uses.retain(|(used, _)| hook.sets().any(|set| set.digest() == *used));
            uses.push((set.digest(), now));
        } else {
            last.insert(hook.receiver().clone(), vec![(set.digest(), now)]);
        }
    }

    /// The live secrets of one Receiver, or of all, with their last uses.
    #[must_use]
    pub fn show(&self, receiver: Option<&ReceiverRef>) -> LiveSecretUses {
        let now = Timestamp::now();
        let mut hooks = self.0.table.hooks();
        hooks.retain(|(hook, _)| receiver.is_none_or(|receiver| hook.receiver() == receiver));
        hooks.sort_unstable_by(|(a, _), (b, _)| a.receiver().cmp(b.receiver()));
        let last = self.last();
        let secrets = hooks.iter().flat_map(|(hook, _)| {
            let uses = last.get(hook.receiver());
            let live = hook.sets().filter(|set| set.is_live(now));
            live.map(move |set| {
                let digest = set.digest();
                let mut uses = uses.into_iter().flatten();
                SecretUse {
                    receiver: hook.receiver().to_string(),
                    name: set.name().to_owned(),
                    until: set.until(),
                    last_used_at: uses.find_map(|(used, at)| (*used == digest).then_some(*at)),
                }
            })
        });
        LiveSecretUses {
            since: self.0.since,
            secrets: secrets.collect(),
        }
    }

    /// The live secrets that have been used, for the metrics.
    #[must_use]
    pub fn used(&self) -> Vec<UsedSecret> {
        let secrets = self.show(None).secrets.into_iter();
        let used = |secret: SecretUse| {
            let (namespace, name) = secret.receiver.split_once('/')?;
            Some(UsedSecret {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                secret: secret.name,
                last_used: secret.last_used_at?.as_duration().as_secs_f64(),
            })
        };
        secrets.filter_map(used).collect()
    }

    fn last(&self) -> MutexGuard<'_, HashMap<ReceiverRef, Vec<(SecretDigest, Timestamp)>>> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
