//! Whom `gcr` believes, and what it makes of a message.

use std::{collections::BTreeMap, time::Duration};

use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use k8s_openapi::ByteString;
use serde_json::json;

use super::{super::Sender, *};
use crate::{
    api::annotations::LIVE_SECRETS,
    hook::{
        CertificateChecks, CrossNamespaceRefs, Hook, IssuerKeys, KeySet, PlainIssuers, Policy,
        tests::signer::Signer,
    },
};

const NOW: i64 = 1_800_000_000;
const EMAIL: &str = "push@project.iam.gserviceaccount.com";
const AUDIENCE: &str = "https://hooks.example.com/hook/1";

fn secrets(data: &[(&str, &str)]) -> Secrets {
    let data = data.iter();
    let data = data.map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())));
    Secrets::of(data.collect::<BTreeMap<_, _>>()).unwrap()
}

fn account(email: &str, audience: &str) -> Keys {
    let data = [("token", "t"), ("email", email), ("audience", audience)];
    Sender::Gcr.keys(&secrets(&data)).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "exp": NOW + 3600,
        "iat": NOW,
        "email": EMAIL,
        "email_verified": true,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn published(source: &KeySource, signers: &[&Signer]) -> IssuerKeys {
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
    let keys = KeySet::parse(json!({ "keys": keys }).to_string().as_bytes());
    IssuerKeys::of_google(source, keys.unwrap())
}

/// A delivery with these values of the header, judged as the ingress does it: keys are there if they are asked for.
fn judge_headers(values: &[&str], keys: &Keys, signer: &Signer) -> Result<(), Unauthentic> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    let mut claim = Claim {
        headers: &headers,
        keys,
        providers: &[],
        issuer_keys: None,
        now: Timestamp::new(NOW, 500_000_000).unwrap(),
        window: Duration::ZERO,
        refuses_replays: false,
    };
    let request = Sender::Gcr.key_request(&claim);
    let keys = request.map(|request| published(request.source(), &[signer]));
    claim.issuer_keys = keys.as_ref();
    Sender::Gcr.verifier(&claim)?.finish().map(drop)
}

fn judge(header: &str) -> Result<(), Unauthentic> {
    let signer = Signer::new("RS256", "1");
    judge_headers(&[header], &account(EMAIL, AUDIENCE), &signer)
}

fn believed(claims: &Value) -> Result<(), Unauthentic> {
    let token = Signer::new("RS256", "1").token(claims);
    judge(&format!("Bearer {token}"))
}

fn refused(claims: &Value, reason: &RefusedToken) {
    let outcome = believed(claims);
    assert_eq!(outcome, Err(reason.clone().into()), "{claims}");
}

#[test]
fn a_token_of_google_for_the_account_and_the_audience_is_believed() {
    assert_eq!(believed(&claims()), Ok(()));
    assert_eq!(believed(&with("iss", json!("accounts.google.com"))), Ok(()));
}

#[test]
fn the_scheme_is_bearer_to_the_letter_and_the_rest_is_the_token() {
    let token = Signer::new("RS256", "1").token(&claims());
    for header in [
        &token,
        &format!("bearer {token}"),
        &format!("BEARER {token}"),
        &format!("Bearer{token}"),
        &format!("Basic {token}"),
        "Bearer",
        "",
    ] {
        assert_eq!(
            judge(header),
            Err(RefusedToken::NotBearer.into()),
            "{header}"
        );
    }
    for header in [
        &format!("Bearer  {token}"),
        &format!("Bearer {token} "),
        "Bearer a.b",
    ] {
        let outcome = judge(header);
        let is_malformed = matches!(
            outcome,
            Err(Unauthentic::Refused(RefusedToken::Malformed(_)))
        );
        assert!(is_malformed, "{header}: {outcome:?}");
    }
    let (signer, keys) = (Signer::new("RS256", "1"), account(EMAIL, AUDIENCE));
    let header = format!("Bearer {token}");
    for values in [
        &[][..],
        &[&header[..], &header],
        &[&header[..], ""],
        &["", &header[..]],
    ] {
        let outcome = judge_headers(values, &keys, &signer);
        assert_eq!(
            outcome,
            Err(RefusedToken::NotBearer.into()),
            "{}",
            values.len()
        );
    }
}

