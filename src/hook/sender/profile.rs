//! What sets one sender apart from another, as a table of values and small functions.
//!
//! Each sender's own is in the file named like it; what is done with them is in `mod.rs`.

use std::borrow::Cow;

use http::HeaderMap;
use jiff::Timestamp;

use super::{
    super::filter::declares_json, Claim, InvalidSecret, KeyRequest, Keys, Malformed, ReceiverType,
    Secrets, Setup, Unauthentic, Verifier, is_media_type,
};

/// The media type of JSON.
pub(super) const JSON: &str = "application/json";
/// The media type of forms.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// What sets one sender apart from another.
pub(super) struct Profile {
    /// How a Receiver asks for it.
    pub(super) asked: Asked,
    /// Where the name of the event is.
    pub(super) event: EventName,
    /// The headers that may hold an id of the delivery, best first.
    pub(super) delivery_headers: &'static [&'static str],
    /// The media types the sender may use; any when empty.
    pub(super) media_types: &'static [&'static str],
    /// Whether the sender signs when it sends.
    pub(super) signs_time: bool,
    /// Whether what the sender signs with such keys tells one delivery from another; nothing when it never does.
    pub(super) signs_deliveries: Option<CheckKeys>,
    /// Takes from a Secret what credentials are checked against.
    pub(super) keys: fn(&Secrets) -> Result<Keys, InvalidSecret>,
    /// Whether the headers are those of a ping that the sender cannot sign.
    pub(super) is_unsigned_ping: fn(&HeaderMap) -> bool,
    /// What keys of an issuer are needed to judge the credential; none when it can be judged, or refused, without.
    pub(super) key_request: fn(&Claim<'_>) -> Option<KeyRequest>,
    /// Finds the credential in the headers.
    pub(super) verifier: fn(&Claim<'_>) -> Result<Verifier, Unauthentic>,
    /// Makes the headers that prove a request, as the sender itself would; nothing when the keys cannot sign.
    pub(super) sign: fn(&Keys, &Draft<'_>) -> Option<Vec<Credential>>,
    /// Reads the body, for senders whose bodies Flux reads.
    pub(super) decode: Option<Decode>,
    /// What filters see of a body: JSON, or nothing.
    pub(super) payload: Payload,
    /// What a person sets up at the host.
    pub(super) setup: Setup,
}

/// Checks that keys are enough for something.
pub(super) type CheckKeys = fn(&Keys) -> Result<(), InvalidSecret>;

/// How a Receiver asks for a sender.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// By `spec.type`.
    Type(ReceiverType),
    /// By the annotation `hookgate.dev/sender` with this value, on this type or one of the others.
    Annotation(&'static str, ReceiverType, &'static [ReceiverType]),
}

/// Where the name of an event is; events without one cannot be filtered.
#[derive(Clone, Copy)]
pub(super) enum EventName {
    Nowhere,
    Header(&'static str),
    Body(fn(&[u8]) -> Result<String, Malformed>),
}

/// Takes out of a body what filters see of it; nothing when it is not JSON.
pub(super) type Payload =
    for<'b> fn(&HeaderMap, body: &'b [u8]) -> Result<Option<Cow<'b, [u8]>>, Malformed>;

/// The same for senders that can put their JSON into the field `payload` of a form.
pub(super) fn payload_or_form<'b>(
    headers: &HeaderMap,
    body: &'b [u8],
) -> Result<Option<Cow<'b, [u8]>>, Malformed> {
    if !is_media_type(headers, FORM) {
        return Ok(declares_json(headers).then_some(Cow::Borrowed(body)));
    }
    let mut fields = form_urlencoded::parse(body);
    let payload = fields.find(|(name, _)| name == "payload");
    let (_, payload) = payload.ok_or_else(|| Malformed::new("the form has no field `payload`"))?;
    Ok(Some(Cow::Owned(payload.into_owned().into_bytes())))
}

/// Checks that a body is one of the sender's.
pub(super) type Decode = fn(&[u8]) -> Result<(), Malformed>;

impl Profile {
    /// A sender that proves nothing beyond knowing the path, names neither events nor deliveries, and sends anything.
    pub(super) const fn of(asked: Asked) -> Self {
        Self {
            asked,
            event: EventName::Nowhere,
            delivery_headers: &[],
            media_types: &[],
            signs_time: false,
            signs_deliveries: None,
            keys: |secrets| Ok(Keys::token(secrets.token().clone())),
            is_unsigned_ping: |_| false,
            key_request: |_| None,
            verifier: |_| Ok(Verifier::path()),
            sign: |_, _| Some(Vec::new()),
            decode: None,
            payload: |headers, body| Ok(declares_json(headers).then_some(Cow::Borrowed(body))),
            setup: Setup::of_url(),
        }
    }
}

/// A request that is still to be signed.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// The id of the delivery.
    pub delivery: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a [u8],
    /// When it is sent.
    pub now: Timestamp,
}

/// Why a request cannot be signed with what is in a Secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsignable {
    /// The Secret cannot be used at all.
    #[error("invalid secret data: {0}")]
    InvalidSecret(#[from] InvalidSecret),
    /// Only an issuer makes what proves the sender.
    #[error("only the issuer can make a token that proves the sender")]
    Issuer,
    /// The Secret holds the public half of the sender's key.
    #[error("the Secret holds a public key, which checks signatures and makes none")]
    PublicKey,
    /// The body is not one that the sender would sign.
    #[error("the body is a form that the sender would not write")]
    Form,
}

/// A header that proves a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The name of the header, in lowercase.
    pub header: &'static str,
    /// Its value.
    pub value: String,
}

impl Credential {
    /// The token itself, in a header.
    pub(super) fn token(header: &'static str, keys: &Keys) -> Option<Vec<Self>> {
        let value = |token: &[u8]| String::from_utf8_lossy(token).into_owned();
        Self::made(header, keys.tokens.first().map(|it| value(it.as_bytes())))
    }

    /// A header that can be made if there is a key.
    pub(super) fn made(header: &'static str, value: Option<String>) -> Option<Vec<Self>> {
        Some(vec![Self {
            header,
            value: value?,
        }])
    }
}
