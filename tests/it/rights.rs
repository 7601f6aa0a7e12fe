//! The roles of the chart on a real API server: with exactly these rights everything works, and none is too many.
//!
//! It needs `KUBEBUILDER_ASSETS`; the embedded control plane does not ask who may do what.

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt, stream};
use hookgate::{
    api::{condition::TARGETS_ACCESSIBLE, receiver::Receiver},
    config::Role,
    hook::MAX_INTERPRETED_BYTES,
};
use http::StatusCode;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams},
    runtime::wait::await_condition,
};
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use crate::support::{
    api_server,
    objects::{self, git_repository, receiver, watched_secret},
    replica::Replica,
    rights::{Manifests, Record, Right},
    wire::{Answer, Delivery},
};

/// How long everything may take; a loaded machine needs most of it.
const DEADLINE: Duration = Duration::from_mins(2);
/// How long it is waited for what must not work; enough for what does.
const SHORT_DEADLINE: Duration = Duration::from_secs(25);
/// How many lives of processes are tried at once.
const AT_ONCE: usize = 6;

/// A life of the processes, in a namespace of its own.
struct Life {
    admin: Client,
    namespace: String,
    deadline: Instant,
    /// What the gateway uses.
    gateway: Client,
    /// The first is the gateway's, and the second, if it is another process, that of the reconcilers.
    processes: Vec<Replica>,
}

/// One process: its role, its rights, and what it asks for.
type Process = (Role, Vec<Manifests>, Record);

impl Life {
    async fn begin(admin: &Client, processes: &[Process], within: Duration) -> Self {
        let namespace = format!("rights-{}", uuid::Uuid::new_v4());
        objects::create_namespace(admin, &namespace).await;
        let mut life = Self {
            admin: admin.clone(),
            deadline: Instant::now() + within,
            gateway: processes[0].2.client(admin, &namespace, "account-0"),
            namespace,
            processes: Vec::new(),
        };
        life.apply(&watched_secret("token", "t0ken")).await;
        life.apply(&git_repository("podinfo", "app: web")).await;
        life.apply(&git_repository("other", "app: api")).await;
        for (index, (role, manifests, record)) in processes.iter().enumerate() {
            let account = format!("account-{index}");
            for manifests in manifests {
                manifests.grant(admin, &life.namespace, &account).await;
            }
            let client = record.client(admin, &life.namespace, &account);
            let process = Replica::begin(&client, &life.namespace, *role).await;
            life.processes.push(process);
        }
        life
    }

    /// Everything that the processes do, in order; the error is what did not work.
    async fn live(&self) -> Result<(), String> {
        for process in &self.processes {
            let ready = process.serving.readiness().ready();
            self.in_time("a process is not ready", ready).await?;
        }
        let resources = "resources: [{kind: GitRepository, name: podinfo}]";
        self.apply(&receiver("named", "generic", resources)).await;
        let resources = "resources: [{kind: GitRepository, name: '*', matchLabels: {app: web}}, \
             {kind: Kustomization, name: '*', matchLabels: {}}]";
        self.apply(&receiver("labelled", "generic", resources))
            .await;
        let resources =
            "resources: [{kind: Bucket, apiVersion: denied.example.com/v1, name: logs}]";
        self.apply(&receiver("denied", "generic", resources)).await;
        for name in ["named", "labelled"] {
            self.push(name, 200).await?;
        }
        self.kinds_are_followed().await?;
        self.a_new_token_counts().await?;
        self.what_is_denied_is_told().await?;
        self.what_is_malformed_is_told().await?;
        self.what_is_too_large_is_told().await?;
        self.ends_in_order().await
    }

