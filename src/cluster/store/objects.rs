//! The objects of one type at one moment, in order, as a value that is cheap to copy.
//!
//! Moments share what they have in common: a change copies the way to one object, not the others.

use std::{ops::Bound, sync::Arc};

use rpds::RedBlackTreeMapSync;

use crate::cluster::object::{Object, ObjectName};

/// The objects of one type at one moment, by namespace and name.
#[derive(Clone, Default)]
pub(crate) struct Objects(RedBlackTreeMapSync<ObjectName, Arc<Object>>);

impl Objects {
    /// One object.
    pub(crate) fn get(&self, name: &ObjectName) -> Option<&Arc<Object>> {
        self.0.get(name)
    }

    /// All objects in the order of their names.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.0.values()
    }

    /// The objects of one namespace or all, in the order of their names, and only those after a name if there is one.
    pub(crate) fn range<'a>(
        &'a self,
        namespace: Option<&'a str>,
        after: Option<&ObjectName>,
    ) -> impl Iterator<Item = (&'a ObjectName, &'a Arc<Object>)> {
        let after =
            after.filter(|after| namespace.is_none_or(|wanted| *after.namespace >= *wanted));
        let start = match (after, namespace) {
            (Some(after), _) => Bound::Excluded(after.clone()),
            (None, Some(namespace)) => Bound::Included(ObjectName::new(namespace, "")),
            (None, None) => Bound::Unbounded,
        };
        let is_wanted = move |(name, _): &(&ObjectName, &Arc<Object>)| {
            namespace.is_none_or(|wanted| name.namespace == wanted)
        };
        self.0
            .range((start, Bound::Unbounded))
            .take_while(is_wanted)
    }

    /// Puts an object in its place, or leaves the place empty.
    pub(super) fn put(&mut self, name: &ObjectName, object: Option<Arc<Object>>) {
        match object {
            Some(object) => self.0.insert_mut(name.clone(), object),
            None => {
                self.0.remove_mut(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn objects(names: &[(&str, &str)]) -> Objects {
        let mut objects = Objects::default();
        for (namespace, name) in names {
            let object = Arc::new(Object::new(json!({"metadata": {"name": name}}), 1));
            objects.put(&ObjectName::new(namespace, name), Some(object));
        }
        objects
    }

    fn check(namespace: Option<&str>, after: Option<(&str, &str)>, expected: &[&str]) {
        let objects = objects(&[("b", "y"), ("a", "x"), ("c", "x"), ("b", "x"), ("b", "z")]);
        let after = after.map(|(namespace, name)| ObjectName::new(namespace, name));
        let found: Vec<String> = objects
            .range(namespace, after.as_ref())
            .map(|(name, _)| format!("{}/{}", name.namespace, name.name))
            .collect();
        assert_eq!(found, expected, "{namespace:?} {after:?}");
    }

    #[test]
    fn range_is_of_a_namespace_and_after_a_name() {
        check(None, None, &["a/x", "b/x", "b/y", "b/z", "c/x"]);
        check(None, Some(("b", "x")), &["b/y", "b/z", "c/x"]);
        check(Some("b"), None, &["b/x", "b/y", "b/z"]);
        check(Some("b"), Some(("b", "x")), &["b/y", "b/z"]);
        check(Some("b"), Some(("a", "x")), &["b/x", "b/y", "b/z"]);
        check(Some("b"), Some(("c", "x")), &[]);
        check(Some("d"), None, &[]);
        check(Some(""), None, &[]);
    }

    #[test]
    fn change_shares_all_other_objects() {
        let before = objects(&[("a", "x"), ("a", "y")]);
        let mut after = before.clone();
        after.put(&ObjectName::new("a", "x"), None);
        let y = ObjectName::new("a", "y");
        assert!(Arc::ptr_eq(before.get(&y).unwrap(), after.get(&y).unwrap()));
        assert_eq!((before.values().count(), after.values().count()), (2, 1));
    }
}
