//! A change of one or several objects that happens as a whole or not at all.
//!
//! It reads its own changes; others see them when they are durable. It checks nothing.

use std::{
    collections::BTreeSet,
    sync::{Arc, MutexGuard},
};

use serde_json::Value;

use super::{Event, Objects, Store, WriteError, disk::Entry, state::State, writer::Writer};
use crate::cluster::object::{GroupResource, Key, Object};

/// A change that is being prepared.
pub(crate) struct Transaction<'a> {
    store: &'a Store,
    writer: MutexGuard<'a, Writer>,
    /// What it began with.
    before: Arc<State>,
    /// What it has made of that.
    state: State,
    changes: Vec<Change>,
}

/// One step of a transaction: what became of one object.
pub(crate) struct Change {
    /// The object.
    pub(crate) key: Key,
    /// The object after it; nothing when it was deleted.
    pub(crate) current: Option<Arc<Object>>,
    /// The object before it; nothing when it was created.
    pub(crate) previous: Option<Arc<Object>>,
    revision: u64,
}

impl Change {
    fn event(&self) -> Arc<Event> {
        let record = |object: &Arc<Object>| Arc::clone(&object.record);
        Arc::new(Event::new(
            self.revision,
            self.key.name.clone(),
            self.current.as_ref().map(record),
            self.previous.as_ref().map(record),
        ))
    }
}

impl<'a> Transaction<'a> {
    pub(super) fn new(
        store: &'a Store,
        writer: MutexGuard<'a, Writer>,
        before: Arc<State>,
    ) -> Self {
        Self {
            store,
            writer,
            state: State::clone(&before),
            before,
            changes: Vec::new(),
        }
    }

    /// An object, with the changes so far.
    pub(crate) fn object(&self, key: &Key) -> Option<Arc<Object>> {
        self.state.object(&key.resource, &key.name)
    }

    /// The objects of a type, with the changes so far.
    pub(crate) fn objects(&self, resource: &GroupResource) -> Objects {
        self.state.objects(resource)
    }

    /// The objects that name the owner with this uid, with the changes so far.
    pub(crate) fn dependents(&self, owner: &str) -> impl Iterator<Item = &Key> {
        self.state.dependents(owner)
    }

    /// Stores a new version of an object and gives it the next resourceVersion.
    pub(crate) fn put(&mut self, key: &Key, value: Value) -> Arc<Object> {
        let object = Arc::new(Object::new(value, self.state.revision + 1));
        self.record(key, Some(Arc::clone(&object)));
        object
    }

    /// Removes an object.
    pub(crate) fn remove(&mut self, key: &Key) {
        self.record(key, None);
    }

    /// What has been changed so far, oldest first.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Makes the changes durable, calls `before_publication`, shows them to readers and watches, and forgets types.
    pub(crate) fn commit(
        mut self,
        before_publication: impl FnOnce(),
        gone: &[GroupResource],
    ) -> Result<(), WriteError> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let keys: BTreeSet<&Key> = self.changes.iter().map(|change| &change.key).collect();
        let entries = |state: &State| keys.iter().map(|key| entry(key, state)).collect::<Vec<_>>();
        let undo = || entries(&self.before);
        self.writer
            .write(self.state.revision, &entries(&self.state), undo)?;
        before_publication();
        self.publish(gone);
        Ok(())
    }

    fn publish(&self, gone: &[GroupResource]) {
        let steps = self.changes.iter();
        let events: Vec<(GroupResource, Arc<Event>)> = steps
            .map(|change| (change.key.resource.clone(), change.event()))
            .collect();
        self.store.change(|state| {
            state.publish(&self.state, &events);
            for resource in gone {
                state.forget(resource);
            }
        });
        let state = self.store.state.load();
        for (resource, event) in events {
            if let Some(known) = state.collection(&resource) {
                known.latest.send_replace(event.revision);
            }
        }
    }

    fn record(&mut self, key: &Key, current: Option<Arc<Object>>) {
        let previous = self.object(key);
        self.state.revision += 1;
        self.state.put(key, current.clone());
        self.changes.push(Change {
            key: key.clone(),
            current,
            previous,
            revision: self.state.revision,
        });
    }
}

/// What is to be on disk of an object.
fn entry(key: &Key, state: &State) -> Entry {
    let Key { resource, name } = key;
    let path = format!(
        "{}/{}/{}/{}",
        resource.group, resource.plural, name.namespace, name.name
    );
    let object = state.object(resource, name);
    (path, object.map(|object| object.record.json().clone()))
}
