//! The schemas of a document: those of definitions as written, those of built-in kinds from a data file.
//!
//! Nothing is validated with them.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::cluster::resource::{Origin, Resource};

/// What a reference to a schema begins with.
pub(super) const REFERENCE: &str = "#/components/schemas/";
/// The schema of the metadata of objects.
pub(super) const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const LIST_METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";

/// The schemas of the built-in kinds; see the README beside the file.
pub(super) static BUILT_IN: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/builtin.json")).unwrap_or_default()
});

/// Adds the schemas of a resource and of its list, and what they refer to.
pub(super) fn add_schemas(resource: &Resource, schemas: &mut Map<String, Value>) {
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
pub(super) fn schema_name(resource: &Resource) -> String {
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

/// The group, version and kind of a resource, or of its list.
pub(super) fn kind_of(resource: &Resource, kind: &str) -> Value {
    json!({ "group": resource.group, "version": resource.version, "kind": kind })
}

/// A reference to a schema of the same document.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("{REFERENCE}{name}") })
}
