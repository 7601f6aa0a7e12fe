//! What each sender accepts as proof, and what it does not.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use k8s_openapi::ByteString;

use super::*;
use crate::hook::Token;

const BODY: &[u8] = br#"{"action":"push"}"#;
const SHA1: &str = "sha1=0a23fffb3dd66539440cf881ae6fdfbc8ccae4a9";
const SHA256: &str = "sha256=83eee066cf716dd10bc327e341a581ae657bf26d8815c9334434f470c12d3079";

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        )
    };
    let mut headers = HeaderMap::new();
    for (name, value) in pairs.iter().map(pair) {
        headers.append(name, value);
    }
    headers
}

fn keys(sender: Sender) -> Keys {
    let token = Token::new(b"token".to_vec()).unwrap();
    sender.keys(&token.into()).unwrap()
}

fn authenticate(sender: Sender, pairs: &[(&'static str, &str)]) -> Result<(), Unauthentic> {
    authenticate_by(&keys(sender), sender, pairs)
}

fn authenticate_by(
    keys: &Keys,
    sender: Sender,
    pairs: &[(&'static str, &str)],
) -> Result<(), Unauthentic> {
    let mut verifier = sender.verifier(&Claim {
        headers: &headers(pairs),
        keys,
        now: Timestamp::UNIX_EPOCH,
        providers: &[],
        issuer_keys: None,
        window: Duration::ZERO,
        refuses_replays: false,
    })?;
    verifier.update(BODY);
    verifier.finish().map(|_| ())
}

#[test]
fn github_and_bitbucket_take_the_algorithm_from_the_signature() {
    for (header, signature) in [
        ("x-hub-signature-256", SHA256),
        ("x-hub-signature", SHA1),
        ("x-hub-signature-256", SHA1),
        ("x-hub-signature", SHA256),
    ] {
        for sender in [Sender::Github, Sender::Bitbucket] {
            let outcome = authenticate(sender, &[(header, signature)]);
            assert_eq!(outcome, Ok(()), "{header}: {signature}");
        }
    }
}

#[test]
fn github_looks_at_the_old_header_only_when_the_new_one_is_empty() {
    let wrong = SHA256.replace('8', "9");
    for (pairs, expected) in [
        (
            [("x-hub-signature-256", ""), ("x-hub-signature", SHA1)],
            Ok(()),
        ),
        (
            [("x-hub-signature-256", &wrong), ("x-hub-signature", SHA1)],
            Err(Unauthentic::WrongSignature),
        ),
    ] {
        assert_eq!(authenticate(Sender::Github, &pairs), expected);
    }
}

#[test]
fn missing_empty_and_repeated_credentials_are_refused() {
    for (sender, header, good) in [
        (Sender::Github, "x-hub-signature-256", SHA256),
        (Sender::GenericHmac, "x-signature", SHA256),
        (Sender::Gitlab, "x-gitlab-token", "token"),
        (Sender::Bitbucket, "x-hub-signature", SHA256),
        (Sender::Harbor, "authorization", "token"),
        (Sender::Nexus, "x-nexus-webhook-signature", &SHA1[5..]),
    ] {
        let name = sender.as_str();
        assert_eq!(authenticate(sender, &[(header, good)]), Ok(()), "{name}");
        assert_eq!(
            authenticate(sender, &[]),
            Err(Unauthentic::MissingCredential),
            "{name}"
        );
        assert_eq!(
            authenticate(sender, &[(header, "")]),
            Err(Unauthentic::MissingCredential),
            "{name}"
        );
        let repeated = authenticate(sender, &[(header, good), (header, good)]);
        assert_eq!(repeated, Err(Unauthentic::RepeatedCredential), "{name}");
        assert!(
            authenticate(sender, &[(header, "tökén")]).is_err(),
            "{name}"
        );
        assert!(
            authenticate(sender, &[(header, &format!("{good},{good}"))]).is_err(),
            "{name}"
        );
    }
}

#[test]
fn gitlab_and_harbor_compare_the_whole_token() {
    for other in ["Token", "toke", "tokens", "token token", "Bearer token"] {
        for (sender, header) in [
            (Sender::Gitlab, "x-gitlab-token"),
            (Sender::Harbor, "authorization"),
        ] {
            let outcome = authenticate(sender, &[(header, other)]);
            assert_eq!(outcome, Err(Unauthentic::WrongToken));
        }
    }
}

#[test]
fn nexus_signs_with_lowercase_digits_alone() {
    for signature in [SHA1, &SHA1[5..].to_uppercase(), &SHA256[7..]] {
        let outcome = authenticate(Sender::Nexus, &[("x-nexus-webhook-signature", signature)]);
        assert_eq!(outcome, Err(Unauthentic::MalformedSignature), "{signature}");
    }
}

#[test]
fn registries_need_nothing_but_the_path() {
    for sender in [
        Sender::Dockerhub,
        Sender::Quay,
        Sender::Acr,
        Sender::Cdevents,
    ] {
        assert_eq!(authenticate(sender, &[]), Ok(()), "{}", sender.as_str());
    }
}

/// Bodies, and whether the sender's are like that.
const BODIES: [(Sender, &str, bool); 18] = [
    (
        Sender::Dockerhub,
        r#"{"push_data":{"tag":"1"},"repository":{"repo_url":"u"}}"#,
        true,
    ),
    (
        Sender::Dockerhub,
        r#"{"PUSH_DATA":{"Tag":null},"repository":null} trailing"#,
        true,
    ),
    (Sender::Dockerhub, r#"{"push_data":{"tag":1}}"#, false),
    (
        Sender::Dockerhub,
        r#"{"repository":{"repo_url":["u"]}}"#,
        false,
    ),
    (
        Sender::Quay,
        r#"{"docker_url":"u","updated_tags":["1","2"]}"#,
        true,
    ),
    (Sender::Quay, r#"{"updated_tags":null}{"#, true),
    (Sender::Quay, r#"{"updated_tags":["1",2]}"#, false),
    (Sender::Quay, r#"{"docker_url":{}}"#, false),
    (
        Sender::Acr,
        r#"{"action":"push","target":{"repository":"r","tag":"1"}}"#,
        true,
    ),
    (Sender::Acr, r#"{"action":"ping"} {"#, true),
    (Sender::Acr, r#"{"action":5}"#, false),
    (Sender::Acr, r#"{"target":{"repository":true}}"#, false),
    (Sender::Acr, r#"{"target":{"tag":1.5}}"#, false),
    (
        Sender::Nexus,
        r#"{"action":"CREATED","repositoryName":"r"}"#,
        true,
    ),
    (
        Sender::Nexus,
        r#"{"action":"CREATED","repositoryname":"r"} "#,
        true,
    ),
    (Sender::Nexus, r#"{"action":"CREATED"} {}"#, false),
    (Sender::Nexus, r#"{"repositoryName":1}"#, false),
    (Sender::Nexus, r#"{"action":[]}"#, false),
];

#[test]
fn bodies_are_read_as_far_as_flux_reads_them() {
    for (sender, body, understood) in BODIES {
        let outcome = sender.decode(body.as_bytes());
        assert_eq!(outcome.is_ok(), understood, "{}: {body}", sender.as_str());
    }
    for sender in [
        Sender::Dockerhub,
        Sender::Quay,
        Sender::Acr,
        Sender::Nexus,
        Sender::Cdevents,
    ] {
        for body in ["", "[]", "5", r#""text""#, "{"] {
            assert!(
                sender.decode(body.as_bytes()).is_err(),
                "{}: {body}",
                sender.as_str()
            );
        }
    }
}

#[test]
fn a_receiver_can_ask_for_every_sender() {
    for sender in Sender::ALL {
        let (type_, named) = sender.asked_by();
        let annotations = named.map(|name| (annotations::SENDER, name));
        let receiver = serde_json::json!({
            "apiVersion": "notification.toolkit.fluxcd.io/v1",
            "kind": "Receiver",
            "metadata": { "annotations": BTreeMap::from_iter(annotations) },
            "spec": { "type": type_, "resources": [] },
        });
        let receiver = serde_json::from_value(receiver).unwrap();
        assert_eq!(Sender::of(&receiver), Ok(sender));
        assert_eq!(named.unwrap_or(type_.as_str()), sender.as_str());
    }
}

fn secrets(data: &[(&str, &str)]) -> Secrets {
    let data = data
        .iter()
        .map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())));
    Secrets::of(data.collect()).unwrap()
}

#[test]
fn ill_formed_keys_of_a_secret_are_named() {
    let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
    for (sender, data, problem) in [
        (
            Sender::StandardWebhooks,
            &[("token", "hush")][..],
            "field 'token' must be `whsec_`",
        ),
        (
            Sender::StandardWebhooks,
            &[("token", "t"), ("public-key", key)],
            "field 'public-key' must be `whpk_`",
        ),
        (
            Sender::Gitlab,
            &[("token", "t"), ("signing-token", "")],
            "field 'signing-token' must be `whsec_`",
        ),
        (
            Sender::AzureDevops,
            &[("token", "t"), ("username", "a:b")],
            "field 'username' must have no colon",
        ),
        (
            Sender::AzureDevops,
            &[("token", "t"), ("username", "a\n")],
            "field 'username' must have no colon",
        ),
    ] {
        let invalid = sender.keys(&secrets(data)).unwrap_err().to_string();
        assert!(invalid.starts_with(problem), "{invalid}");
        assert!(!invalid.contains("hush"), "{invalid}");
    }
    for (sender, data) in [
        (Sender::StandardWebhooks, &[("token", key)][..]),
        (Sender::Gitlab, &[("token", "t"), ("signing-token", key)]),
        (Sender::AzureDevops, &[("token", "t:u")]),
        (Sender::Github, &[("token", "t"), ("signing-token", "")]),
    ] {
        assert!(sender.keys(&secrets(data)).is_ok(), "{}", sender.as_str());
    }
}

#[test]
fn once_gitlab_has_a_signing_token_the_signature_is_required() {
    let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
    let keys = Sender::Gitlab.keys(&secrets(&[("token", "token"), ("signing-token", key)]));
    let headers = headers(&[("x-gitlab-token", "token")]);
    let claim = Claim {
        headers: &headers,
        keys: &keys.unwrap(),
        now: Timestamp::UNIX_EPOCH,
        providers: &[],
        issuer_keys: None,
        window: Duration::ZERO,
        refuses_replays: false,
    };
    let outcome = Sender::Gitlab.verifier(&claim).err();
    assert_eq!(outcome, Some(Unauthentic::MissingCredential));
}

#[test]
fn gitea_and_forgejo_refuse_the_signature_of_no_secret() {
    for (sender, header) in [
        (Sender::Gitea, "x-gitea-signature"),
        (Sender::Forgejo, "x-forgejo-signature"),
    ] {
        for (value, reason) in [
            ("", Unauthentic::MissingCredential),
            ("sha256=", Unauthentic::MalformedSignature),
            (SHA256, Unauthentic::MalformedSignature),
        ] {
            assert_eq!(authenticate(sender, &[(header, value)]), Err(reason));
        }
        assert_eq!(authenticate(sender, &[(header, &SHA256[7..])]), Ok(()));
        let form = ("content-type", "application/x-www-form-urlencoded");
        let outcome = authenticate(sender, &[(header, &SHA256[7..]), form]);
        assert_eq!(outcome, Err(Unauthentic::MalformedForm));
    }
}

#[test]
fn only_bitbuckets_own_ping_may_be_unsigned() {
    let ping = ("x-event-key", "diagnostics:ping");
    for (pairs, is_ping) in [
        (&[ping][..], true),
        (&[ping, ping], false),
        (&[("x-event-key", "repo:push")], false),
        (&[("x-event-key", "Diagnostics:Ping")], false),
        (&[], false),
        (&[ping, ("x-hub-signature", "")], false),
        (&[ping, ("x-hub-signature-256", SHA256)], false),
    ] {
        for sender in Sender::ALL {
            let is_own = is_ping && sender == Sender::Bitbucket;
            assert_eq!(
                sender.is_unsigned_ping(&headers(pairs)),
                is_own,
                "{pairs:?}"
            );
        }
    }
}

#[test]
fn azure_devops_sends_user_name_and_password_in_one_way() {
    let keys = Sender::AzureDevops.keys(&secrets(&[("token", "pass:word"), ("username", "azure")]));
    let keys = keys.unwrap();
    for (value, outcome) in [
        ("Basic YXp1cmU6cGFzczp3b3Jk", Ok(())),
        ("basic YXp1cmU6cGFzczp3b3Jk", Err(Unauthentic::WrongToken)),
        ("Basic  YXp1cmU6cGFzczp3b3Jk", Err(Unauthentic::WrongToken)),
        ("YXp1cmU6cGFzczp3b3Jk", Err(Unauthentic::WrongToken)),
        ("Basic OnBhc3M6d29yZA==", Err(Unauthentic::WrongToken)),
        ("Basic", Err(Unauthentic::WrongToken)),
        ("", Err(Unauthentic::MissingCredential)),
    ] {
        let pairs = [("authorization", value)];
        let proven = authenticate_by(&keys, Sender::AzureDevops, &pairs);
        assert_eq!(proven, outcome, "{value}");
    }
}

#[test]
fn some_senders_name_the_event_in_the_body() {
    for (sender, body, name) in [
        (
            Sender::StandardWebhooks,
            r#"{"type":"push","data":{}}"#,
            "push",
        ),
        (Sender::StandardWebhooks, "{}", ""),
        (
            Sender::AzureDevops,
            r#"{"eventType":"git.push"}"#,
            "git.push",
        ),
        (Sender::Github, "not JSON", ""),
    ] {
        let event = sender.event(&HeaderMap::new(), body.as_bytes());
        assert_eq!(event.as_deref(), Ok(name), "{body}");
    }
    for body in ["", "[]", r#"{"type":5}"#] {
        let event = Sender::StandardWebhooks.event(&HeaderMap::new(), body.as_bytes());
        assert!(event.is_err(), "{body}");
    }
}

#[test]
fn github_refuses_media_types_that_github_does_not_send() {
    for (content_type, accepted) in [
        ("application/json", true),
        ("Application/JSON; charset=utf-8", true),
        ("application/x-www-form-urlencoded", true),
        ("text/plain", false),
        ("application/jsonx", false),
        ("", false),
    ] {
        let headers = headers(&[("content-type", content_type)]);
        assert_eq!(
            Sender::Github.accepts_media_type(&headers),
            accepted,
            "{content_type}"
        );
        assert!(
            Sender::GenericHmac.accepts_media_type(&headers),
            "{content_type}"
        );
    }
    assert!(!Sender::Github.accepts_media_type(&HeaderMap::new()));
}

#[test]
fn delivery_ids_are_bounded_and_printable() {
    for (id, taken) in [
        ("72d3162e-cc78-11e3-81ab-4c9367dc0958", true),
        ("", false),
        ("a b", false),
        ("a\tb", false),
        (&"x".repeat(MAX_ID_BYTES), true),
        (&"x".repeat(MAX_ID_BYTES + 1), false),
        ("ä", false),
    ] {
        let headers = headers(&[("x-github-delivery", id)]);
        assert_eq!(Sender::Github.delivery_id(&headers), taken.then_some(id));
    }
    let headers = headers(&[("webhook-id", "w"), ("x-gitlab-event-uuid", "u")]);
    assert_eq!(Sender::Gitlab.delivery_id(&headers), Some("w"));
    assert_eq!(Sender::Generic.delivery_id(&headers), Some("w"));
}
