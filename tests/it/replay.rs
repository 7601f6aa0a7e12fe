//! A Receiver that refuses replays: what was signed and answered 2xx triggers nothing again, and all else does.
//!
//! Which bytes make a message is tested beside the code.

use futures::future::join_all;
use hookgate::hook::Sender;
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::{
    Gateway,
    objects::{git_repository, receiver, secret},
    on_every_back_end,
    wire::{Answer, Delivery},
};

/// A Receiver `ci` that refuses replays.
async fn apply_refusing(gw: &Gateway, sender: Sender, spec: &str) {
    let (type_, named) = sender.asked_by();
    let named = named.map_or_else(String::new, |name| format!(", hookgate.dev/sender: {name}"));
    let annotations = format!("metadata: {{annotations: {{hookgate.dev/replays: refuse{named}}}, ");
    let receiver = receiver("ci", type_.as_str(), spec).replace("metadata: {", &annotations);
    gw.apply(&receiver).await;
    gw.settled().await;
}

async fn apply(gw: &Gateway, sender: Sender) {
    gw.apply(&secret("token", "t0ken")).await;
    gw.apply(&git_repository("podinfo", "")).await;
    apply_refusing(gw, sender, "events: [push]").await;
}

/// A push with this body, signed.
async fn push(gw: &Gateway, sender: Sender, body: &str) -> Delivery {
    let secrets = gw.secrets("token").await;
    let push = Delivery::post(&gw.path("ci").await, body).with("content-type", "application/json");
    let push = push.signed_by(sender, &secrets);
    push.with("x-github-event", "push")
        .with("x-gitea-event", "push")
}

async fn github(gw: &Gateway, body: &str) -> Delivery {
    push(gw, Sender::Github, body).await
}

fn told(answer: &Answer) -> (StatusCode, String) {
    (answer.status, answer.outcome())
}

fn replayed() -> (StatusCode, String) {
    (StatusCode::OK, "replayed".to_owned())
}

async fn triggered(gw: &Gateway) -> Option<String> {
    gw.annotation("GitRepository", "podinfo").await
}

