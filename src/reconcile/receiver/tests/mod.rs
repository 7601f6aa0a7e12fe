//! The Receiver controller on the embedded control plane, as a user and another replica see it.

mod support;

use kube::{ResourceExt, api::DeleteParams, runtime::wait::await_condition};
use serde_json::json;
use tokio::sync::watch as value;

use self::support::{APPS, Cluster, Replica, in_time, options, until, with_broken_secrets};
use super::*;
use crate::{
    api::{
        annotations::{DENIED_TARGETS, FINALIZER, LIVE_SECRETS, REQUESTED_AT},
        condition::{READY, STALLED, TARGETS_ACCESSIBLE},
        denied::DeniedTargets,
        receiver::{Receiver, ReceiverStatus},
    },
    hook::Closed,
    reconcile::leader,
};

fn is_ready(status: &ReceiverStatus) -> bool {
    status.conditions.is_ready()
}

fn is_stalled(status: &ReceiverStatus) -> bool {
    status.conditions.is_true(STALLED)
}

fn has_reason(reason: &str) -> impl Fn(&ReceiverStatus) -> bool {
    move |status| {
        let ready = status.conditions.find(READY);
        ready.is_some_and(|ready| ready.reason == reason)
    }
}

/// The path of the Receiver `web` in the namespace `apps`, as the formula of Flux gives it.
fn path(token: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(format!("{token}webapps"));
    format!("/hook/{}", hex::encode(digest))
}

#[tokio::test]
async fn a_receiver_with_its_secret_becomes_ready() {
    let cluster = Cluster::new().await;
    cluster.secret(APPS, "s3cret").await;
    cluster.receiver(APPS, "web", &json!({})).await;
    let replica = Replica::leader(&cluster);
    let status = cluster.status(APPS, "web", is_ready).await;
    assert_eq!(status.webhook_path, Some(path("s3cret")));
    assert_eq!(status.observed_generation, Some(1));
    assert!(replica.is_open(&path("s3cret")));
    let receiver = cluster.receivers().get("web").await.unwrap();
    assert_eq!(receiver.finalizers(), [FINALIZER]);
    replica.stop().await;
    assert_eq!(cluster.events().await, ["web Normal Succeeded"]);
}

#[tokio::test]
async fn a_changed_token_moves_the_path_at_once() {
    let cluster = Cluster::new().await;
    cluster.secret(APPS, "old").await;
    cluster.receiver(APPS, "web", &json!({})).await;
    let replica = Replica::leader(&cluster);
    cluster.status(APPS, "web", is_ready).await;
    cluster.secret(APPS, "new").await;
    let moved = Some(path("new"));
    cluster
        .status(APPS, "web", |status| status.webhook_path == moved)
        .await;
    assert!(replica.is_open(&path("new")) && !replica.is_open(&path("old")));
    replica.stop().await;
}

#[tokio::test]
async fn without_a_token_there_is_no_path_until_there_is_one() {
    let cluster = Cluster::new().await;
    cluster.receiver(APPS, "web", &json!({})).await;
    let replica = Replica::leader(&cluster);
    let status = cluster
        .status(APPS, "web", has_reason("TokenNotFound"))
        .await;
    assert_eq!(status.webhook_path, None);
    assert_eq!(status.observed_generation, Some(-1));
    cluster.secret(APPS, " ").await;
    let tells = |status: &ReceiverStatus| {
        let ready = status.conditions.find(READY);
        ready.is_some_and(|ready| ready.message.contains("empty or blank"))
    };
    cluster.status(APPS, "web", tells).await;
    let hooks = replica.table.hooks();
    assert_eq!(hooks.len(), 1, "known, but nobody can deliver to it");
    cluster.secret(APPS, "s3cret").await;
    cluster.status(APPS, "web", is_ready).await;
    assert!(replica.is_open(&path("s3cret")));
    replica.stop().await;
}

#[tokio::test]
async fn what_the_gateway_may_not_trigger_is_a_condition() {
    let cluster = Cluster::new().await;
    cluster.secret(APPS, "s3cret").await;
    cluster.receiver(APPS, "web", &json!({})).await;
    let replica = Replica::leader(&cluster);
    cluster.status(APPS, "web", is_ready).await;
    let mut denied = DeniedTargets::default();
    denied.deny("GitRepository/apps/web", "patch on gitrepositories");
    let annotated = |value| json!({"metadata": {"annotations": {DENIED_TARGETS: value}}});
    cluster.change("web", &annotated(denied.annotation())).await;
    let is_told = |status: &ReceiverStatus| {
        let told = status.conditions.find(TARGETS_ACCESSIBLE);
        told.is_some_and(|told| told.message == denied.to_string())
    };
    let status = cluster.status(APPS, "web", is_told).await;
    assert!(is_ready(&status));
    until(|| replica.table.hooks()[0].1.as_deref() == Some(&denied)).await;
    cluster.change("web", &annotated(None)).await;
    let is_over = |status: &ReceiverStatus| status.conditions.find(TARGETS_ACCESSIBLE).is_none();
    cluster.status(APPS, "web", is_over).await;
    until(|| replica.table.hooks()[0].1.is_none()).await;
    let events = cluster.events().await;
    assert_eq!(
        events
            .iter()
            .filter(|event| *event == "web Warning Forbidden")
            .count(),
        1
    );
    replica.stop().await;
}

