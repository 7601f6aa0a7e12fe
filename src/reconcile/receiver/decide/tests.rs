//! What is decided for Receivers that are whole, broken, suspended, or whose Secret cannot be read.

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::*;
use crate::hook::{CertificateChecks, CrossNamespaceRefs, PlainIssuers, Token};

const POLICY: Policy = Policy {
    cross_namespace_refs: CrossNamespaceRefs::Allowed,
    plain_issuers: PlainIssuers::Denied,
    certificate_checks: CertificateChecks::Possible,
};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn object(more: &Value) -> DeserializeGuard<Receiver> {
    let mut receiver = json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": {"name": "github-receiver", "namespace": "flux-system", "generation": 1},
        "spec": {"type": "github", "secretRef": {"name": "hook"}, "resources": []},
    });
    json_patch::merge(&mut receiver, more);
    serde_json::from_value(receiver).unwrap()
}

fn secrets(text: &str) -> Secrets {
    Token::new(text.into()).unwrap().into()
}

fn found() -> Reading {
    Reading::Found {
        secrets: secrets("test-token"),
        version: Some("7".to_owned()),
        named: LiveSets::default(),
    }
}

fn missing() -> Reading {
    Reading::Missing {
        message: "gone".to_owned(),
    }
}

fn unreadable() -> Reading {
    Reading::Unreadable {
        message: "the API server is away".to_owned(),
    }
}

fn remembered(secret: &str) -> Remembered {
    Remembered {
        secret: secret.to_owned(),
        secrets: secrets("old-token"),
        version: None,
    }
}

fn decided(more: &Value, reading: Reading, remembered: Option<Remembered>) -> Decision {
    decide(&object(more), reading, remembered, POLICY, NOW)
}

fn closed(decision: &Decision) -> Option<Closed> {
    match decision.listing.as_ref()?.entry {
        Entry::Closed(why) => Some(why),
        Entry::Open(_) | Entry::Pathless(_) | Entry::Unread(_) => None,
    }
}

/// Whether there is a hook, for a sweep, that nobody can deliver to.
fn has_no_path(decision: &Decision) -> bool {
    let listing = decision.listing.as_ref();
    listing.is_some_and(|listing| {
        listing.paths.is_empty() && matches!(listing.entry, Entry::Pathless(_))
    })
}

fn opens_with(decision: &Decision, text: &str) -> bool {
    let Some(Listing {
        entry: Entry::Open(hook),
        ..
    }) = &decision.listing
    else {
        return false;
    };
    let expected = Hook::clone(hook).with_secrets(&secrets(text), NOW).unwrap();
    hook.has_keys_of(&expected)
}

#[test]
fn a_receiver_with_a_token_opens_its_path() {
    let created = json!({"metadata": {"creationTimestamp": "1970-01-01T00:01:00Z"}});
    let decision = decided(&created, found(), Some(remembered("hook")));
    assert!(opens_with(&decision, "test-token"));
    let listing = decision.listing.unwrap();
    let path = listing.path().unwrap();
    assert_eq!(
        path.reveal(),
        "/hook/df3ebadde655d58cd8236886baaaca95ff9c420f4c89e11a5d91965baa0cdf0f"
    );
    assert_eq!(listing.created, 60);
    let ready = Outcome::Ready {
        path,
        doubt: None,
        set_problems: Vec::new(),
    };
    assert_eq!(decision.outcome, ready);
    assert!(
        decision
            .remembered
            .unwrap()
            .secrets
            .token()
            .matches(b"test-token")
    );
}

#[test]
fn without_a_token_there_is_no_path() {
    let decision = decided(&json!({}), missing(), Some(remembered("hook")));
    assert!(has_no_path(&decision) && decision.remembered.is_none());
    assert_eq!(
        decision.outcome,
        Outcome::TokenNotFound {
            message: "gone".to_owned(),
            is_path_gone: true
        }
    );
}

#[test]
fn an_unreadable_secret_does_not_take_a_working_hook_away() {
    let decision = decided(&json!({}), unreadable(), Some(remembered("hook")));
    assert!(opens_with(&decision, "old-token"));
    assert!(matches!(
        decision.outcome,
        Outcome::Ready { doubt: Some(_), .. }
    ));
    assert!(decision.remembered.is_some());
}

#[test]
fn the_token_of_another_secret_does_not_count() {
    for known in [None, Some(remembered("another"))] {
        let decision = decided(&json!({}), unreadable(), known);
        assert!(has_no_path(&decision));
        assert_eq!(
            decision.outcome,
            Outcome::TokenNotFound {
                message: "the API server is away".to_owned(),
                is_path_gone: false
            }
        );
    }
}

