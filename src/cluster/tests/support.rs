//! What the tests of the control plane share: a server, objects, and the definition of a type.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{DynamicObject, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};

use crate::cluster::{Embedded, Options, Storage};

pub(super) fn embedded() -> Embedded {
    Embedded::open(&Options {
        storage: Storage::Memory,
    })
    .unwrap()
}

pub(super) fn client() -> Client {
    embedded().client()
}

pub(super) fn things(client: &Client) -> Api<DynamicObject> {
    let resource =
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("x.io", "v1", "Thing"), "things");
    Api::default_namespaced_with(client.clone(), &resource)
}

pub(super) fn thing(name: &str, spec: &Value) -> DynamicObject {
    from(
        json!({"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": name}, "spec": spec}),
    )
}

pub(super) fn config(name: &str, value: &str) -> ConfigMap {
    from(json!({"metadata": {"name": name}, "data": {"key": value}}))
}

pub(super) fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

pub(super) fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.x.io"},
        "spec": {
            "group": "x.io",
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "required": ["size"], "properties": {
                        "size": {"type": "integer", "minimum": 1},
                        "color": {"type": "string", "default": "red", "enum": ["red", "blue"]},
                    }},
                    "status": {
                        "type": "object",
                        "default": {"observedGeneration": -1},
                        "properties": {"observedGeneration": {"type": "integer"}, "ready": {"type": "boolean"}},
                    },
                }}},
            }],
        },
    })
}

pub(super) async fn define(client: &Client) {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &definitions());
    api.create(&PostParams::default(), &from(definition()))
        .await
        .unwrap();
}

pub(super) fn definitions() -> ApiResource {
    let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    ApiResource::from_gvk_with_plural(&kind, "customresourcedefinitions")
}

/// The HTTP status and the message of a refusal.
pub(super) fn refusal<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> (u16, String) {
    match result.unwrap_err() {
        kube::Error::Api(status) => (status.code, status.message.clone()),
        other => panic!("not a status: {other:?}"),
    }
}
