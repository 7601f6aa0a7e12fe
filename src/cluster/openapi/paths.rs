//! The paths of a resource and what can be done there, as far as clients read it.
//!
//! `kubectl apply` looks for patches by kind, their media types and the parameter `fieldValidation`.

use serde_json::{Map, Value, json};

use super::{
    prefix,
    schemas::{kind_of, reference, schema_name},
};
use crate::cluster::resource::{Origin, Resource};

/// The media types of patches; the one for strategic merges only where there is a type to go by.
pub(super) const PATCHES: [&str; 2] = [
    "application/json-patch+json",
    "application/merge-patch+json",
];
/// The media type of strategic merges, for built-in kinds.
pub(super) const STRATEGIC_PATCH: &str = "application/strategic-merge-patch+json";

/// Adds the paths of a resource.
pub(super) fn add_paths(resource: &Resource, paths: &mut Map<String, Value>) {
    let root = format!("/{}", prefix(&resource.group, &resource.version));
    let plural = &resource.plural;
    let mut parameters = vec![
        json!({ "name": "name", "in": "path", "required": true, "schema": { "type": "string" } }),
    ];
    let mut collection = format!("{root}/{plural}");
    if resource.is_review() {
        paths.insert(collection, json!({ "post": operation(resource, "post") }));
        return;
    }
    if resource.is_namespaced {
        paths.insert(collection, json!({ "get": operation(resource, "list") }));
        collection = format!("{root}/namespaces/{{namespace}}/{plural}");
        parameters.push(json!({ "name": "namespace", "in": "path", "required": true, "schema": { "type": "string" } }));
    }
    let one = format!("{collection}/{{name}}");
    if resource.has_status {
        paths.insert(
            format!("{one}/status"),
            json!({
                "parameters": parameters,
                "get": operation(resource, "get"),
                "put": operation(resource, "put"),
                "patch": operation(resource, "patch"),
            }),
        );
    }
    paths.insert(
        one,
        json!({
            "parameters": parameters,
            "get": operation(resource, "get"),
            "put": operation(resource, "put"),
            "patch": operation(resource, "patch"),
            "delete": operation(resource, "delete"),
        }),
    );
    paths.insert(
        collection,
        json!({
            "parameters": parameters.get(1..).unwrap_or_default(),
            "get": operation(resource, "list"),
            "post": operation(resource, "post"),
        }),
    );
}

fn operation(resource: &Resource, action: &str) -> Value {
    let options: &[&str] = match action {
        "list" => &[
            "continue",
            "fieldSelector",
            "labelSelector",
            "limit",
            "resourceVersion",
            "watch",
        ],
        "post" | "put" | "patch" => &["dryRun", "fieldManager", "fieldValidation"],
        "delete" => &["dryRun", "propagationPolicy"],
        _ => &[],
    };
    let parameters: Vec<Value> = options
        .iter()
        .map(|name| json!({ "name": name, "in": "query", "schema": { "type": "string", "uniqueItems": true } }))
        .collect();
    let name = schema_name(resource);
    let answer = if action == "list" {
        format!("{name}List")
    } else {
        name.clone()
    };
    let mut operation = json!({
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": kind_of(resource, &resource.kind),
        "parameters": parameters,
        "responses": { "200": {
            "description": "OK",
            "content": { "application/json": { "schema": reference(&answer) } },
        }},
    });
    if let (Some(body), Value::Object(fields)) = (body(resource, action, &name), &mut operation) {
        fields.insert(
            "requestBody".to_owned(),
            json!({ "required": true, "content": body }),
        );
    }
    operation
}

fn body(resource: &Resource, action: &str, name: &str) -> Option<Value> {
    match action {
        "post" | "put" => Some(json!({ "application/json": { "schema": reference(name) } })),
        "patch" => {
            let strategic = matches!(resource.origin, Origin::BuiltIn).then_some(STRATEGIC_PATCH);
            let types = PATCHES.into_iter().chain(strategic);
            let patch = json!({ "schema": { "type": "object" } });
            Some(
                types
                    .map(|name| (name.to_owned(), patch.clone()))
                    .collect::<Map<_, _>>()
                    .into(),
            )
        }
        _ => None,
    }
}
