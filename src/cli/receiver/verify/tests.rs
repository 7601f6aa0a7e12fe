//! Recorded requests that are verified: where they stop, and what the operator is told of it.
//!
//! The phases themselves are tested where they are.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use k8s_openapi::api::core::v1::Secret;
use kube::core::Status;
use serde_json::{Value, json};

use super::*;
use crate::{
    api::receiver::Receiver,
    cli::delivery,
    hook::{CertificateChecks, CrossNamespaceRefs, PlainIssuers, Policy, Secrets, Sender},
};

const TOKEN: &str = "s3cret-of-the-operator";
const BODY: &str = "{\r\n\"ref\": \"refs/heads/main\"}\r\n";

fn receiver(more: &Value) -> Receiver {
    let mut receiver = json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": {"name": "ci", "namespace": "apps"},
        "spec": {
            "type": "github", "events": ["push"], "secretRef": {"name": "token"},
            "resources": [{"kind": "GitRepository", "name": "web"}],
        },
    });
    json_patch::merge(&mut receiver, more);
    serde_json::from_value(receiver).unwrap()
}

fn secret(token: &str) -> Secret {
    serde_json::from_value(json!({"metadata": {"name": "token"}, "stringData": {"token": token}}))
        .unwrap()
}

fn subject_with(more: &Value, token: &str) -> Subject {
    let policy = Policy {
        cross_namespace_refs: CrossNamespaceRefs::Denied,
        plain_issuers: PlainIssuers::Denied,
        certificate_checks: CertificateChecks::Possible,
    };
    Subject::of(
        receiver(more),
        Some(Ok(secret(token))),
        policy,
        Timestamp::now(),
    )
}

fn subject(more: &Value) -> Subject {
    subject_with(more, TOKEN)
}

/// A push as `sender` signs it with `token`, to the path that the token gives.
fn push(sender: Sender, token: &str) -> Recording {
    let secrets: Secrets = crate::hook::Token::new(token.into()).unwrap().into();
    let path = crate::hook::HookPath::derive(Some(secrets.token()), "ci", "apps");
    let head = "Content-Type: application/json\nX-GitHub-Event: push";
    let text = format!("POST {} HTTP/1.1\n{head}\n\n", path.reveal());
    let file = std::path::Path::new("push.http");
    let mut recording = Recording::parse(file, &Bytes::from(text)).unwrap();
    recording.body = Bytes::from_static(BODY.as_bytes());
    delivery::signed(recording, sender, Some(&secrets)).unwrap()
}

fn github() -> Recording {
    push(Sender::Github, TOKEN)
}

fn settings() -> IssuerSettings {
    issuers(&config::Issuers::default()).unwrap()
}

async fn verdict(subject: &Subject, recording: Recording) -> Verdict {
    let verdict = judge(subject, recording, settings(), None, Timestamp::now()).await;
    let told = format!("{}{:?}", verdict.text, verdict.stop);
    assert!(!told.contains(TOKEN), "{told}");
    verdict
}

