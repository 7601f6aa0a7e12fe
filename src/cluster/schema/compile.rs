//! Compiles an `openAPIV3Schema` into nodes, and collects what is not structural about it.
//!
//! The rules for what may stand where are in `structure`; this file turns values into checks.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

use super::{
    default,
    error::{FieldError, go_quote},
    format::Format,
    nested,
    node::{Additional, Limits, ListType, Node, Type, child, index, key},
    pattern::Pattern,
    prune,
    rules::{RULES, Rules},
    structure, validate,
};

/// How deep a schema may nest, the same bound as for its CEL rules.
const MAX_DEPTH: usize = 64;

/// Compiles a schema, or says all that is wrong with it.
pub(super) fn compile(raw: &Value) -> Result<Node, Vec<FieldError>> {
    let mut schema: JSONSchemaProps = serde_json::from_value(raw.clone()).map_err(|error| {
        vec![FieldError::invalid(
            "",
            &Value::from("object"),
            error.to_string(),
        )]
    })?;
    let mut compiler = Compiler { errors: Vec::new() };
    structure::root(&schema, &mut compiler.errors);
    let root = compiler.node(&mut schema, raw, "", 0);
    if compiler.errors.is_empty() {
        Ok(root)
    } else {
        Err(compiler.errors)
    }
}

struct Compiler {
    errors: Vec<FieldError>,
}

impl Compiler {
    /// A node of the structural part.
    fn node(
        &mut self,
        schema: &mut JSONSchemaProps,
        raw: &Value,
        path: &str,
        depth: usize,
    ) -> Node {
        if depth > MAX_DEPTH {
            let detail = format!("must not nest deeper than {MAX_DEPTH} levels");
            self.errors.push(FieldError::forbidden(path, detail));
            return Node::default();
        }
        structure::node(schema, path, &mut self.errors);
        let mut node = self.checks(schema, path);
        node.types = types(schema);
        node.nullable = schema.nullable.unwrap_or_default();
        node.preserves_unknown = schema
            .x_kubernetes_preserve_unknown_fields
            .unwrap_or_default();
        node.embedded = schema.x_kubernetes_embedded_resource.unwrap_or_default();
        node.list = list_type(schema);
        self.children(&mut node, schema, raw, path, depth);
        self.junctors(&mut node, schema, path, depth);
        nested::covered(&node, path, &mut self.errors);
        node.default = self.checked_default(&node, schema, path);
        node.rules = Rules::compile(raw, &node, &child(path, RULES), &mut self.errors);
        node
    }

    fn children(
        &mut self,
        node: &mut Node,
        schema: &mut JSONSchemaProps,
        raw: &Value,
        path: &str,
        depth: usize,
    ) {
        let nothing = Value::Null;
        for (name, mut property) in schema.properties.take().unwrap_or_default() {
            let raw = raw.pointer("/properties").and_then(|all| all.get(&name));
            let path = key(&child(path, "properties"), &name);
            let property = self.node(&mut property, raw.unwrap_or(&nothing), &path, depth + 1);
            node.properties.insert(name, property);
        }
        match schema.additional_properties.take() {
            None | Some(JSONSchemaPropsOrBool::Bool(false)) => {}
            Some(JSONSchemaPropsOrBool::Bool(true)) => node.additional = Additional::Any,
            Some(JSONSchemaPropsOrBool::Schema(mut entry)) => {
                let raw = raw.get("additionalProperties").unwrap_or(&nothing);
                let path = child(path, "additionalProperties");
                let entry = self.node(&mut entry, raw, &path, depth + 1);
                node.additional = Additional::Schema(Box::new(entry));
            }
        }
        if let Some(JSONSchemaPropsOrArray::Schema(mut item)) = schema.items.take() {
            let raw = raw.get("items").unwrap_or(&nothing);
            let item = self.node(&mut item, raw, &child(path, "items"), depth + 1);
            node.items = Some(Box::new(item));
        }
        structure::list_keys(node, path, &mut self.errors);
    }

    fn junctors(
        &mut self,
        node: &mut Node,
        schema: &mut JSONSchemaProps,
        path: &str,
        depth: usize,
    ) {
        let is_int_or_string = schema.x_kubernetes_int_or_string.unwrap_or_default();
        let parts = [
            ("anyOf", schema.any_of.take()),
            ("oneOf", schema.one_of.take()),
            ("allOf", schema.all_of.take()),
            ("not", schema.not.take().map(|one| vec![*one])),
        ];
        for (name, schemas) in parts {
            let mut nodes = Vec::new();
            for (position, mut schema) in schemas.unwrap_or_default().into_iter().enumerate() {
                let path = match name {
                    "not" => child(path, name),
                    _ => index(&child(path, name), position),
                };
                nodes.push(self.nested(&mut schema, &path, is_int_or_string, depth + 1));
            }
            match name {
                "anyOf" => node.any_of = nodes,
                "oneOf" => node.one_of = nodes,
                "allOf" => node.all_of = nodes,
                _ => node.not = nodes.pop().map(Box::new),
            }
        }
    }

