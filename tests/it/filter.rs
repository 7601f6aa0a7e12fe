//! Filters: deliveries that trigger what CEL expressions say, through the whole gateway.

use futures::future::{join, join_all};
use http::{Method, StatusCode};
use tokio::time::timeout;

use crate::support::{
    objects::{DEADLINE, events, git_repository, receiver, secret},
    on_every_back_end,
    wire::Delivery,
};

const MAIN: &str = r#"{"ref":"refs/heads/main","repository":{"name":"web"}}"#;

fn json(path: &str, body: &str) -> Delivery {
    Delivery::post(path, body).with("content-type", "application/json")
}

on_every_back_end! {
    async fn a_named_target_is_triggered_if_its_filter_says_so(gw) {
        gw.apply(&secret("token", "token")).await;
        for name in ["web", "dev"] {
            gw.apply(&git_repository(name, "")).await;
        }
        gw.apply(&receiver(
            "ci",
            "generic",
            "resourceFilter: \"req.ref.startsWith('refs/heads/')\"\n\
             resources: [{kind: GitRepository, name: web, filter: \"req.ref.endsWith('/main')\"},\
              {kind: GitRepository, name: dev, filter: \"req.ref.endsWith('/dev')\"}]",
        ))
        .await;
        gw.settled().await;
        let path = gw.path("ci").await;

        let answer = gw.send(json(&path, MAIN)).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::OK, "triggered"), "{}", answer.body);
        assert!(gw.annotation("GitRepository", "web").await.is_some());
        assert_eq!(gw.annotation("GitRepository", "dev").await, None);

        let answer = gw.send(json(&path, r#"{"ref":"refs/tags/v1"}"#)).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::OK, "filtered-out"));
        let history = gw.operator(Method::GET, "/deliveries?limit=2").await.body;
        assert!(history.contains("dev: left out by a filter"), "{history}");
    }

    async fn a_wildcard_is_filtered_by_what_objects_are(gw) {
        gw.apply(&secret("token", "token")).await;
        for (name, labels) in [("web", "app: web"), ("api", "app: web"), ("old", "app: old")] {
            gw.apply(&git_repository(name, labels)).await;
        }
        gw.apply(&receiver(
            "ci",
            "generic",
            "resourceFilter: req.repository.name == res.metadata.name\n\
             resources: [{kind: GitRepository, name: '*', matchLabels: {app: web}}]",
        ))
        .await;
        gw.settled().await;
        let answer = gw.send(json(&gw.path("ci").await, MAIN)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert!(gw.annotation("GitRepository", "web").await.is_some());
        assert_eq!(gw.annotation("GitRepository", "api").await, None);
        assert_eq!(gw.annotation("GitRepository", "old").await, None);
    }

    async fn an_error_of_one_filter_does_not_stop_the_others(gw) {
        gw.apply(&secret("token", "token")).await;
        for name in ["web", "bad", "plain"] {
            gw.apply(&git_repository(name, "")).await;
        }
        let bad = "{kind: GitRepository, name: bad, filter: 'req.head_commit.id == \"a\"'}";
        let resources = format!(
            "resources: [{bad}, {{kind: GitRepository, name: web, filter: 'true'}}, {{kind: GitRepository, name: plain}}]"
        );
        gw.apply(&receiver("ci", "generic", &resources)).await;
        gw.apply(&receiver("alone", "generic", &format!("resources: [{bad}]"))).await;
        let missing = "resources: [{kind: GitRepository, name: missing, filter: 'true'}]";
        gw.apply(&receiver("missing", "generic", missing)).await;
        gw.settled().await;

        let answer = gw.send(json(&gw.path("ci").await, MAIN)).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::OK, "partly-triggered"));
        assert_eq!(answer.refused(), [format!("GitRepository/{}/bad", gw.namespace())]);
        assert!(gw.annotation("GitRepository", "web").await.is_some());
        assert!(gw.annotation("GitRepository", "plain").await.is_some());
        assert_eq!(gw.annotation("GitRepository", "bad").await, None);
        let history = gw.operator(Method::GET, "/deliveries?limit=1").await.body;
        assert!(history.contains("no such key: head_commit"), "{history}");

        for name in ["alone", "missing"] {
            let answer = gw.send(json(&gw.path(name).await, MAIN)).await;
            let told = (answer.status, answer.outcome());
            assert_eq!(told, (StatusCode::INTERNAL_SERVER_ERROR, "nothing-accepted".to_owned()), "{name}");
        }
    }

    async fn a_body_that_filters_cannot_look_at_triggers_nothing(gw) {
        gw.apply(&secret("token", "token")).await;
        gw.apply(&git_repository("web", "")).await;
        let resources = "resources: [{kind: GitRepository, name: web, filter: '!has(req.ref)'}]";
        gw.apply(&receiver("ci", "generic", resources)).await;
        gw.settled().await;
        let path = gw.path("ci").await;

        let limit = hookgate::hook::MAX_INTERPRETED_BYTES;
        let padded = |size: usize| format!("{{{}}}", " ".repeat(size - 2));
        let answer = gw.send(json(&path, &padded(limit + 1))).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "not-understood"));
        gw.send(json(&path, &padded(limit + 1))).await;
        let told = async {
            while events(gw.client(), gw.namespace(), "ci", "BodyTooLarge").await == 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, told).await.expect("it is told");
        assert_eq!(events(gw.client(), gw.namespace(), "ci", "BodyTooLarge").await, 1);
        for body in ["{", "[]", ""] {
            let answer = gw.send(json(&path, body)).await;
            assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::BAD_REQUEST, "not-understood"), "{body}");
        }
        assert_eq!(gw.annotation("GitRepository", "web").await, None);

        let answer = gw.send(Delivery::post(&path, "ref=main").with("content-type", "text/plain")).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::OK, "triggered"));
        let answer = gw.send(json(&path, &padded(limit))).await;
        assert!(answer.status.is_success(), "{}", answer.body);
    }

    async fn a_bad_filter_stalls_a_receiver_until_it_is_mended(gw) {
        gw.apply(&secret("token", "token")).await;
        gw.apply(&git_repository("web", "")).await;
        let with = |filter: &str| {
            receiver("ci", "generic", &format!("resources: [{{kind: GitRepository, name: web, filter: \"{filter}\"}}]"))
        };
        gw.apply(&with("request.ref == 'main'")).await;
        let stalled = "invalid filter expression for resources[0] (kind=\"GitRepository\", name=\"web\"): failed to parse the CEL expression 'request.ref == 'main'': ERROR: <input>:1:1: undeclared reference to 'request' (in container '')";
        gw.receiver_until("ci", "stalls", |receiver| {
            let status = receiver.status.as_ref();
            status.is_some_and(|status| status.conditions.find("Stalled").is_some_and(|condition| {
                condition.reason == "InvalidCELExpression" && condition.message.ends_with(stalled)
            }))
        })
        .await;
        assert!(gw.condition("ci", "Ready").await.contains("InvalidCELExpression"));
        gw.apply(&with("req.ref == 'main'")).await;
        gw.settled().await;
        let answer = gw.send(json(&gw.path("ci").await, r#"{"ref":"main"}"#)).await;
        assert_eq!(answer.outcome(), "triggered");
    }

    async fn a_filter_that_takes_too_long_holds_up_nobody_else(gw) {
        gw.apply(&secret("token", "token")).await;
        for name in ["web", "slow"] {
            gw.apply(&git_repository(name, "")).await;
        }
        let loops = "req.list.all(a, req.list.all(b, req.list.all(c, a == b && b == c)))";
        let many: Vec<_> = (0..20)
            .map(|_| format!("{{kind: GitRepository, name: slow, filter: \"{loops}\"}}"))
            .collect();
        gw.apply(&receiver("slow", "generic", &format!("resources: [{}]", many.join(", ")))).await;
        let resources = "resources: [{kind: GitRepository, name: web, filter: \"req.ref == 'refs/heads/main'\"}]";
        gw.apply(&receiver("ci", "generic", resources)).await;
        gw.settled().await;
        let (slow, path) = (gw.path("slow").await, gw.path("ci").await);
        let body = format!("{{\"list\":[{}0]}}", "0,".repeat(100_000));

        let hostile = join_all((0..8).map(|_| gw.send(json(&slow, &body))));
        let others = async {
            for _ in 0..5 {
                let answer = gw.send(json(&path, MAIN)).await;
                assert!(answer.status.is_success(), "{}", answer.body);
            }
        };
        let work = timeout(DEADLINE, join(hostile, others));
        let (hostile, ()) = work.await.expect("everybody is answered");
        for answer in hostile {
            let told = (answer.status.as_u16(), answer.outcome());
            let is_clear = [(503, "busy".to_owned()), (500, "nothing-accepted".to_owned())].contains(&told);
            assert!(is_clear, "{told:?}");
        }
        assert_eq!(gw.annotation("GitRepository", "slow").await, None);
        assert!(gw.annotation("GitRepository", "web").await.is_some());
    }
}
