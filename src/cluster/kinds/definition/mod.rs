//! CustomResourceDefinitions: what they must say, their status, and the types they define.
//!
//! Serving the types is the registry's; removing objects of a removed type is elsewhere.

mod compile;
mod names;
mod validate;

use serde_json::{Value, json};

pub(crate) use self::{
    compile::compile,
    names::{Taken, accept, is_established, is_waiting, terminate},
    validate::validate,
};
use crate::cluster::object::{GroupResource, as_map, member_mut, text};

/// The type that a definition defines.
pub(crate) fn defined(definition: &Value) -> GroupResource {
    let field = |path: &[&str]| text(definition, path).unwrap_or_default().to_owned();
    GroupResource {
        group: field(&["spec", "group"]),
        plural: field(&["spec", "names", "plural"]),
    }
}

/// Fills in the names and the conversion strategy that may be left out, and records the version to store in.
pub(super) fn prepare(definition: &mut Value) {
    let kind = text(definition, &["spec", "names", "kind"])
        .unwrap_or_default()
        .to_owned();
    let spec = member_mut(definition, "spec");
    spec.remove("preserveUnknownFields");
    spec.entry("conversion")
        .or_insert_with(|| json!({"strategy": "None"}));
    let names = as_map(spec.entry("names").or_insert_with(|| json!({})));
    let mut fill = |key: &str, default: String| {
        if names
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .is_empty()
        {
            names.insert(key.to_owned(), default.into());
        }
    };
    if !kind.is_empty() {
        fill("singular", kind.to_lowercase());
        fill("listKind", format!("{kind}List"));
    }
    record_storage(definition);
}

/// Adds the version in which objects are stored to those in which there may be any.
fn record_storage(definition: &mut Value) {
    let storage = versions(definition)
        .iter()
        .find(|version| version.get("storage") == Some(&Value::Bool(true)));
    let storage = storage.and_then(|version| text(version, &["name"]));
    let Some(storage) = storage.map(str::to_owned) else {
        return;
    };
    let status = member_mut(definition, "status");
    let stored = status.entry("storedVersions").or_insert_with(|| json!([]));
    if let Some(stored) = stored
        .as_array_mut()
        .filter(|stored| !stored.iter().any(|known| *known == storage))
    {
        stored.push(storage.into());
    }
}

fn versions(definition: &Value) -> &[Value] {
    definition
        .pointer("/spec/versions")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::schema::FieldError;

    fn definition() -> Value {
        let mut definition = json!({
            "metadata": {"name": "things.x.io"},
            "spec": {
                "group": "x.io", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
                "versions": [{
                    "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                }],
            },
        });
        prepare(&mut definition);
        definition
    }

    fn check(change: fn(&mut Value), expected: &[&str]) {
        let mut changed = definition();
        change(&mut changed);
        let mut live = definition();
        accept(&mut live, &Taken::default(), "now");
        let errors = validate(&changed, Some(&live));
        assert_eq!(
            errors.iter().map(FieldError::field).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn names_are_filled_in() {
        let names = json!({"plural": "things", "kind": "Thing", "singular": "thing", "listKind": "ThingList"});
        assert_eq!(definition()["spec"]["names"], names);
    }

    #[test]
    fn wrong_definitions_are_named() {
        check(|_| {}, &[]);
        check(
            |d| d["metadata"]["name"] = "other".into(),
            &["metadata.name"],
        );
        check(
            |d| d["spec"]["scope"] = "Everywhere".into(),
            &["spec.scope", "spec.scope"],
        );
        check(
            |d| d["spec"]["names"]["kind"] = "Other".into(),
            &["spec.names.kind"],
        );
        check(
            |d| d["spec"]["versions"][0]["storage"] = false.into(),
            &["spec.versions"],
        );
        check(
            |d| d["spec"]["conversion"]["strategy"] = "Webhook".into(),
            &["spec.conversion.strategy"],
        );
        check(
            |d| d["spec"]["versions"][0]["name"] = "V 1".into(),
            &["spec.versions[0].name"],
        );
    }

    #[test]
    fn groups_of_kubernetes_are_protected() {
        let group = |group: &str| {
            let mut changed = definition();
            changed["spec"]["group"] = group.into();
            changed["metadata"]["name"] = format!("leases.{group}").into();
            changed["spec"]["names"]["plural"] = "leases".into();
            validate(&changed, None)
                .into_iter()
                .map(|error| error.path)
                .collect::<Vec<_>>()
        };
        assert_eq!(group("x.io"), Vec::<String>::new());
        assert_eq!(
            group("x.k8s.io"),
            ["metadata.annotations[api-approved.kubernetes.io]"]
        );
        assert!(group("coordination.k8s.io").contains(&"spec.names.plural".to_owned()));
    }

    #[test]
    fn served_versions_become_types() {
        let mut definition = definition();
        accept(&mut definition, &Taken::default(), "now");
        let resources = compile(&definition).unwrap();
        assert_eq!(resources.len(), 1);
        assert_eq!(
            (resources[0].kind.as_str(), resources[0].has_status),
            ("Thing", true)
        );
    }

    #[test]
    fn version_without_schema_is_refused() {
        let mut definition = definition();
        definition["spec"]["versions"][0]["schema"] = json!({});
        let errors = compile(&definition).unwrap_err();
        assert_eq!(errors[0].field(), "spec.versions[0].schema.openAPIV3Schema");
    }

    #[test]
    fn versions_of_storage_are_added_up() {
        let mut definition = definition();
        assert_eq!(definition["status"]["storedVersions"], json!(["v1"]));
        definition["spec"]["versions"][0]["name"] = "v2".into();
        prepare(&mut definition);
        assert_eq!(definition["status"]["storedVersions"], json!(["v1", "v2"]));
    }
}
