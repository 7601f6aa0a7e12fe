//! The kinds of sender that a hook can have: how each proves itself and names its events.
//!
//! One file per sender, named like its `spec.type`, or like the annotation that tells it from others of that type;
//! nothing outside this folder matches on them.

mod acr;
mod azure_devops;
mod bitbucket;
mod cdevents;
mod dockerhub;
mod forgejo;
mod gcr;
mod generic;
mod generic_hmac;
mod generic_oidc;
mod gitea;
mod github;
mod gitlab;
mod harbor;
mod nexus;
mod profile;
mod quay;
mod setup;
mod standard_webhooks;

use std::borrow::Cow;

use http::{HeaderMap, header::CONTENT_TYPE};
use kube::ResourceExt as _;

use super::{
    jwt::KeyRequest,
    keys::Keys,
    malformed::Malformed,
    problem::Problem,
    secrets::{InvalidSecret, Secrets},
    unauthentic::Unauthentic,
    verify::{Claim, Verifier, Vouched},
};
use profile::{Asked, EventName, FORM, JSON, Profile, payload_or_form};
pub use profile::{Credential, Draft, Unsignable};
pub use setup::{FormValue, Setup, TokenShape};

use crate::api::{
    annotations,
    receiver::{Receiver, ReceiverType},
};

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
    Bitbucket,
    Harbor,
    Dockerhub,
    Quay,
    Nexus,
    Acr,
    Cdevents,
    GenericOidc,
    Gcr,
    Gitea,
    Forgejo,
    StandardWebhooks,
    AzureDevops,
}

impl Sender {
    /// Every sender, in the order of the catalogue.
    pub const ALL: [Self; 17] = [
        Self::Generic,
        Self::GenericHmac,
        Self::Github,
        Self::Gitlab,
        Self::Bitbucket,
        Self::Harbor,
        Self::Dockerhub,
        Self::Quay,
        Self::Nexus,
        Self::Acr,
        Self::Cdevents,
        Self::GenericOidc,
        Self::Gcr,
        Self::Gitea,
        Self::Forgejo,
        Self::StandardWebhooks,
        Self::AzureDevops,
    ];

    /// The sender that a Receiver asks for, by its type and the annotation `hookgate.dev/sender`.
    pub fn of(receiver: &Receiver) -> Result<Self, Problem> {
        let type_ = receiver.spec.type_;
        let named = receiver.annotations().get(annotations::SENDER);
        match named.filter(|name| *name != type_.as_str()) {
            None => Ok(Self::of_type(type_)),
            Some(name) => Self::on(type_)
                .find(|sender| sender.as_str() == name)
                .ok_or_else(|| Problem::UnknownSender {
                    name: name.clone(),
                    type_,
                }),
        }
    }

    /// The sender that a `spec.type` stands for when no annotation names another.
    fn of_type(type_: ReceiverType) -> Self {
        match type_ {
            ReceiverType::Generic => Self::Generic,
            ReceiverType::GenericHmac => Self::GenericHmac,
            ReceiverType::GenericOidc => Self::GenericOidc,
            ReceiverType::Github => Self::Github,
            ReceiverType::Gitlab => Self::Gitlab,
            ReceiverType::Bitbucket => Self::Bitbucket,
            ReceiverType::Harbor => Self::Harbor,
            ReceiverType::Dockerhub => Self::Dockerhub,
            ReceiverType::Quay => Self::Quay,
            ReceiverType::Gcr => Self::Gcr,
            ReceiverType::Nexus => Self::Nexus,
            ReceiverType::Acr => Self::Acr,
            ReceiverType::Cdevents => Self::Cdevents,
        }
    }

    /// The senders that the annotation can name on a Receiver of this type.
    pub(super) fn on(type_: ReceiverType) -> impl Iterator<Item = Self> {
        let is_on = move |sender: &Self| match sender.profile().asked {
            Asked::Type(_) => false,
            Asked::Annotation(_, usual, others) => usual == type_ || others.contains(&type_),
        };
        Self::ALL.into_iter().filter(is_on)
    }