#[test]
fn the_audience_is_one_string_and_that_of_the_secret() {
    for audience in [
        json!("https://hooks.example.com/hook/2"),
        json!(format!("{AUDIENCE}/")),
        json!(""),
        json!([AUDIENCE]),
        json!(null),
        json!(5),
    ] {
        refused(&with("aud", audience), &RefusedToken::WrongAudience);
    }
}

#[test]
fn a_token_is_good_to_the_end_of_its_last_second() {
    assert_eq!(believed(&with("exp", json!(NOW))), Ok(()));
    for expiry in [
        json!(NOW - 1),
        json!(0),
        json!(null),
        json!("1900000000"),
        json!(1.9e9),
    ] {
        refused(&with("exp", expiry), &RefusedToken::Expired);
    }
    let mut without = claims();
    without.as_object_mut().unwrap().remove("exp");
    refused(&without, &RefusedToken::Expired);
}

#[test]
fn when_it_was_made_or_begins_to_be_valid_does_not_matter() {
    for name in ["iat", "nbf"] {
        assert_eq!(believed(&with(name, json!(NOW + 86400))), Ok(()), "{name}");
    }
}

#[test]
fn the_issuer_is_google_under_either_of_its_names() {
    for issuer in [
        "https://accounts.google.com/",
        "http://accounts.google.com",
        "accounts.google.com.evil.example",
        "https://cloud.google.com/iap",
        "",
    ] {
        let reason = RefusedToken::NotGoogle(Quoted::new(issuer));
        refused(&with("iss", json!(issuer)), &reason);
    }
    for issuer in [json!(null), json!(["accounts.google.com"])] {
        refused(&with("iss", issuer), &RefusedToken::NoIssuer);
    }
}

#[test]
fn the_address_is_that_of_the_secret_and_verified() {
    for email in [
        "other@project.iam.gserviceaccount.com",
        "PUSH@project.iam.gserviceaccount.com",
        "",
    ] {
        let reason = RefusedToken::WrongEmail(Quoted::new(email));
        refused(&with("email", json!(email)), &reason);
    }
    refused(
        &with("email", json!([EMAIL])),
        &RefusedToken::WrongEmail(Quoted::new("")),
    );
    for verified in [json!(false), json!("true"), json!(1), json!(null)] {
        let reason = RefusedToken::UnverifiedEmail(Quoted::new(EMAIL));
        refused(&with("email_verified", verified), &reason);
    }
}

#[test]
fn while_secrets_are_rotated_address_and_audience_belong_together() {
    let receiver = json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": {
            "name": "hook",
            "namespace": "team",
            "annotations": { LIVE_SECRETS: "next" },
        },
        "spec": { "type": "gcr", "secretRef": { "name": "s" }, "resources": [] },
    });
    let policy = Policy {
        cross_namespace_refs: CrossNamespaceRefs::Denied,
        plain_issuers: PlainIssuers::Denied,
        certificate_checks: CertificateChecks::Possible,
    };
    let now = Timestamp::from_second(NOW).unwrap();
    let data = [
        ("token", "t"),
        ("email", EMAIL),
        ("audience", AUDIENCE),
        ("token.next", "u"),
        ("email.next", "next@example.com"),
        ("audience.next", "next"),
    ];
    let hook = Hook::compile(&serde_json::from_value(receiver).unwrap(), policy).unwrap();
    let hook = hook.with_secrets(&secrets(&data), now).unwrap();
    let signer = Signer::new("RS256", "1");
    let outcome = |email: &str, audience: &str| {
        let mut claims = with("email", json!(email));
        claims["aud"] = json!(audience);
        let value = format!("Bearer {}", signer.token(&claims));
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
        let request = hook.key_request(&headers, now).unwrap();
        let keys = published(request.source(), &[&signer]);
        let verifier = hook.verifier(&headers, Some(&keys), now);
        verifier.and_then(Verifier::finish).is_ok()
    };
    assert!(outcome(EMAIL, AUDIENCE));
    assert!(outcome("next@example.com", "next"));
    assert!(!outcome(EMAIL, "next"));
    assert!(!outcome("next@example.com", AUDIENCE));
}

