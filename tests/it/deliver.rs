//! What becomes of a delivery: the main job, every refusal, and that a refusal changes nothing.

use bytes::Bytes;
use hookgate::{api::receiver::Receiver, hook::Sender};
use http::{Method, StatusCode};
use jiff::Timestamp;
use tokio::time::timeout;

use crate::support::{
    objects::{DEADLINE, git_repository, receiver, secret},
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

    async fn a_push_over_http2_is_taken_too(gw) {
        gw.apply_catalogue("github").await;
        let push = gw.recorded(PUSH, "github").await;

        let forged = gw.send_over_http2(push.clone().with_flipped_body_bit(0)).await;
        assert_eq!(forged.status, StatusCode::UNAUTHORIZED);
        let answer = gw.send_over_http2(push).await;

        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert!(gw.annotation("GitRepository", "podinfo").await.is_some());
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
        gw.keep_journal().await;
        for sender in Sender::ALL.into_iter().filter(|it| !it.is_vouched_for()) {
            let name = sender.as_str();
            gw.apply_catalogue(name).await;
            let file = format!("receivers/{name}/push.http");
            let push = gw.recorded(&file, name).await;
            let push = push.signed_by(sender, &gw.secrets(&format!("{name}-receiver")).await);
            let sent = Timestamp::now();
            let answer = gw.send(push).await;
            assert!(answer.status.is_success(), "{name}: {} {}", answer.status, answer.body);
            gw.triggered_since("GitRepository", "podinfo", sent).await;
        }
    }

    async fn a_recorded_request_is_too_old_where_the_time_is_signed(gw) {
        for folder in ["standard-webhooks", "standard-webhooks-ed25519", "gitlab-signing"] {
            gw.apply_catalogue(folder).await;
            let push = gw.recorded(&format!("receivers/{folder}/push.http"), folder).await;
            assert_eq!(gw.send(push).await.status, StatusCode::UNAUTHORIZED, "{folder}");
        }
        assert_eq!(gw.annotation("GitRepository", "podinfo").await, None);
    }

    async fn an_unsigned_ping_is_answered_and_nothing_follows(gw) {
        gw.apply_catalogue("bitbucket").await;
        let ping = gw.recorded("receivers/bitbucket/ping.http", "bitbucket").await;

        let answer = gw.send(ping.clone()).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""));

        for (forged, expected) in [
            (ping.clone().with("x-event-key", "repo:refs_changed"), StatusCode::UNAUTHORIZED),
            (ping.clone().with("x-hub-signature", "sha256=00"), StatusCode::UNAUTHORIZED),
            (ping.clone().to("/hook/0123"), StatusCode::NOT_FOUND),
        ] {
            assert_eq!(gw.send(forged).await.status, expected);
        }
        assert_eq!(gw.annotation("GitRepository", "podinfo").await, None);
    }

    async fn a_change_of_the_sender_is_noticed_at_once(gw) {
        gw.apply_catalogue("gitea").await;
        let push = gw.recorded("receivers/gitea/form_push.http", "gitea").await;
        assert_eq!(gw.send(push.clone()).await.outcome(), "triggered");

        let spec = "secretRef: {name: gitea-receiver}";
        let forgejo = receiver("gitea", "generic-hmac", spec)
            .replace("{name: gitea}", "{name: gitea, annotations: {hookgate.dev/sender: forgejo}}");
        gw.apply(&forgejo).await;
        gw.settled().await;
        while gw.send(push.clone()).await.status == StatusCode::OK {
            tokio::task::yield_now().await;
        }

        let typo = forgejo.replace("sender: forgejo", "sender: forgejoe");
        gw.apply(&typo).await;
        let is_stalled = |receiver: &Receiver| {
            let conditions = receiver.status.as_ref().map(|status| &status.conditions);
            conditions.is_some_and(|conditions| conditions.is_true("Stalled"))
        };
        gw.receiver_until("gitea", "is stalled", is_stalled).await;
        let message = gw.message("gitea").await;
        assert!(message.contains("`forgejoe`, which is no sender on type `generic-hmac`"), "{message}");
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

    async fn a_body_that_cannot_be_understood_is_named_to_its_sender(gw) {
        gw.apply_catalogue("dockerhub").await;
        let push = gw.recorded("receivers/dockerhub/push.http", "dockerhub").await;

        let mut wrong = push.clone();
        wrong.body = Bytes::from_static(br#"{"push_data":{"tag":5}}"#);
        let answer = gw.send(wrong).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::BAD_REQUEST, "not-understood"));
        assert!(answer.body.contains("`tag` must be a string"), "{}", answer.body);

        let padded = |bytes: usize| {
            let mut body = push.body.to_vec();
            body.resize(bytes, b' ');
            Delivery { body: body.into(), ..push.clone() }
        };
        let limit = 3 * 1024 * 1024;
        assert_eq!(gw.send(padded(limit)).await.status, StatusCode::OK);
        let answer = gw.send(padded(limit + 1)).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "not-understood"));
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
        gw.apply(&receiver("github", "github", "secretRef: {name: github-receiver}\nresourceFilter: 'req.'")).await;
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

    async fn each_receiver_has_counts_until_it_is_gone(gw) {
        gw.apply_catalogue("github").await;
        let push = gw.recorded(PUSH, "github").await;
        gw.send(push.clone()).await;
        let forged = push.clone().with("x-hub-signature-256", "sha256=00");
        gw.send(forged).await;
        gw.send(push.with("x-github-event", "issues")).await;

        let labels = format!(r#"namespace="{}",name="github",type="github""#, gw.namespace());
        let metrics = gw.admin("/metrics").await.body;
        for outcome in ["triggered", "unauthentic", "not-wanted"] {
            let line = format!(r#"hookgate_deliveries_total{{{labels},outcome="{outcome}"}} 1"#);
            assert!(metrics.contains(&line), "no {line} in {metrics}");
        }

        gw.delete("Receiver", "github").await;
        let forgotten = async {
            while gw.admin("/metrics").await.body.contains(&labels) {}
        };
        timeout(DEADLINE, forgotten).await.expect("its counts go with it");
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
