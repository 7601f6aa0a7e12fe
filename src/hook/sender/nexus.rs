//! `nexus`: Sonatype Nexus Repository, which signs the body with HMAC-SHA-1 and has nothing better.
//!
//! <https://help.sonatype.com/en/working-with-hmac-payloads.html>. The signature is lowercase digits without a prefix.

use super::{
    super::{
        json::{self, Fields, Shape},
        mac::{self, Algorithm},
    },
    Asked, Credential, Profile, ReceiverType, Verifier,
};

const SIGNATURE: &str = "x-nexus-webhook-signature";

const EVENT: Fields = &[("action", Shape::Text), ("repositoryName", Shape::Text)];

pub(super) const PROFILE: Profile = Profile {
    delivery_headers: &["x-nexus-webhook-delivery"],
    verifier: |claim| Verifier::bare_signature(claim, SIGNATURE, Algorithm::Sha1),
    sign: |keys, draft| {
        let sign = |token| hex::encode(mac::digest(Algorithm::Sha1, token, draft.body));
        Credential::made(SIGNATURE, keys.tokens.first().map(sign))
    },
    decode: Some(|body| json::read_whole(body, EVENT).map(drop)),
    ..Profile::of(Asked::Type(ReceiverType::Nexus))
};
