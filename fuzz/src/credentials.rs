//! What must hold of the headers that prove a sender, and of the secrets they are checked against.

use std::{
    collections::{BTreeMap, HashSet},
    sync::LazyLock,
};

use hookgate::hook::{Hook, Secrets, Sender, Token};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use k8s_openapi::ByteString;

use super::{NOW, authenticate, draft, hooks, sign, sign_with, signed, split, unkeyed};

/// How far a signed time may be from now, in seconds.
const WINDOW: i64 = 300;
const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIME: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// No headers prove a sender without its credential, and a credential that is there twice proves nothing.
///
/// The input is lines `name: value`, an empty line, and a body.
pub fn signature_headers(input: &[u8]) {
    let (headers, body) = parse(input);
    for hook in hooks() {
        let sender = hook.sender();
        let is_believed = |headers: &HeaderMap| authenticate(hook, headers, body).is_ok();
        let Ok(right) = sign(sender, &headers, body) else {
            assert!(!is_believed(&headers), "{}: unsignable", sender.as_str());
            continue;
        };
        if right.is_empty() {
            continue;
        }
        let is_doubled = right.keys().any(|name| headers.contains_key(name));
        let is_bare = !headers.keys().any(|name| credential_names().contains(name));
        // Beside ids and times, the longest one is the token or the signature.
        let right_one = right.values().max_by_key(|value| value.len());
        let is_signed = headers.values().any(|value| {
            right_one.is_some_and(|right| contains(value.as_bytes(), right.as_bytes()))
        });
        assert!(
            is_signed || !is_believed(&headers),
            "{}: unsigned",
            sender.as_str()
        );
        for both in [joined(&headers, &right), joined(&right, &headers)] {
            let is_believed = is_believed(&both);
            assert!(!is_doubled || !is_believed, "{}: twice", sender.as_str());
            assert!(!is_bare || is_believed, "{}: signed", sender.as_str());
        }
    }
}

/// A message of Standard Webhooks is authentic only by a right signature, and within its window of time.
///
/// The input is an id, a time, and a list of signatures, a line each, and a body.
pub fn standard_webhooks(input: &[u8]) {
    let (id, rest) = split(input);
    let (time, rest) = split(rest);
    let (signatures, body) = split(rest);
    let values = [id, time, signatures].map(HeaderValue::from_bytes);
    let [Ok(id), Ok(time), Ok(signatures)] = values else {
        return;
    };
    let message = |signatures: HeaderValue| {
        let fields = [
            (ID, id.clone()),
            (TIME, time.clone()),
            (SIGNATURE, signatures),
        ];
        HeaderMap::from_iter(fields)
    };
    let [shared, public] = message_hooks();
    for hook in [shared, public] {
        let end = authenticate(hook, &message(signatures.clone()), body);
        assert!(end.is_err(), "authentic without a right signature");
    }
    let Some((right, seconds)) = signature(&id, &time, body) else {
        return;
    };
    let listed = [signatures.as_bytes(), b" ", right.as_bytes()].concat();
    let listed = HeaderValue::from_bytes(&listed).expect("two values make one");
    let is_clean = id.len() <= 256 && !id.is_empty() && !id.as_bytes().contains(&b'.');
    let is_good = is_clean && (0..=WINDOW).contains(&seconds);
    let alone = authenticate(shared, &message(right.clone()), body);
    assert_eq!(alone.is_ok(), is_good, "{id:?} {time:?}: {alone:?}");
    let among = authenticate(shared, &message(listed), body);
    assert!(is_good || among.is_err(), "{id:?} {time:?}");
    assert!(authenticate(public, &message(right), body).is_err());
}