    /// An object that gets a label, and a Kustomization that is made, are triggered.
    async fn kinds_are_followed(&self) -> Result<(), String> {
        self.apply(&git_repository("other", "app: web")).await;
        self.apply(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps}\n\
             spec: {interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: podinfo}}\n",
        )
        .await;
        for (kind, name) in [("GitRepository", "other"), ("Kustomization", "apps")] {
            let triggered = async {
                while !self.is_triggered(kind, name).await {
                    // It is seen a moment after it is written, by whoever pushes next.
                    if self.push("labelled", 0).await.is_err() {
                        return;
                    }
                }
            };
            self.in_time(&format!("{kind} {name} is not triggered"), triggered)
                .await?;
            if !self.is_triggered(kind, name).await {
                return Err(format!("{kind} {name} is not triggered"));
            }
        }
        Ok(())
    }

    /// The path changes with the token, for the reconcilers and for the gateway, and the old one leads nowhere.
    async fn a_new_token_counts(&self) -> Result<(), String> {
        let before = self.path("named").await?;
        self.apply(&watched_secret("token", "another")).await;
        let is_new = |path: &str| path != before;
        self.path_that("named", is_new).await?;
        self.push("named", 200).await?;
        let is_gone = async {
            let old = Delivery::post(&before, "");
            while self.processes[0].send(old.clone()).await.status != StatusCode::NOT_FOUND {}
        };
        self.in_time("the path of the old token still leads somewhere", is_gone)
            .await
    }

    async fn what_is_denied_is_told(&self) -> Result<(), String> {
        // Whether the sender is told at once or later is not the point.
        self.push("denied", 0).await?;
        let is_told = |receiver: &Receiver| {
            let status = receiver.status.as_ref();
            status.is_some_and(|status| status.conditions.find(TARGETS_ACCESSIBLE).is_some())
        };
        self.receiver_that("denied", "tells what is denied", is_told)
            .await
            .map(drop)
    }

    /// A Receiver that cannot be read as one is read again as it is stored.
    async fn what_is_malformed_is_told(&self) -> Result<(), String> {
        let malformed = json!({
            "apiVersion": "notification.toolkit.fluxcd.io/v1",
            "kind": "Receiver",
            "metadata": {"name": "malformed", "namespace": self.namespace},
        });
        let malformed = serde_json::from_value(malformed).expect("an object");
        let applied = objects::apply(&self.admin, &malformed).await;
        applied.expect("the schema lets a Receiver have no spec");
        let api = objects::of_kind(&self.admin, &self.namespace, "Receiver").await;
        let is_told = |object: Option<&DynamicObject>| {
            object.is_some_and(|object| object.data["status"]["conditions"].is_array())
        };
        let told = Box::pin(await_condition(api, "malformed", is_told));
        let told = self.in_time("what is malformed is not told", told).await?;
        told.map(drop).map_err(|error| error.to_string())
    }

    /// What filters cannot look at is an event of the gateway's.
    async fn what_is_too_large_is_told(&self) -> Result<(), String> {
        let resources = "resources: [{kind: GitRepository, name: podinfo, filter: 'true'}]";
        self.apply(&receiver("filtered", "generic", resources))
            .await;
        let path = self.path("filtered").await?;
        let body = " ".repeat(MAX_INTERPRETED_BYTES + 1);
        let told = async {
            while objects::events(&self.admin, &self.namespace, "filtered", "BodyTooLarge").await
                == 0
            {
                self.processes[0].send(Delivery::post(&path, &body)).await;
            }
        };
        self.in_time("what is too large is not told", told).await
    }

    /// Finalizers are taken away, events were told, Leases were held.
    async fn ends_in_order(&self) -> Result<(), String> {
        let receivers = self.receivers();
        objects::delete(&self.admin, &self.namespace, "Receiver", "named").await;
        let gone = Box::pin(await_condition(
            receivers,
            "named",
            |object: Option<&Receiver>| object.is_none(),
        ));
        let gone = self.in_time("the Receiver does not go away", gone);
        gone.await?.map_err(|error| error.to_string())?;
        if objects::events(&self.admin, &self.namespace, "labelled", "Succeeded").await == 0 {
            return Err("there are no events".to_owned());
        }
        let first = self.presences().await;
        let renewed = self.presences_that(|now| *now != first && now.len() == 1);
        self.in_time("the presence is not renewed", renewed).await?;
        let second = Replica::begin(&self.gateway, &self.namespace, Role::Gateway).await;
        let two = self.presences_that(|now| now.len() == 2);
        self.in_time("a second gateway is not present", two).await?;
        second.end().await;
        if self.presences().await.len() == 2 {
            return Err("the Lease of a gateway with nothing to do is left".to_owned());
        }
        Ok(())
    }

    /// Ends the processes, and says whether the leader gave its Lease up.
    async fn end(self) -> bool {
        let leases: Api<Lease> = Api::namespaced(self.admin.clone(), &self.namespace);
        for process in self.processes {
            process.end().await;
        }
        let lease = leases.get_opt("hookgate-leader-election").await;
        let spec = lease
            .expect("Leases can be read")
            .and_then(|lease| lease.spec);
        spec.is_some_and(|spec| spec.holder_identity.as_deref() == Some(""))
    }

    /// Sends a delivery until its answer has this status; 0 for any that comes from the trigger.
    async fn push(&self, receiver: &str, status: u16) -> Result<(), String> {
        let sent = async {
            loop {
                let path = self.path(receiver).await?;
                let answer: Answer = self.processes[0].send(Delivery::post(&path, "")).await;
                let code = answer.status.as_u16();
                // What is accepted right after another push is done later.
                let is_wanted = match status {
                    0 => !answer.body.is_empty(),
                    _ => code == status || (status == 200 && code == 202),
                };
                if is_wanted {
                    return Ok(());
                }
            }
        };
        self.in_time(
            &format!("pushes to {receiver} are not answered {status}"),
            sent,
        )
        .await?
    }

    async fn path(&self, receiver: &str) -> Result<String, String> {
        self.path_that(receiver, |_| true).await
    }

    async fn path_that(
        &self,
        receiver: &str,
        is_wanted: impl Fn(&str) -> bool + Send,
    ) -> Result<String, String> {
        let path = |receiver: &Receiver| receiver.status.as_ref()?.webhook_path.clone();
        let has_path = |receiver: &Receiver| path(receiver).is_some_and(|path| is_wanted(&path));
        let found = self.receiver_that(receiver, "has a path", has_path).await?;
        path(&found).ok_or_else(|| "it has no path".to_owned())
    }

    async fn receiver_that(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&Receiver) -> bool,
    ) -> Result<Receiver, String> {
        let condition = |receiver: Option<&Receiver>| receiver.is_some_and(&holds);
        let reached = Box::pin(await_condition(self.receivers(), name, condition));
        let reached = self
            .in_time(&format!("{name} never {what}"), reached)
            .await?;
        reached
            .map_err(|error| error.to_string())?
            .ok_or_else(|| format!("{name} is gone"))
    }

    async fn is_triggered(&self, kind: &str, name: &str) -> bool {
        let api = objects::of_kind(&self.admin, &self.namespace, kind).await;
        let object = api.get(name).await.expect("the object exists");
        object.annotations().contains_key(objects::REQUESTED_AT)
    }

    /// The versions of the Leases of gateways.
    async fn presences(&self) -> Vec<Option<String>> {
        let leases: Api<Lease> = Api::namespaced(self.admin.clone(), &self.namespace);
        let selected = ListParams::default().labels("hookgate.dev/presence=gateway");
        let leases = leases.list(&selected).await.expect("Leases");
        leases.iter().map(ResourceExt::resource_version).collect()
    }

    async fn presences_that(&self, is_wanted: impl Fn(&Vec<Option<String>>) -> bool) {
        while !is_wanted(&self.presences().await) {
            tokio::task::yield_now().await;
        }
    }

    fn receivers(&self) -> Api<Receiver> {
        Api::namespaced(self.admin.clone(), &self.namespace)
    }

    async fn apply(&self, yaml: &str) {
        for object in objects::documents(yaml, &self.namespace) {
            let applied = objects::apply(&self.admin, &object).await;
            applied.expect("the object can be applied");
        }
    }

    async fn in_time<T>(
        &self,
        otherwise: &str,
        future: impl Future<Output = T>,
    ) -> Result<T, String> {
        let in_time = timeout_at(self.deadline, future).await;
        in_time.map_err(|_| otherwise.to_owned())
    }
}

