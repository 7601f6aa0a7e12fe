//! Values of expressions; those from JSON are borrowed from it.
//!
//! What can be done with them is in `library`; how they compare is in `compare`.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;
use serde_json::Value as Json;

use super::problem::Failure;

/// A value; clones share what they hold.
#[derive(Clone)]
pub enum Value<'v> {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that is not negative.
    Uint(u64),
    /// A number; every number from JSON is one.
    Double(f64),
    /// A text.
    String(Text<'v>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// Values in a row.
    List(List<'v>),
    /// Values by key.
    Map(Map<'v>),
    /// A span of time, in nanoseconds.
    Duration(i64),
    /// A moment.
    Timestamp(Timestamp),
    /// A type, by its name.
    Type(&'static str),
    /// A value that may be missing.
    Optional(Option<Arc<Value<'v>>>),
}

/// A text, borrowed or shared.
#[derive(Clone)]
pub enum Text<'v> {
    /// Of what the expression was given.
    Given(&'v str),
    /// Of the expression, or made by it.
    Made(Arc<str>),
}

impl Text<'_> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Given(text) => text,
            Self::Made(text) => text,
        }
    }
}

/// Values in a row, borrowed or shared.
#[derive(Clone)]
pub enum List<'v> {
    /// Of what the expression was given.
    Given(&'v [Json]),
    /// Made by the expression.
    Made(Arc<Vec<Value<'v>>>),
}

impl<'v> List<'v> {
    pub(super) fn made(items: Vec<Value<'v>>) -> Self {
        Self::Made(Arc::new(items))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Given(items) => items.len(),
            Self::Made(items) => items.len(),
        }
    }

    pub(super) fn at(&self, index: usize) -> Option<Value<'v>> {
        match self {
            Self::Given(items) => items.get(index).map(Value::from),
            Self::Made(items) => items.get(index).cloned(),
        }
    }

    pub(super) fn items(&self) -> impl DoubleEndedIterator<Item = Value<'v>> + '_ {
        (0..self.len()).filter_map(|index| self.at(index))
    }
}

/// Values by key, borrowed or shared.
#[derive(Clone)]
pub enum Map<'v> {
    /// Of what the expression was given.
    Given(&'v serde_json::Map<String, Json>),
    /// Made by the expression, or by its caller.
    Made(Arc<BTreeMap<Key, (Value<'v>, Value<'v>)>>),
}

/// A key of a map; numbers that are equal are one key, whatever their types.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Number(i128),
    /// A text.
    Text(String),
}

impl Key {
    /// The key that a value is, if it can be one.
    pub(super) fn of(value: &Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Number(i128::from(*value)),
            Value::Uint(value) => Self::Number(i128::from(*value)),
            Value::Double(value) => Self::Number(super::number::whole(*value)?),
            Value::String(text) => Self::Text(text.as_str().to_owned()),
            _ => return None,
        })
    }
}

impl<'v> Map<'v> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Given(fields) => fields.len(),
            Self::Made(entries) => entries.len(),
        }
    }

    /// The value of a field, without making a key of its name.
    pub(super) fn field(&self, name: &str) -> Option<Value<'v>> {
        match self {
            Self::Given(fields) => fields.get(name).map(Value::from),
            Self::Made(_) => self.at(&Key::Text(name.to_owned())),
        }
    }

    pub(super) fn at(&self, key: &Key) -> Option<Value<'v>> {
        match (self, key) {
            (Self::Given(fields), Key::Text(name)) => fields.get(name).map(Value::from),
            (Self::Given(_), _) => None,
            (Self::Made(entries), key) => entries.get(key).map(|(_, value)| value.clone()),
        }
    }

    pub(super) fn entries(&self) -> Box<dyn Iterator<Item = (Value<'v>, Value<'v>)> + '_> {
        match self {
            Self::Given(fields) => Box::new(fields.iter().map(|(name, value)| {
                let name = Value::String(Text::Given(name));
                (name, Value::from(value))
            })),
            Self::Made(entries) => Box::new(entries.values().cloned()),
        }
    }
}

impl<'v> From<&'v Json> for Value<'v> {
    fn from(json: &'v Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Self::String(Text::Given(text)),
            Json::Array(items) => Self::List(List::Given(items)),
            Json::Object(fields) => Self::from(fields),
        }
    }
}

impl<'v> From<&'v serde_json::Map<String, Json>> for Value<'v> {
    fn from(fields: &'v serde_json::Map<String, Json>) -> Self {
        Self::Map(Map::Given(fields))
    }
}

impl<'v> FromIterator<(String, Value<'v>)> for Value<'v> {
    /// A map of texts to values; of equal keys the last one counts.
    fn from_iter<I: IntoIterator<Item = (String, Value<'v>)>>(entries: I) -> Self {
        let entry = |(name, value): (String, Value<'v>)| {
            let key = Value::text(name.clone());
            (Key::Text(name), (key, value))
        };
        let entries = entries.into_iter().map(entry).collect();
        Self::Map(Map::Made(Arc::new(entries)))
    }
}

impl<'v> Value<'v> {
    pub(super) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::String(Text::Made(text.into()))
    }

    pub(super) fn list(items: Vec<Value<'v>>) -> Self {
        Self::List(List::made(items))
    }

    pub(super) fn some(value: Value<'v>) -> Self {
        Self::Optional(Some(Arc::new(value)))
    }

    /// A count as a number.
    pub(super) fn count(count: usize) -> Result<Self, Failure> {
        let count = i64::try_from(count).map_err(|_| Failure::of("integer overflow"))?;
        Ok(Self::Int(count))
    }

    /// The name of the value's type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Type(_) => "type",
            Self::Optional(_) => "optional_type",
        }
    }
}

impl fmt::Debug for Value<'_> {
    /// Shows the type only, for the value may be a part of a request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.type_name())
    }
}
