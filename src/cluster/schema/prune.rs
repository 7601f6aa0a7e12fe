//! Pruning: fields that the schema does not declare are dropped.
//!
//! It never judges values; a declared field of the wrong type stays for validation to report.

use serde_json::{Map, Value};

use super::node::{Additional, Node, child, index};

/// Drops undeclared fields of an object and returns their paths in order.
pub(super) fn prune(root: &Node, object: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    match object {
        Value::Object(fields) => prune_fields(root, true, fields, "", &mut dropped),
        _ => prune_value(root, object, "", &mut dropped),
    }
    dropped
}

/// Drops undeclared fields of a value below the root and returns their paths in order.
pub(super) fn below(node: &Node, value: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    prune_value(node, value, "", &mut dropped);
    dropped
}

fn prune_value(node: &Node, value: &mut Value, path: &str, dropped: &mut Vec<String>) {
    match value {
        Value::Object(fields) => prune_fields(node, node.embedded, fields, path, dropped),
        Value::Array(items) => {
            if let Some(of_item) = &node.items {
                for (position, item) in items.iter_mut().enumerate() {
                    prune_value(of_item, item, &index(path, position), dropped);
                }
            }
        }
        _ => {}
    }
}

fn prune_fields(
    node: &Node,
    is_whole_object: bool,
    fields: &mut Map<String, Value>,
    path: &str,
    dropped: &mut Vec<String>,
) {
    let keeps_unknown = node.preserves_unknown || matches!(node.additional, Additional::Any);
    fields.retain(|name, value| {
        if is_whole_object && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
            return true;
        }
        let path = child(path, name);
        match node.field(name) {
            Some(field) => prune_value(field, value, &path, dropped),
            None if keeps_unknown => {}
            None => {
                dropped.push(path);
                return false;
            }
        }
        true
    });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::cluster::schema::Schema;

    fn compile(schema: &Value) -> Schema {
        Schema::compile(schema).expect("is structural")
    }

    #[test]
    fn pruning_drops_what_is_not_declared() {
        let schema = compile(&json!({ "type": "object", "properties": { "spec": {
            "type": "object",
            "properties": {
                "list": { "type": "array", "items": { "type": "object", "properties": { "a": { "type": "string" } } } },
                "map": { "type": "object", "additionalProperties": { "type": "object", "properties": { "a": { "type": "string" } } } },
                "open": { "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                    "properties": { "closed": { "type": "object", "properties": { "a": { "type": "string" } } } } },
                "template": { "type": "object", "x-kubernetes-embedded-resource": true,
                    "properties": { "spec": { "type": "object" } } },
            },
        }}}));
        let mut object = json!({
            "apiVersion": "v1", "kind": "X", "metadata": { "name": "a", "labels": { "b": "c" } },
            "extra": 1,
            "spec": {
                "list": [{ "a": "", "b": 1 }],
                "map": { "k": { "a": "", "b": 1 } },
                "open": { "anything": { "goes": 1 }, "closed": { "b": 1 } },
                "template": { "apiVersion": "v1", "kind": "Y", "metadata": {}, "spec": { "b": 1 }, "c": 1 },
            },
        });
        let mut dropped = schema.prune(&mut object);
        dropped.sort();
        assert_eq!(
            dropped,
            [
                "extra",
                "spec.list[0].b",
                "spec.map.k.b",
                "spec.open.closed.b",
                "spec.template.c",
                "spec.template.spec.b"
            ]
        );
        assert_eq!(
            object,
            json!({
                "apiVersion": "v1", "kind": "X", "metadata": { "name": "a", "labels": { "b": "c" } },
                "spec": {
                    "list": [{ "a": "" }],
                    "map": { "k": { "a": "" } },
                    "open": { "anything": { "goes": 1 }, "closed": {} },
                    "template": { "apiVersion": "v1", "kind": "Y", "metadata": {}, "spec": {} },
                },
            })
        );
    }
}
