//! Which messages there are and what their fields are called, read from a data file.
//!
//! Only the kinds that are served here are in it.

use std::{collections::HashMap, sync::LazyLock};

use serde::Deserialize;

/// The messages; see the README beside the file.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/protobuf.json")).unwrap_or_default()
});
/// The kind of the bodies of deletions, which carry the version of what they delete.
const DELETE_OPTIONS: (&str, &str) = ("DeleteOptions", "meta.v1.DeleteOptions");

#[derive(Default, Deserialize)]
struct Table {
    kinds: HashMap<String, String>,
    messages: HashMap<String, Vec<Field>>,
}

/// One field of a message.
#[derive(Debug, Deserialize)]
pub(super) struct Field {
    number: u64,
    /// What it is called in JSON.
    pub(super) name: String,
    /// What it holds, each time it is sent.
    pub(super) type_: Type,
    /// What becomes of it in JSON.
    pub(super) presence: Presence,
}

/// What a field holds.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(super) enum Type {
    /// UTF-8.
    Text,
    /// Bytes, in JSON as base64.
    Bytes,
    /// A flag.
    Flag,
    /// A number of 32 bits.
    Int32,
    /// A number of 64 bits.
    Int64,
    /// A moment, to the second.
    Time,
    /// A moment, to the microsecond.
    MicroTime,
    /// A message whose first field is JSON.
    Json,
    /// A message of this name.
    Message(String),
}

impl From<String> for Type {
    fn from(name: String) -> Self {
        match name.as_str() {
            "text" => Self::Text,
            "bytes" => Self::Bytes,
            "bool" => Self::Flag,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "time" => Self::Time,
            "microtime" => Self::MicroTime,
            "json" => Self::Json,
            _ => Self::Message(name),
        }
    }
}

/// What becomes of a field in JSON, as the tags and pointers of the Go types say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Presence {
    /// It is there unless it is zero, false or empty.
    OmitEmpty,
    /// It is there whenever it was sent.
    Kept,
    /// A list of all that were sent.
    List,
    /// A map of all that were sent, each a message of a key and a value.
    Map,
}

/// The message that encodes a kind.
pub(super) fn message_of(api_version: &str, kind: &str) -> Option<&'static str> {
    if kind == DELETE_OPTIONS.0 {
        return Some(DELETE_OPTIONS.1);
    }
    let name = TABLE.kinds.get(&format!("{api_version} {kind}"))?;
    Some(name.as_str())
}

/// A field of a message; nothing when it is newer than the table.
pub(super) fn field(message: &str, number: u64) -> Option<&'static Field> {
    let fields = TABLE.messages.get(message)?;
    fields.iter().find(|field| field.number == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The depth of a message, itself included; the test does not end when messages contain themselves.
    fn depth(message: &str) -> usize {
        let fields = &TABLE.messages[message];
        let inner = fields.iter().filter_map(|field| match &field.type_ {
            Type::Message(name) => Some(depth(name)),
            _ => None,
        });
        1 + inner.max().unwrap_or_default()
    }

    #[test]
    fn every_message_is_known_and_shallow() {
        assert_eq!(TABLE.kinds.len(), 9);
        for message in TABLE.kinds.values().map(String::as_str) {
            assert!(depth(message) <= 4, "{message}");
        }
        assert!(depth(DELETE_OPTIONS.1) <= 4);
    }
}
