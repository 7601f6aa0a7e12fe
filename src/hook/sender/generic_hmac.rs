//! `generic-hmac`: any sender that signs the body and writes `<algorithm>=<hex>` in `X-Signature`.
//!
//! The body is not read beyond its signature.

use super::{
    super::mac::{self, Algorithm},
    Credential, Profile, Verifier,
};

const SIGNATURE: &str = "x-signature";

pub(super) const PROFILE: Profile = Profile {
    name: "generic-hmac",
    event_header: None,
    delivery_headers: &["idempotency-key", "webhook-id"],
    media_types: &[],
    verifier: |headers, tokens| Verifier::signature(headers, SIGNATURE, tokens),
    sign: |token, body| {
        Some(Credential {
            header: SIGNATURE,
            value: mac::sign(Algorithm::Sha256, token, body),
        })
    },
};