fn separate(gateway: Manifests, reconcilers: Manifests) -> [Process; 2] {
    [
        (Role::Gateway, vec![gateway], Record::default()),
        (Role::Reconcilers, vec![reconcilers], Record::default()),
    ]
}

/// Rights on kinds that the API server of the tests does not have are held against those on one that it has.
fn comparable(rights: BTreeSet<Right>) -> BTreeSet<Right> {
    let is_known = |right: &Right| {
        !right.group.ends_with("fluxcd.io")
            || [
                "receivers",
                "receivers/status",
                "gitrepositories",
                "kustomizations",
            ]
            .contains(&right.resource.as_str())
    };
    rights.into_iter().filter(is_known).collect()
}

fn words(rights: &BTreeSet<Right>) -> Vec<String> {
    rights.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn each_role_works_with_exactly_its_rights() {
    let Some(admin) = api_server::client().await else {
        return;
    };
    let (gateway, reconcilers) = (Manifests::read("gateway"), Manifests::read("reconcilers"));
    let processes = separate(gateway.clone(), reconcilers.clone());
    let life = Life::begin(&admin, &processes, DEADLINE).await;
    life.live().await.unwrap();
    assert!(life.end().await, "a Lease is still held");
    for ((_, granted, record), role) in processes.iter().zip(["gateway", "reconcilers"]) {
        let granted = comparable(granted[0].rights());
        let mut used = record.used();
        // One is there to be refused, and Kubernetes lets everybody ask what they may do.
        let apart = ["denied.example.com", "authorization.k8s.io"];
        used.retain(|right| !apart.contains(&right.group.as_str()));
        let (missing, unused) = (&used - &granted, &granted - &used);
        assert!(missing.is_empty(), "{role} asks for {:?}", words(&missing));
        assert!(
            unused.is_empty(),
            "{role} does not need {:?}",
            words(&unused)
        );
        let refused = words(&record.refused());
        let expected: &[&str] = if role == "gateway" {
            &["patch buckets.denied.example.com"]
        } else {
            &[]
        };
        assert_eq!(refused, expected);
    }
}

#[tokio::test]
async fn one_process_works_with_the_rights_of_both_roles() {
    let Some(admin) = api_server::client().await else {
        return;
    };
    let both = vec![Manifests::read("gateway"), Manifests::read("reconcilers")];
    let processes = [(Role::All, both, Record::default())];
    let life = Life::begin(&admin, &processes, DEADLINE).await;
    life.live().await.unwrap();
    assert!(life.end().await, "a Lease is still held");
    assert_eq!(
        words(&processes[0].2.refused()),
        ["patch buckets.denied.example.com"]
    );
}

#[test]
fn the_gateway_may_do_the_same_to_each_kind_of_target() {
    let rights = Manifests::read("gateway").rights();
    let of = |resource: &str| {
        let rights = rights.iter().filter(|right| right.resource == resource);
        rights
            .map(|right| right.verb.clone())
            .collect::<BTreeSet<_>>()
    };
    let kinds = rights
        .iter()
        .filter(|right| right.group.ends_with("fluxcd.io"));
    let kinds: BTreeSet<_> = kinds.map(|right| right.resource.as_str()).collect();
    assert_eq!(
        kinds.len(),
        13,
        "the twelve of the Receiver's schema, and Receivers"
    );
    for kind in kinds {
        assert_eq!(of(kind), of("gitrepositories"), "{kind}");
    }
}

/// Takes each right away in turn.
#[tokio::test]
#[ignore = "takes some minutes; run it when a right is added"]
async fn without_any_of_its_rights_something_fails() {
    let admin = api_server::client()
        .await
        .expect("KUBEBUILDER_ASSETS is set");
    let (gateway, reconcilers) = (Manifests::read("gateway"), Manifests::read("reconcilers"));
    let mut lives = Vec::new();
    for right in comparable(gateway.rights()) {
        lives.push((
            "gateway",
            right.clone(),
            separate(gateway.without(&right), reconcilers.clone()),
        ));
    }
    for right in comparable(reconcilers.rights()) {
        lives.push((
            "reconcilers",
            right.clone(),
            separate(gateway.clone(), reconcilers.without(&right)),
        ));
    }
    let unneeded = stream::iter(lives).map(async |(role, right, processes)| {
        let life = Life::begin(&admin, &processes, SHORT_DEADLINE).await;
        let outcome = life.live().await;
        let is_released = life.end().await;
        (outcome.is_ok() && is_released).then(|| format!("{role}: {right}"))
    });
    let unneeded: Vec<_> = unneeded.buffer_unordered(AT_ONCE).collect().await;
    let unneeded: Vec<_> = unneeded.into_iter().flatten().collect();
    assert_eq!(unneeded, Vec::<String>::new());
}
