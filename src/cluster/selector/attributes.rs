//! What selectors can ask of an object: its labels, and the few fields that any type is selected by.
//!
//! It is a small copy, so that an object can be selected when its parsed value is not at hand.

use serde_json::Value;

/// The fields that objects of every type are selected by.
pub(super) const OF_ALL: [&str; 2] = ["metadata.name", "metadata.namespace"];
/// The fields that Events are selected by besides, as they are stored.
pub(super) const OF_EVENTS: [&str; 11] = [
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source.component",
    "type",
];
/// The fields that Secrets are selected by besides.
pub(super) const OF_SECRETS: [&str; 1] = ["type"];
/// The fields that Namespaces are selected by besides.
pub(super) const OF_NAMESPACES: [&str; 1] = ["status.phase"];

/// The paths of all fields that objects of some type are selected by; the type of a Secret is where that of an Event is.
fn kept() -> impl Iterator<Item = &'static str> {
    OF_ALL.into_iter().chain(OF_EVENTS).chain(OF_NAMESPACES)
}

/// The labels and the selectable fields of one version of one object.
pub(crate) struct Attributes {
    labels: Box<[(Box<str>, Box<str>)]>,
    fields: Box<[(&'static str, Box<str>)]>,
}

impl Attributes {
    /// Copies them out of an object.
    pub(crate) fn of(object: &Value) -> Self {
        let labels = object
            .get("metadata")
            .and_then(|metadata| metadata.get("labels"))
            .and_then(Value::as_object);
        let labels = labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into())));
        let fields = kept().filter_map(|path| {
            let field = path
                .split('.')
                .try_fold(object, |value, name| value.get(name));
            Some((path, field?.as_str()?.into()))
        });
        Self {
            labels: labels.collect(),
            fields: fields.collect(),
        }
    }

    /// The value of a label.
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        let known = self.labels.iter().find(|(known, _)| **known == *key);
        known.map(|(_, value)| &**value)
    }

    /// The text at the path of a selectable field; a field that is missing is empty.
    pub(super) fn field(&self, path: &str) -> &str {
        let known = self.fields.iter().find(|(known, _)| *known == path);
        known.map_or("", |(_, value)| value)
    }

    /// Roughly the memory they take beside the structure itself, in bytes.
    pub(crate) fn size(&self) -> usize {
        let labels = self
            .labels
            .iter()
            .map(|(key, value)| key.len() + value.len());
        let fields = self.fields.iter().map(|(_, value)| value.len());
        size_of_val(&*self.labels)
            + size_of_val(&*self.fields)
            + labels.chain(fields).sum::<usize>()
    }
}
