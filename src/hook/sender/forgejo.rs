//! `forgejo`, by annotation: Forgejo, which signs as Gitea does, in headers of its own.
//!
//! <https://forgejo.org/docs/latest/user/webhooks/>.

use super::{
    EventName, FORM, JSON, Profile, Setup,
    gitea::{self, asked_by, sign, verifier},
    payload_or_form,
};

const SIGNATURE: &str = "x-forgejo-signature";

const SETUP: Setup = Setup {
    page: "at Forgejo: Settings > Webhooks > Add Webhook > Forgejo",
    ..gitea::SETUP
};

pub(super) const PROFILE: Profile = Profile {
    signs_deliveries: Some(|_| Ok(())),
    event: EventName::Header("x-forgejo-event"),
    delivery_headers: &["x-forgejo-delivery"],
    media_types: &[JSON, FORM],
    verifier: |claim| verifier(claim, SIGNATURE),
    sign: |keys, draft| sign(keys, draft, SIGNATURE),
    setup: SETUP,
    payload: payload_or_form,
    ..Profile::of(asked_by("forgejo"))
};
