//! `generic-hmac`: any sender that signs the body and writes `<algorithm>=<hex>` in `X-Signature`.
//!
//! The body is not read beyond its signature.

use super::{
    super::mac::{self, Algorithm},
    Asked, Credential, Profile, ReceiverType, Verifier,
};

const SIGNATURE: &str = "x-signature";

pub(super) const PROFILE: Profile = Profile {
    delivery_headers: &["idempotency-key", "webhook-id"],
    verifier: |claim| Verifier::signature(claim, SIGNATURE),
    sign: |keys, draft| {
        let sign = |token| mac::sign(Algorithm::Sha256, token, draft.body);
        Credential::made(SIGNATURE, keys.tokens.first().map(sign))
    },
    ..Profile::of(Asked::Type(ReceiverType::GenericHmac))
};
