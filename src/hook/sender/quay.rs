//! `quay`: Quay, which proves nothing; the path is its only credential.
//!
//! <https://docs.quay.io/guides/notifications.html>.

use super::{
    super::json::{self, Fields, Shape},
    Asked, FormValue, Profile, ReceiverType, Setup,
};

const PUSH: Fields = &[
    ("docker_url", Shape::Text),
    ("updated_tags", Shape::Array(&Shape::Text)),
];

const SETUP: Setup = Setup {
    page: "at Quay: Settings > Events and Notifications > Create Notification",
    fields: &[
        (
            "When this event occurs",
            FormValue::Text("Push to Repository"),
        ),
        ("Then issue a notification", FormValue::Text("Webhook POST")),
        ("Webhook URL", FormValue::Url),
        ("POST JSON body template", FormValue::Text("empty")),
    ],
    ..Setup::of_url()
};

pub(super) const PROFILE: Profile = Profile {
    decode: Some(|body| json::read_first(body, PUSH).map(drop)),
    setup: SETUP,
    ..Profile::of(Asked::Type(ReceiverType::Quay))
};
