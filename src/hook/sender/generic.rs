//! `generic`: any sender that can be told a URL; the path is its only credential.
//!
//! The body is neither signed nor read.

use super::{Asked, Profile, ReceiverType};

pub(super) const PROFILE: Profile = Profile {
    delivery_headers: &["idempotency-key", "webhook-id"],
    ..Profile::of(Asked::Type(ReceiverType::Generic))
};
