//! OpenAPI v3 documents of the served resources, for `kubectl apply`, `explain` and other clients.
//!
//! Pure functions of the registry. Built-in kinds are described by a data file, which nothing is validated with.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, LazyLock},
};

use serde_json::{Map, Value, json};

use super::{
    discovery::group_version,
    resource::{Origin, Resource},
};

const REFERENCE: &str = "#/components/schemas/";
const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const LIST_METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";

/// The media types of patches; the one for strategic merges only where there is a type to go by.
const PATCHES: [&str; 2] = [
    "application/json-patch+json",
    "application/merge-patch+json",
];
const STRATEGIC_PATCH: &str = "application/strategic-merge-patch+json";

/// The schemas of the built-in kinds; see the README beside the file.
static BUILT_IN: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("data/builtin.json")).unwrap_or_default());

/// `/openapi/v3`: where the document of each version is, with a mark that changes when it does.
pub(crate) fn index(resources: &[Arc<Resource>]) -> Value {
    let versions: BTreeSet<(&str, &str)> = resources
        .iter()
        .map(|known| (known.group.as_str(), known.version.as_str()))
        .collect();
    let paths: Map<String, Value> = versions
        .into_iter()
        .map(|(group, version)| {
            let path = prefix(group, version);
            let mark = mark(resources, group, version);
            let url = format!("/openapi/v3/{path}?hash={mark:016X}");
            (path, json!({ "serverRelativeURL": url }))
        })
        .collect();
    json!({ "paths": paths })
}

/// `/openapi/v3/api/v1` and `/openapi/v3/apis/{group}/{version}`: the document of one version.
pub(crate) fn document(resources: &[Arc<Resource>], group: &str, version: &str) -> Option<Value> {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for resource in of_version(resources, group, version) {
        add_paths(resource, &mut paths);
        add_schemas(resource, &mut schemas);
    }
    (!paths.is_empty()).then(|| {
        json!({
            "openapi": "3.0.0",
            "info": { "title": "Kubernetes", "version": "v1.32.0" },
            "paths": paths,
            "components": { "schemas": schemas },
        })
    })
}

fn of_version<'a>(
    resources: &'a [Arc<Resource>],
    group: &'a str,
    version: &'a str,
) -> impl Iterator<Item = &'a Resource> {
    let is_wanted = move |known: &&Arc<Resource>| known.group == group && known.version == version;
    resources.iter().filter(is_wanted).map(Arc::as_ref)
}

fn prefix(group: &str, version: &str) -> String {
    let root = if group.is_empty() { "api" } else { "apis" };
    format!("{root}/{}", group_version(group, version))
}

