//! Deliveries that an issuer vouches for: `generic-oidc` and `gcr`, with a real issuer on loopback.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hookgate::api::receiver::Receiver;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{
    Gateway,
    issuer::{DISCOVERY, Issuer, KEYS},
    objects::{git_repository, receiver, secret, watched_secret},
    on_every_back_end,
    signer::Signer,
    wire::Delivery,
};

const AUTHORIZATION: &str = "authorization";

/// A Receiver that trusts an issuer, in YAML.
fn trusting(name: &str, url: &str, more: &str) -> String {
    let providers = format!(
        "oidcProviders:\n- issuerURL: {url}\n  validations: [{{expression: claims.sub == 'robot', message: only the robot}}]{more}"
    );
    receiver(name, "generic-oidc", &providers).replace("  secretRef: {name: token}\n", "")
}

fn claims(issuer: &Issuer) -> Value {
    let now = Timestamp::now().as_second();
    json!({
        "iss": issuer.url(),
        "aud": "notification-controller",
        "sub": "robot",
        "exp": now + 600,
        "iat": now,
    })
}

/// What a recorded token claims, as if it had been made now.
fn claims_now(recorded: &Delivery) -> Value {
    let token = recorded.headers[AUTHORIZATION].to_str().expect("text");
    let claims = token.split('.').nth(1).expect("three segments");
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64url");
    let mut claims: Value = serde_json::from_slice(&claims).expect("JSON");
    let passed = Timestamp::now().as_second() - claims["iat"].as_i64().expect("a time");
    for name in ["iat", "nbf", "exp"] {
        if let Some(time) = claims[name].as_i64() {
            claims[name] = json!(time + passed);
        }
    }
    claims
}

fn bearing(delivery: Delivery, token: &str) -> Delivery {
    delivery.with(AUTHORIZATION, &format!("Bearer {token}"))
}

/// A gateway and a Receiver that trusts an issuer, and the path to it.
async fn trust(gw: &mut Gateway, issuer: &Issuer) -> String {
    gw.know(issuer).await;
    gw.apply(&git_repository("podinfo", "")).await;
    gw.apply(&trusting("ci", issuer.url(), "")).await;
    gw.settled().await;
    gw.path("ci").await
}

