//! The OpenAPI document of version 2, which describes nothing: every type is in those of version 3.
//!
//! `kubectl` asks for it, in protobuf, before it sends a `v1` `List`, and checks only what it finds described.

use serde_json::{Value, json};

/// The content type of the document in protobuf.
pub(crate) const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

const TITLE: &str = "Kubernetes";
const VERSION: &str = "v1";

/// The document in JSON.
pub(crate) fn document() -> Value {
    json!({"swagger": "2.0", "info": {"title": TITLE, "version": VERSION}, "paths": {}})
}

/// The document in protobuf (`openapi.v2.Document`: swagger 1, info 2, paths 8).
pub(crate) fn protobuf() -> Vec<u8> {
    let info = [field(1, TITLE.as_bytes()), field(2, VERSION.as_bytes())].concat();
    [field(1, b"2.0"), field(2, &info), field(8, b"")].concat()
}

/// A length-delimited field; each here is shorter than 128 bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap_or_default();
    [&[number << 3 | 2, length], content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_with_their_lengths() {
        let expected = b"\x0a\x032.0\x12\x10\x0a\x0aKubernetes\x12\x02v1\x42\x00";
        assert_eq!(protobuf(), expected);
    }
}
