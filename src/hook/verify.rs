//! From the bytes of a delivery to the proof that its sender knows the shared secret.
//!
//! Nothing here looks inside a body: it only goes by.

use std::time::Duration;

use http::{HeaderMap, header::AUTHORIZATION};
use jiff::Timestamp;

use super::{
    form::FormPayload,
    jwt::{Claims, IssuerKeys, RefusedToken},
    keys::Keys,
    mac::{Algorithm, Signature, SignedBody},
    message::{Digesting, MessageDigest},
    provider::Provider,
    unauthentic::Unauthentic,
    webhook::SignedMessage,
};

/// A delivery whose sender is proven, and which of the hook's secrets proved it; only [`Verifier::finish`] makes one.
#[derive(Debug)]
pub struct Authentic {
    pub(super) sets: Vec<usize>,
    /// What its sender signed, if the Receiver must know that again.
    message: Option<MessageDigest>,
    /// What an issuer vouches for, where one does.
    pub(super) claims: Option<Claims>,
}

/// Takes in a body piece by piece and tells at its end whether the sender is proven, by one of several sets of secrets.
pub struct Verifier(Vec<(usize, Proof)>);

enum Proof {
    Path,
    Signature(SignedBody),
    Form(SignedBody, FormPayload),
    Message(SignedMessage),
    Token { matched: bool },
    Vouched(Vouched),
}

/// What an issuer signed.
#[derive(Default)]
pub(super) struct Vouched {
    /// What it vouches for, where that matters.
    pub(super) claims: Option<Claims>,
    /// What its token is known by, if the Receiver must know it again.
    pub(super) message: Option<MessageDigest>,
}

impl Authentic {
    /// What its sender signed, if the Receiver refuses what was signed before.
    #[must_use]
    pub fn message(&self) -> Option<&MessageDigest> {
        self.message.as_ref()
    }
}

impl Verifier {
    /// The path was the credential: whoever knows it is the sender.
    pub(super) fn path() -> Self {
        Self::of(Proof::Path)
    }

    /// The sender signed the body and wrote `<algorithm>=<hex>` in `header`.
    pub(super) fn signature(claim: &Claim<'_>, header: &'static str) -> Result<Self, Unauthentic> {
        let signature = Signature::parse(claim.credential(header)?)?;
        Ok(Self::signed(claim, signature))
    }

    /// The sender signed the body and wrote the lowercase hexadecimal digits in `header`.
    pub(super) fn bare_signature(
        claim: &Claim<'_>,
        header: &'static str,
        algorithm: Algorithm,
    ) -> Result<Self, Unauthentic> {
        let signature = Signature::parse_bare(algorithm, claim.credential(header)?)?;
        Ok(Self::signed(claim, signature))
    }

    /// The same, but what is signed is the payload of a form.
    pub(super) fn bare_form_signature(
        claim: &Claim<'_>,
        header: &'static str,
        algorithm: Algorithm,
    ) -> Result<Self, Unauthentic> {
        let signature = Signature::parse_bare(algorithm, claim.credential(header)?)?;
        let signed = SignedBody::new(signature, &claim.keys.tokens, claim.digesting());
        Ok(Self::of(Proof::Form(signed, FormPayload::new())))
    }

    /// The sender signed id, time and body, as in Standard Webhooks.
    pub(super) fn message(claim: &Claim<'_>) -> Result<Self, Unauthentic> {
        Ok(Self::of(Proof::Message(SignedMessage::of(claim)?)))
    }

    fn signed(claim: &Claim<'_>, signature: Signature) -> Self {
        let signed = SignedBody::new(signature, &claim.keys.tokens, claim.digesting());
        Self::of(Proof::Signature(signed))
    }

    /// The sender wrote the token itself in `header`.
    pub(super) fn token(claim: &Claim<'_>, header: &'static str) -> Result<Self, Unauthentic> {
        let candidate = claim.credential(header)?;
        let tokens = claim.keys.tokens.iter();
        let matched = tokens.fold(false, |matched, token| token.matches(candidate) | matched);
        Ok(Self::of(Proof::Token { matched }))
    }

    fn of(proof: Proof) -> Self {
        Self(vec![(0, proof)])
    }