fn mark(resources: &[Arc<Resource>], group: &str, version: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    for resource in of_version(resources, group, version) {
        (
            &resource.kind,
            &resource.plural,
            resource.is_namespaced,
            resource.has_status,
        )
            .hash(&mut hasher);
        if let Origin::Custom(definition) = &resource.origin {
            definition.openapi.to_string().hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn add_paths(resource: &Resource, paths: &mut Map<String, Value>) {
    let root = format!("/{}", prefix(&resource.group, &resource.version));
    let plural = &resource.plural;
    let mut parameters = vec![
        json!({ "name": "name", "in": "path", "required": true, "schema": { "type": "string" } }),
    ];
    let mut collection = format!("{root}/{plural}");
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

fn add_schemas(resource: &Resource, schemas: &mut Map<String, Value>) {
    let name = schema_name(resource);
    let mut schema = match &resource.origin {
        Origin::Custom(definition) => custom_schema(&definition.openapi),
        Origin::BuiltIn => BUILT_IN
            .get(&name)
            .cloned()
            .unwrap_or_else(|| json!({ "type": "object" })),
    };
    if let Value::Object(fields) = &mut schema {
        let kind = json!([kind_of(resource, &resource.kind)]);
        fields.insert("x-kubernetes-group-version-kind".to_owned(), kind);
    }
    let list = json!({
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": { "type": "string" },
            "kind": { "type": "string" },
            "metadata": reference(LIST_METADATA),
            "items": { "type": "array", "items": reference(&name) },
        },
        "x-kubernetes-group-version-kind": [kind_of(resource, &resource.list_kind)],
    });
    add_referenced(&schema, schemas);
    add_referenced(&list, schemas);
    schemas.insert(format!("{name}List"), list);
    schemas.insert(name, schema);
}

/// What a definition says, with the fields that every object has.
fn custom_schema(openapi: &Value) -> Value {
    const API_VERSION: &str = "The version of the schema that this object follows.";
    const KIND: &str = "The kind of this object.";
    let mut schema = openapi.as_object().cloned().unwrap_or_default();
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    if let Value::Object(properties) = properties {
        properties.insert(
            "apiVersion".to_owned(),
            json!({ "type": "string", "description": API_VERSION }),
        );
        properties.insert(
            "kind".to_owned(),
            json!({ "type": "string", "description": KIND }),
        );
        properties.insert("metadata".to_owned(), reference(METADATA));
    }
    schema.into()
}

/// Adds the built-in schemas that a schema refers to, and those that they refer to.
fn add_referenced(schema: &Value, schemas: &mut Map<String, Value>) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                let target = value.as_str().filter(|_| name == "$ref");
                let target = target.and_then(|target| target.strip_prefix(REFERENCE));
                match target.and_then(|target| BUILT_IN.get_key_value(target)) {
                    Some((name, referenced)) if !schemas.contains_key(name) => {
                        schemas.insert(name.clone(), referenced.clone());
                        add_referenced(referenced, schemas);
                    }
                    _ => add_referenced(value, schemas),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| add_referenced(item, schemas)),
        _ => {}
    }
}

/// The name of a schema: as Kubernetes calls its own, or the reversed group for others.
fn schema_name(resource: &Resource) -> String {
    let kind = kind_of(resource, &resource.kind);
    let built_in = BUILT_IN.iter().find(|(_, schema)| {
        let kinds = schema
            .get("x-kubernetes-group-version-kind")
            .and_then(Value::as_array);
        kinds.is_some_and(|kinds| kinds.contains(&kind))
    });
    if let Some((name, _)) = built_in {
        return name.clone();
    }
    let mut parts: Vec<&str> = resource
        .group
        .split('.')
        .filter(|part| !part.is_empty())
        .rev()
        .collect();
    parts.extend([resource.version.as_str(), resource.kind.as_str()]);
    parts.join(".")
}

fn kind_of(resource: &Resource, kind: &str) -> Value {
    json!({ "group": resource.group, "version": resource.version, "kind": kind })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("{REFERENCE}{name}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{resource::Definition, schema::Schema};

    fn built_in(group: &str, kind: &str) -> Arc<Resource> {
        resource(group, kind, Origin::BuiltIn)
    }

    fn receiver() -> Arc<Resource> {
        let openapi = json!({ "type": "object", "properties": { "spec": { "type": "object" } } });
        let schema = Schema::compile(&openapi).expect("is structural");
        let definition = Definition {
            schema,
            openapi,
            columns: Vec::new(),
        };
        resource(
            "notification.toolkit.fluxcd.io",
            "Receiver",
            Origin::Custom(Arc::new(definition)),
        )
    }

    fn resource(group: &str, kind: &str, origin: Origin) -> Arc<Resource> {
        let singular = kind.to_lowercase();
        Arc::new(Resource {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            list_kind: format!("{kind}List"),
            plural: format!("{singular}s"),
            singular,
            short_names: Vec::new(),
            categories: Vec::new(),
            is_namespaced: true,
            has_status: matches!(origin, Origin::Custom(_)),
            origin,
        })
    }

    #[test]
    fn every_kind_of_the_data_file_is_described() {
        let kinds = [
            ("", "ConfigMap"),
            ("", "Event"),
            ("", "Namespace"),
            ("", "Secret"),
            ("", "ServiceAccount"),
            ("coordination.k8s.io", "Lease"),
            ("events.k8s.io", "Event"),
            ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ];
        for (group, kind) in kinds {
            let resource = built_in(group, kind);
            assert!(
                BUILT_IN.contains_key(&schema_name(&resource)),
                "{group} {kind}"
            );
        }
    }

    #[test]
    fn references_of_a_document_lead_somewhere() {
        let resources = [
            receiver(),
            built_in("", "Secret"),
            built_in("apiextensions.k8s.io", "CustomResourceDefinition"),
        ];
        for (group, version) in [
            ("notification.toolkit.fluxcd.io", "v1"),
            ("", "v1"),
            ("apiextensions.k8s.io", "v1"),
        ] {
            let document = document(&resources, group, version).expect("is served");
            check_references(&document, &document["components"]["schemas"]);
        }
        assert_eq!(document(&resources, "other.io", "v1"), None);
    }

    #[track_caller]
    fn check_references(value: &Value, schemas: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(target)) = fields.get("$ref") {
                    let name = target.strip_prefix(REFERENCE).expect("is local");
                    assert!(schemas.get(name).is_some(), "{name} is missing");
                }
                fields
                    .values()
                    .for_each(|value| check_references(value, schemas));
            }
            Value::Array(items) => items
                .iter()
                .for_each(|item| check_references(item, schemas)),
            _ => {}
        }
    }

    #[test]
    fn patches_are_described_as_kubectl_looks_for_them() {
        let document =
            document(&[receiver()], "notification.toolkit.fluxcd.io", "v1").expect("is served");
        let path =
            "/apis/notification.toolkit.fluxcd.io/v1/namespaces/{namespace}/receivers/{name}";
        let operation = &document["paths"][path]["patch"];
        assert_eq!(
            operation["x-kubernetes-group-version-kind"]["kind"],
            "Receiver"
        );
        assert_eq!(operation["parameters"][2]["name"], "fieldValidation");
        assert_eq!(operation["parameters"][2]["in"], "query");
        assert!(
            operation["requestBody"]["content"]
                .get(PATCHES[1])
                .is_some()
        );
        assert!(
            operation["requestBody"]["content"]
                .get(STRATEGIC_PATCH)
                .is_none()
        );
        let schema =
            &document["components"]["schemas"]["io.fluxcd.toolkit.notification.v1.Receiver"];
        assert_eq!(
            schema["x-kubernetes-group-version-kind"][0]["kind"],
            "Receiver"
        );
        assert_eq!(schema["properties"]["metadata"], reference(METADATA));
    }

    #[test]
    fn index_marks_change_with_the_schema() {
        let url = |resources: &[Arc<Resource>]| {
            index(resources)["paths"]["apis/notification.toolkit.fluxcd.io/v1"]["serverRelativeURL"]
                .clone()
        };
        let before = url(&[receiver()]);
        assert_eq!(before, url(&[receiver()]));
        assert!(before.as_str().is_some_and(|url| {
            url.starts_with("/openapi/v3/apis/notification.toolkit.fluxcd.io/v1?hash=")
        }));
        let mut with_status = Arc::unwrap_or_clone(receiver());
        with_status.has_status = false;
        assert_ne!(before, url(&[Arc::new(with_status)]));
    }
}
