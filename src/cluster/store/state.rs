//! Everything that is stored, at one moment: a value that readers share and of which a writer makes the next one.
//!
//! A copy costs the same however much there is, and so does a change of one object, but for a logarithm.

use std::sync::Arc;

use rpds::RedBlackTreeMapSync;
use serde_json::Value;
use tokio::sync::watch;

use super::{
    dependents::Dependents,
    disk::Contents,
    log::{Event, Log},
    objects::Objects,
};
use crate::cluster::object::{GroupResource, Key, Object, ObjectName};

/// All objects at one moment, and how each type came to be what it is.
#[derive(Clone)]
pub(super) struct State {
    /// The latest change.
    pub(super) revision: u64,
    dependents: Dependents,
    collections: RedBlackTreeMapSync<GroupResource, Collection>,
}

/// The objects of one type.
#[derive(Clone)]
pub(super) struct Collection {
    /// As they are at this moment.
    pub(super) objects: Objects,
    /// What happened to them lately.
    pub(super) log: Log,
    /// Told of every change, by its revision; it ends with the last state that has the collection.
    pub(super) latest: watch::Sender<u64>,
}

impl Collection {
    fn new(revision: u64) -> Self {
        Self {
            objects: Objects::default(),
            log: Log::new(revision),
            latest: watch::Sender::new(revision),
        }
    }
}

impl State {
    /// The state that a database holds, without what happened before; else, which of its entries is wrong.
    pub(super) fn load(contents: Contents) -> Result<Self, String> {
        let mut state = Self {
            revision: contents.revision,
            dependents: Dependents::default(),
            collections: RedBlackTreeMapSync::new_sync(),
        };
        for (path, json) in contents.entries {
            let (key, object) = parse(&path, &json, contents.revision)?;
            state.put(&key, Some(Arc::new(object)));
        }
        Ok(state)
    }

    /// A type, if it is known.
    pub(super) fn collection(&self, resource: &GroupResource) -> Option<&Collection> {
        self.collections.get(resource)
    }

    /// One object.
    pub(super) fn object(
        &self,
        resource: &GroupResource,
        name: &ObjectName,
    ) -> Option<Arc<Object>> {
        self.collection(resource)?.objects.get(name).cloned()
    }

    /// The objects of a type.
    pub(super) fn objects(&self, resource: &GroupResource) -> Objects {
        let known = self.collection(resource);
        known.map(|known| known.objects.clone()).unwrap_or_default()
    }

    /// The objects that name the owner with this uid.
    pub(super) fn dependents(&self, owner: &str) -> impl Iterator<Item = &Key> {
        self.dependents.of(owner)
    }

    /// Puts an object in its place, or leaves the place empty.
    pub(super) fn put(&mut self, key: &Key, object: Option<Arc<Object>>) {
        let before = self.object(&key.resource, &key.name);
        self.dependents
            .change(key, before.as_deref(), object.as_deref());
        self.change(&key.resource, |known| known.objects.put(&key.name, object));
    }

    /// Takes over what a transaction made of the objects, and notes what happened to them.
    pub(super) fn publish(&mut self, made: &Self, events: &[(GroupResource, Arc<Event>)]) {
        for (resource, event) in events {
            self.change(resource, |known| {
                known.objects = made.objects(resource);
                known.log.push(Arc::clone(event));
            });
        }
        self.dependents = made.dependents.clone();
        self.revision = made.revision;
    }

    /// Makes a type known.
    pub(super) fn declare(&mut self, resource: &GroupResource) {
        self.change(resource, |_| ());
    }

    /// Forgets a type, which has no objects left.
    pub(super) fn forget(&mut self, resource: &GroupResource) {
        self.collections.remove_mut(resource);
    }

    /// Ends all watches.
    pub(super) fn end_watches(&mut self) {
        let resources: Vec<GroupResource> = self.collections.keys().cloned().collect();
        for resource in resources {
            self.change(&resource, |known| known.latest = watch::Sender::new(0));
        }
    }

    /// Changes a type, which is made known if it is not.
    fn change(&mut self, resource: &GroupResource, change: impl FnOnce(&mut Collection)) {
        if let Some(known) = self.collections.get_mut(resource) {
            return change(known);
        }
        let mut made = Collection::new(self.revision);
        change(&mut made);
        self.collections.insert_mut(resource.clone(), made);
    }
}

fn parse(path: &str, json: &[u8], latest: u64) -> Result<(Key, Object), String> {
    let value: Value =
        serde_json::from_slice(json).map_err(|error| format!("`{path}` is not JSON: {error}"))?;
    let [group, plural, namespace, name] = path.split('/').collect::<Vec<_>>()[..] else {
        return Err(format!("`{path}` is not the path of an object"));
    };
    let revision = value
        .pointer("/metadata/resourceVersion")
        .and_then(Value::as_str);
    let revision: Option<u64> = revision.and_then(|text| text.parse().ok());
    let revision = revision.filter(|revision| *revision <= latest);
    let revision = revision.ok_or_else(|| format!("`{path}` has no valid resourceVersion"))?;
    let key = Key {
        resource: GroupResource::new(group, plural),
        name: ObjectName::new(namespace, name),
    };
    Ok((key, Object::new(value, revision)))
}
