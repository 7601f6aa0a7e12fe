//! What must hold of tokens that issuers sign, and of their documents, whatever strangers send.
//!
//! The right tokens are those of the catalogue.

use std::{path::Path, sync::LazyLock};

use bytes::Bytes;
use hookgate::{
    cli::recording::Recording,
    hook::{Authentic, Discovery, Hook, IssuerKeys, KeySet, KeySource, Secrets, Verifier},
};
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::{NOW, POLICY, begins_with_json};

/// Nobody is authentic with another token than the one that the issuer signed.
///
/// The input is the value of a header, with or without `Bearer ` before it.
pub fn id_token(input: &[u8]) {
    for it in vouched() {
        for value in [input, &[b"Bearer ", input].concat()] {
            let Ok(header) = HeaderValue::from_bytes(value) else {
                continue;
            };
            let token = value.strip_prefix(b"Bearer ").unwrap_or_default();
            assert!(
                token.trim_ascii() == it.token.as_bytes()
                    || it.authenticate(&header, &it.keys).is_none(),
                "{}: authentic with another token",
                it.hook.sender().as_str()
            );
        }
        assert!(it.authenticate(&it.header(), &it.keys).is_some());
    }
}

/// Any document of an issuer is understood, and within bounds, or refused; only with the right key in it a token counts.
pub fn issuer_document(input: &[u8]) {
    const ISSUER: &str = "https://issuer.example.com";
    if Discovery::parse(input, ISSUER).is_ok() {
        let document: Value = serde_json::from_slice(input).expect("it is JSON");
        assert_eq!(document["issuer"], ISSUER);
    }
    let Ok(keys) = KeySet::parse(input) else {
        return;
    };
    for it in vouched() {
        let keys = issuer_keys(&KeySource::Google, keys.clone());
        assert!(keys.count() <= 64);
        let is_proven = it.authenticate(&it.header(), &keys).is_some();
        let text = String::from_utf8_lossy(input);
        assert!(!is_proven || text.contains("\"keys\"") && text.len() > 256);
    }
}

/// A message of Pub/Sub that is understood begins with an object that holds data.
pub fn pub_sub(body: &[u8]) {
    let [gcr, _] = vouched();
    let authentic = gcr.authenticate(&gcr.header(), &gcr.keys);
    let authentic = authentic.expect("the token is right");
    let event = gcr
        .hook
        .interpret(&authentic, &HeaderMap::new(), Some(body));
    if event.is_ok() {
        assert!(body.trim_ascii_start().starts_with(b"{") && begins_with_json(body));
    }
}

/// A sender of the catalogue that an issuer vouches for, and the token it did that with.
struct Vouched {
    hook: Hook,
    token: String,
    keys: IssuerKeys,
    /// When the token was made.
    now: Timestamp,
}

impl Vouched {
    /// The texts of a folder: manifest, recorded request, and published keys.
    fn open(manifest: &str, recording: &'static [u8], keys: &[u8]) -> Self {
        let documents: Vec<Value> = serde_saphyr::from_multiple(manifest).expect("YAML");
        let receiver = documents.last().expect("a Receiver").clone();
        let receiver = serde_json::from_value(receiver).expect("a Receiver");
        let mut hook = Hook::compile(&receiver, POLICY).expect("the Receiver is valid");
        if let [secret, _] = documents.as_slice() {
            let data = secret["stringData"].as_object().expect("strings");
            let bytes = |text: &Value| ByteString(text.as_str().expect("a string").into());
            let data = data.iter().map(|(key, text)| (key.clone(), bytes(text)));
            let secrets = Secrets::of(data.collect()).expect("the Secret is whole");
            hook = hook
                .with_secrets(&secrets, NOW)
                .expect("the Secret is whole");
        }
        let bytes = Bytes::from_static(recording);
        let recording = Recording::parse(Path::new("push.http"), &bytes).expect("a recording");
        let header = recording.headers[header::AUTHORIZATION].to_str();
        let token = header.expect("text").strip_prefix("Bearer ");
        let token = token.expect("a token").to_owned();
        let now = Timestamp::from_second(1_767_605_551).expect("when it was recorded");
        let request = hook.key_request(&recording.headers, now);
        let source = request.expect("the token is right").source().clone();
        Self {
            keys: issuer_keys(&source, KeySet::parse(keys).expect("keys")),
            hook,
            token,
            now,
        }
    }

    fn authenticate(&self, value: &HeaderValue, keys: &IssuerKeys) -> Option<Authentic> {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.clone())]);
        let verifier = self.hook.verifier(&headers, Some(keys), self.now);
        verifier.and_then(Verifier::finish).ok()
    }

    fn header(&self) -> HeaderValue {
        let value = HeaderValue::from_str(&format!("Bearer {}", self.token));
        value.expect("a token is a header value")
    }
}

fn issuer_keys(source: &KeySource, keys: KeySet) -> IssuerKeys {
    let KeySource::Discovered(issuer) = source else {
        return IssuerKeys::of_google(source, keys);
    };
    let document = json!({ "issuer": &**issuer, "jwks_uri": "https://keys" }).to_string();
    let discovery = Discovery::parse(document.as_bytes(), issuer);
    discovery.expect("the document is right").with_keys(keys)
}

fn vouched() -> &'static [Vouched; 2] {
    static VOUCHED: LazyLock<[Vouched; 2]> = LazyLock::new(|| {
        [
            Vouched::open(
                include_str!("../../receivers/gcr/receiver.yaml"),
                include_bytes!("../../receivers/gcr/push.http"),
                include_bytes!("../../receivers/gcr/keys.json"),
            ),
            Vouched::open(
                include_str!("../../receivers/generic-oidc/receiver.yaml"),
                include_bytes!("../../receivers/generic-oidc/push.http"),
                include_bytes!("../../receivers/generic-oidc/keys.json"),
            ),
        ]
    });
    &VOUCHED
}
