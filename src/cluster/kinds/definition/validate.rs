//! What a definition must say before it is stored, but for its schemas.
//!
//! Pure; whether its names are free is judged in `names`, for that refuses nothing.

use serde_json::{Value, json};

use super::{defined, names::is_established, versions};
use crate::cluster::{
    builtin, names,
    object::{text, texts},
    schema::FieldError,
};

/// Says that a definition in one of Kubernetes' own groups is meant to be there.
const APPROVAL: &str = "api-approved.kubernetes.io";

/// Says what is wrong with a definition.
pub(crate) fn validate(definition: &Value, live: Option<&Value>) -> Vec<FieldError> {
    let mut errors = naming(definition);
    let strategy = text(definition, &["spec", "conversion", "strategy"]).unwrap_or_default();
    if strategy != "None" {
        errors.push(FieldError::not_supported(
            "spec.conversion.strategy",
            &json!(strategy),
            &["None"],
        ));
    }
    let versions = versions(definition);
    let stored = versions
        .iter()
        .filter(|version| version.get("storage") == Some(&Value::Bool(true)))
        .count();
    if stored != 1 {
        let detail = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid("spec.versions", &Value::Null, detail));
    }
    for (index, version) in versions.iter().enumerate() {
        let name = text(version, &["name"]).unwrap_or_default();
        if let Err(rule) = names::dns_label(name) {
            errors.push(FieldError::invalid(
                format!("spec.versions[{index}].name"),
                &json!(name),
                rule,
            ));
        }
        if versions
            .iter()
            .take(index)
            .any(|other| text(other, &["name"]) == Some(name))
        {
            errors.push(FieldError::duplicate(
                format!("spec.versions[{index}].name"),
                &json!(name),
            ));
        }
    }
    errors.extend(immutable(definition, live));
    errors
}

/// What cannot be changed: what objects are found by, and once there may be objects, what they are.
fn immutable(definition: &Value, live: Option<&Value>) -> Vec<FieldError> {
    let Some(live) = live else {
        return Vec::new();
    };
    let always: [&[&str]; 2] = [&["spec", "group"], &["spec", "names", "plural"]];
    let established: [&[&str]; 2] = [&["spec", "scope"], &["spec", "names", "kind"]];
    let established = established.into_iter().filter(|_| is_established(live));
    let changed = always
        .into_iter()
        .chain(established)
        .filter(|path| text(definition, path) != text(live, path));
    changed
        .map(|path| {
            let value = json!(text(definition, path).unwrap_or_default());
            FieldError::invalid(path.join("."), &value, "field is immutable")
        })
        .collect()
}

fn naming(definition: &Value) -> Vec<FieldError> {
    let mut errors = type_names(definition);
    let defined = defined(definition);
    let name = text(definition, &["metadata", "name"]).unwrap_or_default();
    if name != defined.to_string() {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        errors.push(FieldError::invalid("metadata.name", &json!(name), detail));
    }
    let is_protected =
        defined.group.ends_with(".k8s.io") || defined.group.ends_with(".kubernetes.io");
    if is_protected && text(definition, &["metadata", "annotations", APPROVAL]).is_none() {
        let detail = "protected groups must have approval annotation";
        errors.push(FieldError::required(
            format!("metadata.annotations[{APPROVAL}]"),
            detail,
        ));
    }
    if builtin::resources().any(|known| known.served_as() == defined) {
        errors.push(FieldError::forbidden(
            "spec.names.plural",
            "this resource is built in",
        ));
    }
    let scope = text(definition, &["spec", "scope"]).unwrap_or_default();
    if !matches!(scope, "Cluster" | "Namespaced") {
        errors.push(FieldError::not_supported(
            "spec.scope",
            &json!(scope),
            &["Cluster", "Namespaced"],
        ));
    }
    errors
}

/// What names the type in URLs and in objects.
fn type_names(definition: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut check = |path: &str, rule: fn(&str) -> Result<(), String>| {
        let keys: Vec<&str> = path.split('.').collect();
        let value = text(definition, &keys).unwrap_or_default();
        if value.is_empty() {
            errors.push(FieldError::required(path, ""));
        } else if let Err(rule) = rule(value) {
            errors.push(FieldError::invalid(path, &json!(value), rule));
        }
    };
    check("spec.group", group);
    check("spec.names.plural", names::rfc_1035_label);
    check("spec.names.singular", names::rfc_1035_label);
    check("spec.names.kind", kind);
    check("spec.names.listKind", kind);
    errors.extend(other_names(definition));
    errors
}

fn group(name: &str) -> Result<(), String> {
    names::subdomain(name)?;
    if name.contains('.') {
        return Ok(());
    }
    Err("should be a domain with at least one dot".to_owned())
}

/// A kind in lower case is a label.
fn kind(name: &str) -> Result<(), String> {
    names::rfc_1035_label(&name.to_lowercase())
        .map_err(|rule| format!("may have mixed case, but should otherwise match: {rule}"))
}

fn other_names(definition: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for key in ["shortNames", "categories"] {
        let names = texts(definition, &["spec", "names", key]);
        for (index, name) in names.into_iter().enumerate() {
            if let Err(rule) = names::rfc_1035_label(name) {
                let path = format!("spec.names.{key}[{index}]");
                errors.push(FieldError::invalid(path, &json!(name), rule));
            }
        }
    }
    let name = |key| text(definition, &["spec", "names", key]).unwrap_or_default();
    if !name("kind").is_empty() && name("kind") == name("listKind") {
        errors.push(FieldError::invalid(
            "spec.names.listKind",
            &json!(name("listKind")),
            "kind and listKind may not be the same",
        ));
    }
    errors
}
