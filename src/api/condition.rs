//! Status conditions: their shape, the types that hookgate owns, and the rules for setting them.
//!
//! Which reason and message an outcome has is decided by the reconcilers, not here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest message the schema accepts, in bytes; longer ones are cut and end in `...`.
pub const MAX_MESSAGE_BYTES: usize = 32_768;

/// One observation of an object's state (`metav1.Condition`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// When status, reason or message last changed, in RFC 3339, whole seconds, UTC.
    pub last_transition_time: String,
    /// A sentence for people.
    pub message: String,
    /// The `metadata.generation` that this condition was set for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// A word in CamelCase for programs.
    pub reason: String,
    /// `True`, `False` or `Unknown`.
    pub status: ConditionStatus,
    /// What is observed, such as `Ready`.
    #[serde(rename = "type")]
    pub type_: String,
}

/// The three values of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// It cannot be told.
    Unknown,
}
