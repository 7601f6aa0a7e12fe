//! Structural validation of one value against one node: types, required fields, enums, nesting.
//!
//! Duplicate list keys and CEL rules come after it, and only if it finds nothing.

use serde_json::{Map, Value};

use super::{
    error::{FieldError, Reason},
    limits, list, logic,
    node::{ListType, Node, Type, child, index},
};

/// More mistakes than this help nobody and would only feed a hostile client's answer.
const MAX_ERRORS: usize = 100;

/// Validates an object; with the old one, unchanged parts are taken as they are.
pub(super) fn validate(root: &Node, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut findings = Findings::default();
    check(root, object, old, "", &mut findings);
    findings.errors
}

/// What a validation has found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The mistakes, in the order of the schema.
    pub(super) errors: Vec<FieldError>,
    /// How many checks were made: the closest of several alternatives has the most.
    pub(super) checked: usize,
}

impl Findings {
    /// Records a mistake, once, and not beyond the limit.
    pub(super) fn push(&mut self, error: FieldError) {
        if self.errors.len() < MAX_ERRORS && !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// Takes over what another validation found.
    pub(super) fn merge(&mut self, other: Self) {
        self.checked += other.checked;
        for error in other.errors {
            self.push(error);
        }
    }
}

/// Checks a value and all below it.
pub(super) fn check(
    node: &Node,
    value: &Value,
    old: Option<&Value>,
    path: &str,
    findings: &mut Findings,
) {
    findings.checked += 1;
    if old == Some(value) {
        return;
    }
    if let Some(error) = type_mismatch(node, value, path) {
        findings.push(error);
    }
    if !value.is_null() {
        logic::check(node, value, path, findings);
        limits::check(node, value, path, findings);
    }
    check_allowed(node, value, path, findings);
    match value {
        Value::Array(items) => check_items(node, items, old, path, findings),
        Value::Object(fields) => check_fields(node, fields, old, path, findings),
        _ => {}
    }
}

fn check_items(
    node: &Node,
    items: &[Value],
    old: Option<&Value>,
    path: &str,
    findings: &mut Findings,
) {
    let Some(of_item) = &node.items else { return };
    let before = match &node.list {
        ListType::Map(keys) => list::by_key(keys, old),
        ListType::Atomic | ListType::Set => list::ByKey::default(),
    };
    for (position, item) in items.iter().enumerate() {
        check(
            of_item,
            item,
            before.of(item),
            &index(path, position),
            findings,
        );
    }
}

fn check_fields(
    node: &Node,
    fields: &Map<String, Value>,
    old: Option<&Value>,
    path: &str,
    findings: &mut Findings,
) {
    for name in &node.required {
        if !fields.contains_key(name) {
            findings.push(FieldError::required(child(path, name), ""));
        }
    }
    for name in ["apiVersion", "kind"] {
        let is_named = fields.get(name).is_some_and(|value| value != "");
        if node.embedded && !is_named {
            findings.push(FieldError::required(child(path, name), "must not be empty"));
        }
    }
    for (name, value) in fields {
        if let Some(of_field) = node.field(name) {
            let before = old.and_then(|old| old.get(name));
            check(of_field, value, before, &child(path, name), findings);
        }
    }
}

fn check_allowed(node: &Node, value: &Value, path: &str, findings: &mut Findings) {
    if node.allowed.is_empty() || node.allowed.iter().any(|one| is_same(one, value)) {
        return;
    }
    let names: Vec<String> = node
        .allowed
        .iter()
        .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    findings.push(FieldError::not_supported(path, value, &names));
}

/// Whether two values are the same, numbers by what they are worth.
fn is_same(one: &Value, other: &Value) -> bool {
    one == other || (one.is_number() && one.as_f64() == other.as_f64())
}

fn type_mismatch(node: &Node, value: &Value, path: &str) -> Option<FieldError> {
    if node.types.is_empty() || (value.is_null() && node.nullable) {
        return None;
    }
    let (name, format) = type_name(value);
    if node.types.iter().any(|one| accepts(*one, value)) {
        return None;
    }
    let is_formatted = !matches!(value, Value::Null | Value::String(_) | Value::Array(_));
    let (expected, actual) = if let Some(named) = &node.format
        && is_formatted
    {
        (named.name().to_owned(), format)
    } else {
        let all: Vec<&str> = node.types.iter().map(|one| one.as_str()).collect();
        (all.join(","), name)
    };
    let detail = format!("{path} in body must be of type {expected}: \"{actual}\"");
    let value = format!("\"{actual}\"");
    Some(FieldError::new(
        path,
        Reason::TypeInvalid,
        Some(value),
        detail,
    ))
}

fn accepts(type_: Type, value: &Value) -> bool {
    match type_ {
        Type::Array => value.is_array(),
        Type::Boolean => value.is_boolean(),
        Type::Integer => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|one| one.fract() == 0.0)
        }
        Type::Number => value.is_number(),
        Type::Object => value.is_object(),
        Type::String => value.is_string(),
    }
}

/// The JSON Schema type of a value, and the format that Go's decoder gives it.
pub(super) fn type_name(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::Null => ("null", ""),
        Value::Bool(_) => ("boolean", ""),
        Value::Number(number) if number.is_f64() => ("number", "float64"),
        Value::Number(_) => ("integer", "int64"),
        Value::String(_) => ("string", ""),
        Value::Array(_) => ("array", ""),
        Value::Object(_) => ("object", ""),
    }
}
