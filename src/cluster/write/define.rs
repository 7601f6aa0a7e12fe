//! Definitions that come, change and go: whose names are accepted, and which types are served from then on.
//!
//! What the names and the schemas must be like is elsewhere.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;

use super::Write;
use crate::cluster::{
    builtin,
    kinds::definition::{self, Taken, defined},
    object::{Key, Object, ObjectName, text},
    schema::FieldError,
    status::Failure,
    store::Transaction,
};

impl Write<'_> {
    /// Gives a definition that is about to be stored the names that are free, and compiles it.
    pub(super) fn define(
        &mut self,
        transaction: &Transaction<'_>,
        value: &mut Value,
        live: Option<&Value>,
    ) -> Result<(), Failure> {
        if !self.is(&builtin::definitions()) {
            return Ok(());
        }
        let taken = taken(transaction, &defined(value).group);
        definition::accept(value, &taken, &self.now);
        let is_same = |live: &Value| {
            let has_same = |pointer| live.pointer(pointer) == value.pointer(pointer);
            has_same("/spec") && has_same("/status")
        };
        if live.is_some_and(is_same) {
            return Ok(());
        }
        let name = text(value, &["metadata", "name"]).unwrap_or_default();
        self.compile(value)
            .or_else(|errors| self.refuse(name, &errors))
    }

    /// Judges definitions again whose names were in use, in groups where names were given up, until nothing changes.
    pub(super) fn reconsider(&mut self, transaction: &mut Transaction<'_>) {
        let changed = transaction.changes().iter();
        let changed = changed.filter(|change| change.key.resource == builtin::definitions());
        let before = changed.filter_map(|change| change.previous.as_ref());
        let groups: BTreeSet<String> = before.map(|before| defined(&before.value).group).collect();
        for group in groups {
            while self.reconsider_group(transaction, &group) {}
        }
    }

    fn reconsider_group(&mut self, transaction: &mut Transaction<'_>, group: &str) -> bool {
        let mut waiting = of_group(transaction, group);
        waiting.retain(|(_, object)| definition::is_waiting(&object.value));
        let mut has_changed = false;
        for (name, object) in waiting {
            let mut value = object.value.clone();
            definition::accept(&mut value, &taken(transaction, group), &self.now);
            // Its schemas were judged when it was stored.
            if value == object.value || self.compile(&value).is_err() {
                continue;
            }
            has_changed = true;
            let resource = builtin::definitions();
            transaction.put(&Key { resource, name }, value);
        }
        has_changed
    }

    /// Compiles a definition, and serves what it defines when the change is made, if its names are its own.
    fn compile(&mut self, value: &Value) -> Result<(), Vec<FieldError>> {
        let mut versions = definition::compile(value)?;
        if !definition::is_established(value) {
            versions.clear();
        }
        self.types.push((defined(value), versions));
        Ok(())
    }
}

fn taken(transaction: &Transaction<'_>, group: &str) -> Taken {
    let definitions = of_group(transaction, group);
    Taken::by(definitions.iter().map(|(_, object)| &object.value))
}

fn of_group(transaction: &Transaction<'_>, group: &str) -> Vec<(ObjectName, Arc<Object>)> {
    let definitions = transaction.objects(&builtin::definitions());
    let is_wanted = |object: &Object| text(&object.value, &["spec", "group"]) == Some(group);
    definitions
        .range(None, None)
        .filter(|(_, object)| is_wanted(object))
        .map(|(name, object)| (name.clone(), Arc::clone(object)))
        .collect()
}
