//! What makes two deliveries the same to a Receiver that refuses replays, and what does not.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use serde_json::json;

use super::*;
use crate::hook::{
    CertificateChecks, CrossNamespaceRefs, Draft, Hook, InvalidReceiver, InvalidSecret,
    PlainIssuers, Policy, Secrets, Sender,
    mac::{self, Algorithm},
    tests::signer::Signer,
};

const BODY: &[u8] = br#"{"ref":"refs/heads/main"}"#;
/// Tokens that every sender can use.
const TOKEN: &str = "whsec_YSBuZXcgdG9rZW4gb2YgMjQgYnl0ZXMh";
const OLD: &str = "whsec_YW4gb2xkIHRva2VuIG9mIDI0IGJ5dGVz";

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn secrets(data: &[(&str, &str)]) -> Secrets {
    let data = data.iter();
    let data = data.map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())));
    Secrets::of(data.collect()).unwrap()
}

/// All that any sender takes from a Secret.
fn current() -> Secrets {
    secrets(&[("token", TOKEN), ("signing-token", TOKEN)])
}

fn compiled(sender: Sender, annotations: &[(&str, &str)]) -> Result<Hook, InvalidReceiver> {
    let (type_, named) = sender.asked_by();
    let mut annotations: BTreeMap<_, _> = annotations.iter().copied().collect();
    annotations.extend(named.map(|name| ("hookgate.dev/sender", name)));
    let receiver = json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": {"name": "web", "namespace": "apps", "annotations": annotations},
        "spec": {"type": type_, "secretRef": {"name": "hook"}, "resources": []},
    });
    let policy = Policy {
        cross_namespace_refs: CrossNamespaceRefs::Denied,
        plain_issuers: PlainIssuers::Denied,
        certificate_checks: CertificateChecks::Possible,
    };
    Hook::compile(&serde_json::from_value(receiver).unwrap(), policy)
}

const REFUSE: (&str, &str) = ("hookgate.dev/replays", "refuse");

fn refusing(sender: Sender) -> Hook {
    let hook = compiled(sender, &[REFUSE]).unwrap();
    hook.with_secrets(&current(), now()).unwrap()
}

/// The headers that the sender signs a body with.
fn signed(
    sender: Sender,
    secrets: &Secrets,
    delivery: &str,
    at: Timestamp,
    body: &[u8],
) -> HeaderMap {
    let draft = Draft {
        delivery,
        headers: &HeaderMap::new(),
        body,
        now: at,
    };
    let credentials = sender.sign(secrets, &draft).unwrap().into_iter();
    let header = |credential: crate::hook::Credential| {
        let value = HeaderValue::from_str(&credential.value).unwrap();
        (HeaderName::from_static(credential.header), value)
    };
    credentials.map(header).collect()
}

fn digest(hook: &Hook, headers: &HeaderMap, body: &[u8], piece: usize) -> Option<MessageDigest> {
    let mut verifier = hook.verifier(headers, None, now()).unwrap();
    body.chunks(piece).for_each(|chunk| verifier.update(chunk));
    verifier.finish().unwrap().message().copied()
}

/// The senders whose messages are signed with a shared secret, whole.
const SIGNING: [Sender; 8] = [
    Sender::GenericHmac,
    Sender::Github,
    Sender::Gitlab,
    Sender::Bitbucket,
    Sender::Nexus,
    Sender::Gitea,
    Sender::Forgejo,
    Sender::StandardWebhooks,
];

#[test]
fn the_same_signed_bytes_are_the_same_message_and_others_are_not() {
    for sender in SIGNING {
        let hook = refusing(sender);
        let headers = signed(sender, &current(), "1", now(), BODY);
        let first = digest(&hook, &headers, BODY, 1000);
        assert!(first.is_some(), "{}", sender.as_str());
        for piece in [1, 7] {
            assert_eq!(digest(&hook, &headers, BODY, piece), first);
        }
        let mut changed = headers.clone();
        for header in [
            "x-github-delivery",
            "x-github-event",
            "x-gitlab-event",
            "idempotency-key",
        ] {
            changed.insert(header, HeaderValue::from_static("other"));
        }
        assert_eq!(
            digest(&hook, &changed, BODY, 7),
            first,
            "nobody signed these"
        );
        let other = br#"{"ref":"refs/heads/next"}"#;
        let headers = signed(sender, &current(), "1", now(), other);
        assert_ne!(digest(&hook, &headers, other, 7), first);
    }
}

#[test]
fn id_and_time_count_where_they_are_signed_and_only_there() {
    let later = now() + SignedDuration::from_secs(1);
    for sender in SIGNING {
        let hook = refusing(sender);
        let of = |delivery, at| {
            let headers = signed(sender, &current(), delivery, at, BODY);
            digest(&hook, &headers, BODY, 7)
        };
        let counts = matches!(sender, Sender::Gitlab | Sender::StandardWebhooks);
        let first = of("1", now());
        assert_eq!(of("2", now()) != first, counts, "{}", sender.as_str());
        assert_eq!(of("1", later) != first, counts, "{}", sender.as_str());
    }
}

