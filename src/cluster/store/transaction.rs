//! A change of one or several objects that happens as a whole or not at all.
//!
//! It reads its own changes; others see them when they are durable. It checks nothing.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard},
};

use serde_json::Value;

use super::{Collection, Event, Store, WriteError, disk::Entry, put, writer::Writer};
use crate::cluster::object::{Extent, GroupResource, Key, Object, ObjectName, head, text};

/// A change that is being prepared.
pub(crate) struct Transaction<'a> {
    store: &'a Store,
    writer: MutexGuard<'a, Writer>,
    revision: u64,
    changes: Vec<(GroupResource, Event)>,
    latest: HashMap<Key, Option<Arc<Object>>>,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(store: &'a Store, writer: MutexGuard<'a, Writer>, revision: u64) -> Self {
        Self {
            store,
            writer,
            revision,
            changes: Vec::new(),
            latest: HashMap::new(),
        }
    }

    /// An object, with the changes so far.
    pub(crate) fn object(&self, key: &Key) -> Option<Arc<Object>> {
        match self.latest.get(key) {
            Some(object) => object.clone(),
            None => self.store.object(&key.resource, &key.name),
        }
    }

    /// The objects of a type, of one namespace or all, with the changes so far.
    pub(crate) fn objects(
        &self,
        resource: &GroupResource,
        namespace: Option<&str>,
    ) -> Vec<(ObjectName, Arc<Object>)> {
        let mut objects = self.store.snapshot(resource).objects;
        for (key, object) in self
            .latest
            .iter()
            .filter(|(key, _)| key.resource == *resource)
        {
            put(Arc::make_mut(&mut objects), &key.name, object.clone());
        }
        let wanted = objects
            .iter()
            .filter(|(name, _)| namespace.is_none_or(|wanted| name.namespace == wanted));
        wanted
            .map(|(name, object)| (name.clone(), Arc::clone(object)))
            .collect()
    }

    /// Stores a new version of an object and gives it the next resourceVersion.
    pub(crate) fn put(&mut self, key: &Key, value: Value) -> Arc<Object> {
        let object = Arc::new(Object::new(value, self.revision + 1));
        self.record(key, Some(Arc::clone(&object)));
        object
    }

    /// Removes an object.
    pub(crate) fn remove(&mut self, key: &Key) {
        self.record(key, None);
    }

    /// What has been changed so far, oldest first.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&GroupResource, &Event)> {
        self.changes
            .iter()
            .map(|(resource, event)| (resource, event))
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
        let entries: Vec<Entry> = self
            .latest
            .iter()
            .map(|(key, object)| entry(key, object.as_deref()))
            .collect();
        let before = || {
            let keys = self.latest.keys();
            keys.map(|key| entry(key, self.store.object(&key.resource, &key.name).as_deref()))
                .collect()
        };
        self.writer.write(self.revision, &entries, before)?;
        before_publication();
        self.store.change(|state| {
            let before = state.revision;
            state.revision = self.revision;
            for (resource, event) in self.changes {
                let collection = state
                    .collections
                    .entry(resource)
                    .or_insert_with(|| Collection::new(before));
                put(
                    Arc::make_mut(&mut collection.objects),
                    &event.name,
                    event.current.clone(),
                );
                let revision = event.revision;
                collection.log.push(Arc::new(event));
                collection.latest.send_replace(revision);
            }
            for resource in gone {
                state.collections.remove(resource);
            }
        });
        Ok(())
    }

    fn record(&mut self, key: &Key, current: Option<Arc<Object>>) {
        self.revision += 1;
        let previous = self.object(key);
        let event = Event::new(self.revision, key.name.clone(), current.clone(), previous);
        self.changes.push((key.resource.clone(), event));
        self.latest.insert(key.clone(), current);
    }
}

fn entry(key: &Key, object: Option<&Object>) -> Entry {
    let Key { resource, name } = key;
    let path = format!(
        "{}/{}/{}/{}",
        resource.group, resource.plural, name.namespace, name.name
    );
    let json = object.map(|object| {
        let api_version = text(&object.value, &["apiVersion"]).unwrap_or_default();
        let mut json = head(
            api_version,
            text(&object.value, &["kind"]).unwrap_or_default(),
        )
        .into_bytes();
        json.extend_from_slice(&object.members(Extent::Whole));
        json.push(b'}');
        json
    });
    (path, json)
}
