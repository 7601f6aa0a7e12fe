//! The variable `req`: the body as filters see it, within bounds of memory.
//!
//! Which bytes of a body they see is the sender's; here they are read.

use std::fmt;

use http::{HeaderMap, header::CONTENT_TYPE};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::super::{Sender, malformed::Malformed};

/// What the values of a body may take in memory, in bytes: many times the largest body that a host sends.
pub(super) const MAX_TREE_BYTES: usize = 64 << 20;
/// What a value takes, and an object besides its fields.
const VALUE_BYTES: usize = size_of::<Value>();
const OBJECT_BYTES: usize = 640;
const FIELD_BYTES: usize = 32;

/// The body as an object; an empty one when the sender does not say that it is JSON.
pub(super) fn visible(
    sender: Sender,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Value, Malformed> {
    match sender.payload(headers, body)? {
        Some(payload) => read(&payload).map(Value::Object),
        None => Ok(Value::Object(Map::new())),
    }
}

/// Whether the headers declare JSON, as Flux looks at them: the first of a list of media types that are all well-formed.
pub(in super::super) fn declares_json(headers: &HeaderMap) -> bool {
    let declared = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let types = declared.split(',').map(|part| {
        let essence = part.split(';').next().unwrap_or_default().trim();
        let (kind, subtype) = essence.split_once('/')?;
        (is_token(kind) && is_token(subtype)).then_some(essence)
    });
    let mut well_formed = types.map_while(|essence| essence);
    well_formed.any(|essence| essence.eq_ignore_ascii_case("application/json"))
}

fn is_token(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}

/// Reads the first JSON value, which must be an object or `null`.
fn read(body: &[u8]) -> Result<Map<String, Value>, Malformed> {
    let text = String::from_utf8_lossy(body);
    let mut left = MAX_TREE_BYTES;
    let tree = Tree { left: &mut left };
    let value = tree.deserialize(&mut serde_json::Deserializer::from_str(&text));
    match value {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(Malformed::new(
            "the body must be a JSON object, for filters look at its fields",
        )),
        Err(error) => Err(Malformed::new(format!(
            "failed to parse request body as JSON: {error}"
        ))),
    }
}

/// A value that is read as long as there is memory left for it.
struct Tree<'l> {
    left: &'l mut usize,
}

impl Tree<'_> {
    fn take<E: Error>(&mut self, bytes: usize) -> Result<(), E> {
        let left = self.left.checked_sub(bytes);
        *self.left = left.ok_or_else(|| E::custom("it has too many values"))?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Value, D::Error> {
        self.take(VALUE_BYTES)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<Value, E> {
        self.take(text.len())?;
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        let left = self.left;
        // A growing array holds its items twice for a moment.
        while let Some(item) = array.next_element_seed(Tree { left: &mut *left })? {
            Tree { left: &mut *left }.take(VALUE_BYTES)?;
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<Value, A::Error> {
        self.take(OBJECT_BYTES)?;
        let mut fields = Map::new();
        let left = self.left;
        while let Some(key) = object.next_key::<String>()? {
            Tree { left: &mut *left }.take(FIELD_BYTES + key.len())?;
            let value = object.next_value_seed(Tree { left: &mut *left })?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}