/// Fails unless the request stops at a phase and is told of with these words.
async fn check(subject: &Subject, recording: Recording, phase: &str, words: &[&str]) {
    let Verdict { text, stop } = verdict(subject, recording).await;
    let stop = stop.unwrap_or_else(|| panic!("it does not stop: {text}"));
    let expected = format!("the delivery would stop at {phase} and be answered ");
    assert!(stop.starts_with(&expected), "{stop}\n{text}");
    for words in words {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
}

#[tokio::test]
async fn a_request_that_would_trigger_gets_through_all_phases() {
    let Verdict { text, stop } = verdict(&subject(&json!({})), github()).await;
    assert_eq!(stop, None);
    assert_eq!(
        text,
        "A request for Receiver apps/ci\n\
         \n\
         1  receive       POST, 30 bytes of application/json\n\
         2  locate        the path is that of Receiver apps/ci\n\
         3  limit         passes, unless the client failed too often before\n\
         4  authenticate  the sender knows what is in Secret token\n\
         5  interpret     the event is push\n\
         6  admit         it is one of push\n\
         7  select        GitRepository/apps/web\n\
         8  trigger       would be answered 200 OK; nothing is triggered now\n"
    );
}

#[tokio::test]
async fn every_request_of_the_catalogue_gets_through_as_of_its_time() {
    for (folder, file) in [
        ("github", "push"),
        ("gitlab-signing", "push"),
        ("standard-webhooks-ed25519", "ping"),
        ("gitea", "form_push"),
        ("azure-devops", "push"),
        ("quay", "push"),
    ] {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/receivers");
        let args =
            <crate::config::Verify as clap::Args>::augment_args(clap::Command::new("verify"));
        let file = format!("{root}/{folder}/{file}.http");
        let manifest = format!("{root}/{folder}/receiver.yaml");
        let matches = args.get_matches_from(["verify", &file, "--manifest", &manifest]);
        let args: crate::config::Verify = clap::FromArgMatches::from_arg_matches(&matches).unwrap();
        let recording = choice::recorded(&args.file).await.unwrap();
        let signed_at = recording.headers.get("webhook-timestamp");
        let signed_at = signed_at.and_then(|it| it.to_str().ok()?.parse().ok());
        let now = Timestamp::from_second(signed_at.unwrap_or_default()).unwrap();
        let subject = Subject::find(&args, &recording, now).await.unwrap();
        let Verdict { text, stop } = judge(&subject, recording, settings(), None, now).await;
        assert_eq!(stop, None, "{text}");
    }
}

#[tokio::test]
async fn a_request_that_the_receiver_does_not_take_stops_early() {
    let mut get = github();
    get.method = http::Method::GET;
    check(&subject(&json!({})), get, "receive", &["405", "only POST"]).await;
    let mut packed = github();
    packed
        .headers
        .insert("content-encoding", "gzip".parse().unwrap());
    check(&subject(&json!({})), packed, "receive", &["415"]).await;
    let mut text = github();
    text.headers
        .insert("content-type", "text/plain".parse().unwrap());
    check(
        &subject(&json!({})),
        text,
        "authenticate",
        &["415", "media type"],
    )
    .await;
}

#[tokio::test]
async fn the_client_is_judged_where_it_is_known() {
    let listing = json!({"metadata": {"annotations": {
        "hookgate.dev/allowed-clients": "192.0.2.0/24, 2001:db8::/32",
    }}});
    let (subject, now) = (subject(&listing), Timestamp::now());
    for (client, passes, words) in [
        (
            None,
            true,
            "3  limit         only clients in 192.0.2.0/24, 2001:db8::/32 may send",
        ),
        (
            Some("192.0.2.7"),
            true,
            "3  limit         192.0.2.7 is in one of 192.0.2.0/24",
        ),
        (
            Some("198.51.100.7"),
            false,
            "3  limit         stops here with 404 Not Found: the Receiver does not list the network",
        ),
    ] {
        let address = client.map(|client| client.parse().unwrap());
        let verdict = judge(&subject, github(), settings(), address, now).await;
        assert!(verdict.text.contains(words), "{}", verdict.text);
        assert_eq!(verdict.stop.is_none(), passes, "{client:?}");
    }
}

#[tokio::test]
async fn a_replay_is_not_judged_and_that_is_said() {
    let refusing = json!({"metadata": {"annotations": {"hookgate.dev/replays": "refuse"}}});
    let (subject, now) = (subject(&refusing), Timestamp::now());
    for _ in 0..2 {
        let verdict = judge(&subject, github(), settings(), None, now).await;
        let words = "6  admit         it is one of push; whether the same was signed before is not judged here";
        assert!(verdict.text.contains(words), "{}", verdict.text);
        assert_eq!(verdict.stop, None);
    }
}

#[tokio::test]
async fn a_path_that_is_nearly_right_is_recognised() {
    let right = github().path;
    let digits = right.as_str().trim_start_matches("/hook/").to_uppercase();
    for (path, words) in [
        (format!("{right}?a=b"), "the query behind `?`"),
        (format!("{right}/"), "a slash at its end"),
        (format!("/hook/{digits}"), "upper case"),
        (format!("/flux{right}"), "before `/hook/`"),
        (
            format!("/hook/{}", "0".repeat(64)),
            "another token, name or namespace",
        ),
    ] {
        let mut recording = github();
        recording.path = path.parse().unwrap();
        let again = [
            "404",
            words,
            "The same at the path of the Receiver",
            "8  trigger",
        ];
        check(&subject(&json!({})), recording, "locate", &again).await;
    }
}

#[tokio::test]
async fn a_receiver_that_takes_nothing_says_why() {
    let suspended = json!({"spec": {"suspend": true}});
    check(
        &subject(&suspended),
        github(),
        "locate",
        &["503", "`spec.suspend`"],
    )
    .await;
    let invalid = json!({"metadata": {"annotations": {"hookgate.dev/sender": "svn"}}});
    check(&subject(&invalid), github(), "locate", &["503", "is `svn`"]).await;
    check(
        &subject_with(&json!({}), " \n"),
        github(),
        "locate",
        &["404", "empty or blank"],
    )
    .await;
    let policy = Policy {
        cross_namespace_refs: CrossNamespaceRefs::Denied,
        plain_issuers: PlainIssuers::Denied,
        certificate_checks: CertificateChecks::Possible,
    };
    let missing = Status::failure("secrets \"token\" not found", "NotFound").with_code(404);
    let missing = kube::Error::Api(missing.boxed());
    let subject = Subject::of(
        receiver(&json!({})),
        Some(Err(missing)),
        policy,
        Timestamp::now(),
    );
    check(&subject, github(), "locate", &["404", "not found"]).await;
}

#[tokio::test]
async fn a_body_that_was_changed_on_its_way_is_recognised() {
    for (body, words) in [
        (BODY.trim_end().to_owned(), "with a line end behind it"),
        (format!("{BODY}\n"), "without the line end behind it"),
        (BODY.replace("\r\n", "\n"), "with CRLF for its line ends"),
        (format!("\u{feff}{BODY}"), "without a byte order mark"),
    ] {
        let mut recording = github();
        recording.body = body.clone().into();
        if words == "with a line end behind it" {
            let unix = BODY.trim_end().to_owned() + "\n";
            recording.body = unix.into();
            let secrets = crate::hook::Token::new(TOKEN.into()).unwrap().into();
            let mut signed = delivery::signed(recording, Sender::Github, Some(&secrets)).unwrap();
            signed.body = body.into();
            recording = signed;
        }
        let words = format!("right for the body {words}");
        check(
            &subject(&json!({})),
            recording,
            "authenticate",
            &["401", &words],
        )
        .await;
    }
}

#[tokio::test]
async fn a_token_that_was_stored_wrongly_is_recognised() {
    let at_path_of = |token: &str, recording: Recording| Recording {
        path: push(Sender::Github, token).path,
        ..recording
    };
    for (stored, words) in [
        (format!("{TOKEN}\n"), "without the white space around it"),
        (BASE64_STANDARD.encode(TOKEN), "it was encoded twice"),
    ] {
        let recording = at_path_of(&stored, github());
        let subject = subject_with(&json!({}), &stored);
        check(&subject, recording, "authenticate", &["401", words]).await;
    }
    let padded = format!("{TOKEN}\n");
    let recording = push(Sender::Github, &padded);
    let Verdict { text, stop } = verdict(&subject_with(&json!({}), &padded), recording).await;
    assert_eq!(stop, None, "it is what the Secret says");
    assert!(text.contains("use `printf %s`"), "{text}");
}

#[tokio::test]
async fn headers_that_are_missing_or_of_another_sender_are_named() {
    let subject = subject(&json!({}));
    let mut bare = github();
    bare.headers.remove("x-hub-signature-256");
    let words = ["no `x-hub-signature-256`", "is it set at the host?"];
    check(&subject, bare, "authenticate", &words).await;

    let mut gitea = push(Sender::Gitea, TOKEN);
    let event = gitea.headers["x-github-event"].clone();
    gitea.headers.insert("x-gitea-event", event);
    let words = ["right for `gitea`", "`hookgate.dev/sender: gitea`"];
    check(&subject, gitea, "authenticate", &words).await;
    let words = ["right for `gitlab`: give the Receiver the type `gitlab`"];
    check(
        &subject,
        push(Sender::Gitlab, TOKEN),
        "authenticate",
        &words,
    )
    .await;

    let mut both = github();
    let right = both.headers["x-hub-signature-256"].clone();
    both.headers.insert("x-hub-signature", right);
    let wrong = format!("sha256={}", "0".repeat(64));
    both.headers
        .insert("x-hub-signature-256", wrong.parse().unwrap());
    let words = ["`x-hub-signature` is right, but `x-hub-signature-256` is there too"];
    check(&subject, both, "authenticate", &words).await;
}

#[tokio::test]
async fn a_time_that_is_past_is_told_with_a_way_to_look_back() {
    let annotations = json!({"hookgate.dev/sender": "standard-webhooks"});
    let signed = json!({"metadata": {"annotations": annotations}, "spec": {"type": "generic-hmac", "events": null}});
    let token = format!("whsec_{}", BASE64_STANDARD.encode([7; 32]));
    let subject = subject_with(&signed, &token);
    let recording = push(Sender::StandardWebhooks, &token);
    let later = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let Verdict { text, stop } = judge(&subject, recording.clone(), settings(), None, later).await;
    assert!(stop.unwrap().contains("replay window"), "{text}");
    assert!(
        text.contains("and is right as of then: try `--at 20"),
        "{text}"
    );
    assert_eq!(verdict(&subject, recording).await.stop, None);
}

#[tokio::test]
async fn what_is_proven_and_not_wanted_stops_later() {
    let mut ping = github();
    ping.headers
        .insert("x-github-event", "ping".parse().unwrap());
    let words = ["200", "`spec.events` has push, and not `ping`"];
    check(&subject(&json!({})), ping, "admit", &words).await;

    let quay = json!({"spec": {"type": "quay", "events": null}});
    let mut array = github();
    array.body = Bytes::from_static(b"[]");
    check(
        &subject(&quay),
        array,
        "interpret",
        &["400", "cannot be understood"],
    )
    .await;
    let elsewhere = json!({"spec": {"resources": [
        {"kind": "GitRepository", "name": "web", "namespace": "other"},
    ]}});
    let words = ["500", "cross-namespace references are not allowed"];
    check(&subject(&elsewhere), github(), "trigger", &words).await;
}

#[tokio::test]
async fn filters_judge_an_object_that_has_what_the_reference_says() {
    let filtered = |filter: &str| json!({"spec": {"resourceFilter": filter}});
    let wanted = subject(&filtered(
        "req.ref.endsWith('/' + 'main') && res.metadata.name == 'web'",
    ));
    let verdict = verdict(&wanted, github()).await;
    assert_eq!(verdict.stop, None, "{}", verdict.text);
    let left_out = subject(&filtered("req.ref == 'main'"));
    let words = ["the filters leave out every target"];
    check(&left_out, github(), "trigger", &words).await;
}

#[tokio::test]
async fn a_client_certificate_is_not_looked_at_and_that_is_told() {
    let annotations = json!({"hookgate.dev/client-certificate": "required"});
    let subject = subject(&json!({"metadata": {"annotations": annotations}}));
    let Verdict { text, stop } = verdict(&subject, github()).await;
    assert_eq!(stop, None, "{text}");
    assert!(text.contains("client certificate, which a recording does not hold"));
}
