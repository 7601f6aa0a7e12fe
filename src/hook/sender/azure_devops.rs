//! `azure-devops`, by annotation: service hooks of Azure DevOps, which prove themselves by basic authentication only.
//!
//! <https://learn.microsoft.com/azure/devops/service-hooks/services/webhooks>. The token is the password; the user name
//! is in the Secret too, and empty if it is not. The whole header is compared, so there is no second way to write it.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::{
    super::{
        json::{self, Fields, Shape},
        token::Token,
    },
    Asked, Credential, EventName, FormValue, InvalidSecret, Keys, Profile, ReceiverType, Secrets,
    Setup, Verifier,
};
use crate::api::annotations::USERNAME_KEY;

const TOKEN: &str = "authorization";

const EVENT: Fields = &[("eventType", Shape::Text)];

const SETUP: Setup = Setup {
    page: "at Azure DevOps: Project settings > Service hooks > Create subscription > Web Hooks",
    fields: &[
        (
            "Trigger on this type of event",
            FormValue::Events("Code pushed"),
        ),
        ("URL", FormValue::Url),
        ("Basic authentication username", FormValue::Text("empty")),
        ("Basic authentication password", FormValue::Token),
        ("Resource details to send", FormValue::Text("None")),
    ],
    events: &["git.push"],
    ..Setup::of_url()
};

pub(super) const PROFILE: Profile = Profile {
    event: EventName::Body(|body| Ok(json::text(&json::read_first(body, EVENT)?, "eventType"))),
    keys,
    verifier: |claim| Verifier::token(claim, TOKEN),
    sign: |keys, _| Credential::token(TOKEN, keys),
    setup: SETUP,
    ..Profile::of(Asked::Annotation(
        "azure-devops",
        ReceiverType::GenericHmac,
        &[],
    ))
};

/// The one value that the header may have.
fn keys(secrets: &Secrets) -> Result<Keys, InvalidSecret> {
    let name = secrets.other(USERNAME_KEY).map(Token::as_bytes);
    let name = name.unwrap_or_default();
    if name
        .iter()
        .any(|byte| *byte == b':' || byte.is_ascii_control())
    {
        return Err(InvalidSecret::IllFormed {
            key: USERNAME_KEY,
            problem: "must have no colon, no line end and no other control character",
        });
    }
    let pair = Zeroizing::new([name, b":", secrets.token().as_bytes()].concat());
    let header = format!("Basic {}", BASE64_STANDARD.encode(&*pair));
    Ok(Keys::token(Token::unjudged(header.into_bytes())))
}
