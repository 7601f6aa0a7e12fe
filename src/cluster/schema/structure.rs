//! What makes a schema structural: which keywords may stand where, as the API server requires it.
//!
//! It only reports; nothing here is kept for later checks.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

use super::{
    error::FieldError,
    node::{ListType, Node, Type, child, key},
};

/// The rules for the root alone: it is an object, and `metadata` is the API server's own.
pub(super) fn root(schema: &JSONSchemaProps, errors: &mut Vec<FieldError>) {
    match schema.type_.as_deref() {
        None | Some("") => errors.push(FieldError::required(
            "type",
            "must not be empty at the root",
        )),
        Some("object") => {}
        Some(other) => errors.push(FieldError::invalid(
            "type",
            &Value::from(other),
            "must be object at the root",
        )),
    }
    let metadata = schema
        .properties
        .iter()
        .flatten()
        .find(|(name, _)| *name == "metadata");
    if let Some((_, metadata)) = metadata {
        let names = metadata
            .properties
            .iter()
            .flatten()
            .map(|(name, _)| name.as_str());
        if names
            .into_iter()
            .any(|name| !matches!(name, "name" | "generateName"))
        {
            errors.push(FieldError::forbidden(
                "properties[metadata]",
                "must not specify anything other than name and generateName, but metadata is implicitly specified",
            ));
        }
    }
}

/// The rules for a node of the structural part.
pub(super) fn node(schema: &JSONSchemaProps, path: &str, errors: &mut Vec<FieldError>) {
    unsupported(schema, path, errors);
    type_of(schema, path, errors);
    contents(schema, path, errors);
    extensions(schema, path, errors);
}

/// Checks that the keys of a list of `x-kubernetes-list-type: map` are always there.
pub(super) fn list_keys(node: &Node, path: &str, errors: &mut Vec<FieldError>) {
    let (ListType::Map(keys), Some(item)) = (&node.list, &node.items) else {
        return;
    };
    for name in keys {
        let path = key(&child(path, "items.properties"), name);
        match item.properties.get(name) {
            None => errors.push(FieldError::required(
                path,
                "x-kubernetes-list-map-keys must name declared properties",
            )),
            Some(property) if property.default.is_none() && !item.required.contains(name) => {
                errors.push(FieldError::required(
                    child(&path, "default"),
                    "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
                ));
            }
            Some(_) => {}
        }
    }
}

/// Refuses the keywords that no structural schema may use.
pub(super) fn unsupported(schema: &JSONSchemaProps, path: &str, errors: &mut Vec<FieldError>) {
    let is_item_list = matches!(schema.items, Some(JSONSchemaPropsOrArray::Schemas(_)));
    let present = [
        ("$ref", schema.ref_path.is_some(), "$ref is not supported"),
        (
            "$schema",
            schema.schema.is_some(),
            "$schema is not supported",
        ),
        ("id", schema.id.is_some(), "id is not supported"),
        (
            "definitions",
            schema.definitions.is_some(),
            "definitions is not supported",
        ),
        (
            "dependencies",
            schema.dependencies.is_some(),
            "dependencies is not supported",
        ),
        (
            "patternProperties",
            schema.pattern_properties.is_some(),
            "patternProperties is not supported",
        ),
        (
            "additionalItems",
            schema.additional_items.is_some(),
            "additionalItems is not supported",
        ),
        (
            "uniqueItems",
            schema.unique_items == Some(true),
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ),
        (
            "items",
            is_item_list,
            "items must be a schema object and not an array",
        ),
    ];
    for (name, is_present, detail) in present {
        if is_present {
            errors.push(FieldError::forbidden(child(path, name), detail));
        }
    }
}

fn type_of(schema: &JSONSchemaProps, path: &str, errors: &mut Vec<FieldError>) {
    let is_int_or_string = schema.x_kubernetes_int_or_string == Some(true);
    let is_open = schema.x_kubernetes_preserve_unknown_fields == Some(true);
    let at = child(path, "type");
    match schema.type_.as_deref() {
        Some(name) if is_int_or_string => {
            errors.push(FieldError::invalid(
                at,
                &Value::from(name),
                "must be empty if x-kubernetes-int-or-string is true",
            ));
        }
        Some(name) if Type::named(name).is_none() => {
            let names = Type::ALL.map(Type::as_str);
            errors.push(FieldError::not_supported(at, &Value::from(name), &names));
        }
        None if !is_int_or_string && !is_open && !path.is_empty() => {
            let what = if path.ends_with("items") {
                "array items"
            } else {
                "object fields"
            };
            errors.push(FieldError::required(
                at,
                format!("must not be empty for specified {what}"),
            ));
        }
        _ => {}
    }
}

fn contents(schema: &JSONSchemaProps, path: &str, errors: &mut Vec<FieldError>) {
    let type_ = schema.type_.as_deref().unwrap_or_default();
    let has_properties = schema
        .properties
        .as_ref()
        .is_some_and(|all| !all.is_empty());
    let at = child(path, "additionalProperties");
    match &schema.additional_properties {
        Some(JSONSchemaPropsOrBool::Bool(false)) => {
            errors.push(FieldError::forbidden(
                at,
                "additionalProperties cannot be set to false",
            ));
        }
        Some(_) if has_properties => {
            errors.push(FieldError::forbidden(
                at,
                "additionalProperties and properties are mutual exclusive",
            ));
        }
        _ => {}
    }
    let has_fields = has_properties || schema.additional_properties.is_some();
    if has_fields && !matches!(type_, "object" | "") {
        errors.push(FieldError::invalid(
            child(path, "type"),
            &Value::from(type_),
            "must be object if properties or additionalProperties is specified",
        ));
    }
    match (type_, schema.items.is_some()) {
        ("array", false) => errors.push(FieldError::required(
            child(path, "items"),
            "must be specified",
        )),
        ("array" | "", true) | (_, false) => {}
        (_, true) => errors.push(FieldError::forbidden(
            child(path, "items"),
            "must not be specified unless type is array",
        )),
    }
}

