//! The `Receiver` of `notification.toolkit.fluxcd.io/v1`: what a user writes to accept a webhook.
//!
//! Whether a Receiver makes sense is decided by `hook`; this file only gives it a shape.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    absent::null_as_empty, condition::Conditions, duration::Duration,
    reference::LocalObjectReference,
};

/// How often a Receiver is reconciled without a cause when it does not say.
pub const DEFAULT_INTERVAL: Duration = Duration::new(std::time::Duration::from_mins(10));

/// The audience that a token must name when its issuer's entry does not say.
pub const DEFAULT_AUDIENCE: &str = "notification-controller";

/// The desired state of a Receiver.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "notification.toolkit.fluxcd.io",
    version = "v1",
    kind = "Receiver",
    namespaced,
    category = "all",
    category = "fluxcd",
    category = "fluxcd-notifications",
    status = "ReceiverStatus",
    derive = "PartialEq",
    doc = "Receiver accepts the webhooks of one sender and triggers the resources that it names."
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "message": "generic-oidc receivers must define at least one oidcProvider",
        "rule": "self.type != 'generic-oidc' || (has(self.oidcProviders) && size(self.oidcProviders) > 0)",
    },
    {
        "message": "oidcProviders can only be set when type is generic-oidc",
        "rule": "self.type == 'generic-oidc' || !has(self.oidcProviders) || size(self.oidcProviders) == 0",
    },
    {
        "message": "secretRef cannot be set when type is generic-oidc",
        "rule": "self.type != 'generic-oidc' || !has(self.secretRef)",
    },
    {
        "message": "secretRef is required when type is not generic-oidc",
        "rule": "self.type == 'generic-oidc' || has(self.secretRef)",
    },
]))]
pub struct ReceiverSpec {
    /// The event types to accept; all when empty.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub events: Vec<String>,
    /// How often the Receiver is reconciled without a cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "10m"))]
    pub interval: Option<Duration>,
    /// The issuers whose tokens are accepted; for `generic-oidc` only.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(extend(
        "x-kubernetes-list-map-keys" = ["issuerURL"],
        "x-kubernetes-list-type" = "map"
    ))]
    pub oidc_providers: Vec<OidcProvider>,
    /// A CEL expression that every resource must satisfy to be triggered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_filter: Option<String>,
    /// The resources to trigger.
    pub resources: Vec<ResourceReference>,
    /// The Secret of the same namespace that holds the shared token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Stops reconciliation and the handling of deliveries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// The kind of sender, which picks authentication and decoding.
    #[serde(rename = "type")]
    pub type_: ReceiverType,
}

impl ReceiverSpec {
    /// How often the Receiver is reconciled without a cause.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval.unwrap_or(DEFAULT_INTERVAL)
    }

    /// Whether reconciliation and the handling of deliveries are stopped.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.suspend.unwrap_or_default()
    }
}

/// The kinds of sender that the Receiver API knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "each variant is the name of the sender it stands for"
)]
pub enum ReceiverType {
    Generic,
    GenericHmac,
    GenericOidc,
    Github,
    Gitlab,
    Bitbucket,
    Harbor,
    Dockerhub,
    Quay,
    Gcr,
    Nexus,
    Acr,
    Cdevents,
}

impl ReceiverType {
    /// The name, as `spec.type` spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::GenericHmac => "generic-hmac",
            Self::GenericOidc => "generic-oidc",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Bitbucket => "bitbucket",
            Self::Harbor => "harbor",
            Self::Dockerhub => "dockerhub",
            Self::Quay => "quay",
            Self::Gcr => "gcr",
            Self::Nexus => "nexus",
            Self::Acr => "acr",
            Self::Cdevents => "cdevents",
        }
    }
}

/// A reference to one object, or with the name `*` to all objects with certain labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceReference {
    /// The API group and version; each kind has a default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// A CEL expression that the object must satisfy to be triggered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The kind of the object.
    #[schemars(extend("enum" = [
        "Bucket",
        "GitRepository",
        "Kustomization",
        "HelmRelease",
        "HelmChart",
        "HelmRepository",
        "ImageRepository",
        "ImagePolicy",
        "ImageUpdateAutomation",
        "OCIRepository",
        "ArtifactGenerator",
        "ExternalArtifact",
    ]))]
    pub kind: String,
    /// The labels that objects must carry; only with the name `*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_labels: Option<BTreeMap<String, String>>,
    /// The name of the object, or `*`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The namespace of the object; the Receiver's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub namespace: Option<String>,
}

/// An issuer of OpenID Connect tokens and the rules its tokens must satisfy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OidcProvider {
    /// The audience that tokens must name; `notification-controller` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The issuer, exactly as tokens name it.
    #[serde(rename = "issuerURL")]
    #[schemars(regex(pattern = "^https?://"))]
    pub issuer_url: String,
    /// The expressions that must all be true.
    #[schemars(length(min = 1))]
    pub validations: Vec<OidcValidation>,
    /// Named expressions that the validations may use.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub variables: Vec<OidcVariable>,
}

impl OidcProvider {
    /// The audience that tokens must name; an empty one counts as absent, as in Flux.
    #[must_use]
    pub fn audience(&self) -> &str {
        self.audience
            .as_deref()
            .filter(|audience| !audience.is_empty())
            .unwrap_or(DEFAULT_AUDIENCE)
    }
}

/// A named CEL expression over the claims of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OidcVariable {
    /// The CEL expression.
    pub expression: String,
    /// The name under `vars`.
    pub name: String,
}

/// A CEL expression over the claims of a token that must be true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OidcValidation {
    /// The CEL expression.
    pub expression: String,
    /// What to say when it is false.
    pub message: String,
}

/// The observed state of a Receiver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiverStatus {
    /// What is known of the Receiver.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Conditions::is_empty"
    )]
    pub conditions: Conditions,
    /// The last value of the `reconcile.fluxcd.io/requestedAt` annotation that was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// The last generation that ended Ready or failed for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The path that deliveries arrive at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_path: Option<String>,
}