#[tokio::test]
async fn every_replica_fills_its_table_and_only_the_leader_writes() {
    let cluster = Cluster::new().await;
    cluster.secret(APPS, "s3cret").await;
    cluster.receiver(APPS, "web", &json!({})).await;
    let before = cluster.receivers().get("web").await.unwrap();
    let (lead, leading) = value::channel(false);
    let mut replica = Replica::start(&cluster.0, leading, options());
    replica.is_synced().await;
    assert!(replica.is_open(&path("s3cret")));
    until(|| replica.reconciliations("web").is_some()).await;
    let after = cluster.receivers().get("web").await.unwrap();
    assert_eq!(after.resource_version(), before.resource_version());
    lead.send_replace(true);
    cluster.status(APPS, "web", is_ready).await;
    replica.stop().await;
}

#[tokio::test]
async fn with_status_off_nothing_is_written() {
    let cluster = Cluster::new().await;
    cluster.secret(APPS, "s3cret").await;
    cluster.receiver(APPS, "web", &json!({})).await;
    let before = cluster.receivers().get("web").await.unwrap();
    let off = ReceiverOptions {
        status: ReceiverStatusWriting::Off,
        ..options()
    };
    let mut replica = Replica::start(&cluster.0, leader::always(), off);
    replica.is_synced().await;
    assert!(replica.is_open(&path("s3cret")));
    until(|| replica.reconciliations("web").is_some()).await;
    let after = cluster.receivers().get("web").await.unwrap();
    assert_eq!(after.resource_version(), before.resource_version());
    cluster.delete("web").await;
    until(|| replica.table.is_empty()).await;
    replica.stop().await;
    assert!(cluster.events().await.is_empty());
}

#[tokio::test]
async fn a_deleted_receiver_loses_its_path_and_its_finalizer() {
    let cluster = Cluster::new().await;
    cluster.secret(APPS, "s3cret").await;
    let other = json!({"metadata": {"finalizers": ["example.com/other"]}});
    cluster.receiver(APPS, "web", &other).await;
    let replica = Replica::leader(&cluster);
    cluster.status(APPS, "web", is_ready).await;
    cluster.delete("web").await;
    until(|| replica.table.is_empty()).await;
    let is_let_go = |object: Option<&Receiver>| {
        object.is_some_and(|receiver| receiver.finalizers() == ["example.com/other"])
    };
    in_time(await_condition(cluster.receivers(), "web", is_let_go))
        .await
        .unwrap();
    cluster
        .change("web", &json!({"metadata": {"finalizers": []}}))
        .await;
    cluster.is_gone("web").await;
    until(|| replica.reconciliations("web").is_none()).await;
    replica.stop().await;
}

#[tokio::test]
async fn a_suspended_receiver_is_closed_and_opens_again() {
    let cluster = Cluster::new().await;
    cluster.secret(APPS, "s3cret").await;
    cluster.receiver(APPS, "web", &json!({})).await;
    let replica = Replica::leader(&cluster);
    cluster.status(APPS, "web", is_ready).await;
    let suspend = |suspend: bool| json!({"spec": {"suspend": suspend}});
    cluster.change("web", &suspend(true)).await;
    let path = path("s3cret");
    until(|| replica.closed(&path) == Some(Closed::Suspended)).await;
    cluster.change("web", &suspend(false)).await;
    until(|| replica.is_open(&path)).await;
    replica.stop().await;
}

#[tokio::test]
async fn mistakes_stall_one_receiver_and_harm_no_other() {
    let cluster = Cluster::new().await;
    cluster.secret(APPS, "s3cret").await;
    cluster
        .receiver(APPS, "malformed", &json!({"spec": null}))
        .await;
    let mistakes = json!({
        "metadata": {"annotations": {"hookgate.dev/sender": "nobody"}},
        "spec": {"resourceFilter": "req"},
    });
    cluster.receiver(APPS, "mistaken", &mistakes).await;
    cluster.receiver(APPS, "web", &json!({})).await;
    let mut replica = Replica::leader(&cluster);
    replica.is_synced().await;
    assert!(replica.is_open(&path("s3cret")));
    cluster.status(APPS, "malformed", is_stalled).await;
    let status = cluster.status(APPS, "mistaken", is_stalled).await;
    let message = &status.conditions.find(READY).unwrap().message;
    assert!(message.contains("`nobody`"), "{message}");
    assert!(message.contains("resourceFilter"), "{message}");
    cluster
        .change(
            "mistaken",
            &json!({
                "metadata": {"annotations": {"hookgate.dev/sender": null}},
                "spec": {"type": "gitlab", "resourceFilter": null},
            }),
        )
        .await;
    cluster.status(APPS, "mistaken", is_ready).await;
    replica.stop().await;
}

