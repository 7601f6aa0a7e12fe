//! The kinds of sender that a hook can have: how each proves itself and names its events.
//!
//! One file per sender, named like its `spec.type`; nothing outside this folder matches on them.

mod generic;
mod generic_hmac;
mod github;
mod gitlab;

use http::HeaderMap;

use super::{token::Token, unauthentic::Unauthentic, verify::Verifier};
use crate::api::receiver::ReceiverType;

/// A kind of sender that hookgate can authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "each variant is the name of the sender it stands for"
)]
pub enum Sender {
    Generic,
    GenericHmac,
    Github,
    Gitlab,
}

/// What sets one sender apart from another.
struct Profile {
    /// The value of `spec.type`.
    name: &'static str,
    /// The header that names the event; senders without one cannot be filtered by event.
    event_header: Option<&'static str>,
    /// The headers that may hold an id of the delivery, best first.
    delivery_headers: &'static [&'static str],
    /// The media types the sender may use; any when empty.
    media_types: &'static [&'static str],
    /// Finds the credential in the headers.
    verifier: fn(&HeaderMap, &[Token]) -> Result<Verifier, Unauthentic>,
    /// Makes the header that proves a body, as the sender itself would.
    sign: fn(&Token, &[u8]) -> Option<Credential>,
}

/// The header that proves a body.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The name of the header, in lowercase.
    pub header: &'static str,
    /// Its value.
    pub value: String,
}

impl Sender {
    /// Every sender, in the order of the catalogue.
    pub const ALL: [Self; 4] = [Self::Generic, Self::GenericHmac, Self::Github, Self::Gitlab];

    /// The sender for a `spec.type`, or nothing when hookgate cannot authenticate it yet.
    #[must_use]
    pub fn of(type_: ReceiverType) -> Option<Self> {
        match type_ {
            ReceiverType::Generic => Some(Self::Generic),
            ReceiverType::GenericHmac => Some(Self::GenericHmac),
            ReceiverType::Github => Some(Self::Github),
            ReceiverType::Gitlab => Some(Self::Gitlab),
            ReceiverType::GenericOidc
            | ReceiverType::Bitbucket
            | ReceiverType::Harbor
            | ReceiverType::Dockerhub
            | ReceiverType::Quay
            | ReceiverType::Gcr
            | ReceiverType::Nexus
            | ReceiverType::Acr
            | ReceiverType::Cdevents => None,
        }
    }

    /// The name, as `spec.type` spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.profile().name
    }

    /// Whether events of this sender have names that `spec.events` can list.
    #[must_use]
    pub fn names_events(self) -> bool {
        self.profile().event_header.is_some()
    }

    /// What the sender itself would send to prove `body` under `token`; nothing when the path is the only credential.
    #[must_use]
    pub fn sign(self, token: &Token, body: &[u8]) -> Option<Credential> {
        (self.profile().sign)(token, body)
    }

    /// The header that holds the id of a delivery.
    #[must_use]
    pub fn delivery_header(self) -> Option<&'static str> {
        self.profile().delivery_headers.first().copied()
    }

    pub(super) fn verifier(
        self,
        headers: &HeaderMap,
        tokens: &[Token],
    ) -> Result<Verifier, Unauthentic> {
        (self.profile().verifier)(headers, tokens)
    }

    /// The name of the event, `""` when the sender did not say or not in UTF-8.
    pub(super) fn event(self, headers: &HeaderMap) -> &str {
        let header = self
            .profile()
            .event_header
            .and_then(|header| headers.get(header));
        header
            .and_then(|value| str::from_utf8(value.as_bytes()).ok())
            .unwrap_or_default()
    }

    /// The id of the delivery, if the sender gave one of at most [`MAX_ID_BYTES`] visible ASCII characters.
    pub(super) fn delivery_id(self, headers: &HeaderMap) -> Option<&str> {
        let mut values = self
            .profile()
            .delivery_headers
            .iter()
            .filter_map(|header| headers.get(*header));
        let id = values.next()?.to_str().ok()?;
        (!id.is_empty()
            && id.len() <= MAX_ID_BYTES
            && id.bytes().all(|byte| byte.is_ascii_graphic()))
        .then_some(id)
    }

    /// Whether the sender may use the media type that the headers declare.
    pub(super) fn accepts_media_type(self, headers: &HeaderMap) -> bool {
        let accepted = self.profile().media_types;
        let declared = headers
            .get(http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let essence = declared.split(';').next().unwrap_or_default().trim();
        accepted.is_empty()
            || accepted
                .iter()
                .any(|media_type| media_type.eq_ignore_ascii_case(essence))
    }

    fn profile(self) -> &'static Profile {
        match self {
            Self::Generic => &generic::PROFILE,
            Self::GenericHmac => &generic_hmac::PROFILE,
            Self::Github => &github::PROFILE,
            Self::Gitlab => &gitlab::PROFILE,
        }
    }
}

/// The longest delivery id that is taken over from a sender, in bytes.
const MAX_ID_BYTES: usize = 128;

#[cfg(test)]
mod tests;
