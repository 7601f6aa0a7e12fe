//! Server-side tables (`meta.k8s.io/v1 Table`): what `kubectl get` shows.
//!
//! Pure functions of objects and the time; which objects, and in which form a client wants them, is for the callers.

mod age;
mod built_in;
mod path;

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::{age::since, built_in::BuiltIn, path::Path};
use super::resource::{Column, Origin, Resource};

/// How much of each object a row carries, from the query option `includeObject`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Include {
    /// Nothing.
    None,
    /// Its metadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

impl Include {
    /// Reads the option; nothing for a value that is none of the three.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "None" => Some(Self::None),
            "" | "Metadata" => Some(Self::Metadata),
            "Object" => Some(Self::Object),
            _ => None,
        }
    }
}

/// The columns of one resource, ready to make tables with.
#[derive(Debug)]
pub(crate) struct Columns {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    BuiltIn(BuiltIn),
    Custom(Vec<(Column, Option<Path>)>),
}

impl Columns {
    /// The columns of a resource: those of its definition, or those that Kubernetes has for the kind.
    pub(crate) fn of(resource: &Resource) -> Self {
        let kind = match &resource.origin {
            Origin::BuiltIn => Kind::BuiltIn(BuiltIn::of(&resource.kind)),
            Origin::Custom(definition) => {
                let columns = match definition.columns.as_slice() {
                    [] => vec![age_column()],
                    columns => columns.to_vec(),
                };
                let with_path = |column: Column| {
                    let path = Path::parse(&column.json_path);
                    (column, path)
                };
                Kind::Custom(columns.into_iter().map(with_path).collect())
            }
        };
        Self { kind }
    }

    /// A table of objects, with the metadata of their list.
    pub(crate) fn table<'a>(
        &self,
        objects: impl IntoIterator<Item = &'a Value>,
        metadata: &Value,
        include: Include,
        now: Timestamp,
    ) -> Value {
        let rows: Vec<Value> = objects
            .into_iter()
            .map(|object| {
                let cells = self.cells(object, now);
                match include {
                    Include::None => json!({ "cells": cells }),
                    Include::Metadata => json!({ "cells": cells, "object": metadata_of(object) }),
                    Include::Object => json!({ "cells": cells, "object": object }),
                }
            })
            .collect();
        json!({
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "columnDefinitions": self.definitions(),
            "rows": rows,
        })
    }

    fn definitions(&self) -> Vec<Value> {
        match &self.kind {
            Kind::BuiltIn(kind) => kind.definitions(),
            Kind::Custom(columns) => {
                let own = columns.iter().map(|(column, _)| {
                    definition(
                        &column.name,
                        &column.type_,
                        &column.format,
                        &column.description,
                        column.priority,
                    )
                });
                std::iter::once(name_definition()).chain(own).collect()
            }
        }
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        match &self.kind {
            Kind::BuiltIn(kind) => kind.cells(object, now),
            Kind::Custom(columns) => {
                let own = columns.iter().map(|(column, path)| {
                    let value = path.as_ref().and_then(|path| path.first(object));
                    value.map_or(Value::Null, |value| cell(&column.type_, value, now))
                });
                std::iter::once(text(object, "/metadata/name"))
                    .chain(own)
                    .collect()
            }
        }
    }
}

/// A value as a cell of a custom column; a value of another type than the column's leaves the cell empty.
fn cell(type_: &str, value: &Value, now: Timestamp) -> Value {
    match (type_, value) {
        (_, Value::Null) => Value::Null,
        ("string", value) if !value.is_string() => Value::from(value.to_string()),
        ("integer", Value::Number(number)) => {
            let float = || number.as_f64().map(|number| json!(number.trunc()));
            if number.is_f64() {
                float().unwrap_or_default()
            } else {
                value.clone()
            }
        }
        ("string", _) | ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
        ("date", Value::String(text)) => match text.parse::<Timestamp>() {
            Ok(time) => Value::from(since(time, now)),
            Err(_) => Value::from("<invalid>"),
        },
        _ => Value::Null,
    }
}

fn metadata_of(object: &Value) -> Value {
    let metadata = object
        .get("metadata")
        .map_or(Cow::Owned(json!({})), Cow::Borrowed);
    json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata })
}

fn age_column() -> Column {
    Column {
        name: "Age".to_owned(),
        type_: "date".to_owned(),
        description: "How long the object has existed.".to_owned(),
        format: String::new(),
        priority: 0,
        json_path: ".metadata.creationTimestamp".to_owned(),
    }
}

fn name_definition() -> Value {
    definition(
        "Name",
        "string",
        "name",
        "The name, unique within its namespace.",
        0,
    )
}

fn definition(name: &str, type_: &str, format: &str, description: &str, priority: i32) -> Value {
    json!({ "name": name, "type": type_, "format": format, "description": description, "priority": priority })
}

/// A text in an object, empty when it is not there.
fn text(object: &Value, pointer: &str) -> Value {
    object
        .pointer(pointer)
        .filter(|value| value.is_string())
        .cloned()
        .unwrap_or_else(|| Value::from(""))
}

#[cfg(test)]
mod tests;
