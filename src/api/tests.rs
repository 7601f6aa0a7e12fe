//! Objects as users write them: read, and written back as they were.
//!
//! Which objects the API server admits is tested with the definitions.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    git_repository::{GitProvider, GitRepository, GitRepositorySpec, VerificationMode},
    kustomization::{DeletionPolicy, Kustomization, KustomizationSpec, SubstituteStrategy},
    receiver::{OidcProvider, Receiver, ReceiverSpec},
};

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

/// Reads `value` as a `T`, writes it back, and expects `expected`.
fn check<T: DeserializeOwned + Serialize>(value: &Value, expected: &Value) {
    let object: T = read(value);
    assert_eq!(&serde_json::to_value(object).unwrap(), expected);
}

fn check_unchanged<T: DeserializeOwned + Serialize>(yaml: &str) {
    let value: Value = serde_saphyr::from_str(yaml).unwrap();
    check::<T>(&value, &value);
}

#[test]
fn full_objects_are_written_back_as_they_were() {
    check_unchanged::<Receiver>(include_str!("tests/receiver.yaml"));
    check_unchanged::<GitRepository>(include_str!("tests/git_repository.yaml"));
    check_unchanged::<Kustomization>(include_str!("tests/kustomization.yaml"));
}

#[test]
fn defaults_are_not_written_into_what_is_absent() {
    let receiver = json!({ "resources": [], "type": "github" });
    check::<ReceiverSpec>(&receiver, &receiver);
    let repository = json!({ "interval": "1m0s", "url": "https://example.com/a.git" });
    check::<GitRepositorySpec>(&repository, &repository);
    let kustomization = json!({
        "interval": "1m0s",
        "prune": false,
        "sourceRef": { "kind": "Bucket", "name": "a" },
    });
    check::<KustomizationSpec>(&kustomization, &kustomization);
    for status in [json!({}), json!({ "observedGeneration": -1 })] {
        check::<super::receiver::ReceiverStatus>(&status, &status);
        check::<super::git_repository::GitRepositoryStatus>(&status, &status);
        check::<super::kustomization::KustomizationStatus>(&status, &status);
    }
}

#[test]
fn false_is_not_the_same_as_absent() {
    let receiver = json!({ "resources": [], "suspend": false, "type": "github" });
    check::<ReceiverSpec>(&receiver, &receiver);
}

/// Sets each optional field of `spec` to `null` and expects to read what is there without it.
fn check_null<T: DeserializeOwned + Serialize>(yaml: &str, required: &[&str]) {
    let object: Value = serde_saphyr::from_str(yaml).unwrap();
    for part in ["spec", "status"] {
        let fields = object[part].as_object().unwrap();
        for name in fields
            .keys()
            .filter(|name| !required.contains(&name.as_str()))
        {
            let mut with_null = object.clone();
            with_null[part][name] = Value::Null;
            let mut without = object.clone();
            without[part].as_object_mut().unwrap().remove(name);
            check::<T>(&with_null, &without);
        }
    }
}

#[test]
fn null_is_read_as_absent() {
    check_null::<Receiver>(include_str!("tests/receiver.yaml"), &["resources", "type"]);
    check_null::<GitRepository>(
        include_str!("tests/git_repository.yaml"),
        &["interval", "url"],
    );
    check_null::<Kustomization>(
        include_str!("tests/kustomization.yaml"),
        &["interval", "prune", "sourceRef"],
    );
}

#[test]
fn empty_lists_are_read_as_absent() {
    check::<ReceiverSpec>(
        &json!({ "events": [], "oidcProviders": [], "resources": [], "type": "github" }),
        &json!({ "resources": [], "type": "github" }),
    );
}

#[test]
fn accessors_know_the_defaults() {
    let receiver: ReceiverSpec = read(&json!({ "resources": [], "type": "github" }));
    assert_eq!(receiver.interval().to_string(), "10m0s");
    assert!(!receiver.is_suspended());
    for audience in [json!(null), json!("")] {
        let provider: OidcProvider = read(&json!({
            "audience": audience,
            "issuerURL": "https://example.com",
            "validations": [],
        }));
        assert_eq!(provider.audience(), "notification-controller");
    }

    let repository: GitRepositorySpec = read(&json!({
        "interval": "1m",
        "url": "https://example.com/a.git",
        "verify": { "secretRef": { "name": "keys" } },
    }));
    assert_eq!(repository.timeout().to_string(), "1m0s");
    assert_eq!(repository.provider(), GitProvider::Generic);
    let mode = repository.verification.unwrap().mode();
    assert_eq!(mode, VerificationMode::Head);

    let kustomization: KustomizationSpec = read(&json!({
        "healthChecks": [{ "kind": "Deployment", "name": "a" }],
        "interval": "1m",
        "postBuild": { "substituteFrom": [{ "kind": "Secret", "name": "a" }] },
        "prune": true,
        "sourceRef": { "kind": "GitRepository", "name": "a" },
    }));
    assert_eq!(kustomization.deletion_policy(), DeletionPolicy::MirrorPrune);
    assert!(!kustomization.is_forced() && !kustomization.waits());
    assert_eq!(kustomization.health_checks[0].api_version(), "apps/v1");
    let post_build = kustomization.post_build.unwrap();
    assert_eq!(
        post_build.substitute_strategy(),
        SubstituteStrategy::WithVariables
    );
    assert!(!post_build.substitute_from[0].is_optional());
}
