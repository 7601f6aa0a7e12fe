//! Tokens that an issuer signs: JSON Web Tokens in compact notation (RFC 7519), and the keys they are checked with.
//!
//! Which issuer may sign, and what a token must claim, is for a sender to say; where keys come from is for the ingress.

mod algorithm;
mod claims;
mod discovery;
mod keys;
mod refused;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use algorithm::Algorithm;
pub(super) use claims::{Claims, is_before};
pub use discovery::{Discovery, InvalidDocument};
pub use keys::{IssuerKeys, KeyRequest, KeySet, KeySource};
pub(super) use refused::Quoted;
pub use refused::RefusedToken;

use super::message::MessageDigest;

/// The longest token that is looked at, in bytes; those of issuers have one or two thousand.
const MAX_BYTES: usize = 16 * 1024;

/// A token that proves nothing yet.
#[derive(Clone, Debug)]
pub(super) struct Jwt {
    algorithm: Algorithm,
    key_id: Option<String>,
    claims: Claims,
    /// What is signed: the first two segments, with the dot.
    signed: String,
    signature: Vec<u8>,
}

impl Jwt {
    /// Reads a token of at most [`MAX_BYTES`], as it was sent.
    pub(super) fn parse(token: &[u8]) -> Result<Self, RefusedToken> {
        let malformed = |problem| RefusedToken::Malformed(problem);
        if token.len() > MAX_BYTES {
            return Err(malformed("it is longer than 16384 bytes"));
        }
        let token = str::from_utf8(token).map_err(|_| malformed("it is not ASCII"))?;
        let mut segments = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) = (
            segments.next(),
            segments.next(),
            segments.next(),
            segments.next(),
        ) else {
            return Err(malformed("it has not three segments"));
        };
        let signed = format!("{header}.{claims}");
        let header = object(header).ok_or(malformed("its header is not base64url of an object"))?;
        let claims =
            object(claims).ok_or(malformed("its payload is not base64url of an object"))?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature);
        Ok(Self {
            algorithm: algorithm_of(&header)?,
            key_id: key_id_of(&header)?,
            claims: Claims(claims),
            signed,
            signature: signature.map_err(|_| malformed("its signature is not base64url"))?,
        })
    }

    /// What the token claims, true or not.
    pub(super) fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The id of the key that the token says it is signed with.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// What is signed of it, as it can be known again.
    pub(super) fn digest(&self) -> MessageDigest {
        MessageDigest::of(self.signed.as_bytes())
    }

    /// What the token claims, if the issuer that has these keys signed it.
    pub(super) fn proven(self, keys: Option<&IssuerKeys>) -> Result<Claims, RefusedToken> {
        keys.ok_or(RefusedToken::NoKeys)?.check(&self)?;
        Ok(self.claims)
    }
}

/// The object in a segment; of members that are there twice the last counts.
fn object(segment: &str) -> Option<Map<String, Value>> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(segment).ok()?;
    serde_json::from_slice(&json).ok()
}

fn algorithm_of(header: &Map<String, Value>) -> Result<Algorithm, RefusedToken> {
    if header.contains_key("crit") {
        return Err(RefusedToken::Malformed(
            "its header has critical extensions",
        ));
    }
    let name = header.get("alg").and_then(Value::as_str);
    let name = name.ok_or(RefusedToken::Malformed("its header names no algorithm"))?;
    match Algorithm::of(name) {
        Some(algorithm) if algorithm.is_checkable() => Ok(algorithm),
        Some(_) => Err(RefusedToken::UncheckableAlgorithm),
        None => Err(RefusedToken::RefusedAlgorithm(Quoted::new(name))),
    }
}

fn key_id_of(header: &Map<String, Value>) -> Result<Option<String>, RefusedToken> {
    match header.get("kid") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if id.is_empty() => Ok(None),
        Some(Value::String(id)) => Ok(Some(id.clone())),
        Some(_) => Err(RefusedToken::Malformed("the id of its key is not a string")),
    }
}

#[cfg(test)]
mod tests;
