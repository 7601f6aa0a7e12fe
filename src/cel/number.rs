//! Numbers of different types compared with each other, and written as Go writes them.
//!
//! What is calculated with them is in `library`.

use std::{cmp::Ordering, ops::Range};

use super::value::Value;

/// Two to the power of 127: what is smaller fits an `i128`.
const TOO_LARGE: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;

/// The exponents that Go does not write when it chooses the form.
const WITHOUT_EXPONENT: Range<i32> = -4..6;

/// The whole number that this is, if it is one.
pub(super) fn whole(value: f64) -> Option<i128> {
    (value.fract() == 0.0).then(|| truncated(value))?
}

/// The number without its fraction; nothing for what is no number or too large to matter.
pub(super) fn truncated(value: f64) -> Option<i128> {
    #[expect(clippy::cast_possible_truncation, reason = "the fraction is cut off")]
    (value.abs() < TOO_LARGE).then_some(value as i128)
}

/// A whole number as the double that is nearest.
#[expect(
    clippy::cast_precision_loss,
    reason = "CEL converts to the nearest one"
)]
pub(super) fn double(value: i128) -> f64 {
    value as f64
}

/// How two numbers compare, whatever their types; nothing when one is not a number, or is NaN.
pub(super) fn compare(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    let int = |value: &Value<'_>| match value {
        Value::Int(value) => Some(i128::from(*value)),
        Value::Uint(value) => Some(i128::from(*value)),
        _ => None,
    };
    match (left, right) {
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
        (Value::Double(left), right) => beside(*left, int(right)?),
        (left, Value::Double(right)) => beside(*right, int(left)?).map(Ordering::reverse),
        (left, right) => Some(int(left)?.cmp(&int(right)?)),
    }
}

/// Compares without rounding the whole number.
fn beside(double: f64, int: i128) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    let Some(whole) = truncated(double) else {
        return double.partial_cmp(&0.0);
    };
    let fraction = double.fract().partial_cmp(&0.0)?;
    Some(whole.cmp(&int).then(fraction))
}

/// A number in its shortest form, as Go's `%g` writes it.
pub(super) fn shortest(value: f64) -> String {
    if let Some(text) = special(value, ["NaN", "+Inf", "-Inf"]) {
        return text.to_owned();
    }
    let scientific = format!("{value:e}");
    let exponent = scientific.split_once('e').map_or("0", |(_, after)| after);
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if WITHOUT_EXPONENT.contains(&exponent) {
        format!("{value}")
    } else {
        with_exponent(&scientific)
    }
}

/// The word for what is not a finite number.
pub(super) fn special(value: f64, [nan, infinity, minus]: [&str; 3]) -> Option<&str> {
    match value {
        value if value.is_nan() => Some(nan),
        f64::INFINITY => Some(infinity),
        f64::NEG_INFINITY => Some(minus),
        _ => None,
    }
}

/// `1.5e6` as `1.5e+06`, which is how Go writes exponents.
pub(super) fn with_exponent(scientific: &str) -> String {
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific.to_owned();
    };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}
