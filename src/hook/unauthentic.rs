//! The reasons why a sender is not proven.
//!
//! They are for the operator: an unproven caller is told none of them.

/// Why a sender is not proven: for the operator, never for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthentic {
    /// The header that holds the credential is absent or empty.
    #[error("the credential is missing")]
    MissingCredential,
    /// The header that holds the credential is there more than once.
    #[error("the credential is given more than once")]
    RepeatedCredential,
    /// The signature is not `<algorithm>=<hex>` of the right length.
    #[error("the signature is malformed")]
    MalformedSignature,
    /// The algorithm is not one of `sha1`, `sha256`, `sha512`.
    #[error("the signature has an unknown algorithm")]
    UnknownAlgorithm,
    /// The signature is not that of the body under any live token.
    #[error("the signature does not match the body")]
    WrongSignature,
    /// The token sent is not a live one.
    #[error("the token does not match")]
    WrongToken,
}
