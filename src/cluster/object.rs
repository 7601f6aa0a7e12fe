//! A stored object, and where it is.
//!
//! It knows the parts all objects have in common; what a Secret or a custom resource means is elsewhere.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

use super::{record::Record, schema::Schema};

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
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Its type.
    pub(crate) resource: GroupResource,
    /// Its namespace and name.
    pub(crate) name: ObjectName,
}

/// One version of one object. It has no `Debug`, for it may be a Secret.
pub(crate) struct Object {
    /// The object, with `metadata.resourceVersion`.
    pub(crate) value: Value,
    /// The same as JSON.
    pub(crate) record: Arc<Record>,
}

impl Object {
    /// Makes the version of an object that the change `revision` leads to.
    pub(crate) fn new(mut value: Value, revision: u64) -> Self {
        set_revision(&mut value, revision);
        Self::of(value, revision)
    }

    /// The same object without a version, as a dry run shows what it did not store.
    pub(crate) fn unstored(&self) -> Self {
        let mut value = self.value.clone();
        metadata_mut(&mut value).remove("resourceVersion");
        Self::of(value, self.revision())
    }

    /// The change that made it what it is.
    pub(crate) fn revision(&self) -> u64 {
        self.record.revision
    }

    fn of(value: Value, revision: u64) -> Self {
        let record = Arc::new(Record::of(&value, revision));
        Self { value, record }
    }

    /// The object as a schema reads it, which may have changed since the object was written.
    pub(crate) fn read_by(self: &Arc<Self>, schema: &Schema) -> Arc<Self> {
        let reading = self.record.read_by(schema);
        if Arc::ptr_eq(&reading, &self.record) {
            return Arc::clone(self);
        }
        Arc::new(reading.into())
    }
}

impl From<Arc<Record>> for Object {
    fn from(record: Arc<Record>) -> Self {
        let value = record.value();
        Self { value, record }
    }
}

/// Makes `revision` the object's resourceVersion.
pub(super) fn set_revision(value: &mut Value, revision: u64) {
    metadata_mut(value).insert("resourceVersion".to_owned(), revision.to_string().into());
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

/// The most levels of objects and lists in an object: as many as there may be in JSON that is read.
pub(crate) const DEEPEST: usize = 127;

/// Whether no object or list in the value is deeper than `levels`, itself included.
pub(crate) fn nests_within(value: &Value, levels: usize) -> bool {
    let is_leaf = !value.is_object() && !value.is_array();
    let Some(below) = levels.checked_sub(1).filter(|_| !is_leaf) else {
        return is_leaf;
    };
    let mut members = value.as_object().into_iter().flatten();
    let mut items = value.as_array().into_iter().flatten();
    members.all(|(_, member)| nests_within(member, below))
        && items.all(|item| nests_within(item, below))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn levels_are_counted() {
        assert!(nests_within(&json!("x"), 0));
        for (value, levels) in [
            (json!({}), 1),
            (json!([1, 2]), 1),
            (json!({"a": 1, "b": [{}]}), 3),
        ] {
            assert!(nests_within(&value, levels), "{value}");
            assert!(!nests_within(&value, levels - 1), "{value}");
        }
    }

    #[test]
    fn deepest_value_is_the_deepest_that_can_be_read() {
        let read = |levels: usize| {
            let json = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
            serde_json::from_str::<Value>(&json)
        };
        assert!(nests_within(&read(DEEPEST).unwrap(), DEEPEST));
        read(DEEPEST + 1).unwrap_err();
    }
}
