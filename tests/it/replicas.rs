//! Several gateways: what one accepted and can never do, another does.
//!
//! Who is gone for good is judged by a pure function, which is tested in bulk beside it.

use std::time::Duration;

use hookgate::config::Role;
use http::StatusCode;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt, api::ListParams};
use tokio::time::timeout;

use crate::support::{
    Gateway,
    objects::{git_repository, receiver, secret},
    on_every_back_end,
    replica::Replica,
    wire::Delivery,
};

/// How long a Lease may take to expire for good, and another replica to notice.
const DEADLINE: Duration = Duration::from_mins(1);

async fn apply_receiver(gw: &Gateway) {
    gw.apply(&secret("token", "t0ken")).await;
    gw.apply(&git_repository("podinfo", "")).await;
    gw.apply(&receiver("ci", "generic", "interval: 10m")).await;
    gw.settled().await;
}

/// The Leases of the gateways.
async fn presences(gw: &Gateway) -> Vec<String> {
    let leases: Api<Lease> = Api::namespaced(gw.client().clone(), gw.namespace());
    let selected = ListParams::default().labels("hookgate.dev/presence=gateway");
    let listed = leases.list(&selected).await.expect("Leases can be listed");
    listed.iter().map(ResourceExt::name_any).collect()
}

/// Waits until there are so many gateways.
async fn present(gw: &Gateway, count: usize) {
    let reached = async {
        while presences(gw).await.len() != count {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, reached)
        .await
        .unwrap_or_else(|_| panic!("there are never {count}"));
}

on_every_back_end! {
    async fn what_a_gateway_took_down_before_it_was_lost_is_done_by_another(gw) {
        apply_receiver(&gw).await;
        let path = gw.path("ci").await;
        let lost = Replica::start(gw.client(), gw.namespace(), Role::Gateway).await;
        let other = Replica::start(gw.client(), gw.namespace(), Role::Gateway).await;
        present(&gw, 2).await;
        // From here on it can do nothing any more, and its disk goes with it.
        lost.line.cut();
        let before = Timestamp::now();
        let answer = lost.send(Delivery::post(&path, "")).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        assert_eq!(gw.annotation("GitRepository", "podinfo").await, None);
        timeout(DEADLINE, gw.triggered_since("GitRepository", "podinfo", before)).await.expect("in time");
        present(&gw, 1).await;
        lost.end().await;
        other.end().await;
        present(&gw, 0).await;
    }

    async fn a_damaged_journal_makes_everything_be_triggered_once(gw) {
        apply_receiver(&gw).await;
        for name in ["tokenless", "quiet"] {
            gw.apply(&git_repository(name, "")).await;
        }
        let resources = |name: &str| format!("resources: [{{kind: GitRepository, name: {name}}}]");
        let tokenless = format!("{}\nsecretRef: {{name: nowhere}}", resources("tokenless"));
        gw.apply(&receiver("tokenless", "generic", &tokenless)).await;
        let suspended = format!("{}\nsuspend: true", resources("quiet"));
        gw.apply(&receiver("quiet", "generic", &suspended)).await;
        gw.keep_journal().await;
        let before = Timestamp::now();
        gw.restart_on_a_damaged_journal().await;
        gw.triggered_since("GitRepository", "podinfo", before).await;
        gw.triggered_since("GitRepository", "tokenless", before).await;
        assert_eq!(gw.annotation("GitRepository", "quiet").await, None);
        let swept = gw.annotation("GitRepository", "podinfo").await;
        let on_disk = async {
            while gw.owes_sweep() {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, on_disk).await.expect("the sweep is on disk in time");
        gw.restart().await;
        let answer = gw.send(Delivery::post(&gw.path("ci").await, "")).await;
        assert_eq!(answer.status, StatusCode::OK, "no sweep comes before it: {}", answer.body);
        assert_ne!(gw.annotation("GitRepository", "podinfo").await, swept);
    }

    async fn a_gateway_without_anything_to_do_leaves_no_trace(gw) {
        apply_receiver(&gw).await;
        let first = Replica::start(gw.client(), gw.namespace(), Role::Gateway).await;
        present(&gw, 1).await;
        let answer = first.send(Delivery::post(&gw.path("ci").await, "")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        first.end().await;
        assert_eq!(presences(&gw).await, Vec::<String>::new());
    }
}
