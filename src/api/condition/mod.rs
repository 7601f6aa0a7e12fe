//! Status conditions: their shape, the types that Flux and hookgate own, and the rules for setting them.
//!
//! Which reason and message an outcome has is decided by the reconcilers, not here.

use std::{borrow::Cow, cmp::Reverse};

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The condition type that says whether an object does what it is for.
pub const READY: &str = "Ready";

/// The condition type that says work is under way; absent when it is not.
pub const RECONCILING: &str = "Reconciling";

/// The condition type that says only a change to the object can help; absent when it does not hold.
pub const STALLED: &str = "Stalled";

/// The condition type of a Kustomization that says whether what it applied is healthy.
pub const HEALTHY: &str = "Healthy";

/// The condition type of a Receiver that is `False` while hookgate may not trigger some of its targets, else absent.
pub const TARGETS_ACCESSIBLE: &str = "TargetsAccessible";

/// The condition type of a Receiver that is `False` while some secrets that it names as live cannot be used, else absent.
pub const LIVE_SECRETS_USABLE: &str = "LiveSecretsUsable";

/// The longest message the schema accepts, in bytes; longer ones are cut and end in `...`.
pub const MAX_MESSAGE_BYTES: usize = 32_768;

const ELLIPSIS: &str = "...";

/// One observation of an object's state (`metav1.Condition`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// When status, reason or message last changed, in RFC 3339, whole seconds, UTC.
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: String,
    /// A sentence for people.
    #[schemars(length(max = 32_768))]
    pub message: String,
    /// The `metadata.generation` that this condition was set for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// A word in CamelCase for programs.
    #[schemars(
        length(min = 1, max = 1024),
        regex(pattern = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    )]
    pub reason: String,
    /// `True`, `False` or `Unknown`.
    pub status: ConditionStatus,
    /// What is observed, such as `Ready`.
    #[serde(rename = "type")]
    #[schemars(
        length(max = 316),
        regex(
            pattern = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
        )
    )]
    pub type_: String,
}

/// The value of a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// It cannot be told.
    Unknown,
    /// A value that no schema of today admits, kept as another writer left it.
    #[serde(untagged)]
    Foreign(String),
}

impl JsonSchema for ConditionStatus {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ConditionStatus".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": ["True", "False", "Unknown"] })
    }
}

/// What every condition of one run is stamped with.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The `metadata.generation` that is being reconciled.
    pub generation: i64,
    /// The time of the observation.
    pub now: Timestamp,
}

/// The conditions of one object: at most one of each type, in the order in which Flux stores them.
///
/// Conditions of other writers are kept; the order is Stalled, Reconciling, Ready, then the
/// others by falling observed generation and by type, as Flux stores them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Conditions(Vec<Condition>);

impl Conditions {
    /// The condition of this type, if there is one.
    #[must_use]
    pub fn find(&self, type_: &str) -> Option<&Condition> {
        self.0.iter().find(|condition| condition.type_ == type_)
    }

    /// Whether the condition of this type is there and `True`.
    #[must_use]
    pub fn is_true(&self, type_: &str) -> bool {
        self.find(type_)
            .is_some_and(|condition| condition.status == ConditionStatus::True)
    }

    /// Whether the object serves: Ready, and neither only Stalled nor only Reconciling, as in Flux.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_true(READY) && self.is_true(STALLED) == self.is_true(RECONCILING)
    }

    /// The conditions in stored order.
    pub fn iter(&self) -> std::slice::Iter<'_, Condition> {
        self.0.iter()
    }

    /// Whether there are none, so that the field is left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets one condition; its transition time moves only if status, reason or message changed.
    ///
    /// Setting Reconciling removes Stalled and the other way round. A message above
    /// [`MAX_MESSAGE_BYTES`] is cut.
    pub fn set(
        &mut self,
        type_: &str,
        status: ConditionStatus,
        reason: &str,
        message: &str,
        stamp: Stamp,
    ) {
        let message = shortened(message);
        let last_transition_time = self
            .find(type_)
            .filter(|old| old.status == status && old.reason == reason && old.message == message)
            .map_or_else(
                || whole_seconds(stamp.now),
                |old| old.last_transition_time.clone(),
            );
        match type_ {
            RECONCILING => self.remove(STALLED),
            STALLED => self.remove(RECONCILING),
            _ => {}
        }
        self.remove(type_);
        self.0.push(Condition {
            last_transition_time,
            message,
            observed_generation: Some(stamp.generation),
            reason: reason.to_owned(),
            status,
            type_: type_.to_owned(),
        });
        self.0.sort_by(|a, b| stored_order(a).cmp(&stored_order(b)));
    }

    /// Removes the condition of this type, if there is one.
    pub fn remove(&mut self, type_: &str) {
        self.0.retain(|condition| condition.type_ != type_);
    }
}

impl From<Vec<Condition>> for Conditions {
    fn from(conditions: Vec<Condition>) -> Self {
        Self(conditions)
    }
}

impl<'a> IntoIterator for &'a Conditions {
    type Item = &'a Condition;
    type IntoIter = std::slice::Iter<'a, Condition>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn stored_order(condition: &Condition) -> (u8, Reverse<Option<i64>>, &str) {
    let type_ = condition.type_.as_str();
    match type_ {
        STALLED => (0, Reverse(None), type_),
        RECONCILING => (1, Reverse(None), type_),
        READY => (2, Reverse(None), type_),
        _ => (3, Reverse(condition.observed_generation), type_),
    }
}

fn shortened(message: &str) -> String {
    if message.len() <= MAX_MESSAGE_BYTES {
        return message.to_owned();
    }
    let room = MAX_MESSAGE_BYTES - ELLIPSIS.len();
    let mut short = message.to_owned();
    short.truncate(message.floor_char_boundary(room));
    short + ELLIPSIS
}

fn whole_seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests;
