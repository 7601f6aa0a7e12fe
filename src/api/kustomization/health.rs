//! What a Kustomization waits for: dependencies before it applies, health after.
//!
//! How health is judged is for `apply`; these are the fields as users write them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The API version of a health check that names none, as in Flux.
const DEFAULT_API_VERSION: &str = "apps/v1";

/// A Kustomization that must be ready first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Its namespace; the own one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// A CEL expression that must be true for it to count as ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_expr: Option<String>,
}

/// An object whose health is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// The API group and version; `apps/v1` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The kind.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl HealthCheck {
    /// The API group and version; an empty one counts as absent.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.api_version
            .as_deref()
            .filter(|version| !version.is_empty())
            .unwrap_or(DEFAULT_API_VERSION)
    }
}

/// How the health of the objects of a group, or of one kind in it, is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheckExpression {
    /// The API group and version; the version does not matter.
    pub api_version: String,
    /// A CEL expression that is true when the object is healthy.
    pub current: String,
    /// A CEL expression that is true when the object has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// A CEL expression that is true while the object is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<String>,
    /// The kind; every kind of the group when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}