on_every_back_end! {
    async fn the_requests_of_the_catalogue_are_believed_when_their_issuer_signs_them_now(gw) {
        let (issuer, signer) = (Issuer::start().await, Signer::new("RS256", "1"));
        issuer.publish(&[&signer]);
        gw.know(&issuer).await;
        gw.apply(&git_repository("podinfo", "")).await;
        for (sender, files) in [("generic-oidc", ["push", "dispatch"]), ("gcr", ["push", "delete"])] {
            let manifest = format!("{}/receivers/{sender}/receiver.yaml", env!("CARGO_MANIFEST_DIR"));
            let manifest = std::fs::read_to_string(manifest).expect("a manifest");
            gw.apply(&manifest.replace("https://token.actions.githubusercontent.com", issuer.url())).await;
            gw.settled().await;
            for file in files {
                let recorded = gw.recorded(&format!("receivers/{sender}/{file}.http"), sender).await;
                let mut claims = claims_now(&recorded);
                if sender == "generic-oidc" {
                    claims["iss"] = json!(issuer.url());
                }
                let before = gw.annotation("GitRepository", "podinfo").await;
                let old = gw.send(recorded.clone()).await;
                assert_eq!((old.status, old.body.as_str()), (StatusCode::UNAUTHORIZED, ""));
                assert_eq!(gw.annotation("GitRepository", "podinfo").await, before);
                let answer = gw.send(bearing(recorded, &signer.token(&claims))).await;
                assert_eq!(answer.status, StatusCode::OK, "{sender}/{file}: {}", answer.body);
                assert_ne!(gw.annotation("GitRepository", "podinfo").await, before);
            }
        }
    }

    async fn deliveries_that_come_together_wait_for_one_fetch(gw) {
        let (issuer, signer) = (Issuer::start().await, Signer::new("ES256", "1"));
        issuer.publish(&[&signer]);
        let path = trust(&mut gw, &issuer).await;
        issuer.hold();
        let push = || bearing(Delivery::post(&path, ""), &signer.token(&claims(&issuer)));
        let answers = futures::future::join_all((0..8).map(|_| gw.send(push())));
        let release = async {
            while issuer.requests(DISCOVERY) == 0 {
                tokio::task::yield_now().await;
            }
            issuer.release();
        };
        let (answers, ()) = tokio::join!(answers, release);
        for answer in answers {
            assert!(answer.status.is_success(), "{}", answer.body);
        }
        assert_eq!((issuer.requests(DISCOVERY), issuer.requests(KEYS)), (1, 1));
    }

    async fn an_outage_of_the_issuer_fails_nobody_whose_keys_are_known(gw) {
        let (issuer, signer) = (Issuer::start().await, Signer::new("ES256", "1"));
        issuer.publish(&[&signer]);
        let path = trust(&mut gw, &issuer).await;
        let push = || bearing(Delivery::post(&path, ""), &signer.token(&claims(&issuer)));
        assert_eq!(gw.send(push()).await.outcome(), "triggered");

        issuer.fail();

        for _ in 0..5 {
            assert!(gw.send(push()).await.status.is_success());
        }
        assert_eq!((issuer.requests(DISCOVERY), issuer.requests(KEYS)), (1, 1));
    }

    async fn while_an_issuer_gives_no_keys_the_sender_is_told_to_come_back(gw) {
        let (issuer, signer) = (Issuer::start().await, Signer::new("ES256", "1"));
        let path = trust(&mut gw, &issuer).await;
        for _ in 0..40 {
            let push = bearing(Delivery::post(&path, ""), &signer.token(&claims(&issuer)));
            let answer = gw.send(push).await;
            assert_eq!((answer.status, answer.body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, ""));
            assert!(answer.headers.contains_key("retry-after"));
        }
        assert_eq!((issuer.requests(DISCOVERY), issuer.requests(KEYS)), (1, 0));
        let metrics = gw.admin("/metrics").await.body;
        assert!(metrics.contains("hookgate_issuer_fetches_total{result=\"failed\"} 1"), "{metrics}");
        assert_eq!(gw.annotation("GitRepository", "podinfo").await, None);
    }

    async fn a_stranger_makes_no_call_but_one_for_keys(gw) {
        let (issuer, signer) = (Issuer::start().await, Signer::new("ES256", "1"));
        issuer.publish(&[&signer]);
        let path = trust(&mut gw, &issuer).await;
        let with = |name: &str, value: Value| {
            let mut claims = claims(&issuer);
            claims[name] = value;
            signer.token(&claims)
        };
        let good = signer.token(&claims(&issuer));
        let forger = Signer::new("ES256", "1");
        let unknown = Signer::new("ES256", "2");
        for (token, fetches) in [
            (String::new(), 0),
            ("a.b.c".to_owned(), 0),
            (with("iss", json!("https://issuer.example.com")), 0),
            (with("iss", json!(format!("{}/", issuer.url()))), 0),
            (with("aud", json!("another")), 0),
            (with("exp", json!(1)), 0),
            (with("nbf", json!(4_000_000_000_u64)), 0),
            (signer.token_with(&json!({ "alg": "none" }), &claims(&issuer)), 0),
            (signer.token_with(&json!({ "alg": "HS256", "kid": "1" }), &claims(&issuer)), 0),
            (forger.token(&claims(&issuer)), 1),
            (unknown.token(&claims(&issuer)), 1),
            (with("sub", json!("somebody")), 1),
        ] {
            let answer = gw.send(bearing(Delivery::post(&path, ""), &token)).await;
            assert_eq!((answer.status, answer.body.as_str()), (StatusCode::UNAUTHORIZED, ""), "{token}");
            assert_eq!((issuer.requests(DISCOVERY), issuer.requests(KEYS)), (fetches, fetches), "{token}");
        }
        for delivery in [
            Delivery::post(&path, ""),
            Delivery::post(&path, "").with(AUTHORIZATION, &good),
            Delivery::post(&path, "").with(AUTHORIZATION, &format!("bearer {good}")),
        ] {
            assert_eq!(gw.send(delivery).await.status, StatusCode::UNAUTHORIZED);
        }
        assert_eq!(gw.annotation("GitRepository", "podinfo").await, None);
        let answer = gw.send(bearing(Delivery::post(&path, ""), &good)).await;
        assert_eq!(answer.outcome(), "triggered");
        assert_eq!((issuer.requests(DISCOVERY), issuer.requests(KEYS)), (1, 1));
    }

    async fn a_service_account_that_is_changed_unseen_is_read_again(gw) {
        let (issuer, signer) = (Issuer::start().await, Signer::new("RS256", "1"));
        issuer.publish(&[&signer]);
        gw.know(&issuer).await;
        gw.apply(&git_repository("podinfo", "")).await;
        let account = |email: &str, audience: &str| {
            secret("token", "t0ken").replace(
                "token: t0ken",
                &format!("token: t0ken, email: {email}, audience: {audience}"),
            )
        };
        gw.apply(&account("old@example.com", "old")).await;
        gw.apply(&receiver("images", "gcr", "interval: 1h")).await;
        gw.settled().await;
        let path = gw.path("images").await;
        let body = json!({ "message": { "data": "e30=", "messageId": "1" } }).to_string();
        let push = |email: &str, audience: &str| {
            let mut claims = claims(&issuer);
            claims["iss"] = json!("https://accounts.google.com");
            claims["aud"] = json!(audience);
            claims["email"] = json!(email);
            claims["email_verified"] = json!(true);
            bearing(Delivery::post(&path, &body), &signer.token(&claims))
        };
        assert_eq!(gw.send(push("old@example.com", "old")).await.outcome(), "triggered");

        gw.apply(&account("new@example.com", "new")).await;

        assert!(gw.send(push("new@example.com", "new")).await.status.is_success());
        assert_eq!(gw.send(push("old@example.com", "old")).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(gw.send(push("new@example.com", "old")).await.status, StatusCode::UNAUTHORIZED);
    }

    async fn a_message_of_pub_sub_must_hold_an_event(gw) {
        let (issuer, signer) = (Issuer::start().await, Signer::new("RS256", "1"));
        issuer.publish(&[&signer]);
        gw.know(&issuer).await;
        gw.apply_catalogue("gcr").await;
        let push = gw.recorded("receivers/gcr/push.http", "gcr").await;
        let mut push = bearing(push.clone(), &signer.token(&claims_now(&push)));
        push.body = r#"{"message":{"data":"W10="}}"#.into();
        let answer = gw.send(push).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::BAD_REQUEST, "not-understood"));
        assert_eq!(gw.annotation("GitRepository", "podinfo").await, None);
    }

    async fn what_gcr_needs_besides_a_token_is_missed_at_once(gw) {
        gw.apply(&watched_secret("token", "t0ken")).await;
        gw.apply(&receiver("images", "gcr", "")).await;
        gw.settled().await;
        assert_eq!(gw.condition("images", "Ready").await, "False TokenNotFound");
        let message = format!(
            "invalid '{}/token' secret data: required fields 'email', 'audience'",
            gw.namespace()
        );
        assert_eq!(gw.message("images").await, message);

        let whole = watched_secret("token", "t0ken, email: a@b, audience: a");
        gw.apply(&whole).await;

        gw.receiver_until("images", "became ready", is_ready).await;
    }

    async fn mistakes_in_providers_are_told_in_the_words_of_flux(gw) {
        let prefix = "Reconciliation failed terminally due to configuration error: oidcProviders[0]";
        gw.apply(&trusting("plain", "http://issuer.example.com", "")).await;
        gw.apply(&trusting("named", "https://me@issuer.example.com", "")).await;
        gw.apply(&trusting("wrong", "https://issuer.example.com", "\n  variables: [{name: v, expression: 'req.a'}]")).await;
        gw.settled().await;
        for (name, reason, said) in [
            ("plain", "ValidationFailed", ": issuerURL \"http://issuer.example.com\" is not https"),
            ("named", "ValidationFailed", ": issuerURL \"https://me@issuer.example.com\" must be a host"),
            ("wrong", "InvalidCELExpression", " (issuerURL=\"https://issuer.example.com\"): invalid expression for variable \"v\": "),
        ] {
            assert_eq!(gw.condition(name, "Stalled").await, format!("True {reason}"), "{name}");
            assert_eq!(gw.condition(name, "Ready").await, format!("False {reason}"), "{name}");
            let message = gw.message(name).await;
            assert!(message.starts_with(&format!("{prefix}{said}")), "{message}");
        }
    }
}

fn is_ready(receiver: &Receiver) -> bool {
    let status = receiver.status.as_ref();
    status.is_some_and(|status| status.conditions.is_ready())
}
