//! The reasons why a sender is not proven.
//!
//! They are for the operator: an unproven caller is told none of them.

use super::{certificate::RefusedCertificate, jwt::RefusedToken};

/// Why a sender is not proven: for the operator, never for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthentic {
    /// The header that holds the credential is absent or empty.
    #[error("the credential is missing")]
    MissingCredential,
    /// The header that holds the credential is there more than once.
    #[error("the credential is given more than once")]
    RepeatedCredential,
    /// The signature is not written the way the sender writes it, or not of the right length.
    #[error("the signature is malformed")]
    MalformedSignature,
    /// The algorithm is not one that the sender uses.
    #[error("the signature has an unknown algorithm")]
    UnknownAlgorithm,
    /// The id or the time that the signature covers is not written as it should be.
    #[error("the signed id or time is malformed")]
    MalformedEnvelope,
    /// The time that the signature covers is too far from now.
    #[error("the delivery was not signed within the replay window")]
    OutsideWindow,
    /// The body is not one form field called `payload`, so there is nothing that could be signed.
    #[error("the body is not a form with one field `payload`")]
    MalformedForm,
    /// The body must be kept until its signature is checked, and is too large for that.
    #[error("the body is too large for its kind of signature")]
    TooLargeToCheck,
    /// The signature is not that of the body under any live token.
    #[error("the signature does not match the body")]
    WrongSignature,
    /// The token sent is not a live one.
    #[error("the token does not match")]
    WrongToken,
    /// The token of an issuer is refused.
    #[error(transparent)]
    Refused(#[from] RefusedToken),
    /// The certificate of the client is refused, whatever the credential.
    #[error(transparent)]
    Certificate(#[from] RefusedCertificate),
}
