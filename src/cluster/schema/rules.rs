//! `x-kubernetes-validations`: CEL rules about a value, compiled once.
//!
//! It runs only on values that are structurally right; evaluation itself is the `kube-cel` crate's.

use std::{error::Error as _, fmt};

use kube_cel::{
    CompilationError, CompilationResult, CompiledSchema, ErrorKind, ValidationError,
    ValidationErrors, compile_schema, validate_compiled,
};
use serde_json::{Map, Value};

use super::{
    cost::{self, Budget, Exhausted},
    error::{FieldError, Reason},
    expression, fields, list,
    node::{ListType, Node, child, index, key},
    scope, spelling,
    validate::type_name,
};
use crate::cel;

/// Where the rules of a node are in it.
pub(super) const RULES: &str = "x-kubernetes-validations";

/// The compiled rules of one node.
pub(super) struct Rules {
    schema: CompiledSchema,
    /// Whether rules spell a field in another way than objects do.
    is_spelled: bool,
}

impl fmt::Debug for Rules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Rules")
            .field("count", &self.schema.validations.len())
            .finish_non_exhaustive()
    }
}

impl Rules {
    /// Compiles the rules of a schema node, if it has any; what does not compile is reported.
    ///
    /// The path is that of the rules; `node` is the rest of the schema node, compiled.
    pub(super) fn compile(
        raw: &Value,
        node: &Node,
        path: &str,
        errors: &mut Vec<FieldError>,
    ) -> Option<Self> {
        let rules = raw.get(RULES)?.clone();
        let mut shape = shape_of(raw);
        if let Err((position, refused)) = expression::check_all(&rules) {
            let path = child(&index(path, position), "rule");
            errors.push(FieldError::forbidden(path, refused.to_string()));
            return None;
        }
        if let Value::Object(fields) = &mut shape {
            fields.insert(RULES.to_owned(), rules);
        }
        let Some(mut schema) = cel::contained(|| compile_schema(&shape)) else {
            let detail = "the expression engine cannot compile the rules";
            errors.push(FieldError::forbidden(path, detail.to_owned()));
            return None;
        };
        let is_root = path == RULES;
        let wrong = cel::contained(|| {
            let mut wrong = Vec::new();
            for (position, result) in schema.validations.iter().enumerate() {
                let path = index(path, position);
                match result {
                    Err(error) => wrong.push(uncompiled(error, &path)),
                    Ok(rule) => wrong.extend(misnamed(rule, node, is_root, &path)),
                }
            }
            wrong
        });
        errors.extend(wrong.into_iter().flatten());
        let is_spelled = spelling::spell_schema(&mut schema);
        Some(Self { schema, is_spelled })
    }

    /// The most the rules can cost over values of this size.
    fn cost(&self, size: u64) -> u64 {
        let rules = self.schema.validations.iter().flatten();
        let costs = rules.map(|rule| cost::of(&rule.program.expression().expr, size));
        costs.fold(size, u64::saturating_add)
    }

    fn check(&self, value: &Value, old: Option<&Value>) -> Result<(), ValidationErrors> {
        if !self.is_spelled {
            return validate_compiled(&self.schema, value, old);
        }
        let spelled = |value| spelling::spell_value(&self.schema, value);
        validate_compiled(&self.schema, &spelled(value), old.map(spelled).as_ref())
    }

    fn has_transitions(&self) -> bool {
        self.schema
            .validations
            .iter()
            .flatten()
            .any(|rule| rule.is_transition_rule)
    }
}

/// Evaluates the rules of a node and of all below it, within the budget of one object.
pub(super) fn evaluate(root: &Node, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut evaluation = Evaluation {
        budget: Budget::for_one_object(),
        errors: Vec::new(),
    };
    let detail = match cel::contained(|| evaluation.walk(root, object, old, "")) {
        Some(Ok(())) => return evaluation.errors,
        Some(Err(Exhausted)) => {
            "validation failed due to running out of cost budget, no further validation rules will be run"
        }
        None => "the expression engine cannot evaluate the rules",
    };
    let error = FieldError::invalid("", &Value::from("object"), detail.to_owned());
    evaluation.errors.push(error);
    evaluation.errors
}

/// The evaluation of one object.
struct Evaluation {
    budget: Budget,
    errors: Vec<FieldError>,
}

impl Evaluation {
    fn walk(
        &mut self,
        node: &Node,
        value: &Value,
        old: Option<&Value>,
        path: &str,
    ) -> Result<(), Exhausted> {
        if value.is_null() {
            return Ok(());
        }
        if let Some(rules) = &node.rules
            && (old != Some(value) || rules.has_transitions())
        {
            self.judge(rules, value, old, path)?;
        }
        match value {
            Value::Array(items) => self.walk_items(node, items, old, path),
            Value::Object(fields) => self.walk_fields(node, fields, old, path),
            _ => Ok(()),
        }
    }

    fn judge(
        &mut self,
        rules: &Rules,
        value: &Value,
        old: Option<&Value>,
        path: &str,
    ) -> Result<(), Exhausted> {
        let size = cost::size(value).saturating_add(old.map_or(0, cost::size));
        self.budget.spend(rules.cost(size))?;
        if let Err(failures) = rules.check(value, old) {
            let failures = failures.into_iter();
            self.errors
                .extend(failures.map(|failure| failed(failure, value, path)));
        }
        Ok(())
    }

    fn walk_items(
        &mut self,
        node: &Node,
        items: &[Value],
        old: Option<&Value>,
        path: &str,
    ) -> Result<(), Exhausted> {
        let Some(of_item) = &node.items else {
            return Ok(());
        };
        let before = match &node.list {
            ListType::Map(keys) => list::by_key(keys, old),
            ListType::Atomic | ListType::Set => list::ByKey::default(),
        };
        for (position, item) in items.iter().enumerate() {
            self.walk(of_item, item, before.of(item), &index(path, position))?;
        }
        Ok(())
    }

    fn walk_fields(
        &mut self,
        node: &Node,
        fields: &Map<String, Value>,
        old: Option<&Value>,
        path: &str,
    ) -> Result<(), Exhausted> {
        for (name, value) in fields {
            let Some(of_field) = node.field(name) else {
                continue;
            };
            let path = if node.properties.contains_key(name) {
                child(path, name)
            } else {
                key(path, name)
            };
            self.walk(of_field, value, old.and_then(|old| old.get(name)), &path)?;
        }
        Ok(())
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

/// The first name or field that a rule, or what makes its message, uses and that does not exist.
fn misnamed(
    compiled: &CompilationResult,
    node: &Node,
    is_root: bool,
    path: &str,
) -> Option<FieldError> {
    let message = compiled.rule.message_expression.as_deref();
    let message = message.zip(compiled.message_program.as_ref());
    let rule = (compiled.rule.rule.as_str(), &compiled.program);
    let parts = [("rule", Some(rule)), ("messageExpression", message)];
    parts.into_iter().find_map(|(field, part)| {
        let (text, program) = part?;
        let expression = &program.expression().expr;
        let undeclared = scope::undeclared(expression)
            .map(|name| format!("undeclared reference to '{name}' (in container '')"));
        let cause = undeclared.or_else(|| fields::undefined(expression, node, is_root))?;
        let detail = format!("compilation failed: {cause}");
        Some(FieldError::invalid(
            child(path, field),
            &Value::from(text),
            detail,
        ))
    })
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
