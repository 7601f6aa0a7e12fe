//! Which tokens and keys are understood, and what a signature proves.

use serde_json::json;

use super::{algorithm::PublicKey, discovery::InvalidDocument, *};
use crate::hook::tests::signer::{Signer, base64url};

const CHECKABLE: [&str; 9] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];

/// Keys as their issuer publishes them, for all of the algorithms.
fn published(keys: &[Value]) -> IssuerKeys {
    IssuerKeys {
        algorithms: CHECKABLE
            .iter()
            .map(|name| Algorithm::of(name).unwrap())
            .collect(),
        keys: key_set(keys),
    }
}

fn key_set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn claims() -> Value {
    json!({ "iss": "https://issuer.example.com", "sub": "robot" })
}

fn prove(token: &str, keys: &IssuerKeys) -> Result<Claims, RefusedToken> {
    Jwt::parse(token.as_bytes())?.proven(Some(keys))
}

fn malformed(token: &str) -> bool {
    matches!(
        Jwt::parse(token.as_bytes()),
        Err(RefusedToken::Malformed(_))
    )
}

#[test]
fn each_algorithm_proves_what_its_key_signed() {
    for name in CHECKABLE {
        let (signer, other) = (Signer::new(name, "1"), Signer::new("ES256", "1"));
        let token = signer.token(&claims());
        let proven = prove(&token, &published(&[signer.jwk()])).unwrap();
        assert_eq!(proven.text("sub"), Some("robot"), "{name}");
        let outcome = prove(&token, &published(&[other.jwk()]));
        assert_eq!(outcome, Err(RefusedToken::WrongSignature), "{name}");
    }
}

#[test]
fn a_token_with_any_bit_flipped_is_refused() {
    for name in ["RS256", "ES256", "EdDSA"] {
        let signer = Signer::new(name, "1");
        let (token, keys) = (signer.token(&claims()), published(&[signer.jwk()]));
        assert!(prove(&token, &keys).is_ok());
        for bit in 0..token.len() * 8 {
            let mut flipped = token.clone().into_bytes();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let outcome = Jwt::parse(&flipped).and_then(|jwt| jwt.proven(Some(&keys)));
            assert!(outcome.is_err(), "{name}: bit {bit}");
        }
    }
}

#[test]
fn a_signature_of_any_other_length_proves_nothing() {
    for name in CHECKABLE {
        let signer = Signer::new(name, "1");
        let (token, keys) = (signer.token(&claims()), published(&[signer.jwk()]));
        let (segments, _) = token.rsplit_once('.').unwrap();
        for length in (0..80).chain([95, 96, 97, 255, 256, 257, 512, 4096]) {
            let token = format!("{segments}.{}", base64url(&vec![1; length]));
            let outcome = prove(&token, &keys);
            assert_eq!(
                outcome,
                Err(RefusedToken::WrongSignature),
                "{name}: {length}"
            );
        }
    }
}

#[test]
fn none_and_shared_secrets_are_no_algorithms() {
    let signer = Signer::new("RS256", "1");
    let keys = published(&[signer.jwk()]);
    for name in [
        "none", "None", "", "HS256", "HS384", "HS512", "rs256", "RS1", "ES256K",
    ] {
        let token = signer.token_with(&json!({ "alg": name, "kid": "1" }), &claims());
        let (segments, _) = token.rsplit_once('.').unwrap();
        for token in [&token, &format!("{segments}.")] {
            let refused = prove(token, &keys).unwrap_err();
            assert_eq!(refused, RefusedToken::RefusedAlgorithm(Quoted::new(name)));
        }
    }
    let token = signer.token_with(&json!({ "alg": "ES512", "kid": "1" }), &claims());
    assert_eq!(
        prove(&token, &keys),
        Err(RefusedToken::UncheckableAlgorithm)
    );
}

#[test]
fn a_public_key_is_no_shared_secret() {
    use hmac::{Hmac, KeyInit as _, Mac as _};

    let signer = Signer::new("RS256", "1");
    let n = signer.jwk()["n"].as_str().unwrap().to_owned();
    let segments = [r#"{"alg":"HS256","kid":"1"}"#, &claims().to_string()]
        .map(|text| base64url(text.as_bytes()))
        .join(".");
    for secret in [
        n.clone().into_bytes(),
        BASE64_URL_SAFE_NO_PAD.decode(&n).unwrap(),
    ] {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&secret).unwrap();
        mac.update(segments.as_bytes());
        let token = format!("{segments}.{}", base64url(&mac.finalize().into_bytes()));
        assert!(prove(&token, &published(&[signer.jwk()])).is_err());
    }
}

