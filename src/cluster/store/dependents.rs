//! Which objects name an owner, by the uid of the owner, so that nobody has to look through all objects.
//!
//! It knows the references, not what becomes of a dependent.

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use serde_json::Value;

use crate::cluster::object::{Key, Object, text};

/// The dependents of all owners, as a value that is cheap to copy.
#[derive(Clone, Default)]
pub(super) struct Dependents(RedBlackTreeMapSync<String, RedBlackTreeSetSync<Key>>);

impl Dependents {
    /// The objects that name the owner with this uid, in order.
    pub(super) fn of(&self, owner: &str) -> impl Iterator<Item = &Key> {
        self.0.get(owner).into_iter().flatten()
    }

    /// Takes notice of a change of one object.
    pub(super) fn change(&mut self, key: &Key, before: Option<&Object>, after: Option<&Object>) {
        for owner in before.into_iter().flat_map(owners) {
            let Some(left) = self.0.get(owner).map(|known| known.remove(key)) else {
                continue;
            };
            if left.is_empty() {
                self.0.remove_mut(owner);
            } else {
                self.0.insert_mut(owner.to_owned(), left);
            }
        }
        for owner in after.into_iter().flat_map(owners) {
            let mut known = self.0.get(owner).cloned().unwrap_or_default();
            known.insert_mut(key.clone());
            self.0.insert_mut(owner.to_owned(), known);
        }
    }
}

fn owners(object: &Object) -> impl Iterator<Item = &str> {
    let references = object.value.pointer("/metadata/ownerReferences");
    let references = references.and_then(Value::as_array).into_iter().flatten();
    references.filter_map(|reference| text(reference, &["uid"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::object::{GroupResource, ObjectName};

    fn key(name: &str) -> Key {
        Key {
            resource: GroupResource::new("", "configmaps"),
            name: ObjectName::new("default", name),
        }
    }

    fn owned_by(owners: &[&str]) -> Object {
        let references: Vec<Value> = owners.iter().map(|uid| json!({"uid": uid})).collect();
        Object::new(json!({"metadata": {"ownerReferences": references}}), 1)
    }

    fn names<'a>(dependents: &'a Dependents, owner: &str) -> Vec<&'a str> {
        let keys = dependents.of(owner);
        keys.map(|key| key.name.name.as_str()).collect()
    }

    #[test]
    fn dependents_follow_the_references() {
        let mut all = Dependents::default();
        let (one, both) = (owned_by(&["1"]), owned_by(&["1", "2"]));
        all.change(&key("b"), None, Some(&both));
        all.change(&key("a"), None, Some(&one));
        assert_eq!(names(&all, "1"), ["a", "b"]);
        assert_eq!(names(&all, "2"), ["b"]);
        let before = all.clone();
        all.change(&key("b"), Some(&both), Some(&one));
        all.change(&key("a"), Some(&one), None);
        assert_eq!(names(&all, "1"), ["b"]);
        assert!(names(&all, "2").is_empty());
        assert_eq!(all.0.size(), 1, "an owner without dependents is forgotten");
        assert_eq!(names(&before, "1"), ["a", "b"]);
    }
}
