//! The keys of an issuer (RFC 7517), and what must be known to fetch them.
//!
//! Reading is bounded and pure; fetching and keeping them is for the ingress.

use std::{fmt, sync::Arc};

use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::Value;

use super::{
    Jwt,
    algorithm::{Algorithm, PublicKey},
    discovery::InvalidDocument,
    refused::{Quoted, RefusedToken},
};

/// The most keys that an issuer may have; each may be tried for a token that names none.
const MAX_KEYS: usize = 64;

/// Base64url, padded or not: keys are written by hand, too.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where the keys of an issuer are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// Where the discovery document of the issuer with this URL says.
    Discovered(Arc<str>),
    /// Where Google publishes the keys that it signs with RS256.
    Google,
    /// Where Google publishes the keys that it signs with ES256.
    GoogleProxy,
}

/// What the keys of an issuer are needed for: a token that nothing but its signature speaks against.
#[derive(Clone, Debug)]
pub struct KeyRequest {
    pub(in crate::hook) source: KeySource,
    pub(in crate::hook) jwt: Jwt,
}

/// What signatures of an issuer are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerKeys {
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) keys: KeySet,
}

/// The usable keys of a JSON Web Key Set; those of other kinds, and those not for signatures, are passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    id: Option<String>,
    /// The only algorithm that the key is for; any that it can be used with if nothing is said.
    algorithm: Option<Algorithm>,
    material: PublicKey,
}

impl KeySource {
    /// Where the keys are that Google signs such a token with.
    pub(in crate::hook) fn of_google(jwt: &Jwt) -> Result<Self, RefusedToken> {
        match jwt.algorithm {
            Algorithm::Rs256 => Ok(Self::Google),
            Algorithm::Es256 => Ok(Self::GoogleProxy),
            other => Err(RefusedToken::RefusedAlgorithm(Quoted::new(other.name()))),
        }
    }
}

impl KeyRequest {
    /// Where the keys are.
    #[must_use]
    pub fn source(&self) -> &KeySource {
        &self.source
    }
}

impl IssuerKeys {
    /// The keys that Google publishes for itself, which no discovery document leads to.
    #[must_use]
    pub fn of_google(source: &KeySource, keys: KeySet) -> Self {
        let algorithm = match source {
            KeySource::GoogleProxy => Algorithm::Es256,
            KeySource::Google | KeySource::Discovered(_) => Algorithm::Rs256,
        };
        Self {
            algorithms: vec![algorithm],
            keys,
        }
    }

    /// Whether newer keys could not tell more of the token: the key it names is here, or it names none and is proven.
    #[must_use]
    pub fn suffice_for(&self, request: &KeyRequest) -> bool {
        let jwt = &request.jwt;
        !self.algorithms.contains(&jwt.algorithm)
            || match jwt.key_id() {
                Some(id) => self.keys.0.iter().any(|key| key.has_id(id)),
                None => self.check(jwt).is_ok(),
            }
    }

    /// How many usable keys there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.count()
    }

    /// Checks the signature of a token with the key that it names, or with all if it names none.
    pub(super) fn check(&self, jwt: &Jwt) -> Result<(), RefusedToken> {
        if !self.algorithms.contains(&jwt.algorithm) {
            let name = Quoted::new(jwt.algorithm.name());
            return Err(RefusedToken::RefusedAlgorithm(name));
        }
        let is_named = |key: &&Key| jwt.key_id().is_none_or(|id| key.has_id(id));
        let mut named = self.keys.0.iter().filter(is_named).peekable();
        if let (Some(id), None) = (jwt.key_id(), named.peek()) {
            return Err(RefusedToken::UnknownKey(Quoted::new(id)));
        }
        if named.any(|key| key.proves(jwt)) {
            Ok(())
        } else {
            Err(RefusedToken::WrongSignature)
        }
    }
}

impl KeySet {
    /// Reads a JSON Web Key Set of at most 64 keys.
    pub fn parse(document: &[u8]) -> Result<Self, InvalidDocument> {
        let document: Value =
            serde_json::from_slice(document).map_err(|_| InvalidDocument::NotJson)?;
        let keys = document.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or(InvalidDocument::NoKeys)?;
        if keys.len() > MAX_KEYS {
            return Err(InvalidDocument::TooManyKeys(MAX_KEYS));
        }
        Ok(Self(keys.iter().filter_map(Key::parse).collect()))
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

impl Key {
    fn parse(key: &Value) -> Option<Self> {
        let text = |name| key.get(name).and_then(Value::as_str);
        let bytes = |name| BASE64.decode(text(name)?).ok();
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let material = match (text("kty")?, text("crv")) {
            ("RSA", _) => PublicKey::Rsa {
                n: without_leading_zeros(bytes("n")?)?,
                e: without_leading_zeros(bytes("e")?)?,
            },
            ("EC", Some("P-256")) => PublicKey::P256(point(bytes("x")?, bytes("y")?, 32)?),
            ("EC", Some("P-384")) => PublicKey::P384(point(bytes("x")?, bytes("y")?, 48)?),
            ("OKP", Some("Ed25519")) => PublicKey::Ed25519(bytes("x").filter(|x| x.len() == 32)?),
            _ => return None,
        };
        let algorithm = match text("alg") {
            Some(name) => Some(Algorithm::of(name)?),
            None => None,
        };
        Some(Self {
            id: text("kid").map(str::to_owned),
            algorithm,
            material,
        })
    }

    fn has_id(&self, id: &str) -> bool {
        self.id.as_deref() == Some(id)
    }

    fn proves(&self, jwt: &Jwt) -> bool {
        self.algorithm.is_none_or(|only| only == jwt.algorithm)
            && (jwt.algorithm).proves(&self.material, jwt.signed.as_bytes(), &jwt.signature)
    }
}

fn without_leading_zeros(mut number: Vec<u8>) -> Option<Vec<u8>> {
    let first = number.iter().position(|byte| *byte != 0)?;
    Some(number.split_off(first))
}

fn point(x: Vec<u8>, y: Vec<u8>, length: usize) -> Option<Vec<u8>> {
    let is_whole = x.len() == length && y.len() == length;
    is_whole.then(|| [vec![4], x, y].concat())
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discovered(issuer) => issuer,
            Self::Google => "Google",
            Self::GoogleProxy => "Google Identity-Aware Proxy",
        })
    }
}
