//! `acr`: Azure Container Registry, which proves nothing; the path is its only credential.
//!
//! <https://learn.microsoft.com/azure/container-registry/container-registry-webhook-reference>.

use super::{
    super::json::{self, Fields, Shape},
    Asked, FormValue, Profile, ReceiverType, Setup,
};

const PUSH: Fields = &[
    ("action", Shape::Text),
    (
        "target",
        Shape::Object(&[("repository", Shape::Text), ("tag", Shape::Text)]),
    ),
];

const SETUP: Setup = Setup {
    page: "at Azure: the registry > Services > Webhooks > Add",
    fields: &[
        ("Webhook name", FormValue::Text("any")),
        ("Service URI", FormValue::Url),
        ("Custom headers", FormValue::Text("none")),
        ("Trigger actions", FormValue::Text("push")),
        ("Status", FormValue::Text("On")),
        (
            "Scope",
            FormValue::Text("the images that you follow, such as podinfo:*"),
        ),
    ],
    ..Setup::of_url()
};

pub(super) const PROFILE: Profile = Profile {
    decode: Some(|body| json::read_first(body, PUSH).map(drop)),
    setup: SETUP,
    ..Profile::of(Asked::Type(ReceiverType::Acr))
};