#[test]
fn google_signs_with_rs256_or_es256_and_names_the_key() {
    let keys = account(EMAIL, AUDIENCE);
    for algorithm in ["RS256", "ES256"] {
        let signer = Signer::new(algorithm, "1");
        let header = format!("Bearer {}", signer.token(&claims()));
        assert_eq!(
            judge_headers(&[&header], &keys, &signer),
            Ok(()),
            "{algorithm}"
        );
        let unnamed = signer.token_with(&json!({ "alg": algorithm }), &claims());
        let outcome = judge_headers(&[&format!("Bearer {unnamed}")], &keys, &signer);
        assert_eq!(outcome, Err(RefusedToken::NoKeyId.into()), "{algorithm}");
        let other = signer.token_with(&json!({ "alg": algorithm, "kid": "2" }), &claims());
        let outcome = judge_headers(&[&format!("Bearer {other}")], &keys, &signer);
        let unknown = RefusedToken::UnknownKey(Quoted::new("2"));
        assert_eq!(outcome, Err(unknown.into()), "{algorithm}");
    }
    for algorithm in ["RS384", "PS256", "ES384", "EdDSA"] {
        let signer = Signer::new(algorithm, "1");
        let header = format!("Bearer {}", signer.token(&claims()));
        let outcome = judge_headers(&[&header], &keys, &signer);
        let refused = RefusedToken::RefusedAlgorithm(Quoted::new(algorithm));
        assert_eq!(outcome, Err(refused.into()));
    }
}

#[test]
fn no_key_is_asked_for_unless_all_but_the_signature_is_right() {
    let signer = Signer::new("RS256", "1");
    let keys = account(EMAIL, AUDIENCE);
    let asks = |keys: &Keys, token: &str| {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        let claim = Claim {
            headers: &headers,
            keys,
            providers: &[],
            issuer_keys: None,
            now: Timestamp::from_second(NOW).unwrap(),
            window: Duration::ZERO,
            refuses_replays: false,
        };
        Sender::Gcr.key_request(&claim).is_some()
    };
    assert!(asks(&keys, &signer.token(&claims())));
    assert!(
        !asks(&Keys::default(), &signer.token(&claims())),
        "nobody is expected"
    );
    for claims in [
        with("iss", json!("https://issuer.example.com")),
        with("aud", json!("another")),
        with("exp", json!(NOW - 1)),
    ] {
        assert!(!asks(&keys, &signer.token(&claims)), "{claims}");
    }
    assert!(!asks(&keys, &Signer::new("PS256", "1").token(&claims())));
}

#[test]
fn the_secret_names_the_account_and_the_audience() {
    let problem = |data: &[(&str, &str)]| {
        let keys = Sender::Gcr.keys(&secrets(data));
        keys.map(drop).unwrap_err().to_string()
    };
    for (data, expected) in [
        (&[("token", "t")][..], "required fields 'email', 'audience'"),
        (
            &[("token", "t"), ("email", "a@b")],
            "required fields 'audience'",
        ),
        (
            &[("token", "t"), ("audience", "a")],
            "required fields 'email'",
        ),
        (
            &[("token", "t"), ("email", ""), ("audience", "")],
            "required fields 'email', 'audience'",
        ),
        (
            &[("token", "t"), ("email", "a@b\n"), ("audience", "a")],
            "field 'email' must be text without white space or a line end around it",
        ),
        (
            &[("token", "t"), ("email", "a@b"), ("audience", " a")],
            "field 'audience' must be text without white space or a line end around it",
        ),
    ] {
        assert_eq!(problem(data), expected);
    }
}