#[test]
fn neither_the_key_nor_the_algorithm_makes_another_message() {
    let live = ("hookgate.dev/live-secrets", "previous");
    for sender in SIGNING {
        let hook = compiled(sender, &[REFUSE, live]).unwrap();
        let both = secrets(&[
            ("token", TOKEN),
            ("signing-token", TOKEN),
            ("token.previous", OLD),
            ("signing-token.previous", OLD),
        ]);
        let hook = hook.with_secrets(&both, now()).unwrap();
        let previous = secrets(&[("token", OLD), ("signing-token", OLD)]);
        let of = |secrets| {
            let headers = signed(sender, secrets, "1", now(), BODY);
            digest(&hook, &headers, BODY, 7)
        };
        assert_eq!(of(&current()), of(&previous), "{}", sender.as_str());
    }
    let hook = refusing(Sender::Github);
    let key = current();
    let of = |header: &'static str, algorithm| {
        let signature = mac::sign(algorithm, key.token(), BODY);
        let signature = HeaderValue::from_str(&signature).unwrap();
        let headers = HeaderMap::from_iter([(HeaderName::from_static(header), signature)]);
        digest(&hook, &headers, BODY, 7)
    };
    assert_eq!(
        of("x-hub-signature", Algorithm::Sha1),
        of("x-hub-signature-256", Algorithm::Sha256)
    );
}

#[test]
fn a_payload_is_the_same_in_a_form_and_by_itself() {
    for sender in [Sender::Gitea, Sender::Forgejo] {
        let hook = refusing(sender);
        let form = b"payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D";
        let by_itself = signed(sender, &current(), "1", now(), BODY);
        let mut in_a_form = by_itself.clone();
        let media_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        in_a_form.insert(CONTENT_TYPE, media_type);
        assert_eq!(
            digest(&hook, &in_a_form, form, 7),
            digest(&hook, &by_itself, BODY, 7)
        );
    }
}

#[test]
fn a_token_of_an_issuer_is_one_message_whatever_comes_with_it() {
    let signer = Signer::new("ES256", "1");
    let digest = |claims: serde_json::Value| {
        let token = signer.token(&claims);
        crate::hook::jwt::Jwt::parse(token.as_bytes())
            .unwrap()
            .digest()
    };
    assert_eq!(digest(json!({"jti": "1"})), digest(json!({"jti": "1"})));
    assert_ne!(digest(json!({"jti": "1"})), digest(json!({"jti": "2"})));
}

#[test]
fn nothing_is_digested_unless_it_is_asked_for() {
    for annotations in [&[][..], &[("hookgate.dev/replays", "trigger")]] {
        let hook = compiled(Sender::Github, annotations).unwrap();
        assert!(!hook.refuses_replays());
        let hook = hook.with_secrets(&current(), now()).unwrap();
        let headers = signed(Sender::Github, &current(), "1", now(), BODY);
        assert_eq!(digest(&hook, &headers, BODY, 7), None);
    }
}

#[test]
fn who_signs_nothing_that_tells_deliveries_apart_cannot_have_replays_refused() {
    for sender in Sender::ALL {
        let problem = format!(
            "annotation hookgate.dev/replays has no effect: `{}` signs nothing that tells one \
             delivery from another; remove it",
            sender.as_str()
        );
        let told = compiled(sender, &[REFUSE]).err().map(|it| it.to_string());
        let is_told = told.is_some_and(|told| told.contains(&problem));
        let signs = SIGNING.contains(&sender) || sender == Sender::GenericOidc;
        assert_eq!(is_told, !signs, "{}", sender.as_str());
    }
    for text in ["", "Refuse", "yes"] {
        let annotation = ("hookgate.dev/replays", text);
        let told = compiled(Sender::Github, &[annotation]).unwrap_err();
        let problem = format!(
            "annotation hookgate.dev/replays is `{text}`; write `refuse`, or `trigger`, as it is without"
        );
        assert_eq!(told.to_string(), problem);
    }
}

#[test]
fn gitlab_must_sign_if_replays_are_to_be_refused() {
    let hook = || compiled(Sender::Gitlab, &[REFUSE]).unwrap();
    let unsigned = hook().with_secrets(&secrets(&[("token", TOKEN)]), now());
    let key = "signing-token";
    assert_eq!(unsigned.err(), Some(InvalidSecret::Unsigned { key }));
    assert!(hook().with_secrets(&current(), now()).is_ok());
    let live = ("hookgate.dev/live-secrets", "previous");
    let previous = secrets(&[
        ("token", TOKEN),
        ("signing-token", TOKEN),
        ("token.previous", OLD),
    ]);
    let hook = compiled(Sender::Gitlab, &[REFUSE, live]).unwrap();
    let hook = hook.with_secrets(&previous, now()).unwrap();
    let problems: Vec<_> = hook
        .set_problems()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        problems,
        [
            "the keys of the Secret that end in `.previous` are not live: required fields 'signing-token', \
             without which replays cannot be refused as annotation hookgate.dev/replays asks"
        ]
    );
    assert_eq!(hook.sets().count(), 1);
}

#[test]
fn a_message_cannot_be_printed() {
    assert_eq!(
        format!("{:?}", MessageDigest::of(BODY)),
        "MessageDigest(..)"
    );
}
