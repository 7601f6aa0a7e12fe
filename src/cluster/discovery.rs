//! Discovery documents: which groups, versions and resources there are, in both forms that clients ask for.
//!
//! Pure functions of the served resources; caching and answering are elsewhere, in `documents`.

use std::{cmp::Reverse, sync::Arc};

use kube::core::Version;
use serde_json::{Map, Value, json};

use super::resource::Resource;

/// The form of a discovery document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One document per group and version.
    Plain,
    /// All groups in one document, of `apidiscovery.k8s.io/v2`.
    AggregatedV2,
    /// The same as `v2beta1`, which older clients ask for.
    AggregatedV2Beta1,
}

/// Which groups an aggregated document is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The core group, at `/api`.
    Core,
    /// All named groups, at `/apis`.
    Named,
}

const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
const STATUS_VERBS: [&str; 3] = ["get", "patch", "update"];

impl Form {
    /// The form that an `Accept` header prefers among those for `/api` and `/apis`.
    pub(crate) fn accepted(accept: &str) -> Self {
        let forms = [Self::AggregatedV2, Self::AggregatedV2Beta1];
        accept
            .split(',')
            .find_map(|range| {
                let parts: Vec<&str> = range.split(';').map(str::trim).collect();
                let has = |part: &str| parts.contains(&part);
                if !has("application/json") && !has("*/*") {
                    return None;
                }
                if !has("as=APIGroupDiscoveryList") {
                    return Some(Self::Plain);
                }
                let is_ours = has("g=apidiscovery.k8s.io");
                forms
                    .into_iter()
                    .find(|form| is_ours && has(&format!("v={}", form.version())))
            })
            .unwrap_or(Self::Plain)
    }

    /// The content type of a document in this form; clients tell the forms apart by it.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Plain => "application/json",
            Self::AggregatedV2 => {
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
            }
            Self::AggregatedV2Beta1 => {
                "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
            }
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::Plain => "v1",
            Self::AggregatedV2 => "v2",
            Self::AggregatedV2Beta1 => "v2beta1",
        }
    }
}

/// `/api` in plain form; `address` is the host and port under which the server answers.
pub(crate) fn core_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": address }],
    })
}

