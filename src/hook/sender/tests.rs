//! What each sender accepts as proof, and what it does not.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

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

fn authenticate(sender: Sender, pairs: &[(&'static str, &str)]) -> Result<(), Unauthentic> {
    let tokens = [Token::new(b"token".to_vec()).unwrap()];
    let mut verifier = sender.verifier(&headers(pairs), &tokens)?;
    verifier.update(BODY);
    verifier.finish().map(|_| ())
}

#[test]
fn github_takes_the_algorithm_from_the_signature() {
    for (header, signature) in [
        ("x-hub-signature-256", SHA256),
        ("x-hub-signature", SHA1),
        ("x-hub-signature-256", SHA1),
        ("x-hub-signature", SHA256),
    ] {
        assert_eq!(
            authenticate(Sender::Github, &[(header, signature)]),
            Ok(()),
            "{header}: {signature}"
        );
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
fn gitlab_compares_the_whole_token() {
    for other in ["Token", "toke", "tokens", "token token", "Bearer token"] {
        assert_eq!(
            authenticate(Sender::Gitlab, &[("x-gitlab-token", other)]),
            Err(Unauthentic::WrongToken)
        );
    }
}

#[test]
fn what_a_sender_signs_it_accepts() {
    let token = Token::new(b"token".to_vec()).unwrap();
    for sender in Sender::ALL {
        let signed = sender.sign(&token, BODY);
        let pairs: Vec<_> = signed
            .iter()
            .map(|signed| (signed.header, signed.value.as_str()))
            .collect();
        assert_eq!(authenticate(sender, &pairs), Ok(()), "{}", sender.as_str());
    }
}

#[test]
fn names_are_those_of_the_receiver_types() {
    for sender in Sender::ALL {
        let type_ = serde_json::from_value(sender.as_str().into()).unwrap();
        assert_eq!(Sender::of(type_), Some(sender));
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
