//! The type of custom objects that the cases use: a bit of everything that a definition can say, but for rules.
//!
//! Cases that define types of their own are in `definitions.rs`.

use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

/// The group of the suite's types.
pub(crate) const GROUP: &str = "contract.hookgate.dev";

/// The type for `kube`.
pub(crate) fn resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, "v1", "Widget"), "widgets")
}

/// The path of the widgets of a namespace, or of one with `/NAME`, as `rest` says.
pub(crate) fn path(namespace: &str, rest: &str) -> String {
    format!("/apis/{GROUP}/v1/namespaces/{namespace}/widgets{rest}")
}

/// A widget as JSON.
pub(crate) fn object(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "Widget",
        "metadata": {"name": name}, "spec": spec,
    })
}

/// The definition of widgets.
pub(crate) fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgets.{GROUP}")},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList",
                "shortNames": ["wd"], "categories": ["all", "contract"],
            },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"},
                    {"name": "Color", "type": "string", "jsonPath": ".spec.color", "priority": 1},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
                "schema": {"openAPIV3Schema": {
                    "type": "object", "required": ["spec"],
                    "description": "Widget is what the contract suite makes.",
                    "properties": {"spec": spec(), "status": status()},
                }},
            }],
        },
    })
}

fn spec() -> Value {
    json!({
        "type": "object", "required": ["size"],
        "description": "What is wanted.",
        "properties": {
            "size": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 100, "description": "How big it is."},
            "color": {"type": "string", "default": "red", "enum": ["red", "green", "blue"]},
            "code": {"type": "string", "pattern": "^[a-z]+(-[0-9]+)?$", "minLength": 2, "maxLength": 10},
            "ratio": {"type": "number", "exclusiveMinimum": true, "minimum": 0, "multipleOf": 0.5},
            "since": {"type": "string", "format": "date-time"},
            "port": {"x-kubernetes-int-or-string": true},
            "note": {"type": "string", "nullable": true},
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "maxItems": 3, "items": {"type": "string"}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 2},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "template": {"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true},
            "parts": {
                "type": "array", "minItems": 1,
                "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {
                    "type": "object", "required": ["name"],
                    "properties": {
                        "name": {"type": "string"},
                        "count": {"type": "integer", "default": 1},
                    },
                },
            },
            "either": {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            },
        },
    })
}

fn status() -> Value {
    json!({
        "type": "object",
        "default": {"observedGeneration": -1},
        "properties": {
            "observedGeneration": {"type": "integer", "format": "int64"},
            "conditions": {
                "type": "array",
                "items": {
                    "type": "object", "required": ["type", "status"],
                    "properties": {"type": {"type": "string"}, "status": {"type": "string"}},
                },
            },
        },
    })
}
