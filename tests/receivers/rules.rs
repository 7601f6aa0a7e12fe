//! What each kind of sender asks for and passes over, as Flux has it, by the hooks of the catalogue.
//!
//! How a credential is checked is for `forgeries` and for the tests beside the senders.

use hookgate::{
    api::receiver::Receiver,
    hook::{Hook, Secrets, Sender, Token},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::{POLICY, authenticate, time_of};

/// A hook for a sender, with a token.
fn hook(sender: Sender, events: &[&str], token: &str) -> (Hook, Secrets) {
    let (type_, annotation) = sender.asked_by();
    let annotations: Value =
        annotation.map_or(json!({}), |name| json!({"hookgate.dev/sender": name}));
    let receiver: Receiver = serde_json::from_value(json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": {"name": "hook", "namespace": "apps", "annotations": annotations},
        "spec": {"type": type_, "events": events, "secretRef": {"name": "token"}, "resources": []},
    }))
    .unwrap();
    let secrets: Secrets = Token::new(token.into()).unwrap().into();
    let hook = Hook::compile(&receiver, POLICY).unwrap();
    let hook = hook
        .with_secrets(&secrets, jiff::Timestamp::UNIX_EPOCH)
        .unwrap();
    (hook, secrets)
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        headers.append(HeaderName::from_static(name), value);
    }
    headers
}

