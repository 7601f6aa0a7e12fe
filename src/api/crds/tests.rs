//! Compares the definitions with what Flux publishes, field by field, and the chart with the definitions.
//!
//! Each table was written from the specification, not from the output; both must say the same.

use serde_json::Value;

use super::*;

/// The constraints of `metav1.Condition`, below `status.conditions[]`.
const CONDITION: &str = r"
status.conditions: array
status.conditions[]: object
status.conditions[].lastTransitionTime: string(date-time) required
status.conditions[].message: string required maxLength=32768
status.conditions[].observedGeneration: integer(int64) minimum=0
status.conditions[].reason: string required minLength=1 maxLength=1024 pattern=^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$
status.conditions[].status: string required enum=True|False|Unknown
status.conditions[].type: string required maxLength=316 pattern=^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$
";

/// What every kind has at its top.
const TOP: &str = r#"
apiVersion: string
kind: string
metadata: object
spec: object
status: object default={"observedGeneration":-1}
status.observedGeneration: integer(int64)
status.lastHandledReconcileAt: string
"#;

fn definition(plural: &str) -> Value {
    let all = all();
    let found = all
        .iter()
        .find(|definition| definition.spec.names.plural == plural)
        .unwrap();
    serde_json::to_value(found).unwrap()
}

fn schema(plural: &str) -> Value {
    definition(plural)
        .pointer("/spec/versions/0/schema/openAPIV3Schema")
        .unwrap()
        .clone()
}

fn joined(list: &Value) -> String {
    let words: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    words.join("|")
}

/// Writes one line for each field below `schema`, with everything the API server checks.
///
/// A keyword that is not known here fails the test, so that nothing goes unseen.
fn describe(path: &str, schema: &Value, is_required: bool, lines: &mut Vec<String>) {
    let schema = schema.as_object().unwrap();
    let text = |keyword: &str| schema.get(keyword).map(|it| it.as_str().unwrap());
    let type_ = text("type").unwrap();
    let mut words = vec![match text("format") {
        Some(format) => format!("{path}: {type_}({format})"),
        None => format!("{path}: {type_}"),
    }];
    if is_required {
        words.push("required".to_owned());
    }
    for keyword in ["default", "minLength", "maxLength", "minItems", "minimum"] {
        words.extend(schema.get(keyword).map(|value| {
            let value = value.to_string();
            format!("{keyword}={}", value.trim_end_matches(".0"))
        }));
    }
    words.extend(text("pattern").map(|pattern| format!("pattern={pattern}")));
    words.extend(schema.get("enum").map(|it| format!("enum={}", joined(it))));
    if let Some(keys) = schema.get("x-kubernetes-list-map-keys") {
        assert_eq!(schema["x-kubernetes-list-type"], "map");
        words.push(format!("mapKeys={}", joined(keys)));
    }
    lines.push(words.join(" "));
    let rules = schema.get("x-kubernetes-validations");
    for rule in rules.and_then(Value::as_array).into_iter().flatten() {
        assert_eq!(rule.as_object().unwrap().len(), 2);
        let (message, rule) = (rule["message"].as_str(), rule["rule"].as_str());
        lines.push(format!("{path}! {} <- {}", message.unwrap(), rule.unwrap()));
    }
    describe_below(path, schema, lines);
}

fn describe_below(path: &str, schema: &serde_json::Map<String, Value>, lines: &mut Vec<String>) {
    let required: Vec<&Value> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    for (keyword, value) in schema {
        match keyword.as_str() {
            "properties" => {
                for (name, property) in value.as_object().unwrap() {
                    let below = format!("{path}.{name}");
                    let is_required = required.iter().any(|it| *it == name);
                    describe(below.trim_start_matches('.'), property, is_required, lines);
                }
            }
            "items" => describe(&format!("{path}[]"), value, false, lines),
            "additionalProperties" => describe(&format!("{path}{{}}"), value, false, lines),
            "type"
            | "format"
            | "description"
            | "default"
            | "enum"
            | "pattern"
            | "minLength"
            | "maxLength"
            | "minItems"
            | "minimum"
            | "required"
            | "x-kubernetes-list-type"
            | "x-kubernetes-list-map-keys"
            | "x-kubernetes-validations" => {}
            other => panic!("`{path}` has the unexpected keyword `{other}`"),
        }
    }
}

fn check_fields(plural: &str, table: &str) {
    let mut found = Vec::new();
    describe("", &schema(plural), false, &mut found);
    assert_eq!(found.remove(0), ": object");
    found.sort();
    let mut expected: Vec<&str> = [TOP, CONDITION, table]
        .iter()
        .flat_map(|part| part.lines())
        .filter(|line| !line.is_empty())
        .collect();
    expected.sort_unstable();
    for line in &found {
        assert!(expected.contains(&line.as_str()), "unexpected: {line}");
    }
    for line in expected {
        assert!(found.iter().any(|it| it == line), "missing: {line}");
    }
}

