//! Defaulting: absent fields get the default that the schema declares.
//!
//! Defaults are filled in top-down, so a defaulted object gets the defaults of its own fields; no value is judged.

use serde_json::{Map, Value};

use super::node::Node;

/// Fills in defaults below a value, and drops nulls where neither null nor a default is declared.
pub(super) fn apply(node: &Node, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            drop_nulls(node, fields);
            fill(node, fields);
            for (name, value) in fields.iter_mut() {
                if let Some(of_field) = node.field(name) {
                    replace_null(of_field, value);
                    apply(of_field, value);
                }
            }
        }
        Value::Array(items) => {
            if let Some(of_item) = &node.items {
                for item in items {
                    replace_null(of_item, item);
                    apply(of_item, item);
                }
            }
        }
        _ => {}
    }
}

fn drop_nulls(node: &Node, fields: &mut Map<String, Value>) {
    fields.retain(|name, value| {
        !value.is_null()
            || node
                .field(name)
                .is_none_or(|of_field| of_field.nullable || of_field.default.is_some())
    });
}

fn fill(node: &Node, fields: &mut Map<String, Value>) {
    for (name, of_field) in &node.properties {
        if let Some(default) = &of_field.default
            && !fields.contains_key(name)
        {
            fields.insert(name.clone(), default.clone());
        }
    }
}

fn replace_null(node: &Node, value: &mut Value) {
    if let Some(default) = &node.default
        && value.is_null()
        && !node.nullable
    {
        *value = default.clone();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::cluster::schema::Schema;

    fn compile(schema: &Value) -> Schema {
        Schema::compile(schema).expect("is structural")
    }

    #[test]
    fn defaults_are_filled_in_top_down() {
        let schema = compile(&json!({ "type": "object", "properties": {
            "spec": { "type": "object", "properties": {
                "interval": { "type": "string", "default": "10m" },
                "nested": { "type": "object", "default": {}, "properties": { "a": { "type": "integer", "default": 1 } } },
                "list": { "type": "array", "items": { "type": "object", "properties": { "b": { "type": "boolean", "default": true } } } },
                "none": { "type": "string" },
                "empty": { "type": "string", "nullable": true, "default": "x" },
            }},
            "status": { "type": "object", "default": { "observedGeneration": -1 }, "properties": { "observedGeneration": { "type": "integer" } } },
        }}));
        let mut object =
            json!({ "spec": { "interval": null, "none": null, "empty": null, "list": [{}] } });
        schema.default(&mut object);
        assert_eq!(
            object,
            json!({
                "spec": { "interval": "10m", "nested": { "a": 1 }, "empty": null, "list": [{ "b": true }] },
                "status": { "observedGeneration": -1 },
            })
        );
    }
}
