//! Which signed messages hold: known ones, lists of signatures, and every way to spoil them.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use super::*;
use crate::hook::{keys::Keys, verify::Verifier};

const SHARED: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const PUBLIC: &str = "whpk_Kay64UG8yvCyLhqU000LxzYeUm0L/hLIl5S8kyKWbdc=";
const ID_OF: &str = "msg_1";
const SENT: i64 = 1_767_605_551;
const BODY: &[u8] = br#"{"type":"push"}"#;
/// Made with Python's `hmac` over `msg_1.1767605551.` and the body, with the bytes 0 to 31 as the key.
const V1: &str = "v1,i2MennsE9CN+GVAkd3tpbUH0Oee5IQNE/zUrCH6024Y=";
/// Made with Python's `cryptography`, with the bytes 32 to 63 as the private key.
const V1A: &str =
    "v1a,dwxXrrhH3TltoW/xE7MqlbaiSPRuCI9SYgNRkyteLokD3jTQzyoct7Qfi/OUWc/EuPeAQ6H+JY9Yo1SFVF1aAA==";

struct Message {
    headers: HeaderMap,
    body: Vec<u8>,
    now: i64,
}

impl Message {
    fn signed(signature: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(ID, HeaderValue::from_static(ID_OF));
        headers.insert(TIMESTAMP, SENT.into());
        headers.insert(SIGNATURE, signature.parse().unwrap());
        Self {
            headers,
            body: BODY.to_vec(),
            now: SENT,
        }
    }

    fn with(mut self, header: &'static str, value: &str) -> Self {
        self.headers.insert(header, value.parse().unwrap());
        self
    }

    fn check(&self, keys: &[SigningKey]) -> Result<(), Unauthentic> {
        let keys = Keys {
            signing: keys.to_vec(),
            ..Keys::default()
        };
        let mut verifier = Verifier::message(&Claim {
            headers: &self.headers,
            keys: &keys,
            now: Timestamp::from_second(self.now).unwrap(),
            providers: &[],
            issuer_keys: None,
            window: Duration::from_mins(5),
            refuses_replays: false,
        })?;
        self.body.chunks(4).for_each(|chunk| verifier.update(chunk));
        verifier.finish().map(|_| ())
    }
}

fn shared() -> SigningKey {
    SigningKey::shared(&Token::new(SHARED.into()).unwrap()).unwrap()
}

fn public() -> SigningKey {
    SigningKey::public(&Token::new(PUBLIC.into()).unwrap()).unwrap()
}

fn another() -> SigningKey {
    SigningKey::Shared(Token::new(vec![200; 32]).unwrap())
}

#[test]
fn known_signatures_hold() {
    assert_eq!(Message::signed(V1).check(&[shared()]), Ok(()));
    assert_eq!(Message::signed(V1A).check(&[public()]), Ok(()));
    let SigningKey::Shared(key) = shared() else {
        unreachable!("it is shared")
    };
    let now = Timestamp::from_second(SENT).unwrap();
    assert_eq!(sign(&key, ID_OF, now, BODY), V1);
}

#[test]
fn one_right_signature_under_one_live_key_is_enough() {
    let wrong = format!("v1,{}", BASE64_STANDARD.encode([0; 32]));
    for list in [
        format!("{wrong} {V1}"),
        format!("{V1} {wrong}"),
        format!("{V1A} {V1}"),
        format!("v2,whatever {V1}"),
    ] {
        for keys in [&[shared(), another()][..], &[another(), shared()]] {
            assert_eq!(Message::signed(&list).check(keys), Ok(()), "{list}");
        }
    }
    let both = Message::signed(&format!("{V1} {V1A}"));
    assert_eq!(both.check(&[public()]), Ok(()));
    assert_eq!(both.check(&[public(), shared()]), Ok(()));
    assert_eq!(both.check(&[another()]), Err(Unauthentic::WrongSignature));
    assert_eq!(both.check(&[]), Err(Unauthentic::WrongSignature));
    assert_eq!(
        Message::signed(V1A).check(&[shared()]),
        Err(Unauthentic::WrongSignature)
    );
    assert_eq!(
        Message::signed(V1).check(&[public()]),
        Err(Unauthentic::WrongSignature)
    );
}

