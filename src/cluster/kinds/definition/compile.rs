//! From a definition to the types that it defines: compiled schemas under the names that were accepted.
//!
//! Whether the types are served is not decided here.

use std::sync::Arc;

use serde_json::{Value, json};

use super::versions;
use crate::cluster::{
    object::{text, texts},
    resource::{Column, Definition, Origin, Resource},
    schema::{FieldError, Schema},
};

/// Compiles the served versions of a definition under its accepted names, or says what is wrong with their schemas.
pub(crate) fn compile(definition: &Value) -> Result<Vec<Arc<Resource>>, Vec<FieldError>> {
    let mut resources = Vec::new();
    let mut errors = Vec::new();
    for (index, version) in versions(definition).iter().enumerate() {
        let path = format!("spec.versions[{index}]");
        match compile_version(definition, version) {
            Ok(resource) if version.get("served") == Some(&Value::Bool(true)) => {
                resources.push(Arc::new(resource));
            }
            Ok(_) => {}
            Err(wrong) => errors.extend(wrong.into_iter().map(|error| error.under(&path))),
        }
    }
    if errors.is_empty() {
        Ok(resources)
    } else {
        Err(errors)
    }
}

fn compile_version(definition: &Value, version: &Value) -> Result<Resource, Vec<FieldError>> {
    let schema_path = "schema.openAPIV3Schema";
    let openapi = version.pointer("/schema/openAPIV3Schema");
    let openapi =
        openapi.ok_or_else(|| vec![FieldError::required(schema_path, "schemas are required")])?;
    let under = |errors: Vec<FieldError>| {
        errors
            .into_iter()
            .map(|error| error.under(schema_path))
            .collect::<Vec<_>>()
    };
    let schema = Schema::compile(openapi).map_err(under)?;
    let columns = version
        .get("additionalPrinterColumns")
        .cloned()
        .unwrap_or_else(|| json!([]));
    let columns: Vec<Column> = serde_json::from_value(columns).map_err(|error| {
        vec![FieldError::invalid(
            "additionalPrinterColumns",
            &Value::Null,
            error.to_string(),
        )]
    })?;
    let names = definition
        .pointer("/status/acceptedNames")
        .unwrap_or(&Value::Null);
    let name = |key: &str| text(names, &[key]).unwrap_or_default().to_owned();
    let list = |key: &str| {
        texts(names, &[key])
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    Ok(Resource {
        group: text(definition, &["spec", "group"])
            .unwrap_or_default()
            .to_owned(),
        version: text(version, &["name"]).unwrap_or_default().to_owned(),
        kind: name("kind"),
        list_kind: name("listKind"),
        plural: name("plural"),
        singular: name("singular"),
        short_names: list("shortNames"),
        categories: list("categories"),
        is_namespaced: text(definition, &["spec", "scope"]) == Some("Namespaced"),
        has_status: version.pointer("/subresources/status").is_some(),
        origin: Origin::Custom(Arc::new(Definition {
            schema,
            openapi: openapi.clone(),
            columns,
        })),
    })
}
