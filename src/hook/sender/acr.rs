//! `acr`: Azure Container Registry, which proves nothing; the path is its only credential.
//!
//! <https://learn.microsoft.com/azure/container-registry/container-registry-webhook-reference>.

use super::{
    super::json::{self, Fields, Shape},
    Asked, Profile, ReceiverType,
};

const PUSH: Fields = &[
    ("action", Shape::Text),
    (
        "target",
        Shape::Object(&[("repository", Shape::Text), ("tag", Shape::Text)]),
    ),
];

pub(super) const PROFILE: Profile = Profile {
    decode: Some(|body| json::read_first(body, PUSH).map(drop)),
    ..Profile::of(Asked::Type(ReceiverType::Acr))
};
