//! Strategic merge patches of the built-in kinds: maps merge, and a few lists by key or as sets.
//!
//! Which lists those are is a short table here, for the kinds that are served; all other lists are replaced.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::cluster::{object::as_map, status::Failure};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ELEMENT_ORDER: &str = "$setElementOrder/";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList/";

/// How the items of a list are matched with those of a patch.
#[derive(Clone, Copy)]
enum Strategy {
    Replace,
    Set,
    Key(&'static str),
}

impl Strategy {
    /// The strategy of a list by the field it is in, and the field around that.
    fn of(parent: &str, field: &str) -> Self {
        match (parent, field) {
            ("metadata", "ownerReferences") => Self::Key("uid"),
            ("metadata", "finalizers") => Self::Set,
            ("", "secrets") => Self::Key("name"),
            ("status", "conditions") => Self::Key("type"),
            _ => Self::Replace,
        }
    }

    /// What an item is known by; nothing when it lacks the key.
    fn identity(self, item: &Value) -> Option<&Value> {
        match self {
            Self::Key(key) => item.get(key),
            Self::Set | Self::Replace => Some(item),
        }
    }

    fn position(self, list: &[Value], item: &Value) -> Option<usize> {
        let wanted = self.identity(item)?;
        list.iter()
            .position(|known| self.identity(known) == Some(wanted))
    }
}

/// Applies a patch to an object.
pub(super) fn apply(value: &mut Value, patch: &Value) -> Result<(), Failure> {
    let patch = patch
        .as_object()
        .ok_or_else(|| Failure::bad_request("the patch is not an object"))?;
    merge(as_map(value), patch, "")
}

fn merge(
    original: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    field: &str,
) -> Result<(), Failure> {
    match directive(patch)? {
        Directive::Merge => {}
        Directive::Delete => {
            original.clear();
            return Ok(());
        }
        Directive::Replace => original.clear(),
    }
    if let Some(kept) = patch.get(RETAIN_KEYS) {
        let kept = list(RETAIN_KEYS, kept)?;
        original.retain(|key, _| kept.iter().any(|name| name == key));
    }
    for (key, change) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        let order = patch.get(&format!("{SET_ELEMENT_ORDER}{key}"));
        merge_member(original, key, change, order, field)?;
    }
    for (key, directive) in patch {
        if let Some(key) = key.strip_prefix(DELETE_FROM_LIST) {
            let gone = list(DELETE_FROM_LIST, directive)?;
            if let Some(items) = original.get_mut(key).and_then(Value::as_array_mut) {
                items.retain(|item| !gone.contains(item));
            }
        }
        if let Some(key) = key
            .strip_prefix(SET_ELEMENT_ORDER)
            .filter(|key| !patch.contains_key(*key))
        {
            reorder(
                original,
                key,
                list(SET_ELEMENT_ORDER, directive)?,
                Strategy::of(field, key),
            );
        }
    }
    Ok(())
}

fn merge_member(
    original: &mut Map<String, Value>,
    key: &str,
    change: &Value,
    order: Option<&Value>,
    field: &str,
) -> Result<(), Failure> {
    match (change, Strategy::of(field, key)) {
        (Value::Null, _) => {
            original.remove(key);
        }
        (Value::Object(change), _) => {
            let member = original.entry(key).or_insert(Value::Null);
            merge(as_map(member), change, key)?;
        }
        (Value::Array(change), strategy @ (Strategy::Set | Strategy::Key(_))) => {
            let before = original
                .get(key)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            let order = order
                .map(|order| list(SET_ELEMENT_ORDER, order))
                .transpose()?;
            let merged = merge_list(&before, change, strategy, key)?;
            original.insert(
                key.to_owned(),
                ordered(merged, &before, order.unwrap_or(change), strategy).into(),
            );
        }
        (change, _) => {
            original.insert(key.to_owned(), change.clone());
        }
    }
    Ok(())
}

fn merge_list(
    before: &[Value],
    patch: &[Value],
    strategy: Strategy,
    field: &str,
) -> Result<Vec<Value>, Failure> {
    let mut merged = before.to_vec();
    let is_replaced = |item: &Value| item.get(PATCH).is_some_and(|value| value == "replace");
    if patch.iter().any(is_replaced) {
        let kept = patch.iter().filter(|item| !is_replaced(item));
        return Ok(kept.cloned().collect());
    }
    for item in patch {
        if strategy.identity(item).is_none() {
            let message = format!("an item of {field} in the patch does not contain its merge key");
            return Err(Failure::bad_request(message));
        }
        let position = strategy.position(&merged, item);
        let Some(change) = item.as_object() else {
            if position.is_none() {
                merged.push(item.clone());
            }
            continue;
        };
        let is_deleted = matches!(directive(change)?, Directive::Delete);
        match position {
            Some(index) if is_deleted => drop(merged.remove(index)),
            None if is_deleted => {}
            Some(index) => {
                if let Some(known) = merged.get_mut(index) {
                    merge(as_map(known), change, field)?;
                }
            }
            None => {
                let mut new = Map::new();
                merge(&mut new, change, field)?;
                merged.push(Value::Object(new));
            }
        }
    }
    Ok(merged)
}

