//! The CustomResourceDefinitions of the three kinds, derived from their Rust types.
//!
//! The schema is Flux's and stays so: what hookgate adds is in annotations, never here.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionVersion,
    JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt as _;
use serde_json::json;

use super::{git_repository::GitRepository, kustomization::Kustomization, receiver::Receiver};

/// Keeps the substitution of variables away from a definition that Flux itself applies.
const SUBSTITUTE: (&str, &str) = ("kustomize.toolkit.fluxcd.io/substitute", "disabled");

/// The columns that every kind shows after its own: name, type and JSON path.
const LAST_COLUMNS: [(&str, &str, &str); 3] = [
    ("Age", "date", ".metadata.creationTimestamp"),
    (
        "Ready",
        "string",
        r#".status.conditions[?(@.type=="Ready")].status"#,
    ),
    (
        "Status",
        "string",
        r#".status.conditions[?(@.type=="Ready")].message"#,
    ),
];

/// One definition as text.
#[derive(Debug)]
pub struct Document {
    /// The plural of the kind, such as `receivers`.
    pub plural: String,
    /// The definition in YAML, without a document marker, ending in a line feed.
    pub yaml: String,
}

/// The definitions of GitRepository, Kustomization and Receiver.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    [GitRepository::crd(), Kustomization::crd(), Receiver::crd()]
        .into_iter()
        .map(as_flux_has_it)
        .collect()
}

/// The definitions in YAML, the same text every time.
pub fn documents() -> Result<Vec<Document>, serde_saphyr::ser::Error> {
    all()
        .into_iter()
        .map(|definition| {
            Ok(Document {
                yaml: serde_saphyr::to_string(&definition)?,
                plural: definition.spec.names.plural,
            })
        })
        .collect()
}

fn as_flux_has_it(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    let (key, value) = SUBSTITUTE;
    let annotations = definition.metadata.annotations.get_or_insert_default();
    annotations.insert(key.to_owned(), value.to_owned());
    let names = &mut definition.spec.names;
    names.list_kind = Some(format!("{}List", names.kind));
    for version in &mut definition.spec.versions {
        add_last_columns(version);
        let validation = version.schema.as_mut();
        if let Some(schema) = validation.and_then(|it| it.open_api_v3_schema.as_mut()) {
            forbid_null(schema);
            finish_top_level(schema);
        }
    }
    definition
}

fn add_last_columns(version: &mut CustomResourceDefinitionVersion) {
    let columns = LAST_COLUMNS.map(|(name, type_, json_path)| CustomResourceColumnDefinition {
        json_path: json_path.to_owned(),
        name: name.to_owned(),
        type_: type_.to_owned(),
        ..Default::default()
    });
    version
        .additional_printer_columns
        .get_or_insert_default()
        .extend(columns);
}

/// An optional field is absent or has a value; the API server drops a `null`.
fn forbid_null(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(properties) = &mut schema.properties {
        properties.values_mut().for_each(forbid_null);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        forbid_null(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        forbid_null(values);
    }
}

/// Nothing is required, not even a spec; a new object has the status of one not yet observed.
fn finish_top_level(schema: &mut JSONSchemaProps) {
    schema.required = None;
    schema.title = None;
    let properties = schema.properties.get_or_insert_default();
    for (name, type_) in [
        ("apiVersion", "string"),
        ("kind", "string"),
        ("metadata", "object"),
    ] {
        let property = properties.entry(name.to_owned()).or_default();
        property.type_ = Some(type_.to_owned());
    }
    if let Some(status) = properties.get_mut("status") {
        status.default = Some(JSON(json!({ "observedGeneration": -1 })));
    }
}

#[cfg(test)]
mod tests;
