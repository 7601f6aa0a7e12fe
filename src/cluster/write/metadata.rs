//! The rules about `metadata` that hold for objects of every type.
//!
//! Pure functions of objects; the clock is the caller's.

use serde_json::{Map, Value, json};

use crate::cluster::{
    names,
    object::{metadata_mut, text, texts},
    schema::FieldError,
};

/// What only the server sets.
const OWNED: [&str; 5] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
];
/// What is not kept: links are gone from Kubernetes, and field managers are not tracked.
const DROPPED: [&str; 2] = ["selfLink", "managedFields"];
/// The most bytes of all annotations of one object (Kubernetes: 256 KiB).
const ANNOTATIONS: i64 = 256 << 10;

/// Sets what a new object gets from the server.
pub(super) fn start(value: &mut Value, now: &str, has_generation: bool) {
    let metadata = metadata_mut(value);
    metadata.retain(|key, _| !OWNED.contains(&key.as_str()) && key != "resourceVersion");
    metadata.insert("uid".to_owned(), uuid::Uuid::new_v4().to_string().into());
    metadata.insert("creationTimestamp".to_owned(), now.into());
    if has_generation {
        metadata.insert("generation".to_owned(), 1.into());
    }
    clean(metadata);
}

/// Takes over what a changed object keeps from its stored version.
pub(super) fn carry_over(value: &mut Value, live: &Value) {
    let metadata = metadata_mut(value);
    for key in OWNED
        .into_iter()
        .chain(["resourceVersion", "name", "namespace"])
    {
        match live.get("metadata").and_then(|live| live.get(key)) {
            Some(kept) => metadata.insert(key.to_owned(), kept.clone()),
            None => metadata.remove(key),
        };
    }
    clean(metadata);
}

/// Raises `generation` by one.
pub(super) fn next_generation(value: &mut Value) {
    let metadata = metadata_mut(value);
    let generation = metadata
        .get("generation")
        .and_then(Value::as_i64)
        .unwrap_or(0);
    metadata.insert("generation".to_owned(), (generation + 1).into());
}

/// Marks an object as going; it stays until its finalizers are done.
pub(super) fn mark_deleted(value: &mut Value, now: &str) {
    let metadata = metadata_mut(value);
    metadata.insert("deletionTimestamp".to_owned(), now.into());
    metadata.insert("deletionGracePeriodSeconds".to_owned(), 0.into());
}

/// Whether an object is marked as going.
pub(super) fn is_deleted(value: &Value) -> bool {
    text(value, &["metadata", "deletionTimestamp"]).is_some()
}

/// Says all that is wrong with the metadata; `live` is the stored version of a changed object.
pub(super) fn validate(value: &Value, live: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let entries = |key: &str| {
        let map = value
            .get("metadata")
            .and_then(|metadata| metadata.get(key))
            .and_then(Value::as_object);
        map.into_iter().flatten()
    };
    for (key, label) in entries("labels") {
        let label = label.as_str().unwrap_or_default();
        let rule = names::qualified_name(key)
            .err()
            .map(|rule| (key.as_str(), rule));
        let wrong = rule.or_else(|| names::label_value(label).err().map(|rule| (label, rule)));
        errors.extend(
            wrong.map(|(wrong, rule)| FieldError::invalid("metadata.labels", &json!(wrong), rule)),
        );
    }
    for (key, _) in entries("annotations") {
        let rule = names::qualified_name(&key.to_lowercase()).err();
        errors.extend(
            rule.map(|rule| FieldError::invalid("metadata.annotations", &json!(key), rule)),
        );
    }
    let size: usize = entries("annotations")
        .map(|(key, text)| key.len() + text.as_str().map_or(0, str::len))
        .sum();
    if i64::try_from(size).is_ok_and(|size| size > ANNOTATIONS) {
        errors.push(FieldError::too_long("metadata.annotations", ANNOTATIONS));
    }
    errors.extend(finalizers(value, live));
    errors.extend(owners(value));
    errors
}

