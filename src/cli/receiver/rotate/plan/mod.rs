//! How far the change of a token has come, and what each step writes, from the Secret and the annotation as they are.
//!
//! Pure. The old token is kept and named before it is replaced, so that at no moment, and wherever it breaks off, a
//! delivery is refused.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::api::ObjectMeta;
use serde_json::{Value, json};

use crate::api::{
    annotations::{LIVE_SECRETS, TOKEN_KEY},
    live_secrets::LiveSets,
};

/// The set of secrets that the current one becomes.
pub(super) const PREVIOUS: &str = "previous";

/// How far the change of a token has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing has been done, or the last overlap is over.
    Rest,
    /// The secrets are live under both names, and the token is still to be changed.
    Kept,
    /// The token was changed, and the old one is live.
    Changed {
        /// Until when; for ever when absent.
        until: Option<Timestamp>,
    },
}

type Data = BTreeMap<String, ByteString>;

/// Finds out how far it has come.
pub(super) fn stage(secret: &Secret, live: &LiveSets, now: Timestamp) -> Stage {
    let previous = keys(secret, of_previous);
    let named = live.find(PREVIOUS).filter(|set| set.is_live(now));
    match named {
        Some(set) if previous.contains_key(TOKEN_KEY) => {
            if previous == keys(secret, of_current) {
                Stage::Kept
            } else {
                Stage::Changed { until: set.until }
            }
        }
        _ => Stage::Rest,
    }
}

/// Makes the current secrets the set `previous` too, in place of what that was.
pub(super) fn keep(secret: &Secret) -> Value {
    let mut data = forgotten(secret);
    for (key, value) in keys(secret, of_current) {
        data.insert(format!("{key}.{PREVIOUS}"), json!(value));
    }
    json!({"metadata": version(&secret.metadata), "data": data})
}

/// Puts the new token in the place of the current one.
pub(super) fn change(secret: &Secret, token: &str) -> Value {
    json!({"metadata": version(&secret.metadata), "stringData": {TOKEN_KEY: token}})
}

/// Takes the set `previous` out of the Secret; nothing when it is not there.
pub(super) fn forget(secret: &Secret) -> Option<Value> {
    let data = forgotten(secret);
    (!data.is_empty()).then(|| json!({"metadata": version(&secret.metadata), "data": data}))
}

/// Names these sets as live, and no others.
pub(super) fn name(receiver: &ObjectMeta, live: &LiveSets) -> Value {
    let text = Some(live.to_string()).filter(|text| !text.is_empty());
    let version = &receiver.resource_version;
    json!({"metadata": {"resourceVersion": version, "annotations": {LIVE_SECRETS: text}}})
}

/// What makes a merge patch be refused if somebody else has changed the object meanwhile.
fn version(metadata: &ObjectMeta) -> Value {
    json!({"resourceVersion": metadata.resource_version})
}

fn keys(secret: &Secret, of_set: fn(&str) -> Option<&str>) -> Data {
    let data = secret.data.iter().flatten();
    data.filter_map(|(key, value)| Some((of_set(key)?.to_owned(), value.clone())))
        .collect()
}

fn of_current(key: &str) -> Option<&str> {
    (!key.contains('.')).then_some(key)
}

fn of_previous(key: &str) -> Option<&str> {
    let (key, set) = key.split_once('.')?;
    (set == PREVIOUS).then_some(key)
}

fn forgotten(secret: &Secret) -> BTreeMap<String, Value> {
    let keys = secret.data.iter().flatten().map(|(key, _)| key);
    let previous = keys.filter(|key| of_previous(key).is_some());
    previous.map(|key| (key.clone(), Value::Null)).collect()
}

#[cfg(test)]
mod tests;
