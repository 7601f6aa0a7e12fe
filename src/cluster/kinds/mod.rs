//! What is special about some built-in kinds: what the server fills in, and what it refuses.
//!
//! Pure functions of objects. Custom kinds have schemas instead.

use serde_json::Value;

use super::{object::GroupResource, schema::FieldError};

mod config;
pub(crate) mod definition;
pub(crate) mod event;
pub(crate) mod event_view;
pub(crate) mod namespace;

/// Fills in what the server adds to an object; `live` is the stored version of a changed object.
pub(crate) fn prepare(resource: &GroupResource, value: &mut Value, live: Option<&Value>) {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "secrets") => config::prepare_secret(value, live),
        ("", "namespaces") => namespace::prepare(value, live),
        ("apiextensions.k8s.io", "customresourcedefinitions") => definition::prepare(value),
        _ => {}
    }
}

/// Says what is wrong with an object of a built-in kind.
pub(crate) fn validate(
    resource: &GroupResource,
    value: &Value,
    live: Option<&Value>,
) -> Vec<FieldError> {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "secrets") => config::validate_secret(value, live),
        ("", "configmaps") => config::validate_config_map(value, live),
        ("", "events") => event::validate(value),
        ("coordination.k8s.io", "leases") => event::validate_lease(value),
        ("apiextensions.k8s.io", "customresourcedefinitions") => definition::validate(value, live),
        _ => Vec::new(),
    }
}

/// Whether `generation` counts the changes of an object's specification.
pub(crate) fn has_generation(resource: &GroupResource) -> bool {
    // Of the built-in kinds that are served, only definitions count.
    resource.group == "apiextensions.k8s.io"
}
