//! The resource types that are part of Kubernetes and served here.
//!
//! A table; what is special about some of them is in `kinds`.

use super::{
    object::GroupResource,
    resource::{Origin, Resource},
};

struct Row {
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    short_names: &'static [&'static str],
    categories: &'static [&'static str],
    is_namespaced: bool,
    has_status: bool,
}

const PLAIN: Row = Row {
    group: "",
    kind: "",
    plural: "",
    short_names: &[],
    categories: &[],
    is_namespaced: true,
    has_status: false,
};

const ROWS: &[Row] = &[
    Row {
        kind: "ConfigMap",
        plural: "configmaps",
        short_names: &["cm"],
        ..PLAIN
    },
    Row {
        kind: "Event",
        plural: "events",
        short_names: &["ev"],
        ..PLAIN
    },
    Row {
        group: "events.k8s.io",
        kind: "Event",
        plural: "events",
        short_names: &["ev"],
        ..PLAIN
    },
    Row {
        kind: "Namespace",
        plural: "namespaces",
        short_names: &["ns"],
        is_namespaced: false,
        has_status: true,
        ..PLAIN
    },
    Row {
        kind: "Secret",
        plural: "secrets",
        ..PLAIN
    },
    Row {
        kind: "ServiceAccount",
        plural: "serviceaccounts",
        short_names: &["sa"],
        ..PLAIN
    },
    Row {
        group: "authorization.k8s.io",
        kind: "SelfSubjectAccessReview",
        plural: "selfsubjectaccessreviews",
        is_namespaced: false,
        ..PLAIN
    },
    Row {
        group: "authorization.k8s.io",
        kind: "SelfSubjectRulesReview",
        plural: "selfsubjectrulesreviews",
        is_namespaced: false,
        ..PLAIN
    },
    Row {
        group: "coordination.k8s.io",
        kind: "Lease",
        plural: "leases",
        ..PLAIN
    },
    Row {
        group: "apiextensions.k8s.io",
        kind: "CustomResourceDefinition",
        plural: "customresourcedefinitions",
        short_names: &["crd", "crds"],
        categories: &["api-extensions"],
        is_namespaced: false,
        has_status: true,
    },
];

/// The built-in types, all in version `v1`.
pub(crate) fn resources() -> impl Iterator<Item = Resource> {
    ROWS.iter().map(|row| Resource {
        group: row.group.to_owned(),
        version: "v1".to_owned(),
        kind: row.kind.to_owned(),
        list_kind: format!("{}List", row.kind),
        plural: row.plural.to_owned(),
        singular: row.kind.to_lowercase(),
        short_names: row
            .short_names
            .iter()
            .map(|&name| name.to_owned())
            .collect(),
        categories: row.categories.iter().map(|&name| name.to_owned()).collect(),
        is_namespaced: row.is_namespaced,
        has_status: row.has_status,
        origin: Origin::BuiltIn,
    })
}

/// The type of the definitions of custom resources.
pub(crate) fn definitions() -> GroupResource {
    GroupResource::new("apiextensions.k8s.io", "customresourcedefinitions")
}

/// The type of Events.
pub(crate) fn events() -> GroupResource {
    GroupResource::new("", "events")
}

/// The type of namespaces.
pub(crate) fn namespaces() -> GroupResource {
    GroupResource::new("", "namespaces")
}