fn extensions(schema: &JSONSchemaProps, path: &str, errors: &mut Vec<FieldError>) {
    let type_ = schema.type_.as_deref().unwrap_or_default();
    let preserve = child(path, "x-kubernetes-preserve-unknown-fields");
    if schema.x_kubernetes_preserve_unknown_fields == Some(false) {
        errors.push(FieldError::invalid(
            preserve.as_str(),
            &Value::from(false),
            "must be true or undefined",
        ));
    }
    if schema.x_kubernetes_embedded_resource == Some(true) {
        if type_ != "object" {
            errors.push(FieldError::invalid(
                child(path, "type"),
                &Value::from(type_),
                "must be object if x-kubernetes-embedded-resource is true",
            ));
        }
        if schema.x_kubernetes_preserve_unknown_fields != Some(true) && schema.properties.is_none()
        {
            errors.push(FieldError::required(preserve, "must be true if x-kubernetes-embedded-resource is true and properties are not specified"));
        }
    }
    if let Some(list) = schema.x_kubernetes_list_type.as_deref() {
        list_type(schema, list, type_, path, errors);
    } else if schema.x_kubernetes_list_map_keys.is_some() {
        errors.push(FieldError::required(
            child(path, "x-kubernetes-list-type"),
            "must be map if x-kubernetes-list-map-keys is non-empty",
        ));
    }
    if let Some(map) = schema.x_kubernetes_map_type.as_deref()
        && !matches!(map, "atomic" | "granular")
    {
        let at = child(path, "x-kubernetes-map-type");
        errors.push(FieldError::not_supported(
            at,
            &Value::from(map),
            &["granular", "atomic"],
        ));
    }
}

fn list_type(
    schema: &JSONSchemaProps,
    list: &str,
    type_: &str,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    if type_ != "array" {
        errors.push(FieldError::invalid(
            child(path, "type"),
            &Value::from(type_),
            "must be array if x-kubernetes-list-type is specified",
        ));
    }
    let keys = child(path, "x-kubernetes-list-map-keys");
    let has_keys = schema
        .x_kubernetes_list_map_keys
        .as_ref()
        .is_some_and(|keys| !keys.is_empty());
    match list {
        "map" if !has_keys => errors.push(FieldError::required(
            keys,
            "must not be empty if x-kubernetes-list-type is map",
        )),
        "atomic" | "set" if has_keys => errors.push(FieldError::forbidden(
            keys,
            "must be empty unless x-kubernetes-list-type is map",
        )),
        "atomic" | "set" | "map" => {}
        other => {
            let at = child(path, "x-kubernetes-list-type");
            errors.push(FieldError::not_supported(
                at,
                &Value::from(other),
                &["atomic", "set", "map"],
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::cluster::schema::{FieldError, Schema};

    #[track_caller]
    fn check_compile(field: &Value, expected: &[&str]) {
        let schema = json!({ "type": "object", "properties": { "x": field } });
        let errors = Schema::compile(&schema).expect_err("is not structural");
        let errors: Vec<String> = errors.iter().map(FieldError::to_string).collect();
        assert_eq!(errors, expected);
    }

    #[test]
    fn schemas_that_are_not_structural_are_refused() {
        check_compile(
            &json!({}),
            &["properties[x].type: Required value: must not be empty for specified object fields"],
        );
        check_compile(
            &json!({ "type": "text" }),
            &[
                r#"properties[x].type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string""#,
            ],
        );
        check_compile(
            &json!({ "type": "array" }),
            &["properties[x].items: Required value: must be specified"],
        );
        check_compile(
            &json!({ "type": "string", "uniqueItems": true }),
            &[
                "properties[x].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
            ],
        );
        check_compile(
            &json!({ "type": "object", "additionalProperties": { "type": "string" }, "properties": { "a": { "type": "string" } } }),
            &[
                "properties[x].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
            ],
        );
        check_compile(
            &json!({ "type": "string", "allOf": [{ "type": "string" }] }),
            &["properties[x].allOf[0].type: Forbidden: must be empty to be structural"],
        );
        check_compile(
            &json!({ "type": "object", "anyOf": [{ "properties": { "a": { "minLength": 1 } } }] }),
            &[
                "properties[x].properties[a]: Required value: because it is defined in allOf, anyOf, oneOf or not",
            ],
        );
        check_compile(
            &json!({ "type": "integer", "default": "a" }),
            &[
                r#"properties[x].default: Invalid value: "string":  in body must be of type integer: "string""#,
            ],
        );
        check_compile(
            &json!({ "type": "object", "default": { "a": 1 } }),
            &[
                r#"properties[x].default: Invalid value: map[string]interface {}{"a":1}: must not have unknown field "a""#,
            ],
        );
        check_compile(
            &json!({ "type": "array", "items": { "type": "object" }, "x-kubernetes-list-type": "map" }),
            &[
                "properties[x].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
            ],
        );
    }

    #[test]
    fn rules_and_patterns_that_do_not_compile_are_refused() {
        let bad = json!({ "type": "object", "properties": { "a": {
            "type": "string", "pattern": "(", "x-kubernetes-validations": [{ "rule": "self ==" }],
        }}});
        let errors = Schema::compile(&bad).expect_err("is refused");
        let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "properties[a].pattern",
                "properties[a].x-kubernetes-validations[0].rule"
            ]
        );
    }
}
