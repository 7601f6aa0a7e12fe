//! `quay`: Quay, which proves nothing; the path is its only credential.
//!
//! <https://docs.quay.io/guides/notifications.html>.

use super::{
    super::json::{self, Fields, Shape},
    Asked, Profile, ReceiverType,
};

const PUSH: Fields = &[
    ("docker_url", Shape::Text),
    ("updated_tags", Shape::Array(&Shape::Text)),
];

pub(super) const PROFILE: Profile = Profile {
    decode: Some(|body| json::read_first(body, PUSH).map(drop)),
    ..Profile::of(Asked::Type(ReceiverType::Quay))
};