#[test]
fn the_key_is_the_one_that_the_token_names() {
    let (one, two) = (Signer::new("ES256", "one"), Signer::new("ES256", "two"));
    let keys = published(&[one.jwk(), two.jwk()]);
    assert!(prove(&one.token(&claims()), &keys).is_ok());
    assert!(prove(&two.token(&claims()), &keys).is_ok());
    for (header, refused) in [
        (
            json!({ "alg": "ES256", "kid": "two" }),
            RefusedToken::WrongSignature,
        ),
        (
            json!({ "alg": "ES256", "kid": "three" }),
            RefusedToken::UnknownKey(Quoted::new("three")),
        ),
        (
            json!({ "alg": "RS256", "kid": "one" }),
            RefusedToken::WrongSignature,
        ),
    ] {
        assert_eq!(
            prove(&one.token_with(&header, &claims()), &keys),
            Err(refused)
        );
    }
}

#[test]
fn a_token_that_names_no_key_may_be_signed_with_any() {
    let (one, two, other) = (
        Signer::new("ES256", "one"),
        Signer::new("RS256", "two"),
        Signer::new("ES256", "other"),
    );
    let keys = published(&[one.jwk(), two.jwk()]);
    for header in [json!({}), json!({ "kid": "" }), json!({ "kid": null })] {
        let header = |signer: &Signer| {
            let mut header = header.clone();
            header["alg"] = json!(signer.algorithm);
            header
        };
        for signer in [&one, &two] {
            let token = signer.token_with(&header(signer), &claims());
            assert!(prove(&token, &keys).is_ok(), "{}", signer.kid);
        }
        let token = other.token_with(&header(&other), &claims());
        assert_eq!(prove(&token, &keys), Err(RefusedToken::WrongSignature));
    }
}

#[test]
fn only_algorithms_of_the_issuer_and_of_the_key_count() {
    let signer = Signer::new("RS384", "1");
    let token = signer.token(&claims());
    let only = |name: &str| IssuerKeys {
        algorithms: vec![Algorithm::of(name).unwrap()],
        keys: key_set(&[signer.jwk()]),
    };
    assert!(prove(&token, &only("RS384")).is_ok());
    let refused = RefusedToken::RefusedAlgorithm(Quoted::new("RS384"));
    assert_eq!(prove(&token, &only("RS256")), Err(refused));

    let mut for_another = signer.jwk();
    for_another["alg"] = json!("RS256");
    let outcome = prove(&token, &published(&[for_another.clone()]));
    assert_eq!(outcome, Err(RefusedToken::WrongSignature));
    for_another.as_object_mut().unwrap().remove("alg");
    assert!(prove(&token, &published(&[for_another])).is_ok());
}

#[test]
fn a_token_is_three_segments_of_base64url_with_objects_in_two() {
    let signer = Signer::new("ES256", "1");
    let good = signer.token(&claims());
    let segments: Vec<_> = good.split('.').collect();
    let [header, payload, signature] = segments[..] else {
        panic!("{good}")
    };
    let long = base64url(&[b'x'; 16 * 1024]);
    for token in [
        "",
        ".",
        "..",
        "...",
        &format!("{header}.{payload}"),
        &format!("{good}."),
        &format!("{good}.{signature}"),
        &format!(".{payload}.{signature}"),
        &format!("{header}..{signature}"),
        &format!("{header}=.{payload}.{signature}"),
        &format!("{header}.{payload}.{signature}="),
        &format!("{header}.{payload}.{signature}=="),
        &format!(
            "{header}.{payload}.{}",
            signature.replace(['-', '_'], "+") + "+/"
        ),
        &format!("{header} .{payload}.{signature}"),
        &format!("{header}.{payload}.{signature}\u{e4}"),
        &format!("{header}.{long}.{signature}"),
        &format!("{long}.{payload}.{signature}"),
    ] {
        assert!(malformed(token), "{token}");
    }
}