on_every_back_end! {
    async fn what_was_signed_before_triggers_nothing_again(gw) {
        apply(&gw, Sender::Github).await;
        gw.keep_journal().await;
        let push = github(&gw, "{}").await;
        assert_eq!(gw.send(push.clone()).await.status, StatusCode::OK);
        let before = triggered(&gw).await;
        assert!(before.is_some());

        let disguised = push
            .clone()
            .with("x-github-delivery", "another")
            .with("x-github-event", "issues");
        for delivery in [push.clone(), push.clone(), disguised] {
            assert_eq!(told(&gw.send(delivery).await), replayed());
        }
        assert_eq!(triggered(&gw).await, before);
        let metrics = gw.admin("/metrics").await.body;
        assert!(metrics.contains(r#"outcome="replayed"} 3"#), "{metrics}");

        let last = Timestamp::now();
        let answer = gw.send(github(&gw, r#"{"another": 1}"#).await).await;
        assert!(answer.status.is_success(), "{}", answer.body);
        gw.triggered_since("GitRepository", "podinfo", last).await;
    }

    async fn a_restart_forgets_nothing(gw) {
        apply(&gw, Sender::Github).await;
        gw.keep_journal().await;
        let push = github(&gw, "{}").await;
        assert_eq!(gw.send(push.clone()).await.status, StatusCode::OK);
        let before = triggered(&gw).await;
        for _ in 0..2 {
            gw.restart().await;
            assert_eq!(told(&gw.send(push.clone()).await), replayed());
        }
        assert_eq!(triggered(&gw).await, before);
    }

    async fn of_many_at_once_exactly_one_triggers(gw) {
        apply(&gw, Sender::Github).await;
        gw.keep_journal().await;
        for round in 0..5 {
            let push = github(&gw, &format!("{{\"round\": {round}}}")).await;
            let answers = join_all((0..20).map(|_| gw.send(push.clone()))).await;
            assert!(answers.iter().all(|answer| answer.status.is_success()));
            let replays = answers.iter().filter(|answer| told(answer) == replayed());
            assert_eq!(replays.count(), 19);
        }
    }

    async fn what_was_answered_503_is_not_a_replay(gw) {
        apply(&gw, Sender::Github).await;
        let push = github(&gw, "{}").await;
        gw.line().cut();
        for _ in 0..2 {
            let answer = gw.send(push.clone()).await;
            assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unfinished"));
        }
        gw.line().mend();
        let before = Timestamp::now();
        let accepted = async {
            while gw.send(push.clone()).await.status != StatusCode::OK {}
        };
        tokio::time::timeout(crate::support::objects::DEADLINE, accepted).await.expect("it is sent again");
        gw.triggered_since("GitRepository", "podinfo", before).await;
        assert_eq!(told(&gw.send(push).await), replayed());
    }

    async fn what_was_answered_202_is_triggered_and_does_not_come_again(gw) {
        apply(&gw, Sender::Github).await;
        gw.keep_journal().await;
        let (push, before) = (github(&gw, "{}").await, Timestamp::now());
        gw.line().cut();
        assert_eq!(gw.send(push.clone()).await.status, StatusCode::ACCEPTED);
        assert_eq!(told(&gw.send(push.clone()).await), replayed());
        gw.restart_on_a_mended_line().await;
        gw.triggered_since("GitRepository", "podinfo", before).await;
        assert_eq!(told(&gw.send(push).await), replayed());
    }

    async fn what_was_answered_500_is_not_a_replay(gw) {
        gw.apply(&secret("token", "t0ken")).await;
        apply_refusing(&gw, Sender::Github, "").await;
        gw.keep_journal().await;
        let push = github(&gw, "{}").await;
        let answer = gw.send(push.clone()).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "nothing-accepted"));
        gw.apply(&git_repository("podinfo", "")).await;
        let before = Timestamp::now();
        let answer = gw.send(push.clone()).await;
        assert!(answer.status.is_success() && told(&answer) != replayed(), "{}", answer.body);
        gw.triggered_since("GitRepository", "podinfo", before).await;
        assert_eq!(told(&gw.send(push).await), replayed());
    }

    async fn what_was_not_wanted_cannot_be_made_wanted(gw) {
        apply(&gw, Sender::Github).await;
        gw.keep_journal().await;
        let push = github(&gw, "{}").await;
        let issue = push.clone().with("x-github-event", "issues");
        assert_eq!(gw.send(issue).await.outcome(), "not-wanted");
        assert_eq!(told(&gw.send(push).await), replayed(), "the event is not signed");
        assert_eq!(triggered(&gw).await, None);
    }

    async fn who_cannot_prove_himself_uses_up_nothing(gw) {
        apply(&gw, Sender::Github).await;
        gw.keep_journal().await;
        let push = github(&gw, "{}").await;
        let forged = push.clone().with_flipped_header_bit("x-hub-signature-256");
        assert_eq!(gw.send(forged).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(gw.send(push).await.outcome(), "triggered");
    }

    async fn the_json_of_a_form_is_the_same_by_itself(gw) {
        apply(&gw, Sender::Gitea).await;
        gw.keep_journal().await;
        let push = push(&gw, Sender::Gitea, "{}").await;
        assert_eq!(gw.send(push.clone()).await.outcome(), "triggered");
        let mut form = push.with("content-type", "application/x-www-form-urlencoded");
        form.body = "payload=%7B%7D".into();
        assert_eq!(told(&gw.send(form).await), replayed());
    }

    async fn a_signed_time_outside_the_window_is_refused_and_within_it_known_again(gw) {
        let token = "whsec_YSBuZXcgdG9rZW4gb2YgMjQgYnl0ZXMh";
        gw.apply(&secret("token", token)).await;
        gw.apply(&git_repository("podinfo", "")).await;
        apply_refusing(&gw, Sender::StandardWebhooks, "").await;
        gw.keep_journal().await;
        let push = push(&gw, Sender::StandardWebhooks, "{}").await;
        assert_eq!(gw.send(push.clone()).await.outcome(), "triggered");
        assert_eq!(told(&gw.send(push.clone()).await), replayed());
        let at = |offset| (Timestamp::now() + SignedDuration::from_mins(offset)).as_second().to_string();
        for time in [at(-6), at(6), "-1".to_owned(), "99999999999999999999".to_owned(), "now".to_owned()] {
            let moved = push.clone().with("webhook-timestamp", &time);
            assert_eq!(gw.send(moved).await.status, StatusCode::UNAUTHORIZED, "{time}");
        }
    }

    async fn a_receiver_that_does_not_ask_is_triggered_again(gw) {
        gw.apply_catalogue("github").await;
        gw.keep_journal().await;
        let push = gw.recorded("receivers/github/push.http", "github").await;
        for _ in 0..2 {
            let before = Timestamp::now();
            let answer = gw.send(push.clone()).await;
            assert!(answer.status.is_success() && told(&answer) != replayed(), "{}", answer.body);
            gw.triggered_since("GitRepository", "podinfo", before).await;
        }
    }

    async fn the_operator_may_redeliver(gw) {
        apply(&gw, Sender::Github).await;
        gw.keep_journal().await;
        let push = github(&gw, "{}").await;
        gw.send(push.clone()).await;
        let listed = gw.operator(Method::GET, "/deliveries").await.body;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let id = listed["deliveries"][0]["id"].as_u64().unwrap_or_else(|| panic!("{listed}"));
        let before = Timestamp::now();
        let answer = gw.operator(Method::POST, &format!("/deliveries/{id}/redeliver")).await;
        assert!(answer.status.is_success(), "{}", answer.body);
        gw.triggered_since("GitRepository", "podinfo", before).await;
        assert_eq!(told(&gw.send(push).await), replayed());
    }

    async fn who_signs_nothing_is_told_that_it_cannot_be(gw) {
        gw.apply(&secret("token", "t0ken")).await;
        apply_refusing(&gw, Sender::Harbor, "").await;
        assert_eq!(gw.condition("ci", "Ready").await, "False ValidationFailed");
        let message = gw.message("ci").await;
        assert!(message.contains("`harbor` signs nothing that tells one delivery from another"), "{message}");
    }

    async fn gitlab_is_told_what_it_needs_to_sign(gw) {
        gw.apply(&secret("token", "t0ken")).await;
        apply_refusing(&gw, Sender::Gitlab, "").await;
        let message = gw.message("ci").await;
        assert!(message.contains("required fields 'signing-token', without which replays"), "{message}");
    }
}
