//! `harbor`: Harbor, which sends the whole value of `Authorization` as it was typed in.
//!
//! <https://goharbor.io/docs/latest/working-with-projects/project-configuration/configure-webhooks/>.
//! The value is compared whole, without reading a scheme such as `Bearer` into it; the body is not read.

use super::{Asked, Credential, FormValue, Profile, ReceiverType, Setup, Verifier};

const TOKEN: &str = "authorization";

const SETUP: Setup = Setup {
    page: "at Harbor: the project > Webhooks > New Webhook",
    fields: &[
        ("Notify Type", FormValue::Text("http")),
        ("Payload Format", FormValue::Text("Default")),
        ("Event Type", FormValue::Text("Artifact pushed")),
        ("Endpoint URL", FormValue::Url),
        ("Auth Header", FormValue::Token),
        ("Verify Remote Certificate", FormValue::Text("ticked")),
    ],
    ..Setup::of_url()
};

pub(super) const PROFILE: Profile = Profile {
    verifier: |claim| Verifier::token(claim, TOKEN),
    sign: |keys, _| Credential::token(TOKEN, keys),
    setup: SETUP,
    ..Profile::of(Asked::Type(ReceiverType::Harbor))
};
