//! Manifests as the tests write them, and Kubernetes objects of any kind.
//!
//! Namespaces in manifests are replaced by that of the test, so that tests can share an API server.

use std::time::Duration;

use hookgate::api::annotations::TOKEN_KEY;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, Namespace};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, ListParams, Patch, PatchParams, PostParams},
    core::{DynamicObject, GroupVersionKind},
    discovery::oneshot,
    runtime::wait::await_condition,
};
use serde_json::{Value, json};
use tokio::time::timeout;

/// How long a state may take to come about; a loaded machine needs most of it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The annotation that a trigger writes.
pub(crate) const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";

/// A Receiver in YAML, with the Secret `token` and the GitRepository `podinfo` unless told otherwise.
pub(crate) fn receiver(name: &str, type_: &str, spec: &str) -> String {
    let spec = spec.replace('\n', "\n  ");
    let mut defaults = String::new();
    for (field, value) in [
        ("secretRef:", "  secretRef: {name: token}\n"),
        (
            "resources:",
            "  resources: [{kind: GitRepository, name: podinfo}]\n",
        ),
    ] {
        if !spec.contains(field) {
            defaults.push_str(value);
        }
    }
    format!(
        "apiVersion: notification.toolkit.fluxcd.io/v1\nkind: Receiver\nmetadata: {{name: {name}}}\nspec:\n  type: {type_}\n{defaults}  {spec}\n"
    )
}

/// A Secret with a token, in YAML.
pub(crate) fn secret(name: &str, token: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{{TOKEN_KEY}: {token}}}\n"
    )
}

/// The same with the label that makes a change be seen at once.
pub(crate) fn watched_secret(name: &str, token: &str) -> String {
    secret(name, token).replace(
        &format!("{{name: {name}}}"),
        &format!("{{name: {name}, labels: {{reconcile.fluxcd.io/watch: Enabled}}}}"),
    )
}

/// A GitRepository in YAML, with labels such as `app: web`.
pub(crate) fn git_repository(name: &str, labels: &str) -> String {
    format!(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: {name}, labels: {{{labels}}}}}\nspec: {{interval: 1h, url: 'https://example.com/{name}.git'}}\n"
    )
}

/// The documents of a YAML text, moved to `namespace` with everything they refer to.
pub(crate) fn documents(yaml: &str, namespace: &str) -> Vec<DynamicObject> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).expect("YAML");
    let documents = documents.into_iter().filter(|document| !document.is_null());
    documents
        .filter(|document| document["kind"] != "Namespace")
        .map(|mut document| {
            document["metadata"]["namespace"] = json!(namespace);
            for resource in document["spec"]["resources"]
                .as_array_mut()
                .into_iter()
                .flatten()
            {
                if resource["namespace"] == catalogue_namespace() {
                    resource["namespace"] = json!(namespace);
                }
            }
            serde_json::from_value(document).expect("an object")
        })
        .collect()
}

/// The namespace that the catalogue is written for.
fn catalogue_namespace() -> Value {
    json!("default")
}

/// Creates the object, or merges it into the one that exists.
pub(crate) async fn apply(
    client: &Client,
    object: &DynamicObject,
) -> Result<DynamicObject, kube::Error> {
    let api = api(client, object).await;
    let name = object.name_any();
    if api.get_opt(&name).await?.is_none() {
        return api.create(&PostParams::default(), object).await;
    }
    api.patch(&name, &PatchParams::default(), &Patch::Merge(object))
        .await
}

/// Deletes an object by kind and name.
pub(crate) async fn delete(client: &Client, namespace: &str, kind: &str, name: &str) {
    let api = of_kind(client, namespace, kind).await;
    api.delete(name, &DeleteParams::default())
        .await
        .expect("the object can be deleted");
}

/// Waits until an object has been triggered at or after a time.
pub(crate) async fn triggered_since(
    client: &Client,
    namespace: &str,
    kind: &str,
    name: &str,
    since: Timestamp,
) {
    let api = of_kind(client, namespace, kind).await;
    let is_triggered = |object: Option<&DynamicObject>| {
        let value = object.and_then(|object| object.annotations().get(REQUESTED_AT));
        let at = value.and_then(|value| value.parse::<Timestamp>().ok());
        at.is_some_and(|at| at >= since)
    };
    timeout(DEADLINE, await_condition(api, name, is_triggered))
        .await
        .unwrap_or_else(|_| panic!("{kind} {name} is not triggered"))
        .expect("the object can be watched");
}

/// The API of one kind by its name, for the kinds that tests use.
pub(crate) async fn of_kind(client: &Client, namespace: &str, kind: &str) -> Api<DynamicObject> {
    let (group, version) = match kind {
        "Secret" | "ConfigMap" | "Event" => ("", "v1"),
        "Receiver" => ("notification.toolkit.fluxcd.io", "v1"),
        "GitRepository" => ("source.toolkit.fluxcd.io", "v1"),
        "Kustomization" => ("kustomize.toolkit.fluxcd.io", "v1"),
        "Lease" => ("coordination.k8s.io", "v1"),
        other => panic!("tests do not use {other}"),
    };
    let resource = resource(client, &GroupVersionKind::gvk(group, version, kind)).await;
    Api::namespaced_with(client.clone(), namespace, &resource)
}

async fn api(client: &Client, object: &DynamicObject) -> Api<DynamicObject> {
    let types = object.types.as_ref().expect("apiVersion and kind");
    let (group, version) = types
        .api_version
        .split_once('/')
        .unwrap_or(("", &types.api_version));
    let resource = resource(client, &GroupVersionKind::gvk(group, version, &types.kind)).await;
    let namespace = object.namespace().expect("a namespace");
    Api::namespaced_with(client.clone(), &namespace, &resource)
}

async fn resource(client: &Client, kind: &GroupVersionKind) -> ApiResource {
    let (resource, _) = oneshot::pinned_kind(client, kind)
        .await
        .expect("a served kind");
    resource
}

/// Creates a namespace.
pub(crate) async fn create_namespace(client: &Client, name: &str) {
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.to_owned());
    Api::all(client.clone())
        .create(&PostParams::default(), &namespace)
        .await
        .expect("the namespace can be created");
}

/// How many events there are about an object for a reason.
pub(crate) async fn events(client: &Client, namespace: &str, name: &str, reason: &str) -> usize {
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let events = events.list(&ListParams::default()).await.expect("Events");
    let is_wanted = |event: &&Event| {
        let about = &event.involved_object;
        about.name.as_deref() == Some(name)
            && about.uid.is_some()
            && event.reason.as_deref() == Some(reason)
    };
    events.iter().filter(is_wanted).count()
}
