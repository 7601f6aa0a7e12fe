//! The `Kustomization` of `kustomize.toolkit.fluxcd.io/v1`: what a user writes to have an overlay applied.
//!
//! How it is built, applied and judged is for `kustomize`, `sync` and `apply`; this module only gives it a shape.

mod build;
mod health;
mod status;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    absent::null_as_empty,
    duration::Duration,
    reference::{LocalObjectReference, SecretKeyReference},
};

pub use build::{
    BuildMetadata, CommonMetadata, Decryption, DecryptionProvider, IgnoreRule, Image, Patch,
    PostBuild, Selector, SubstituteReference, SubstituteSource, SubstituteStrategy,
};
pub use health::{Dependency, HealthCheck, HealthCheckExpression};
pub use status::{Inventory, InventoryEntry, KustomizationStatus, Snapshot};

/// The desired state of a Kustomization.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kustomize.toolkit.fluxcd.io",
    version = "v1",
    kind = "Kustomization",
    namespaced,
    shortname = "ks",
    category = "all",
    category = "fluxcd",
    category = "fluxcd-appliers",
    status = "KustomizationStatus",
    derive = "PartialEq",
    doc = "Kustomization builds an overlay from a source, applies it and keeps it that way."
)]
#[serde(rename_all = "camelCase")]
pub struct KustomizationSpec {
    /// What is added to the annotations that `kustomize build` writes; replaces the list of the file.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub build_metadata: Vec<BuildMetadata>,
    /// The labels and annotations that every object gets, over what it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_metadata: Option<CommonMetadata>,
    /// The components to add to the overlay, as local relative paths.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub components: Vec<String>,
    /// How encrypted files and Secrets are decrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decryption: Option<Decryption>,
    /// What becomes of the applied objects when the Kustomization is deleted; `MirrorPrune` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DeletionPolicy")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// The Kustomizations that must be ready first.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub depends_on: Vec<Dependency>,
    /// Whether an object is made anew when a field that cannot change has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub force: Option<bool>,
    /// How the health of custom resources is told.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub health_check_exprs: Vec<HealthCheckExpression>,
    /// The objects whose health is awaited.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub health_checks: Vec<HealthCheck>,
    /// The fields whose drift is left alone.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub ignore: Vec<IgnoreRule>,
    /// Whether components that are not there are passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_missing_components: Option<bool>,
    /// The images to replace, by name.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub images: Vec<Image>,
    /// How often the Kustomization is applied without a cause.
    pub interval: Duration,
    /// The cluster to apply to; the own one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_config: Option<KubeConfig>,
    /// The prefix of the names of all objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub name_prefix: Option<String>,
    /// The suffix of the names of all objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub name_suffix: Option<String>,
    /// The patches to add to the overlay.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub patches: Vec<Patch>,
    /// The directory of the overlay below the root of the source; the root when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The variables to substitute in what was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_build: Option<PostBuild>,
    /// Whether objects that are no longer built are deleted.
    pub prune: bool,
    /// How long to wait after a failure; the interval when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<Duration>,
    /// The ServiceAccount whose identity applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// The source of the overlay.
    pub source_ref: SourceReference,
    /// Stops reconciliation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// The namespace that every object is put in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub target_namespace: Option<String>,
    /// How long applying and health checks may take; the interval less 30 seconds when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Whether the health of everything applied is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<bool>,
}

impl KustomizationSpec {
    /// What becomes of the applied objects when the Kustomization is deleted.
    #[must_use]
    pub fn deletion_policy(&self) -> DeletionPolicy {
        self.deletion_policy.unwrap_or_default()
    }

    /// Whether an object is made anew when a field that cannot change has changed.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.force.unwrap_or_default()
    }

    /// Whether reconciliation is stopped.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.suspend.unwrap_or_default()
    }

    /// Whether the health of everything applied is awaited.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.wait.unwrap_or_default()
    }

    /// Whether components that are not there are passed over.
    #[must_use]
    pub fn ignores_missing_components(&self) -> bool {
        self.ignore_missing_components.unwrap_or_default()
    }
}

/// What becomes of the applied objects when the Kustomization is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// They are deleted if `spec.prune` is set.
    #[default]
    MirrorPrune,
    /// They are deleted.
    Delete,
    /// They are deleted, and their end is awaited.
    WaitForTermination,
    /// They stay.
    Orphan,
}

/// A reference to the source of an overlay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceReference {
    /// The API group and version; each kind has a default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The kind of the source.
    pub kind: SourceKind,
    /// The name of the source.
    pub name: String,
    /// The namespace of the source; the own one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// The kinds of source that a Kustomization can build from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SourceKind {
    /// An artifact in an OCI registry.
    #[serde(rename = "OCIRepository")]
    OciRepository,
    /// A Git repository.
    GitRepository,
    /// A bucket of an object store.
    Bucket,
    /// An artifact that another controller makes.
    ExternalArtifact,
}

/// How another cluster is reached: exactly one of the two references.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "message": "exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified",
        "rule": "has(self.configMapRef) || has(self.secretRef)",
    },
    {
        "message": "exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified",
        "rule": "!has(self.configMapRef) || !has(self.secretRef)",
    },
]))]
pub struct KubeConfig {
    /// The ConfigMap of the same namespace that says how to get short-lived credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<LocalObjectReference>,
    /// The Secret of the same namespace that holds a kubeconfig; the key is `value`, then `value.yaml`, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyReference>,
}