    /// A node below `allOf`, `anyOf`, `oneOf` or `not`, which may only check values.
    fn nested(
        &mut self,
        schema: &mut JSONSchemaProps,
        path: &str,
        may_be_typed: bool,
        depth: usize,
    ) -> Node {
        if depth > MAX_DEPTH {
            let detail = format!("must not nest deeper than {MAX_DEPTH} levels");
            self.errors.push(FieldError::forbidden(path, detail));
            return Node::default();
        }
        nested::node(schema, path, may_be_typed, &mut self.errors);
        let mut node = self.checks(schema, path);
        node.types = types(schema);
        for (name, mut property) in schema.properties.take().unwrap_or_default() {
            let path = key(&child(path, "properties"), &name);
            let property = self.nested(&mut property, &path, false, depth + 1);
            node.properties.insert(name, property);
        }
        if let Some(JSONSchemaPropsOrArray::Schema(mut item)) = schema.items.take() {
            let item = self.nested(&mut item, &child(path, "items"), false, depth + 1);
            node.items = Some(Box::new(item));
        }
        schema.x_kubernetes_int_or_string = Some(may_be_typed);
        self.junctors(&mut node, schema, path, depth);
        node
    }

    fn checks(&mut self, schema: &JSONSchemaProps, path: &str) -> Node {
        Node {
            required: schema.required.clone().unwrap_or_default(),
            allowed: schema
                .enum_
                .iter()
                .flatten()
                .map(|one| one.0.clone())
                .collect(),
            pattern: self.pattern(schema, path),
            format: schema.format.as_deref().and_then(Format::named),
            limits: limits(schema),
            ..Node::default()
        }
    }

    fn pattern(&mut self, schema: &JSONSchemaProps, path: &str) -> Option<Pattern> {
        let pattern = schema.pattern.as_deref()?;
        match Pattern::compile(pattern) {
            Ok(compiled) => Some(compiled),
            Err(error) => {
                let detail = format!("must be a valid regular expression, but isn't: {error}");
                let path = child(path, "pattern");
                self.errors
                    .push(FieldError::invalid(path, &Value::from(pattern), detail));
                None
            }
        }
    }

    fn checked_default(
        &mut self,
        node: &Node,
        schema: &mut JSONSchemaProps,
        path: &str,
    ) -> Option<Value> {
        let default = schema.default.take()?.0;
        let path = child(path, "default");
        let mut complete = default.clone();
        for unknown in prune::below(node, &mut complete) {
            let detail = format!("must not have unknown field {}", go_quote(&unknown));
            self.errors
                .push(FieldError::invalid(path.clone(), &default, detail));
        }
        default::apply(node, &mut complete);
        for error in validate::validate(node, &complete, None) {
            self.errors.push(error.under(&path));
        }
        Some(default)
    }
}

fn types(schema: &JSONSchemaProps) -> Vec<Type> {
    if schema.x_kubernetes_int_or_string == Some(true) {
        return vec![Type::Integer, Type::String];
    }
    schema
        .type_
        .as_deref()
        .and_then(Type::named)
        .into_iter()
        .collect()
}

fn list_type(schema: &JSONSchemaProps) -> ListType {
    match schema.x_kubernetes_list_type.as_deref() {
        Some("set") => ListType::Set,
        Some("map") => ListType::Map(
            schema
                .x_kubernetes_list_map_keys
                .clone()
                .unwrap_or_default(),
        ),
        _ => ListType::Atomic,
    }
}

fn limits(schema: &JSONSchemaProps) -> Limits {
    Limits {
        minimum: schema.minimum,
        exclusive_minimum: schema.exclusive_minimum.unwrap_or_default(),
        maximum: schema.maximum,
        exclusive_maximum: schema.exclusive_maximum.unwrap_or_default(),
        multiple_of: schema.multiple_of,
        min_length: schema.min_length,
        max_length: schema.max_length,
        min_items: schema.min_items,
        max_items: schema.max_items,
        min_properties: schema.min_properties,
        max_properties: schema.max_properties,
    }
}
