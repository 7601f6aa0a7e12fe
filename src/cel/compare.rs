//! Which values are equal, and which comes first.
//!
//! Numbers compare by value, whatever their types; other values of different types are never equal.

use std::cmp::Ordering;

use super::{
    meter::Meter,
    number,
    problem::Failure,
    value::{Key, List, Map, Value},
};

/// Whether two values are equal; each part of them that is looked at is a step.
pub(super) fn equal(
    left: &Value<'_>,
    right: &Value<'_>,
    meter: &mut Meter<'_>,
) -> Result<bool, Failure> {
    meter.spend(1)?;
    Ok(match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::String(left), Value::String(right)) => {
            let (left, right) = (left.as_str(), right.as_str());
            same_bytes(left.as_bytes(), right.as_bytes(), meter)?
        }
        (Value::Bytes(left), Value::Bytes(right)) => same_bytes(left, right, meter)?,
        (Value::Duration(left), Value::Duration(right)) => left == right,
        (Value::Timestamp(left), Value::Timestamp(right)) => left == right,
        (Value::Type(left), Value::Type(right)) => left == right,
        (Value::List(left), Value::List(right)) => equal_lists(left, right, meter)?,
        (Value::Map(left), Value::Map(right)) => equal_maps(left, right, meter)?,
        (Value::Optional(left), Value::Optional(right)) => match (left, right) {
            (Some(left), Some(right)) => equal(left, right, meter)?,
            (left, right) => left.is_none() && right.is_none(),
        },
        (left, right) => number::compare(left, right) == Some(Ordering::Equal),
    })
}

fn same_bytes(left: &[u8], right: &[u8], meter: &mut Meter<'_>) -> Result<bool, Failure> {
    meter.look_at(left.len().min(right.len()))?;
    Ok(left == right)
}

fn equal_lists(left: &List<'_>, right: &List<'_>, meter: &mut Meter<'_>) -> Result<bool, Failure> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.items().zip(right.items()) {
        if !equal(&left, &right, meter)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_maps(left: &Map<'_>, right: &Map<'_>, meter: &mut Meter<'_>) -> Result<bool, Failure> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (key, value) in left.entries() {
        let other = Key::of(&key).and_then(|key| right.at(&key));
        let is_equal = match other {
            Some(other) => equal(&value, &other, meter)?,
            None => false,
        };
        if !is_equal {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a list has an equal value.
pub(super) fn contains(
    list: &List<'_>,
    wanted: &Value<'_>,
    meter: &mut Meter<'_>,
) -> Result<bool, Failure> {
    for item in list.items() {
        if equal(&item, wanted, meter)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Which of two values comes first.
pub(super) fn order(
    left: &Value<'_>,
    right: &Value<'_>,
    meter: &mut Meter<'_>,
) -> Result<Ordering, Failure> {
    let is_nan = |value: &Value<'_>| matches!(value, Value::Double(value) if value.is_nan());
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Ok(left.cmp(right)),
        (Value::String(left), Value::String(right)) => {
            let (left, right) = (left.as_str(), right.as_str());
            meter.look_at(left.len().min(right.len()))?;
            Ok(left.cmp(right))
        }
        (Value::Bytes(left), Value::Bytes(right)) => {
            meter.look_at(left.len().min(right.len()))?;
            Ok(left.cmp(right))
        }
        (Value::Duration(left), Value::Duration(right)) => Ok(left.cmp(right)),
        (Value::Timestamp(left), Value::Timestamp(right)) => Ok(left.cmp(right)),
        (left, right) if is_nan(left) || is_nan(right) => {
            Err(Failure::of("NaN values cannot be ordered"))
        }
        (left, right) => number::compare(left, right).ok_or_else(Failure::no_such_overload),
    }
}