#[test]
fn a_list_that_is_not_one_of_signatures_is_refused() {
    let encoded = &V1["v1,".len()..];
    let many = vec![V1; MAX_SIGNATURES + 1].join(" ");
    for (list, reason) in [
        ("", Unauthentic::MissingCredential),
        ("v1", Unauthentic::MalformedSignature),
        ("v1,", Unauthentic::MalformedSignature),
        (encoded, Unauthentic::MalformedSignature),
        (&V1[..V1.len() - 1], Unauthentic::MalformedSignature),
        (&format!("{V1}="), Unauthentic::MalformedSignature),
        (&format!("{V1},{V1}"), Unauthentic::MalformedSignature),
        (&format!("{V1}  {V1}"), Unauthentic::MalformedSignature),
        (&format!("v1a,{encoded}"), Unauthentic::MalformedSignature),
        (&format!("V1,{encoded}"), Unauthentic::UnknownAlgorithm),
        (&format!("v2,{encoded}"), Unauthentic::UnknownAlgorithm),
        (&many, Unauthentic::MalformedSignature),
    ] {
        let outcome = Message::signed(list).check(&[shared()]);
        assert_eq!(outcome, Err(reason), "{list:?}");
    }
    let most = vec![V1; MAX_SIGNATURES].join(" ");
    assert_eq!(Message::signed(&most).check(&[shared()]), Ok(()));
}

#[test]
fn id_and_time_are_signed_and_bounded() {
    for (header, value, reason) in [
        (ID, "msg_2", Unauthentic::WrongSignature),
        (ID, "msg.1", Unauthentic::MalformedEnvelope),
        (ID, "msg 1", Unauthentic::MalformedEnvelope),
        (ID, "", Unauthentic::MissingCredential),
        (ID, &"x".repeat(257), Unauthentic::MalformedEnvelope),
        (TIMESTAMP, "1767605552", Unauthentic::WrongSignature),
        (TIMESTAMP, "01767605551", Unauthentic::WrongSignature),
        (TIMESTAMP, "1767605551.0", Unauthentic::MalformedEnvelope),
        (TIMESTAMP, "-1", Unauthentic::MalformedEnvelope),
        (TIMESTAMP, "+1767605551", Unauthentic::MalformedEnvelope),
        (TIMESTAMP, "now", Unauthentic::MalformedEnvelope),
        (TIMESTAMP, "1e20", Unauthentic::MalformedEnvelope),
        (TIMESTAMP, "9999999999999", Unauthentic::MalformedEnvelope),
        (TIMESTAMP, "", Unauthentic::MissingCredential),
        (TIMESTAMP, "0", Unauthentic::OutsideWindow),
    ] {
        for (signature, key) in [(V1, shared()), (V1A, public())] {
            let message = Message::signed(signature).with(header, value);
            assert_eq!(
                message.check(&[key]),
                Err(reason.clone()),
                "{header}: {value}"
            );
        }
    }
    // The dots separate: no part can lend its end to the next.
    let shifted = Message::signed(V1).with(ID, "msg_1.1767605551");
    assert_eq!(
        shifted.check(&[shared()]),
        Err(Unauthentic::MalformedEnvelope)
    );
}

#[test]
fn the_window_reaches_both_ways_and_has_an_edge() {
    for (distance, outcome) in [
        (-300, Ok(())),
        (300, Ok(())),
        (-301, Err(Unauthentic::OutsideWindow)),
        (301, Err(Unauthentic::OutsideWindow)),
    ] {
        let mut message = Message::signed(V1);
        message.now += distance;
        assert_eq!(message.check(&[shared()]), outcome, "{distance}");
    }
}

#[test]
fn a_flipped_bit_in_the_body_is_noticed() {
    for (signature, key) in [(V1, shared()), (V1A, public())] {
        for position in 0..BODY.len() * 8 {
            let mut message = Message::signed(signature);
            message.body[position / 8] ^= 1 << (position % 8);
            let outcome = message.check(std::slice::from_ref(&key));
            assert_eq!(outcome, Err(Unauthentic::WrongSignature), "{position}");
        }
    }
}

#[test]
fn a_message_that_must_be_kept_has_a_limit() {
    let mut message = Message::signed(V1A);
    message.body = vec![b' '; MAX_INTERPRETED_BYTES + 1];
    assert_eq!(
        message.check(&[public()]),
        Err(Unauthentic::TooLargeToCheck)
    );
    assert_eq!(message.check(&[shared()]), Err(Unauthentic::WrongSignature));
}
