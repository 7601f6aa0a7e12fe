//! `x-kubernetes-validations`: CEL rules about a value, compiled once.
//!
//! It runs only on values that are structurally right; evaluation itself is the `kube-cel` crate's.

use std::{error::Error as _, fmt};

use kube_cel::{
    CompilationError, CompiledSchema, ErrorKind, ValidationError, compile_schema, validate_compiled,
};
use serde_json::{Map, Value};

use super::{
    error::{FieldError, Reason},
    list,
    node::{ListType, Node, child, index, key},
    validate::type_name,
};

/// The compiled rules of one node.
pub(super) struct Rules {
    schema: CompiledSchema,
}

impl fmt::Debug for Rules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Rules")
            .field("count", &self.schema.validations.len())
            .finish()
    }
}

impl Rules {
    /// Compiles the rules of a schema node, if it has any; what does not compile is reported.
    pub(super) fn compile(raw: &Value, path: &str, errors: &mut Vec<FieldError>) -> Option<Self> {
        let rules = raw.get("x-kubernetes-validations")?.clone();
        let mut shape = shape_of(raw);
        if let Value::Object(fields) = &mut shape {
            fields.insert("x-kubernetes-validations".to_owned(), rules);
        }
        let schema = compile_schema(&shape);
        for (position, result) in schema.validations.iter().enumerate() {
            if let Err(error) = result {
                errors.push(uncompiled(error, &index(path, position)));
            }
        }
        Some(Self { schema })
    }

    fn has_transitions(&self) -> bool {
        self.schema
            .validations
            .iter()
            .flatten()
            .any(|rule| rule.is_transition_rule)
    }
}

/// Evaluates the rules of a node and of all below it.
pub(super) fn evaluate(root: &Node, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    walk(root, object, old, "", &mut errors);
    errors
}

fn walk(node: &Node, value: &Value, old: Option<&Value>, path: &str, errors: &mut Vec<FieldError>) {
    if value.is_null() {
        return;
    }
    if let Some(rules) = &node.rules
        && (old != Some(value) || rules.has_transitions())
        && let Err(failures) = validate_compiled(&rules.schema, value, old)
    {
        errors.extend(
            failures
                .into_iter()
                .map(|failure| failed(failure, value, path)),
        );
    }
    match value {
        Value::Array(items) => {
            let Some(of_item) = &node.items else { return };
            let before = match &node.list {
                ListType::Map(keys) => list::by_key(keys, old),
                ListType::Atomic | ListType::Set => list::ByKey::default(),
            };
            for (position, item) in items.iter().enumerate() {
                walk(
                    of_item,
                    item,
                    before.of(item),
                    &index(path, position),
                    errors,
                );
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let Some(of_field) = node.field(name) else {
                    continue;
                };
                let path = if node.properties.contains_key(name) {
                    child(path, name)
                } else {
                    key(path, name)
                };
                walk(
                    of_field,
                    value,
                    old.and_then(|old| old.get(name)),
                    &path,
                    errors,
                );
            }
        }
        _ => {}
    }
}

/// What the evaluation needs to know of a node and what is below it: types and formats, no rules.
fn shape_of(raw: &Value) -> Value {
    const KEPT: [&str; 6] = [
        "type",
        "format",
        "x-kubernetes-int-or-string",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-preserve-unknown-fields",
        "additionalProperties",
    ];
    let Value::Object(fields) = raw else {
        return raw.clone();
    };
    let mut shape = Map::new();
    for (name, value) in fields {
        let value = match (name.as_str(), value) {
            ("properties", Value::Object(properties)) => properties
                .iter()
                .map(|(name, property)| (name.clone(), shape_of(property)))
                .collect::<Map<_, _>>()
                .into(),
            ("items" | "additionalProperties", value) => shape_of(value),
            (name, value) if KEPT.contains(&name) => value.clone(),
            _ => continue,
        };
        shape.insert(name.clone(), value);
    }
    Value::Object(shape)
}

fn uncompiled(error: &CompilationError, path: &str) -> FieldError {
    match error {
        CompilationError::Parse { rule, source } => {
            let detail = format!("compilation failed: {source}");
            FieldError::invalid(child(path, "rule"), &Value::from(rule.as_str()), detail)
        }
        CompilationError::MessageExpressionParse {
            message_expression,
            source,
            ..
        } => {
            let detail = format!("messageExpression compilation failed: {source}");
            let value = Value::from(message_expression.as_str());
            FieldError::invalid(child(path, "messageExpression"), &value, detail)
        }
        other => FieldError::invalid(path, &Value::from("object"), other.to_string()),
    }
}

/// A sentence as Go's libraries begin it.
fn with_small_initial(text: &str) -> String {
    let mut letters = text.chars();
    let initial = letters.next().map(|letter| letter.to_ascii_lowercase());
    initial.into_iter().chain(letters).collect()
}

fn failed(failure: ValidationError, value: &Value, path: &str) -> FieldError {
    let rule = failure.rule.trim();
    let detail = match failure.kind {
        ErrorKind::ValidationFailure => failure.message.trim().to_owned(),
        ErrorKind::EvaluationError | ErrorKind::UnsupportedReference => {
            let cause = failure
                .source()
                .map_or(failure.message.clone(), ToString::to_string);
            format!("{} evaluating rule: {rule}", with_small_initial(&cause))
        }
        _ => failure.message,
    };
    let path = match failure.field_path.trim_start_matches('.') {
        "" => path.to_owned(),
        below => child(path, below),
    };
    match failure.reason.as_deref() {
        Some("FieldValueForbidden") => FieldError::forbidden(path, detail),
        Some("FieldValueRequired") => FieldError::required(path, detail),
        reason => {
            let reason = match reason {
                Some("FieldValueDuplicate") => Reason::Duplicate,
                _ => Reason::Invalid,
            };
            let type_ = format!("\"{}\"", type_name(value).0);
            FieldError::new(path, reason, Some(type_), detail)
        }
    }
}