#[test]
fn receivers_have_the_fields_of_flux() {
    check_fields("receivers", include_str!("receiver.txt"));
}

#[test]
fn git_repositories_have_the_fields_of_flux() {
    check_fields("gitrepositories", include_str!("git_repository.txt"));
}

#[test]
fn kustomizations_have_the_fields_of_flux() {
    check_fields("kustomizations", include_str!("kustomization.txt"));
}

fn check_identity(plural: &str, expected: &Value) {
    let definition = definition(plural);
    let version = &definition["spec"]["versions"][0];
    let columns: Vec<String> = version["additionalPrinterColumns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| {
            assert_eq!(column.as_object().unwrap().len(), 3, "{column}");
            let text = |field: &str| column[field].as_str().unwrap().to_owned();
            format!("{} {} {}", text("name"), text("type"), text("jsonPath"))
        })
        .collect();
    let found = json!({
        "name": definition["metadata"]["name"],
        "annotations": definition["metadata"]["annotations"],
        "group": definition["spec"]["group"],
        "scope": definition["spec"]["scope"],
        "names": definition["spec"]["names"],
        "versions": definition["spec"]["versions"].as_array().unwrap().len(),
        "version": [version["name"], version["served"], version["storage"]],
        "subresources": version["subresources"],
        "columns": columns,
    });
    assert_eq!(&found, expected);
}

fn identity(group: &str, names: &Value, first_columns: &[&str]) -> Value {
    let last = [
        "Age date .metadata.creationTimestamp",
        "Ready string .status.conditions[?(@.type==\"Ready\")].status",
        "Status string .status.conditions[?(@.type==\"Ready\")].message",
    ];
    let columns = [first_columns, &last].concat();
    json!({
        "name": format!("{}.{group}", names["plural"].as_str().unwrap()),
        "annotations": { "kustomize.toolkit.fluxcd.io/substitute": "disabled" },
        "group": group,
        "scope": "Namespaced",
        "names": names,
        "versions": 1,
        "version": ["v1", true, true],
        "subresources": { "status": {} },
        "columns": columns,
    })
}

#[test]
fn definitions_have_the_names_and_columns_of_flux() {
    let names = json!({
        "kind": "Receiver",
        "listKind": "ReceiverList",
        "plural": "receivers",
        "singular": "receiver",
        "categories": ["all", "fluxcd", "fluxcd-notifications"],
    });
    let expected = identity("notification.toolkit.fluxcd.io", &names, &[]);
    check_identity("receivers", &expected);

    let names = json!({
        "kind": "GitRepository",
        "listKind": "GitRepositoryList",
        "plural": "gitrepositories",
        "singular": "gitrepository",
        "shortNames": ["gitrepo"],
        "categories": ["all", "fluxcd", "fluxcd-sources"],
    });
    let expected = identity(
        "source.toolkit.fluxcd.io",
        &names,
        &["URL string .spec.url"],
    );
    check_identity("gitrepositories", &expected);

    let names = json!({
        "kind": "Kustomization",
        "listKind": "KustomizationList",
        "plural": "kustomizations",
        "singular": "kustomization",
        "shortNames": ["ks"],
        "categories": ["all", "fluxcd", "fluxcd-appliers"],
    });
    let expected = identity("kustomize.toolkit.fluxcd.io", &names, &[]);
    check_identity("kustomizations", &expected);
}

#[test]
fn every_field_of_a_user_is_described() {
    fn check(path: &str, schema: &Value) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let below = format!("{path}.{name}");
            assert!(property["description"].is_string(), "{below}");
            check(&below, property);
            check(&format!("{below}[]"), &property["items"]);
        }
    }
    for definition in all() {
        let plural = &definition.spec.names.plural;
        let schema = schema(plural);
        check(&format!("{plural}.spec"), &schema["properties"]["spec"]);
        check(&format!("{plural}.status"), &schema["properties"]["status"]);
    }
}

#[test]
fn the_chart_has_these_definitions() {
    let chart = [
        (
            "gitrepositories",
            include_str!("../../../charts/hookgate/crds/gitrepositories.yaml"),
        ),
        (
            "kustomizations",
            include_str!("../../../charts/hookgate/crds/kustomizations.yaml"),
        ),
        (
            "receivers",
            include_str!("../../../charts/hookgate/crds/receivers.yaml"),
        ),
    ];
    let documents = documents().unwrap();
    assert_eq!(documents.len(), chart.len());
    for (document, (plural, file)) in documents.iter().zip(chart) {
        assert_eq!(document.plural, plural);
        assert!(
            document.yaml == file,
            "`charts/hookgate/crds/{plural}.yaml` is stale; write it anew with \
             `cargo run -- crds --output charts/hookgate/crds`"
        );
    }
}
