//! Base64.
//!
//! What is decoded may have its padding or not, as in cel-go.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{Declared, Failure, Value};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) const FUNCTIONS: &[Declared] = &[
    Declared {
        name: "base64.encode",
        signatures: &["(bytes) -> string"],
        apply: |arguments, meter| match arguments {
            [Value::Bytes(bytes)] => {
                meter.make(bytes.len().saturating_mul(2))?;
                Ok(Value::text(BASE64.encode(bytes)))
            }
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "base64.decode",
        signatures: &["(string) -> bytes"],
        apply: |arguments, meter| match arguments {
            [Value::String(text)] => {
                meter.make(text.as_str().len())?;
                let bytes = BASE64.decode(text.as_str());
                let bytes = bytes.map_err(|_| Failure::of("illegal base64 data"))?;
                Ok(Value::Bytes(bytes.into()))
            }
            _ => Err(Failure::no_such_overload()),
        },
    },
];
