//! `generic`: any sender that can be told a URL; the path is its only credential.
//!
//! The body is neither signed nor read.

use super::{Profile, Verifier};

pub(super) const PROFILE: Profile = Profile {
    name: "generic",
    event_header: None,
    delivery_headers: &["idempotency-key", "webhook-id"],
    media_types: &[],
    verifier: |_, _| Ok(Verifier::path()),
    sign: |_, _| None,
};
