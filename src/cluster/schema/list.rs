//! Lists whose items have an identity: sets, and maps written as lists.
//!
//! It finds items twice and the item of before; merging such lists is not done here.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::{
    error::FieldError,
    node::{ListType, Node, child, index},
};

/// Finds items of sets and list-maps whose identity appears more than once.
pub(super) fn duplicates(root: &Node, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    search(root, object, "", &mut errors);
    errors
}

/// The items of an old list-map by their keys.
#[derive(Default)]
pub(super) struct ByKey<'a> {
    keys: &'a [String],
    items: HashMap<String, &'a Value>,
}

/// Indexes the items of an old list-map.
pub(super) fn by_key<'a>(keys: &'a [String], old: Option<&'a Value>) -> ByKey<'a> {
    let items = old.and_then(Value::as_array).into_iter().flatten();
    ByKey {
        keys,
        items: items
            .map(|item| (identity(keys, item).to_string(), item))
            .collect(),
    }
}

impl<'a> ByKey<'a> {
    /// The old item with the keys of this one.
    pub(super) fn of(&self, item: &Value) -> Option<&'a Value> {
        if self.items.is_empty() {
            return None;
        }
        self.items
            .get(&identity(self.keys, item).to_string())
            .copied()
    }
}

fn search(node: &Node, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    match value {
        Value::Array(items) => {
            let mut seen = HashSet::new();
            for (position, item) in items.iter().enumerate() {
                let path = index(path, position);
                let identity = match &node.list {
                    ListType::Atomic => None,
                    ListType::Set => Some(item.clone()),
                    ListType::Map(keys) => Some(identity(keys, item)),
                };
                if let Some(identity) = identity
                    && !seen.insert(identity.to_string())
                {
                    errors.push(FieldError::duplicate(path.as_str(), &identity));
                }
                if let Some(of_item) = &node.items {
                    search(of_item, item, &path, errors);
                }
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(of_field) = node.field(name) {
                    search(of_field, value, &child(path, name), errors);
                }
            }
        }
        _ => {}
    }
}

fn identity(keys: &[String], item: &Value) -> Value {
    let fields: Map<String, Value> = keys
        .iter()
        .filter_map(|key| Some((key.clone(), item.get(key)?.clone())))
        .collect();
    Value::Object(fields)
}
