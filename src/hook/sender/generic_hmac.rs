//! `generic-hmac`: any sender that signs the body and writes `<algorithm>=<hex>` in `X-Signature`.
//!
//! The body is not read beyond its signature.

use super::{
    super::mac::{self, Algorithm},
    Asked, Credential, FormValue, Profile, ReceiverType, Setup, Verifier,
};

const SIGNATURE: &str = "x-signature";

const SETUP: Setup = Setup {
    page: "tell the sender",
    fields: &[
        ("URL", FormValue::Url),
        (
            "X-Signature",
            FormValue::Text("sha256= and the HMAC of the body in hexadecimal digits"),
        ),
        ("key", FormValue::Token),
    ],
    ..Setup::of_url()
};

pub(super) const PROFILE: Profile = Profile {
    signs_deliveries: Some(|_| Ok(())),
    delivery_headers: &["idempotency-key", "webhook-id"],
    verifier: |claim| Verifier::signature(claim, SIGNATURE),
    sign: |keys, draft| {
        let sign = |token| mac::sign(Algorithm::Sha256, token, draft.body);
        Credential::made(SIGNATURE, keys.tokens.first().map(sign))
    },
    setup: SETUP,
    ..Profile::of(Asked::Type(ReceiverType::GenericHmac))
};
