//! `github`: GitHub, and the hosts that sign as it does.
//!
//! <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>.
//! As in Flux the algorithm comes from the signature's prefix, not from the header's name.

use super::{
    super::mac::{self, Algorithm},
    Asked, Claim, Credential, EventName, FORM, FormValue, JSON, Profile, ReceiverType, Setup,
    Unauthentic, Verifier, payload_or_form,
};

pub(super) const SIGNATURE: &str = "x-hub-signature-256";
pub(super) const LEGACY_SIGNATURE: &str = "x-hub-signature";

const SETUP: Setup = Setup {
    page: "at GitHub: Settings > Webhooks > Add webhook",
    fields: &[
        ("Payload URL", FormValue::Url),
        ("Content type", FormValue::Text("application/json")),
        ("Secret", FormValue::Token),
        (
            "SSL verification",
            FormValue::Text("Enable SSL verification"),
        ),
        ("Which events", FormValue::Events("Just the push event")),
    ],
    events: &["ping", "push"],
    ..Setup::of_url()
};

pub(super) const PROFILE: Profile = Profile {
    signs_deliveries: Some(|_| Ok(())),
    event: EventName::Header("x-github-event"),
    delivery_headers: &["x-github-delivery"],
    media_types: MEDIA_TYPES,
    verifier,
    sign: |keys, draft| {
        let sign = |token| mac::sign(Algorithm::Sha256, token, draft.body);
        Credential::made(SIGNATURE, keys.tokens.first().map(sign))
    },
    setup: SETUP,
    payload: payload_or_form,
    ..Profile::of(Asked::Type(ReceiverType::Github))
};

/// What Flux accepts of GitHub and of Bitbucket.
pub(super) const MEDIA_TYPES: &[&str] = &[JSON, FORM];

/// Looks for the signature in both headers that GitHub has had for it.
pub(super) fn verifier(claim: &Claim<'_>) -> Result<Verifier, Unauthentic> {
    let signatures = claim.headers.get_all(SIGNATURE);
    let is_signed = signatures.iter().any(|value| !value.is_empty());
    Verifier::signature(
        claim,
        if is_signed {
            SIGNATURE
        } else {
            LEGACY_SIGNATURE
        },
    )
}
