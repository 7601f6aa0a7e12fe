//! Operators that evaluate all their operands: comparing, calculating, indexing.
//!
//! `&&`, `||` and `?:` skip operands and are evaluated elsewhere.

use std::{cmp::Ordering, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{
    super::{
        compare, number,
        value::{Key, List, Map},
    },
    Declared, Failure, Meter, Value,
};

type Outcome<'v> = Result<Value<'v>, Failure>;

/// What can be ordered, in the order of cel-go; numbers of different types can.
const ORDERED: &[&str] = &[
    "(bool, bool) -> bool",
    "(int, int) -> bool",
    "(int, double) -> bool",
    "(int, uint) -> bool",
    "(uint, uint) -> bool",
    "(uint, double) -> bool",
    "(uint, int) -> bool",
    "(double, double) -> bool",
    "(double, int) -> bool",
    "(double, uint) -> bool",
    "(string, string) -> bool",
    "(bytes, bytes) -> bool",
    "(timestamp, timestamp) -> bool",
    "(duration, duration) -> bool",
];

pub(super) const FUNCTIONS: &[Declared] = &[
    Declared {
        name: "_==_",
        signatures: &["(A, A) -> bool"],
        apply: |arguments, meter| is_equal(arguments, meter).map(Value::Bool),
    },
    Declared {
        name: "_!=_",
        signatures: &["(A, A) -> bool"],
        apply: |arguments, meter| Ok(Value::Bool(!is_equal(arguments, meter)?)),
    },
    Declared {
        name: "_<_",
        signatures: ORDERED,
        apply: |arguments, meter| ordered(arguments, meter, Ordering::is_lt),
    },
    Declared {
        name: "_<=_",
        signatures: ORDERED,
        apply: |arguments, meter| ordered(arguments, meter, Ordering::is_le),
    },
    Declared {
        name: "_>_",
        signatures: ORDERED,
        apply: |arguments, meter| ordered(arguments, meter, Ordering::is_gt),
    },
    Declared {
        name: "_>=_",
        signatures: ORDERED,
        apply: |arguments, meter| ordered(arguments, meter, Ordering::is_ge),
    },
    Declared {
        name: "@in",
        signatures: &["(A, list(A)) -> bool", "(A, map(A, B)) -> bool"],
        apply: is_in,
    },
    Declared {
        name: "!_",
        signatures: &["(bool) -> bool"],
        apply: |arguments, _| match arguments {
            [Value::Bool(value)] => Ok(Value::Bool(!value)),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "-_",
        signatures: &["(int) -> int", "(double) -> double"],
        apply: |arguments, _| match arguments {
            [Value::Int(value)] => whole(value.checked_neg()),
            [Value::Double(value)] => Ok(Value::Double(-value)),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "_+_",
        signatures: &[
            "(bytes, bytes) -> bytes",
            "(double, double) -> double",
            "(duration, duration) -> duration",
            "(duration, timestamp) -> timestamp",
            "(timestamp, duration) -> timestamp",
            "(int, int) -> int",
            "(list(A), list(A)) -> list(A)",
            "(string, string) -> string",
            "(uint, uint) -> uint",
        ],
        apply: add,
    },
    Declared {
        name: "_-_",
        signatures: &[
            "(double, double) -> double",
            "(duration, duration) -> duration",
            "(int, int) -> int",
            "(timestamp, duration) -> timestamp",
            "(timestamp, timestamp) -> duration",
            "(uint, uint) -> uint",
        ],
        apply: subtract,
    },
    Declared {
        name: "_*_",
        signatures: &[
            "(double, double) -> double",
            "(int, int) -> int",
            "(uint, uint) -> uint",
        ],
        apply: |arguments, _| match arguments {
            [Value::Int(left), Value::Int(right)] => whole(left.checked_mul(*right)),
            [Value::Uint(left), Value::Uint(right)] => natural(left.checked_mul(*right)),
            [Value::Double(left), Value::Double(right)] => Ok(Value::Double(left * right)),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "_/_",
        signatures: &[
            "(double, double) -> double",
            "(int, int) -> int",
            "(uint, uint) -> uint",
        ],
        apply: |arguments, _| match arguments {
            [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)] => {
                Err(Failure::of("division by zero"))
            }
            [Value::Int(left), Value::Int(right)] => whole(left.checked_div(*right)),
            [Value::Uint(left), Value::Uint(right)] => natural(left.checked_div(*right)),
            [Value::Double(left), Value::Double(right)] => Ok(Value::Double(left / right)),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "_%_",
        signatures: &["(int, int) -> int", "(uint, uint) -> uint"],
        apply: |arguments, _| match arguments {
            [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)] => {
                Err(Failure::of("modulus by zero"))
            }
            [Value::Int(left), Value::Int(right)] => whole(left.checked_rem(*right)),
            [Value::Uint(left), Value::Uint(right)] => natural(left.checked_rem(*right)),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "_[_]",
        signatures: &[
            "(list(A), int) -> A",
            "(map(A, B), A) -> B",
            "(optional(list(A)), int) -> optional(A)",
            "(optional(map(A, B)), A) -> optional(B)",
        ],
        apply: |arguments, _| match arguments {
            [Value::Optional(None), _] => Ok(Value::Optional(None)),
            [Value::Optional(Some(container)), index] => optional_item(container, index),
            [container, index] => item(container, index)?.map_err(Missing::failure),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "_[?_]",
        signatures: &[
            "(list(A), int) -> optional(A)",
            "(optional(list(A)), int) -> optional(A)",
            "(map(A, B), A) -> optional(B)",
            "(optional(map(A, B)), A) -> optional(B)",
        ],
        apply: |arguments, _| match arguments {
            [Value::Optional(None), _] => Ok(Value::Optional(None)),
            [Value::Optional(Some(container)), index] => optional_item(container, index),
            [container, index] => optional_item(container, index),
            _ => Err(Failure::no_such_overload()),
        },
    },
];

fn is_equal(arguments: &[Value<'_>], meter: &mut Meter<'_>) -> Result<bool, Failure> {
    match arguments {
        [left, right] => compare::equal(left, right, meter),
        _ => Err(Failure::no_such_overload()),
    }
}

fn ordered<'v>(
    arguments: &[Value<'v>],
    meter: &mut Meter<'_>,
    is_wanted: fn(Ordering) -> bool,
) -> Outcome<'v> {
    match arguments {
        [left, right] => Ok(Value::Bool(is_wanted(compare::order(left, right, meter)?))),
        _ => Err(Failure::no_such_overload()),
    }
}

fn is_in<'v>(arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Outcome<'v> {
    match arguments {
        [wanted, Value::List(list)] => compare::contains(list, wanted, meter).map(Value::Bool),
        [wanted, Value::Map(map)] => {
            let found = Key::of(wanted).and_then(|key| map.at(&key));
            Ok(Value::Bool(found.is_some()))
        }
        _ => Err(Failure::no_such_overload()),
    }
}

fn whole<'v>(value: Option<i64>) -> Outcome<'v> {
    let value = value.ok_or(Failure::of("integer overflow"))?;
    Ok(Value::Int(value))
}

fn natural<'v>(value: Option<u64>) -> Outcome<'v> {
    let value = value.ok_or(Failure::of("unsigned integer overflow"))?;
    Ok(Value::Uint(value))
}

fn span<'v>(nanoseconds: Option<i64>) -> Outcome<'v> {
    let nanoseconds = nanoseconds.ok_or(Failure::of("duration overflow"))?;
    Ok(Value::Duration(nanoseconds))
}

fn moment<'v>(moment: Timestamp, nanoseconds: Option<i64>) -> Outcome<'v> {
    let overflow = Failure::of("timestamp overflow");
    let Some(nanoseconds) = nanoseconds else {
        return Err(overflow);
    };
    let moment = moment.checked_add(SignedDuration::from_nanos(nanoseconds));
    let moment = moment.ok().filter(super::times::is_in_range);
    moment.map(Value::Timestamp).ok_or(overflow)
}

fn add<'v>(arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Outcome<'v> {
    match arguments {
        [Value::Int(left), Value::Int(right)] => whole(left.checked_add(*right)),
        [Value::Uint(left), Value::Uint(right)] => natural(left.checked_add(*right)),
        [Value::Double(left), Value::Double(right)] => Ok(Value::Double(left + right)),
        [Value::String(left), Value::String(right)] => {
            let (left, right) = (left.as_str(), right.as_str());
            meter.make(left.len() + right.len())?;
            Ok(Value::text([left, right].concat()))
        }
        [Value::Bytes(left), Value::Bytes(right)] => {
            meter.make(left.len() + right.len())?;
            Ok(Value::Bytes([&**left, right].concat().into()))
        }
        [Value::List(left), Value::List(right)] => {
            meter.make((left.len() + right.len()) * size_of::<Value<'_>>())?;
            meter.spend((left.len() + right.len()) as u64)?;
            Ok(Value::list(left.items().chain(right.items()).collect()))
        }
        [Value::Duration(left), Value::Duration(right)] => span(left.checked_add(*right)),
        [Value::Timestamp(at), Value::Duration(by)]
        | [Value::Duration(by), Value::Timestamp(at)] => moment(*at, Some(*by)),
        _ => Err(Failure::no_such_overload()),
    }
}

fn subtract<'v>(arguments: &[Value<'v>], _: &mut Meter<'_>) -> Outcome<'v> {
    match arguments {
        [Value::Int(left), Value::Int(right)] => whole(left.checked_sub(*right)),
        [Value::Uint(left), Value::Uint(right)] => natural(left.checked_sub(*right)),
        [Value::Double(left), Value::Double(right)] => Ok(Value::Double(left - right)),
        [Value::Duration(left), Value::Duration(right)] => span(left.checked_sub(*right)),
        [Value::Timestamp(at), Value::Duration(by)] => moment(*at, by.checked_neg()),
        [Value::Timestamp(left), Value::Timestamp(right)] => {
            let between = left.duration_since(*right).as_nanos();
            span(i64::try_from(between).ok())
        }
        _ => Err(Failure::no_such_overload()),
    }
}

/// What is not in a list or a map.
enum Missing {
    Item,
    Key,
}

impl Missing {
    /// It does not say which one, for that may be a part of the request.
    fn failure(self) -> Failure {
        match self {
            Self::Item => Failure::of("index out of bounds"),
            Self::Key => Failure::of("no such key"),
        }
    }
}

fn item<'v>(
    container: &Value<'v>,
    index: &Value<'v>,
) -> Result<Result<Value<'v>, Missing>, Failure> {
    match container {
        Value::List(list) => Ok(list_item(list, index)?.ok_or(Missing::Item)),
        Value::Map(map) => Ok(map_item(map, index).ok_or(Missing::Key)),
        _ => Err(Failure::no_such_overload()),
    }
}

fn list_item<'v>(list: &List<'v>, index: &Value<'v>) -> Result<Option<Value<'v>>, Failure> {
    let index = match index {
        Value::Int(index) => i128::from(*index),
        Value::Uint(index) => i128::from(*index),
        Value::Double(index) => number::whole(*index).ok_or_else(Failure::no_such_overload)?,
        _ => return Err(Failure::no_such_overload()),
    };
    Ok(usize::try_from(index).ok().and_then(|index| list.at(index)))
}

fn map_item<'v>(map: &Map<'v>, index: &Value<'v>) -> Option<Value<'v>> {
    match index {
        Value::String(name) => map.field(name.as_str()),
        other => map.at(&Key::of(other)?),
    }
}

fn optional_item<'v>(container: &Value<'v>, index: &Value<'v>) -> Outcome<'v> {
    Ok(Value::Optional(item(container, index)?.ok().map(Arc::new)))
}
