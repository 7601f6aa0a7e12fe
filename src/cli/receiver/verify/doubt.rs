//! What may be behind a delivery that is refused: near misses that an operator can recognise.
//!
//! Pure. Each is tried with the verifier itself; none shows a token, nor what is signed.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use k8s_openapi::ByteString;

use super::subject::Subject;
use crate::{
    api::annotations::{SENDER, TOKEN_KEY},
    cli::recording::Recording,
    hook::{Draft, Hook, Secrets, Sender, Unauthentic},
};

/// The header that counts before [`LEGACY_SIGNATURE`].
const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");
const LEGACY_SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature");

/// Says what may be behind a path that is not the Receiver's, given the right one.
pub(super) fn about_path(recorded: &str, right: &str) -> Option<&'static str> {
    let (bare, query) = recorded.split_once('?').unwrap_or((recorded, ""));
    let bare_of_slash = bare.trim_end_matches('/');
    if bare == right && !query.is_empty() {
        Some("it is right but for the query behind `?`: take that off the URL")
    } else if bare_of_slash == right {
        Some("it is right but for a slash at its end: take that off the URL")
    } else if bare_of_slash.eq_ignore_ascii_case(right) {
        Some("it is right but for upper case: write it as the status has it")
    } else if bare_of_slash.ends_with(right) {
        Some("it is right but for what stands before `/hook/`: let the ingress take the prefix off")
    } else if bare.starts_with("/hook/") {
        Some("it may be of another token, name or namespace: the path is made of all three")
    } else {
        None
    }
}

/// Says what may be behind a sender that is not proven.
pub(super) fn about_sender(
    subject: &Subject,
    sender: Sender,
    recording: &Recording,
    now: Timestamp,
) -> Vec<String> {
    let attempt = Attempt {
        subject,
        recording,
        now,
    };
    let mut doubts = attempt.headers(sender);
    doubts.extend(attempt.bodies());
    doubts.extend(attempt.tokens());
    doubts.extend(attempt.times());
    doubts.extend(attempt.other_senders(sender));
    doubts
}

/// Says what is odd about a token, whether or not it is right.
pub(super) fn about_token(subject: &Subject) -> Option<String> {
    let ByteString(token) = subject.secret.get(TOKEN_KEY)?;
    let is_padded = token.trim_ascii().len() != token.len();
    is_padded.then(|| {
        "the token in the Secret begins or ends with white space, which counts: if it was made with `echo`, use `printf %s`".to_owned()
    })
}

/// A recorded request, to be tried again a little differently.
struct Attempt<'a> {
    subject: &'a Subject,
    recording: &'a Recording,
    now: Timestamp,
}

