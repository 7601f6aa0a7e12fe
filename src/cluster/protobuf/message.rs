//! From messages to the JSON that Go would have written for them.
//!
//! Depth is bounded by the table, for no message contains itself; the number of values by a budget.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    DecodeError,
    table::{self, Field, Presence, Type},
    wire::{Content, Fields},
};
use crate::cluster::object::as_map;

/// The most values in one object, so that many empty messages in a small body do not fill the memory.
pub(super) const MOST_VALUES: usize = 1 << 16;

/// Decodes one object.
pub(super) struct Decoder {
    remaining: usize,
}

impl Decoder {
    /// A decoder with its whole budget.
    pub(super) fn new() -> Self {
        Self {
            remaining: MOST_VALUES,
        }
    }

    /// Adds the fields of a message to an object; fields that are newer than the table are passed over, as Go does.
    pub(super) fn message(
        &mut self,
        name: &str,
        message: &[u8],
        into: &mut Map<String, Value>,
    ) -> Result<(), DecodeError> {
        for sent in Fields::new(message) {
            let (number, content) = sent?;
            if let Some(field) = table::field(name, number) {
                self.remaining = self.remaining.checked_sub(1).ok_or(DecodeError::TooMany)?;
                self.field(field, content, into)?;
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: &Field,
        content: Content<'_>,
        into: &mut Map<String, Value>,
    ) -> Result<(), DecodeError> {
        let slot = || field.name.clone();
        match (field.presence, &field.type_) {
            (Presence::Map, type_) => {
                let (key, value) = self.entry(field, type_, content)?;
                as_map(into.entry(slot()).or_insert_with(|| json!({}))).insert(key, value);
            }
            (Presence::List, type_) => {
                let value = self.value(field, type_, content)?;
                if let Value::Array(list) = into.entry(slot()).or_insert_with(|| json!([])) {
                    list.push(value);
                }
            }
            // A message that is sent in parts is put together.
            (_, Type::Message(name)) => {
                let object = as_map(into.entry(slot()).or_insert_with(|| json!({})));
                self.message(name, bytes(field, content)?, object)?;
            }
            (presence, type_) => {
                let value = self.value(field, type_, content)?;
                if value.is_null() || (presence == Presence::OmitEmpty && is_zero(&value)) {
                    into.remove(&field.name);
                } else {
                    into.insert(slot(), value);
                }
            }
        }
        Ok(())
    }

    fn value(
        &mut self,
        field: &Field,
        type_: &Type,
        content: Content<'_>,
    ) -> Result<Value, DecodeError> {
        Ok(match type_ {
            Type::Text => text(field, content)?.into(),
            Type::Bytes => STANDARD.encode(bytes(field, content)?).into(),
            Type::Flag => (number(field, content)? != 0).into(),
            Type::Int32 => {
                let number = i32::try_from(number(field, content)?);
                number
                    .map_err(|_| wrong(field, "a number of 32 bits"))?
                    .into()
            }
            Type::Int64 => number(field, content)?.into(),
            Type::Time => time(field, bytes(field, content)?, "%Y-%m-%dT%H:%M:%SZ")?,
            Type::MicroTime => time(field, bytes(field, content)?, "%Y-%m-%dT%H:%M:%S%.6fZ")?,
            Type::Json => raw_json(field, bytes(field, content)?)?,
            Type::Message(name) => {
                let mut object = Map::new();
                self.message(name, bytes(field, content)?, &mut object)?;
                object.into()
            }
        })
    }

    fn entry(
        &mut self,
        field: &Field,
        type_: &Type,
        content: Content<'_>,
    ) -> Result<(String, Value), DecodeError> {
        let mut key = String::new();
        let mut value = Value::from("");
        for sent in Fields::new(bytes(field, content)?) {
            match sent? {
                (1, content) => text(field, content)?.clone_into(&mut key),
                (2, content) => value = self.value(field, type_, content)?,
                _ => {}
            }
        }
        Ok((key, value))
    }
}

fn wrong(field: &Field, expected: &'static str) -> DecodeError {
    DecodeError::Value {
        field: field.name.clone(),
        expected,
    }
}

fn bytes<'a>(field: &Field, content: Content<'a>) -> Result<&'a [u8], DecodeError> {
    match content {
        Content::Bytes(bytes) => Ok(bytes),
        _ => Err(wrong(field, "bytes")),
    }
}

fn text<'a>(field: &Field, content: Content<'a>) -> Result<&'a str, DecodeError> {
    str::from_utf8(bytes(field, content)?).map_err(|_| wrong(field, "UTF-8"))
}

fn number(field: &Field, content: Content<'_>) -> Result<i64, DecodeError> {
    match content {
        Content::Number(number) => Ok(number.cast_signed()),
        _ => Err(wrong(field, "a number")),
    }
}

/// A moment in the form of JSON; nothing for the zero time, which Go sends as an empty message.
fn time(field: &Field, message: &[u8], form: &str) -> Result<Value, DecodeError> {
    if message.is_empty() {
        return Ok(Value::Null);
    }
    let (mut seconds, mut nanoseconds) = (0, 0);
    for sent in Fields::new(message) {
        match sent? {
            (1, content) => seconds = number(field, content)?,
            (2, content) => nanoseconds = number(field, content)?,
            _ => {}
        }
    }
    let nanoseconds = i32::try_from(nanoseconds).ok();
    let moment = nanoseconds.and_then(|nanos| Timestamp::new(seconds, nanos).ok());
    let moment = moment.ok_or_else(|| wrong(field, "a time"))?;
    Ok(moment.strftime(form).to_string().into())
}

fn raw_json(field: &Field, message: &[u8]) -> Result<Value, DecodeError> {
    let mut json = Value::Null;
    for sent in Fields::new(message) {
        if let (1, content) = sent? {
            let raw = bytes(field, content)?;
            json = serde_json::from_slice(raw).map_err(|_| wrong(field, "JSON"))?;
        }
    }
    Ok(json)
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}
