//! What is known of a Kustomization: revisions, inventory and history.
//!
//! The rules for what is written when are in `sync` and `reconcile`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{absent::null_as_empty, condition::Conditions};

/// The observed state of a Kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KustomizationStatus {
    /// What is known of the Kustomization.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Conditions::is_empty"
    )]
    pub conditions: Conditions,
    /// The last builds that were applied, the latest first; at most five.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub history: Vec<Snapshot>,
    /// The objects that were applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
    /// The origin of the last revision that was applied in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_applied_origin_revision: Option<String>,
    /// The last revision that was applied in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_applied_revision: Option<String>,
    /// The last revision that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempted_revision: Option<String>,
    /// The last value of the `reconcile.fluxcd.io/requestedAt` annotation that was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// The last generation that ended Ready or failed for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// The objects that were applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inventory {
    /// One entry for each object, in the order of applying.
    pub entries: Vec<InventoryEntry>,
}

/// One object that was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InventoryEntry {
    /// Which object, as `<namespace>_<name>_<group>_<kind>`.
    pub id: String,
    /// The API version it was applied with.
    pub v: String,
}

/// One build, and how often it ended in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The checksum of the built manifests, as `sha256:<hex>`.
    pub digest: String,
    /// When it first ended so, in RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub first_reconciled: String,
    /// When it last ended so, in RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub last_reconciled: String,
    /// How long the last run took, in the notation of Go.
    pub last_reconciled_duration: String,
    /// How it ended, as the reason of a condition.
    pub last_reconciled_status: String,
    /// What else is known of the build, such as its revision.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub metadata: BTreeMap<String, String>,
    /// How often it ended so.
    pub total_reconciliations: i64,
}
