//! `bitbucket`: Bitbucket Data Center and Bitbucket Cloud, which sign as GitHub once did.
//!
//! <https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/> and
//! <https://confluence.atlassian.com/bitbucketserver/manage-webhooks-938025878.html>.
//! As in Flux the algorithm comes from the signature's prefix; both send `sha256=` in `X-Hub-Signature`.
//! Data Center tests a connection with `diagnostics:ping`, which it does not sign even when it has a secret.

use http::HeaderMap;

use super::{
    super::mac::{self, Algorithm},
    Asked, Credential, EventName, FormValue, Profile, ReceiverType, Setup,
    github::{LEGACY_SIGNATURE, MEDIA_TYPES, SIGNATURE, verifier},
    payload_or_form,
};

const EVENT: &str = "x-event-key";
const PING: &str = "diagnostics:ping";

const SETUP: Setup = Setup {
    page: "at Bitbucket: Repository settings > Webhooks > Create webhook (Data Center) or Add webhook (Cloud)",
    fields: &[
        ("URL", FormValue::Url),
        ("Secret", FormValue::Token),
        (
            "SSL/TLS",
            FormValue::Text("verification of certificates on"),
        ),
        ("Events", FormValue::Events("Push, under Repository")),
    ],
    events: &["repo:refs_changed", "repo:push"],
    ..Setup::of_url()
};

pub(super) const PROFILE: Profile = Profile {
    signs_deliveries: Some(|_| Ok(())),
    event: EventName::Header(EVENT),
    delivery_headers: &["x-request-id", "x-request-uuid"],
    media_types: MEDIA_TYPES,
    is_unsigned_ping,
    verifier,
    sign: |keys, draft| {
        let sign = |token| mac::sign(Algorithm::Sha256, token, draft.body);
        Credential::made(LEGACY_SIGNATURE, keys.tokens.first().map(sign))
    },
    setup: SETUP,
    payload: payload_or_form,
    ..Profile::of(Asked::Type(ReceiverType::Bitbucket))
};

/// Exactly this event, once, and no signature: whatever claims to be signed is checked like any other delivery.
fn is_unsigned_ping(headers: &HeaderMap) -> bool {
    let mut events = headers.get_all(EVENT).iter();
    let is_ping = events.next().is_some_and(|event| event == PING) && events.next().is_none();
    is_ping && !headers.contains_key(SIGNATURE) && !headers.contains_key(LEGACY_SIGNATURE)
}
