//! `harbor`: Harbor, which sends the whole value of `Authorization` as it was typed in.
//!
//! <https://goharbor.io/docs/latest/working-with-projects/project-configuration/configure-webhooks/>.
//! The value is compared whole, without reading a scheme such as `Bearer` into it; the body is not read.

use super::{Asked, Credential, Profile, ReceiverType, Verifier};

const TOKEN: &str = "authorization";

pub(super) const PROFILE: Profile = Profile {
    verifier: |claim| Verifier::token(claim, TOKEN),
    sign: |keys, _| Credential::token(TOKEN, keys),
    ..Profile::of(Asked::Type(ReceiverType::Harbor))
};