/// The headers with a signature for the body, as the sender makes it.
fn signed(sender: Sender, secrets: &Secrets, headers: &HeaderMap, body: &[u8]) -> HeaderMap {
    let draft = hookgate::hook::Draft {
        delivery: "1",
        headers,
        body,
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    let mut signed = headers.clone();
    for credential in sender.sign(secrets, &draft).unwrap() {
        signed.insert(credential.header, credential.value.parse().unwrap());
    }
    signed
}

const MERGED: &str = r#"{"context":{"version":"0.3.0","id":"1","source":"s","type":"dev.cdevents.change.merged.0.2.0"},"subject":{"type":"change","id":"1"}}"#;

/// The senders whose event Flux reads from a header, the header, and a body of theirs.
const NAMED: [(Sender, &str, &str); 4] = [
    (Sender::Github, "x-github-event", "{}"),
    (Sender::Gitlab, "x-gitlab-event", "{}"),
    (Sender::Bitbucket, "x-event-key", "{}"),
    (Sender::Cdevents, "ce-type", MERGED),
];

/// Whether a delivery with these values of the event's header is wanted.
fn is_wanted(
    sender: Sender,
    header: &'static str,
    body: &str,
    listed: &[&str],
    sent: &[&str],
) -> bool {
    let (hook, secrets) = hook(sender, listed, "token");
    let pairs: Vec<_> = sent.iter().map(|value| (header, *value)).collect();
    let headers = signed(sender, &secrets, &headers(&pairs), body.as_bytes());
    let authentic = authenticate(&hook, &headers, body.as_bytes()).unwrap();
    let event = hook.interpret(&authentic, &headers, Some(body.as_bytes()));
    hook.admits(&event.unwrap())
}

#[test]
fn an_event_is_wanted_if_it_is_listed_whole_in_whatever_case() {
    for (sender, header, body) in NAMED {
        for (listed, sent, expected) in [
            (&[][..], &["push"][..], true),
            (&[], &[], true),
            (&["push", "ping"], &["ping"], true),
            (&["Push Hook"], &["PUSH hOOK"], true),
            (&["push"], &["pus"], false),
            (&["push"], &["push2"], false),
            (&["push"], &["push "], false),
            (&["pu*"], &["push"], false),
            (&["push"], &[""], false),
            (&["push"], &[], false),
            (&[""], &[], true),
            (&["stra\u{df}e"], &["STRA\u{1e9e}E"], true),
            (&["push"], &["push", "other"], true),
            (&["push"], &["other", "push"], false),
        ] {
            let wanted = is_wanted(sender, header, body, listed, sent);
            assert_eq!(wanted, expected, "{}: {listed:?} {sent:?}", sender.as_str());
        }
    }
}

#[test]
fn senders_that_name_no_event_are_not_filtered() {
    let nameless = Sender::ALL
        .into_iter()
        .filter(|sender| !sender.names_events() && !sender.is_vouched_for());
    let bodies = |sender| match sender {
        Sender::Dockerhub | Sender::Quay | Sender::Acr | Sender::Nexus => "{}",
        _ => "no JSON",
    };
    let mut count = 0;
    for sender in nameless {
        let wanted = is_wanted(
            sender,
            "x-github-event",
            bodies(sender),
            &["never"],
            &["push"],
        );
        assert!(wanted, "{}", sender.as_str());
        count += 1;
    }
    assert_eq!(count, 7);
}

#[test]
fn senders_whose_body_nobody_reads_may_send_anything_that_is_proven() {
    for sender in [
        Sender::Generic,
        Sender::GenericHmac,
        Sender::Github,
        Sender::Gitlab,
        Sender::Bitbucket,
        Sender::Harbor,
    ] {
        let (hook, secrets) = hook(sender, &[], "token");
        for body in [&b""[..], b"no JSON", b"{\"a\":", &[0xff, 0x00]] {
            let headers = signed(sender, &secrets, &HeaderMap::new(), body);
            let authentic = authenticate(&hook, &headers, body).unwrap();
            assert!(!hook.interprets_body(), "{}", sender.as_str());
            let event = hook.interpret(&authentic, &headers, None);
            assert!(event.is_ok(), "{}: {body:?}", sender.as_str());
        }
    }
}

#[test]
fn a_form_of_github_is_signed_as_it_is_sent() {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = b"payload=%7B%22ref%22%3A%22main%22%7D";
    for sender in [Sender::Github, Sender::Bitbucket] {
        let (hook, secrets) = hook(sender, &[], "token");
        let headers = signed(sender, &secrets, &headers(&[form]), body);
        assert!(hook.accepts_media_type(&headers));
        assert!(
            authenticate(&hook, &headers, body).is_ok(),
            "{}",
            sender.as_str()
        );
        let decoded = br#"{"ref":"main"}"#;
        assert!(
            authenticate(&hook, &headers, decoded).is_err(),
            "{}",
            sender.as_str()
        );
    }
}

#[test]
fn the_type_of_a_cdevent_is_not_compared_with_its_body_which_must_be_right_first() {
    let (hook, _) = hook(
        Sender::Cdevents,
        &["dev.cdevents.build.queued.0.2.0"],
        "token",
    );
    let queued = headers(&[("ce-type", "dev.cdevents.build.queued.0.2.0")]);
    let authentic = authenticate(&hook, &queued, MERGED.as_bytes()).unwrap();
    let event = hook
        .interpret(&authentic, &queued, Some(MERGED.as_bytes()))
        .unwrap();
    assert!(hook.admits(&event), "as in Flux the header counts");
    let other = headers(&[("ce-type", "dev.cdevents.other.0.1.0")]);
    let broken = MERGED.replace("\"subject\"", "\"object\"");
    let interpreted = hook.interpret(&authentic, &other, Some(broken.as_bytes()));
    assert!(
        interpreted.is_err(),
        "a body that is wrong is refused though its event is not wanted"
    );
}

#[test]
fn a_token_that_ends_with_a_line_end_can_not_be_sent_and_so_never_matches() {
    for (sender, header) in [
        (Sender::Gitlab, "x-gitlab-token"),
        (Sender::Harbor, "authorization"),
    ] {
        let (hook, _) = hook(sender, &[], "token\n");
        let sent = headers(&[(header, "token")]);
        assert!(
            hook.verifier(&sent, None, time_of(&sent))
                .unwrap()
                .finish()
                .is_err()
        );
    }
}