impl Attempt<'_> {
    fn headers(&self, sender: Sender) -> Vec<String> {
        let headers = &self.recording.headers;
        let missing: Vec<_> = self
            .credential_headers(sender)
            .into_iter()
            .filter(|name| headers.get(*name).is_none_or(HeaderValue::is_empty))
            .collect();
        let mut doubts = Vec::new();
        let is_legacy_enough =
            headers.contains_key(LEGACY_SIGNATURE) && missing == [SIGNATURE.as_str()];
        if !missing.is_empty() && !is_legacy_enough {
            let missing = missing.join("`, `");
            doubts.push(format!(
                "it has no `{missing}`, which `{}` sends once it has a secret: is it set at the host?",
                sender.as_str()
            ));
        }
        let mut without = headers.clone();
        if without.remove(SIGNATURE).is_some() && self.proves(&without, &self.recording.body) {
            doubts.push(format!(
                "`{LEGACY_SIGNATURE}` is right, but `{SIGNATURE}` is there too, counts, and is not"
            ));
        }
        doubts
    }

    /// The headers that the sender itself would prove a request with.
    fn credential_headers(&self, sender: Sender) -> Vec<&'static str> {
        let Ok(secrets) = Secrets::of(self.subject.secret.clone()) else {
            return Vec::new();
        };
        let draft = Draft {
            delivery: "1",
            headers: &self.recording.headers,
            body: &self.recording.body,
            now: self.now,
        };
        let signed = sender.sign(&secrets, &draft).unwrap_or_default();
        signed
            .into_iter()
            .map(|credential| credential.header)
            .collect()
    }

    fn bodies(&self) -> Option<String> {
        let body = &self.recording.body[..];
        let changed = changed_bodies(body);
        let right = changed
            .into_iter()
            .find(|(_, body)| self.proves(&self.recording.headers, body));
        right.map(|(change, _)| {
            format!("it is right for the body {change}: the body was changed on its way, or when it was saved")
        })
    }

    fn tokens(&self) -> Option<String> {
        let ByteString(token) = self.subject.secret.get(TOKEN_KEY)?;
        let right = changed_tokens(token).into_iter().find(|(_, token)| {
            let mut secret = self.subject.secret.clone();
            secret.insert(TOKEN_KEY.to_owned(), ByteString(token.clone()));
            let hook = self.subject.hook_with(secret);
            hook.is_some_and(|hook| self.is_proven_by(&hook))
        });
        right.map(|(change, _)| format!("it is right for the token of the Secret {change}"))
    }

    fn times(&self) -> Option<String> {
        let hook = self.subject.hook_with(self.subject.secret.clone())?;
        let headers = &self.recording.headers;
        if hook.verifier(headers, None, self.now).err() != Some(Unauthentic::OutsideWindow) {
            return None;
        }
        let time = headers.get("webhook-timestamp")?.to_str().ok()?;
        let signed_at = Timestamp::from_second(time.parse().ok()?).ok()?;
        let is_right = is_proven(&hook, headers, &self.recording.body, signed_at);
        let verdict = if is_right {
            "right"
        } else {
            "not right either"
        };
        Some(format!(
            "it was signed at {signed_at}, and is {verdict} as of then: try `--at {signed_at}`"
        ))
    }

    fn other_senders(&self, sender: Sender) -> Option<String> {
        let others = Sender::ALL.into_iter().filter(|other| *other != sender);
        let proven = others.into_iter().find(|other| {
            let hook = self.subject.hook_of(*other);
            hook.is_some_and(|hook| {
                let is_asked_for_proof = hook.verifier(&HeaderMap::new(), None, self.now).is_err();
                is_asked_for_proof && self.is_proven_by(&hook)
            })
        })?;
        let (type_, annotation) = proven.asked_by();
        let asked = annotation.map_or_else(String::new, |name| {
            format!(" and the annotation `{SENDER}: {name}`")
        });
        Some(format!(
            "it is right for `{}`: give the Receiver the type `{}`{asked}",
            proven.as_str(),
            type_.as_str()
        ))
    }

    fn proves(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let hook = self.subject.hook_with(self.subject.secret.clone());
        hook.is_some_and(|hook| is_proven(&hook, headers, body, self.now))
    }

    fn is_proven_by(&self, hook: &Hook) -> bool {
        is_proven(
            hook,
            &self.recording.headers,
            &self.recording.body,
            self.now,
        )
    }
}

/// Whether a request proves its sender to a hook.
fn is_proven(hook: &Hook, headers: &HeaderMap, body: &[u8], now: Timestamp) -> bool {
    hook.verifier(headers, None, now).is_ok_and(|mut verifier| {
        verifier.update(body);
        verifier.finish().is_ok()
    })
}

/// The body as editors, `git` and terminals change it, each with what was changed.
fn changed_bodies(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut changed = vec![("with a line end behind it", [body, b"\n"].concat())];
    let without = body.strip_suffix(b"\n");
    let without = without.map(|body| body.strip_suffix(b"\r").unwrap_or(body));
    changed.extend(without.map(|body| ("without the line end behind it", body.to_vec())));
    let Ok(text) = str::from_utf8(body) else {
        return changed;
    };
    let unix = text.replace("\r\n", "\n");
    changed.push((
        "with CRLF for its line ends",
        unix.replace('\n', "\r\n").into(),
    ));
    changed.push(("with LF for its line ends", unix.into_bytes()));
    changed.push((
        "without a byte order mark",
        text.trim_start_matches('\u{feff}').into(),
    ));
    changed
}

/// The token as it may have been meant, each with what has to be changed in the Secret.
fn changed_tokens(token: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let trimmed = token.trim_ascii().to_vec();
    let encoded = BASE64_STANDARD.encode(token).into_bytes();
    let mut changed = vec![
        ("without the white space around it", trimmed.clone()),
        ("with a line end behind it", [token, b"\n"].concat()),
        ("in base64: it was decoded once too often", encoded),
    ];
    let decoded = BASE64_STANDARD.decode(&trimmed).ok();
    changed.extend(decoded.map(|token| ("decoded from base64: it was encoded twice", token)));
    changed
}