fn interpreted(body: &Value) -> Result<Value, String> {
    let event = event(body.to_string().as_bytes());
    event
        .map(Value::Object)
        .map_err(|malformed| malformed.to_string())
}

fn data(text: &str) -> Value {
    let data = base64::prelude::BASE64_STANDARD.encode(text);
    json!({ "message": { "data": data, "messageId": "1", "publishTime": "2026-01-05T09:32:31.2Z" } })
}

#[test]
fn the_event_is_in_the_message_and_has_three_fields() {
    for (text, [action, digest, tag]) in [
        (
            r#"{"action":"INSERT","digest":"gcr.io/a@sha256:1","tag":"gcr.io/a:1"}"#,
            ["INSERT", "gcr.io/a@sha256:1", "gcr.io/a:1"],
        ),
        (
            r#"{"ACTION":"DELETE","tag":null,"more":{"a":[1]}}"#,
            ["DELETE", "", ""],
        ),
        ("null", ["", "", ""]),
        ("{}", ["", "", ""]),
    ] {
        let expected = json!({ "action": action, "digest": digest, "tag": tag });
        assert_eq!(interpreted(&data(text)), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_message_or_holds_no_event_is_malformed() {
    for text in ["", "[]", "{", "{} {}", r#"{"action":5}"#, r#"{"tag":{}}"#] {
        assert!(interpreted(&data(text)).is_err(), "{text}");
    }
    for body in [
        json!(null),
        json!({}),
        json!({ "message": null }),
        json!({ "message": {} }),
        json!({ "message": { "data": "" } }),
        json!({ "message": { "data": 5 } }),
        json!({ "message": [] }),
        json!([]),
    ] {
        assert!(interpreted(&body).is_err(), "{body}");
    }
    for (field, value) in [
        ("messageId", json!(5)),
        ("subscription", json!({})),
        ("publishTime", json!("yesterday")),
        ("publishTime", json!("")),
        ("publishTime", json!(5)),
    ] {
        let mut body = data("{}");
        body["message"][field] = value;
        assert!(interpreted(&body).is_err(), "{body}");
        body["message"][field] = Value::Null;
        assert!(interpreted(&body).is_ok(), "{body}");
    }
    assert!(event(br#"{"message":{"data":"e30="}} trailing"#).is_ok());
}

#[test]
fn base64_counts_up_to_the_first_mistake() {
    for (text, decoded_to) in [
        ("e30=", "{}"),
        ("e3\r\n0=\n", "{}"),
        ("e31=", "{}"),
        ("e30=!!!!", "{}"),
        ("e30=e30=", "{}"),
        ("YWJj!!!!", "abc"),
        ("YWJj!", "abc"),
        ("YWJjYQ", "abc"),
        ("YWJj-_-_", "abc"),
        ("", ""),
        ("!", ""),
        ("\u{e4}", ""),
    ] {
        assert_eq!(decoded(text), decoded_to.as_bytes(), "{text}");
    }
}

#[test]
fn filters_see_the_event_and_nothing_else_of_the_message() {
    let body = data(r#"{"action":"INSERT","tag":"gcr.io/a:1","more":1}"#).to_string();
    let payload = |content_type: &'static str| {
        let value = HeaderValue::from_static(content_type);
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, value)]);
        let payload = Sender::Gcr.payload(&headers, body.as_bytes()).unwrap();
        payload.map(|payload| serde_json::from_slice::<Value>(&payload).unwrap())
    };
    let event = json!({ "action": "INSERT", "digest": "", "tag": "gcr.io/a:1" });
    assert_eq!(payload("application/json"), Some(event));
    assert_eq!(payload("text/plain"), None);
    let headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    assert!(Sender::Gcr.payload(&headers, b"{}").is_err());
}
