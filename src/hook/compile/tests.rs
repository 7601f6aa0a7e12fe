//! What Receivers compile to, and what is said of those that do not.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

const ALLOWED: Policy = Policy {
    cross_namespace_refs: CrossNamespaceRefs::Allowed,
    plain_issuers: PlainIssuers::Denied,
    certificate_checks: CertificateChecks::Possible,
};
const DENIED: Policy = Policy {
    cross_namespace_refs: CrossNamespaceRefs::Denied,
    plain_issuers: PlainIssuers::Denied,
    certificate_checks: CertificateChecks::Possible,
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
            .verifier(
                &headers.into_iter().collect(),
                None,
                jiff::Timestamp::UNIX_EPOCH
            )
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
        annotated(&annotations, &of_type(type_), ALLOWED).map(|hook| hook.settings.window)
    };
    let minutes = |count| Ok(Duration::from_mins(count));
    assert_eq!(window("gitlab", "1m"), minutes(1));
    assert_eq!(window("gitlab", "24h"), minutes(24 * 60));
    assert_eq!(
        compile(&of_type("gitlab"), ALLOWED)
            .unwrap()
            .settings
            .window,
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

#[test]
fn the_clients_that_may_send_are_networks() {
    let with = |text: &str| {
        let annotations = json!({ "hookgate.dev/allowed-clients": text });
        annotated(&annotations, &of_type("github"), ALLOWED)
    };
    let allows = |text, client: &str| with(text).unwrap().allows(client.parse().unwrap());
    assert!(allows("192.0.2.0/24, 2001:db8::/32", "192.0.2.1"));
    assert!(allows("192.0.2.0/24, 2001:db8::/32", "2001:db8::1"));
    assert!(!allows("192.0.2.0/24, 2001:db8::/32", "192.0.3.1"));
    let anywhere = compile(&of_type("github"), ALLOWED).unwrap();
    assert!(anywhere.clients().is_none() && anywhere.allows("192.0.3.1".parse().unwrap()));
    let problem = "annotation hookgate.dev/allowed-clients has the part `github.com`; write a network or an address, such as `192.30.252.0/22` or `2001:db8::1`";
    assert_eq!(with("192.0.2.0/24, github.com").unwrap_err(), [problem]);
    let problem = "annotation hookgate.dev/allowed-clients is empty; name networks such as `192.30.252.0/22`, or remove it";
    assert_eq!(with("").unwrap_err(), [problem]);
}

#[test]
fn the_rate_is_a_number_and_a_unit() {
    let rate = |text: &str| {
        let annotations = json!({ "hookgate.dev/rate": text });
        annotated(&annotations, &of_type("quay"), ALLOWED).map(|hook| hook.rate())
    };
    assert_eq!(rate("600/m").unwrap(), "600/m".parse().ok());
    assert_eq!(compile(&of_type("quay"), ALLOWED).unwrap().rate(), None);
    for text in ["", "0/s", "fast"] {
        let problem = format!(
            "annotation hookgate.dev/rate is `{text}`; write a number from 1 to 1000000 and `/s`, `/m` or `/h`, \
             such as `600/m`: so many at once, and again so many in each second, minute or hour"
        );
        assert_eq!(rate(text), Err(vec![problem]));
    }
}

fn problems_of_providers(providers: &Value, policy: Policy) -> Vec<String> {
    let spec = json!({ "type": "generic-oidc", "oidcProviders": providers, "resources": [] });
    compile(&spec, policy).err().unwrap_or_default()
}

fn provider(url: &str) -> Value {
    json!({ "issuerURL": url, "validations": [{ "expression": "true", "message": "m" }] })
}

#[test]
fn providers_are_checked_in_the_words_of_flux() {
    for (providers, expected) in [
        (
            json!([provider("https://a"), provider("https://a/")]),
            vec![],
        ),
        (
            json!([provider("")]),
            vec!["oidcProviders[0]: issuerURL is required"],
        ),
        (
            json!([provider("https://a"), provider("ftp://a")]),
            vec![r#"oidcProviders[1]: issuerURL "ftp://a" must start with http:// or https://"#],
        ),
        (
            json!([provider("https://a"), provider("https://a")]),
            vec![r#"oidcProviders[1]: duplicate issuerURL "https://a""#],
        ),
        (
            json!([{ "issuerURL": "https://a", "validations": [] }]),
            vec![
                r#"oidcProviders[0] (issuerURL="https://a"): at least one validation is required; without validations any caller able to obtain a token from this issuer can trigger the Receiver"#,
            ],
        ),
        (
            json!([{
                "issuerURL": "https://a",
                "variables": [{ "name": "", "expression": "1" }, { "name": "b", "expression": "" }],
                "validations": [
                    { "expression": "", "message": "m" },
                    { "expression": "true", "message": "" },
                ],
            }]),
            vec![
                r#"oidcProviders[0] (issuerURL="https://a"): variables[0]: name is required"#,
                r#"oidcProviders[0] (issuerURL="https://a"): variables[1] (name="b"): expression is required"#,
                r#"oidcProviders[0] (issuerURL="https://a"): validations[0]: expression is required"#,
                r#"oidcProviders[0] (issuerURL="https://a"): validations[1]: message is required"#,
            ],
        ),
    ] {
        assert_eq!(
            problems_of_providers(&providers, ALLOWED),
            expected,
            "{providers}"
        );
    }
}

#[test]
fn expressions_of_providers_are_compiled_when_the_receiver_is() {
    let problems = |variable: &str, validation: &str| {
        let providers = json!([{
            "issuerURL": "https://a",
            "variables": [{ "name": "v", "expression": variable }],
            "validations": [{ "expression": validation, "message": "only ours" }],
        }]);
        problems_of_providers(&providers, ALLOWED)
    };
    assert_eq!(problems("claims.a", "vars.v == 'b'"), Vec::<String>::new());
    let place = r#"oidcProviders[0] (issuerURL="https://a"): "#;
    for (variable, validation, start, end) in [
        ("1 +", "true", "invalid expression for variable \"v\": ", ""),
        (
            "req.a",
            "true",
            "invalid expression for variable \"v\": ",
            "",
        ),
        (
            "1",
            "nonsense",
            "invalid expression for validation \"only ours\": ",
            "",
        ),
        (
            "1",
            "res.metadata.name == 'a'",
            "invalid expression for validation \"only ours\": ",
            "",
        ),
        (
            "1",
            "vars.v",
            "invalid expression for validation \"only ours\": ",
            "CEL expression output type mismatch: expected bool, got dyn",
        ),
    ] {
        let problems = problems(variable, validation);
        let [problem] = &problems[..] else {
            panic!("{problems:?}")
        };
        assert!(problem.starts_with(&format!("{place}{start}")), "{problem}");
        assert!(problem.ends_with(end), "{problem}");
    }
}

#[test]
fn issuers_are_asked_over_https_unless_the_operator_says_otherwise() {
    let plain = json!([provider("http://issuer:8080/team")]);
    let plain_allowed = Policy {
        plain_issuers: PlainIssuers::Allowed,
        ..ALLOWED
    };
    let problems = problems_of_providers(&plain, ALLOWED);
    assert_eq!(
        problems,
        [
            r#"oidcProviders[0]: issuerURL "http://issuer:8080/team" is not https; serve the issuer over https, or let hookgate run with --oidc-allow-http"#
        ]
    );
    assert_eq!(
        problems_of_providers(&plain, plain_allowed),
        Vec::<String>::new()
    );
    for url in [
        "https://",
        "https:///path",
        "https://user:hush@issuer",
        "https://issuer?a=b",
        "https://issuer#a",
        "https://a b",
    ] {
        let problems = problems_of_providers(&json!([provider(url)]), plain_allowed);
        assert_eq!(problems.len(), 1, "{url}");
        assert!(problems[0].contains("must be a host"), "{problems:?}");
    }
}

#[test]
fn providers_of_another_type_are_one_mistake() {
    let spec = json!({
        "type": "github",
        "secretRef": { "name": "s" },
        "oidcProviders": [{ "issuerURL": "ftp://a", "validations": [] }],
        "resources": [],
    });
    let problem = "oidcProviders can only be set when type is generic-oidc";
    assert_eq!(compile(&spec, ALLOWED).unwrap_err(), [problem]);
}
