//! Whom `generic-oidc` believes: issuer, audience, times, and the rules of the Receiver.

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::*;
use crate::hook::{
    Authentic, Candidate, CertificateChecks, CrossNamespaceRefs, Discovery, Hook, Judgement,
    KeySet, PlainIssuers, Policy, Selector, tests::signer::Signer,
};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://issuer.example.com";
const OTHER: &str = "https://other.example.com/";

fn hook(providers: &Value) -> Hook {
    let receiver = json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": { "name": "hook", "namespace": "team" },
        "spec": { "type": "generic-oidc", "oidcProviders": providers, "resources": [] },
    });
    let policy = Policy {
        cross_namespace_refs: CrossNamespaceRefs::Denied,
        plain_issuers: PlainIssuers::Denied,
        certificate_checks: CertificateChecks::Possible,
    };
    Hook::compile(&serde_json::from_value(receiver).unwrap(), policy).unwrap()
}

fn anybody(issuer: &str) -> Value {
    json!({ "issuerURL": issuer, "validations": [{ "expression": "true", "message": "never" }] })
}

fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": "notification-controller",
        "exp": NOW + 600,
        "repository": "example/podinfo",
        "ref": "refs/heads/main",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

/// A delivery with these values of the header, judged as the ingress does it: keys are there if they are asked for.
fn judge(hook: &Hook, values: &[&str], signer: &Signer, names: &Value) -> Result<(), Unauthentic> {
    prove(hook, values, signer, names).map(drop)
}

fn prove(
    hook: &Hook,
    values: &[&str],
    signer: &Signer,
    names: &Value,
) -> Result<Authentic, Unauthentic> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    let now = Timestamp::new(NOW, 500_000_000).unwrap();
    let keys = hook.key_request(&headers, now).map(|request| {
        let KeySource::Discovered(issuer) = request.source() else {
            panic!("{request:?}")
        };
        let document = json!({
            "issuer": &**issuer,
            "jwks_uri": "https://keys.example.com",
            "id_token_signing_alg_values_supported": names,
        });
        let discovery = Discovery::parse(document.to_string().as_bytes(), issuer).unwrap();
        let keys = json!({ "keys": [signer.jwk()] }).to_string();
        discovery.with_keys(KeySet::parse(keys.as_bytes()).unwrap())
    });
    let verifier = hook.verifier(&headers, keys.as_ref(), now)?;
    verifier.finish()
}

fn believed_by(hook: &Hook, claims: &Value) -> Result<(), Unauthentic> {
    let signer = Signer::new("ES256", "1");
    let header = format!("Bearer {}", signer.token(claims));
    judge(hook, &[&header], &signer, &json!(["ES256"]))
}

fn believed(claims: &Value) -> Result<(), Unauthentic> {
    believed_by(&hook(&json!([anybody(ISSUER), anybody(OTHER)])), claims)
}

fn refused(claims: &Value, reason: &RefusedToken) {
    let outcome = believed(claims);
    assert_eq!(outcome, Err(reason.clone().into()), "{claims}");
}

#[test]
fn a_token_of_any_of_the_issuers_is_believed() {
    assert_eq!(believed(&claims()), Ok(()));
    assert_eq!(believed(&with("iss", json!(OTHER))), Ok(()));
}

#[test]
fn the_issuer_is_one_of_the_receivers_to_the_letter() {
    for issuer in [
        "https://issuer.example.com/",
        "https://other.example.com",
        "https://ISSUER.example.com",
        "http://issuer.example.com",
        "issuer.example.com",
        "",
    ] {
        let reason = RefusedToken::UnknownIssuer(Quoted::new(issuer));
        refused(&with("iss", json!(issuer)), &reason);
    }
    for issuer in [json!(null), json!([ISSUER]), json!(5)] {
        refused(&with("iss", issuer), &RefusedToken::NoIssuer);
    }
}

