//! Values that may be missing.
//!
//! `or`, `orValue`, `optMap` and `optFlatMap` evaluate an argument only when they need it, and are not here; their
//! types are.

use super::{super::value::List, Declared, Failure, Meter, Value};

pub(super) const FUNCTIONS: &[Declared] = &[
    Declared {
        name: "optional.of",
        signatures: &["(A) -> optional(A)"],
        apply: |arguments, _| match arguments {
            [value] => Ok(Value::some(value.clone())),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "optional.ofNonZeroValue",
        signatures: &["(A) -> optional(A)"],
        apply: |arguments, _| match arguments {
            [value] if is_zero(value) => Ok(Value::Optional(None)),
            [value] => Ok(Value::some(value.clone())),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "optional.none",
        signatures: &["() -> optional(A)"],
        apply: |_, _| Ok(Value::Optional(None)),
    },
    Declared {
        name: "optional.unwrap",
        signatures: &["(list(optional(A))) -> list(A)"],
        apply: unwrap,
    },
    Declared {
        name: "unwrapOpt",
        signatures: &["list(optional(A)).() -> list(A)"],
        apply: unwrap,
    },
    Declared {
        name: "hasValue",
        signatures: &["optional(A).() -> bool"],
        apply: |arguments, _| match arguments {
            [Value::Optional(value)] => Ok(Value::Bool(value.is_some())),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "value",
        signatures: &["optional(A).() -> A"],
        apply: |arguments, _| match arguments {
            [Value::Optional(Some(value))] => Ok(Value::clone(value)),
            [Value::Optional(None)] => Err(Failure::of("optional.none() dereference")),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "or",
        signatures: &["optional(A).(optional(A)) -> optional(A)"],
        apply: |_, _| Err(Failure::no_such_overload()),
    },
    Declared {
        name: "orValue",
        signatures: &["optional(A).(A) -> A"],
        apply: |_, _| Err(Failure::no_such_overload()),
    },
];

/// Whether a value is what its type has when nothing was set.
fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Int(value) | Value::Duration(value) => *value == 0,
        Value::Uint(value) => *value == 0,
        Value::Double(value) => *value == 0.0,
        Value::String(text) => text.as_str().is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::List(list) => list.len() == 0,
        Value::Map(map) => map.len() == 0,
        Value::Optional(value) => value.is_none(),
        Value::Timestamp(_) | Value::Type(_) => false,
    }
}

fn unwrap<'v>(arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Result<Value<'v>, Failure> {
    let [Value::List(list)] = arguments else {
        return Err(Failure::no_such_overload());
    };
    meter.make(list.len() * size_of::<Value<'_>>())?;
    let items = present(list);
    items.map(Value::list).ok_or_else(Failure::no_such_overload)
}

fn present<'v>(list: &List<'v>) -> Option<Vec<Value<'v>>> {
    let mut items = Vec::new();
    for item in list.items() {
        let Value::Optional(item) = item else {
            return None;
        };
        items.extend(item.map(|item| Value::clone(&item)));
    }
    Some(items)
}
