//! The discovery document of an issuer: where its keys are, and what it signs with.
//!
//! <https://openid.net/specs/openid-connect-discovery-1_0.html>. Nothing else of the document is looked at.

use serde_json::Value;

use super::{
    algorithm::Algorithm,
    keys::{IssuerKeys, KeySet},
};

/// What the discovery document of an issuer says of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    jwks_uri: String,
    algorithms: Vec<Algorithm>,
}

/// Why a document of an issuer cannot be used; it quotes nothing of the document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDocument {
    /// It is not JSON.
    #[error("it is not JSON")]
    NotJson,
    /// A discovery document is another issuer's.
    #[error("its `issuer` is not the issuerURL, to the letter")]
    AnotherIssuer,
    /// A discovery document does not say where the keys are.
    #[error("it has no `jwks_uri`")]
    NoKeysUrl,
    /// A key set has no list of keys.
    #[error("it has no list `keys`")]
    NoKeys,
    /// A key set is too large.
    #[error("it has more than {0} keys")]
    TooManyKeys(usize),
}

impl Discovery {
    /// Where the discovery document of an issuer is.
    #[must_use]
    pub fn url(issuer: &str) -> String {
        let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
        format!("{issuer}/.well-known/openid-configuration")
    }

    /// Reads the discovery document of `issuer`.
    pub fn parse(document: &[u8], issuer: &str) -> Result<Self, InvalidDocument> {
        let document: Value =
            serde_json::from_slice(document).map_err(|_| InvalidDocument::NotJson)?;
        let text = |name| document.get(name).and_then(Value::as_str);
        if text("issuer") != Some(issuer) {
            return Err(InvalidDocument::AnotherIssuer);
        }
        let jwks_uri = text("jwks_uri").ok_or(InvalidDocument::NoKeysUrl)?;
        let named = document.get("id_token_signing_alg_values_supported");
        let named = named.and_then(Value::as_array).into_iter().flatten();
        let mut algorithms: Vec<_> = named
            .filter_map(|name| Algorithm::of(name.as_str()?))
            .collect();
        if algorithms.is_empty() {
            algorithms.push(Algorithm::Rs256);
        }
        Ok(Self {
            jwks_uri: jwks_uri.to_owned(),
            algorithms,
        })
    }

    /// Where the keys are.
    #[must_use]
    pub fn jwks_uri(&self) -> &str {
        &self.jwks_uri
    }

    /// The keys of the issuer, for the algorithms that it signs with.
    #[must_use]
    pub fn with_keys(&self, keys: KeySet) -> IssuerKeys {
        IssuerKeys {
            algorithms: self.algorithms.clone(),
            keys,
        }
    }
}
