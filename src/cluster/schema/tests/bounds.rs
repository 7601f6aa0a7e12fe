//! Rules that ask for too much, when a definition is made and when an object is judged.

use serde_json::{Value, json};

use super::{super::Schema, of_spec};

fn list_with_rule(rule: &str) -> Value {
    json!({
        "type": "array",
        "items": { "type": "integer" },
        "x-kubernetes-validations": [{ "rule": rule }],
    })
}

#[track_caller]
fn check_refused(rule: &str, words: &str) {
    let schema = json!({ "type": "object", "properties": { "spec": list_with_rule(rule) } });
    let errors = Schema::compile(&schema).unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(errors.len() == 1 && errors[0].contains(words), "{errors:?}");
}

#[test]
fn rules_out_of_bounds_are_refused_with_their_definition() {
    let loops = (0..200).fold("true".to_owned(), |inner, _| {
        format!("self.all(x, {inner})")
    });
    check_refused(
        &loops,
        "x-kubernetes-validations[0].rule: Forbidden: the expression nests more than",
    );
    check_refused(
        &format!("self == [{}]", "1,".repeat(5000)),
        "the expression is longer than",
    );
}

#[test]
fn a_misspelt_name_is_refused_with_its_definition() {
    check_refused(
        "selff.size() > 1",
        "undeclared reference to 'selff' (in container '')",
    );
}

#[test]
fn an_object_whose_rules_cost_too_much_is_refused() {
    let schema = of_spec(&list_with_rule("self.all(x, self.exists(y, x == y))"));
    let of_length = |length: usize| json!({ "spec": vec![1; length] });
    assert_eq!(schema.validate(&of_length(500), None), []);
    let errors = schema.validate(&of_length(50_000), None);
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].to_string().contains("running out of cost budget"),
        "{errors:?}"
    );
}
