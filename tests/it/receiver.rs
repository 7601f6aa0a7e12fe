//! What the Receiver controller tells and does: conditions, paths, finalizers, Secrets that change.

use hookgate::api::receiver::Receiver;
use http::StatusCode;

use crate::support::{
    objects::{REQUESTED_AT, git_repository, receiver, secret, watched_secret},
    on_every_back_end, path_of,
    wire::Delivery,
};

const FINALIZER: &str = "finalizers.fluxcd.io";

on_every_back_end! {
    async fn a_good_receiver_becomes_ready(gw) {
        gw.apply(&secret("token", "token")).await;
        gw.apply(&receiver("test", "github", "")).await;
        gw.settled().await;

        assert_eq!(gw.condition("test", "Ready").await, "True Succeeded");
        assert_eq!(gw.condition("test", "Stalled").await, "absent");
        assert_eq!(gw.condition("test", "Reconciling").await, "absent");
        let path = gw.path("test").await;
        assert_eq!(path, path_of("token", "test", gw.namespace()));
        assert_eq!(gw.message("test").await, format!("Receiver initialized for path: {path}"));
        let object = gw.object("Receiver", "test").await;
        assert_eq!(object["metadata"]["finalizers"][0], FINALIZER);
        assert_eq!(object["status"]["observedGeneration"], object["metadata"]["generation"]);
    }

    async fn a_missing_secret_is_named_and_waited_for(gw) {
        gw.apply(&receiver("test", "github", "")).await;
        gw.settled().await;
        assert_eq!(gw.condition("test", "Ready").await, "False TokenNotFound");
        let message = gw.message("test").await;
        assert!(message.contains(&format!("{}/token", gw.namespace())), "{message}");

        gw.apply(&watched_secret("token", "token")).await;

        gw.receiver_until("test", "became ready", is_ready).await;
    }

    async fn a_secret_with_the_watch_label_moves_the_path_at_once(gw) {
        gw.apply(&watched_secret("token", "one")).await;
        gw.apply(&git_repository("podinfo", "")).await;
        gw.apply(&receiver("ci", "generic", "")).await;
        gw.settled().await;
        let old = gw.path("ci").await;

        gw.apply(&watched_secret("token", "two")).await;

        let new = path_of("two", "ci", gw.namespace());
        gw.receiver_until("ci", "moved", |receiver| {
            receiver.status.as_ref().is_some_and(|status| status.webhook_path.as_ref() == Some(&new))
        })
        .await;
        assert_eq!(gw.send(Delivery::post(&old, "")).await.status, StatusCode::NOT_FOUND);
        assert_eq!(gw.send(Delivery::post(&new, "")).await.status, StatusCode::OK);
    }

    async fn a_secret_without_the_label_is_seen_at_the_interval(gw) {
        gw.apply(&secret("token", "one")).await;
        gw.apply(&git_repository("podinfo", "")).await;
        gw.apply(&receiver("ci", "generic", "interval: 100ms")).await;
        gw.settled().await;

        gw.apply(&secret("token", "two")).await;

        let new = path_of("two", "ci", gw.namespace());
        gw.receiver_until("ci", "moved", |receiver| {
            receiver.status.as_ref().is_some_and(|status| status.webhook_path.as_ref() == Some(&new))
        })
        .await;
    }

    async fn a_secret_without_the_label_is_read_again_when_authentication_fails(gw) {
        gw.apply(&secret("token", "one")).await;
        gw.apply(&git_repository("podinfo", "")).await;
        gw.apply(&receiver("chat", "gitlab", "interval: 1h")).await;
        gw.settled().await;
        let path = gw.path("chat").await;
        let with = |token: &str| {
            Delivery::post(&path, "{}")
                .with("x-gitlab-event", "Push Hook")
                .with("x-gitlab-token", token)
        };
        assert_eq!(gw.send(with("one")).await.status, StatusCode::OK);

        gw.apply(&secret("token", "two")).await;

        assert_eq!(gw.send(with("two")).await.status, StatusCode::OK);
    }

    async fn every_mistake_of_a_receiver_is_reported(gw) {
        gw.apply(&secret("token", "token")).await;
        let receiver = receiver(
            "test",
            "github",
            "resourceFilter: request.ref == 'a'\nresources: [{kind: GitRepository, name: podinfo, filter: req.ok}]",
        );
        gw.apply(&sent_by("nobody", &receiver)).await;
        gw.settled().await;

        assert_eq!(gw.condition("test", "Stalled").await, "True InvalidCELExpression");
        assert_eq!(gw.condition("test", "Ready").await, "False InvalidCELExpression");
        let message = gw.message("test").await;
        for mistake in ["annotation hookgate.dev/sender is `nobody`", "resourceFilter", "filter expression for resources[0]"] {
            assert!(message.contains(mistake), "{message}");
        }
    }

    async fn a_mended_receiver_is_no_longer_stalled(gw) {
        gw.apply(&secret("token", "token")).await;
        gw.apply(&sent_by("nobody", &receiver("test", "github", ""))).await;
        gw.settled().await;
        assert_eq!(gw.condition("test", "Stalled").await, "True ValidationFailed");
        gw.apply(&sent_by("gitea", &receiver("test", "github", ""))).await;
        gw.receiver_until("test", "was mended", is_ready).await;
        assert_eq!(gw.condition("test", "Ready").await, "True Succeeded");
        assert_eq!(gw.condition("test", "Stalled").await, "absent");
    }

    async fn an_empty_token_is_refused(gw) {
        gw.apply(&secret("token", "''")).await;
        gw.apply(&receiver("test", "github", "")).await;
        gw.settled().await;
        assert_eq!(gw.condition("test", "Ready").await, "False TokenNotFound");
    }

    async fn a_deleted_receiver_is_gone_with_its_hook(gw) {
        gw.apply_catalogue("github").await;
        let push = gw.recorded("receivers/github/push.http", "github").await;

        gw.delete("Receiver", "github").await;
        gw.gone("Receiver", "github").await;

        assert_eq!(gw.send(push).await.status, StatusCode::NOT_FOUND);
        assert_eq!(gw.annotation("GitRepository", "podinfo").await, None);
    }

    async fn a_requested_reconciliation_is_acknowledged(gw) {
        gw.apply(&secret("token", "token")).await;
        gw.apply(&receiver("test", "github", "")).await;
        gw.settled().await;

        let metadata = format!("{{name: test, annotations: {{{REQUESTED_AT}: 'now'}}}}");
        gw.apply(&receiver("test", "github", "").replace("{name: test}", &metadata)).await;

        gw.receiver_until("test", "handled the request", |receiver| {
            receiver.status.as_ref().is_some_and(|status| {
                status.last_handled_reconcile_at.as_deref() == Some("now")
            })
        })
        .await;
    }

    async fn a_suspended_receiver_keeps_its_path(gw) {
        gw.apply(&secret("token", "token")).await;
        gw.apply(&receiver("test", "github", "")).await;
        gw.settled().await;
        let path = gw.path("test").await;
        gw.apply(&receiver("test", "github", "suspend: true")).await;
        gw.settled().await;
        assert_eq!(gw.path("test").await, path);
    }

    async fn what_the_schema_refuses_is_not_stored(gw) {
        let error = gw.try_apply(&receiver("test", "teams", "")).await.expect_err("no such type");
        let text = error.to_string();
        assert!(text.contains("spec.type") && text.contains("teams"), "{text}");
    }
}

