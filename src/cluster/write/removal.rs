//! What goes when something goes: the content of namespaces, the objects of definitions, dependents of owners.
//!
//! All of it happens in the transaction of the deletion; finalizers are waited for everywhere.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::metadata;
use crate::cluster::{
    builtin,
    kinds::{self, definition, namespace},
    object::{GroupResource, Key, ObjectName, metadata_mut, text, texts},
    registry::Registry,
    resource::Origin,
    store::Transaction,
};

/// What happens to the dependents of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dependents {
    /// They are deleted, unless another owner is left.
    Delete,
    /// They stay and lose the owner.
    Orphan,
}

/// Deletions within one transaction.
pub(super) struct Removal<'r, 's> {
    transaction: &'r mut Transaction<'s>,
    registry: &'r Registry,
    now: &'r str,
}

impl<'r, 's> Removal<'r, 's> {
    /// Deletes within a transaction.
    pub(super) fn new(
        transaction: &'r mut Transaction<'s>,
        registry: &'r Registry,
        now: &'r str,
    ) -> Self {
        Self {
            transaction,
            registry,
            now,
        }
    }

    /// Deletes an object, or marks it as going while something holds it.
    pub(super) fn delete(&mut self, key: &Key, dependents: Dependents) {
        let Some(live) = self.transaction.object(key) else {
            return;
        };
        if dependents == Dependents::Orphan {
            let owner = text(&live.value, &["metadata", "uid"]).unwrap_or_default();
            self.disown(&HashSet::from([owner.to_owned()]), Dependents::Orphan);
        }
        let is_container = is_container(&key.resource);
        if !is_container && texts(&live.value, &["metadata", "finalizers"]).is_empty() {
            self.transaction.remove(key);
            return;
        }
        if !metadata::is_deleted(&live.value) {
            let value = self.marked(key, live.value.clone());
            self.transaction.put(key, value);
        }
        if is_container {
            self.empty(key, &live.value);
        }
    }

    /// Removes what the changes so far leave without a reason to stay, until nothing more goes.
    pub(super) fn settle(&mut self) {
        let mut seen = 0;
        loop {
            let mut owners = HashSet::new();
            let mut containers = HashSet::new();
            for change in self.transaction.changes().iter().skip(seen) {
                containers.extend(containers_of(&change.key));
                if let (None, Some(gone)) = (&change.current, &change.previous) {
                    owners.extend(text(&gone.value, &["metadata", "uid"]).map(str::to_owned));
                }
            }
            seen = self.transaction.changes().len();
            for key in containers {
                let live = self
                    .transaction
                    .object(&key)
                    .filter(|live| metadata::is_deleted(&live.value));
                if live
                    .is_some_and(|live| is_free(self.transaction, self.registry, &key, &live.value))
                {
                    self.transaction.remove(&key);
                }
            }
            if !owners.is_empty() {
                self.disown(&owners, Dependents::Delete);
            }
            if self.transaction.changes().len() == seen {
                return;
            }
        }
    }

    fn marked(&self, key: &Key, mut value: Value) -> Value {
        metadata::mark_deleted(&mut value, self.now);
        let is_custom = self.registry.resources().iter().any(|known| {
            known.group_resource() == key.resource && matches!(known.origin, Origin::Custom(_))
        });
        if is_custom || kinds::has_generation(&key.resource) {
            metadata::next_generation(&mut value);
        }
        if key.resource == builtin::namespaces() {
            namespace::terminate(&mut value);
        } else if key.resource == builtin::definitions() {
            definition::terminate(&mut value, self.now);
        }
        value
    }

    /// Deletes what is in a namespace, or the objects of a definition.
    fn empty(&mut self, container: &Key, value: &Value) {
        for (resource, namespace) in content(self.registry, container, value) {
            let objects = self.transaction.objects(&resource);
            for (name, _) in objects.range(namespace.as_deref(), None) {
                let (resource, name) = (resource.clone(), name.clone());
                self.delete(&Key { resource, name }, Dependents::Delete);
            }
        }
    }

    /// Does with the dependents of owners what becomes of them.
    fn disown(&mut self, owners: &HashSet<String>, dependents: Dependents) {
        let keys = owners
            .iter()
            .flat_map(|owner| self.transaction.dependents(owner));
        // In order, so that the same request always makes the same changes.
        let keys: BTreeSet<Key> = keys.cloned().collect();
        for key in keys {
            if let Some(object) = self.transaction.object(&key) {
                self.drop_owners(&key, &object.value, owners, dependents);
            }
        }
    }

    /// Takes owners from an object, and deletes it when that leaves it none and it should go.
    fn drop_owners(
        &mut self,
        key: &Key,
        value: &Value,
        owners: &HashSet<String>,
        dependents: Dependents,
    ) {
        let is_gone =
            |reference: &Value| text(reference, &["uid"]).is_some_and(|uid| owners.contains(uid));
        let references = value.pointer("/metadata/ownerReferences");
        let references = references.and_then(Value::as_array).into_iter().flatten();
        let left: Vec<Value> = references.filter(|one| !is_gone(one)).cloned().collect();
        if left.is_empty() && dependents == Dependents::Delete {
            self.delete(key, Dependents::Delete);
            return;
        }
        let mut value = value.clone();
        if left.is_empty() {
            metadata_mut(&mut value).remove("ownerReferences")
        } else {
            metadata_mut(&mut value).insert("ownerReferences".to_owned(), left.into())
        };
        self.transaction.put(key, value);
    }
}

/// Whether nothing holds an object that is going: no finalizer, and nothing in it.
pub(super) fn is_free(
    transaction: &Transaction<'_>,
    registry: &Registry,
    key: &Key,
    value: &Value,
) -> bool {
    let is_empty = |(resource, namespace): &(GroupResource, Option<String>)| {
        let objects = transaction.objects(resource);
        objects.range(namespace.as_deref(), None).next().is_none()
    };
    texts(value, &["metadata", "finalizers"]).is_empty()
        && content(registry, key, value).iter().all(is_empty)
}

fn is_container(resource: &GroupResource) -> bool {
    *resource == builtin::namespaces() || *resource == builtin::definitions()
}

/// The types, and the namespace in them, that a container holds.
fn content(registry: &Registry, key: &Key, value: &Value) -> Vec<(GroupResource, Option<String>)> {
    if key.resource == builtin::namespaces() {
        let types = registry
            .types()
            .into_iter()
            .filter(|known| known.is_namespaced);
        return types
            .map(|known| (known.group_resource(), Some(key.name.name.clone())))
            .collect();
    }
    if key.resource == builtin::definitions() {
        return vec![(definition::defined(value), None)];
    }
    Vec::new()
}

/// The containers that an object may have been the last thing in, and itself when it is one.
fn containers_of(key: &Key) -> Vec<Key> {
    let Key { resource, name } = key;
    let of_cluster = |resource: GroupResource, name: &str| Key {
        resource,
        name: ObjectName::new("", name),
    };
    let mut containers = vec![of_cluster(builtin::definitions(), &resource.to_string())];
    if !name.namespace.is_empty() {
        containers.push(of_cluster(builtin::namespaces(), &name.namespace));
    }
    if is_container(resource) {
        containers.push(of_cluster(resource.clone(), &name.name));
    }
    containers
}