#[tokio::test]
async fn a_request_is_handled_and_a_status_write_is_none() {
    let cluster = Cluster::new().await;
    cluster.secret(APPS, "s3cret").await;
    cluster.receiver(APPS, "web", &json!({})).await;
    let mut replica = Replica::leader(&cluster);
    replica.is_synced().await;
    cluster.status(APPS, "web", is_ready).await;
    let request = json!({"metadata": {"annotations": {REQUESTED_AT: "now"}}});
    cluster.change("web", &request).await;
    let is_handled = |status: &ReceiverStatus| status.last_handled_reconcile_at.is_some();
    let status = cluster.status(APPS, "web", is_handled).await;
    assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("now"));
    cluster.receiver(APPS, "later", &json!({})).await;
    cluster.status(APPS, "later", is_ready).await;
    replica.running.abort();
    assert_eq!(replica.reconciliations("web").as_deref(), Some("2"));
}

#[tokio::test]
async fn of_two_receivers_with_one_path_both_are_told_and_one_inherits() {
    let cluster = Cluster::new().await;
    // Token, name and namespace are joined without separators: `we` + `apps` is `w` + `eapps`.
    cluster.namespace("eapps").await;
    for namespace in [APPS, "eapps"] {
        cluster.secret(namespace, "s3cret").await;
    }
    cluster.receiver(APPS, "we", &json!({})).await;
    let replica = Replica::leader(&cluster);
    cluster.status(APPS, "we", is_ready).await;
    cluster.receiver("eapps", "w", &json!({})).await;
    let both = [(APPS, "we"), ("eapps", "w")];
    let names_other = |status: &ReceiverStatus| {
        let ready = status.conditions.find(READY);
        ready.is_some_and(|ready| {
            ready.message.contains("`eapps/w`") || ready.message.contains("`apps/we`")
        })
    };
    let mut stalled = Vec::new();
    for (namespace, name) in both {
        let status = cluster.status(namespace, name, names_other).await;
        if is_stalled(&status) {
            stalled.push((namespace, name));
        }
    }
    assert_eq!(stalled.len(), 1);
    let (winner_namespace, winner) = both.into_iter().find(|r| !stalled.contains(r)).unwrap();
    let winners = cluster.raw(winner_namespace);
    winners
        .delete(winner, &DeleteParams::default())
        .await
        .unwrap();
    let (namespace, name) = stalled[0];
    cluster.status(namespace, name, is_ready).await;
    replica.stop().await;
}

#[tokio::test]
async fn an_unreadable_secret_does_not_take_a_working_hook_away() {
    let cluster = Cluster::new().await;
    cluster.secret(APPS, "s3cret").await;
    cluster.receiver(APPS, "web", &json!({})).await;
    let is_broken = value::Sender::new(false);
    let client = with_broken_secrets(&cluster.0, &is_broken);
    let replica = Replica::start(&client, leader::always(), options());
    cluster.status(APPS, "web", is_ready).await;
    is_broken.send_replace(true);
    cluster
        .change("web", &json!({"spec": {"events": ["push"]}}))
        .await;
    let is_observed = |status: &ReceiverStatus| status.observed_generation == Some(2);
    let status = cluster.status(APPS, "web", is_observed).await;
    assert!(is_ready(&status) && replica.is_open(&path("s3cret")));
    cluster.secret(APPS, "new").await;
    is_broken.send_replace(false);
    until(|| replica.is_open(&path("new"))).await;
    replica.stop().await;
}

#[tokio::test]
async fn a_secret_that_is_ahead_of_the_annotation_does_not_drop_the_old_token() {
    let cluster = Cluster::new().await;
    cluster.secret(APPS, "old").await;
    cluster.receiver(APPS, "web", &json!({})).await;
    let stale = cluster.receivers().get("web").await.unwrap();
    let live = json!({"metadata": {"annotations": {LIVE_SECRETS: "previous"}}});
    cluster.change("web", &live).await;
    let named = async || match load::load(&cluster.0, &stale).await {
        load::Reading::Found { named, .. } => named.to_string(),
        reading => panic!("{reading:?}"),
    };
    assert_eq!(named().await, "", "there is nothing that could be dropped");
    cluster
        .store(&json!({"token": "new", "token.previous": "old"}))
        .await;
    assert_eq!(named().await, "previous");
}

#[tokio::test]
async fn a_live_set_is_taken_out_when_it_ends() {
    let cluster = Cluster::new().await;
    cluster.secret(APPS, "new").await;
    cluster.store(&json!({"token.previous": "old"})).await;
    let end = Timestamp::now() + jiff::SignedDuration::from_millis(300);
    let live =
        json!({"metadata": {"annotations": {LIVE_SECRETS: format!("previous until {end}")}}});
    cluster.receiver(APPS, "web", &live).await;
    let replica = Replica::leader(&cluster);
    let status = cluster.status(APPS, "web", is_ready).await;
    assert_eq!(
        status.webhook_path,
        Some(path("new")),
        "the status shows the current path"
    );
    let web = ReceiverRef {
        namespace: APPS.to_owned(),
        name: "web".to_owned(),
    };
    until(|| {
        replica
            .table
            .listing(&web)
            .is_some_and(|it| it.paths.len() == 1)
    })
    .await;
    assert!(Timestamp::now() > end);
    replica.stop().await;
}