/// The Receiver `test` with an annotation that names its sender.
fn sent_by(sender: &str, receiver: &str) -> String {
    let metadata = format!("{{name: test, annotations: {{hookgate.dev/sender: {sender}}}}}");
    receiver.replace("{name: test}", &metadata)
}

fn is_ready(receiver: &Receiver) -> bool {
    let status = receiver.status.as_ref();
    status.is_some_and(|status| status.conditions.is_ready())
}

#[test]
fn paths_are_those_of_flux() {
    for (token, name, namespace, digest) in [
        (
            "token",
            "test-receiver",
            "",
            "38300c7414d0efe04342418b3f5d225a95e87e2a712f6b48d870df50528318a9",
        ),
        (
            "test-token",
            "github-receiver",
            "flux-system",
            "df3ebadde655d58cd8236886baaaca95ff9c420f4c89e11a5d91965baa0cdf0f",
        ),
        (
            "",
            "generic-oidc-receiver",
            "default",
            "4399e88762a0abe9a87e588d0c42b27f13ac7a4fb04bb1ed28be8cb4b2fb4f31",
        ),
    ] {
        let path = format!("/hook/{digest}");
        assert_eq!(path_of(token, name, namespace), path);
        let token = hookgate::hook::Token::new(token.into()).ok();
        let derived = hookgate::hook::HookPath::derive(token.as_ref(), name, namespace);
        assert_eq!(derived.reveal(), path);
    }
}
