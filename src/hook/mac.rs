//! Keyed digests over a body that arrives in pieces, and the two forms senders write them in: `<algorithm>=<hex>`, and
//! the hexadecimal digits alone.
//!
//! The only HMAC of the code base; senders decide which header holds it and which algorithms they accept.

use hmac::{Hmac, KeyInit, Mac as _};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq as _};

use super::{
    message::{Digesting, MessageDigest},
    token::Token,
    unauthentic::Unauthentic,
};

/// A digest algorithm that a sender may use for its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// HMAC-SHA-1: weak, accepted where Flux accepts it.
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

impl Algorithm {
    fn from_prefix(prefix: &str) -> Option<Self> {
        match prefix {
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn digest_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// A signature as a sender sent it, not yet compared with anything.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Signature {
    algorithm: Algorithm,
    digest: Vec<u8>,
}

impl Signature {
    /// Reads `<algorithm>=<hex>`; the algorithm is lowercase, the hexadecimal digits may be either case.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Unauthentic> {
        let text = str::from_utf8(text).map_err(|_| Unauthentic::MalformedSignature)?;
        let (prefix, hex) = text
            .split_once('=')
            .ok_or(Unauthentic::MalformedSignature)?;
        let algorithm = Algorithm::from_prefix(prefix).ok_or(Unauthentic::UnknownAlgorithm)?;
        let digest = hex::decode(hex).map_err(|_| Unauthentic::MalformedSignature)?;
        Self::of(algorithm, digest)
    }

    /// Reads the hexadecimal digits of a digest, which must be lowercase.
    pub(super) fn parse_bare(algorithm: Algorithm, text: &[u8]) -> Result<Self, Unauthentic> {
        if text.iter().any(u8::is_ascii_uppercase) {
            return Err(Unauthentic::MalformedSignature);
        }
        let digest = hex::decode(text).map_err(|_| Unauthentic::MalformedSignature)?;
        Self::of(algorithm, digest)
    }

    /// Takes a digest, which must be as long as the algorithm makes it.
    pub(super) fn of(algorithm: Algorithm, digest: Vec<u8>) -> Result<Self, Unauthentic> {
        if digest.len() == algorithm.digest_bytes() {
            Ok(Self { algorithm, digest })
        } else {
            Err(Unauthentic::MalformedSignature)
        }
    }
}

/// Signatures checked against every live token while the body goes by.
pub(super) struct SignedBody {
    digesting: Digesting,
    digests: Vec<Vec<u8>>,
    macs: Vec<KeyedDigest>,
}

impl SignedBody {
    /// One signature, which must match one of the tokens.
    pub(super) fn new(signature: Signature, tokens: &[Token], digesting: Digesting) -> Self {
        let Signature { algorithm, digest } = signature;
        Self::any_of(algorithm, vec![digest], tokens.iter(), digesting)
    }

    /// Digests of which one must match one of the tokens.
    pub(super) fn any_of<'t>(
        algorithm: Algorithm,
        digests: Vec<Vec<u8>>,
        tokens: impl Iterator<Item = &'t Token>,
        digesting: Digesting,
    ) -> Self {
        Self {
            digesting,
            digests,
            macs: tokens
                .map(|token| KeyedDigest::new(algorithm, token))
                .collect(),
        }
    }

    pub(super) fn update(&mut self, chunk: &[u8]) {
        self.digesting.update(chunk);
        for mac in &mut self.macs {
            mac.update(chunk);
        }
    }

    /// Compares everything with every token, also after a match, so that the time does not tell which one it was; gives
    /// what the signed bytes are known by, if that is wanted.
    pub(super) fn finish(self) -> (bool, Option<MessageDigest>) {
        let mut matched = Choice::from(0);
        for digest in self.macs.into_iter().map(KeyedDigest::finish) {
            for candidate in &self.digests {
                matched |= digest.ct_eq(candidate);
            }
        }
        (matched.into(), self.digesting.finish())
    }
}

/// Signs `body` and writes the signature as `<algorithm>=<hex>`, for senders of our own.
pub(super) fn sign(algorithm: Algorithm, token: &Token, body: &[u8]) -> String {
    let digest = hex::encode(digest(algorithm, token, body));
    format!("{}={digest}", algorithm.prefix())
}

/// The digest of `body` under `token`, for senders of our own.
pub(super) fn digest(algorithm: Algorithm, token: &Token, body: &[u8]) -> Vec<u8> {
    let mut mac = KeyedDigest::new(algorithm, token);
    mac.update(body);
    mac.finish()
}

enum KeyedDigest {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

impl KeyedDigest {
    fn new(algorithm: Algorithm, token: &Token) -> Self {
        match algorithm {
            Algorithm::Sha1 => Self::Sha1(keyed(token)),
            Algorithm::Sha256 => Self::Sha256(keyed(token)),
            Algorithm::Sha512 => Self::Sha512(keyed(token)),
        }
    }

