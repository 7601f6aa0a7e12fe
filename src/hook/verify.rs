//! From the bytes of a delivery to the proof that its sender knows the shared token.
//!
//! Nothing here looks inside a body: it only goes by.

use http::HeaderMap;

use super::{
    mac::{Signature, SignedBody},
    token::Token,
    unauthentic::Unauthentic,
};

/// A delivery whose sender is proven; only [`Verifier::finish`] makes one.
#[derive(Debug)]
pub struct Authentic(());

/// Takes in a body piece by piece and tells at its end whether the sender is proven.
pub struct Verifier(Proof);

enum Proof {
    Path,
    Signature(SignedBody),
    Token { matched: bool },
}

impl Verifier {
    /// The path was the credential: whoever knows it is the sender.
    pub(super) fn path() -> Self {
        Self(Proof::Path)
    }

    /// The sender signed the body and wrote `<algorithm>=<hex>` in `header`.
    pub(super) fn signature(
        headers: &HeaderMap,
        header: &'static str,
        tokens: &[Token],
    ) -> Result<Self, Unauthentic> {
        let signature = Signature::parse(credential(headers, header)?)?;
        Ok(Self(Proof::Signature(SignedBody::new(signature, tokens))))
    }

    /// The sender wrote the token itself in `header`.
    pub(super) fn token(
        headers: &HeaderMap,
        header: &'static str,
        tokens: &[Token],
    ) -> Result<Self, Unauthentic> {
        let candidate = credential(headers, header)?;
        let matched = tokens
            .iter()
            .fold(false, |matched, token| token.matches(candidate) | matched);
        Ok(Self(Proof::Token { matched }))
    }

    /// Takes in the next piece of the body.
    pub fn update(&mut self, chunk: &[u8]) {
        if let Proof::Signature(signed) = &mut self.0 {
            signed.update(chunk);
        }
    }

    /// Tells, after the last piece, whether the sender is proven.
    pub fn finish(self) -> Result<Authentic, Unauthentic> {
        let (proven, otherwise) = match self.0 {
            Proof::Path => return Ok(Authentic(())),
            Proof::Signature(signed) => (signed.matches(), Unauthentic::WrongSignature),
            Proof::Token { matched } => (matched, Unauthentic::WrongToken),
        };
        if proven {
            Ok(Authentic(()))
        } else {
            Err(otherwise)
        }
    }
}

/// The one value of a header that must be there exactly once and not be empty.
fn credential<'h>(headers: &'h HeaderMap, header: &'static str) -> Result<&'h [u8], Unauthentic> {
    let mut values = headers.get_all(header).iter();
    let value = values.next().ok_or(Unauthentic::MissingCredential)?;
    if values.next().is_some() {
        return Err(Unauthentic::RepeatedCredential);
    }
    if value.is_empty() {
        Err(Unauthentic::MissingCredential)
    } else {
        Ok(value.as_bytes())
    }
}
