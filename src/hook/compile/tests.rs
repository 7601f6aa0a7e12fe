//! What Receivers compile to, and what is said of those that do not.

use serde_json::{Value, json};

use super::*;

const ALLOWED: Policy = Policy {
    cross_namespace_refs: CrossNamespaceRefs::Allowed,
};
const DENIED: Policy = Policy {
    cross_namespace_refs: CrossNamespaceRefs::Denied,
};

fn compile(spec: &Value, policy: Policy) -> Result<Hook, Vec<String>> {
    annotated(&json!({}), spec, policy)
}

fn annotated(annotations: &Value, spec: &Value, policy: Policy) -> Result<Hook, Vec<String>> {
    let receiver: Receiver = serde_json::from_value(json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": { "name": "hook", "namespace": "team", "annotations": annotations },
        "spec": spec,
    }))
    .unwrap();
    Hook::compile(&receiver, policy)
        .map_err(|invalid| invalid.problems().iter().map(ToString::to_string).collect())
}

fn selection(resource: &Value, policy: Policy) -> Selection {
    let spec = json!({ "type": "github", "secretRef": { "name": "s" }, "resources": [resource] });
    compile(&spec, policy).unwrap().selection
}

fn refusal(resource: &Value, policy: Policy) -> Option<String> {
    selection(resource, policy)
        .refusals
        .pop()
        .map(|refusal| format!("{}: {}", refusal.target, refusal.reason))
}

#[test]
fn a_name_selects_one_object_of_the_receivers_namespace() {
    let selection = selection(&json!({ "kind": "GitRepository", "name": "app" }), ALLOWED);
    let [Selector::Named(target)] = &selection.selectors[..] else {
        panic!("{selection:?}")
    };
    assert_eq!(target.to_string(), "GitRepository/team/app");
    assert_eq!(target.kind.plural, "gitrepositories");
}

#[test]
fn a_wildcard_selects_by_labels_and_no_labels_select_everything() {
    for labels in [json!({ "app": "x" }), json!({})] {
        let resource =
            json!({ "kind": "Bucket", "name": "*", "namespace": "ns", "matchLabels": labels });
        let selection = selection(&resource, ALLOWED);
        let [
            Selector::Labelled {
                namespace,
                labels: selected,
                ..
            },
        ] = &selection.selectors[..]
        else {
            panic!("{selection:?}")
        };
        assert_eq!((namespace.as_str(), json!(selected)), ("ns", labels));
    }
}

#[test]
fn what_can_never_be_triggered_is_refused_and_harms_nothing_else() {
    let wildcard = json!({ "kind": "Bucket", "name": "*" });
    let reason = "Bucket/team/*: matchLabels field not set when using wildcard '*' as name";
    assert_eq!(refusal(&wildcard, ALLOWED).as_deref(), Some(reason));
    let elsewhere = json!({ "kind": "Bucket", "name": "b", "namespace": "other" });
    let reason = "Bucket/other/b: cross-namespace references are not allowed";
    assert_eq!(refusal(&elsewhere, DENIED).as_deref(), Some(reason));
    assert_eq!(refusal(&elsewhere, ALLOWED), None);
    let both = json!({ "kind": "Bucket", "name": "*", "namespace": "other" });
    let reason = "Bucket/other/*: cross-namespace references are not allowed";
    assert_eq!(refusal(&both, DENIED).as_deref(), Some(reason));
    assert_eq!(
        refusal(
            &json!({ "kind": "Bucket", "name": "b", "namespace": "team" }),
            DENIED
        ),
        None
    );
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let problems = compile(
        &json!({
            "type": "gcr",
            "resourceFilter": "req.x",
            "oidcProviders": [{ "issuerURL": "https://i", "validations": [] }],
            "resources": [
                { "kind": "Deployment", "name": "a" },
                { "kind": "Bucket", "name": "b", "filter": "1" },
            ],
        }),
        ALLOWED,
    );
    assert_eq!(
        problems.unwrap_err(),
        [
            "type `gcr` is not supported by this version of hookgate; \
             supported types are generic, generic-hmac, github, gitlab, bitbucket, harbor, dockerhub, \
             quay, nexus, acr, cdevents",
            "oidcProviders can only be set when type is generic-oidc",
            "secretRef is required when type is not generic-oidc",
            "invalid resourceFilter expression: CEL expression output type mismatch: expected bool, got dyn",
            "invalid filter expression for resources[1] (kind=\"Bucket\", name=\"b\"): CEL expression output type mismatch: expected bool, got int",
            "resources[0]: unknown kind `Deployment`",
        ]
    );
}

