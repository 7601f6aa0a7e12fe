//! Deleting one object or many, as a client asks for it.
//!
//! What goes along with them is removed in the same transaction.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::{Removal, Write, removal::Dependents};
use crate::cluster::{
    builtin,
    kinds::namespace,
    object::{Key, Object, text},
    schema::FieldError,
    selector::Selector,
    status::Failure,
};

/// The body of a deletion.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeleteOptions {
    #[serde(default)]
    preconditions: Preconditions,
    propagation_policy: Option<String>,
    orphan_dependents: Option<bool>,
    /// `All` for a dry run.
    #[serde(default)]
    pub(crate) dry_run: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Preconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

/// What became of an object that was to be deleted.
pub(crate) enum Deleted {
    /// It is gone; this was its uid.
    Gone(String),
    /// It waits for finalizers, or for what is in it.
    Going(Arc<Object>),
}

impl Write<'_> {
    /// Deletes an object; one with finalizers is marked as going.
    pub(crate) fn delete(self, name: &str, options: &DeleteOptions) -> Result<Deleted, Failure> {
        let dependents = self.dependents(options)?;
        let mut transaction = self.cluster.store.begin()?;
        let key = self.key(name);
        let live = transaction
            .object(&key)
            .ok_or_else(|| Failure::not_found(&key.resource, name))?;
        check(&key, &live.value, &options.preconditions)?;
        Removal::new(&mut transaction, &self.cluster.registry.load(), &self.now)
            .delete(&key, dependents);
        let deleted = match transaction.object(&key) {
            Some(going) => Deleted::Going(going),
            None => Deleted::Gone(
                text(&live.value, &["metadata", "uid"])
                    .unwrap_or_default()
                    .to_owned(),
            ),
        };
        self.commit(transaction)?;
        Ok(deleted)
    }

    /// Deletes the objects of a type that a selector takes, and returns them as they were.
    pub(crate) fn delete_all(
        self,
        selector: &Selector,
        options: &DeleteOptions,
    ) -> Result<Vec<Arc<Object>>, Failure> {
        let dependents = self.dependents(options)?;
        let mut transaction = self.cluster.store.begin()?;
        let resource = self.resource.group_resource();
        let namespace = Some(self.namespace).filter(|_| self.resource.is_namespaced);
        let objects = transaction.objects(&resource);
        let selected = objects.range(namespace, None);
        let selected = selected.filter(|(_, object)| selector.matches(&object.record.attributes));
        let mut deleted = Vec::new();
        for (name, object) in selected {
            let key = Key {
                resource: resource.clone(),
                name: name.clone(),
            };
            deleted.push(Arc::clone(object));
            check(&key, &object.value, &options.preconditions)?;
            Removal::new(&mut transaction, &self.cluster.registry.load(), &self.now)
                .delete(&key, dependents);
        }
        self.commit(transaction)?;
        Ok(deleted)
    }

    fn dependents(&self, options: &DeleteOptions) -> Result<Dependents, Failure> {
        let policy = options
            .propagation_policy
            .as_ref()
            .or(self.options.propagation_policy.as_ref());
        match (policy.map(String::as_str), options.orphan_dependents) {
            (Some("Orphan"), None) | (None, Some(true)) => Ok(Dependents::Orphan),
            (Some("Background" | "Foreground"), None) | (None, Some(false) | None) => {
                Ok(Dependents::Delete)
            }
            (Some(policy), Some(_)) => {
                let detail = "orphanDependents and deletionPropagation cannot be both set";
                let error = FieldError::invalid("propagationPolicy", &policy.into(), detail);
                Err(Failure::wrong_options("DeleteOptions", &[error]))
            }
            (Some(other), None) => {
                let known = ["Foreground", "Background", "Orphan", "nil"];
                let error = FieldError::not_supported("propagationPolicy", &other.into(), &known);
                Err(Failure::wrong_options("DeleteOptions", &[error]))
            }
        }
    }
}

fn check(key: &Key, live: &Value, preconditions: &Preconditions) -> Result<(), Failure> {
    let name = &key.name.name;
    if key.resource == builtin::namespaces() && !namespace::is_deletable(name) {
        return Err(Failure::forbidden(
            &key.resource,
            name,
            "this namespace may not be deleted",
        ));
    }
    let fields = [
        (
            "UID",
            "uid",
            "deleted and then recreated",
            &preconditions.uid,
        ),
        (
            "ResourceVersion",
            "resourceVersion",
            "modified",
            &preconditions.resource_version,
        ),
    ];
    for (label, field, became, wanted) in fields {
        let found = text(live, &["metadata", field]).unwrap_or_default();
        if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != found) {
            let detail = format!(
                "the {label} in the precondition ({wanted}) does not match the {label} in record ({found}). The object might have been {became}"
            );
            return Err(Failure::conflict(&key.resource, name, &detail));
        }
    }
    Ok(())
}
