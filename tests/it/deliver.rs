//! What becomes of a delivery: the main job, every refusal, and that a refusal changes nothing.

use http::{Method, StatusCode};

use crate::support::{
    objects::{git_repository, receiver, secret},
    on_every_back_end,
    wire::Delivery,
};

const PUSH: &str = "receivers/github/push.http";

on_every_back_end! {
    async fn a_signed_push_annotates_the_source(gw) {
        gw.apply_catalogue("github").await;
        assert_eq!(gw.annotation("GitRepository", "podinfo").await, None);

        let answer = gw.send(gw.recorded(PUSH, "github").await).await;

        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.outcome(), "triggered");
        let first = gw.annotation("GitRepository", "podinfo").await.expect("an annotation");
        // The same delivery again triggers again: a host's button to send once more must work.
        let again = gw.send(gw.recorded(PUSH, "github").await).await;
        assert_eq!(again.status, StatusCode::OK);
        assert_ne!(gw.annotation("GitRepository", "podinfo").await, Some(first));
    }

    async fn a_flipped_bit_changes_nothing(gw) {
        gw.apply_catalogue("github").await;
        let push = gw.recorded(PUSH, "github").await;
        let flipped_path = push.path[..push.path.len() - 1].to_owned()
            + if push.path.ends_with('0') { "1" } else { "0" };
        let middle = push.body.len() / 2;
        let last = push.body.len() - 1;

        for (tampered, expected) in [
            (push.clone().with_flipped_body_bit(0), StatusCode::UNAUTHORIZED),
            (push.clone().with_flipped_body_bit(middle), StatusCode::UNAUTHORIZED),
            (push.clone().with_flipped_body_bit(last), StatusCode::UNAUTHORIZED),
            (push.clone().with_flipped_header_bit("x-hub-signature-256"), StatusCode::UNAUTHORIZED),
            (push.clone().without("x-hub-signature-256").without("x-hub-signature"), StatusCode::UNAUTHORIZED),
            (push.clone().to(&flipped_path), StatusCode::NOT_FOUND),
        ] {
            let answer = gw.send(tampered.clone()).await;
            assert_eq!(answer.status, expected, "{tampered:?}");
            assert_eq!(answer.body, "", "a refusal tells nothing");
        }

        assert_eq!(gw.annotation("GitRepository", "podinfo").await, None);
    }

    async fn each_sender_of_the_catalogue_is_believed(gw) {
        for (sender, file) in [
            ("gitlab", "receivers/gitlab/push.http"),
            ("generic", "receivers/generic/push.http"),
            ("generic-hmac", "receivers/generic-hmac/push.http"),
        ] {
            gw.apply_catalogue(sender).await;
            let before = gw.annotation("GitRepository", "podinfo").await;
            let answer = gw.send(gw.recorded(file, sender).await).await;
            assert_eq!(answer.status, StatusCode::OK, "{sender}: {}", answer.body);
            let after = gw.annotation("GitRepository", "podinfo").await;
            assert_ne!(after, before, "{sender}");
        }
    }

    async fn a_wrong_credential_is_refused(gw) {
        gw.apply_catalogue("gitlab").await;
        gw.apply_catalogue("generic-hmac").await;
        let gitlab = gw.recorded("receivers/gitlab/push.http", "gitlab").await;
        let signed = gw.recorded("receivers/generic-hmac/push.http", "generic-hmac").await;

        for delivery in [
            gitlab.clone().with("x-gitlab-token", "wrong"),
            gitlab.without("x-gitlab-token"),
            signed.clone().with_flipped_header_bit("x-signature"),
            signed.with("x-signature", "md5=00"),
        ] {
            assert_eq!(gw.send(delivery).await.status, StatusCode::UNAUTHORIZED);
        }
        assert_eq!(gw.annotation("GitRepository", "podinfo").await, None);
    }

    async fn an_unlisted_event_is_not_wanted(gw) {
        gw.apply_catalogue("github").await;
        let push = gw.recorded(PUSH, "github").await;

        let answer = gw.send(push.with("x-github-event", "issues")).await;

        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::OK, "not-wanted"));
        assert_eq!(gw.annotation("GitRepository", "podinfo").await, None);
    }

    async fn event_names_are_compared_without_case(gw) {
        gw.apply_catalogue("github").await;
        let push = gw.recorded(PUSH, "github").await;
        let answer = gw.send(push.with("x-github-event", "PUSH")).await;
        assert_eq!(answer.outcome(), "triggered");
    }

    async fn a_suspended_receiver_asks_to_come_back(gw) {
        gw.apply_catalogue("github").await;
        let push = gw.recorded(PUSH, "github").await;
        gw.apply(&receiver("github", "github", "secretRef: {name: github-receiver}\nsuspend: true")).await;
        gw.settled().await;

        let answer = gw.send(push.clone()).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers.contains_key("retry-after"));
        assert_eq!(gw.annotation("GitRepository", "podinfo").await, None);

        gw.apply(&receiver("github", "github", "secretRef: {name: github-receiver}\nsuspend: false")).await;
        gw.settled().await;
        assert_eq!(gw.send(push).await.status, StatusCode::OK);
    }

    async fn a_receiver_that_is_not_ready_asks_to_come_back(gw) {
        gw.apply_catalogue("github").await;
        let push = gw.recorded(PUSH, "github").await;
        gw.apply(&receiver("github", "github", "secretRef: {name: github-receiver}\nresourceFilter: 'true'")).await;
        gw.settled().await;
        let answer = gw.send(push).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(gw.annotation("GitRepository", "podinfo").await, None);
    }

    async fn a_client_that_keeps_failing_is_told_to_wait(gw) {
        gw.apply_catalogue("github").await;
        let push = gw.recorded(PUSH, "github").await;
        let forged = push.clone().with_flipped_body_bit(0);
        let mut failures = 0;
        let answer = loop {
            let answer = gw.send(forged.clone()).await;
            if answer.status != StatusCode::UNAUTHORIZED {
                break answer;
            }
            failures += 1;
            assert!(failures < 200, "nothing stops a client that keeps failing");
        };
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(answer.headers.contains_key("retry-after"));
        assert!(failures >= 10, "a few mistakes must be forgiven");
    }

    async fn a_missing_target_is_named(gw) {
        gw.apply(&secret("token", "t0ken")).await;
        gw.apply(&receiver("ci", "generic", "")).await;
        gw.settled().await;

        let answer = gw.send(Delivery::post(&gw.path("ci").await, "")).await;

        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.outcome(), "nothing-accepted");
        assert_eq!(answer.refused(), [format!("GitRepository/{}/podinfo", gw.namespace())]);
    }

    async fn one_bad_target_does_not_stop_the_others(gw) {
        gw.apply(&secret("token", "t0ken")).await;
        gw.apply(&git_repository("podinfo", "")).await;
        gw.apply(&receiver(
            "ci",
            "generic",
            "resources: [{kind: GitRepository, name: missing}, {kind: GitRepository, name: podinfo}]",
        ))
        .await;
        gw.settled().await;

        let answer = gw.send(Delivery::post(&gw.path("ci").await, "")).await;

        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::OK, "partly-triggered"));
        assert_eq!(answer.refused(), [format!("GitRepository/{}/missing", gw.namespace())]);
        assert!(gw.annotation("GitRepository", "podinfo").await.is_some());
    }

    async fn only_posts_to_hooks_are_answered(gw) {
        gw.apply_catalogue("github").await;
        let push = gw.recorded(PUSH, "github").await;

        let mut get = push.clone();
        get.method = Method::GET;
        assert_eq!(gw.send(get).await.status, StatusCode::METHOD_NOT_ALLOWED);
        for path in ["/", "/hook", "/hook/", "/healthz", "/metrics", "/hook/0123"] {
            assert_eq!(gw.send(push.clone().to(path)).await.status, StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(gw.annotation("GitRepository", "podinfo").await, None);
    }

    async fn the_probes_tell_that_everything_serves(gw) {
        assert_eq!(gw.admin("/healthz").await.status, StatusCode::OK);
        assert_eq!(gw.admin("/readyz").await.status, StatusCode::OK);
        gw.apply_catalogue("github").await;
        gw.send(gw.recorded(PUSH, "github").await).await;
        let metrics = gw.admin("/metrics").await.body;
        assert!(metrics.contains("gotk_receiver_http_request_duration_seconds"), "{metrics}");
        assert!(!metrics.contains(&gw.path("github").await), "a path is a credential");
    }

    async fn hooks_are_the_same_after_a_restart(gw) {
        gw.apply_catalogue("github").await;
        let push = gw.recorded(PUSH, "github").await;
        assert_eq!(gw.send(push.clone()).await.status, StatusCode::OK);
        let before = gw.annotation("GitRepository", "podinfo").await;
        assert!(before.is_some());

        gw.restart().await;

        assert_eq!(gw.annotation("GitRepository", "podinfo").await, before);
        assert_eq!(gw.send(push).await.status, StatusCode::OK);
        assert_ne!(gw.annotation("GitRepository", "podinfo").await, before);
    }
}
