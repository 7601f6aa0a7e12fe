//! The `GitRepository` of `source.toolkit.fluxcd.io/v1`: what a user writes to follow a Git repository.
//!
//! How it is fetched is for `fetch` and `sync`; this file only gives it a shape.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    absent::null_as_empty, condition::Conditions, duration::Duration,
    reference::LocalObjectReference,
};

/// How long one Git operation may take when the GitRepository does not say.
pub const DEFAULT_TIMEOUT: Duration = Duration::new(std::time::Duration::from_mins(1));

/// The desired state of a GitRepository.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "source.toolkit.fluxcd.io",
    version = "v1",
    kind = "GitRepository",
    plural = "gitrepositories",
    namespaced,
    shortname = "gitrepo",
    category = "all",
    category = "fluxcd",
    category = "fluxcd-sources",
    status = "GitRepositoryStatus",
    derive = "PartialEq",
    doc = "GitRepository follows a reference of a Git repository and offers its tree as an artifact.",
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "message": "serviceAccountName can only be set when provider is 'azure' or 'aws'",
    "rule": "!has(self.serviceAccountName) || (has(self.provider) && (self.provider == 'azure' || self.provider == 'aws'))",
}]))]
pub struct GitRepositorySpec {
    /// Rules in the notation of `.gitignore` for what to leave out of the artifact, applied last; absent and empty are different.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<String>,
    /// The GitRepositories whose artifacts are copied into this one.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub include: Vec<Include>,
    /// How often the repository is looked at without a cause.
    pub interval: Duration,
    /// Where credentials come from; `generic` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "GitProvider")]
    pub provider: Option<GitProvider>,
    /// The Secret of the same namespace that describes the proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalObjectReference>,
    /// Whether submodules are fetched too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurse_submodules: Option<bool>,
    /// What to follow; the branch `master` when absent.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<GitReference>,
    /// The Secret of the same namespace that holds the credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// The ServiceAccount whose identity fetches; only with the providers `azure` and `aws`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// The directories to keep; all when empty.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub sparse_checkout: Vec<String>,
    /// Stops reconciliation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// How long one Git operation may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "60s", "pattern" = r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$"))]
    pub timeout: Option<Duration>,
    /// The address of the repository, over HTTP, HTTPS or SSH.
    #[schemars(regex(pattern = "^(http|https|ssh)://.*$"))]
    pub url: String,
    /// The signatures that the revision must carry.
    #[serde(rename = "verify", default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
}

impl GitRepositorySpec {
    /// How long one Git operation may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT)
    }

    /// Where credentials come from.
    #[must_use]
    pub fn provider(&self) -> GitProvider {
        self.provider.unwrap_or_default()
    }

    /// Whether reconciliation is stopped.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.suspend.unwrap_or_default()
    }

    /// Whether submodules are fetched too.
    #[must_use]
    pub fn recurses_submodules(&self) -> bool {
        self.recurse_submodules.unwrap_or_default()
    }
}

/// Where the credentials of a GitRepository come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GitProvider {
    /// The Secret.
    #[default]
    Generic,
    /// AWS CodeCommit, with the identity of the workload.
    Aws,
    /// Azure DevOps, with the identity of the workload.
    Azure,
    /// A GitHub App, described by the Secret.
    Github,
}

/// What to follow in a repository; `commit`, then `name`, `tag`, `semver` and `branch` decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GitReference {
    /// The branch to follow, and with a commit the branch it is on; `master` when nothing is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The full commit id to check out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The full name of the Git reference to follow, such as `refs/heads/main`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The range of versions whose highest tag is followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semver: Option<String>,
    /// The tag to follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// Which Git objects must be signed, and the keys that may have signed them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// The Git objects whose signatures are verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "VerificationMode", extend("default" = "HEAD"))]
    pub mode: Option<VerificationMode>,
    /// The Secret of the same namespace that holds the public keys.
    pub secret_ref: LocalObjectReference,
}

impl Verification {
    /// The Git objects whose signatures are verified.
    #[must_use]
    pub fn mode(&self) -> VerificationMode {
        self.mode.unwrap_or_default()
    }
}

/// The Git objects whose signatures are verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum VerificationMode {
    /// The commit, in the old spelling.
    #[serde(rename = "head")]
    LegacyHead,
    /// The commit.
    #[default]
    #[serde(rename = "HEAD")]
    Head,
    /// The tag.
    Tag,
    /// The tag and the commit.
    #[serde(rename = "TagAndHEAD")]
    TagAndHead,
}

/// Another GitRepository whose artifact is copied into this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Include {
    /// The directory to copy; all of the artifact when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_path: Option<String>,
    /// The GitRepository of the same namespace to copy from.
    pub repository: LocalObjectReference,
    /// The directory to copy to; the name of the repository when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_path: Option<String>,
}

/// The observed state of a GitRepository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitRepositoryStatus {
    /// The last artifact that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// What is known of the GitRepository.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Conditions::is_empty"
    )]
    pub conditions: Conditions,
    /// The artifacts that were copied into this one, in the order of `spec.include`.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub included_artifacts: Vec<Artifact>,
    /// The last value of the `reconcile.fluxcd.io/requestedAt` annotation that was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// The last generation that was fully handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The `spec.ignore` that the artifact was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_ignore: Option<String>,
    /// The `spec.include` that the artifact was made with.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub observed_include: Vec<Include>,
    /// The `spec.recurseSubmodules` that the artifact was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_recurse_submodules: Option<bool>,
    /// The `spec.sparseCheckout` that the artifact was made with.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub observed_sparse_checkout: Vec<String>,
    /// The mode of the last verification that succeeded; `head` is written `HEAD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_verification_mode: Option<String>,
}

/// The packed tree of one revision, and where to get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// The checksum of the file, as `<algorithm>:<checksum>`.
    #[schemars(regex(pattern = r"^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$"))]
    pub digest: String,
    /// When the artifact was last made, in RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub last_update_time: String,
    /// What else is known of the artifact.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub metadata: BTreeMap<String, String>,
    /// The path of the file below the root of the storage.
    pub path: String,
    /// The revision that was packed, such as `main@sha1:<commit>`.
    pub revision: String,
    /// The size of the file in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// The address of the file within the cluster.
    pub url: String,
}
