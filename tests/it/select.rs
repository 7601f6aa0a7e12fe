//! Which objects a delivery triggers: names, wildcards with labels, other namespaces.

use hookgate::api::receiver::Receiver;
use http::StatusCode;

use crate::support::{
    objects::{git_repository, receiver, secret},
    on_every_back_end,
    wire::Delivery,
};

on_every_back_end! {
    async fn a_wildcard_triggers_what_carries_the_labels(gw) {
        gw.apply(&secret("token", "token")).await;
        for (name, labels) in [("web", "app: web, env: prod"), ("api", "app: api, env: prod"), ("old", "app: web")] {
            gw.apply(&git_repository(name, labels)).await;
        }
        gw.apply(&receiver(
            "ci",
            "generic",
            "resources: [{kind: GitRepository, name: '*', matchLabels: {app: web, env: prod}}]",
        ))
        .await;
        gw.settled().await;

        let answer = gw.send(Delivery::post(&gw.path("ci").await, "")).await;

        assert_eq!(answer.status, StatusCode::OK);
        assert!(gw.annotation("GitRepository", "web").await.is_some());
        assert_eq!(gw.annotation("GitRepository", "api").await, None);
        assert_eq!(gw.annotation("GitRepository", "old").await, None);
    }

    async fn a_wildcard_follows_the_labels_of_objects(gw) {
        gw.apply(&secret("token", "token")).await;
        gw.apply(&git_repository("web", "app: api")).await;
        let resources = "resources: [{kind: GitRepository, name: '*', matchLabels: {app: web}}]";
        gw.apply(&receiver("ci", "generic", resources)).await;
        gw.settled().await;
        let path = gw.path("ci").await;
        gw.send(Delivery::post(&path, "")).await;
        assert_eq!(gw.annotation("GitRepository", "web").await, None);
        gw.apply(&git_repository("web", "app: web")).await;
        // The label is seen a moment after it is written, by whoever delivers next.
        while gw.annotation("GitRepository", "web").await.is_none() {
            let answer = gw.send(Delivery::post(&path, "")).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        }
    }

    async fn a_wildcard_of_a_kind_that_is_not_served_is_refused(gw) {
        gw.apply(&secret("token", "token")).await;
        gw.apply(&git_repository("podinfo", "app: web")).await;
        let resources = "resources: [{kind: Bucket, name: '*', matchLabels: {}, apiVersion: example.com/v1}, {kind: GitRepository, name: '*', matchLabels: {app: web}}]";
        gw.apply(&receiver("ci", "generic", resources)).await;
        gw.settled().await;
        let answer = gw.send(Delivery::post(&gw.path("ci").await, "")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.refused(), [format!("Bucket/{}/*", gw.namespace())]);
        assert!(gw.annotation("GitRepository", "podinfo").await.is_some());
        assert_eq!(gw.admin("/readyz").await.status, StatusCode::OK);
        gw.restart().await;
    }

    async fn a_wildcard_that_matches_nothing_is_no_failure(gw) {
        gw.apply(&secret("token", "token")).await;
        gw.apply(&receiver(
            "ci",
            "generic",
            "resources: [{kind: GitRepository, name: '*', matchLabels: {app: none}}]",
        ))
        .await;
        gw.settled().await;
        let answer = gw.send(Delivery::post(&gw.path("ci").await, "")).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::OK, "triggered"));
    }

    async fn a_receiver_that_names_nothing_is_content(gw) {
        gw.apply(&secret("token", "token")).await;
        gw.apply(&receiver("ci", "generic", "resources: []")).await;
        gw.settled().await;
        let answer = gw.send(Delivery::post(&gw.path("ci").await, "")).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::OK, "triggered"));
    }

    async fn labels_beside_a_name_count_for_nothing(gw) {
        gw.apply(&secret("token", "token")).await;
        gw.apply(&git_repository("web", "app: web")).await;
        let resources = "resources: [{kind: GitRepository, name: web, matchLabels: {app: other}}]";
        gw.apply(&receiver("ci", "generic", resources)).await;
        gw.settled().await;
        let answer = gw.send(Delivery::post(&gw.path("ci").await, "")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert!(gw.annotation("GitRepository", "web").await.is_some());
    }

    async fn a_wildcard_without_labels_is_refused(gw) {
        gw.apply(&secret("token", "token")).await;
        gw.apply(&git_repository("web", "")).await;
        gw.apply(&receiver("ci", "generic", "resources: [{kind: GitRepository, name: '*'}]")).await;
        gw.settled().await;
        assert_eq!(gw.condition("ci", "TargetsAccessible").await, "False Refused");
        let answer = gw.send(Delivery::post(&gw.path("ci").await, "")).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(gw.annotation("GitRepository", "web").await, None);
    }

    async fn a_target_of_another_namespace_is_triggered_where_that_is_allowed(gw) {
        let other = gw.apply_elsewhere(&git_repository("podinfo", "")).await;
        gw.apply(&secret("token", "token")).await;
        let resources = format!("resources: [{{kind: GitRepository, name: podinfo, namespace: {other}}}]");
        gw.apply(&receiver("ci", "generic", &resources)).await;
        gw.settled().await;

        let answer = gw.send(Delivery::post(&gw.path("ci").await, "")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let annotated = gw.annotation_elsewhere(&other, "GitRepository", "podinfo").await;
        assert!(annotated.is_some());

        gw.refuse_cross_namespace_refs().await;
        let is_told = |receiver: &Receiver| {
            let status = receiver.status.as_ref();
            let told = status.and_then(|status| status.conditions.find("TargetsAccessible"));
            told.is_some_and(|told| told.reason == "Refused" && told.message.contains(&other))
        };
        gw.receiver_until("ci", "tells before a delivery comes", is_told).await;
        let answer = gw.send(Delivery::post(&gw.path("ci").await, "")).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.refused(), [format!("GitRepository/{other}/podinfo")]);
        let after = gw.annotation_elsewhere(&other, "GitRepository", "podinfo").await;
        assert_eq!(after, annotated);
    }

    async fn kinds_have_a_default_api_version(gw) {
        gw.apply(&secret("token", "token")).await;
        gw.apply(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps}\n\
             spec: {interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: podinfo}}\n",
        )
        .await;
        gw.apply(&receiver("ci", "generic", "resources: [{kind: Kustomization, name: apps}]")).await;
        gw.settled().await;
        let answer = gw.send(Delivery::post(&gw.path("ci").await, "")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert!(gw.annotation("Kustomization", "apps").await.is_some());
    }
}
