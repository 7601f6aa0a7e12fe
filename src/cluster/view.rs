//! How the objects of a type are shown to one client: whole, their metadata only, or as a table.
//!
//! What is the same for every client is not made here but shared; see [`Record`].

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    accept::Form,
    kinds::event_view,
    object::{Object, as_map},
    record::{Extent, Record, head, members},
    resource::{Origin, Resource},
    table::{Columns, Include},
};

/// How the objects of a type are shown to one client.
pub(crate) struct View {
    resource: Arc<Resource>,
    form: Form,
    include: Include,
    shape: Shape,
}

enum Shape {
    Objects {
        extent: Extent,
        head: Bytes,
    },
    Table {
        columns: Columns,
        include: Include,
        are_columns_told: bool,
    },
}

impl View {
    /// The objects of a type in a form; `include` says how much of each object is in the row of a table.
    pub(crate) fn new(resource: Arc<Resource>, form: Form, include: Include) -> Self {
        let shape = match form {
            Form::Table => Shape::Table {
                columns: Columns::of(&resource),
                include,
                are_columns_told: false,
            },
            Form::Objects(extent) => {
                let head = match extent {
                    Extent::Whole => head(&resource.api_version(), &resource.kind),
                    Extent::Metadata => head("meta.k8s.io/v1", "PartialObjectMetadata"),
                };
                Shape::Objects {
                    extent,
                    head: head.into(),
                }
            }
        };
        Self {
            resource,
            form,
            include,
            shape,
        }
    }

    /// Shows the objects from now on as a changed definition says, if this one is not the one in use.
    pub(crate) fn follow(&mut self, resource: &Arc<Resource>) {
        if !Arc::ptr_eq(&self.resource, resource) {
            *self = Self::new(Arc::clone(resource), self.form, self.include);
        }
    }

    /// The type.
    pub(crate) fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Leaves the columns out of further tables, for a watch tells them once.
    pub(crate) fn columns_are_told(&mut self) {
        if let Shape::Table {
            are_columns_told, ..
        } = &mut self.shape
        {
            *are_columns_told = true;
        }
    }

    /// One object, in chunks that are shared between clients where they can be.
    pub(crate) fn chunks(&self, record: &Arc<Record>) -> Vec<Bytes> {
        match &self.shape {
            Shape::Objects { extent, head } => vec![
                head.clone(),
                self.members(record, *extent),
                Bytes::from_static(b"}"),
            ],
            Shape::Table {
                columns,
                include,
                are_columns_told,
            } => {
                let metadata = json!({"resourceVersion": record.revision.to_string()});
                let value = self.resource.read_record(record).value();
                let mut table = columns.table([&value], &metadata, *include, Timestamp::now());
                if *are_columns_told {
                    as_map(&mut table).insert("columnDefinitions".to_owned(), Value::Null);
                }
                vec![table.to_string().into()]
            }
        }
    }

    fn members(&self, record: &Arc<Record>, extent: Extent) -> Bytes {
        if extent == Extent::Metadata {
            return record.members(extent);
        }
        if self.resource.is_event_view() {
            let mut event = record.value();
            event_view::show(&mut event);
            return members(&event);
        }
        self.resource.read_record(record).members(extent)
    }

    /// One object.
    pub(crate) fn object(&self, object: &Object) -> Bytes {
        self.chunks(&object.record).concat().into()
    }

    /// Several objects, with the metadata of their list.
    pub(crate) fn list(&self, metadata: &Value, objects: &[Arc<Object>]) -> Bytes {
        match &self.shape {
            Shape::Objects { extent, head } => self.items(*extent, head, metadata, objects),
            Shape::Table {
                columns, include, ..
            } => {
                let objects: Vec<Arc<Object>> = objects
                    .iter()
                    .map(|object| self.resource.read(object))
                    .collect();
                let values = objects.iter().map(|object| &object.value);
                columns
                    .table(values, metadata, *include, Timestamp::now())
                    .to_string()
                    .into()
            }
        }
    }

    /// An object of which only this metadata is known, as bookmarks are.
    pub(crate) fn bare(&self, metadata: &Value) -> Value {
        let (api_version, kind) = match &self.shape {
            Shape::Objects {
                extent: Extent::Whole,
                ..
            } => (self.resource.api_version(), self.resource.kind.as_str()),
            Shape::Objects {
                extent: Extent::Metadata,
                ..
            } => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadata"),
            Shape::Table { .. } => {
                let columns = json!([]);
                return json!({
                    "apiVersion": "meta.k8s.io/v1", "kind": "Table", "metadata": metadata,
                    "columnDefinitions": columns, "rows": [],
                });
            }
        };
        json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})
    }

    fn items(
        &self,
        extent: Extent,
        item_head: &Bytes,
        metadata: &Value,
        objects: &[Arc<Object>],
    ) -> Bytes {
        let (api_version, kind) = match extent {
            Extent::Whole => (
                self.resource.api_version(),
                self.resource.list_kind.as_str(),
            ),
            Extent::Metadata => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadataList"),
        };
        // Items of built-in lists do not say what they are, as in Kubernetes.
        let is_bare = extent == Extent::Whole && matches!(self.resource.origin, Origin::BuiltIn);
        let item_head = if is_bare { b"{" } else { item_head.as_ref() };
        let mut text = BytesMut::new();
        text.put_slice(head(&api_version, kind).as_bytes());
        text.put_slice(format!("\"metadata\":{metadata},\"items\":[").as_bytes());
        for (index, object) in objects.iter().enumerate() {
            if index > 0 {
                text.put_u8(b',');
            }
            text.put_slice(item_head);
            text.put_slice(&self.members(&object.record, extent));
            text.put_u8(b'}');
        }
        text.put_slice(b"]}");
        text.freeze()
    }
}
