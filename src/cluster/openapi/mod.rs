//! OpenAPI v3 documents of the served resources, for `kubectl apply`, `explain` and other clients.
//!
//! Pure functions of the registry. Built-in kinds are described by a data file, which nothing is validated with.

mod paths;
mod schemas;
pub(crate) mod v2;

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use serde_json::{Map, Value, json};

use self::{paths::add_paths, schemas::add_schemas};
use super::{
    discovery::group_version,
    resource::{Origin, Resource},
};

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

#[cfg(test)]
mod tests {
    use super::{
        paths::{PATCHES, STRATEGIC_PATCH},
        schemas::{BUILT_IN, METADATA, REFERENCE, reference, schema_name},
        *,
    };
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