#[test]
fn a_suspended_receiver_is_closed_but_known() {
    let decision = decided(&json!({"spec": {"suspend": true}}), found(), None);
    assert_eq!(closed(&decision), Some(Closed::Suspended));
    assert_eq!(decision.outcome, Outcome::Suspended);
    let invalid = json!({"spec": {"suspend": true, "resources": [{"kind": "Pod", "name": "a"}]}});
    let decision = decided(&invalid, found(), None);
    assert_eq!(closed(&decision), Some(Closed::Suspended), "suspend wins");
    assert_eq!(decision.outcome, Outcome::Suspended);
    let decision = decided(&json!({"spec": {"suspend": true}}), missing(), None);
    assert!(decision.listing.is_none());
    assert_eq!(decision.outcome, Outcome::Suspended);
}

#[test]
fn every_mistake_of_an_invalid_receiver_is_told_and_its_path_closed() {
    let more = json!({"spec": {
        "resourceFilter": "request.ref",
        "resources": [{"kind": "Deployment", "name": "web"}],
    }});
    let decision = decided(&more, found(), None);
    assert_eq!(closed(&decision), Some(Closed::NotReady));
    let Outcome::Stalled { problems, fault } = decision.outcome else {
        panic!("{:?}", decision.outcome);
    };
    assert_eq!(fault, Fault::Expression);
    assert!(problems.contains("resourceFilter"), "{problems}");
    assert!(problems.contains("`Deployment`"), "{problems}");
}

#[test]
fn a_malformed_receiver_is_told_so() {
    let decision = decided(
        &json!({"spec": {"type": "pigeon"}}),
        Reading::NotNamed,
        None,
    );
    assert!(decision.listing.is_none());
    let Outcome::Stalled { problems, .. } = decision.outcome else {
        panic!("{:?}", decision.outcome);
    };
    assert!(problems.contains("pigeon"), "{problems}");
    let decision = decided(&json!({"spec": null}), Reading::NotNamed, None);
    assert!(matches!(decision.outcome, Outcome::Stalled { .. }));
}

#[test]
fn whatever_is_being_deleted_loses_its_path() {
    let deleting = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
    for spec in [
        json!({}),
        json!({"suspend": true}),
        json!({"type": "pigeon"}),
    ] {
        let more = json!({"metadata": deleting, "spec": spec});
        let decision = decided(&more, found(), Some(remembered("hook")));
        assert!(decision.listing.is_none(), "{spec}");
        assert_eq!(decision.outcome, Outcome::Deleting, "{spec}");
    }
}

#[test]
fn a_secret_that_the_sender_cannot_use_closes_the_path_and_says_why() {
    let gitlab = json!({"spec": {"type": "gitlab"}});
    let data = [("token", "test-token"), ("signing-token", "no base64")];
    let data = data.map(|(key, value)| (key.to_owned(), ByteString(value.into())));
    let reading = Reading::Found {
        secrets: Secrets::of(data.into()).unwrap(),
        version: None,
        named: LiveSets::default(),
    };
    let decision = decided(&gitlab, reading, None);
    assert_eq!(closed(&decision), Some(Closed::NotReady));
    let Outcome::TokenNotFound {
        message,
        is_path_gone: false,
    } = decision.outcome
    else {
        panic!("{decision:?}");
    };
    assert!(
        message
            .starts_with("invalid 'flux-system/hook' secret data: field 'signing-token' must be"),
        "{message}"
    );
}

fn rotated(live: &str) -> (Value, Reading) {
    let annotated = json!({"metadata": {"annotations": {"hookgate.dev/live-secrets": live}}});
    let data = [("token", "test-token"), ("token.previous", "old-token")];
    let data = data.map(|(key, value)| (key.to_owned(), ByteString(value.into())));
    let reading = Reading::Found {
        secrets: Secrets::of(data.into()).unwrap(),
        version: None,
        named: LiveSets::parse(live),
    };
    (annotated, reading)
}

#[test]
fn a_live_set_has_a_path_of_its_own_until_its_end() {
    let (annotated, reading) = rotated("previous until 1970-01-01T00:01:00Z");
    let decision = decided(&annotated, reading, None);
    let until = Timestamp::from_second(60).ok();
    let listing = decision.listing.as_ref().unwrap();
    let ends: Vec<_> = listing.paths.iter().map(|path| path.until).collect();
    assert_eq!(ends, [None, until]);
    assert_eq!(decision.next_end(NOW), until);
    let Outcome::Ready {
        path, set_problems, ..
    } = &decision.outcome
    else {
        panic!("{decision:?}");
    };
    assert_eq!(
        Some(*path),
        listing.path(),
        "the status shows the current path"
    );
    assert_eq!(set_problems, &[]);
    let suspended = json!({"spec": {"suspend": true}});
    let (_, reading) = rotated("previous");
    let decision = decided(&suspended, reading, None);
    assert_eq!(decision.listing.unwrap().paths.len(), 2);
}

