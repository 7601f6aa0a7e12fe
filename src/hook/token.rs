//! The secret that a Receiver shares with its sender.
//!
//! A token cannot be printed, is compared in constant time, and is wiped from memory when dropped.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// A shared secret; the token of a Receiver is neither empty nor blank.
#[derive(Clone)]
pub struct Token(Zeroizing<Vec<u8>>);

/// A token was empty or only white space, which would let anyone in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is empty or blank; anyone could pass for the sender")]
pub struct BlankToken;

impl Token {
    /// Takes the bytes as they are: a trailing newline counts, as it does in Flux.
    pub fn new(bytes: Vec<u8>) -> Result<Self, BlankToken> {
        let bytes = Zeroizing::new(bytes);
        if bytes.trim_ascii().is_empty() {
            Err(BlankToken)
        } else {
            Ok(Self(bytes))
        }
    }

    /// Whether `candidate` is this token; the time taken tells neither the content nor the length of the token.
    #[must_use]
    pub fn matches(&self, candidate: &[u8]) -> bool {
        Sha256::digest(&*self.0)
            .ct_eq(&Sha256::digest(candidate))
            .into()
    }

    /// Takes the bytes of a key other than the token, which its sender has yet to judge.
    pub(super) fn unjudged(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.as_bytes())
    }
}

impl Eq for Token {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_tokens_are_refused() {
        for blank in ["", " ", "\n", "\t \r\n"] {
            assert_eq!(
                Token::new(blank.into()).unwrap_err(),
                BlankToken,
                "{blank:?}"
            );
        }
    }

    #[test]
    fn only_the_exact_bytes_match() {
        let token = Token::new(b"s3cret".to_vec()).unwrap();
        assert!(token.matches(b"s3cret"));
        for other in [&b"s3creT"[..], b"s3cre", b"s3cret\n", b"", b"s3cret0"] {
            assert!(!token.matches(other), "{other:?}");
        }
    }

    #[test]
    fn debug_output_does_not_show_a_token() {
        assert_eq!(
            format!("{:?}", Token::new(b"s3cret".to_vec()).unwrap()),
            "Token(..)"
        );
    }
}
