//! Schemas as users write them, objects as they come, and the words of the API server.

mod bounds;
mod definitions;

use serde_json::{Value, json};

use super::{FieldError, Schema, error::Reason};

fn compile(schema: &Value) -> Schema {
    Schema::compile(schema).unwrap_or_else(|errors| panic!("not structural: {errors:?}"))
}

fn of_spec(spec: &Value) -> Schema {
    compile(&json!({ "type": "object", "properties": { "spec": spec } }))
}

#[track_caller]
fn check(field: &Value, value: &Value, expected: &[&str]) {
    let schema = of_spec(&json!({ "type": "object", "properties": { "x": field } }));
    let errors = schema.validate(&json!({ "spec": { "x": value } }), None);
    let errors: Vec<String> = errors.iter().map(FieldError::to_string).collect();
    assert_eq!(errors, expected);
}

fn receiver() -> Schema {
    of_spec(&json!({
        "type": "object",
        "required": ["resources", "type"],
        "properties": {
            "type": { "type": "string", "enum": ["generic", "github", "generic-oidc"] },
            "interval": { "type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$", "default": "10m" },
            "resources": { "type": "array", "items": {
                "type": "object",
                "required": ["name"],
                "properties": { "name": { "type": "string", "minLength": 1, "maxLength": 5 } },
            }},
            "secretRef": {
                "type": "object", "required": ["name"],
                "properties": { "name": { "type": "string" } },
            },
        },
        "x-kubernetes-validations": [{
            "rule": "self.type == 'generic-oidc' || has(self.secretRef)",
            "message": "secretRef is required when type is not generic-oidc",
        }],
    }))
}

#[track_caller]
fn check_receiver(spec: &Value, expected: &[&str]) {
    let errors = receiver().validate(&json!({ "spec": spec }), None);
    let errors: Vec<String> = errors.iter().map(FieldError::to_string).collect();
    assert_eq!(errors, expected);
}

