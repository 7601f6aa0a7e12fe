//! The signing key of an issuer, and tokens made with it, right or wrong in every detail.
//!
//! What a token claims is for each test to say. The unit tests of the core use this file, too.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
        RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    },
};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::{Value, json};

const RSA_KEY: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/keys/issuer.pem"
));

/// One key of an issuer and the algorithm that it is used with.
pub(crate) struct Signer {
    pub(crate) algorithm: &'static str,
    pub(crate) kid: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(Box<rsa::KeyPair>, &'static dyn RsaEncoding),
    Ecdsa(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl Signer {
    /// A key for one of the algorithms that can be checked; the one for RSA is always the same.
    pub(crate) fn new(algorithm: &'static str, kid: &'static str) -> Self {
        let pair = match algorithm {
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "RS384" => rsa(&RSA_PKCS1_SHA384),
            "RS512" => rsa(&RSA_PKCS1_SHA512),
            "PS256" => rsa(&RSA_PSS_SHA256),
            "PS384" => rsa(&RSA_PSS_SHA384),
            "PS512" => rsa(&RSA_PSS_SHA512),
            "ES256" => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "EdDSA" => {
                let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
                let key = Ed25519KeyPair::from_pkcs8(key.as_ref()).expect("the key");
                Pair::Ed25519(Box::new(key))
            }
            other => panic!("tests do not sign with {other}"),
        };
        Self {
            algorithm,
            kid,
            pair,
        }
    }

    /// A token with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        let header = json!({ "alg": self.algorithm, "kid": self.kid, "typ": "JWT" });
        self.token_with(&header, claims)
    }

    /// A token with this header and these claims, whatever the header says.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        self.token_of(&header.to_string(), &claims.to_string())
    }

    /// A token with these texts in its first two segments.
    pub(crate) fn token_of(&self, header: &str, claims: &str) -> String {
        let signed = [header, claims].map(|text| base64url(text.as_bytes()));
        self.signed(&signed.join("."))
    }

    /// These two segments with their signature.
    pub(crate) fn signed(&self, segments: &str) -> String {
        let signature = self.sign(segments.as_bytes());
        format!("{segments}.{}", base64url(&signature))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(*encoding, &random, message, &mut signature)
                    .expect("a signature");
                signature
            }
            Pair::Ecdsa(key) => {
                let signature = key.sign(&random, message).expect("a signature");
                signature.as_ref().to_vec()
            }
            Pair::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// The public key as an issuer publishes it.
    pub(crate) fn jwk(&self) -> Value {
        let mut key = match &self.pair {
            Pair::Rsa(key, _) => {
                let public = rsa::PublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({ "kty": "RSA", "n": base64url(&public.n), "e": base64url(&public.e) })
            }
            Pair::Ecdsa(key) => {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({ "kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y) })
            }
            Pair::Ed25519(key) => {
                let x = base64url(key.public_key().as_ref());
                json!({ "kty": "OKP", "crv": "Ed25519", "x": x })
            }
        };
        key["kid"] = json!(self.kid);
        key["alg"] = json!(self.algorithm);
        key["use"] = json!("sig");
        key
    }
}

fn rsa(encoding: &'static dyn RsaEncoding) -> Pair {
    let der = PrivatePkcs8KeyDer::from_pem_slice(RSA_KEY.as_bytes()).expect("PEM");
    let key = rsa::KeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("an RSA key");
    Pair::Rsa(Box::new(key), encoding)
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> Pair {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
    let key = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).expect("the key");
    Pair::Ecdsa(Box::new(key))
}

/// Bytes as a segment of a token has them.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
