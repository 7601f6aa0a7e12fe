//! The change of a token, step by step, and from wherever it broke off.

use kube::api::ObjectMeta;

use super::*;
use crate::cli::receiver::verify::subject::with_texts;

fn now() -> Timestamp {
    "2026-12-01T00:00:00Z".parse().unwrap()
}

fn secret(data: &[(&str, &str)]) -> Secret {
    let data = data
        .iter()
        .map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())));
    Secret {
        metadata: ObjectMeta {
            resource_version: Some("7".to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(data.collect()),
        ..Secret::default()
    }
}

/// The Secret after a merge patch, as the API server makes it.
fn patched(secret: &Secret, patch: &Value) -> Secret {
    assert_eq!(patch["metadata"]["resourceVersion"], "7");
    let mut object = serde_json::to_value(secret).unwrap();
    json_patch::merge(&mut object, patch);
    with_texts(serde_json::from_value(object).unwrap())
}

fn text(secret: &Secret) -> String {
    let data = secret.data.iter().flatten();
    let data = data.map(|(key, value)| format!("{key}={}", String::from_utf8_lossy(&value.0)));
    data.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_old_token_is_kept_and_named_before_it_is_replaced() {
    let live = LiveSets::parse("previous until 2026-12-02T00:00:00Z");
    let start = secret(&[
        ("token", "old"),
        ("username", "git"),
        ("token.previous", "older"),
        ("signing-token.previous", "stale"),
        ("token.next", "new"),
    ]);
    assert_eq!(stage(&start, &LiveSets::default(), now()), Stage::Rest);
    let kept = patched(&start, &keep(&start));
    assert_eq!(
        text(&kept),
        "token=old token.next=new token.previous=old username=git username.previous=git"
    );
    assert_eq!(
        stage(&kept, &LiveSets::default(), now()),
        Stage::Rest,
        "not named yet"
    );
    assert_eq!(stage(&kept, &live, now()), Stage::Kept);
    let changed = patched(&kept, &change(&kept, "brand-new"));
    assert_eq!(
        text(&changed),
        "token=brand-new token.next=new token.previous=old username=git username.previous=git"
    );
    let until = live.find(PREVIOUS).unwrap().until;
    assert_eq!(stage(&changed, &live, now()), Stage::Changed { until });
    assert_eq!(
        stage(
            &changed,
            &live,
            until.unwrap() + jiff::SignedDuration::from_secs(1)
        ),
        Stage::Rest
    );
    let forgotten = patched(&changed, &forget(&changed).unwrap());
    assert_eq!(
        text(&forgotten),
        "token=brand-new token.next=new username=git"
    );
    assert_eq!(forget(&forgotten), None);
}

#[test]
fn a_name_without_a_token_is_no_overlap() {
    let live = LiveSets::parse("previous");
    let absent = secret(&[("token", "old")]);
    assert_eq!(stage(&absent, &live, now()), Stage::Rest);
    let other = secret(&[("token", "old"), ("username.previous", "git")]);
    assert_eq!(stage(&other, &live, now()), Stage::Rest);
}

#[test]
fn the_annotation_goes_with_the_last_name() {
    let receiver = secret(&[]).metadata;
    let patch = |live: &str| name(&receiver, &LiveSets::parse(live));
    let annotation = |live| patch(live)["metadata"]["annotations"][LIVE_SECRETS].clone();
    assert_eq!(annotation("next"), "next");
    assert_eq!(annotation(""), Value::Null);
    assert_eq!(patch("")["metadata"]["resourceVersion"], "7");
}
