//! Functions from one type to another, and the size of a value.
//!
//! Times are read and written in `times`; no error quotes what could not be converted.

use std::sync::Arc;

use super::{
    super::{number, value::Text},
    Declared, Failure, Meter, Value, times,
};

pub(super) const FUNCTIONS: &[Declared] = &[
    Declared {
        name: "bool",
        signatures: &["(bool) -> bool", "(string) -> bool"],
        apply: |arguments, _| match arguments {
            [Value::Bool(value)] => Ok(Value::Bool(*value)),
            [Value::String(text)] => match text.as_str() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
                _ => Err(Failure::of("type conversion error from 'string' to 'bool'")),
            },
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "bytes",
        signatures: &["(bytes) -> bytes", "(string) -> bytes"],
        apply: |arguments, meter| match arguments {
            [Value::Bytes(bytes)] => Ok(Value::Bytes(Arc::clone(bytes))),
            [Value::String(text)] => {
                meter.make(text.as_str().len())?;
                Ok(Value::Bytes(text.as_str().as_bytes().into()))
            }
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "double",
        signatures: &[
            "(double) -> double",
            "(int) -> double",
            "(string) -> double",
            "(uint) -> double",
        ],
        apply: |arguments, _| match arguments {
            [Value::Double(value)] => Ok(Value::Double(*value)),
            [Value::Int(value)] => Ok(Value::Double(number::double((*value).into()))),
            [Value::Uint(value)] => Ok(Value::Double(number::double((*value).into()))),
            [Value::String(text)] => {
                let error = Failure::of("type conversion error from 'string' to 'double'");
                text.as_str().parse().map(Value::Double).map_err(|_| error)
            }
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "int",
        signatures: &[
            "(int) -> int",
            "(double) -> int",
            "(duration) -> int",
            "(string) -> int",
            "(timestamp) -> int",
            "(uint) -> int",
        ],
        apply: |arguments, _| int(arguments),
    },
    Declared {
        name: "uint",
        signatures: &[
            "(uint) -> uint",
            "(double) -> uint",
            "(int) -> uint",
            "(string) -> uint",
        ],
        apply: |arguments, _| uint(arguments),
    },
    Declared {
        name: "string",
        signatures: &[
            "(string) -> string",
            "(bool) -> string",
            "(bytes) -> string",
            "(double) -> string",
            "(duration) -> string",
            "(int) -> string",
            "(timestamp) -> string",
            "(uint) -> string",
        ],
        apply: |arguments, meter| match arguments {
            [value] => text_of(value, meter).map(Value::String),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "duration",
        signatures: &["(duration) -> duration", "(string) -> duration"],
        apply: |arguments, _| match arguments {
            [Value::Duration(nanoseconds)] => Ok(Value::Duration(*nanoseconds)),
            [Value::String(text)] => times::read_duration(text.as_str())
                .map(Value::Duration)
                .ok_or(Failure::of(
                    "type conversion error from 'string' to 'duration'",
                )),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "timestamp",
        signatures: &[
            "(timestamp) -> timestamp",
            "(int) -> timestamp",
            "(string) -> timestamp",
        ],
        apply: |arguments, _| match arguments {
            [Value::Timestamp(moment)] => Ok(Value::Timestamp(*moment)),
            [Value::Int(seconds)] => times::at(*seconds)
                .map(Value::Timestamp)
                .ok_or(Failure::of("timestamp overflow")),
            [Value::String(text)] => {
                times::read(text.as_str())
                    .map(Value::Timestamp)
                    .ok_or(Failure::of(
                        "type conversion error from 'string' to 'timestamp'",
                    ))
            }
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "dyn",
        signatures: &["(A) -> dyn"],
        apply: |arguments, _| match arguments {
            [value] => Ok(value.clone()),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "type",
        signatures: &["(A) -> type"],
        apply: |arguments, _| match arguments {
            [value] => Ok(Value::Type(value.type_name())),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "size",
        signatures: &[
            "(bytes) -> int",
            "bytes.() -> int",
            "(list(A)) -> int",
            "list(A).() -> int",
            "(map(A, B)) -> int",
            "map(A, B).() -> int",
            "(string) -> int",
            "string.() -> int",
        ],
        apply: |arguments, meter| match arguments {
            [Value::Bytes(bytes)] => Value::count(bytes.len()),
            [Value::List(list)] => Value::count(list.len()),
            [Value::Map(map)] => Value::count(map.len()),
            [Value::String(text)] => {
                meter.look_at(text.as_str().len())?;
                Value::count(text.as_str().chars().count())
            }
            _ => Err(Failure::no_such_overload()),
        },
    },
];

fn int<'v>(arguments: &[Value<'v>]) -> Result<Value<'v>, Failure> {
    let overflow = Failure::of("integer overflow");
    let value = match arguments {
        [Value::Int(value) | Value::Duration(value)] => Some(*value),
        [Value::Uint(value)] => i64::try_from(*value).ok(),
        [Value::Double(value)] => {
            number::truncated(*value).and_then(|value| i64::try_from(value).ok())
        }
        [Value::Timestamp(moment)] => Some(moment.as_second()),
        [Value::String(text)] => {
            let error = Failure::of("type conversion error from 'string' to 'int'");
            return text.as_str().parse().map(Value::Int).map_err(|_| error);
        }
        _ => return Err(Failure::no_such_overload()),
    };
    value.map(Value::Int).ok_or(overflow)
}

fn uint<'v>(arguments: &[Value<'v>]) -> Result<Value<'v>, Failure> {
    let overflow = Failure::of("unsigned integer overflow");
    let value = match arguments {
        [Value::Uint(value)] => Some(*value),
        [Value::Int(value)] => u64::try_from(*value).ok(),
        [Value::Double(value)] => {
            let value = number::truncated(*value).filter(|_| *value >= 0.0);
            value.and_then(|value| u64::try_from(value).ok())
        }
        [Value::String(text)] => {
            let error = Failure::of("type conversion error from 'string' to 'uint'");
            return text.as_str().parse().map(Value::Uint).map_err(|_| error);
        }
        _ => return Err(Failure::no_such_overload()),
    };
    value.map(Value::Uint).ok_or(overflow)
}

/// A value as a text.
pub(super) fn text_of<'v>(value: &Value<'v>, meter: &mut Meter<'_>) -> Result<Text<'v>, Failure> {
    let text = match value {
        Value::String(text) => return Ok(text.clone()),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Double(value) => number::shortest(*value),
        Value::Duration(nanoseconds) => times::duration_text(*nanoseconds),
        Value::Timestamp(moment) => moment.to_string(),
        Value::Bytes(bytes) => {
            meter.make(bytes.len())?;
            let text = std::str::from_utf8(bytes);
            text.map_err(|_| Failure::of("invalid UTF-8 in bytes, cannot convert to string"))?
                .to_owned()
        }
        _ => return Err(Failure::no_such_overload()),
    };
    Ok(Text::Made(text.into()))
}
