//! `gitea`, by annotation: Gitea, which signs the JSON of a form and not the form.
//!
//! <https://docs.gitea.com/usage/webhooks>. The signature is lowercase digits without a prefix; without a secret Gitea
//! sends an empty one, which proves nothing.

use super::{
    super::{
        form::FormPayload,
        mac::{self, Algorithm},
    },
    Asked, Claim, Credential, Draft, EventName, FORM, FormValue, JSON, Keys, Profile, ReceiverType,
    Setup, Unauthentic, Verifier, is_media_type, payload_or_form,
};

const SIGNATURE: &str = "x-gitea-signature";

pub(super) const SETUP: Setup = Setup {
    page: "at Gitea: Settings > Webhooks > Add Webhook > Gitea",
    fields: &[
        ("Target URL", FormValue::Url),
        ("HTTP Method", FormValue::Text("POST")),
        ("Content Type", FormValue::Text("application/json")),
        ("Secret", FormValue::Token),
        ("Trigger On", FormValue::Events("Push Events")),
    ],
    events: &["push"],
    ..Setup::of_url()
};

pub(super) const PROFILE: Profile = Profile {
    signs_deliveries: Some(|_| Ok(())),
    event: EventName::Header("x-gitea-event"),
    delivery_headers: &["x-gitea-delivery"],
    media_types: &[JSON, FORM],
    verifier: |claim| verifier(claim, SIGNATURE),
    sign: |keys, draft| sign(keys, draft, SIGNATURE),
    setup: SETUP,
    payload: payload_or_form,
    ..Profile::of(asked_by("gitea"))
};

/// With type `github` such a Receiver works in Flux too, but for forms.
pub(super) const fn asked_by(name: &'static str) -> Asked {
    Asked::Annotation(name, ReceiverType::GenericHmac, &[ReceiverType::Github])
}

pub(super) fn verifier(claim: &Claim<'_>, header: &'static str) -> Result<Verifier, Unauthentic> {
    if is_media_type(claim.headers, FORM) {
        Verifier::bare_form_signature(claim, header, Algorithm::Sha256)
    } else {
        Verifier::bare_signature(claim, header, Algorithm::Sha256)
    }
}

pub(super) fn sign(
    keys: &Keys,
    draft: &Draft<'_>,
    header: &'static str,
) -> Option<Vec<Credential>> {
    let payload = if is_media_type(draft.headers, FORM) {
        FormPayload::of(draft.body)?
    } else {
        draft.body.to_vec()
    };
    let sign = |token| hex::encode(mac::digest(Algorithm::Sha256, token, &payload));
    Credential::made(header, keys.tokens.first().map(sign))
}
