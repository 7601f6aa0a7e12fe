//! `dockerhub`: Docker Hub, which proves nothing; the path is its only credential.
//!
//! <https://docs.docker.com/docker-hub/repos/manage/webhooks/>. `callback_url` is never called.

use super::{
    super::json::{self, Fields, Shape},
    Asked, FormValue, Profile, ReceiverType, Setup,
};

const PUSH: Fields = &[
    ("push_data", Shape::Object(&[("tag", Shape::Text)])),
    ("repository", Shape::Object(&[("repo_url", Shape::Text)])),
];

const SETUP: Setup = Setup {
    page: "at Docker Hub: the repository > Webhooks",
    fields: &[
        ("Webhook name", FormValue::Text("any")),
        ("Webhook URL", FormValue::Url),
    ],
    ..Setup::of_url()
};

pub(super) const PROFILE: Profile = Profile {
    decode: Some(|body| json::read_first(body, PUSH).map(drop)),
    setup: SETUP,
    ..Profile::of(Asked::Type(ReceiverType::Dockerhub))
};
