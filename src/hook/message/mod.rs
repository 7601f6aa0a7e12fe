//! What a sender signed, as far as it can be known again.
//!
//! Whether it was seen before is not known here.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// The digest of all that a sender signed of one delivery, and of nothing else; it cannot be printed.
///
/// Neither the key nor the algorithm of the signature matters, so that a delivery that carries two is the same by either.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageDigest([u8; 32]);

impl MessageDigest {
    /// Digests a message that is there as a whole.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        Self(Sha256::digest(message).into())
    }

    /// The digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for MessageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageDigest(..)")
    }
}

/// Takes in a signed message in pieces, if somebody wants to know it again.
pub(super) struct Digesting(Option<Sha256>);

impl Digesting {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self(is_wanted.then(Sha256::new))
    }

    pub(super) fn update(&mut self, chunk: &[u8]) {
        if let Some(digest) = &mut self.0 {
            digest.update(chunk);
        }
    }

    pub(super) fn finish(self) -> Option<MessageDigest> {
        self.0.map(|digest| MessageDigest(digest.finalize().into()))
    }
}

#[cfg(test)]
mod tests;