    /// One of the sets of secrets must prove the sender; a set whose credential the head lacks is out of the running.
    ///
    /// If all are, the error is that of the first.
    pub(super) fn any_of(
        sets: impl Iterator<Item = (usize, Result<Self, Unauthentic>)>,
    ) -> Result<Self, Unauthentic> {
        let (mut proofs, mut failure) = (Vec::new(), None);
        for (set, verifier) in sets {
            match verifier {
                Ok(Self(own)) => proofs.extend(own.into_iter().map(|(_, proof)| (set, proof))),
                Err(unauthentic) => failure = failure.or(Some(unauthentic)),
            }
        }
        match failure {
            Some(unauthentic) if proofs.is_empty() => Err(unauthentic),
            _ => Ok(Self(proofs)),
        }
    }

    /// An issuer vouches for the sender.
    pub(super) fn vouched_for(vouched: Vouched) -> Self {
        Self::of(Proof::Vouched(vouched))
    }

    /// Takes in the next piece of the body.
    pub fn update(&mut self, chunk: &[u8]) {
        for (_, proof) in &mut self.0 {
            proof.update(chunk);
        }
    }

    /// Tells, after the last piece, whether the sender is proven; each set is tried, also after a match.
    pub fn finish(self) -> Result<Authentic, Unauthentic> {
        let (mut sets, mut failure) = (Vec::new(), Unauthentic::MissingCredential);
        let mut vouched = Vouched::default();
        for (set, proof) in self.0.into_iter().rev() {
            match proof.finish() {
                Ok(proven) => {
                    sets.push(set);
                    vouched = proven;
                }
                Err(unauthentic) => failure = unauthentic,
            }
        }
        sets.reverse();
        if sets.is_empty() {
            Err(failure)
        } else {
            let Vouched { claims, message } = vouched;
            Ok(Authentic {
                sets,
                message,
                claims,
            })
        }
    }
}

impl Proof {
    fn update(&mut self, chunk: &[u8]) {
        match self {
            Self::Signature(signed) => signed.update(chunk),
            Self::Form(signed, payload) => signed.update(&payload.decode(chunk)),
            Self::Message(message) => message.update(chunk),
            Self::Path | Self::Token { .. } | Self::Vouched(_) => {}
        }
    }

    fn finish(self) -> Result<Vouched, Unauthentic> {
        let ((proven, message), otherwise) = match self {
            Self::Path => return Ok(Vouched::default()),
            Self::Vouched(vouched) => return Ok(vouched),
            Self::Form(_, payload) if !payload.is_whole() => {
                return Err(Unauthentic::MalformedForm);
            }
            Self::Signature(signed) | Self::Form(signed, _) => {
                (signed.finish(), Unauthentic::WrongSignature)
            }
            Self::Message(message) => ((true, message.finish()?), Unauthentic::WrongSignature),
            Self::Token { matched } => ((matched, None), Unauthentic::WrongToken),
        };
        let vouched = Vouched {
            claims: None,
            message,
        };
        proven.then_some(vouched).ok_or(otherwise)
    }
}

/// What a sender says in the head of a request, and what it is checked against.
pub(super) struct Claim<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) keys: &'a Keys,
    /// The issuers that the Receiver trusts.
    pub(super) providers: &'a [Provider],
    /// The keys of the issuer that the credential needs, if it needs any.
    pub(super) issuer_keys: Option<&'a IssuerKeys>,
    pub(super) now: Timestamp,
    /// How far a signed time may be from now.
    pub(super) window: Duration,
    /// Whether what is signed must be known again.
    pub(super) refuses_replays: bool,
}

impl<'a> Claim<'a> {
    /// Takes in what is signed, if it must be known again.
    pub(super) fn digesting(&self) -> Digesting {
        Digesting::new(self.refuses_replays)
    }

    /// What follows `Bearer ` in the header for authorization.
    pub(super) fn bearer(&self) -> Result<&'a [u8], RefusedToken> {
        let header = self.credential(AUTHORIZATION.as_str());
        let token = header.ok().and_then(|value| value.strip_prefix(b"Bearer "));
        token.ok_or(RefusedToken::NotBearer)
    }

    /// The one value of a header that must be there exactly once and not be empty.
    pub(super) fn credential(&self, header: &str) -> Result<&'a [u8], Unauthentic> {
        let mut values = self.headers.get_all(header).iter();
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
}
