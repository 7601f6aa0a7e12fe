//! Which secrets prove a delivery while several are live, at which paths, and until when.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::SignedDuration;
use k8s_openapi::ByteString;
use serde_json::json;

use super::*;
use crate::hook::{
    CertificateChecks, CrossNamespaceRefs, Draft, Hook, PlainIssuers, Policy, Unauthentic,
};

const BODY: &[u8] = br#"{"action":"push"}"#;
/// A token that every sender can use.
const OLD: &str = "whsec_YW4gb2xkIHRva2VuIG9mIDI0IGJ5dGVz";
const NEW: &str = "whsec_YSBuZXcgdG9rZW4gb2YgMjQgYnl0ZXMh";
const OTHER: &str = "whsec_eWV0IGFub3RoZXIgb2YgMjQgYnl0ZXMh";

fn end() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn just_after(time: Timestamp) -> Timestamp {
    time + SignedDuration::from_nanos(1)
}

fn secrets(data: &[(&str, &str)]) -> Secrets {
    let data = data
        .iter()
        .map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())));
    Secrets::of(data.collect()).unwrap()
}

/// A Receiver whose annotation is `live`, compiled.
fn hook(sender: Sender, live: &str) -> Hook {
    let (type_, named) = sender.asked_by();
    let mut annotations = BTreeMap::from([(LIVE_SECRETS, live)]);
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
    Hook::compile(&serde_json::from_value(receiver).unwrap(), policy).unwrap()
}

/// The same with the token `NEW`, and `OLD` as the set `previous`.
fn rotated(sender: Sender, live: &str) -> Hook {
    let secrets = secrets(&[("token", NEW), ("token.previous", OLD)]);
    hook(sender, live).with_secrets(&secrets, end()).unwrap()
}

/// The headers of a request that the sender signs with these secrets.
fn signed(sender: Sender, secrets: &Secrets, now: Timestamp) -> HeaderMap {
    let draft = Draft {
        delivery: "1",
        headers: &HeaderMap::new(),
        body: BODY,
        now,
    };
    let credentials = sender.sign(secrets, &draft).unwrap();
    let header = |credential: crate::hook::Credential| {
        let value = HeaderValue::from_str(&credential.value).unwrap();
        (HeaderName::from_static(credential.header), value)
    };
    credentials.into_iter().map(header).collect()
}

/// The name of the set that proves a delivery at a path.
fn prove(
    hook: &Hook,
    headers: &HeaderMap,
    path: &HookPath,
    now: Timestamp,
) -> Result<String, Unauthentic> {
    let mut verifier = hook.verifier(headers, None, now)?;
    BODY.chunks(5).for_each(|chunk| verifier.update(chunk));
    let authentic = verifier.finish()?;
    let set = hook.set_of(&authentic, &path.reveal()).unwrap();
    Ok(set.name().to_owned())
}

fn path(token: &str) -> HookPath {
    let token = secrets(&[("token", token)]).token().clone();
    HookPath::derive(Some(&token), "web", "apps")
}

/// The senders that share a secret with a Receiver.
fn signing() -> impl Iterator<Item = Sender> {
    let senders = Sender::ALL.into_iter();
    senders.filter(|sender| !sender.is_vouched_for())
}

#[test]
fn every_sender_is_proven_by_any_live_key_at_any_live_path() {
    for sender in signing() {
        let hook = rotated(sender, "previous until 2027-01-15T08:00:00Z");
        let paths: Vec<_> = hook.sets().map(SetIdentity::path).collect();
        let until = |until| move |path| LivePath { path, until };
        assert_eq!(
            paths,
            [until(None)(path(NEW)), until(Some(end()))(path(OLD))]
        );
        for (token, name) in [(NEW, CURRENT), (OLD, "previous")] {
            let headers = signed(sender, &secrets(&[("token", token)]), end());
            for at in [NEW, OLD] {
                // Where the path is the only credential, it tells which secret was used.
                let name = match (headers.is_empty(), at) {
                    (true, OLD) => "previous",
                    (true, _) => CURRENT,
                    (false, _) => name,
                };
                let proven = prove(&hook, &headers, &path(at), end());
                assert_eq!(proven.as_deref(), Ok(name), "{}", sender.as_str());
            }
        }
        let headers = signed(sender, &secrets(&[("token", OTHER)]), end());
        let stranger = prove(&hook, &headers, &path(NEW), end());
        assert!(stranger.is_err() || headers.is_empty());
    }
}

