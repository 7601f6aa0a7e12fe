//! What a hook makes of a delivery: who sent it, which event it is, and whether it is wanted.
//!
//! Each method is one phase; the ingress calls them in order and does the waiting in between.

use http::HeaderMap;
use jiff::Timestamp;

use super::{
    Hook,
    fold::equal_fold,
    jwt::{IssuerKeys, KeyRequest},
    keys::Keys,
    malformed::Malformed,
    unauthentic::Unauthentic,
    verify::{Authentic, Claim, Verifier},
};

/// The largest body that is interpreted, in bytes; the limit of Flux.
pub const MAX_INTERPRETED_BYTES: usize = 3 * 1024 * 1024;

/// The longest name of an event in a body, in bytes; headers have limits of their own.
const MAX_EVENT_BYTES: usize = 256;

/// What an authentic delivery tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The name of the event; empty when the sender names none.
    pub name: String,
}

/// Why a delivery that is proven cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Uninterpretable {
    /// The body must be read and is too large for that.
    #[error("the body is larger than {MAX_INTERPRETED_BYTES} bytes")]
    TooLarge,
    /// The body is not what the sender sends.
    #[error("the body cannot be understood: {0}")]
    Malformed(#[from] Malformed),
}

impl Hook {
    /// Whether the sender may use the media type that the headers declare.
    #[must_use]
    pub fn accepts_media_type(&self, headers: &HeaderMap) -> bool {
        self.sender.accepts_media_type(headers)
    }

    /// Whether this is the ping that a sender cannot sign: it is answered, and that is all.
    ///
    /// It proves nothing, so nothing may follow from it.
    #[must_use]
    pub fn is_unsigned_ping(&self, headers: &HeaderMap) -> bool {
        self.sender.is_unsigned_ping(headers)
    }

    /// The keys of an issuer that [`Hook::verifier`] needs; none when it can judge, or refuse, without.
    #[must_use]
    pub fn key_request(&self, headers: &HeaderMap, now: Timestamp) -> Option<KeyRequest> {
        let mut claims = self.claims(headers, None, now);
        claims.find_map(|(_, claim)| self.sender.key_request(&claim))
    }

    /// Finds the credential in the headers; the body must then pass through the verifier.
    ///
    /// `keys` are those of [`Hook::key_request`]; `now` is for senders that sign when they send, for tokens that expire,
    /// and for secrets that end.
    pub fn verifier(
        &self,
        headers: &HeaderMap,
        keys: Option<&IssuerKeys>,
        now: Timestamp,
    ) -> Result<Verifier, Unauthentic> {
        let claims = self.claims(headers, keys, now);
        let verifiers = claims.map(|(index, claim)| (index, self.sender.verifier(&claim)));
        Verifier::any_of(verifiers)
    }

    /// What a delivery says, against each live set of secrets; against none where there are none.
    fn claims<'c>(
        &'c self,
        headers: &'c HeaderMap,
        issuer_keys: Option<&'c IssuerKeys>,
        now: Timestamp,
    ) -> impl Iterator<Item = (usize, Claim<'c>)> {
        const NONE: &Keys = &Keys::NONE;
        let none = self.keys.is_empty().then_some((0, NONE));
        let live = self.keys.iter().enumerate();
        let live = live.filter(move |(_, set)| set.identity.is_live(now));
        let sets = none
            .into_iter()
            .chain(live.map(|(index, set)| (index, &set.keys)));
        sets.map(move |(index, keys)| {
            let claim = Claim {
                headers,
                keys,
                providers: &self.providers,
                issuer_keys,
                now,
                window: self.settings.window,
                refuses_replays: self.settings.refuses_replays,
            };
            (index, claim)
        })
    }

    /// The id that the sender gave the delivery, at most 128 visible ASCII characters.
    #[must_use]
    pub fn delivery_id<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        self.sender.delivery_id(headers)
    }

    /// Whether [`Hook::interpret`] needs the body; if not, it may be dropped as it goes by.
    #[must_use]
    pub fn interprets_body(&self) -> bool {
        self.reads_body() || self.is_filtered()
    }

    /// Whether the body must be what the sender sends.
    fn reads_body(&self) -> bool {
        self.sender.decodes() || (self.sender.names_events_in_body() && !self.events.is_empty())
    }

    /// Reads the event of a delivery that is proven, and its body if the hook needs it.
    ///
    /// `body` is nothing when it is larger than [`MAX_INTERPRETED_BYTES`].
    pub fn interpret(
        &self,
        _: &Authentic,
        headers: &HeaderMap,
        body: Option<&[u8]>,
    ) -> Result<Event, Uninterpretable> {
        if self.interprets_body() && body.is_none() {
            return Err(Uninterpretable::TooLarge);
        }
        let name = if let Some(body) = body.filter(|_| self.reads_body()) {
            self.sender.decode(body)?;
            let name = self.sender.event(headers, body)?;
            if name.len() > MAX_EVENT_BYTES {
                return Err(Malformed::new("the name of the event is too long").into());
            }
            name
        } else {
            self.sender.event_in_header(headers).to_owned()
        };
        Ok(Event { name })
    }

    /// Whether the Receiver wants the event: it lists none, the sender names none, or the name is on its list.
    #[must_use]
    pub fn admits(&self, event: &Event) -> bool {
        let is_filtered = self.sender.names_events() && !self.events.is_empty();
        !is_filtered
            || self
                .events
                .iter()
                .any(|listed| equal_fold(listed, &event.name))
    }
}