#[test]
fn the_objects_of_a_token_are_whole_and_not_deep() {
    let signer = Signer::new("ES256", "1");
    for text in [
        "",
        "null",
        "[]",
        "5",
        "\"a\"",
        "{",
        "{} {}",
        "{}x",
        "{\"a\":1e999}",
    ] {
        let header = r#"{"alg":"ES256","kid":"1"}"#;
        assert!(malformed(&signer.token_of(text, "{}")), "{text}");
        assert!(malformed(&signer.token_of(header, text)), "{text}");
    }
    let deep = "[".repeat(4000) + &"]".repeat(4000);
    assert!(malformed(
        &signer.token_of(r#"{"alg":"ES256"}"#, &format!("{{\"a\":{deep}}}"))
    ));
}

#[test]
fn the_header_names_one_algorithm_and_asks_for_nothing_more() {
    let signer = Signer::new("ES256", "1");
    for header in [
        json!({ "kid": "1" }),
        json!({ "alg": 5 }),
        json!({ "alg": "ES256", "kid": 5 }),
        json!({ "alg": "ES256", "crit": ["b64"], "b64": false }),
        json!({ "alg": "ES256", "crit": [] }),
    ] {
        assert!(
            malformed(&signer.token_with(&header, &claims())),
            "{header}"
        );
    }
}

#[test]
fn of_members_that_are_there_twice_the_last_counts() {
    let signer = Signer::new("ES256", "1");
    let token = signer.token_of(
        r#"{"alg":"none","alg":"ES256","kid":"2","kid":"1"}"#,
        r#"{"sub":"robot","sub":"human"}"#,
    );
    let proven = prove(&token, &published(&[signer.jwk()])).unwrap();
    assert_eq!(proven.text("sub"), Some("human"));
}

#[test]
fn nothing_is_proven_without_keys() {
    let signer = Signer::new("ES256", "1");
    let jwt = Jwt::parse(signer.token(&claims()).as_bytes()).unwrap();
    assert_eq!(jwt.clone().proven(None), Err(RefusedToken::NoKeys));
    let unknown = RefusedToken::UnknownKey(Quoted::new("1"));
    assert_eq!(jwt.proven(Some(&published(&[]))), Err(unknown));
}

#[test]
fn newer_keys_help_only_a_token_whose_key_is_not_there() {
    let (one, other) = (Signer::new("ES256", "one"), Signer::new("ES256", "one"));
    let keys = published(&[one.jwk()]);
    let suffice = |signer: &Signer, header: Value| {
        let token = signer.token_with(&header, &claims());
        keys.suffice_for(&KeyRequest {
            source: KeySource::Google,
            jwt: Jwt::parse(token.as_bytes()).unwrap(),
        })
    };
    assert!(suffice(&one, json!({ "alg": "ES256", "kid": "one" })));
    assert!(suffice(&other, json!({ "alg": "ES256", "kid": "one" })));
    assert!(!suffice(&one, json!({ "alg": "ES256", "kid": "two" })));
    assert!(suffice(&one, json!({ "alg": "ES256" })));
    assert!(!suffice(&other, json!({ "alg": "ES256" })));
    let google = IssuerKeys::of_google(&KeySource::Google, key_set(&[]));
    let token = one.token_with(&json!({ "alg": "ES256", "kid": "two" }), &claims());
    let jwt = Jwt::parse(token.as_bytes()).unwrap();
    let source = KeySource::Google;
    assert!(google.suffice_for(&KeyRequest { source, jwt }));
}

#[test]
fn keys_that_cannot_check_a_signature_are_passed_over() {
    let good = Signer::new("ES256", "1").jwk();
    let changed = |base: &Value, name: &str, value: Value| {
        let mut key = base.clone();
        key[name] = value;
        key
    };
    let rsa = Signer::new("RS256", "1").jwk();
    for key in [
        json!({}),
        json!("key"),
        json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "1" }),
        changed(&good, "use", json!("enc")),
        changed(&good, "alg", json!("HS256")),
        changed(&good, "alg", json!("none")),
        changed(&good, "crv", json!("secp256k1")),
        changed(&good, "crv", json!("P-384")),
        changed(&good, "x", json!("AQ")),
        changed(&good, "x", json!(5)),
        changed(&good, "y", json!("not base64!")),
        changed(&rsa, "n", json!("")),
        changed(&rsa, "n", json!("AAAA")),
        changed(&rsa, "e", Value::Null),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "AQ" }),
        json!({ "kty": "OKP", "crv": "X25519", "x": base64url(&[1; 32]) }),
    ] {
        assert_eq!(key_set(&[key.clone(), good.clone()]).count(), 1, "{key}");
    }
    assert_eq!(
        key_set(&[]).count(),
        0,
        "an issuer may have withdrawn all of its keys"
    );
}

#[test]
fn keys_may_be_padded_and_have_leading_zeros() {
    let signer = Signer::new("RS256", "1");
    let mut key = signer.jwk();
    let n = BASE64_URL_SAFE_NO_PAD
        .decode(key["n"].as_str().unwrap())
        .unwrap();
    let zeros = [&[0, 0], &n[..]].concat();
    key["n"] = json!(base64::prelude::BASE64_URL_SAFE.encode(zeros));
    assert!(prove(&signer.token(&claims()), &published(&[key])).is_ok());
}

