//! The checked-in definitions: that they compile, and that they judge as Flux's do.

use serde_json::{Value, json};

use crate::cluster::schema::{FieldError, Schema};

const DEFINITIONS: [(&str, &str); 3] = [
    (
        "GitRepository",
        include_str!("../../../../charts/hookgate/crds/gitrepositories.yaml"),
    ),
    (
        "Kustomization",
        include_str!("../../../../charts/hookgate/crds/kustomizations.yaml"),
    ),
    (
        "Receiver",
        include_str!("../../../../charts/hookgate/crds/receivers.yaml"),
    ),
];

fn schema(kind: &str) -> Schema {
    let (_, text) = DEFINITIONS
        .iter()
        .find(|(known, _)| *known == kind)
        .expect("is checked in");
    let definition: Value = serde_saphyr::from_str(text).expect("is YAML");
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    Schema::compile(schema).unwrap_or_else(|errors| panic!("{kind} is not structural: {errors:?}"))
}

/// Takes an object through all three passes, as the write path does.
#[track_caller]
fn check(kind: &str, mut object: Value, pruned: &[&str], expected: &[&str]) -> Value {
    let schema = schema(kind);
    assert_eq!(schema.prune(&mut object), pruned);
    schema.default(&mut object);
    let errors = schema.validate(&object, None);
    let errors: Vec<String> = errors.iter().map(FieldError::to_string).collect();
    assert_eq!(errors, expected);
    object
}

fn receiver() -> Value {
    json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1", "kind": "Receiver", "metadata": { "name": "a" },
        "spec": { "type": "github", "secretRef": { "name": "s" }, "resources": [{ "kind": "GitRepository", "name": "g" }] },
    })
}

#[test]
fn checked_in_definitions_are_structural() {
    for (kind, _) in DEFINITIONS {
        schema(kind);
    }
}

#[test]
fn receivers_get_their_defaults() {
    let object = check("Receiver", receiver(), &[], &[]);
    assert_eq!(object["spec"]["interval"], "10m");
    assert_eq!(object["status"], json!({ "observedGeneration": -1 }));
}

#[test]
fn wrong_receivers_are_refused() {
    let mut object = receiver();
    object["spec"]["type"] = json!("subversion");
    object["spec"]["secretReff"] = object["spec"]["secretRef"].take();
    let supported = r#"spec.type: Unsupported value: "subversion": supported values: "generic", "generic-hmac", "generic-oidc", "github", "gitlab", "bitbucket", "harbor", "dockerhub", "quay", "gcr", "nexus", "acr", "cdevents""#;
    check("Receiver", object, &["spec.secretReff"], &[supported]);

    let mut object = receiver();
    object["spec"]["secretRef"] = Value::Null;
    let words =
        r#"spec: Invalid value: "object": secretRef is required when type is not generic-oidc"#;
    check("Receiver", object, &[], &[words]);
}

#[test]
fn rules_of_sources_and_kustomizations_hold() {
    let source = |spec: Value| json!({ "metadata": { "name": "a" }, "spec": spec });
    let git = source(json!({ "url": "https://example.com/a", "interval": "1m" }));
    let object = check("GitRepository", git, &[], &[]);
    assert_eq!(object["spec"]["timeout"], "60s");
    let git = source(
        json!({ "url": "https://example.com/a", "interval": "1m", "serviceAccountName": "x" }),
    );
    check(
        "GitRepository",
        git,
        &[],
        &[
            r#"spec: Invalid value: "object": serviceAccountName can only be set when provider is 'azure' or 'aws'"#,
        ],
    );
    let kustomization = source(json!({
        "interval": "1m", "prune": true, "sourceRef": { "kind": "GitRepository", "name": "a" }, "kubeConfig": {},
    }));
    check(
        "Kustomization",
        kustomization,
        &[],
        &[
            r#"spec.kubeConfig: Invalid value: "object": exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified"#,
        ],
    );
}