#[test]
fn a_bad_set_leaves_the_receiver_ready() {
    let (annotated, reading) = rotated("previous until tomorrow, next");
    let decision = decided(&annotated, reading, None);
    assert!(opens_with(&decision, "test-token"));
    assert_eq!(decision.listing.unwrap().paths.len(), 1);
    let Outcome::Ready { set_problems, .. } = decision.outcome else {
        panic!("it is ready");
    };
    assert_eq!(set_problems.len(), 2, "{set_problems:?}");
}

#[test]
fn what_was_remembered_of_a_secret_serves_the_sets_named_now() {
    let (annotated, _) = rotated("previous");
    let (_, reading) = rotated("");
    let known = decided(&json!({}), reading, None).remembered;
    let decision = decided(&annotated, unreadable(), known);
    assert_eq!(decision.listing.unwrap().paths.len(), 2);
}

#[test]
fn what_can_never_be_triggered_is_known_before_a_delivery_comes() {
    let resources = json!([
        {"kind": "Bucket", "name": "*"},
        {"kind": "HelmRelease", "name": "web"},
    ]);
    let decision = decided(&json!({"spec": {"resources": resources}}), found(), None);
    let refused: Vec<_> = decision.refusals().iter().map(|it| &it.target).collect();
    assert_eq!(refused, ["Bucket/flux-system/*"]);
    assert!(
        opens_with(&decision, "test-token"),
        "the other one can be triggered"
    );
    assert!(matches!(decision.outcome, Outcome::Ready { .. }));
}

fn ready(more: &Value) -> Value {
    let mut status = json!({"status": {
        "webhookPath": STORED_PATH,
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Succeeded", "message": "",
            "observedGeneration": 1, "lastTransitionTime": "1970-01-01T00:00:00Z",
        }],
    }});
    json_patch::merge(&mut status, more);
    status
}

const STORED_PATH: &str = "/hook/df3ebadde655d58cd8236886baaaca95ff9c420f4c89e11a5d91965baa0cdf0f";

#[test]
fn a_receiver_that_is_ready_is_believed_until_its_secret_is_read() {
    let listing = stored(&object(&ready(&json!({}))), POLICY).unwrap();
    assert!(matches!(listing.entry, Entry::Unread(_)));
    assert_eq!(listing.path().unwrap().reveal(), STORED_PATH);
    let suspended = ready(&json!({"spec": {"suspend": true}}));
    let listing = stored(&object(&suspended), POLICY).unwrap();
    assert!(matches!(listing.entry, Entry::Closed(Closed::Suspended)));
    for doubt in [
        json!({"metadata": {"generation": 2}}),
        json!({"metadata": {"annotations": {LIVE_SECRETS: "previous"}}}),
        json!({"metadata": {"deletionTimestamp": "1970-01-01T00:00:00Z"}}),
        json!({"status": {"conditions": []}}),
        json!({"status": {"webhookPath": null}}),
        json!({"status": {"webhookPath": "/hook/1"}}),
        json!({"metadata": {"annotations": {"hookgate.dev/sender": "nobody"}}}),
    ] {
        let found = stored(&object(&ready(&doubt)), POLICY);
        assert!(found.is_none(), "{doubt}: {found:?}");
    }
}

#[test]
fn a_secret_that_cannot_be_read_leaves_a_ready_receiver_its_path() {
    let decision = decided(&ready(&json!({})), unreadable(), None);
    let listing = decision.listing.unwrap();
    assert!(matches!(listing.entry, Entry::Unread(_)));
    assert_eq!(listing.path().unwrap().reveal(), STORED_PATH);
    let decision = decided(&ready(&json!({})), missing(), None);
    assert!(has_no_path(&decision), "it is known to be gone");
}

#[test]
fn only_a_receiver_that_is_ready_is_due_at_its_interval_and_never_at_none() {
    let minute = Duration::from_mins(1);
    let ready = decided(&json!({}), found(), None).outcome;
    assert_eq!(ready.due_after(minute), Some(minute));
    assert_eq!(ready.due_after(Duration::ZERO), None);
    let suspended = decided(&json!({"spec": {"suspend": true}}), found(), None).outcome;
    assert_eq!(suspended.due_after(minute), None);
    let broken = json!({"metadata": {"annotations": {"hookgate.dev/sender": "nobody"}}});
    let stalled = decided(&broken, found(), None).outcome;
    assert_eq!(stalled.due_after(minute), None);
}
