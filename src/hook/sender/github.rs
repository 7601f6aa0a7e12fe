//! `github`: GitHub, and the hosts that sign as it does.
//!
//! <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>.
//! As in Flux the algorithm comes from the signature's prefix, not from the header's name.

use http::HeaderMap;

use super::{
    super::mac::{self, Algorithm},
    Credential, Profile, Token, Unauthentic, Verifier,
};

const SIGNATURE: &str = "x-hub-signature-256";
const LEGACY_SIGNATURE: &str = "x-hub-signature";

pub(super) const PROFILE: Profile = Profile {
    name: "github",
    event_header: Some("x-github-event"),
    delivery_headers: &["x-github-delivery"],
    media_types: &["application/json", "application/x-www-form-urlencoded"],
    verifier,
    sign: |token, body| {
        Some(Credential {
            header: SIGNATURE,
            value: mac::sign(Algorithm::Sha256, token, body),
        })
    },
};

fn verifier(headers: &HeaderMap, tokens: &[Token]) -> Result<Verifier, Unauthentic> {
    let is_signed = headers
        .get_all(SIGNATURE)
        .iter()
        .any(|value| !value.is_empty());
    Verifier::signature(
        headers,
        if is_signed {
            SIGNATURE
        } else {
            LEGACY_SIGNATURE
        },
        tokens,
    )
}