/// Any token is refused, or proves what is signed with it; no credential at all never does.
pub fn secret(input: &[u8]) {
    let Ok(token) = Token::new(input.to_vec()) else {
        assert!(input.trim_ascii().is_empty());
        return;
    };
    let secrets = Secrets::from(token);
    for sender in Sender::ALL.into_iter().filter(|it| !it.is_vouched_for()) {
        let hook = unkeyed(sender.as_str(), sender);
        let Ok(hook) = hook.with_secrets(&secrets, NOW) else {
            continue;
        };
        let Ok(right) = sign_with(sender, &secrets, &draft(&HeaderMap::new(), b"{}")) else {
            continue;
        };
        if right.is_empty() {
            continue;
        }
        let empty = right
            .keys()
            .map(|name| (name.clone(), HeaderValue::from_static("")));
        let empty = authenticate(&hook, &empty.collect(), b"{}");
        assert!(empty.is_err(), "{}: nothing proves it", sender.as_str());
        let signed = authenticate(&hook, &right, b"{}");
        let is_text = str::from_utf8(input).is_ok();
        assert!(
            !is_text || signed.is_ok(),
            "{}: {signed:?}",
            sender.as_str()
        );
    }
}

/// The headers in which any sender proves itself.
fn credential_names() -> &'static HashSet<HeaderName> {
    static NAMES: LazyLock<HashSet<HeaderName>> = LazyLock::new(|| {
        let signed = hooks().iter().map(|hook| signed(hook.sender(), b""));
        signed
            .flat_map(|headers| headers.keys().cloned().collect::<Vec<_>>())
            .collect()
    });
    &NAMES
}

/// Reads lines `name: value` up to an empty one; those that are no headers are passed over.
fn parse(input: &[u8]) -> (HeaderMap, &[u8]) {
    let (mut headers, mut rest) = (HeaderMap::new(), input);
    loop {
        let (line, next) = split(rest);
        rest = next;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return (headers, rest);
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii();
        let (name, value) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
}

/// All fields of both, those of the first before those of the second.
fn joined(first: &HeaderMap, second: &HeaderMap) -> HeaderMap {
    let mut joined = first.clone();
    for (name, value) in second {
        joined.append(name, value.clone());
    }
    joined
}

/// Whether `part` is somewhere in `whole`, in upper or lower case.
fn contains(whole: &[u8], part: &[u8]) -> bool {
    let mut windows = whole.windows(part.len());
    windows.any(|window| window.eq_ignore_ascii_case(part))
}

/// The right signature of a message that can be signed, and the time in it.
fn signature(id: &HeaderValue, time: &HeaderValue, body: &[u8]) -> Option<(HeaderValue, i64)> {
    let (id, time) = (id.to_str().ok()?, time.to_str().ok()?);
    let seconds: i64 = time.parse().ok()?;
    let now = Timestamp::from_second(seconds).ok()?;
    let headers = HeaderMap::new();
    let mut draft = draft(&headers, body);
    (draft.delivery, draft.now) = (id, now);
    let signed = sign_with(Sender::StandardWebhooks, &super::secrets(), &draft).ok()?;
    let is_canonical = signed[TIME] == *time && !id.contains(char::is_whitespace);
    is_canonical.then(|| (signed[SIGNATURE].clone(), seconds))
}

/// Two hooks for messages: one with a shared key, one with a public key.
fn message_hooks() -> &'static [Hook; 2] {
    static HOOKS: LazyLock<[Hook; 2]> = LazyLock::new(|| {
        let public = "whpk_Kay64UG8yvCyLhqU000LxzYeUm0L/hLIl5S8kyKWbdc=";
        let data = [("token", "t0ken"), ("public-key", public)];
        let data = data.map(|(key, value)| (key.to_owned(), ByteString(value.into())));
        let public = Secrets::of(BTreeMap::from(data)).expect("the Secret is whole");
        [super::secrets(), public].map(|secrets| {
            let hook = unkeyed("hook", Sender::StandardWebhooks);
            hook.with_secrets(&secrets, NOW)
                .expect("the keys are right")
        })
    });
    &HOOKS
}