fn finalizers(value: &Value, live: Option<&Value>) -> Vec<FieldError> {
    let path = ["metadata", "finalizers"];
    let given = texts(value, &path);
    let mut errors = Vec::new();
    for (index, name) in given.iter().enumerate() {
        let field = || format!("metadata.finalizers[{index}]");
        if let Err(rule) = names::qualified_name(name) {
            errors.push(FieldError::invalid(field(), &json!(name), rule));
        }
    }
    let known = live
        .filter(|live| is_deleted(live))
        .map(|live| texts(live, &path));
    let added: Vec<&str> = known.map_or_else(Vec::new, |known| {
        given
            .into_iter()
            .filter(|name| !known.contains(name))
            .collect()
    });
    if !added.is_empty() {
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            added
                .iter()
                .map(|name| json!(name).to_string())
                .collect::<Vec<_>>()
                .join(", ")
        );
        errors.push(FieldError::forbidden("metadata.finalizers", detail));
    }
    errors
}

fn owners(value: &Value) -> Vec<FieldError> {
    let owners = value
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    let mut errors = Vec::new();
    for (index, owner) in owners.into_iter().flatten().enumerate() {
        for key in ["apiVersion", "kind", "name", "uid"] {
            if text(owner, &[key]).unwrap_or_default().is_empty() {
                let field = format!("metadata.ownerReferences[{index}].{key}");
                errors.push(FieldError::invalid(
                    field,
                    &json!(""),
                    format!("{key} must not be empty"),
                ));
            }
        }
    }
    errors
}

fn clean(metadata: &mut Map<String, Value>) {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    metadata.retain(|key, value| !DROPPED.contains(&key.as_str()) && !is_empty(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(metadata: &Value, expected: &[&str]) {
        let errors = validate(&json!({"metadata": metadata}), None);
        let fields: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(fields, expected, "{metadata}");
    }

    #[test]
    fn wrong_metadata_is_named() {
        check(
            &json!({"labels": {"a": "b", "x.io/c": ""}, "annotations": {"A.io/b": "any thing"}}),
            &[],
        );
        check(&json!({"labels": {"a b": ""}}), &["metadata.labels"]);
        check(&json!({"labels": {"a": "b c"}}), &["metadata.labels"]);
        check(
            &json!({"annotations": {"a b": ""}}),
            &["metadata.annotations"],
        );
        check(
            &json!({"annotations": {"a": "x".repeat(256 << 10)}}),
            &["metadata.annotations"],
        );
        check(
            &json!({"finalizers": ["x.io/a", "orphan", "finalizers.fluxcd.io"]}),
            &[],
        );
        check(&json!({"finalizers": ["a b"]}), &["metadata.finalizers[0]"]);
        check(
            &json!({"ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "n"}]}),
            &["metadata.ownerReferences[0].uid"],
        );
    }

    #[test]
    fn going_object_takes_no_new_finalizer() {
        let live = json!({"metadata": {"deletionTimestamp": "t", "finalizers": ["x.io/a"]}});
        let fewer = json!({"metadata": {"finalizers": ["x.io/a"]}});
        let more = json!({"metadata": {"finalizers": ["x.io/a", "x.io/b"]}});
        assert_eq!(validate(&fewer, Some(&live)), []);
        assert_eq!(validate(&more, Some(&live)).len(), 1);
        assert_eq!(validate(&more, None), []);
    }

    #[test]
    fn server_keeps_what_is_its_own() {
        let live =
            json!({"metadata": {"name": "x", "uid": "u", "resourceVersion": "3", "generation": 2}});
        let mut value = json!({"metadata": {"name": "x", "uid": "other", "deletionTimestamp": "t", "selfLink": "s", "labels": {}}});
        carry_over(&mut value, &live);
        assert_eq!(value, live);
    }

    #[test]
    fn new_object_gets_an_identity() {
        let mut value = json!({"metadata": {"name": "x", "uid": "chosen", "generation": 7, "managedFields": [{}]}});
        start(&mut value, "now", true);
        let metadata = &value["metadata"];
        assert_ne!(metadata["uid"], "chosen");
        assert_eq!(
            (&metadata["creationTimestamp"], &metadata["generation"]),
            (&json!("now"), &json!(1))
        );
        assert_eq!(metadata.get("managedFields"), None);
    }
}
