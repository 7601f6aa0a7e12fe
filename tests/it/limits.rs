//! Who may send, how often, and that nothing accepted is lost by it.
//!
//! What is counted, and how a queue of hours looks, is tested beside the code.

use futures::future::join_all;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::timeout;

use crate::support::{
    Gateway,
    objects::{DEADLINE, git_repository, receiver, secret},
    on_every_back_end,
    wire::{Answer, Delivery},
};

/// How many objects a Receiver triggers.
const OBJECTS: usize = 8;

/// A Receiver, in YAML, with one annotation.
fn annotated(receiver: &str, annotation: &str, value: &str) -> String {
    let (before, after) = receiver.split_once("metadata: {").expect("metadata");
    format!("{before}metadata: {{annotations: {{{annotation}: '{value}'}}, {after}")
}

/// A Receiver that triggers `OBJECTS` repositories of its own, at a rate.
async fn apply_many(gw: &Gateway, name: &str, rate: &str) {
    gw.apply(&secret("token", "t0ken")).await;
    let mut named = Vec::new();
    for index in 0..OBJECTS {
        gw.apply(&git_repository(&format!("{name}-{index}"), ""))
            .await;
        named.push(format!("{{kind: GitRepository, name: {name}-{index}}}"));
    }
    let resources = format!("resources: [{}]", named.join(", "));
    let receiver = receiver(name, "generic", &resources);
    gw.apply(&annotated(&receiver, "hookgate.dev/rate", rate))
        .await;
    gw.settled().await;
}

async fn deliver(gw: &Gateway, receiver: &str) -> Answer {
    gw.send(Delivery::post(&gw.path(receiver).await, "")).await
}

async fn all_triggered_since(gw: &Gateway, receiver: &str, since: Timestamp) {
    for index in 0..OBJECTS {
        gw.triggered_since("GitRepository", &format!("{receiver}-{index}"), since)
            .await;
    }
}

/// How many repositories of a Receiver have been triggered.
async fn triggered(gw: &Gateway, receiver: &str) -> usize {
    let names = (0..OBJECTS).map(|index| format!("{receiver}-{index}"));
    let annotations = names.map(async |name| gw.annotation("GitRepository", &name).await);
    join_all(annotations).await.iter().flatten().count()
}

async fn apply_listing(gw: &Gateway, networks: &str) {
    gw.apply(&secret("token", "t0ken")).await;
    gw.apply(&git_repository("podinfo", "")).await;
    let receiver = receiver("ci", "generic-hmac", "");
    gw.apply(&annotated(
        &receiver,
        "hookgate.dev/allowed-clients",
        networks,
    ))
    .await;
    gw.settled().await;
}

async fn push(gw: &Gateway) -> Delivery {
    let secrets = gw.secrets("token").await;
    let push = Delivery::post(&gw.path("ci").await, "{}");
    push.signed_by(hookgate::hook::Sender::GenericHmac, &secrets)
}

/// What a sender can tell answers apart by.
fn seen(answer: &Answer) -> (StatusCode, HeaderMap, &str) {
    let mut headers = answer.headers.clone();
    headers.remove("date");
    (answer.status, headers, &answer.body)
}

