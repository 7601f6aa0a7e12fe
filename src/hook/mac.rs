//! Keyed digests over a body that arrives in pieces, and the `<algorithm>=<hex>` form senders write them in.
//!
//! The only HMAC of the code base; senders decide which header holds it and which algorithms they accept.

use hmac::{Hmac, KeyInit, Mac as _};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::{token::Token, unauthentic::Unauthentic};

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
        if digest.len() == algorithm.digest_bytes() {
            Ok(Self { algorithm, digest })
        } else {
            Err(Unauthentic::MalformedSignature)
        }
    }
}

/// One signature checked against every live token while the body goes by.
pub(super) struct SignedBody {
    digest: Vec<u8>,
    macs: Vec<KeyedDigest>,
}

impl SignedBody {
    pub(super) fn new(signature: Signature, tokens: &[Token]) -> Self {
        let macs = tokens
            .iter()
            .map(|token| KeyedDigest::new(signature.algorithm, token))
            .collect();
        Self {
            digest: signature.digest,
            macs,
        }
    }

    pub(super) fn update(&mut self, chunk: &[u8]) {
        for mac in &mut self.macs {
            mac.update(chunk);
        }
    }

    /// Compares with every token, also after a match, so that the time does not tell which one it was.
    pub(super) fn matches(self) -> bool {
        self.macs
            .into_iter()
            .fold(false, |matched, mac| mac.verify(&self.digest) | matched)
    }
}

/// Signs `body` and writes the signature as `<algorithm>=<hex>`, for senders of our own.
pub(super) fn sign(algorithm: Algorithm, token: &Token, body: &[u8]) -> String {
    let mut mac = KeyedDigest::new(algorithm, token);
    mac.update(body);
    format!("{}={}", algorithm.prefix(), hex::encode(mac.finish()))
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

    fn verify(self, digest: &[u8]) -> bool {
        match self {
            Self::Sha1(mac) => mac.verify_slice(digest).is_ok(),
            Self::Sha256(mac) => mac.verify_slice(digest).is_ok(),
            Self::Sha512(mac) => mac.verify_slice(digest).is_ok(),
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
        let mut signed = SignedBody::new(signature, tokens);
        body.chunks(5).for_each(|chunk| signed.update(chunk));
        signed.matches()
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
                let mut signed = SignedBody::new(signature, &[token("token")]);
                signed.update(BODY);
                signed.matches()
            });
            assert_eq!(verified, same_digit, "bit {position} of the signature");
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