#[test]
fn the_scheme_is_bearer_and_white_space_around_the_token_does_not_matter() {
    let (hook, signer) = (hook(&json!([anybody(ISSUER)])), Signer::new("ES256", "1"));
    let token = signer.token(&claims());
    let names = json!(["ES256"]);
    let outcome = |values: &[&str]| judge(&hook, values, &signer, &names);
    assert_eq!(outcome(&[&format!("Bearer   {token} \t")]), Ok(()));
    for value in ["bearer", "Bearer", "Basic", "JWT"] {
        let outcome = outcome(&[&format!("{value}{token}")]);
        assert_eq!(outcome, Err(RefusedToken::NotBearer.into()), "{value}");
    }
    let outcome_of_lower_case = outcome(&[&format!("bearer {token}")]);
    assert_eq!(outcome_of_lower_case, Err(RefusedToken::NotBearer.into()));
    assert_eq!(outcome(&["Bearer  \t "]), Err(RefusedToken::NoToken.into()));
    let header = format!("Bearer {token}");
    for values in [&[][..], &[&header[..], &header], &[&header[..], ""], &[""]] {
        assert_eq!(outcome(values), Err(RefusedToken::NotBearer.into()));
    }
}

#[test]
fn the_audience_is_among_those_of_the_token() {
    for audience in [
        json!("notification-controller"),
        json!(["notification-controller"]),
        json!(["a", "notification-controller", "b"]),
    ] {
        assert_eq!(believed(&with("aud", audience)), Ok(()));
    }
    for audience in [
        json!("notification-controller/"),
        json!("Notification-Controller"),
        json!([]),
        json!(["a"]),
        json!([["notification-controller"]]),
        json!({ "notification-controller": true }),
        json!(null),
        json!(""),
    ] {
        refused(&with("aud", audience), &RefusedToken::WrongAudience);
    }
    let mut provider = anybody(ISSUER);
    provider["audience"] = json!("hookgate");
    let hook = hook(&json!([provider]));
    assert_eq!(believed_by(&hook, &with("aud", json!("hookgate"))), Ok(()));
    let outcome = believed_by(&hook, &claims());
    assert_eq!(outcome, Err(RefusedToken::WrongAudience.into()));
}

#[test]
fn a_token_is_good_until_it_expires_and_not_long_before_it_begins() {
    for expiry in [
        json!(NOW + 1),
        json!(1.9e9),
        json!(18_446_744_073_709_551_615_u64),
    ] {
        assert_eq!(believed(&with("exp", expiry)), Ok(()));
    }
    let expired = [
        json!(NOW),
        json!(NOW - 1),
        json!(0),
        json!(-1),
        json!(null),
        json!("1900000000"),
    ];
    for expiry in expired {
        refused(&with("exp", expiry), &RefusedToken::Expired);
    }
    for start in [json!(NOW - 1), json!(NOW + 300), json!(0), json!(null)] {
        assert_eq!(believed(&with("nbf", start)), Ok(()));
    }
    for start in [json!(NOW + 301), json!(i64::MAX), json!(1e300)] {
        refused(&with("nbf", start), &RefusedToken::NotYetValid);
    }
    let malformed = RefusedToken::Malformed("its `nbf` is not a number");
    refused(&with("nbf", json!("0")), &malformed);
    assert_eq!(believed(&with("iat", json!(NOW + 86400))), Ok(()));
}

#[test]
fn the_algorithm_is_one_that_the_issuer_names() {
    let hook = hook(&json!([anybody(ISSUER)]));
    let outcome = |algorithm: &'static str, names: Value| {
        let signer = Signer::new(algorithm, "1");
        let header = format!("Bearer {}", signer.token(&claims()));
        judge(&hook, &[&header], &signer, &names)
    };
    let refused = |name: &str| Err(RefusedToken::RefusedAlgorithm(Quoted::new(name)).into());
    assert_eq!(outcome("RS256", json!(null)), Ok(()));
    assert_eq!(outcome("RS256", json!(["HS256", "none"])), Ok(()));
    assert_eq!(outcome("RS256", json!(["ES256"])), refused("RS256"));
    assert_eq!(outcome("ES256", json!(null)), refused("ES256"));
    for name in [
        "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    ] {
        assert_eq!(outcome(name, json!([name])), Ok(()), "{name}");
    }
}

#[test]
fn no_key_is_asked_for_unless_all_but_the_signature_is_right() {
    let hook = hook(&json!([anybody(ISSUER)]));
    let asks = |signer: &Signer, claims: &Value| {
        let value = format!("Bearer {}", signer.token(claims));
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
        let request = hook.key_request(&headers, Timestamp::from_second(NOW).unwrap());
        request.is_some()
    };
    let signer = Signer::new("ES256", "1");
    assert!(asks(&signer, &claims()));
    for claims in [
        with("iss", json!(OTHER)),
        with("aud", json!("another")),
        with("exp", json!(NOW - 1)),
        with("nbf", json!(NOW + 301)),
    ] {
        assert!(!asks(&signer, &claims), "{claims}");
    }
}

