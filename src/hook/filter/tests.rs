//! What filters see of deliveries and objects, and what they say of them.

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use jiff::Timestamp;
use serde_json::json;

use super::{request::MAX_TREE_BYTES, *};
use crate::{
    api::receiver::Receiver,
    hook::{CertificateChecks, CrossNamespaceRefs, PlainIssuers, Policy, Secrets, Token},
};

const BODY: &str = r#"{"ref":"refs/heads/main","n":12345678901234567890,"tags":["app"]}"#;

fn receiver(spec: &Value) -> Receiver {
    serde_json::from_value(json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": { "name": "hook", "namespace": "apps" },
        "spec": spec,
    }))
    .unwrap()
}

fn compiled(spec: &Value) -> Result<Hook, Vec<String>> {
    let policy = Policy {
        cross_namespace_refs: CrossNamespaceRefs::Allowed,
        plain_issuers: PlainIssuers::Denied,
        certificate_checks: CertificateChecks::Possible,
    };
    let hook = Hook::compile(&receiver(spec), policy);
    hook.map_err(|invalid| invalid.problems().iter().map(ToString::to_string).collect())
}

fn hook(type_: &str, of_receiver: &str, of_resource: &str) -> Hook {
    let spec = json!({
        "type": type_,
        "secretRef": { "name": "token" },
        "resourceFilter": of_receiver,
        "resources": [
            { "kind": "Bucket", "name": "unfiltered" },
            { "kind": "GitRepository", "name": "web", "filter": of_resource },
        ],
    });
    let token = Token::new(b"token".to_vec()).unwrap();
    let hook = compiled(&spec).unwrap();
    hook.with_secrets(&Secrets::from(token), Timestamp::UNIX_EPOCH)
        .unwrap()
}

fn candidate(hook: &Hook, selector: usize) -> Candidate {
    let Selector::Named(target) = &hook.selection.selectors[selector] else {
        panic!("it is named")
    };
    let metadata = json!({
        "name": target.name,
        "namespace": "apps",
        "labels": { "app": "web" },
        "annotations": { "branch": "main" },
    });
    Candidate {
        selector,
        target: target.clone(),
        metadata: metadata.to_string().into(),
    }
}

fn content_type(value: &str) -> HeaderMap {
    let value = HeaderValue::from_str(value).unwrap();
    HeaderMap::from_iter([(CONTENT_TYPE, value)])
}

fn authentic() -> Authentic {
    let hook = hook("generic", "", "");
    let verifier = hook.verifier(&HeaderMap::new(), None, Timestamp::UNIX_EPOCH);
    verifier.unwrap().finish().unwrap()
}

fn judged(hook: &Hook, media_type: &str, body: &[u8]) -> Result<Judgement, Unjudged> {
    let candidates = [candidate(hook, 1)];
    let headers = content_type(media_type);
    let judged = hook.judge(&authentic(), &headers, body, &candidates, &|| false);
    judged.map(|mut judgements| judgements.remove(0))
}

fn judge(of_receiver: &str, of_resource: &str) -> Judgement {
    let hook = hook("generic", of_receiver, of_resource);
    judged(&hook, "application/json", BODY.as_bytes()).unwrap()
}

fn failed(expression: &str, why: &str) -> Judgement {
    Judgement::Failed {
        reason: format!("failed to evaluate the CEL expression '{expression}': {why}"),
    }
}

#[test]
fn both_filters_must_say_yes_and_the_receivers_comes_first() {
    for (of_receiver, of_resource, judgement) in [
        ("true", "true", Judgement::Wanted),
        ("true", "", Judgement::Wanted),
        ("", "true", Judgement::Wanted),
        ("true", "false", Judgement::LeftOut),
        ("false", "true", Judgement::LeftOut),
        ("false", "req.missing == 1", Judgement::LeftOut),
        (
            "true",
            "req.missing == 1",
            failed("req.missing == 1", "no such key: missing"),
        ),
        (
            "req.missing == 1",
            "false",
            failed("req.missing == 1", "no such key: missing"),
        ),
        ("", "", Judgement::Wanted),
    ] {
        assert_eq!(
            judge(of_receiver, of_resource),
            judgement,
            "{of_receiver} {of_resource}"
        );
    }
}

