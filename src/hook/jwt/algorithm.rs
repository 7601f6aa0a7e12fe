//! The algorithms that an issuer may sign tokens with, and the one way to check each.
//!
//! None of them has a secret that both sides know, so a public key can never pass for one.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

/// An algorithm of JSON Web Signatures (RFC 7518, RFC 8037) that Flux accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hook) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    /// Known by name only: `ring` has no P-521.
    Es512,
    EdDsa,
}

/// A public key, in the form that checking a signature takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    /// Modulus and exponent, big-endian and without leading zeros.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
    /// An uncompressed point.
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Algorithm {
    const NAMES: [(&'static str, Self); 10] = [
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
        ("PS256", Self::Ps256),
        ("PS384", Self::Ps384),
        ("PS512", Self::Ps512),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("ES512", Self::Es512),
        ("EdDSA", Self::EdDsa),
    ];

    /// The algorithm of this name; `none` and those with a shared secret have none.
    pub(super) fn of(name: &str) -> Option<Self> {
        let known = Self::NAMES.iter().find(|(known, _)| *known == name);
        known.map(|(_, algorithm)| *algorithm)
    }

    /// The name, as a token spells it.
    pub(super) fn name(self) -> &'static str {
        let known = Self::NAMES.iter().find(|(_, known)| *known == self);
        known.map_or("", |(name, _)| *name)
    }

    /// Whether a signature of this algorithm can be checked at all.
    pub(super) fn is_checkable(self) -> bool {
        self != Self::Es512
    }

    /// Whether `signature` is that of `message`; a key of another kind than the algorithm's proves nothing.
    pub(super) fn proves(self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        if let (Some(parameters), PublicKey::Rsa { n, e }) = (self.rsa(), key) {
            let key = RsaPublicKeyComponents { n, e };
            return key.verify(parameters, message, signature).is_ok();
        }
        let (algorithm, key): (&'static dyn VerificationAlgorithm, _) = match (self, key) {
            (Self::Es256, PublicKey::P256(point)) => (&ECDSA_P256_SHA256_FIXED, point),
            (Self::Es384, PublicKey::P384(point)) => (&ECDSA_P384_SHA384_FIXED, point),
            (Self::EdDsa, PublicKey::Ed25519(key)) => (&ED25519, key),
            _ => return false,
        };
        let key = UnparsedPublicKey::new(algorithm, key);
        key.verify(message, signature).is_ok()
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
            Self::Es256 | Self::Es384 | Self::Es512 | Self::EdDsa => None,
        }
    }
}
