//! What no sender of the catalogue may be taken for: requests changed by a bit, and credentials that are not right.
//!
//! Which requests are right is for the rest of the catalogue's tests.

use hookgate::{
    cli::recording::Recording,
    hook::{Hook, IssuerKeys, KeySet, Token},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};

use super::{Folder, folders, issuer_keys, time_of};

#[test]
fn any_flipped_bit_in_a_signed_body_is_refused() {
    let signing = folders().filter(Folder::signs_body);
    let check = |folder: Folder| {
        for (name, recording) in folder.recordings() {
            let mut body = recording.body.to_vec();
            for position in 0..body.len() * 8 {
                body[position / 8] ^= 1 << (position % 8);
                let outcome = folder.authenticate(&recording.headers, &body);
                assert!(outcome.is_err(), "{name}: bit {position}");
                body[position / 8] ^= 1 << (position % 8);
            }
            let outcome = folder.authenticate(&recording.headers, &body);
            assert!(outcome.is_ok(), "{name}: every bit is as it was");
        }
    };
    std::thread::scope(|scope| {
        for folder in signing {
            scope.spawn(|| check(folder));
        }
    });
}

#[test]
fn any_flipped_bit_in_the_credential_is_refused() {
    for folder in folders() {
        for header in folder.credential_headers() {
            for (name, recording) in folder.recordings() {
                let credential = right(&folder, &header, &recording);
                let credential = credential.as_bytes();
                for position in 0..credential.len() * 8 {
                    let mut flipped = credential.to_vec();
                    flipped[position / 8] ^= 1 << (position % 8);
                    let is_same = is_same_signature(credential, &flipped);
                    let Ok(value) = HeaderValue::from_bytes(&flipped) else {
                        continue;
                    };
                    let mut headers = recording.headers.clone();
                    headers.insert(&header, value);
                    let outcome = folder.authenticate(&headers, &recording.body);
                    assert_eq!(outcome.is_ok(), is_same, "{name}: {header}, bit {position}");
                }
            }
        }
    }
}

/// Whether two credentials are `<algorithm>=<digits>` and differ by the case of digits only.
fn is_same_signature(one: &[u8], other: &[u8]) -> bool {
    let algorithm = |text: &[u8]| {
        let end = text.iter().position(|byte| *byte == b'=')?;
        let algorithm = text.get(..end)?;
        [&b"sha1"[..], b"sha256", b"sha512"]
            .contains(&algorithm)
            .then(|| algorithm.to_vec())
    };
    algorithm(one).is_some()
        && algorithm(one) == algorithm(other)
        && one.eq_ignore_ascii_case(other)
}

/// The recorded credential; while tokens are rotated there may be two, and this is the one that is right.
fn right(folder: &Folder, header: &HeaderName, recording: &Recording) -> HeaderValue {
    let recorded = &recording.headers[header];
    let alone = |part: &[u8]| {
        let part = HeaderValue::from_bytes(part).unwrap();
        let mut headers = recording.headers.clone();
        headers.insert(header, part.clone());
        let outcome = folder.authenticate(&headers, &recording.body);
        outcome.is_ok().then_some(part)
    };
    let mut parts = recorded.as_bytes().split(|byte| *byte == b' ');
    parts.find_map(alone).unwrap_or_else(|| recorded.clone())
}

/// Ways to spoil a credential that is right.
fn spoiled(value: &HeaderValue) -> Vec<Vec<HeaderValue>> {
    let bytes = value.as_bytes();
    let one = |bytes: &[u8]| vec![HeaderValue::from_bytes(bytes).unwrap()];
    let empty = HeaderValue::from_static("");
    let other = one(&[&[bytes[0] ^ 1], &bytes[1..]].concat()).remove(0);
    let mut spoiled = vec![
        vec![value.clone(), other.clone()],
        vec![other, value.clone()],
        vec![],
        one(b""),
        one(b" "),
        vec![value.clone(), value.clone()],
        vec![value.clone(), empty.clone()],
        vec![empty, value.clone()],
        one(&[bytes, b",", bytes].concat()),
        one(&[bytes, b", ", bytes].concat()),
        one(&bytes[..bytes.len() - 1]),
        one(&bytes[1..]),
        one(&[bytes, b"0"].concat()),
        one(&[b"md5=", bytes].concat()),
        one(&[b"x", bytes].concat()),
        one("\u{e4}".repeat(bytes.len()).as_bytes()),
        one(&[&[0xff], &bytes[1..]].concat()),
        one(&[b"\"", bytes, b"\""].concat()),
    ];
    spoiled.extend(with_other_prefixes(bytes).iter().map(|bytes| one(bytes)));
    spoiled
}

