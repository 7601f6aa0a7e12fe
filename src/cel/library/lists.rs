//! Functions of lists: the first and last item, and lists as sets.
//!
//! Loops over lists are macros.

use std::sync::Arc;

use super::{
    super::{compare, value::List},
    Declared, Failure, Meter, Value,
};

const OF_TWO: &[&str] = &["(list(A), list(A)) -> bool"];

pub(super) const FUNCTIONS: &[Declared] = &[
    Declared {
        name: "first",
        signatures: &["list(A).() -> optional(A)"],
        apply: |arguments, _| match arguments {
            [Value::List(list)] => Ok(Value::Optional(list.at(0).map(Arc::new))),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "last",
        signatures: &["list(A).() -> optional(A)"],
        apply: |arguments, _| match arguments {
            [Value::List(list)] => Ok(Value::Optional(list.items().next_back().map(Arc::new))),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "sets.contains",
        signatures: OF_TWO,
        apply: |arguments, meter| {
            let (whole, part) = two(arguments)?;
            has_all(whole, part, meter).map(Value::Bool)
        },
    },
    Declared {
        name: "sets.equivalent",
        signatures: OF_TWO,
        apply: |arguments, meter| {
            let (left, right) = two(arguments)?;
            let is_equivalent = has_all(left, right, meter)? && has_all(right, left, meter)?;
            Ok(Value::Bool(is_equivalent))
        },
    },
    Declared {
        name: "sets.intersects",
        signatures: OF_TWO,
        apply: |arguments, meter| {
            let (left, right) = two(arguments)?;
            for item in left.items() {
                if compare::contains(right, &item, meter)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        },
    },
];

fn two<'a, 'v>(arguments: &'a [Value<'v>]) -> Result<(&'a List<'v>, &'a List<'v>), Failure> {
    match arguments {
        [Value::List(left), Value::List(right)] => Ok((left, right)),
        _ => Err(Failure::no_such_overload()),
    }
}

fn has_all(whole: &List<'_>, part: &List<'_>, meter: &mut Meter<'_>) -> Result<bool, Failure> {
    for item in part.items() {
        meter.spend(1)?;
        if !compare::contains(whole, &item, meter)? {
            return Ok(false);
        }
    }
    Ok(true)
}
