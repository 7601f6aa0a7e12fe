//! `standard-webhooks`, by annotation: senders that follow <https://www.standardwebhooks.com>.
//!
//! The token of the Secret is the shared key (`whsec_…`); with a key `public-key` (`whpk_…`) in the Secret, ed25519
//! signatures are required instead, and the token only makes the path.

use super::{
    super::{
        json::{self, Fields, Shape},
        keys::SigningKey,
        webhook::{self, ID, SIGNATURE, TIMESTAMP},
    },
    Asked, Credential, Draft, EventName, FormValue, InvalidSecret, Keys, Profile, ReceiverType,
    Secrets, Setup, TokenShape, Verifier,
};
use crate::api::annotations::{PUBLIC_KEY_KEY, TOKEN_KEY};

const EVENT: Fields = &[("type", Shape::Text)];

const SETUP: Setup = Setup {
    page: "at the sender: register an endpoint",
    fields: &[
        ("endpoint", FormValue::Url),
        ("signing secret", FormValue::Token),
        ("events", FormValue::Events("those that should trigger")),
    ],
    token: TokenShape::Webhook,
    ..Setup::of_url()
};

pub(super) const PROFILE: Profile = Profile {
    signs_deliveries: Some(|_| Ok(())),
    event: EventName::Body(|body| Ok(json::text(&json::read_first(body, EVENT)?, "type"))),
    delivery_headers: &[ID],
    signs_time: true,
    keys,
    verifier: Verifier::message,
    sign,
    setup: SETUP,
    ..Profile::of(Asked::Annotation(
        "standard-webhooks",
        ReceiverType::GenericHmac,
        &[],
    ))
};

fn keys(secrets: &Secrets) -> Result<Keys, InvalidSecret> {
    let (key, signing) = match secrets.other(PUBLIC_KEY_KEY) {
        Some(text) => (PUBLIC_KEY_KEY, SigningKey::public(text)),
        None => (TOKEN_KEY, SigningKey::shared(secrets.token())),
    };
    let signing = signing.map_err(|problem| InvalidSecret::IllFormed { key, problem })?;
    Ok(Keys {
        signing: vec![signing],
        ..Keys::default()
    })
}

/// The three headers of a signed message; nothing when there is no shared key.
pub(super) fn sign(keys: &Keys, draft: &Draft<'_>) -> Option<Vec<Credential>> {
    let key = keys.signing.iter().find_map(|key| match key {
        SigningKey::Shared(key) => Some(key),
        SigningKey::Public(_) => None,
    })?;
    let headers = [
        (ID, draft.delivery.to_owned()),
        (TIMESTAMP, draft.now.as_second().to_string()),
        (
            SIGNATURE,
            webhook::sign(key, draft.delivery, draft.now, draft.body),
        ),
    ];
    let credential = |(header, value)| Credential { header, value };
    Some(headers.map(credential).into())
}