/// `/apis` in plain form: every named group with its versions.
pub(crate) fn groups(resources: &[Arc<Resource>]) -> Value {
    let groups: Vec<Value> = group_names(resources, Part::Named)
        .into_iter()
        .map(|name| group_entry(resources, name))
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/{group}`: one group with its versions.
pub(crate) fn group(resources: &[Arc<Resource>], name: &str) -> Option<Value> {
    let is_known = !name.is_empty() && resources.iter().any(|known| known.group == name);
    is_known.then(|| {
        let mut entry = group_entry(resources, name);
        if let Value::Object(fields) = &mut entry {
            fields.insert("kind".to_owned(), "APIGroup".into());
            fields.insert("apiVersion".to_owned(), "v1".into());
        }
        entry
    })
}

/// `/api/v1` and `/apis/{group}/{version}`: the resources of one version.
pub(crate) fn version(resources: &[Arc<Resource>], group: &str, version: &str) -> Option<Value> {
    let mut entries = Vec::new();
    for resource in of_version(resources, group, version) {
        entries.push(resource_entry(resource));
        if resource.has_status {
            entries.push(json!({
                "name": format!("{}/status", resource.plural),
                "singularName": "",
                "namespaced": resource.is_namespaced,
                "kind": resource.kind,
                "verbs": STATUS_VERBS,
            }));
        }
    }
    (!entries.is_empty()).then(|| {
        json!({
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": group_version(group, version),
            "resources": entries,
        })
    })
}

/// `/api` and `/apis` in an aggregated form: all groups, versions and resources of a part.
pub(crate) fn aggregated(resources: &[Arc<Resource>], part: Part, form: Form) -> Value {
    let items: Vec<Value> = group_names(resources, part)
        .into_iter()
        .map(|group| {
            let versions: Vec<Value> = versions(resources, group)
                .into_iter()
                .map(|version| {
                    let resources: Vec<Value> = of_version(resources, group, version)
                        .map(aggregated_entry)
                        .collect();
                    json!({ "version": version, "freshness": "Current", "resources": resources })
                })
                .collect();
            let mut metadata = Map::from_iter([("creationTimestamp".to_owned(), Value::Null)]);
            if !group.is_empty() {
                metadata.insert("name".to_owned(), group.into());
            }
            json!({ "metadata": metadata, "versions": versions })
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{}", form.version()),
        "metadata": {},
        "items": items,
    })
}

/// The name of a group and version as `apiVersion` spells it.
pub(super) fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

fn group_names(resources: &[Arc<Resource>], part: Part) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for resource in resources {
        let name = resource.group.as_str();
        if name.is_empty() == (part == Part::Core) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The versions of a group, the preferred one first.
fn versions<'a>(resources: &'a [Arc<Resource>], group: &str) -> Vec<&'a str> {
    let of_group = resources.iter().filter(|known| known.group == group);
    let mut versions: Vec<&str> = of_group.map(|known| known.version.as_str()).collect();
    versions.sort_by_cached_key(|version| Reverse(Version::parse(version).priority()));
    versions.dedup();
    versions
}

fn of_version<'a>(
    resources: &'a [Arc<Resource>],
    group: &'a str,
    version: &'a str,
) -> impl Iterator<Item = &'a Resource> {
    resources
        .iter()
        .map(Arc::as_ref)
        .filter(move |known| known.group == group && known.version == version)
}

fn group_entry(resources: &[Arc<Resource>], name: &str) -> Value {
    let versions: Vec<Value> = versions(resources, name)
        .into_iter()
        .map(|version| json!({ "groupVersion": group_version(name, version), "version": version }))
        .collect();
    let preferred = versions.first().cloned();
    json!({ "name": name, "versions": versions, "preferredVersion": preferred })
}

fn resource_entry(resource: &Resource) -> Value {
    let mut entry = Map::new();
    entry.insert("name".to_owned(), resource.plural.as_str().into());
    entry.insert("singularName".to_owned(), resource.singular.as_str().into());
    entry.insert("namespaced".to_owned(), resource.is_namespaced.into());
    entry.insert("kind".to_owned(), resource.kind.as_str().into());
    entry.insert("verbs".to_owned(), verbs(resource).into());
    insert_names(resource, &mut entry);
    entry.into()
}

fn aggregated_entry(resource: &Resource) -> Value {
    let kind =
        json!({ "group": resource.group, "version": resource.version, "kind": resource.kind });
    let scope = if resource.is_namespaced {
        "Namespaced"
    } else {
        "Cluster"
    };
    let mut entry = Map::new();
    entry.insert("resource".to_owned(), resource.plural.as_str().into());
    entry.insert("responseKind".to_owned(), kind.clone());
    entry.insert("scope".to_owned(), scope.into());
    entry.insert(
        "singularResource".to_owned(),
        resource.singular.as_str().into(),
    );
    entry.insert("verbs".to_owned(), verbs(resource).into());
    insert_names(resource, &mut entry);
    if resource.has_status {
        let status =
            json!([{ "subresource": "status", "responseKind": kind, "verbs": STATUS_VERBS }]);
        entry.insert("subresources".to_owned(), status);
    }
    entry.into()
}

fn verbs(resource: &Resource) -> &'static [&'static str] {
    if resource.is_review() {
        &["create"]
    } else {
        &VERBS
    }
}

fn insert_names(resource: &Resource, entry: &mut Map<String, Value>) {
    if !resource.short_names.is_empty() {
        entry.insert(
            "shortNames".to_owned(),
            resource.short_names.as_slice().into(),
        );
    }
    if !resource.categories.is_empty() {
        entry.insert(
            "categories".to_owned(),
            resource.categories.as_slice().into(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::resource::Origin;

    fn resource(group: &str, version: &str, kind: &str, has_status: bool) -> Arc<Resource> {
        let singular = kind.to_lowercase();
        Arc::new(Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            list_kind: format!("{kind}List"),
            plural: format!("{singular}s"),
            singular,
            short_names: vec!["x".to_owned()],
            categories: Vec::new(),
            is_namespaced: has_status,
            has_status,
            origin: Origin::BuiltIn,
        })
    }

    fn served() -> Vec<Arc<Resource>> {
        vec![
            resource("", "v1", "Secret", false),
            resource("example.com", "v1beta1", "Thing", true),
            resource("example.com", "v1", "Thing", true),
            resource("example.com", "v1", "Other", false),
        ]
    }

    #[track_caller]
    fn check_accept(accept: &str, expected: Form) {
        assert_eq!(Form::accepted(accept), expected, "{accept}");
    }

    #[test]
    fn accept_header_picks_the_form() {
        let v2 = Form::AggregatedV2.content_type();
        let v2beta1 = Form::AggregatedV2Beta1.content_type();
        check_accept("", Form::Plain);
        check_accept("*/*", Form::Plain);
        check_accept(
            &format!("{v2},{v2beta1},application/json"),
            Form::AggregatedV2,
        );
        check_accept(
            &format!("{v2beta1}, application/json"),
            Form::AggregatedV2Beta1,
        );
        check_accept(
            "application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json",
            Form::Plain,
        );
        check_accept(
            "application/json, application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            Form::Plain,
        );
    }

    #[test]
    fn groups_prefer_their_stable_version() {
        let groups = groups(&served());
        assert_eq!(groups["groups"].as_array().map(Vec::len), Some(1));
        assert_eq!(
            groups["groups"][0]["preferredVersion"]["groupVersion"],
            "example.com/v1"
        );
        assert_eq!(groups["groups"][0]["versions"][1]["version"], "v1beta1");
        assert_eq!(
            group(&served(), "example.com").expect("is served")["kind"],
            "APIGroup"
        );
        assert_eq!(group(&served(), "other.com"), None);
        assert_eq!(group(&served(), ""), None);
    }

    #[test]
    fn status_is_listed_beside_its_resource() {
        let list = version(&served(), "example.com", "v1").expect("is served");
        assert_eq!(list["groupVersion"], "example.com/v1");
        let names: Vec<&str> = list["resources"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|one| one["name"].as_str())
            .collect();
        assert_eq!(names, ["things", "things/status", "others"]);
        assert_eq!(
            version(&served(), "", "v1").expect("is served")["groupVersion"],
            "v1"
        );
        assert_eq!(version(&served(), "example.com", "v2"), None);
    }

    #[test]
    fn aggregated_documents_hold_everything() {
        let core = aggregated(&served(), Part::Core, Form::AggregatedV2);
        assert_eq!(core["apiVersion"], "apidiscovery.k8s.io/v2");
        assert_eq!(
            core["items"][0]["metadata"],
            json!({ "creationTimestamp": null })
        );
        assert_eq!(
            core["items"][0]["versions"][0]["resources"][0]["resource"],
            "secrets"
        );
        let named = aggregated(&served(), Part::Named, Form::AggregatedV2Beta1);
        assert_eq!(named["apiVersion"], "apidiscovery.k8s.io/v2beta1");
        let group = &named["items"][0];
        assert_eq!(group["metadata"]["name"], "example.com");
        let thing = &group["versions"][0]["resources"][0];
        assert_eq!(thing["scope"], "Namespaced");
        assert_eq!(thing["shortNames"], json!(["x"]));
        assert_eq!(thing["subresources"][0]["subresource"], "status");
        assert_eq!(thing["responseKind"]["kind"], "Thing");
    }
}
