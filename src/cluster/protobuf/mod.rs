//! Objects that clients send as protobuf, which `kubectl create` and Go controllers do for built-in kinds.
//!
//! Only bodies of requests are read; answers are always JSON, which these clients accept.

mod message;
mod table;
#[cfg(test)]
mod tests;
mod wire;

use serde_json::{Map, Value};

use self::{
    message::Decoder,
    wire::{Content, Fields},
};

/// How clients name this form in `Content-Type`.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
/// What a body begins with (Kubernetes: the protobuf serializer).
const MAGIC: &[u8] = b"k8s\0";

/// Why a body cannot be read; it never holds a value of the body.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// The body is something else.
    #[error("it does not begin with `k8s` and a zero byte")]
    Magic,
    /// The body is shorter than it says.
    #[error("it ends within a field")]
    Truncated,
    /// A number has more than 64 bits.
    #[error("a number is longer than 64 bits")]
    LongNumber,
    /// A field has the number zero.
    #[error("a field has the number 0")]
    NoNumber,
    /// A field is encoded in a way that these messages do not use.
    #[error("a field has the wire type {0}, which these messages do not use")]
    WireType(u64),
    /// A field holds something else than it should.
    #[error("the field `{field}` is not {expected}")]
    Value {
        /// The field's name in JSON.
        field: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// There are more values than an object of the largest size needs.
    #[error("it holds more than {} values", message::MOST_VALUES)]
    TooMany,
    /// The object is encoded once more.
    #[error("it is encoded as `{0}`, which is not read")]
    Encoding(String),
    /// The kind is not read in this form.
    #[error(
        "no kind `{kind}` in version `{api_version}` is read as protobuf; send application/json"
    )]
    Kind {
        /// The group and version.
        api_version: String,
        /// The kind.
        kind: String,
    },
}

/// Reads an object; the JSON is what a Go client would have sent as such.
pub(crate) fn decode(body: &[u8]) -> Result<Value, DecodeError> {
    let envelope = Envelope::read(body.strip_prefix(MAGIC).ok_or(DecodeError::Magic)?)?;
    let Envelope {
        api_version, kind, ..
    } = envelope;
    let Some(message) = table::message_of(api_version, kind) else {
        return Err(DecodeError::Kind {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
        });
    };
    let mut object = Map::new();
    Decoder::new().message(message, envelope.object, &mut object)?;
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    Ok(object.into())
}

/// What every body says before the object itself (Kubernetes: `runtime.Unknown`).
#[derive(Default)]
struct Envelope<'a> {
    api_version: &'a str,
    kind: &'a str,
    object: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(message: &'a [u8]) -> Result<Self, DecodeError> {
        let mut envelope = Self::default();
        for field in Fields::new(message) {
            match field? {
                (1, Content::Bytes(type_)) => envelope.read_type(type_)?,
                (2, Content::Bytes(object)) => envelope.object = object,
                (3, Content::Bytes(encoding)) if !encoding.is_empty() => {
                    return Err(DecodeError::Encoding(
                        utf8("contentEncoding", encoding)?.to_owned(),
                    ));
                }
                (4, Content::Bytes(form)) if !form.is_empty() && form != MEDIA_TYPE.as_bytes() => {
                    return Err(DecodeError::Encoding(utf8("contentType", form)?.to_owned()));
                }
                _ => {}
            }
        }
        Ok(envelope)
    }

    fn read_type(&mut self, message: &'a [u8]) -> Result<(), DecodeError> {
        for field in Fields::new(message) {
            match field? {
                (1, Content::Bytes(text)) => self.api_version = utf8("apiVersion", text)?,
                (2, Content::Bytes(text)) => self.kind = utf8("kind", text)?,
                _ => {}
            }
        }
        Ok(())
    }
}

fn utf8<'a>(field: &str, bytes: &'a [u8]) -> Result<&'a str, DecodeError> {
    str::from_utf8(bytes).map_err(|_| DecodeError::Value {
        field: field.to_owned(),
        expected: "UTF-8",
    })
}
