//! What credentials are checked against, as one sender reads it from a Secret.
//!
//! A hook without keys admits nobody who must prove something.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::token::Token;

/// The keys of one set of secrets; comparing them takes constant time for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Keys {
    /// Tokens that are sent along, or that key a digest over the body.
    pub(super) tokens: Vec<Token>,
    /// Keys for signatures over id, time and body.
    pub(super) signing: Vec<SigningKey>,
    /// Whom an issuer must vouch for.
    pub(super) account: Option<ServiceAccount>,
}

/// A service account of Google, and whom its tokens must be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceAccount {
    /// Its address.
    pub(super) email: Token,
    /// The audience.
    pub(super) audience: Token,
}

impl Keys {
    /// No keys, by which nobody who must prove something is admitted.
    pub(super) const NONE: Self = Self {
        tokens: Vec::new(),
        signing: Vec::new(),
        account: None,
    };

    /// One token.
    pub(super) fn token(token: Token) -> Self {
        Self {
            tokens: vec![token],
            ..Self::default()
        }
    }
}

/// A key in the notation of Standard Webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SigningKey {
    /// Shared with the sender, for HMAC-SHA-256.
    Shared(Token),
    /// The public half of the sender's ed25519 key.
    Public([u8; PUBLIC_KEY_BYTES]),
}

const PUBLIC_KEY_BYTES: usize = 32;
/// How long Standard Webhooks lets a shared key be.
const SHARED_KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

impl SigningKey {
    /// Reads `whsec_` and base64; the prefix may be missing. The error follows the name of a Secret's key.
    pub(super) fn shared(text: &Token) -> Result<Self, &'static str> {
        let text = text.as_bytes();
        let encoded = text.strip_prefix(b"whsec_").unwrap_or(text);
        let key = BASE64_STANDARD.decode(encoded).ok();
        key.filter(|key| SHARED_KEY_BYTES.contains(&key.len()))
            .map(|key| Self::Shared(Token::unjudged(key)))
            .ok_or("must be `whsec_` and 24 to 64 bytes in base64, without white space")
    }

    /// Reads `whpk_` and base64. The error follows the name of a Secret's key.
    pub(super) fn public(text: &Token) -> Result<Self, &'static str> {
        let encoded = text.as_bytes().strip_prefix(b"whpk_");
        let key = encoded.and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
        key.and_then(|key| key.try_into().ok())
            .map(Self::Public)
            .ok_or("must be `whpk_` and an ed25519 key of 32 bytes in base64, without white space")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        Token::unjudged(text.into())
    }

    #[test]
    fn keys_are_base64_of_the_right_length() {
        let bytes = |count: usize| BASE64_STANDARD.encode(vec![7; count]);
        for (count, is_shared) in [(0, false), (23, false), (24, true), (64, true), (65, false)] {
            for prefix in ["whsec_", ""] {
                let key = SigningKey::shared(&token(&format!("{prefix}{}", bytes(count))));
                assert_eq!(key.is_ok(), is_shared, "{prefix}, {count}");
            }
        }
        for (count, is_public) in [(31, false), (32, true), (33, false)] {
            let key = SigningKey::public(&token(&format!("whpk_{}", bytes(count))));
            assert_eq!(key.is_ok(), is_public, "{count}");
        }
        for text in [
            &format!("{}\n", bytes(24)),
            &bytes(25).replace('=', ""),
            "whpk_",
            "",
            "not base64",
        ] {
            assert!(SigningKey::shared(&token(text)).is_err(), "{text:?}");
            assert!(SigningKey::public(&token(text)).is_err(), "{text:?}");
        }
        assert!(SigningKey::public(&token(&bytes(32))).is_err());
    }
}