fn ruled_by(variables: &Value, validations: &Value, claims: &Value) -> Result<(), String> {
    let hook = hook(&json!([{
        "issuerURL": ISSUER,
        "variables": variables,
        "validations": validations,
    }]));
    believed_by(&hook, claims).map_err(|refused| refused.to_string())
}

#[test]
fn the_claims_satisfy_every_validation() {
    let validations = json!([
        { "expression": "claims.repository == 'example/podinfo'", "message": "wrong repository" },
        { "expression": "claims.ref == 'refs/heads/main'", "message": "wrong branch" },
    ]);
    let outcome = |claims: &Value| ruled_by(&json!([]), &validations, claims);
    assert_eq!(outcome(&claims()), Ok(()));
    let wrong = with("ref", json!("refs/heads/evil"));
    let reason = "token validation failed: wrong branch";
    assert_eq!(outcome(&wrong), Err(reason.to_owned()));
    let mut wrong = wrong;
    wrong["repository"] = json!("evil/podinfo");
    let reason = "token validation failed: wrong repository; wrong branch";
    assert_eq!(outcome(&wrong), Err(reason.to_owned()));
    let mut missing = claims();
    missing.as_object_mut().unwrap().remove("ref");
    let reason = outcome(&missing).unwrap_err();
    assert!(
        reason.starts_with("failed to evaluate validation: "),
        "{reason}"
    );
    assert!(reason.ends_with("no such key: ref"), "{reason}");
}

#[test]
fn variables_see_the_claims_and_the_variables_before_them() {
    let variables = json!([
        { "name": "owner", "expression": "claims.repository.split('/')[0]" },
        { "name": "is_ours", "expression": "vars.owner == 'example'" },
        { "name": "owner", "expression": "vars.owner + '!'" },
    ]);
    let says = |expression: &str| {
        let validations = json!([{ "expression": expression, "message": "no" }]);
        ruled_by(&variables, &validations, &claims())
    };
    assert_eq!(says("vars.is_ours == true"), Ok(()));
    assert_eq!(
        says("vars.owner == 'example!'"),
        Ok(()),
        "the later one counts"
    );
    assert_eq!(
        says("vars.owner == 'example'"),
        Err("token validation failed: no".to_owned())
    );

    let early = json!([
        { "name": "first", "expression": "vars.second" },
        { "name": "second", "expression": "1" },
    ]);
    let reason = ruled_by(
        &early,
        &json!([{ "expression": "true", "message": "m" }]),
        &claims(),
    );
    let reason = reason.unwrap_err();
    assert!(
        reason.starts_with("failed to evaluate variable \"first\": "),
        "{reason}"
    );
}

#[test]
fn filters_see_the_claims() {
    let receiver = json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": { "name": "hook", "namespace": "team" },
        "spec": {
            "type": "generic-oidc",
            "oidcProviders": [anybody(ISSUER)],
            "resources": [{
                "kind": "GitRepository",
                "name": "podinfo",
                "filter": "claims.repository.endsWith('/' + res.metadata.name)",
            }],
        },
    });
    let policy = Policy {
        cross_namespace_refs: CrossNamespaceRefs::Denied,
        plain_issuers: PlainIssuers::Denied,
        certificate_checks: CertificateChecks::Possible,
    };
    let hook = Hook::compile(&serde_json::from_value(receiver).unwrap(), policy).unwrap();
    let [Selector::Named(target)] = &hook.selection().selectors[..] else {
        panic!("it is named")
    };
    let candidate = Candidate {
        selector: 0,
        target: target.clone(),
        metadata: r#"{"name":"podinfo"}"#.into(),
    };
    let signer = Signer::new("ES256", "1");
    for (repository, judgement) in [
        ("example/podinfo", Judgement::Wanted),
        ("example/other", Judgement::LeftOut),
    ] {
        let token = signer.token(&with("repository", json!(repository)));
        let header = format!("Bearer {token}");
        let authentic = prove(&hook, &[&header], &signer, &json!(["ES256"])).unwrap();
        let candidates = [candidate.clone()];
        let judged = hook.judge(&authentic, &HeaderMap::new(), b"", &candidates, &|| false);
        assert_eq!(judged, Ok(vec![judgement]), "{repository}");
    }
}
