//! `gitlab`: GitLab's classic webhooks, which send the token itself.
//!
//! <https://docs.gitlab.com/user/project/integrations/webhooks/>; signing tokens are not read here.

use super::{Credential, Profile, Verifier};

const TOKEN: &str = "x-gitlab-token";

pub(super) const PROFILE: Profile = Profile {
    name: "gitlab",
    event_header: Some("x-gitlab-event"),
    delivery_headers: &["idempotency-key", "webhook-id", "x-gitlab-event-uuid"],
    media_types: &[],
    verifier: |headers, tokens| Verifier::token(headers, TOKEN, tokens),
    sign: |token, _| {
        Some(Credential {
            header: TOKEN,
            value: String::from_utf8_lossy(token.as_bytes()).into_owned(),
        })
    },
};
