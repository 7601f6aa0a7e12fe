//! Changing an object: as a whole, or by a patch.
//!
//! Whoever sends the version it read is refused when that is no longer the latest.

use std::sync::Arc;

use serde_json::Value;

use super::{Part, Write, Written, metadata, removal::is_free};
use crate::cluster::{
    content::Document,
    kinds::event_view,
    object::{Key, Object, as_map, text},
    patch::Patch,
    resource::Origin,
    schema::FieldError,
    status::Failure,
    store::Transaction,
};

impl Write<'_> {
    /// Replaces an object.
    pub(crate) fn replace(mut self, name: &str, sent: Document) -> Result<Written, Failure> {
        let Document { value, duplicates } = sent;
        self.duplicates = duplicates;
        let is_unconditional = text(&value, &["metadata", "resourceVersion"])
            .unwrap_or_default()
            .is_empty();
        if is_unconditional && !self.may_be_unconditional() {
            let resource = self.resource.group_resource();
            return Err(Failure::unconditional(&resource, name));
        }
        self.update(name, |_| Ok(value))
    }

    /// Changes an object by a patch.
    pub(crate) fn patch(self, name: &str, patch: &Patch) -> Result<Written, Failure> {
        let resource = self.resource;
        let is_event_view = self.resource.is_event_view();
        self.update(name, |live| {
            let mut value = live.clone();
            if is_event_view {
                event_view::show(&mut value);
            }
            as_map(&mut value).insert("apiVersion".to_owned(), resource.api_version().into());
            patch.apply(&mut value)?;
            same_uid(&value, live).map_err(|error| Failure::invalid(resource, name, &[error]))?;
            Ok(value)
        })
    }

    fn update(
        mut self,
        name: &str,
        make: impl FnOnce(&Value) -> Result<Value, Failure>,
    ) -> Result<Written, Failure> {
        let mut transaction = self.cluster.store.begin()?;
        let key = self.key(name);
        let live = transaction
            .object(&key)
            .ok_or_else(|| Failure::not_found(&key.resource, name))?;
        let known = self.resource.read(&live);
        let mut value = make(&known.value)?;
        self.identify(&mut value)?;
        let found = text(&value, &["metadata", "name"]).unwrap_or_default();
        if found != name {
            let message = format!(
                "the name of the object ({found}) does not match the name on the URL ({name})"
            );
            return Err(Failure::bad_request(message));
        }
        check_version(&key, &value, &live)?;
        self.decode(&mut value)?;
        self.take_over(&mut value, &known.value);
        self.fill_in(&mut value, Some(&known.value));
        if self.is_new_generation(&value, &known.value) {
            metadata::next_generation(&mut value);
        }
        // An object that is only read with new defaults gets them stored, as in Kubernetes.
        let object = if is_same(&value, &live.value) {
            live
        } else {
            self.validate(&value, Some(&known.value))?;
            self.define(&transaction, &mut value, Some(&known.value))?;
            self.store(&mut transaction, &key, value, &live)
        };
        let warnings = self.commit(transaction)?;
        Ok(Written { object, warnings })
    }

    /// Puts the parts of the stored version back that this request may not change.
    fn take_over(&self, value: &mut Value, live: &Value) {
        match self.part {
            Part::Main if self.resource.has_status => keep(value, live, "status"),
            Part::Main => {}
            Part::Status => {
                let status = as_map(value).remove("status");
                let api_version = as_map(value).remove("apiVersion").unwrap_or_default();
                value.clone_from(live);
                as_map(value).insert("apiVersion".to_owned(), api_version);
                match status {
                    Some(status) => as_map(value).insert("status".to_owned(), status),
                    None => as_map(value).remove("status"),
                };
            }
        }
        metadata::carry_over(value, live);
    }

    /// Stores the new version, or removes an object that only waited for its last finalizer.
    fn store(
        &self,
        transaction: &mut Transaction<'_>,
        key: &Key,
        value: Value,
        live: &Object,
    ) -> Arc<Object> {
        if metadata::is_deleted(&value)
            && is_free(transaction, &self.cluster.registry.load(), key, &value)
        {
            transaction.remove(key);
            return Arc::new(Object::new(value, live.revision()));
        }
        let object = self.put(transaction, key, value);
        if self.options.is_dry_run {
            return Arc::new(Object::new(object.value.clone(), live.revision()));
        }
        object
    }

    fn may_be_unconditional(&self) -> bool {
        let is_counted = matches!(
            self.resource.plural.as_str(),
            "leases" | "customresourcedefinitions"
        );
        matches!(self.resource.origin, Origin::BuiltIn) && !is_counted
    }
}

fn same_uid(value: &Value, live: &Value) -> Result<(), FieldError> {
    let uid = text(value, &["metadata", "uid"]).filter(|uid| !uid.is_empty());
    let live_uid = text(live, &["metadata", "uid"]);
    match uid.filter(|_| uid != live_uid) {
        Some(uid) => Err(FieldError::invalid(
            "metadata.uid",
            &uid.into(),
            "field is immutable",
        )),
        None => Ok(()),
    }
}

fn check_version(key: &Key, value: &Value, live: &Object) -> Result<(), Failure> {
    let name = &key.name.name;
    let uid = text(value, &["metadata", "uid"]).filter(|uid| !uid.is_empty());
    let live_uid = text(&live.value, &["metadata", "uid"]).unwrap_or_default();
    if let Some(uid) = uid.filter(|uid| *uid != live_uid) {
        let detail = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {live_uid}"
        );
        return Err(Failure::conflict(&key.resource, name, &detail));
    }
    let revision = text(value, &["metadata", "resourceVersion"]);
    let revision = revision.filter(|revision| !matches!(*revision, "" | "0"));
    match revision.map(str::parse::<u64>) {
        Some(Ok(revision)) if revision == live.revision() => Ok(()),
        Some(Ok(_)) => Err(Failure::stale(&key.resource, name)),
        Some(Err(_)) => Err(Failure::bad_request(
            "metadata.resourceVersion: not a version that was given out",
        )),
        None => Ok(()),
    }
}

fn is_same(value: &Value, live: &Value) -> bool {
    let rest = |value: &Value| {
        let members = value.as_object().into_iter().flatten();
        members
            .filter(|(key, _)| *key != "apiVersion")
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect::<Vec<_>>()
    };
    rest(value) == rest(live)
}

fn keep(value: &mut Value, live: &Value, field: &str) {
    match live.get(field) {
        Some(kept) => as_map(value).insert(field.to_owned(), kept.clone()),
        None => as_map(value).remove(field),
    };
}
