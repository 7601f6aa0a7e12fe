//! Loads manifests into a cluster: creates what is missing and updates what a manifest has changed.
//!
//! What a user has changed since stays, unless the manifest differs from what was loaded; nothing is ever deleted.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, PostParams},
    core::{DynamicObject, GroupVersionKind, Request},
    discovery::{Scope, oneshot},
};
use sha2::{Digest, Sha256};

use super::manifests::Manifest;

/// The annotation on a loaded object that holds the digest of the manifest it was loaded from.
pub(super) const DIGEST_ANNOTATION: &str = "hookgate.dev/manifest-digest";

/// The namespace of objects whose manifest names none.
const DEFAULT_NAMESPACE: &str = "default";

/// What became of the manifests.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Loaded {
    /// How many objects were created.
    pub(super) created: usize,
    /// How many objects were updated.
    pub(super) updated: usize,
    /// How many objects were left alone.
    pub(super) unchanged: usize,
}

/// Creates or updates the objects of `manifests`, with the namespaces they are in.
pub(super) async fn load(client: &Client, manifests: &[Manifest]) -> anyhow::Result<Loaded> {
    let mut loader = Loader {
        client,
        kinds: BTreeMap::new(),
        loaded: Loaded::default(),
    };
    let mut ordered: Vec<_> = manifests.iter().collect();
    ordered.sort_by_key(|manifest| rank(&manifest.kind));
    let mut namespaces = BTreeSet::new();
    for manifest in ordered {
        let what = || {
            format!(
                "cannot load {} `{}` of `{}`",
                manifest.kind.kind, manifest.name, manifest.source
            )
        };
        let (resource, scope) = loader.resource(&manifest.kind).await.with_context(what)?;
        let namespace = match scope {
            Scope::Cluster => None,
            Scope::Namespaced => Some(
                manifest
                    .object
                    .namespace()
                    .unwrap_or(DEFAULT_NAMESPACE.to_owned()),
            ),
        };
        if let Some(namespace) = namespace
            .clone()
            .filter(|name| namespaces.insert(name.clone()))
        {
            ensure_namespace(client, &namespace)
                .await
                .with_context(what)?;
        }
        loader
            .apply(manifest, &resource, namespace)
            .await
            .with_context(what)?;
    }
    Ok(loader.loaded)
}

/// Namespaces and definitions come before what needs them, and Secrets before the Receivers that read them.
fn rank(kind: &GroupVersionKind) -> u8 {
    match kind.kind.as_str() {
        "Namespace" => 0,
        "CustomResourceDefinition" => 1,
        "Secret" | "ConfigMap" => 2,
        _ => 3,
    }
}

async fn ensure_namespace(client: &Client, name: &str) -> anyhow::Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    if namespaces.get_opt(name).await?.is_some() {
        return Ok(());
    }
    let mut namespace = Namespace::default();
    namespace.meta_mut().name = Some(name.to_owned());
    match namespaces.create(&PostParams::default(), &namespace).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        created => Ok(created.map(drop)?),
    }
}

struct Loader<'a> {
    client: &'a Client,
    kinds: BTreeMap<String, (ApiResource, Scope)>,
    loaded: Loaded,
}

impl Loader<'_> {
    async fn resource(&mut self, kind: &GroupVersionKind) -> anyhow::Result<(ApiResource, Scope)> {
        let key = format!("{}/{}", kind.api_version(), kind.kind);
        if let Some((resource, scope)) = self.kinds.get(&key) {
            return Ok((resource.clone(), scope.clone()));
        }
        let Ok((resource, capabilities)) = oneshot::pinned_kind(self.client, kind).await else {
            bail!("the API server does not know `{key}`");
        };
        let found = (resource, capabilities.scope);
        self.kinds.insert(key, found.clone());
        Ok(found)
    }

    async fn apply(
        &mut self,
        manifest: &Manifest,
        resource: &ApiResource,
        namespace: Option<String>,
    ) -> anyhow::Result<()> {
        let digest = digest(manifest)?;
        let requests = Request::new(DynamicObject::url_path(resource, namespace.as_deref()));
        let api: Api<DynamicObject> = match &namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        };
        let mut object = manifest.object.clone();
        object.metadata.namespace = namespace;
        let Some(existing) = api.get_opt(&manifest.name).await? else {
            object
                .annotations_mut()
                .insert(DIGEST_ANNOTATION.to_owned(), digest);
            let body = serde_json::to_vec(&object)?;
            self.send(requests.create(&PostParams::default(), body)?)
                .await?;
            self.loaded.created += 1;
            return Ok(());
        };
        if !was_loaded_from_another(&existing, &digest) {
            self.loaded.unchanged += 1;
            return Ok(());
        }
        let object = updated(object, &existing, digest);
        let body = serde_json::to_vec(&object)?;
        self.send(requests.replace(&manifest.name, &PostParams::default(), body)?)
            .await?;
        self.loaded.updated += 1;
        Ok(())
    }

    /// Sends a write that must not drop fields the API server does not know.
    async fn send(&self, mut request: http::Request<Vec<u8>>) -> anyhow::Result<()> {
        let uri = format!(
            "{}fieldValidation=Strict",
            separated(&request.uri().to_string())
        );
        *request.uri_mut() = uri.parse().context("cannot name the object in a URL")?;
        self.client.request::<DynamicObject>(request).await?;
        Ok(())
    }
}

/// The URI with what has to stand before another query parameter.
fn separated(uri: &str) -> String {
    let uri = uri.trim_end_matches(['?', '&']);
    let separator = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{separator}")
}

/// Whether the object came from an earlier version of the manifest; one that never came from a manifest is the user's.
fn was_loaded_from_another(existing: &DynamicObject, digest: &str) -> bool {
    existing
        .annotations()
        .get(DIGEST_ANNOTATION)
        .is_some_and(|loaded| loaded != digest)
}

/// The manifest over what exists: its own fields are replaced, what others keep in the metadata stays.
fn updated(mut object: DynamicObject, existing: &DynamicObject, digest: String) -> DynamicObject {
    let mut metadata = existing.metadata.clone();
    metadata
        .labels
        .get_or_insert_default()
        .append(object.labels_mut());
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.append(object.annotations_mut());
    annotations.insert(DIGEST_ANNOTATION.to_owned(), digest);
    metadata.managed_fields = None;
    object.metadata = metadata;
    if let (Some(data), Some(status)) = (object.data.as_object_mut(), existing.data.get("status")) {
        data.insert("status".to_owned(), status.clone());
    }
    object
}

fn digest(manifest: &Manifest) -> anyhow::Result<String> {
    Ok(hex::encode(Sha256::digest(serde_json::to_vec(
        &manifest.object,
    )?)))
}