fn reorder(original: &mut Map<String, Value>, key: &str, order: &[Value], strategy: Strategy) {
    if let Some(items) = original.get_mut(key).and_then(Value::as_array_mut) {
        let before = items.clone();
        *items = ordered(std::mem::take(items), &before, order, strategy);
    }
}

/// Puts the items that the patch names into its order, and each other item before the first named one
/// that it stood before.
fn ordered(items: Vec<Value>, before: &[Value], order: &[Value], strategy: Strategy) -> Vec<Value> {
    let (mut named, mut others): (Vec<Value>, Vec<Value>) = items
        .into_iter()
        .partition(|item| strategy.position(order, item).is_some());
    named.sort_by_key(|item| strategy.position(order, item));
    others.sort_by_key(|item| strategy.position(before, item));
    let mut others = others.into_iter().peekable();
    let mut result = Vec::new();
    for item in named {
        let place = strategy.position(before, &item);
        while let Some(other) =
            others.next_if(|other| place.is_some() && strategy.position(before, other) < place)
        {
            result.push(other);
        }
        result.push(item);
    }
    result.extend(others);
    let mut seen = HashSet::new();
    result.retain(|item| !matches!(strategy, Strategy::Set) || seen.insert(item.to_string()));
    result
}

enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(patch: &Map<String, Value>) -> Result<Directive, Failure> {
    match patch
        .get(PATCH)
        .map(|value| value.as_str().unwrap_or_default())
    {
        None | Some("merge") => Ok(Directive::Merge),
        Some("replace") => Ok(Directive::Replace),
        Some("delete") => Ok(Directive::Delete),
        Some(other) => Err(Failure::bad_request(format!(
            "unknown {PATCH} directive {other:?} in the patch"
        ))),
    }
}

fn list<'a>(directive: &str, value: &'a Value) -> Result<&'a [Value], Failure> {
    let list = value.as_array().map(Vec::as_slice);
    list.ok_or_else(|| {
        Failure::bad_request(format!(
            "the directive {directive} in the patch is not a list"
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(mut value: Value, patch: &Value, expected: &Value) {
        apply(&mut value, patch).unwrap();
        assert_eq!(&value, expected, "{patch}");
    }

    #[test]
    fn maps_merge_and_null_deletes() {
        check(
            json!({"data": {"a": "1", "b": "2"}, "x": [1, 2]}),
            &json!({"data": {"b": null, "c": "3"}, "x": [3], "new": {"y": null, "z": 1}}),
            &json!({"data": {"a": "1", "c": "3"}, "x": [3], "new": {"z": 1}}),
        );
    }

    #[test]
    fn finalizers_are_a_set() {
        let object = |finalizers: Value| json!({"metadata": {"finalizers": finalizers}});
        check(
            object(json!(["a", "b"])),
            &object(json!(["b", "c"])),
            &object(json!(["a", "b", "c"])),
        );
        check(
            object(json!(["a", "b"])),
            &json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}),
            &object(json!(["b"])),
        );
        check(
            object(json!(["a", "b", "c"])),
            &json!({"metadata": {"$setElementOrder/finalizers": ["c", "d", "a"], "finalizers": ["d"]}}),
            &object(json!(["b", "c", "d", "a"])),
        );
    }

    #[test]
    fn other_lists_are_replaced() {
        let object = |name: &str| json!({"imagePullSecrets": [{"name": name}]});
        check(object("a"), &object("b"), &object("b"));
    }

    #[test]
    fn lists_merge_by_key() {
        let references = |list: Value| json!({"secrets": list});
        check(
            references(json!([{"name": "a", "x": 1}, {"name": "b"}])),
            &references(
                json!([{"name": "a", "y": 2}, {"name": "b", "$patch": "delete"}, {"name": "c"}]),
            ),
            &references(json!([{"name": "a", "x": 1, "y": 2}, {"name": "c"}])),
        );
        check(
            references(json!([{"name": "a"}])),
            &references(json!([{"name": "b"}])),
            &references(json!([{"name": "b"}, {"name": "a"}])),
        );
        check(
            references(json!([{"name": "a"}])),
            &references(json!([{"name": "b"}, {"$patch": "replace"}])),
            &references(json!([{"name": "b"}])),
        );
        check(
            references(json!([{"name": "a"}, {"name": "b"}])),
            &json!({"$setElementOrder/secrets": [{"name": "b"}, {"name": "a"}]}),
            &references(json!([{"name": "b"}, {"name": "a"}])),
        );
    }

    #[test]
    fn directives_of_maps() {
        check(
            json!({"data": {"a": 1}}),
            &json!({"data": {"$patch": "replace", "b": 2}}),
            &json!({"data": {"b": 2}}),
        );
        check(
            json!({"data": {"a": 1}}),
            &json!({"data": {"$patch": "delete"}}),
            &json!({"data": {}}),
        );
        check(
            json!({"data": {"a": 1, "b": 2}}),
            &json!({"data": {"$retainKeys": ["b", "c"], "c": 3}}),
            &json!({"data": {"b": 2, "c": 3}}),
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for patch in [
            json!([]),
            json!({"$patch": "dance"}),
            json!({"secrets": [{"x": 1}]}),
            json!({"$retainKeys": 1}),
        ] {
            assert_eq!(
                apply(&mut json!({}), &patch).unwrap_err().code,
                400,
                "{patch}"
            );
        }
    }
}
