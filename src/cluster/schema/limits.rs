//! Limits of numbers, strings, lists and maps, and the pattern and format of a value.
//!
//! Each applies to values of its own type only; whether the type is right is checked elsewhere.

use serde_json::{Number, Value};

use super::{
    error::{FieldError, Reason, go_value},
    node::Node,
    validate::Findings,
};

/// Checks the limits that apply to the type of the value.
pub(super) fn check(node: &Node, value: &Value, path: &str, findings: &mut Findings) {
    let bad = |detail: String| FieldError::invalid(path, value, format!("{path} in body {detail}"));
    match value {
        Value::String(text) => check_string(node, text, path, &bad, findings),
        Value::Number(number) => check_number(node, number, &bad, findings),
        Value::Array(items) => {
            let limits = &node.limits;
            check_count(
                items.len(),
                [limits.min_items, limits.max_items],
                path,
                "items",
                findings,
            );
        }
        Value::Object(fields) => {
            let limits = [node.limits.min_properties, node.limits.max_properties];
            check_count(fields.len(), limits, path, "properties", findings);
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn check_string(
    node: &Node,
    text: &str,
    path: &str,
    bad: &dyn Fn(String) -> FieldError,
    findings: &mut Findings,
) {
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if let Some(max) = node.limits.max_length
        && length > max
    {
        findings.push(FieldError::too_long(path, max));
    }
    if let Some(min) = node.limits.min_length
        && length < min
    {
        findings.push(bad(format!("should be at least {min} chars long")));
    }
    if let Some(pattern) = &node.pattern
        && !pattern.matches(text)
    {
        findings.push(bad(format!("should match '{}'", pattern.as_str())));
    }
    if let Some(format) = &node.format
        && !format.accepts(text)
    {
        let value = Value::from(text);
        let detail = format!("{path} in body must be of type {}: {value}", format.name());
        let value = Some(go_value(&value));
        findings.push(FieldError::new(path, Reason::TypeInvalid, value, detail));
    }
}

fn check_number(
    node: &Node,
    number: &Number,
    bad: &dyn Fn(String) -> FieldError,
    findings: &mut Findings,
) {
    let limits = &node.limits;
    let value = number.as_f64().unwrap_or(f64::NAN);
    if let Some(factor) = limits.multiple_of
        && (value / factor).fract() != 0.0
    {
        findings.push(bad(format!("should be a multiple of {factor}")));
    }
    if let Some(max) = limits.maximum {
        let is_strict = limits.exclusive_maximum;
        if value > max || (is_strict && value >= max) {
            let or_equal = if is_strict { "" } else { " or equal to" };
            findings.push(bad(format!("should be less than{or_equal} {max}")));
        }
    }
    if let Some(min) = limits.minimum {
        let is_strict = limits.exclusive_minimum;
        if value < min || (is_strict && value <= min) {
            let or_equal = if is_strict { "" } else { " or equal to" };
            findings.push(bad(format!("should be greater than{or_equal} {min}")));
        }
    }
}

fn check_count(
    count: usize,
    [min, max]: [Option<i64>; 2],
    path: &str,
    what: &str,
    findings: &mut Findings,
) {
    let actual = i64::try_from(count).unwrap_or(i64::MAX);
    if let Some(min) = min
        && actual < min
    {
        let detail = format!("{path} in body should have at least {min} {what}");
        findings.push(FieldError::invalid(path, &Value::from(actual), detail));
    }
    if let Some(max) = max
        && actual > max
    {
        findings.push(FieldError::too_many(path, count, max));
    }
}