#[test]
fn mistakes_are_worded_as_the_api_server_words_them() {
    let secret = json!({ "name": "a" });
    check_receiver(
        &json!({ "type": "foo", "resources": [], "secretRef": secret }),
        &[
            r#"spec.type: Unsupported value: "foo": supported values: "generic", "github", "generic-oidc""#,
        ],
    );
    check_receiver(
        &json!({ "type": "github", "secretRef": secret }),
        &["spec.resources: Required value"],
    );
    check_receiver(
        &json!({ "type": "github", "resources": [] }),
        &[r#"spec: Invalid value: "object": secretRef is required when type is not generic-oidc"#],
    );
    check_receiver(
        &json!({ "type": "github", "resources": [], "interval": "abc", "secretRef": secret }),
        &[
            r#"spec.interval: Invalid value: "abc": spec.interval in body should match '^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$'"#,
        ],
    );
    check_receiver(
        &json!({ "type": "github", "resources": [], "interval": 3, "secretRef": secret }),
        &[
            r#"spec.interval: Invalid value: "integer": spec.interval in body must be of type string: "integer""#,
        ],
    );
    check_receiver(
        &json!({ "type": "github", "resources": [{ "name": "" }, {}, { "name": "abcdef" }], "secretRef": secret }),
        &[
            r#"spec.resources[0].name: Invalid value: "": spec.resources[0].name in body should be at least 1 chars long"#,
            "spec.resources[1].name: Required value",
            "spec.resources[2].name: Too long: may not be more than 5 bytes",
        ],
    );
}

#[test]
fn a_right_object_has_no_mistakes() {
    check_receiver(
        &json!({ "type": "generic-oidc", "resources": [{ "name": "a" }] }),
        &[],
    );
}

#[test]
fn types_are_checked() {
    check(
        &json!({ "type": "string" }),
        &json!(null),
        &[r#"spec.x: Invalid value: "null": spec.x in body must be of type string: "null""#],
    );
    check(
        &json!({ "type": "string", "nullable": true }),
        &json!(null),
        &[],
    );
    check(&json!({ "type": "integer" }), &json!(1.0), &[]);
    check(
        &json!({ "type": "integer" }),
        &json!(1.5),
        &[r#"spec.x: Invalid value: "number": spec.x in body must be of type integer: "number""#],
    );
    check(&json!({ "type": "number" }), &json!(1), &[]);
    check(
        &json!({ "type": "boolean" }),
        &json!("true"),
        &[r#"spec.x: Invalid value: "string": spec.x in body must be of type boolean: "string""#],
    );
    check(
        &json!({ "type": "integer", "format": "int64" }),
        &json!(true),
        &[r#"spec.x: Invalid value: "boolean": spec.x in body must be of type integer: "boolean""#],
    );
    check(
        &json!({ "type": "array", "items": { "type": "string" } }),
        &json!({}),
        &[r#"spec.x: Invalid value: "object": spec.x in body must be of type array: "object""#],
    );
    let either = json!({ "x-kubernetes-int-or-string": true, "anyOf": [{ "type": "integer" }, { "type": "string" }] });
    check(&either, &json!(1), &[]);
    check(&either, &json!("80%"), &[]);
}

#[test]
fn int_or_string_refuses_other_types() {
    check(
        &json!({ "x-kubernetes-int-or-string": true }),
        &json!(true),
        &[
            r#"spec.x: Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean""#,
        ],
    );
}

#[test]
fn limits_are_checked() {
    let number = json!({ "type": "integer", "minimum": 1, "maximum": 9, "multipleOf": 2 });
    check(&number, &json!(4), &[]);
    check(
        &number,
        &json!(0),
        &["spec.x: Invalid value: 0: spec.x in body should be greater than or equal to 1"],
    );
    check(
        &number,
        &json!(10),
        &["spec.x: Invalid value: 10: spec.x in body should be less than or equal to 9"],
    );
    check(
        &number,
        &json!(3),
        &["spec.x: Invalid value: 3: spec.x in body should be a multiple of 2"],
    );
    let strict = json!({ "type": "number", "minimum": 0.5, "exclusiveMinimum": true });
    check(
        &strict,
        &json!(0.5),
        &["spec.x: Invalid value: 0.5: spec.x in body should be greater than 0.5"],
    );
    let list =
        json!({ "type": "array", "minItems": 1, "maxItems": 2, "items": { "type": "integer" } });
    check(
        &list,
        &json!([]),
        &["spec.x: Invalid value: 0: spec.x in body should have at least 1 items"],
    );
    check(
        &list,
        &json!([1, 2, 3]),
        &["spec.x: Too many: 3: must have at most 2 items"],
    );
    let map = json!({ "type": "object", "maxProperties": 1, "additionalProperties": { "type": "string" } });
    check(
        &map,
        &json!({ "a": "1", "b": "2" }),
        &["spec.x: Too many: 2: must have at most 1 item"],
    );
    check(
        &map,
        &json!({ "a": 1 }),
        &[
            r#"spec.x.a: Invalid value: "integer": spec.x.a in body must be of type string: "integer""#,
        ],
    );
}

#[test]
fn formats_of_numbers_are_not_looked_at() {
    // So it is before Kubernetes 1.36.
    let small = json!({ "type": "integer", "format": "int32" });
    check(&small, &json!(3_000_000_000_i64), &[]);
    let fraction =
        r#"spec.x: Invalid value: "number": spec.x in body must be of type integer: "number""#;
    check(&small, &json!(1.5), &[fraction]);
    let day = json!({ "type": "string", "format": "date" });
    let number =
        r#"spec.x: Invalid value: "float64": spec.x in body must be of type date: "float64""#;
    check(&day, &json!(1.5), &[number]);
}

#[test]
fn length_counts_characters_not_bytes() {
    check(
        &json!({ "type": "string", "maxLength": 2 }),
        &json!("ää"),
        &[],
    );
}

#[test]
fn alternatives_report_the_closest() {
    let schema = json!({
        "type": "object",
        "properties": { "a": { "type": "string" }, "b": { "type": "string" } },
        "oneOf": [{ "required": ["a"] }, { "required": ["b"] }],
    });
    check(&schema, &json!({ "a": "" }), &[]);
    check(
        &schema,
        &json!({}),
        &[
            r#"<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found none valid"#,
            "spec.x.a: Required value",
        ],
    );
    check(
        &schema,
        &json!({ "a": "", "b": "" }),
        &[
            r#"<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives"#,
        ],
    );
    let schema =
        json!({ "type": "string", "not": { "enum": ["a"] }, "allOf": [{ "minLength": 1 }] });
    check(&schema, &json!("b"), &[]);
    check(
        &schema,
        &json!("a"),
        &[r#"<nil>: Invalid value: "": "spec.x" must not validate the schema (not)"#],
    );
    check(
        &schema,
        &json!(""),
        &[
            r#"spec.x: Invalid value: "": spec.x in body should be at least 1 chars long"#,
            r#"<nil>: Invalid value: "": "spec.x" must validate all the schemas (allOf). None validated"#,
        ],
    );
    let schema = json!({ "type": "string", "anyOf": [{ "pattern": "^a" }, { "enum": ["b"] }] });
    check(
        &schema,
        &json!("c"),
        &[
            r#"<nil>: Invalid value: "": "spec.x" must validate at least one schema (anyOf)"#,
            r#"spec.x: Invalid value: "c": spec.x in body should match '^a'"#,
        ],
    );
}

#[test]
fn identities_in_lists_are_unique() {
    let set =
        json!({ "type": "array", "x-kubernetes-list-type": "set", "items": { "type": "string" } });
    check(
        &set,
        &json!(["a", "b", "a"]),
        &[r#"spec.x[2]: Duplicate value: "a""#],
    );
    let map = json!({
        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
        "items": { "type": "object", "required": ["type"], "properties": {
            "type": { "type": "string" }, "value": { "type": "string" },
        }},
    });
    check(&map, &json!([{ "type": "a" }, { "type": "b" }]), &[]);
    check(
        &map,
        &json!([{ "type": "a" }, { "type": "a", "value": "1" }]),
        &[r#"spec.x[1]: Duplicate value: map[string]interface {}{"type":"a"}"#],
    );
}

#[test]
fn rules_see_the_old_value_and_name_map_keys() {
    let schema = of_spec(&json!({
        "type": "object",
        "properties": {
            "url": { "type": "string", "x-kubernetes-validations": [{ "rule": "self == oldSelf", "message": "is immutable" }] },
            "sizes": { "type": "object", "additionalProperties": {
                "type": "integer", "x-kubernetes-validations": [{ "rule": "self > 0" }],
            }},
        },
    }));
    let old = json!({ "spec": { "url": "a" } });
    let new = json!({ "spec": { "url": "b", "sizes": { "m": 0 } } });
    let words =
        |errors: Vec<FieldError>| errors.iter().map(FieldError::to_string).collect::<Vec<_>>();
    assert_eq!(
        words(schema.validate(&new, None)),
        [r#"spec.sizes[m]: Invalid value: "integer": failed rule: self > 0"#,]
    );
    assert_eq!(
        words(schema.validate(&new, Some(&old))),
        [
            r#"spec.sizes[m]: Invalid value: "integer": failed rule: self > 0"#,
            r#"spec.url: Invalid value: "string": is immutable"#,
        ]
    );
}

#[test]
fn rules_of_list_maps_see_the_old_item_of_the_same_key() {
    let schema = of_spec(&json!({
        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        "items": { "type": "object", "required": ["name"],
            "properties": { "name": { "type": "string" }, "value": { "type": "integer" } },
            "x-kubernetes-validations": [{ "rule": "self.value >= oldSelf.value", "reason": "FieldValueForbidden", "message": "may only grow", "fieldPath": ".value" }],
        },
    }));
    let old = json!({ "spec": [{ "name": "a", "value": 1 }, { "name": "b", "value": 9 }] });
    let new = json!({ "spec": [{ "name": "b", "value": 8 }, { "name": "a", "value": 2 }] });
    let errors = schema.validate(&new, Some(&old));
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].reason, Reason::Forbidden);
    assert_eq!(
        errors[0].to_string(),
        "spec[0].value: Forbidden: may only grow"
    );
}

#[test]
fn rules_are_skipped_when_the_structure_is_wrong() {
    check_receiver(
        &json!({ "type": "github", "resources": 1 }),
        &[
            r#"spec.resources: Invalid value: "integer": spec.resources in body must be of type array: "integer""#,
        ],
    );
}

#[test]
fn what_has_not_changed_is_not_judged_again() {
    let old = json!({ "spec": { "type": "github", "resources": [], "interval": "abc" } });
    let mut new = old.clone();
    new["spec"]["secretRef"] = json!({ "name": "a" });
    assert_eq!(receiver().validate(&new, Some(&old)), []);
    new["spec"]["interval"] = json!("abcd");
    assert_eq!(receiver().validate(&new, Some(&old)).len(), 1);
}

#[test]
fn hostile_schemas_and_objects_are_bounded() {
    let mut schema = json!({ "type": "object" });
    for _ in 0..100 {
        schema = json!({ "type": "object", "properties": { "a": schema } });
    }
    assert!(Schema::compile(&schema).is_err());
    let schema = of_spec(&json!({ "type": "array", "items": { "type": "string" } }));
    let many: Vec<Value> = (0..10_000).map(Value::from).collect();
    assert_eq!(schema.validate(&json!({ "spec": many }), None).len(), 100);
}

#[test]
fn errors_can_be_placed_below_a_parent() {
    let at = |path: &str| FieldError::required(path, "").under("spec.schema").path;
    assert_eq!(at(""), "spec.schema");
    assert_eq!(at("type"), "spec.schema.type");
    assert_eq!(at("[0]"), "spec.schema[0]");
}

#[test]
fn rules_spell_fields_as_in_kubernetes() {
    let rule = "self.my_field == self.a__dash__b && self.__namespace__ == 'x' && self.list.all(one, one.a__underscores__b == 1) && self.map.in_map.a_b == 1";
    let schema = json!({
        "type": "object",
        "properties": {
            "my_field": { "type": "integer" }, "a-b": { "type": "integer" }, "namespace": { "type": "string" },
            "list": { "type": "array", "items": { "type": "object", "properties": { "a__b": { "type": "integer" } } } },
            "map": { "type": "object", "additionalProperties": { "type": "object", "properties": { "a_b": { "type": "integer" } } } },
        },
        "x-kubernetes-validations": [{ "rule": rule, "message": "they differ" }],
    });
    let object = |field: i64| json!({ "my_field": field, "a-b": 1, "namespace": "x", "list": [{ "a__b": 1 }], "map": { "in_map": { "a_b": 1 } } });
    check(&schema, &object(1), &[]);
    let wrong = r#"spec.x: Invalid value: "object": they differ"#;
    check(&schema, &object(2), &[wrong]);
}

#[test]
fn rules_that_cannot_be_evaluated_fail() {
    let rules = |rule: &str| {
        let rules = json!([{ "rule": rule }]);
        let fields = json!({ "a": { "type": "integer" }, "b": { "type": "integer" } });
        json!({ "type": "object", "properties": fields, "x-kubernetes-validations": rules })
    };
    let wrong = |detail: &str| format!(r#"spec.x: Invalid value: "object": {detail}"#);
    check(
        &rules("self.b == 1"),
        &json!({ "a": 1 }),
        &[&wrong("no such key: b evaluating rule: self.b == 1")],
    );
}
