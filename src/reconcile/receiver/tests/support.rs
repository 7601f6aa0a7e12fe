//! A cluster and replicas of the controller for the tests.
//!
//! Waiting is for a state that somebody can see, with a deadline.

use std::{future::Future, time::Duration};

use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event, Namespace, Secret},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    client::Body,
    runtime::{conditions::is_crd_established, wait::await_condition},
};
use serde_json::{Value, json};
use tokio::{sync::watch as value, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use tower::{BoxError, service_fn};

use crate::{
    api::receiver::{Receiver, ReceiverStatus},
    cluster::{Embedded, Options, Storage},
    hook::{CertificateChecks, Closed, CrossNamespaceRefs, Entry, HookTable, PlainIssuers, Policy},
    reconcile::{ReceiverController, ReceiverOptions, Scope, leader},
    telemetry::Metrics,
};

pub(super) const DEADLINE: Duration = Duration::from_secs(30);
pub(super) const APPS: &str = "apps";

/// A cluster with the definitions and a namespace.
pub(super) struct Cluster(pub(super) Client);

/// A running controller and what it fills.
pub(super) struct Replica {
    pub(super) table: HookTable,
    pub(super) metrics: Metrics,
    pub(super) synced: value::Receiver<bool>,
    pub(super) shutdown: CancellationToken,
    pub(super) running: JoinHandle<()>,
}

impl Cluster {
    pub(super) async fn new() -> Self {
        let options = Options {
            storage: Storage::Memory,
        };
        let cluster = Self(Embedded::open(&options).unwrap().client());
        let definitions: Api<CustomResourceDefinition> = Api::all(cluster.0.clone());
        for definition in crate::api::crds::all() {
            let name = definition.name_any();
            definitions
                .create(&PostParams::default(), &definition)
                .await
                .unwrap();
            let established = await_condition(definitions.clone(), &name, is_crd_established());
            in_time(established).await.unwrap();
        }
        cluster.namespace(APPS).await;
        cluster
    }

    pub(super) async fn namespace(&self, name: &str) {
        let namespaces: Api<Namespace> = Api::all(self.0.clone());
        let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        namespaces
            .create(&PostParams::default(), &namespace)
            .await
            .unwrap();
    }

    pub(super) fn receivers(&self) -> Api<Receiver> {
        Api::namespaced(self.0.clone(), APPS)
    }

    /// Receivers as they are stored, also those that make no sense.
    pub(super) fn raw(&self, namespace: &str) -> Api<DynamicObject> {
        let resource = ApiResource::erase::<Receiver>(&());
        Api::namespaced_with(self.0.clone(), namespace, &resource)
    }

    pub(super) async fn secret(&self, namespace: &str, token: &str) {
        let secrets: Api<Secret> = Api::namespaced(self.0.clone(), namespace);
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "hook", "labels": {"reconcile.fluxcd.io/watch": "Enabled"}},
            "stringData": {"token": token},
        });
        if secrets.get_opt("hook").await.unwrap().is_some() {
            let patch = Patch::Merge(&secret);
            let params = PatchParams::default();
            secrets.patch("hook", &params, &patch).await.unwrap();
        } else {
            let secret = serde_json::from_value(secret).unwrap();
            secrets
                .create(&PostParams::default(), &secret)
                .await
                .unwrap();
        }
    }

    /// Adds these keys to the Secret `hook`.
    pub(super) async fn store(&self, keys: &Value) {
        let secrets: Api<Secret> = Api::namespaced(self.0.clone(), APPS);
        let patch = Patch::Merge(json!({"stringData": keys}));
        let params = PatchParams::default();
        secrets.patch("hook", &params, &patch).await.unwrap();
    }

    pub(super) async fn receiver(&self, namespace: &str, name: &str, more: &Value) {
        let mut receiver = json!({
            "apiVersion": "notification.toolkit.fluxcd.io/v1",
            "kind": "Receiver",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"type": "github", "secretRef": {"name": "hook"}, "resources": []},
        });
        json_patch::merge(&mut receiver, more);
        let receiver = serde_json::from_value(receiver).unwrap();
        let receivers = self.raw(namespace);
        receivers
            .create(&PostParams::default(), &receiver)
            .await
            .unwrap();
    }

    pub(super) async fn change(&self, name: &str, patch: &Value) {
        let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
        self.raw(APPS).patch(name, &params, &patch).await.unwrap();
    }

    pub(super) async fn delete(&self, name: &str) {
        let deleted = self.raw(APPS).delete(name, &DeleteParams::default()).await;
        deleted.unwrap();
    }

    /// Waits until the status of a Receiver is as wanted, and returns it.
    pub(super) async fn status(
        &self,
        namespace: &str,
        name: &str,
        is_wanted: impl Fn(&ReceiverStatus) -> bool,
    ) -> ReceiverStatus {
        let status = |object: &DynamicObject| {
            let status = object.data.get("status").cloned().unwrap_or_default();
            serde_json::from_value::<ReceiverStatus>(status).unwrap_or_default()
        };
        let condition = |object: Option<&DynamicObject>| {
            object.is_some_and(|object| is_wanted(&status(object)))
        };
        let object = in_time(await_condition(self.raw(namespace), name, condition)).await;
        status(&object.unwrap().unwrap())
    }

    pub(super) async fn is_gone(&self, name: &str) {
        let is_gone = |object: Option<&DynamicObject>| object.is_none();
        in_time(await_condition(self.raw(APPS), name, is_gone))
            .await
            .unwrap();
    }

    pub(super) async fn events(&self) -> Vec<String> {
        let events: Api<Event> = Api::namespaced(self.0.clone(), APPS);
        let events = events.list(&ListParams::default()).await.unwrap();
        let told = |event: Event| {
            let object = event.involved_object.name.unwrap();
            format!(
                "{object} {} {}",
                event.type_.unwrap(),
                event.reason.unwrap()
            )
        };
        events.into_iter().map(told).collect()
    }
}

