//! One version of an object as JSON, made once and shared by every reader, and what selectors ask of it.
//!
//! It is all that is kept of a version that is no longer the latest: a parsed value takes ten times the memory.

use std::{fmt::Write as _, ops::Range, sync::Arc};

use bytes::Bytes;
use serde_json::Value;

use super::{
    object::{set_revision, text},
    reading::Readings,
    schema::Schema,
    selector::Attributes,
};

/// How much of an object a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// `metadata` only, as `PartialObjectMetadata`.
    Metadata,
}

/// One version of an object as JSON. It has no `Debug`, for it may be a Secret.
pub(crate) struct Record {
    /// The change that made the object what it is.
    pub(crate) revision: u64,
    /// What selectors ask of it.
    pub(crate) attributes: Attributes,
    json: Bytes,
    /// Where in the JSON the members are, all but `apiVersion` and `kind`.
    members: Range<usize>,
    /// Where the member `metadata` is.
    metadata: Range<usize>,
    readings: Readings,
}

impl Record {
    /// The JSON of an object as the change `revision` left it.
    pub(super) fn of(value: &Value, revision: u64) -> Self {
        let name = |member| text(value, &[member]).unwrap_or_default();
        let mut json = head(name("apiVersion"), name("kind"));
        let start = json.len();
        let metadata = write_members(value, &mut json);
        let members = start..json.len();
        json.push('}');
        Self {
            revision,
            attributes: Attributes::of(value),
            json: json.into_boxed_str().into_boxed_bytes().into(),
            members,
            metadata,
            readings: Readings::default(),
        }
    }

    /// The object as a schema reads it, which may have changed since the object was written.
    pub(crate) fn read_by(self: &Arc<Self>, schema: &Schema) -> Arc<Self> {
        self.readings.of(self, schema)
    }

    /// What is remembered of readings of the object.
    pub(crate) fn readings(&self) -> &Readings {
        &self.readings
    }

    /// All of it, as it is stored.
    pub(crate) fn json(&self) -> &Bytes {
        &self.json
    }

    /// The JSON members of the object without braces, `apiVersion` and `kind`; these three depend on who asks.
    pub(crate) fn members(&self, extent: Extent) -> Bytes {
        self.json.slice(match extent {
            Extent::Whole => self.members.clone(),
            Extent::Metadata => self.metadata.clone(),
        })
    }

    /// The object, parsed anew.
    pub(crate) fn value(&self) -> Value {
        // It was a value before, so it is JSON.
        serde_json::from_slice(&self.json).unwrap_or_default()
    }

    /// The same object as the change `revision` found it last, for those who must be told that it is gone.
    pub(crate) fn departed(&self, revision: u64) -> Self {
        let mut value = self.value();
        set_revision(&mut value, revision);
        Self::of(&value, revision)
    }

    /// Roughly the memory it takes, in bytes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.json.len() + self.attributes.size()
    }
}

/// The opening of an object's JSON up to its members: the brace, `apiVersion` and `kind`.
pub(crate) fn head(api_version: &str, kind: &str) -> String {
    format!(
        "{{\"apiVersion\":{},\"kind\":{},",
        Value::from(api_version),
        Value::from(kind)
    )
}

/// The JSON members of an object without braces, `apiVersion` and `kind`.
pub(crate) fn members(value: &Value) -> Bytes {
    let mut json = String::new();
    write_members(value, &mut json);
    json.into()
}

/// Appends the members of an object but for `apiVersion` and `kind`, and returns where `metadata` is.
fn write_members(value: &Value, json: &mut String) -> Range<usize> {
    let start = json.len();
    let mut metadata = start..start;
    let members = value.as_object().into_iter().flatten();
    for (key, value) in members.filter(|(key, _)| *key != "apiVersion" && *key != "kind") {
        if json.len() > start {
            json.push(',');
        }
        let from = json.len();
        // Writing to a text cannot fail.
        let _ = write!(json, "{}:{value}", Value::from(key.as_str()));
        if key == "metadata" {
            metadata = from..json.len();
        }
    }
    metadata
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(value: &Value) -> Record {
        Record::of(value, 4)
    }

    fn check(value: &Value, extent: Extent, expected: &str) {
        assert_eq!(record(value).members(extent), expected, "{value}");
    }

    #[test]
    fn members_leave_out_what_depends_on_who_asks() {
        let value = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "x"},
            "data": {"a\"b": "c"},
        });
        let data = r#""data":{"a\"b":"c"}"#;
        let metadata = r#""metadata":{"name":"x"}"#;
        check(&value, Extent::Whole, &format!("{data},{metadata}"));
        check(&value, Extent::Metadata, metadata);
        check(&json!({"metadata": {}}), Extent::Whole, r#""metadata":{}"#);
        assert_eq!(members(&value), format!("{data},{metadata}"));
    }

    #[test]
    fn value_is_found_again() {
        let value = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "x", "labels": {"a": "b"}},
            "numbers": [1, -1, 0.1, 1e300, u64::MAX, null, true, {}],
        });
        assert_eq!(record(&value).value(), value);
    }

    #[test]
    fn readers_share_the_members() {
        let record = record(&json!({"metadata": {"name": "x"}, "data": "x".repeat(1000)}));
        let whole = record.members(Extent::Whole);
        assert_eq!(whole.as_ptr(), record.members(Extent::Whole).as_ptr());
    }

    #[test]
    fn small_object_takes_little_more_than_its_text() {
        let record = record(&json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "x", "namespace": "default", "labels": {"a": "b"}},
            "data": {"key": "x".repeat(400)},
        }));
        assert!((500..900).contains(&record.size()), "{}", record.size());
    }
}