#[test]
fn filters_see_the_request_and_the_object() {
    for filter in [
        "req.ref == 'refs/heads/main' && req.n > 1.0e19 && 'app' in req.tags",
        "res.apiVersion == 'source.toolkit.fluxcd.io/v1' && res.kind == 'GitRepository'",
        "res.metadata.name == 'web' && res.metadata.namespace == 'apps'",
        "res.metadata.labels.app == 'web' && req.ref.endsWith(res.metadata.annotations.branch)",
        "!has(res.spec) && !has(res.status)",
    ] {
        assert_eq!(judge(filter, ""), Judgement::Wanted, "{filter}");
    }
}

#[test]
fn a_receiver_without_filters_needs_no_body() {
    let unfiltered = hook("generic", "", "");
    assert!(!unfiltered.is_filtered() && !unfiltered.interprets_body());
    assert_eq!(unfiltered.details().count(), 0);
    let filtered = hook("generic", "", "true");
    assert!(filtered.is_filtered() && filtered.interprets_body());
    assert!(!filtered.filters(0) && filtered.filters(1));
    let details: Vec<_> = filtered.details().collect();
    let [(kind, namespace, Detail::Metadata)] = &details[..] else {
        panic!("{details:?}")
    };
    assert_eq!(
        (kind.kind.as_str(), namespace.as_str()),
        ("GitRepository", "apps")
    );
    let all = hook("generic", "true", "");
    assert!(all.filters(0) && all.filters(1));
    assert_eq!(all.details().count(), 2);
}

#[test]
fn filters_are_those_of_their_own_reference_also_beside_refused_ones() {
    let spec = json!({
        "type": "generic",
        "secretRef": { "name": "token" },
        "resources": [
            { "kind": "Bucket", "name": "*", "filter": "false" },
            { "kind": "GitRepository", "name": "web", "filter": "true" },
        ],
    });
    let hook = compiled(&spec).unwrap();
    let judged = hook.judge(
        &authentic(),
        &HeaderMap::new(),
        b"",
        &[candidate(&hook, 0)],
        &|| false,
    );
    assert_eq!(judged, Ok(vec![Judgement::Wanted]));
}

#[test]
fn only_what_is_declared_as_json_is_looked_at() {
    let has_ref = hook("generic", "has(req.ref)", "");
    let is_empty = hook("generic", "req.size() == 0", "");
    for media_type in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "text/plain, application/json",
    ] {
        let judgement = judged(&has_ref, media_type, BODY.as_bytes());
        assert_eq!(judgement, Ok(Judgement::Wanted), "{media_type}");
    }
    for media_type in [
        "text/plain",
        "application/vnd.api+json",
        "application/cloudevents+json",
        "application/x-www-form-urlencoded",
        "broken, application/json",
        "",
    ] {
        let judgement = judged(&is_empty, media_type, BODY.as_bytes());
        assert_eq!(judgement, Ok(Judgement::Wanted), "{media_type}");
    }
}