impl Replica {
    pub(super) fn start(
        client: &Client,
        leading: value::Receiver<bool>,
        options: ReceiverOptions,
    ) -> Self {
        let (table, metrics) = (HookTable::default(), Metrics::new());
        let shutdown = CancellationToken::new();
        let controller = ReceiverController::new(
            client.clone(),
            table.clone(),
            metrics.clone(),
            leading,
            options,
        );
        Self {
            table,
            metrics,
            synced: controller.synced(),
            running: tokio::spawn(controller.run(shutdown.clone())),
            shutdown,
        }
    }

    pub(super) fn leader(cluster: &Cluster) -> Self {
        Self::start(&cluster.0, leader::always(), options())
    }

    pub(super) async fn is_synced(&mut self) {
        in_time(self.synced.wait_for(|synced| *synced))
            .await
            .unwrap();
    }

    pub(super) fn is_open(&self, path: &str) -> bool {
        matches!(
            self.table.locate(path, Timestamp::now()),
            Some(Entry::Open(_))
        )
    }

    pub(super) fn closed(&self, path: &str) -> Option<Closed> {
        match self.table.locate(path, Timestamp::now())? {
            Entry::Closed(why) => Some(why),
            Entry::Open(_) | Entry::Pathless(_) | Entry::Unread(_) => None,
        }
    }

    pub(super) fn reconciliations(&self, name: &str) -> Option<String> {
        let line = format!(
            r#"gotk_reconcile_duration_seconds_count{{kind="Receiver",name="{name}",namespace="apps"}} "#
        );
        let text = self.metrics.encode();
        let found = text.lines().find_map(|l| l.strip_prefix(&line));
        found.map(ToOwned::to_owned)
    }

    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        in_time(self.running).await.unwrap();
    }
}

pub(super) fn options() -> ReceiverOptions {
    let policy = Policy {
        cross_namespace_refs: CrossNamespaceRefs::Allowed,
        plain_issuers: PlainIssuers::Denied,
        certificate_checks: CertificateChecks::Possible,
    };
    ReceiverOptions {
        min_retry_delay: Duration::from_millis(20),
        max_retry_delay: Duration::from_millis(100),
        ..ReceiverOptions::new(Scope::Cluster, policy)
    }
}

pub(super) async fn in_time<F: Future>(future: F) -> F::Output {
    timeout(DEADLINE, future).await.expect("it happens in time")
}

pub(super) async fn until(is_so: impl Fn() -> bool) {
    in_time(async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// The same cluster, whose Secrets cannot be read while `is_broken`.
pub(super) fn with_broken_secrets(client: &Client, is_broken: &value::Sender<bool>) -> Client {
    let (client, is_broken) = (client.clone(), is_broken.subscribe());
    let service = service_fn(move |request: Request<Body>| {
        let (client, is_broken) = (client.clone(), *is_broken.borrow());
        async move {
            if is_broken && request.uri().path().ends_with("/secrets/hook") {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                return Ok(response);
            }
            Ok::<_, BoxError>(client.send(request).await?)
        }
    });
    Client::new(service, "default")
}