    /// The name, as `spec.type` or the annotation spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self.profile().asked {
            Asked::Type(type_) => type_.as_str(),
            Asked::Annotation(name, ..) => name,
        }
    }

    /// The `spec.type` of a Receiver that asks for this sender, and the value of its annotation if it needs one.
    #[must_use]
    pub fn asked_by(self) -> (ReceiverType, Option<&'static str>) {
        match self.profile().asked {
            Asked::Type(type_) => (type_, None),
            Asked::Annotation(name, type_, _) => (type_, Some(name)),
        }
    }

    /// Whether events of this sender have names that `spec.events` can list.
    #[must_use]
    pub fn names_events(self) -> bool {
        !matches!(self.profile().event, EventName::Nowhere)
    }

    /// What a person sets up at the host.
    #[must_use]
    pub fn setup(self) -> &'static Setup {
        &self.profile().setup
    }

    /// What the sender itself would send to prove a request; no headers when the path is the only credential.
    pub fn sign(self, secrets: &Secrets, draft: &Draft<'_>) -> Result<Vec<Credential>, Unsignable> {
        let keys = self.keys(secrets)?;
        let otherwise = if self.is_vouched_for() {
            Unsignable::Issuer
        } else if keys.tokens.is_empty() {
            Unsignable::PublicKey
        } else {
            Unsignable::Form
        };
        (self.profile().sign)(&keys, draft).ok_or(otherwise)
    }

    /// Whether an issuer vouches for the sender with a token that nobody else can make.
    #[must_use]
    pub fn is_vouched_for(self) -> bool {
        matches!(self, Self::GenericOidc | Self::Gcr)
    }

    /// The header that holds the id of a delivery.
    #[must_use]
    pub fn delivery_header(self) -> Option<&'static str> {
        self.profile().delivery_headers.first().copied()
    }

    pub(super) fn keys(self, secrets: &Secrets) -> Result<Keys, InvalidSecret> {
        (self.profile().keys)(secrets)
    }

    /// What keys of an issuer are needed to judge the credential; none when it can be judged, or refused, without.
    pub(super) fn key_request(self, claim: &Claim<'_>) -> Option<KeyRequest> {
        (self.profile().key_request)(claim)
    }

    pub(super) fn verifier(self, claim: &Claim<'_>) -> Result<Verifier, Unauthentic> {
        (self.profile().verifier)(claim)
    }

    /// Whether bodies of this sender are read.
    pub(super) fn decodes(self) -> bool {
        self.profile().decode.is_some()
    }

    /// Reads a body as far as Flux does.
    pub(super) fn decode(self, body: &[u8]) -> Result<(), Malformed> {
        self.profile().decode.map_or(Ok(()), |decode| decode(body))
    }

    /// What filters see of a body: JSON, or nothing.
    pub(super) fn payload<'b>(
        self,
        headers: &HeaderMap,
        body: &'b [u8],
    ) -> Result<Option<Cow<'b, [u8]>>, Malformed> {
        (self.profile().payload)(headers, body)
    }

    /// Whether the name of an event is in the body.
    pub(super) fn names_events_in_body(self) -> bool {
        matches!(self.profile().event, EventName::Body(_))
    }

    /// Whether the sender signs when it sends.
    pub(super) fn signs_time(self) -> bool {
        self.profile().signs_time
    }

    /// Whether what the sender signs can tell one delivery from another.
    pub(super) fn signs_deliveries(self) -> bool {
        self.profile().signs_deliveries.is_some()
    }

    /// Whether what it signs with such keys does.
    pub(super) fn check_signs_deliveries(self, keys: &Keys) -> Result<(), InvalidSecret> {
        self.profile()
            .signs_deliveries
            .map_or(Ok(()), |check| check(keys))
    }

    /// Whether the headers are those of a ping that the sender cannot sign.
    pub(super) fn is_unsigned_ping(self, headers: &HeaderMap) -> bool {
        (self.profile().is_unsigned_ping)(headers)
    }

    /// The name of the event, `""` when the sender did not say.
    pub(super) fn event(self, headers: &HeaderMap, body: &[u8]) -> Result<String, Malformed> {
        match self.profile().event {
            EventName::Body(name) => name(body),
            EventName::Header(_) | EventName::Nowhere => {
                Ok(self.event_in_header(headers).to_owned())
            }
        }
    }

    /// The name of the event as far as a header tells it, `""` when none does or not in UTF-8.
    pub(super) fn event_in_header(self, headers: &HeaderMap) -> &str {
        let EventName::Header(header) = self.profile().event else {
            return "";
        };
        let header = headers.get(header);
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
        accepted.is_empty() || accepted.iter().any(|it| is_media_type(headers, it))
    }

    fn profile(self) -> &'static Profile {
        match self {
            Self::Generic => &generic::PROFILE,
            Self::GenericHmac => &generic_hmac::PROFILE,
            Self::Github => &github::PROFILE,
            Self::Gitlab => &gitlab::PROFILE,
            Self::Bitbucket => &bitbucket::PROFILE,
            Self::Harbor => &harbor::PROFILE,
            Self::Dockerhub => &dockerhub::PROFILE,
            Self::Quay => &quay::PROFILE,
            Self::Nexus => &nexus::PROFILE,
            Self::Acr => &acr::PROFILE,
            Self::Cdevents => &cdevents::PROFILE,
            Self::GenericOidc => &generic_oidc::PROFILE,
            Self::Gcr => &gcr::PROFILE,
            Self::Gitea => &gitea::PROFILE,
            Self::Forgejo => &forgejo::PROFILE,
            Self::StandardWebhooks => &standard_webhooks::PROFILE,
            Self::AzureDevops => &azure_devops::PROFILE,
        }
    }
}

/// Whether the headers declare this media type, with whatever parameters.
fn is_media_type(headers: &HeaderMap, media_type: &str) -> bool {
    let declared = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(media_type)
}

/// The longest delivery id that is taken over from a sender, in bytes.
const MAX_ID_BYTES: usize = 128;

#[cfg(test)]
mod tests;
