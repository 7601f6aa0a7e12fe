//! Brings built-in objects and all metadata into the form their types have: unknown fields go, wrong types are refused.
//!
//! The types are those of `k8s-openapi`. Custom fields are the business of schemas.

use k8s_openapi::{
    api::{
        authorization::v1::{SelfSubjectAccessReview, SelfSubjectRulesReview},
        coordination::v1::Lease,
        core::v1::{ConfigMap, Event, Namespace, Secret, ServiceAccount},
        events,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{object::GroupResource, status::Failure};

/// Normalises an object of a built-in type and returns the paths of the fields that the type does not have.
pub(crate) fn object(resource: &GroupResource, value: &mut Value) -> Result<Vec<String>, Failure> {
    let normalise = match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "configmaps") => through::<ConfigMap>,
        ("", "events") => through::<Event>,
        ("events.k8s.io", "events") => through::<events::v1::Event>,
        ("", "namespaces") => through::<Namespace>,
        ("", "secrets") => through::<Secret>,
        ("", "serviceaccounts") => through::<ServiceAccount>,
        ("coordination.k8s.io", "leases") => through::<Lease>,
        ("authorization.k8s.io", "selfsubjectaccessreviews") => through::<SelfSubjectAccessReview>,
        ("authorization.k8s.io", "selfsubjectrulesreviews") => through::<SelfSubjectRulesReview>,
        ("apiextensions.k8s.io", "customresourcedefinitions") => {
            through::<CustomResourceDefinition>
        }
        _ => return Err(Failure::internal(format!("`{resource}` has no type"))),
    };
    normalise(value).map_err(Failure::bad_request)
}

/// Normalises the metadata of an object of any type and returns the paths of the fields that metadata does not have.
pub(crate) fn metadata(value: &mut Value) -> Result<Vec<String>, Failure> {
    let Some(metadata) = value.get_mut("metadata") else {
        return Ok(Vec::new());
    };
    let unknown = through::<ObjectMeta>(metadata)
        .map_err(|error| Failure::bad_request(format!("metadata: {error}")))?;
    Ok(unknown
        .into_iter()
        .map(|path| format!("metadata.{path}"))
        .collect())
}

fn through<T: DeserializeOwned + Serialize>(value: &mut Value) -> Result<Vec<String>, String> {
    let typed: T = T::deserialize(&*value).map_err(|error| error.to_string())?;
    let normal = serde_json::to_value(typed).map_err(|error| error.to_string())?;
    let mut unknown = Vec::new();
    lost(value, &normal, "", &mut unknown);
    *value = normal;
    Ok(unknown)
}

/// Lists the paths that have a value in `given` and none in `kept`.
fn lost(given: &Value, kept: &Value, path: &str, unknown: &mut Vec<String>) {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => {
            for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                match kept.get(key) {
                    Some(kept) => lost(value, kept, &path, unknown),
                    None => unknown.push(path),
                }
            }
        }
        (Value::Array(given), Value::Array(kept)) => {
            for (index, (given, kept)) in given.iter().zip(kept).enumerate() {
                lost(given, kept, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets(value: &mut Value) -> Result<Vec<String>, Failure> {
        object(&GroupResource::new("", "secrets"), value)
    }

    #[test]
    fn unknown_fields_go_and_are_named() {
        let mut value = json!({"metadata": {"name": "x", "foo": 1}, "dat": {"a": "b"}, "data": {"k": "dg=="}, "type": null});
        assert_eq!(secrets(&mut value).unwrap(), ["dat", "metadata.foo"]);
        let expected = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"k": "dg=="}});
        assert_eq!(value, expected);
    }

    #[test]
    fn wrong_types_are_refused() {
        assert_eq!(
            secrets(&mut json!({"metadata": {}, "data": {"k": "not base64!"}}))
                .unwrap_err()
                .code,
            400
        );
        assert_eq!(
            metadata(&mut json!({"metadata": {"labels": {"a": 1}}}))
                .unwrap_err()
                .code,
            400
        );
    }

    #[test]
    fn metadata_of_custom_objects_is_normalised_alone() {
        let mut value = json!({"metadata": {"name": "x", "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "n", "uid": "u", "x": 1}]}, "spec": {"y": 1}});
        assert_eq!(
            metadata(&mut value).unwrap(),
            ["metadata.ownerReferences[0].x"]
        );
        assert_eq!(value["spec"], json!({"y": 1}));
    }
}
