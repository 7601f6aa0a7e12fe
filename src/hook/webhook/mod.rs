//! The signatures of Standard Webhooks: over id, time and body, several in one header, by HMAC (`v1`) or ed25519 (`v1a`).
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>. Whether a message has
//! been seen before is not looked at here.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::{
    delivery::MAX_INTERPRETED_BYTES,
    keys::SigningKey,
    mac::{Algorithm, SignedBody, digest},
    message::{Digesting, MessageDigest},
    token::Token,
    unauthentic::Unauthentic,
    verify::Claim,
};

/// The header that names the message.
pub(super) const ID: &str = "webhook-id";
/// The header that says when it was sent, in seconds since 1970.
pub(super) const TIMESTAMP: &str = "webhook-timestamp";
/// The header that holds the signatures.
pub(super) const SIGNATURE: &str = "webhook-signature";

/// The most signatures in one header; a rotation needs two.
const MAX_SIGNATURES: usize = 16;
/// The longest id that is taken, in bytes.
const MAX_ID_BYTES: usize = 256;
/// The most digits of a time, enough for thirty thousand years.
const MAX_TIME_DIGITS: usize = 12;

/// A message and its signatures, checked while the body goes by.
pub(super) struct SignedMessage {
    shared: SignedBody,
    public: Option<PubliclySigned>,
}

/// What ed25519 needs all of the message for.
struct PubliclySigned {
    keys: Vec<[u8; 32]>,
    signatures: Vec<Vec<u8>>,
    /// Nothing when the message is too large.
    message: Option<Vec<u8>>,
}

impl SignedMessage {
    /// Finds id, time and signatures in the head of a request; the time must be within the window.
    pub(super) fn of(claim: &Claim<'_>) -> Result<Self, Unauthentic> {
        let id = claim.credential(ID)?;
        let time = claim.credential(TIMESTAMP)?;
        let signatures = Signatures::parse(claim.credential(SIGNATURE)?)?;
        check_id(id)?;
        check_time(time, claim)?;
        let mut message = Self::new(&claim.keys.signing, signatures, claim.digesting());
        message.update(&envelope(id, time));
        Ok(message)
    }

    fn new(keys: &[SigningKey], signatures: Signatures, digesting: Digesting) -> Self {
        let shared = keys.iter().filter_map(|key| match key {
            SigningKey::Shared(key) => Some(key),
            SigningKey::Public(_) => None,
        });
        let public: Vec<_> = keys
            .iter()
            .filter_map(|key| match key {
                SigningKey::Shared(_) => None,
                SigningKey::Public(key) => Some(*key),
            })
            .collect();
        let is_checked = !public.is_empty() && !signatures.public.is_empty();
        Self {
            shared: SignedBody::any_of(Algorithm::Sha256, signatures.shared, shared, digesting),
            public: is_checked.then_some(PubliclySigned {
                keys: public,
                signatures: signatures.public,
                message: Some(Vec::new()),
            }),
        }
    }

    pub(super) fn update(&mut self, chunk: &[u8]) {
        self.shared.update(chunk);
        if let Some(public) = &mut self.public {
            public.update(chunk);
        }
    }

    /// Compares every signature with every key; gives what id, time and body are known by, if that is wanted.
    pub(super) fn finish(self) -> Result<Option<MessageDigest>, Unauthentic> {
        let (is_shared, message) = self.shared.finish();
        let public = self.public.map_or(Ok(false), PubliclySigned::matches);
        match (is_shared, public) {
            (true, _) | (_, Ok(true)) => Ok(message),
            (false, Ok(false)) => Err(Unauthentic::WrongSignature),
            (false, Err(unauthentic)) => Err(unauthentic),
        }
    }
}

impl PubliclySigned {
    fn update(&mut self, chunk: &[u8]) {
        let message = self.message.take();
        let room = |message: &Vec<u8>| message.len() + chunk.len() <= MAX_INTERPRETED_BYTES;
        self.message = message.filter(room).map(|mut message| {
            message.extend_from_slice(chunk);
            message
        });
    }

    fn matches(self) -> Result<bool, Unauthentic> {
        let message = self.message.ok_or(Unauthentic::TooLargeToCheck)?;
        Ok(self.keys.iter().any(|key| {
            let key = UnparsedPublicKey::new(&ED25519, key);
            let mut signatures = self.signatures.iter();
            signatures.any(|signature| key.verify(&message, signature).is_ok())
        }))
    }
}

/// The signatures of a header, by kind.
struct Signatures {
    shared: Vec<Vec<u8>>,
    public: Vec<Vec<u8>>,
}

impl Signatures {
    /// Reads `v1,<base64>` and `v1a,<base64>`, separated by single spaces; other versions are passed over.
    fn parse(text: &[u8]) -> Result<Self, Unauthentic> {
        let text = str::from_utf8(text).map_err(|_| Unauthentic::MalformedSignature)?;
        let (mut shared, mut public) = (Vec::new(), Vec::new());
        for (index, signature) in text.split(' ').enumerate() {
            let (version, encoded) = signature
                .split_once(',')
                .filter(|_| index < MAX_SIGNATURES)
                .ok_or(Unauthentic::MalformedSignature)?;
            let (list, bytes) = match version {
                "v1" => (&mut shared, 32),
                "v1a" => (&mut public, 64),
                _ => continue,
            };
            let signature = BASE64_STANDARD.decode(encoded).ok();
            let signature = signature.filter(|signature| signature.len() == bytes);
            list.push(signature.ok_or(Unauthentic::MalformedSignature)?);
        }
        if shared.is_empty() && public.is_empty() {
            return Err(Unauthentic::UnknownAlgorithm);
        }
        Ok(Self { shared, public })
    }
}

/// What stands before the body in a signed message; neither part may hold the dot that separates them.
fn envelope(id: &[u8], time: &[u8]) -> Vec<u8> {
    [id, b".", time, b"."].concat()
}

fn check_id(id: &[u8]) -> Result<(), Unauthentic> {
    let is_visible = |byte: &u8| byte.is_ascii_graphic() && *byte != b'.';
    if id.len() <= MAX_ID_BYTES && id.iter().all(is_visible) {
        Ok(())
    } else {
        Err(Unauthentic::MalformedEnvelope)
    }
}

fn check_time(time: &[u8], claim: &Claim<'_>) -> Result<(), Unauthentic> {
    let digits = str::from_utf8(time).ok().filter(|text| {
        text.len() <= MAX_TIME_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
    });
    let seconds: i64 = digits
        .and_then(|digits| digits.parse().ok())
        .ok_or(Unauthentic::MalformedEnvelope)?;
    let distance = claim.now.as_second().abs_diff(seconds);
    if distance <= claim.window.as_secs() {
        Ok(())
    } else {
        Err(Unauthentic::OutsideWindow)
    }
}

/// Signs a message as a sender would, for the value of [`SIGNATURE`].
pub(super) fn sign(key: &Token, id: &str, now: Timestamp, body: &[u8]) -> String {
    let time = now.as_second().to_string();
    let message = [&envelope(id.as_bytes(), time.as_bytes()), body].concat();
    let digest = digest(Algorithm::Sha256, key, &message);
    format!("v1,{}", BASE64_STANDARD.encode(digest))
}

#[cfg(test)]
mod tests;
