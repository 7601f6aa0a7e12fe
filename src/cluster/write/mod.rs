//! The one way an object changes: decode, take over, fill in, validate, and commit.
//!
//! Every function runs to its end without waiting for anything but the disk.

mod admit;
mod change;
mod create;
mod define;
mod delete;
mod expire;
mod metadata;
mod removal;

use std::sync::Arc;

use serde_json::Value;

pub(crate) use self::delete::{DeleteOptions, Deleted};
use self::removal::Removal;
use super::{
    Cluster, builtin,
    kinds::{definition, event_view},
    object::{GroupResource, Key, Object, ObjectName, as_map, metadata_mut, text},
    options::{FieldValidation, Options},
    resource::{Origin, Resource},
    status::Failure,
    store::Transaction,
    typed,
};

/// Which part of an object a request may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All but the status, where the status is a subresource.
    Main,
    /// The status only.
    Status,
}

/// A change that one client asks for.
pub(crate) struct Write<'a> {
    cluster: &'a Cluster,
    resource: &'a Resource,
    namespace: &'a str,
    part: Part,
    options: &'a Options,
    now: String,
    /// The paths of fields that the client gave twice.
    duplicates: Vec<String>,
    warnings: Vec<String>,
    types: Vec<(GroupResource, Vec<Arc<Resource>>)>,
}

/// What became of it.
pub(crate) struct Written {
    /// The object as it is now.
    pub(crate) object: Arc<Object>,
    /// What the client should be told.
    pub(crate) warnings: Vec<String>,
}

impl<'a> Write<'a> {
    /// A change of objects of a type; the namespace is empty for objects of the whole cluster.
    pub(crate) fn new(
        cluster: &'a Cluster,
        resource: &'a Resource,
        namespace: &'a str,
        part: Part,
        options: &'a Options,
    ) -> Self {
        let now = jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string();
        Self {
            cluster,
            resource,
            namespace,
            part,
            options,
            now,
            duplicates: Vec::new(),
            warnings: Vec::new(),
            types: Vec::new(),
        }
    }

    fn key(&self, name: &str) -> Key {
        Key {
            resource: self.resource.group_resource(),
            name: ObjectName::new(self.namespace, name),
        }
    }

    /// Checks that the object is of this type and in this namespace, and says so in it.
    fn identify(&self, value: &mut Value) -> Result<(), Failure> {
        let Value::Object(_) = value else {
            return Err(Failure::bad_request(
                "the body of the request is not an object",
            ));
        };
        for (field, expected) in [
            ("apiVersion", self.resource.api_version()),
            ("kind", self.resource.kind.clone()),
        ] {
            let found = text(value, &[field]).unwrap_or(&expected);
            if found != expected {
                let message = format!(
                    "the {field} in the data ({found}) does not match the expected {field} ({expected})"
                );
                return Err(Failure::bad_request(message));
            }
            as_map(value).insert(field.to_owned(), expected.into());
        }
        let found = text(value, &["metadata", "namespace"]).unwrap_or_default();
        if !found.is_empty() && found != self.namespace {
            let message = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Failure::bad_request(message));
        }
        match self.namespace {
            "" => metadata_mut(value).remove("namespace"),
            namespace => metadata_mut(value).insert("namespace".to_owned(), namespace.into()),
        };
        Ok(())
    }

    /// Drops what the type does not have, and says so or refuses it as the client wishes; what is left is as it is stored.
    ///
    /// Fields that the client gave twice, of which the last one counts, are treated alike.
    fn decode(&mut self, value: &mut Value) -> Result<(), Failure> {
        let Resource { kind, version, .. } = self.resource;
        let refusal = |detail: &str| {
            Failure::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {kind}: {detail}"
            ))
        };
        let unknown = match &self.resource.origin {
            Origin::BuiltIn => typed::object(&self.resource.served_as(), value),
            Origin::Custom(definition) => typed::metadata(value).map(|mut unknown| {
                unknown.extend(definition.schema.prune(value));
                unknown
            }),
        };
        let unknown = unknown.map_err(|failure| refusal(&failure.message))?;
        let duplicates = self.duplicates.drain(..);
        let wrong = duplicates.map(|path| format!("duplicate field {path:?}"));
        let unknown = unknown.iter().map(|path| format!("unknown field {path:?}"));
        let wrong: Vec<String> = wrong.chain(unknown).collect();
        match self.options.field_validation {
            FieldValidation::Strict if !wrong.is_empty() => {
                let wrong = wrong.join(", ");
                return Err(refusal(&format!("strict decoding error: {wrong}")));
            }
            FieldValidation::Warn => self.warnings.extend(wrong),
            _ => {}
        }
        if self.resource.is_event_view() {
            event_view::take(value);
        }
        Ok(())
    }

    /// Stores an object that is complete by the schema of its type.
    fn put(&self, transaction: &mut Transaction<'_>, key: &Key, value: Value) -> Arc<Object> {
        let object = transaction.put(key, value);
        if let Origin::Custom(definition) = &self.resource.origin {
            object.record.readings().complete_for(&definition.schema);
        }
        object
    }

    /// Removes what goes along with the changes, and makes all of it durable; a dry run ends before that.
    fn commit(mut self, mut transaction: Transaction<'_>) -> Result<Vec<String>, Failure> {
        let cluster = self.cluster;
        Removal::new(&mut transaction, &cluster.registry.load(), &self.now).settle();
        self.reconsider(&mut transaction);
        if self.options.is_dry_run {
            return Ok(self.warnings);
        }
        let removed = transaction.changes().iter();
        let removed = removed.filter(|change| change.current.is_none());
        let definitions = removed.filter(|change| change.key.resource == builtin::definitions());
        let gone: Vec<GroupResource> = definitions
            .filter_map(|change| Some(definition::defined(&change.previous.as_ref()?.value)))
            .collect();
        self.types
            .extend(gone.iter().map(|resource| (resource.clone(), Vec::new())));
        let serve = || {
            for (resource, versions) in self.types.drain(..) {
                cluster.serve(&resource, versions);
            }
        };
        transaction.commit(serve, &gone)?;
        Ok(self.warnings)
    }

    fn is(&self, resource: &GroupResource) -> bool {
        self.resource.group_resource() == *resource
    }
}
