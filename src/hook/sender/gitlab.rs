//! `gitlab`: GitLab's webhooks, which send the token itself, or from version 19 on a signature as in Standard Webhooks.
//!
//! <https://docs.gitlab.com/user/project/integrations/webhooks/>. Once the Secret has a key `signing-token` the
//! signature is required, and the token that may come with it is not looked at.

use super::{
    super::keys::SigningKey, Asked, Credential, EventName, FormValue, InvalidSecret, Keys, Profile,
    ReceiverType, Secrets, Setup, Verifier, standard_webhooks,
};
use crate::api::annotations::SIGNING_TOKEN_KEY;

const TOKEN: &str = "x-gitlab-token";

const SETUP: Setup = Setup {
    page: "at GitLab: Settings > Webhooks > Add new webhook",
    fields: &[
        ("URL", FormValue::Url),
        ("Secret token", FormValue::Token),
        (
            "Trigger",
            FormValue::Events("Push events and Tag push events"),
        ),
        ("Enable SSL verification", FormValue::Text("ticked")),
    ],
    events: &["Push Hook", "Tag Push Hook"],
    ..Setup::of_url()
};

pub(super) const PROFILE: Profile = Profile {
    event: EventName::Header("x-gitlab-event"),
    delivery_headers: &["idempotency-key", "webhook-id", "x-gitlab-event-uuid"],
    signs_time: true,
    signs_deliveries: Some(|keys| {
        let key = SIGNING_TOKEN_KEY;
        let is_signed = !keys.signing.is_empty();
        is_signed
            .then_some(())
            .ok_or(InvalidSecret::Unsigned { key })
    }),
    keys,
    verifier: |claim| {
        if claim.keys.signing.is_empty() {
            Verifier::token(claim, TOKEN)
        } else {
            Verifier::message(claim)
        }
    },
    sign: |keys, draft| {
        if keys.signing.is_empty() {
            Credential::token(TOKEN, keys)
        } else {
            standard_webhooks::sign(keys, draft)
        }
    },
    setup: SETUP,
    ..Profile::of(Asked::Type(ReceiverType::Gitlab))
};

fn keys(secrets: &Secrets) -> Result<Keys, InvalidSecret> {
    let mut keys = Keys::token(secrets.token().clone());
    if let Some(text) = secrets.other(SIGNING_TOKEN_KEY) {
        let key = SigningKey::shared(text);
        keys.signing
            .push(key.map_err(|problem| InvalidSecret::IllFormed {
                key: SIGNING_TOKEN_KEY,
                problem,
            })?);
    }
    Ok(keys)
}
