//! Replicas on the embedded control plane: one that is gone, one that is late, and those that leave.
//!
//! Whose time is over is judged by `roll`, and tested there in bulk.

use kube::{
    api::{Patch, PatchParams},
    runtime::wait::await_condition,
};
use serde_json::json;
use tokio::time::timeout;

use super::*;
use crate::{
    api::annotations::REQUESTED_AT,
    hook::HookTable,
    telemetry::Metrics,
    trigger::{
        Targets, Trigger, WatchScope,
        journal::Journal,
        tests::{
            embedded::{cluster, publish, repositories},
            plenty,
        },
    },
};

const DEADLINE: Duration = Duration::from_secs(30);

/// A gateway as far as its presence goes.
struct Replica {
    trigger: Trigger,
    sweep: Sweep,
    presence: Presence,
    _folder: tempfile::TempDir,
}

impl Replica {
    fn new(client: &Client) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let opened = Journal::open(folder.path()).unwrap();
        let replica = opened.journal.replica();
        let table = HookTable::default();
        publish(
            &table,
            "ci",
            &json!([{"kind": "GitRepository", "name": "web"}]),
        );
        let targets = Targets::new(client.clone(), table.clone(), WatchScope::Cluster);
        let trigger = Trigger::new(client.clone(), targets, opened, plenty(), Metrics::new());
        let dispatching = trigger.clone();
        tokio::spawn(async move { dispatching.dispatch().await });
        let settings = PresenceSettings {
            namespace: "default".to_owned(),
            identity: replica.to_string(),
            duration: Duration::from_secs(1),
        };
        Self {
            sweep: Sweep::new(trigger.clone(), table),
            presence: Presence::new(client.clone(), settings, replica),
            trigger,
            _folder: folder,
        }
    }
}

fn leases(client: &Client) -> Api<Lease> {
    Api::namespaced(client.clone(), "default")
}

async fn names(client: &Client) -> Vec<String> {
    let leases = leases(client).list(&ListParams::default()).await.unwrap();
    leases.iter().map(ResourceExt::name_any).collect()
}

#[tokio::test]
async fn another_one_sweeps_for_a_replica_that_is_gone() {
    let client = cluster().await;
    let (mut gone, mut here, mut third) = (
        Replica::new(&client),
        Replica::new(&client),
        Replica::new(&client),
    );
    gone.presence.renew().await.unwrap();
    let name = gone.presence.name.clone();
    let is_gone = await_condition(leases(&client), &name, |lease: Option<&Lease>| {
        lease.is_none()
    });
    let both = async {
        tokio::join!(
            here.presence.attend(&here.sweep),
            third.presence.attend(&third.sweep)
        )
    };
    tokio::select! {
        ended = timeout(DEADLINE, is_gone) => ended.expect("in time").map(drop).unwrap(),
        _ = both => panic!("nobody leaves"),
    }
    here.trigger.end();
    third.trigger.end();
    let mut left = vec![here.presence.name.clone(), third.presence.name.clone()];
    left.sort();
    assert_eq!(names(&client).await, left);
    let is_triggered = |object: Option<&crate::api::git_repository::GitRepository>| {
        object.is_some_and(|object| object.annotations().contains_key(REQUESTED_AT))
    };
    let triggered = await_condition(repositories(&client), "web", is_triggered);
    timeout(DEADLINE, triggered)
        .await
        .expect("in time")
        .unwrap();
}

#[tokio::test]
async fn a_replica_that_is_back_keeps_its_lease() {
    let client = cluster().await;
    let (mut late, mut here) = (Replica::new(&client), Replica::new(&client));
    late.presence.renew().await.unwrap();
    here.presence.renew().await.unwrap();
    let seen = leases(&client).get(&late.presence.name).await.unwrap();
    late.presence.renew().await.unwrap();
    assert_eq!(
        here.presence.take(seen).await.unwrap(),
        None,
        "it was renewed since"
    );
    let seen = leases(&client).get(&late.presence.name).await.unwrap();
    let taken = here.presence.take(seen).await.unwrap().unwrap();
    late.presence.renew().await.unwrap();
    stand_in(leases(&client), vec![taken], &here.sweep).await;
    assert_eq!(names(&client).await.len(), 2, "it was renewed since");
}

#[tokio::test]
async fn who_leaves_something_undone_leaves_the_lease() {
    let client = cluster().await;
    for (is_done, left) in [(true, 0), (false, 1)] {
        let mut replica = Replica::new(&client);
        replica.presence.renew().await.unwrap();
        replica.presence.leave(is_done).await;
        assert_eq!(names(&client).await.len(), left);
    }
}

#[tokio::test]
async fn a_lease_that_promises_nothing_gets_as_much_time_as_the_own() {
    let client = cluster().await;
    let (mut other, mut here) = (Replica::new(&client), Replica::new(&client));
    other.presence.renew().await.unwrap();
    let patch = Patch::Merge(json!({"spec": {"leaseDurationSeconds": null}}));
    let (leases, name) = (leases(&client), other.presence.name.clone());
    let patched = leases.patch(&name, &PatchParams::default(), &patch).await;
    patched.unwrap();
    for _ in 0..2 {
        assert!(here.presence.renew().await.unwrap().is_empty());
    }
}
