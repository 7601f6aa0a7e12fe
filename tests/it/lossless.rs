//! A delivery that is answered 2xx leads to an annotation that is at least as new, whatever happens in between.
//!
//! How the journal meets a bad disk, and what the queue does with hours of traffic, is tested beside them.

use std::{num::NonZeroU32, time::Duration};

use futures::future::join_all;
use hookgate::config::ApiBudget;
use http::StatusCode;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::support::{
    Gateway,
    objects::{git_repository, receiver, secret},
    on_every_back_end,
    wire::Delivery,
};

/// How many objects a test triggers.
const OBJECTS: usize = 12;

/// A Receiver `all` that names `OBJECTS` repositories, and `ci` that names the first.
async fn apply_many(gw: &Gateway) {
    gw.apply(&secret("token", "t0ken")).await;
    let mut named = Vec::new();
    for index in 0..OBJECTS {
        gw.apply(&git_repository(&format!("app-{index}"), "")).await;
        named.push(format!("{{kind: GitRepository, name: app-{index}}}"));
    }
    let resources = |names: &[String]| format!("resources: [{}]", names.join(", "));
    gw.apply(&receiver("all", "generic", &resources(&named)))
        .await;
    gw.apply(&receiver("ci", "generic", &resources(&named[..1])))
        .await;
    gw.settled().await;
}

async fn deliver(gw: &Gateway, receiver: &str) -> crate::support::wire::Answer {
    gw.send(Delivery::post(&gw.path(receiver).await, "")).await
}

on_every_back_end! {
    async fn a_push_right_after_another_is_taken_down_and_done(gw) {
        apply_many(&gw).await;
        gw.keep_journal().await;
        let (patches, mut last) = (gw.line().patches(), Timestamp::now());
        let started = Instant::now();
        for _ in 0..50 {
            last = Timestamp::now();
            let answer = deliver(&gw, "ci").await;
            assert!(answer.status.is_success(), "{}", answer.body);
        }
        gw.triggered_since("GitRepository", "app-0", last).await;
        let seconds = usize::try_from(started.elapsed().as_secs()).unwrap();
        assert!(gw.line().patches() - patches <= 2 + seconds, "one a second");
    }

    async fn an_outage_is_answered_202_and_everything_is_done_after_it(gw) {
        apply_many(&gw).await;
        gw.keep_journal().await;
        gw.line().cut();
        let before = Timestamp::now();
        for receiver in ["all", "ci", "all"] {
            let answer = deliver(&gw, receiver).await;
            assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::ACCEPTED, "pending"));
        }
        assert_eq!(gw.annotation("GitRepository", "app-0").await, None);
        gw.line().mend();
        for index in 0..OBJECTS {
            gw.triggered_since("GitRepository", &format!("app-{index}"), before).await;
        }
    }

    async fn what_is_pending_outlives_the_process(gw) {
        apply_many(&gw).await;
        gw.keep_journal().await;
        gw.line().cut();
        let before = Timestamp::now();
        assert_eq!(deliver(&gw, "all").await.status, StatusCode::ACCEPTED);
        gw.restart_on_a_mended_line().await;
        for index in 0..OBJECTS {
            gw.triggered_since("GitRepository", &format!("app-{index}"), before).await;
        }
    }

    async fn without_a_journal_an_outage_asks_to_send_again(gw) {
        apply_many(&gw).await;
        gw.line().cut();
        let answer = deliver(&gw, "ci").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.outcome(), "unfinished");
        assert!(answer.headers.contains_key("retry-after"));
        gw.line().mend();
    }

    async fn a_storm_keeps_to_the_budget_and_loses_nothing(gw) {
        apply_many(&gw).await;
        let (interval, burst) = (Duration::from_millis(100), NonZeroU32::new(5).unwrap());
        gw.keep_to(ApiBudget { interval, burst }).await;
        gw.keep_journal().await;
        let (patches, started) = (gw.line().patches(), Instant::now());
        let mut last = Timestamp::now();
        for _ in 0..10 {
            last = Timestamp::now();
            for answer in join_all((0..20).map(|_| deliver(&gw, "all"))).await {
                assert!(answer.status.is_success(), "{}", answer.body);
            }
        }
        for index in 0..OBJECTS {
            gw.triggered_since("GitRepository", &format!("app-{index}"), last).await;
        }
        let sent = gw.line().patches() - patches;
        let earned = usize::try_from(started.elapsed().as_millis() / interval.as_millis()).unwrap();
        assert!(sent <= 5 + earned, "{sent} patches, {earned} earned");
    }
}
