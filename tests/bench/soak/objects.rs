//! The objects that are written, and how the number of each is kept in it.
//!
//! The text made of a number is long enough to spread over pages of the database, so that half of one shows.

use hookgate::api::git_repository::GitRepository;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{Api, Client, ResourceExt as _, api::DynamicObject, core::ApiResource};
use serde_json::json;

use crate::journal::{Key, Kind, Version};

/// The object that all writers change.
pub(crate) const SHARED: &str = "shared";
/// The annotation with the text of the number.
pub(crate) const NUMBER: &str = "number";
/// The label with the name of the writer.
pub(crate) const WRITER: &str = "writer";

/// The type of a key's object.
pub(crate) fn resource(kind: Kind) -> ApiResource {
    match kind {
        Kind::Config | Kind::Shared => ApiResource::erase::<ConfigMap>(&()),
        Kind::Source => ApiResource::erase::<GitRepository>(&()),
        Kind::Namespace => ApiResource::erase::<Namespace>(&()),
    }
}

/// Where a key's object is.
pub(crate) fn api(client: &Client, key: &Key) -> Api<DynamicObject> {
    let resource = resource(key.kind);
    match key.kind {
        Kind::Namespace => Api::all_with(client.clone(), &resource),
        _ => Api::namespaced_with(client.clone(), &key.namespace, &resource),
    }
}

/// A new object for a key.
pub(crate) fn object(key: &Key, writer: &str, number: u64) -> DynamicObject {
    let mut object = DynamicObject::new(&key.name, &resource(key.kind));
    object
        .labels_mut()
        .insert(WRITER.to_owned(), writer.to_owned());
    object
        .annotations_mut()
        .insert(NUMBER.to_owned(), text(number));
    if key.kind != Kind::Namespace {
        object.metadata.namespace = Some(key.namespace.clone());
    }
    if key.kind == Kind::Source {
        object.data = json!({"spec": {"interval": "1h", "url": "https://example.org/x"}});
    }
    object
}

/// The text of a number: up to 4 kB.
pub(crate) fn text(number: u64) -> String {
    let length = usize::try_from(number % 4096).expect("it is small");
    format!("{number} {}", "x".repeat(length))
}

/// The number of a text; nothing when the text is not what [`text`] made.
pub(crate) fn number(found: &str) -> Option<u64> {
    let number = found.split(' ').next()?.parse().ok()?;
    (text(number) == found).then_some(number)
}

/// Which version of an object it is.
pub(crate) fn version(object: &DynamicObject) -> Option<Version> {
    Some(Version {
        revision: object.resource_version()?.parse().ok()?,
        uid: object.uid()?,
    })
}
