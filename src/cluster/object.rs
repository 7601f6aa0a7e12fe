//! A stored object: its parsed value and its JSON, made once and shared by every reader.
//!
//! It knows the parts all objects have in common; what a Secret or a custom resource means is elsewhere.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{reading::Readings, schema::Schema};

/// What a kind of object is called in storage: the API group and the plural, whatever the version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct GroupResource {
    /// The API group; empty for the core group.
    pub(crate) group: String,
    /// The plural, such as `secrets`.
    pub(crate) plural: String,
}

impl GroupResource {
    /// Names a resource type.
    pub(crate) fn new(group: &str, plural: &str) -> Self {
        Self {
            group: group.to_owned(),
            plural: plural.to_owned(),
        }
    }
}

impl fmt::Display for GroupResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group.as_str() {
            "" => f.write_str(&self.plural),
            group => write!(f, "{}.{group}", self.plural),
        }
    }
}

/// Where an object is within its type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectName {
    /// The namespace; empty for objects of the whole cluster.
    pub(crate) namespace: String,
    /// The name.
    pub(crate) name: String,
}

impl ObjectName {
    /// Names an object; the namespace is empty for objects of the whole cluster.
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Its type.
    pub(crate) resource: GroupResource,
    /// Its namespace and name.
    pub(crate) name: ObjectName,
}

/// How much of an object a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// `metadata` only, as `PartialObjectMetadata`.
    Metadata,
}

/// One version of one object. It has no `Debug`, for it may be a Secret.
pub(crate) struct Object {
    /// The object, with `metadata.resourceVersion`.
    pub(crate) value: Value,
    /// The change that made it what it is.
    pub(crate) revision: u64,
    whole: Bytes,
    metadata: OnceLock<Bytes>,
    readings: Readings,
}

impl Object {
    /// Makes the version of an object that the change `revision` leads to.
    pub(crate) fn new(mut value: Value, revision: u64) -> Self {
        metadata_mut(&mut value).insert(
            "resourceVersion".to_owned(),
            Value::String(revision.to_string()),
        );
        Self::of(value, revision)
    }

    /// The same object without a version, as a dry run shows what it did not store.
    pub(crate) fn unstored(&self) -> Self {
        let mut value = self.value.clone();
        metadata_mut(&mut value).remove("resourceVersion");
        Self::of(value, self.revision)
    }

    fn of(value: Value, revision: u64) -> Self {
        let whole = members(&value, Extent::Whole);
        Self {
            value,
            revision,
            whole,
            metadata: OnceLock::new(),
            readings: Readings::default(),
        }
    }

    /// The object as a schema reads it, which may have changed since the object was written.
    pub(crate) fn read_by(self: &Arc<Self>, schema: &Schema) -> Arc<Self> {
        self.readings.of(self, schema)
    }

    /// What is remembered of readings of the object.
    pub(crate) fn readings(&self) -> &Readings {
        &self.readings
    }

    /// The JSON members of the object without braces, `apiVersion` and `kind`; these three depend on who asks.
    pub(crate) fn members(&self, extent: Extent) -> Bytes {
        match extent {
            Extent::Whole => self.whole.clone(),
            Extent::Metadata => self
                .metadata
                .get_or_init(|| members(&self.value, Extent::Metadata))
                .clone(),
        }
    }

    /// The same object as the change `revision` found it last, for those who must be told that it is gone.
    pub(crate) fn departed(&self, revision: u64) -> Self {
        Self::new(self.value.clone(), revision)
    }

    /// Roughly the memory it takes, in bytes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.whole.len() + heap(&self.value)
    }
}

/// The opening of an object's JSON up to its members: the brace, `apiVersion` and `kind`.
pub(crate) fn head(api_version: &str, kind: &str) -> String {
    format!(
        "{{\"apiVersion\":{},\"kind\":{},",
        Value::from(api_version),
        Value::from(kind)
    )
}

/// The text at a path of member names, or nothing.
pub(crate) fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter()
        .try_fold(value, |value, key| value.get(key))?
        .as_str()
}

/// The object's `metadata`, made when it has none.
pub(crate) fn metadata_mut(value: &mut Value) -> &mut Map<String, Value> {
    member_mut(value, "metadata")
}

/// The member `name` as a map; anything that is not a map is replaced by an empty one.
pub(crate) fn member_mut<'a>(value: &'a mut Value, name: &str) -> &'a mut Map<String, Value> {
    as_map(as_map(value).entry(name).or_insert(Value::Null))
}

/// The value as a map; anything that is not a map is replaced by an empty one.
pub(crate) fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it has just been made a map"),
    }
}

/// The texts of a list of texts; nothing when there is no such list.
pub(crate) fn texts<'a>(value: &'a Value, path: &[&str]) -> Vec<&'a str> {
    let list = path
        .iter()
        .try_fold(value, |value, key| value.get(key))
        .and_then(Value::as_array);
    list.map(|list| list.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

/// Roughly the heap of a value, in bytes. Small maps weigh most, for a node of a map has room for eleven members.
fn heap(value: &Value) -> usize {
    const ROOM: usize = 11;
    const NODE: usize = ROOM * (size_of::<String>() + size_of::<Value>());
    match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values
            .iter()
            .map(|value| size_of::<Value>() + heap(value))
            .sum(),
        Value::Object(map) => {
            let members = map.iter().map(|(key, value)| key.len() + heap(value));
            map.len().div_ceil(ROOM) * NODE + members.sum::<usize>()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// The JSON members of an object without braces, `apiVersion` and `kind`.
pub(crate) fn members(value: &Value, extent: Extent) -> Bytes {
    let is_wanted = |key: &str| match extent {
        Extent::Whole => key != "apiVersion" && key != "kind",
        Extent::Metadata => key == "metadata",
    };
    let mut json = String::new();
    for (key, value) in value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| is_wanted(key))
    {
        if !json.is_empty() {
            json.push(',');
        }
        json.push_str(&Value::from(key.as_str()).to_string());
        json.push(':');
        json.push_str(&value.to_string());
    }
    Bytes::from(json)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn small_maps_weigh_more_than_their_text() {
        let object = Object::new(json!({"spec": {"ref": {"branch": "main"}}}), 1);
        let text = object.value.to_string();
        assert!(object.size() > 4 * 500, "{} for {text}", object.size());
    }

    #[test]
    fn long_texts_weigh_twice_as_value_and_as_json() {
        let object = Object::new(json!({"data": "x".repeat(100_000)}), 1);
        assert!(
            (200_000..203_000).contains(&object.size()),
            "{}",
            object.size()
        );
    }
}
