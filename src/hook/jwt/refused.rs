//! The reasons why the token of an issuer is refused.
//!
//! They are for the operator; what a token says of itself is quoted short, and its signature never.

use std::fmt;

/// Why the token of an issuer proves nothing: for the operator, never for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedToken {
    /// The header does not begin with `Bearer `, in this spelling.
    #[error("the Authorization header is missing or malformed")]
    NotBearer,
    /// Nothing follows `Bearer `.
    #[error("the Authorization header is missing a bearer token")]
    NoToken,
    /// The token is not three segments of base64url, with JSON in the first two.
    #[error("token is not a JWT: {0}")]
    Malformed(&'static str),
    /// The token says nothing of its issuer, or not in a string.
    #[error("token is missing the 'iss' claim")]
    NoIssuer,
    /// The Receiver does not know the issuer.
    #[error("no oidcProvider configured for issuer {0}")]
    UnknownIssuer(Quoted),
    /// The issuer is not Google.
    #[error("token issuer is {0}, want 'accounts.google.com' or 'https://accounts.google.com'")]
    NotGoogle(Quoted),
    /// The algorithm is none that the issuer or the sender signs with.
    #[error("token is signed with {0}, which is not accepted here")]
    RefusedAlgorithm(Quoted),
    /// The algorithm is right, but there is no way to check it.
    #[error("token is signed with ES512, which hookgate cannot check; let the issuer use another")]
    UncheckableAlgorithm,
    /// The token is for somebody else.
    #[error("token is for another audience")]
    WrongAudience,
    /// The token has expired, or does not say when it does.
    #[error("token expired, or without an expiry")]
    Expired,
    /// The token is not to be used yet.
    #[error("token is not valid yet")]
    NotYetValid,
    /// The issuer has no key of this name.
    #[error("the issuer has no key with the id {0}")]
    UnknownKey(Quoted),
    /// The token does not name a key.
    #[error("token names no key")]
    NoKeyId,
    /// The keys of the issuer were not at hand.
    #[error("the keys of the issuer are not known")]
    NoKeys,
    /// The signature is not the issuer's.
    #[error("the signature of the token is not the issuer's")]
    WrongSignature,
    /// The token is that of another service account than the Secret names.
    #[error("token email is {0}, want the one in the Secret")]
    WrongEmail(Quoted),
    /// Google does not vouch for the address.
    #[error("token email {0} is not verified")]
    UnverifiedEmail(Quoted),
    /// A rule of the Receiver about the claims is not met, or could not be evaluated.
    #[error("{0}")]
    Invalid(String),
}

/// What a token says of itself, at most 200 characters of it, in quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted(String);

impl Quoted {
    const MAX_CHARS: usize = 200;

    pub(in crate::hook) fn new(text: &str) -> Self {
        Self(text.chars().take(Self::MAX_CHARS).collect())
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
