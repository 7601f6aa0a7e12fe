//! What the embedded control plane knows of one resource type: its names, scope and schema.
//!
//! Built-in types come from a table, custom ones from their definitions; both end in this one shape.

use std::sync::Arc;

use super::{
    builtin,
    object::{GroupResource, Object},
    record::Record,
    schema::Schema,
};

/// One served version of one resource type.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// The API group; empty for the core group.
    pub(crate) group: String,
    /// The served version, such as `v1`.
    pub(crate) version: String,
    /// The kind, such as `Receiver`.
    pub(crate) kind: String,
    /// The kind of a list of them, such as `ReceiverList`.
    pub(crate) list_kind: String,
    /// The plural in URLs, such as `receivers`.
    pub(crate) plural: String,
    /// The singular that clients accept, such as `receiver`.
    pub(crate) singular: String,
    /// Short names that clients accept.
    pub(crate) short_names: Vec<String>,
    /// Groupings that clients accept, such as `all`.
    pub(crate) categories: Vec<String>,
    /// Whether objects live in a namespace.
    pub(crate) is_namespaced: bool,
    /// Whether `status` is written through its own subresource.
    pub(crate) has_status: bool,
    /// Where the objects come from, and with it which rules apply to them.
    pub(crate) origin: Origin,
}

impl Resource {
    /// The group and version as objects carry them, such as `v1` or `coordination.k8s.io/v1`.
    pub(crate) fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// What clients call the type.
    pub(crate) fn served_as(&self) -> GroupResource {
        GroupResource::new(&self.group, &self.plural)
    }

    /// A stored object as this version shows it: what the schema has now, which the object may have been written without.
    pub(crate) fn read(&self, object: &Arc<Object>) -> Arc<Object> {
        match &self.origin {
            Origin::BuiltIn => Arc::clone(object),
            Origin::Custom(definition) => object.read_by(&definition.schema),
        }
    }

    /// The same of an object that is not parsed.
    pub(crate) fn read_record(&self, record: &Arc<Record>) -> Arc<Record> {
        match &self.origin {
            Origin::BuiltIn => Arc::clone(record),
            Origin::Custom(definition) => record.read_by(&definition.schema),
        }
    }

    /// What its objects are called in storage.
    pub(crate) fn group_resource(&self) -> GroupResource {
        if self.is_event_view() {
            return builtin::events();
        }
        self.served_as()
    }

    /// Whether its objects are questions, which are answered and not stored.
    pub(crate) fn is_review(&self) -> bool {
        self.group == "authorization.k8s.io"
    }

    /// Whether it shows the Events of the core group under other names.
    pub(crate) fn is_event_view(&self) -> bool {
        self.group == "events.k8s.io" && self.plural == "events"
    }
}

/// Whether a resource type is built in or defined by a user.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// Part of Kubernetes; stored as given, without a schema.
    BuiltIn,
    /// Defined by a CustomResourceDefinition.
    Custom(Arc<Definition>),
}

/// What a CustomResourceDefinition says of one version, ready to use.
#[derive(Debug)]
pub(crate) struct Definition {
    /// The compiled schema.
    pub(crate) schema: Schema,
    /// The schema as written, for OpenAPI documents.
    pub(crate) openapi: serde_json::Value,
    /// The columns that `kubectl get` shows.
    pub(crate) columns: Vec<Column>,
}

/// A column of `kubectl get`, as a CustomResourceDefinition declares it.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Column {
    /// The heading.
    pub(crate) name: String,
    /// The OpenAPI type: `string`, `integer`, `number`, `boolean` or `date`.
    #[serde(rename = "type")]
    pub(crate) type_: String,
    /// What the column means.
    #[serde(default)]
    pub(crate) description: String,
    /// The OpenAPI format.
    #[serde(default)]
    pub(crate) format: String,
    /// Zero is always shown, anything above with `-o wide`.
    #[serde(default)]
    pub(crate) priority: i32,
    /// Where the value is.
    pub(crate) json_path: String,
}
