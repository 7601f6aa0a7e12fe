//! `nexus`: Sonatype Nexus Repository, which signs the body with HMAC-SHA-1 and has nothing better.
//!
//! <https://help.sonatype.com/en/working-with-hmac-payloads.html>. The signature is lowercase digits without a prefix.

use super::{
    super::{
        json::{self, Fields, Shape},
        mac::{self, Algorithm},
    },
    Asked, Credential, FormValue, Profile, ReceiverType, Setup, Verifier,
};

const SIGNATURE: &str = "x-nexus-webhook-signature";

const EVENT: Fields = &[("action", Shape::Text), ("repositoryName", Shape::Text)];

const SETUP: Setup = Setup {
    page: "at Nexus: Administration > System > Capabilities > Create capability",
    fields: &[
        ("Type", FormValue::Text("Webhook: Repository")),
        ("Repository", FormValue::Text("the one that you follow")),
        ("Event Types", FormValue::Text("component")),
        ("URL", FormValue::Url),
        ("Secret Key", FormValue::Token),
    ],
    ..Setup::of_url()
};

pub(super) const PROFILE: Profile = Profile {
    signs_deliveries: Some(|_| Ok(())),
    delivery_headers: &["x-nexus-webhook-delivery"],
    verifier: |claim| Verifier::bare_signature(claim, SIGNATURE, Algorithm::Sha1),
    sign: |keys, draft| {
        let sign = |token| hex::encode(mac::digest(Algorithm::Sha1, token, draft.body));
        Credential::made(SIGNATURE, keys.tokens.first().map(sign))
    },
    decode: Some(|body| json::read_whole(body, EVENT).map(drop)),
    setup: SETUP,
    ..Profile::of(Asked::Type(ReceiverType::Nexus))
};