#[test]
fn oidc_receivers_are_checked_as_flux_checks_them() {
    let problems = compile(
        &json!({ "type": "generic-oidc", "secretRef": { "name": "s" }, "resources": [] }),
        ALLOWED,
    );
    let problems = problems.unwrap_err();
    assert!(
        problems.contains(&"generic-oidc receiver requires at least one oidcProvider".to_owned())
    );
    assert!(problems.contains(&"secretRef cannot be set when type is generic-oidc".to_owned()));
}

#[test]
fn a_hook_without_keys_admits_nobody() {
    let hook = compile(
        &json!({ "type": "gitlab", "secretRef": { "name": "s" }, "resources": [] }),
        ALLOWED,
    );
    let headers = [("x-gitlab-token", "")]
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    assert!(
        hook.unwrap()
            .verifier(&headers.into_iter().collect(), jiff::Timestamp::UNIX_EPOCH)
            .is_err()
    );
}

fn of_type(type_: &str) -> Value {
    json!({ "type": type_, "secretRef": { "name": "s" }, "resources": [] })
}

#[test]
fn an_annotation_names_the_sender_on_types_that_several_share() {
    for (type_, name, sender) in [
        ("generic-hmac", "gitea", Sender::Gitea),
        ("generic-hmac", "forgejo", Sender::Forgejo),
        ("github", "gitea", Sender::Gitea),
        ("github", "forgejo", Sender::Forgejo),
        (
            "generic-hmac",
            "standard-webhooks",
            Sender::StandardWebhooks,
        ),
        ("generic-hmac", "azure-devops", Sender::AzureDevops),
        ("gitlab", "gitlab", Sender::Gitlab),
    ] {
        let hook = annotated(
            &json!({ "hookgate.dev/sender": name }),
            &of_type(type_),
            ALLOWED,
        );
        assert_eq!(hook.unwrap().sender(), sender);
    }
}

#[test]
fn an_unknown_sender_is_refused_with_those_that_there_are() {
    for (type_, name, problem) in [
        (
            "generic-hmac",
            "Gitea",
            "annotation hookgate.dev/sender is `Gitea`, which is no sender on type `generic-hmac`; \
             those are gitea, forgejo, standard-webhooks, azure-devops",
        ),
        (
            "github",
            "azure-devops",
            "annotation hookgate.dev/sender is `azure-devops`, which is no sender on type `github`; \
             those are gitea, forgejo",
        ),
        (
            "quay",
            "gitea",
            "annotation hookgate.dev/sender is `gitea`, but type `quay` has no other senders than \
             its own; remove it",
        ),
    ] {
        let annotations = json!({ "hookgate.dev/sender": name });
        let problems = annotated(&annotations, &of_type(type_), ALLOWED).unwrap_err();
        assert_eq!(problems, [problem]);
    }
}

#[test]
fn the_window_is_a_duration_on_a_sender_that_signs_a_time() {
    let window = |type_, text: &str| {
        let annotations = json!({ "hookgate.dev/replay-window": text });
        annotated(&annotations, &of_type(type_), ALLOWED).map(|hook| hook.window)
    };
    let minutes = |count| Ok(Duration::from_mins(count));
    assert_eq!(window("gitlab", "1m"), minutes(1));
    assert_eq!(window("gitlab", "24h"), minutes(24 * 60));
    assert_eq!(
        compile(&of_type("gitlab"), ALLOWED).unwrap().window,
        Duration::from_mins(5)
    );
    for text in ["", "5", "0s", "999ms", "24h1s", "-5m", "five minutes"] {
        let problem = format!(
            "annotation hookgate.dev/replay-window is `{text}`; write a duration from 1s to 24h, such as 5m"
        );
        assert_eq!(window("gitlab", text), Err(vec![problem]));
    }
    let problem = "annotation hookgate.dev/replay-window has no effect: `github` does not sign a time; remove it";
    assert_eq!(window("github", "5m"), Err(vec![problem.to_owned()]));
}