    fn update(&mut self, chunk: &[u8]) {
        match self {
            Self::Sha1(mac) => mac.update(chunk),
            Self::Sha256(mac) => mac.update(chunk),
            Self::Sha512(mac) => mac.update(chunk),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha1(mac) => mac.finalize().into_bytes().to_vec(),
            Self::Sha256(mac) => mac.finalize().into_bytes().to_vec(),
            Self::Sha512(mac) => mac.finalize().into_bytes().to_vec(),
        }
    }
}

#[expect(clippy::expect_used, reason = "RFC 2104: a key may have any length")]
fn keyed<M: KeyInit>(token: &Token) -> M {
    M::new_from_slice(token.as_bytes()).expect("a key may have any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"action":"push"}"#;
    const SHA1: &str = "sha1=0a23fffb3dd66539440cf881ae6fdfbc8ccae4a9";
    const SHA256: &str = "sha256=83eee066cf716dd10bc327e341a581ae657bf26d8815c9334434f470c12d3079";
    const SHA512: &str = "sha512=ba49015231e38c2779666c90692d82917c88a814b1c1ae23e94d9544b321011aa9c10824df4d5ac1c5bbb397d1947d4eda37014bbd33d4acb1b11a6f71039f59";

    fn token(text: &str) -> Token {
        Token::new(text.into()).unwrap()
    }

    fn verifies(signature: &str, tokens: &[Token], body: &[u8]) -> bool {
        let Ok(signature) = Signature::parse(signature.as_bytes()) else {
            return false;
        };
        let mut signed = SignedBody::new(signature, tokens, Digesting::new(false));
        body.chunks(5).for_each(|chunk| signed.update(chunk));
        signed.finish().0
    }

    #[test]
    fn known_signatures_hold() {
        for (algorithm, signature) in [
            (Algorithm::Sha1, SHA1),
            (Algorithm::Sha256, SHA256),
            (Algorithm::Sha512, SHA512),
        ] {
            assert!(verifies(signature, &[token("token")], BODY), "{signature}");
            assert_eq!(sign(algorithm, &token("token"), BODY), signature);
            assert!(!verifies(signature, &[token("other")], BODY), "{signature}");
        }
    }

    #[test]
    fn the_hexadecimal_digits_may_be_uppercase_but_not_the_algorithm() {
        let (algorithm, hex) = SHA256.split_once('=').unwrap();
        assert!(verifies(
            &format!("{algorithm}={}", hex.to_uppercase()),
            &[token("token")],
            BODY
        ));
        assert!(!verifies(&format!("SHA256={hex}"), &[token("token")], BODY));
    }

    #[test]
    fn every_live_token_is_tried() {
        assert!(verifies(SHA256, &[token("old"), token("token")], BODY));
        assert!(verifies(SHA256, &[token("token"), token("new")], BODY));
        assert!(!verifies(SHA256, &[], BODY));
    }

    #[test]
    fn a_flipped_bit_in_the_body_or_the_signature_is_noticed() {
        for position in 0..BODY.len() * 8 {
            let mut body = BODY.to_vec();
            body[position / 8] ^= 1 << (position % 8);
            assert!(
                !verifies(SHA256, &[token("token")], &body),
                "bit {position} of the body"
            );
        }
        for position in 0..SHA256.len() * 8 {
            let mut signature = SHA256.as_bytes().to_vec();
            signature[position / 8] ^= 1 << (position % 8);
            let same_digit = signature.eq_ignore_ascii_case(SHA256.as_bytes())
                && signature.starts_with(b"sha256");
            let verified = Signature::parse(&signature).is_ok_and(|signature| {
                let mut signed =
                    SignedBody::new(signature, &[token("token")], Digesting::new(false));
                signed.update(BODY);
                signed.finish().0
            });
            assert_eq!(verified, same_digit, "bit {position} of the signature");
        }
    }

    #[test]
    fn bare_digits_are_lowercase_and_as_many_as_the_algorithm_makes() {
        let hex = SHA1.split_once('=').unwrap().1;
        let parse = |text: &str| Signature::parse_bare(Algorithm::Sha1, text.as_bytes());
        let mut signed = SignedBody::new(
            parse(hex).unwrap(),
            &[token("token")],
            Digesting::new(false),
        );
        signed.update(BODY);
        assert!(signed.finish().0);
        for other in [
            "",
            SHA1,
            &hex.to_uppercase(),
            &hex[1..],
            &format!("{hex}00"),
            &format!("{hex},{hex}"),
            &format!(" {hex}"),
            "ää",
        ] {
            assert_eq!(
                parse(other).err(),
                Some(Unauthentic::MalformedSignature),
                "{other:?}"
            );
        }
    }

    #[test]
    fn what_is_not_a_signature_is_refused() {
        let hex = SHA256.split_once('=').unwrap().1;
        for (text, reason) in [
            (String::new(), Unauthentic::MalformedSignature),
            (hex.to_owned(), Unauthentic::MalformedSignature),
            ("sha256=".to_owned(), Unauthentic::MalformedSignature),
            (
                format!("sha256={}", &hex[1..]),
                Unauthentic::MalformedSignature,
            ),
            (format!("sha256={hex}00"), Unauthentic::MalformedSignature),
            (
                format!("sha256={hex},sha256={hex}"),
                Unauthentic::MalformedSignature,
            ),
            (format!("sha256= {hex}"), Unauthentic::MalformedSignature),
            (format!("sha1={hex}"), Unauthentic::MalformedSignature),
            (format!("md5={hex}"), Unauthentic::UnknownAlgorithm),
            (format!(" sha256={hex}"), Unauthentic::UnknownAlgorithm),
            (format!("={hex}"), Unauthentic::UnknownAlgorithm),
            ("sha256=ä".to_owned(), Unauthentic::MalformedSignature),
        ] {
            assert_eq!(
                Signature::parse(text.as_bytes()).err(),
                Some(reason),
                "{text:?}"
            );
        }
        assert_eq!(
            Signature::parse(b"sha256=\xff").err(),
            Some(Unauthentic::MalformedSignature)
        );
    }
}
