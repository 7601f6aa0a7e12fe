//! The parts of a schema under `allOf`, `anyOf`, `oneOf` and `not`: they may check values and shape nothing.
//!
//! It only reports, as `structure` does for the other parts.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;

use super::{
    error::FieldError,
    node::{Node, child, key},
    structure::unsupported,
};

/// The rules for a node that may only check values, because it may not hold.
pub(super) fn node(
    schema: &JSONSchemaProps,
    path: &str,
    may_be_typed: bool,
    errors: &mut Vec<FieldError>,
) {
    unsupported(schema, path, errors);
    let present = [
        ("type", schema.type_.is_some() && !may_be_typed),
        ("default", schema.default.is_some()),
        ("nullable", schema.nullable == Some(true)),
        (
            "additionalProperties",
            schema.additional_properties.is_some(),
        ),
        ("title", schema.title.is_some()),
        ("description", schema.description.is_some()),
        (
            "x-kubernetes-preserve-unknown-fields",
            schema.x_kubernetes_preserve_unknown_fields.is_some(),
        ),
        (
            "x-kubernetes-embedded-resource",
            schema.x_kubernetes_embedded_resource == Some(true),
        ),
        (
            "x-kubernetes-int-or-string",
            schema.x_kubernetes_int_or_string == Some(true),
        ),
        (
            "x-kubernetes-list-type",
            schema.x_kubernetes_list_type.is_some(),
        ),
        (
            "x-kubernetes-list-map-keys",
            schema.x_kubernetes_list_map_keys.is_some(),
        ),
        (
            "x-kubernetes-map-type",
            schema.x_kubernetes_map_type.is_some(),
        ),
        (
            "x-kubernetes-validations",
            schema.x_kubernetes_validations.is_some(),
        ),
    ];
    for (name, is_present) in present {
        if is_present {
            errors.push(FieldError::forbidden(
                child(path, name),
                "must be empty to be structural",
            ));
        }
    }
}

/// Checks that what the parts under `allOf`, `anyOf`, `oneOf` and `not` name is declared outside of them.
pub(super) fn covered(node: &Node, path: &str, errors: &mut Vec<FieldError>) {
    for nested in junctors(node) {
        covered_by(node, nested, path, errors);
    }
}

fn covered_by(outer: &Node, nested: &Node, path: &str, errors: &mut Vec<FieldError>) {
    for (name, property) in &nested.properties {
        match outer.field(name) {
            Some(declared) => {
                covered_by(
                    declared,
                    property,
                    &key(&child(path, "properties"), name),
                    errors,
                );
            }
            None if outer.preserves_unknown => {}
            None => errors.push(FieldError::required(
                key(&child(path, "properties"), name),
                "because it is defined in allOf, anyOf, oneOf or not",
            )),
        }
    }
    if let Some(item) = &nested.items {
        match &outer.items {
            Some(declared) => covered_by(declared, item, &child(path, "items"), errors),
            None => errors.push(FieldError::required(
                child(path, "items"),
                "because it is defined in allOf, anyOf, oneOf or not",
            )),
        }
    }
    for deeper in junctors(nested) {
        covered_by(outer, deeper, path, errors);
    }
}

fn junctors(node: &Node) -> impl Iterator<Item = &Node> {
    let many = [&node.any_of, &node.one_of, &node.all_of];
    many.into_iter().flatten().chain(node.not.as_deref())
}
