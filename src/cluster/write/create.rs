//! Creating an object.
//!
//! An object that exists is never changed by it.

use std::sync::Arc;

use serde_json::Value;

use super::{Part, Write, Written, metadata};
use crate::cluster::{
    builtin,
    content::Document,
    kinds::namespace,
    names,
    object::{Key, Object, ObjectName, as_map, metadata_mut, text},
    resource::Origin,
    schema::FieldError,
    status::Failure,
    store::Transaction,
};

impl Write<'_> {
    /// Creates an object.
    pub(crate) fn create(mut self, sent: Document) -> Result<Written, Failure> {
        let Document { value, duplicates } = sent;
        self.duplicates = duplicates;
        let (key, value) = self.prepare(value)?;
        let mut transaction = self.cluster.store.begin()?;
        let mut object = self.place(&mut transaction, &key, value)?;
        if self.options.is_dry_run {
            object = Arc::new(object.unstored());
        }
        let warnings = self.commit(transaction)?;
        Ok(Written { object, warnings })
    }

    /// Creates those of several objects that do not exist, in one change.
    pub(crate) fn create_missing(
        mut self,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<(), Failure> {
        let prepared: Result<Vec<_>, _> = values
            .into_iter()
            .map(|value| self.prepare(value))
            .collect();
        let mut transaction = self.cluster.store.begin()?;
        for (key, value) in prepared? {
            if transaction.object(&key).is_none() {
                self.place(&mut transaction, &key, value)?;
            }
        }
        self.commit(transaction)?;
        Ok(())
    }

    /// Makes a new object complete and checks what can be checked without the others.
    fn prepare(&mut self, mut value: Value) -> Result<(Key, Value), Failure> {
        self.identify(&mut value)?;
        self.decode(&mut value)?;
        let name = self.choose_name(&mut value)?;
        if text(&value, &["metadata", "resourceVersion"])
            .is_some_and(|revision| !revision.is_empty())
        {
            return Err(Failure::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        metadata::start(&mut value, &self.now, self.has_generation());
        if self.resource.has_status && self.part == Part::Main {
            as_map(&mut value).remove("status");
        }
        self.fill_in(&mut value, None);
        self.validate(&value, None)?;
        Ok((self.key(&name), value))
    }

    /// Adds a prepared object to a transaction, if it may be where it wants to be.
    fn place(
        &mut self,
        transaction: &mut Transaction<'_>,
        key: &Key,
        mut value: Value,
    ) -> Result<Arc<Object>, Failure> {
        let name = &key.name.name;
        self.check_place(transaction, name)?;
        if transaction.object(key).is_some() {
            return Err(Failure::already_exists(&key.resource, name));
        }
        self.define(transaction, &mut value, None)?;
        self.forget_old_events(transaction);
        Ok(self.put(transaction, key, value))
    }

    fn choose_name(&self, value: &mut Value) -> Result<String, Failure> {
        let name = text(value, &["metadata", "name"]).unwrap_or_default();
        if !name.is_empty() {
            return Ok(name.to_owned());
        }
        let prefix = text(value, &["metadata", "generateName"]).unwrap_or_default();
        if prefix.is_empty() {
            let error = FieldError::required("metadata.name", "name or generateName is required");
            return Err(Failure::invalid(self.resource, "", &[error]));
        }
        let name = names::generate(prefix).map_err(Failure::internal)?;
        metadata_mut(value).insert("name".to_owned(), name.as_str().into());
        Ok(name)
    }

    /// Checks that the namespace exists, and that neither it nor the type is going.
    fn check_place(&self, transaction: &Transaction<'_>, name: &str) -> Result<(), Failure> {
        let resource = self.resource.group_resource();
        if self.resource.is_namespaced {
            let namespaces = builtin::namespaces();
            let key = Key {
                resource: namespaces,
                name: ObjectName::new("", self.namespace),
            };
            let Some(found) = transaction.object(&key) else {
                return Err(Failure::not_found(&key.resource, self.namespace));
            };
            if namespace::is_terminating(&found.value) {
                let namespace = self.namespace;
                let detail = format!(
                    "unable to create new content in namespace {namespace} because it is being terminated"
                );
                let because = format!("namespace {namespace} is being terminated");
                let failure = Failure::forbidden(&resource, name, &detail);
                return Err(failure.because(
                    "NamespaceTerminating",
                    &because,
                    "metadata.namespace",
                ));
            }
        }
        if matches!(self.resource.origin, Origin::Custom(_)) {
            let key = Key {
                resource: builtin::definitions(),
                name: ObjectName::new("", &resource.to_string()),
            };
            match transaction.object(&key) {
                // The definition went between looking up the type and now.
                None => return Err(Failure::unknown_path()),
                Some(found) if metadata::is_deleted(&found.value) => {
                    let detail =
                        "create not allowed while custom resource definition is terminating";
                    return Err(Failure::forbidden(&resource, name, detail));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}