on_every_back_end! {
    async fn a_client_that_is_not_listed_sees_an_unknown_path(gw) {
        apply_listing(&gw, "192.0.2.0/24, 2001:db8::/32").await;
        let push = push(&gw).await;
        let unknown = push.clone().to(&format!("/hook/{}", "0".repeat(64)));
        let unknown = gw.send(unknown).await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
        let unsigned = push.clone().without("x-signature");
        for delivery in [push.clone(), unsigned] {
            for _ in 0..30 {
                let answer = gw.send(delivery.clone()).await;
                assert_eq!(seen(&answer), seen(&unknown), "however often");
            }
        }
        assert_eq!(gw.annotation("GitRepository", "podinfo").await, None);
        let metrics = gw.admin("/metrics").await.body;
        let counted = r#"outcome="client-not-allowed"} 60"#;
        assert!(metrics.contains(counted), "{metrics}");
        assert!(metrics.contains(r#"hookgate_refusals_total{phase="limit",code="404"} 60"#), "{metrics}");
    }

    async fn a_list_counts_as_soon_as_it_is_changed(gw) {
        apply_listing(&gw, "192.0.2.0/24").await;
        let push = push(&gw).await;
        assert_eq!(gw.send(push.clone()).await.status, StatusCode::NOT_FOUND);
        apply_listing(&gw, "192.0.2.0/24, 127.0.0.0/8").await;
        let admitted = async {
            while gw.send(push.clone()).await.status != StatusCode::OK {}
        };
        timeout(DEADLINE, admitted).await.expect("the client is listed");
    }

    async fn a_list_with_a_mistake_lets_nobody_in_and_says_so(gw) {
        apply_listing(&gw, "127.0.0.0/8, github.com").await;
        assert_eq!(gw.condition("ci", "Ready").await, "False ValidationFailed");
        let message = gw.message("ci").await;
        assert!(message.contains("`github.com`; write a network or an address"), "{message}");
    }

    async fn a_receiver_above_its_rate_is_coalesced_and_loses_nothing(gw) {
        apply_many(&gw, "noisy", "2/s").await;
        apply_many(&gw, "quiet", "1200/m").await;
        gw.keep_journal().await;
        let (patches, mut last) = (gw.line().patches(), Timestamp::now());
        let answer = deliver(&gw, "noisy").await;
        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::ACCEPTED, "coalesced"));
        for _ in 0..5 {
            last = Timestamp::now();
            for answer in join_all((0..20).map(|_| deliver(&gw, "noisy"))).await {
                assert!(answer.status.is_success(), "{}", answer.body);
            }
        }
        let before = Timestamp::now();
        assert!(deliver(&gw, "quiet").await.status.is_success());
        all_triggered_since(&gw, "quiet", before).await;
        all_triggered_since(&gw, "noisy", last).await;
        let sent = gw.line().patches() - patches;
        assert!(sent <= 4 * OBJECTS, "{sent} patches for 101 deliveries");
    }

    async fn what_waits_for_its_rate_outlives_the_process(gw) {
        apply_many(&gw, "noisy", "1/h").await;
        gw.keep_journal().await;
        let before = Timestamp::now();
        assert_eq!(deliver(&gw, "noisy").await.outcome(), "coalesced");
        gw.triggered_since("GitRepository", "noisy-0", before).await;
        assert_eq!(triggered(&gw, "noisy").await, 1);
        let metrics = gw.admin("/metrics").await.body;
        assert!(metrics.contains("hookgate_trigger_above_rate_targets 7\n"), "{metrics}");
        assert!(metrics.contains(r#"type="generic",outcome="coalesced"} 1"#), "{metrics}");
        gw.restart().await;
        all_triggered_since(&gw, "noisy", before).await;
    }

    async fn without_a_journal_what_is_above_the_rate_is_to_be_sent_again(gw) {
        apply_many(&gw, "noisy", "1/h").await;
        let answer = deliver(&gw, "noisy").await;
        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unfinished"));
        assert!(answer.headers.contains_key("retry-after"));
    }

    async fn an_operator_is_held_to_no_rate(gw) {
        apply_many(&gw, "noisy", "1/h").await;
        gw.keep_journal().await;
        deliver(&gw, "noisy").await;
        assert_eq!(triggered(&gw, "noisy").await, 1);
        let before = Timestamp::now();
        let listed = gw.operator(Method::GET, "/deliveries").await.body;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let id = listed["deliveries"][0]["id"].as_u64().unwrap_or_else(|| panic!("{listed}"));
        let answer = gw.operator(Method::POST, &format!("/deliveries/{id}/redeliver")).await;
        assert!(answer.status.is_success(), "{}", answer.body);
        all_triggered_since(&gw, "noisy", before).await;
    }
}