/// The credential behind each prefix that another algorithm, version or scheme has, and behind none.
fn with_other_prefixes(bytes: &[u8]) -> Vec<Vec<u8>> {
    const FAMILIES: [&[&str]; 3] = [
        &[
            "sha1=", "sha256=", "sha512=", "SHA256=", "sha-256=", "sha256:", "",
        ],
        &["v1,", "v1a,", "v2,", "V1,", "v1=", ""],
        &["Basic ", "Bearer ", "basic ", ""],
    ];
    let mut others = Vec::new();
    for family in FAMILIES {
        let own = family
            .iter()
            .find(|prefix| !prefix.is_empty() && bytes.starts_with(prefix.as_bytes()));
        let Some(own) = own else {
            continue;
        };
        let rest = &bytes[own.len()..];
        let different = family.iter().filter(|prefix| *prefix != own);
        others.extend(different.map(|prefix| [prefix.as_bytes(), rest].concat()));
    }
    others
}

#[test]
fn a_credential_that_is_not_there_once_and_right_is_refused() {
    for folder in folders() {
        for header in folder.credential_headers() {
            for (name, recording) in folder.recordings() {
                for values in spoiled(&right(&folder, &header, &recording)) {
                    let mut headers = recording.headers.clone();
                    headers.remove(&header);
                    if header == "x-hub-signature-256" {
                        // GitHub sends both, and the old one counts when the new one is missing.
                        headers.remove("x-hub-signature");
                    }
                    for value in &values {
                        headers.append(&header, value.clone());
                    }
                    let outcome = folder.authenticate(&headers, &recording.body);
                    assert!(outcome.is_err(), "{name}: {header}: {values:?}");
                }
            }
        }
    }
}

#[test]
fn without_the_credential_or_with_another_token_nobody_gets_in() {
    for folder in folders() {
        if folder.credential_headers().is_empty() {
            continue;
        }
        if folder.sender().is_vouched_for() {
            continue;
        }
        let other = Token::new(b"YW5vdGhlciB0b2tlbiBvZiAyNCBieXRlcyA=".to_vec()).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let rotated = folder
            .hook
            .clone()
            .with_secrets(&other.into(), now)
            .unwrap();
        for (name, recording) in folder.recordings() {
            let (headers, body) = (&recording.headers, &recording.body);
            let bare = HeaderMap::new();
            assert!(folder.authenticate(&bare, body).is_err(), "{name}");
            let outcome = folder.authenticate_with(&rotated, headers, body);
            assert!(outcome.is_err(), "{name}");
            let outcome = folder.authenticate_with(&folder.keyless, headers, body);
            assert!(outcome.is_err(), "{name}");
        }
    }
}

#[test]
fn a_token_counts_only_with_the_keys_of_its_issuer_for_its_receiver_and_in_its_time() {
    let mut folders: Vec<_> = folders()
        .filter(|it| it.sender().is_vouched_for())
        .collect();
    assert_eq!(folders.len(), 2);
    for folder in &mut folders {
        for (name, recording) in folder.recordings() {
            let headers = &recording.headers;
            let judge = |hook: &Hook, keys: Option<&IssuerKeys>, seconds| {
                let now = time_of(headers) + SignedDuration::from_secs(seconds);
                hook.verifier(headers, keys, now)?.finish()
            };
            let request = folder.hook.key_request(headers, time_of(headers)).unwrap();
            let keys = issuer_keys(request.source(), folder.published.as_ref().unwrap());
            let none = issuer_keys(request.source(), &KeySet::parse(br#"{"keys":[]}"#).unwrap());
            assert!(judge(&folder.hook, Some(&keys), 60).is_ok(), "{name}");
            assert!(judge(&folder.hook, Some(&none), 60).is_err(), "{name}");
            assert!(judge(&folder.hook, None, 60).is_err(), "{name}");
            assert!(judge(&folder.hook, Some(&keys), 3601).is_err(), "{name}");
        }
    }
    let other = folders[1].hook.clone();
    for (name, recording) in folders[0].recordings() {
        assert!(
            other
                .key_request(&recording.headers, time_of(&recording.headers))
                .is_none(),
            "{name}"
        );
    }
}
