//! How rules spell the names of fields: words of the language and signs are written with underscores.
//!
//! The expression engine has a spelling of its own, which also doubles single underscores; it is kept from using it.

use std::collections::HashMap;

use kube_cel::CompiledSchema;
use serde_json::{Map, Value};

/// Words that are fields only in underscores, such as `__namespace__`.
const RESERVED: [&str; 20] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "void",
    "while",
];

/// A field as rules spell it (Kubernetes: `Escape` of the names of a schema).
pub(super) fn spelled(name: &str) -> String {
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    name.replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__")
}

/// Spells the fields of a schema as rules do; says whether any is spelled differently.
pub(super) fn spell_schema(schema: &mut CompiledSchema) -> bool {
    let mut differs = false;
    let properties: HashMap<_, _> = schema
        .properties
        .drain()
        .map(|(name, mut property)| {
            let spelled = spelled(&name);
            differs |= spell_schema(&mut property) || spelled != name;
            (spelled, property)
        })
        .collect();
    schema.properties = properties;
    // The engine leaves the keys of maps as they are.
    schema.is_map = true;
    let below = [&mut schema.items, &mut schema.additional_properties];
    for inner in below.into_iter().flatten() {
        differs |= spell_schema(inner);
    }
    differs
}

/// Spells the fields of a value as rules do, by a schema that is spelled so.
pub(super) fn spell_value(schema: &CompiledSchema, value: &Value) -> Value {
    match (value, &schema.items, &schema.additional_properties) {
        (Value::Array(items), Some(of_item), _) => items
            .iter()
            .map(|item| spell_value(of_item, item))
            .collect(),
        (Value::Object(entries), _, Some(of_entry)) => entries
            .iter()
            .map(|(key, entry)| (key.clone(), spell_value(of_entry, entry)))
            .collect::<Map<_, _>>()
            .into(),
        (Value::Object(fields), ..) => fields
            .iter()
            .map(|(name, field)| {
                let name = spelled(name);
                let field = match schema.properties.get(&name) {
                    Some(of_field) => spell_value(of_field, field),
                    None => field.clone(),
                };
                (name, field)
            })
            .collect::<Map<_, _>>()
            .into(),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_words_are_written_with_underscores() {
        for (name, expected) in [
            ("replicas", "replicas"),
            ("my_field", "my_field"),
            ("a__b", "a__underscores__b"),
            ("a-b.c/d", "a__dash__b__dot__c__slash__d"),
            ("namespace", "__namespace__"),
            ("namespaces", "namespaces"),
        ] {
            assert_eq!(spelled(name), expected);
        }
    }
}
