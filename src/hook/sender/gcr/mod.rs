//! `gcr`: Google Container Registry and Artifact Registry, whose messages Pub/Sub pushes with a token of Google.
//!
//! <https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions>. The token proves a service account and not
//! the body; anybody can get one from Google, so it counts only for the account and the audience of the Secret.

use std::borrow::Cow;

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    super::{
        filter::declares_json,
        json::{self, Fields, Shape},
        jwt::{Jwt, KeyRequest, KeySource, Quoted, RefusedToken},
        keys::ServiceAccount,
        malformed::Malformed,
        token::Token,
    },
    Asked, Claim, FormValue, InvalidSecret, Keys, Profile, ReceiverType, Secrets, Setup,
    Unauthentic, Verifier, Vouched,
};
use crate::api::annotations::{AUDIENCE_KEY, EMAIL_KEY};

/// How Google calls itself.
const ISSUERS: [&str; 2] = ["accounts.google.com", "https://accounts.google.com"];

const SETUP: Setup = Setup {
    page: "at Google: gcloud pubsub subscriptions modify-push-config",
    fields: &[("--push-endpoint", FormValue::Url)],
    ..Setup::of_url()
};

pub(super) const PROFILE: Profile = Profile {
    setup: SETUP,
    keys,
    key_request: |claim| Some(unproven(claim).ok()?.1),
    verifier,
    sign: |_, _| None,
    decode: Some(|body| event(body).map(drop)),
    payload: |headers, body| {
        if !declares_json(headers) {
            return Ok(None);
        }
        let event = Value::Object(event(body)?).to_string();
        Ok(Some(Cow::Owned(event.into_bytes())))
    },
    ..Profile::of(Asked::Type(ReceiverType::Gcr))
};

/// Who must have sent the message, and for whom; the token of the Secret only makes the path.
fn keys(secrets: &Secrets) -> Result<Keys, InvalidSecret> {
    let of = |key| {
        secrets
            .other(key)
            .filter(|value| !value.as_bytes().is_empty())
    };
    let (Some(email), Some(audience)) = (of(EMAIL_KEY), of(AUDIENCE_KEY)) else {
        let keys = [EMAIL_KEY, AUDIENCE_KEY].into_iter();
        let keys = keys.filter(|key| of(key).is_none()).collect();
        return Err(InvalidSecret::Missing { keys });
    };
    for (key, value) in [(EMAIL_KEY, email), (AUDIENCE_KEY, audience)] {
        check_text(key, value)?;
    }
    let account = ServiceAccount {
        email: email.clone(),
        audience: audience.clone(),
    };
    Ok(Keys {
        account: Some(account),
        ..Keys::default()
    })
}

/// What no token can say is a slip of the pen, most often a line end.
fn check_text(key: &'static str, value: &Token) -> Result<(), InvalidSecret> {
    let text = str::from_utf8(value.as_bytes()).ok();
    if text.is_some_and(|text| text.trim() == text) {
        return Ok(());
    }
    Err(InvalidSecret::IllFormed {
        key,
        problem: "must be text without white space or a line end around it",
    })
}

fn verifier(claim: &Claim<'_>) -> Result<Verifier, Unauthentic> {
    let (account, request) = unproven(claim)?;
    let claims = request.jwt.proven(claim.issuer_keys)?;
    let email = claims.text("email").unwrap_or_default();
    if !account.email.matches(email.as_bytes()) {
        return Err(RefusedToken::WrongEmail(Quoted::new(email)).into());
    }
    if claims.find("email_verified") != Some(&Value::Bool(true)) {
        return Err(RefusedToken::UnverifiedEmail(Quoted::new(email)).into());
    }
    Ok(Verifier::vouched_for(Vouched::default()))
}

/// The token, and the account it must be of, if nothing that can be told without keys speaks against it.
fn unproven<'c>(claim: &Claim<'c>) -> Result<(&'c ServiceAccount, KeyRequest), RefusedToken> {
    let jwt = Jwt::parse(claim.bearer()?)?;
    let source = KeySource::of_google(&jwt)?;
    if jwt.key_id().is_none() {
        return Err(RefusedToken::NoKeyId);
    }
    let claims = jwt.claims();
    let issuer = claims.text("iss").ok_or(RefusedToken::NoIssuer)?;
    if !ISSUERS.contains(&issuer) {
        return Err(RefusedToken::NotGoogle(Quoted::new(issuer)));
    }
    let audience = claims.text("aud").unwrap_or_default();
    let account = claim.keys.account.as_ref();
    let account = account
        .filter(|account| account.audience.matches(audience.as_bytes()))
        .ok_or(RefusedToken::WrongAudience)?;
    let expiry = claims.find("exp").and_then(Value::as_i64);
    if expiry.is_none_or(|expiry| expiry < claim.now.as_second()) {
        return Err(RefusedToken::Expired);
    }
    Ok((account, KeyRequest { source, jwt }))
}

const ENVELOPE: Fields = &[(
    "message",
    Shape::Object(&[
        ("data", Shape::Text),
        ("messageId", Shape::Text),
        ("publishTime", Shape::Text),
        ("subscription", Shape::Text),
    ]),
)];

const EVENT: Fields = &[
    ("action", Shape::Text),
    ("digest", Shape::Text),
    ("tag", Shape::Text),
];

/// Base64 as Go reads it, which does not look at the bits that are left over.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The event in the message of a body: `action`, `digest` and `tag`, each a text that may be empty, and nothing else.
fn event(body: &[u8]) -> Result<Map<String, Value>, Malformed> {
    let envelope = json::read_first(body, ENVELOPE)?;
    let message = envelope.get("message").and_then(Value::as_object);
    let message = message.cloned().unwrap_or_default();
    if let Some(time) = message.get("publishTime").and_then(Value::as_str)
        && time.parse::<Timestamp>().is_err()
    {
        return Err(Malformed::new("`publishTime` must be RFC 3339"));
    }
    let event = json::read_whole(&decoded(&json::text(&message, "data")), EVENT)
        .map_err(|malformed| Malformed::new(format!("`data`: {malformed}")))?;
    let field = |(name, _): &(&'static str, Shape)| {
        let text = json::text(&event, name);
        ((*name).to_owned(), Value::String(text))
    };
    Ok(EVENT.iter().map(field).collect())
}

/// What can be decoded of a base64 text, up to the first mistake; Flux looks at no more.
fn decoded(text: &str) -> Vec<u8> {
    let is_written = |byte: &u8| !matches!(byte, b'\r' | b'\n');
    let text: Vec<u8> = text.bytes().filter(is_written).collect();
    let mut bytes = Vec::new();
    for quantum in text.chunks(4) {
        let Ok(part) = BASE64.decode(quantum) else {
            break;
        };
        bytes.extend_from_slice(&part);
        if part.len() < 3 {
            break;
        }
    }
    bytes
}

#[cfg(test)]
mod tests;