#[test]
fn short_rsa_keys_prove_nothing() {
    let key = PublicKey::Rsa {
        n: vec![0xff; 128],
        e: vec![1, 0, 1],
    };
    assert!(!Algorithm::Rs256.proves(&key, b"", &[1; 128]));
}

#[test]
fn key_sets_are_bounded_and_lists() {
    let parse = |document: &str| KeySet::parse(document.as_bytes());
    for (document, problem) in [
        ("", InvalidDocument::NotJson),
        ("<html>", InvalidDocument::NotJson),
        ("[]", InvalidDocument::NoKeys),
        ("{}", InvalidDocument::NoKeys),
        (r#"{"keys":{}}"#, InvalidDocument::NoKeys),
        (r#"{"keys":null}"#, InvalidDocument::NoKeys),
    ] {
        assert_eq!(parse(document), Err(problem), "{document}");
    }
    let keys = |count| json!({ "keys": vec![Signer::new("EdDSA", "1").jwk(); count] }).to_string();
    assert_eq!(parse(&keys(64)).unwrap().count(), 64);
    assert_eq!(parse(&keys(65)), Err(InvalidDocument::TooManyKeys(64)));
}

const ISSUER: &str = "https://issuer.example.com/team";

fn discovered(document: &Value) -> Result<Vec<&'static str>, InvalidDocument> {
    let discovery = Discovery::parse(document.to_string().as_bytes(), ISSUER)?;
    assert_eq!(discovery.jwks_uri(), "https://keys.example.com/");
    Ok((discovery.with_keys(key_set(&[])).algorithms.iter())
        .map(|algorithm| algorithm.name())
        .collect())
}

#[test]
fn the_discovery_document_is_behind_the_url_of_the_issuer() {
    for (issuer, url) in [
        ("https://a", "https://a/.well-known/openid-configuration"),
        ("https://a/", "https://a/.well-known/openid-configuration"),
        ("https://a//", "https://a//.well-known/openid-configuration"),
        (
            "https://a/b/c",
            "https://a/b/c/.well-known/openid-configuration",
        ),
    ] {
        assert_eq!(Discovery::url(issuer), url);
    }
}

#[test]
fn a_discovery_document_is_of_the_very_issuer() {
    let of = |issuer: &str| {
        discovered(&json!({ "issuer": issuer, "jwks_uri": "https://keys.example.com/" }))
    };
    assert_eq!(of(ISSUER), Ok(vec!["RS256"]));
    for issuer in [
        "",
        &format!("{ISSUER}/"),
        "https://issuer.example.com",
        "HTTPS://issuer.example.com/team",
    ] {
        assert_eq!(of(issuer), Err(InvalidDocument::AnotherIssuer), "{issuer}");
    }
    assert_eq!(
        discovered(&json!({ "issuer": ISSUER })),
        Err(InvalidDocument::NoKeysUrl)
    );
    assert_eq!(
        Discovery::parse(b"{", ISSUER),
        Err(InvalidDocument::NotJson)
    );
}

#[test]
fn an_issuer_that_names_no_usable_algorithm_signs_with_rs256() {
    let of = |names: Value| {
        discovered(&json!({
            "issuer": ISSUER,
            "jwks_uri": "https://keys.example.com/",
            "id_token_signing_alg_values_supported": names,
        }))
        .unwrap()
    };
    for names in [
        json!(null),
        json!([]),
        json!("ES256"),
        json!(["none", "HS256", 5]),
    ] {
        assert_eq!(of(names.clone()), ["RS256"], "{names}");
    }
    assert_eq!(of(json!(["none", "ES256", "PS512"])), ["ES256", "PS512"]);
    assert_eq!(of(json!(["ES512"])), ["ES512"], "and not RS256");
}

#[test]
fn times_are_whole_seconds_towards_1970() {
    let seconds = |time: &str| {
        let claims = serde_json::from_str(&format!(r#"{{"exp":{time}}}"#));
        Claims(claims.unwrap()).seconds("exp")
    };
    for (time, expected) in [
        ("100", Some(100)),
        ("-100", Some(-100)),
        ("100.9", Some(100)),
        ("1e3", Some(1000)),
        ("1e300", Some(i64::MAX)),
        ("18446744073709551615", Some(i64::MAX)),
        ("\"100\"", None),
        ("null", None),
        ("true", None),
        ("[]", None),
    ] {
        assert_eq!(seconds(time), expected, "{time}");
    }
}

#[test]
fn a_refusal_quotes_little_and_on_one_line() {
    let quoted = Quoted::new(&"\n\u{1b}".repeat(200)).to_string();
    assert!(quoted.starts_with(r#""\n\u{1b}\n"#), "{quoted}");
    assert_eq!(quoted.matches(r"\n").count(), 100);
}