#[test]
fn the_payload_of_a_form_is_looked_at_where_hosts_send_forms() {
    let form = "application/x-www-form-urlencoded";
    let body = b"other=1&payload=%7B%22ref%22%3A%22a%22%7D";
    for type_ in ["github", "bitbucket"] {
        let hook = hook(type_, "req.ref == 'a'", "");
        assert_eq!(judged(&hook, form, body), Ok(Judgement::Wanted), "{type_}");
        let malformed = judged(&hook, form, b"other=1").unwrap_err();
        assert_eq!(malformed.to_string(), "the form has no field `payload`");
        let json = judged(&hook, "application/json", br#"{"ref":"a"}"#);
        assert_eq!(json, Ok(Judgement::Wanted), "{type_}");
    }
}

#[test]
fn the_first_json_value_must_be_an_object() {
    let hook = hook("generic", "req.size() == 0", "");
    for body in ["{}", "null", "{} trailing", " \n{}[", r#"{} {"a":1}"#] {
        let judgement = judged(&hook, "application/json", body.as_bytes());
        assert_eq!(judgement, Ok(Judgement::Wanted), "{body}");
    }
    for body in [
        "",
        "{",
        "[]",
        "\"hush\"",
        "7",
        "hush",
        r#"{"hush":}"#,
        "{\"a\":1e999}",
    ] {
        let told = judged(&hook, "application/json", body.as_bytes()).unwrap_err();
        let told = told.to_string();
        let is_told = told.starts_with("failed to parse request body as JSON: ")
            || told.starts_with("the body must be a JSON object");
        assert!(is_told && !told.contains("hush"), "{body}: {told}");
    }
}

#[test]
fn a_body_that_takes_too_much_memory_is_refused() {
    let hook = hook("generic", "true", "");
    let objects = |count: usize| format!(r#"{{"a":[{}{{}}]}}"#, "{},".repeat(count));
    let few = objects(MAX_TREE_BYTES / 1000);
    let judgement = judged(&hook, "application/json", few.as_bytes());
    assert_eq!(judgement, Ok(Judgement::Wanted));
    let many = objects(MAX_TREE_BYTES / 640);
    let told = judged(&hook, "application/json", many.as_bytes()).unwrap_err();
    assert!(
        told.to_string().contains("it has too many values"),
        "{told}"
    );
    let deep = format!(r#"{{"a":{}"#, "[".repeat(100_000));
    let told = judged(&hook, "application/json", deep.as_bytes()).unwrap_err();
    assert!(told.to_string().contains("recursion limit"), "{told}");
}

#[test]
fn it_ends_when_nobody_waits_any_longer() {
    let hook = hook("generic", "req.list.all(x, req.list.all(y, x == y))", "");
    let list = vec![0; 3000];
    let body = json!({ "list": list }).to_string();
    let end = hook.judge(
        &authentic(),
        &content_type("application/json"),
        body.as_bytes(),
        &[candidate(&hook, 1)],
        &|| true,
    );
    assert_eq!(end, Err(Unjudged::Interrupted));
    let judgement = judged(&hook, "application/json", body.as_bytes()).unwrap();
    let Judgement::Failed { reason } = judgement else {
        panic!("{judgement:?}")
    };
    assert!(reason.contains("it takes more than"), "{reason}");
}

#[test]
fn every_bad_expression_is_reported_in_the_words_of_flux() {
    let problems = compiled(&json!({
        "type": "github",
        "secretRef": { "name": "token" },
        "resourceFilter": "req.ref ==",
        "resources": [
            { "kind": "Bucket", "name": "a", "filter": "req.flag" },
            { "kind": "Bucket", "name": "b", "filter": "has(req.a)" },
            { "kind": "GitRepository", "name": "*", "matchLabels": {}, "filter": "claims.sub == 'a'" },
        ],
    }));
    assert_eq!(
        problems.unwrap_err(),
        [
            "invalid resourceFilter expression: failed to parse the CEL expression 'req.ref ==': ERROR: <input>:1:11: Syntax error: mismatched input '<EOF>' expecting 'an expression'",
            "invalid filter expression for resources[0] (kind=\"Bucket\", name=\"a\"): CEL expression output type mismatch: expected bool, got dyn",
            "invalid filter expression for resources[2] (kind=\"GitRepository\", name=\"*\"): failed to parse the CEL expression 'claims.sub == 'a'': ERROR: <input>:1:1: undeclared reference to 'claims' (in container '')",
        ]
    );
}
