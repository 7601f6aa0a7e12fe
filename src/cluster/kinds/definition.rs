//! CustomResourceDefinitions: what they must say, their status, and the types they define.
//!
//! Serving the types is the registry's; removing objects of a removed type is elsewhere.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::cluster::{
    builtin, names,
    object::{GroupResource, as_map, member_mut, text, texts},
    resource::{Column, Definition, Origin, Resource},
    schema::{FieldError, Schema},
};

/// Says that a definition in one of Kubernetes' own groups is meant to be there.
const APPROVAL: &str = "api-approved.kubernetes.io";

/// The type that a definition defines.
pub(crate) fn defined(definition: &Value) -> GroupResource {
    let field = |path: &[&str]| text(definition, path).unwrap_or_default().to_owned();
    GroupResource {
        group: field(&["spec", "group"]),
        plural: field(&["spec", "names", "plural"]),
    }
}

/// Fills in the names and the conversion strategy that may be left out.
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
    fill("singular", kind.to_lowercase());
    fill("listKind", format!("{kind}List"));
}

/// Says what is wrong with a definition.
pub(super) fn validate(definition: &Value, live: Option<&Value>) -> Vec<FieldError> {
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
    for (path, what) in [
        (["spec", "group"].as_slice(), "group"),
        (&["spec", "names", "plural"], "plural"),
        (&["spec", "scope"], "scope"),
    ] {
        let before = live.and_then(|live| text(live, path));
        if before.is_some_and(|before| text(definition, path) != Some(before)) {
            let value = json!(text(definition, path).unwrap_or_default());
            errors.push(FieldError::invalid(
                path.join("."),
                &value,
                format!("field is immutable: `{what}` cannot change"),
            ));
        }
    }
    errors
}

fn naming(definition: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let defined = defined(definition);
    let mut check = |path: &str, value: &str, rule: Result<(), String>| {
        if value.is_empty() {
            errors.push(FieldError::required(path, ""));
        } else if let Err(rule) = rule {
            errors.push(FieldError::invalid(path, &json!(value), rule));
        }
    };
    check(
        "spec.group",
        &defined.group,
        names::subdomain(&defined.group),
    );
    check(
        "spec.names.plural",
        &defined.plural,
        names::dns_label(&defined.plural),
    );
    let kind = text(definition, &["spec", "names", "kind"]).unwrap_or_default();
    check(
        "spec.names.kind",
        kind,
        names::dns_label(&kind.to_lowercase()),
    );
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

/// Compiles the served versions of a definition, or says what is wrong with their schemas.
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
    let names = definition.pointer("/spec/names").unwrap_or(&Value::Null);
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

/// Sets the status of a definition whose types are served; conditions that it has are left as they are.
pub(crate) fn establish(definition: &mut Value, now: &str) {
    let names = definition
        .pointer("/spec/names")
        .cloned()
        .unwrap_or_default();
    let storage = versions(definition)
        .iter()
        .find(|version| version.get("storage") == Some(&Value::Bool(true)));
    let storage = storage
        .and_then(|version| text(version, &["name"]))
        .unwrap_or_default()
        .to_owned();
    let status = member_mut(definition, "status");
    status.insert("acceptedNames".to_owned(), names);
    let stored = status.entry("storedVersions").or_insert_with(|| json!([]));
    if let Some(stored) = stored
        .as_array_mut()
        .filter(|stored| !stored.iter().any(|known| *known == storage))
    {
        stored.push(storage.into());
    }
    condition(
        status,
        "NamesAccepted",
        "NoConflicts",
        "no conflicts found",
        now,
    );
    condition(
        status,
        "Established",
        "InitialNamesAccepted",
        "the initial names have been accepted",
        now,
    );
}

/// Marks a definition as going.
pub(crate) fn terminate(definition: &mut Value, now: &str) {
    let message = "CustomResource deletion is in progress";
    condition(
        member_mut(definition, "status"),
        "Terminating",
        "InstanceDeletionInProgress",
        message,
        now,
    );
}

fn condition(status: &mut Map<String, Value>, type_: &str, reason: &str, message: &str, now: &str) {
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    let Some(conditions) = conditions.as_array_mut() else {
        return;
    };
    if !conditions
        .iter()
        .any(|known| text(known, &["type"]) == Some(type_))
    {
        conditions.push(json!({
            "type": type_, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now,
        }));
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
        let errors = validate(&changed, Some(&definition()));
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
        let resources = compile(&definition()).unwrap();
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
    fn established_definition_says_so_once() {
        let mut definition = definition();
        establish(&mut definition, "now");
        let status = definition["status"].clone();
        assert_eq!(status["storedVersions"], json!(["v1"]));
        let types: Vec<_> = status["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["type"].clone())
            .collect();
        assert_eq!(types, ["NamesAccepted", "Established"]);
        establish(&mut definition, "later");
        assert_eq!(definition["status"], status);
    }
}