#[test]
fn a_set_that_is_not_named_or_has_ended_proves_nobody() {
    for sender in signing() {
        let ended = rotated(sender, "previous until 2027-01-15T08:00:00Z");
        for (hook, now) in [
            (rotated(sender, "next"), end()),
            (rotated(sender, ""), end()),
            (ended, just_after(end())),
        ] {
            let headers = signed(sender, &secrets(&[("token", OLD)]), now);
            let proven = prove(&hook, &headers, &path(OLD), now);
            assert!(proven.is_err() || headers.is_empty(), "{}", sender.as_str());
            let headers = signed(sender, &secrets(&[("token", NEW)]), now);
            let proven = prove(&hook, &headers, &path(NEW), now);
            assert_eq!(proven.as_deref(), Ok(CURRENT), "{}", sender.as_str());
        }
    }
}

#[test]
fn what_has_ended_is_not_even_taken_from_the_secret() {
    let data = secrets(&[("token", NEW), ("token.previous", OLD)]);
    let named =
        LiveSets::parse("previous until 2027-01-15T08:00:00Z, next until 2027-01-15T08:00:00Z");
    let receiver = hook(Sender::Github, "").receiver().clone();
    let live = |now| LiveSecrets::of(&receiver, &named, &data, now);
    assert_eq!(
        (live(end()).paths().len(), live(end()).problems.len()),
        (2, 1)
    );
    let after = live(just_after(end()));
    assert_eq!((after.paths().len(), after.problems.len()), (1, 0));
}

#[test]
fn gitlab_may_change_from_a_token_to_a_signature() {
    let now = end();
    let data = secrets(&[
        ("token", "token"),
        ("signing-token", NEW),
        ("token.previous", "token"),
    ]);
    let hook = hook(Sender::Gitlab, "previous");
    let hook = hook.with_secrets(&data, now).unwrap();
    let token = HeaderMap::from_iter([(
        HeaderName::from_static("x-gitlab-token"),
        HeaderValue::from_static("token"),
    )]);
    let at = path("token");
    assert_eq!(prove(&hook, &token, &at, now).as_deref(), Ok("previous"));
    let signed = signed(Sender::Gitlab, &data, now);
    assert_eq!(prove(&hook, &signed, &at, now).as_deref(), Ok(CURRENT));
    let neither = prove(&hook, &HeaderMap::new(), &at, now);
    assert_eq!(neither, Err(Unauthentic::MissingCredential));
    assert_eq!(hook.sets().count(), 2);
    let paths = LivePath::merge(hook.sets().map(SetIdentity::path));
    assert_eq!(paths.len(), 1, "the token did not change");
}

#[test]
fn what_is_wrong_with_a_set_takes_no_other_down() {
    let data = secrets(&[
        ("token", NEW),
        ("token.previous", OLD),
        ("token.blank", " "),
        ("token.short", "whsec_AAAA"),
        ("public-key.keyless", "whpk_AAAA"),
    ]);
    let hook = hook(
        Sender::StandardWebhooks,
        "missing, blank, short, keyless, Previous, previous, previous",
    );
    let hook = hook.with_secrets(&data, end()).unwrap();
    let problems: Vec<_> = hook
        .set_problems()
        .iter()
        .map(ToString::to_string)
        .collect();
    for words in [
        "the part `Previous`, which is not live",
        "names more than 4 sets, and `previous` is not live",
        "names `missing`, but the Secret has no key `token.missing`; add the key or remove the name",
        "end in `.blank` are not live: the token is empty or blank",
        "names `keyless`, but the Secret has no key `token.keyless`",
        "end in `.short` are not live: field 'token' must be `whsec_`",
    ] {
        let told = problems.iter().filter(|problem| problem.contains(words));
        assert_eq!(told.count(), 1, "{words}: {problems:?}");
    }
    assert_eq!(problems.len(), 6, "{problems:?}");
    let names: Vec<_> = hook.sets().map(SetIdentity::name).collect();
    assert_eq!(names, [CURRENT]);
    let text = format!("{hook:?} {problems:?}");
    assert!(!text.contains("AAAA") && !text.contains(OLD), "{text}");
}

#[test]
fn a_wrong_current_set_is_an_error() {
    let data = secrets(&[("token", "hush"), ("token.previous", OLD)]);
    let hook = hook(Sender::StandardWebhooks, "previous");
    let invalid = hook.with_secrets(&data, end()).unwrap_err();
    assert!(matches!(
        invalid,
        InvalidSecret::IllFormed { key: "token", .. }
    ));
}

#[test]
fn a_secret_is_the_same_under_another_name_and_another_under_the_same() {
    let before = hook(Sender::Github, "");
    let before = before
        .with_secrets(&secrets(&[("token", OLD)]), end())
        .unwrap();
    let after = rotated(Sender::Github, "previous");
    let digests = |hook: &Hook| hook.sets().map(SetIdentity::digest).collect::<Vec<_>>();
    let (before, after) = (digests(&before), digests(&after));
    assert_eq!(before[0], after[1]);
    assert_ne!(before[0], after[0]);
    assert_eq!(format!("{:?}", before[0]), "SecretDigest(..)");
}
