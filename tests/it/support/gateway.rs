//! The gateway under test, and the words to say what it should do.
//!
//! Waiting is always for a state that a user could see, with a deadline; nothing sleeps.

use std::path::{Path, PathBuf};

use hookgate::{
    api::{
        rate::Rate,
        receiver::{Receiver, ReceiverStatus},
    },
    cli::serve::{Addresses, Serving},
    config::{
        self, ApiBudget, CrossNamespaceRefs, Entrance, Issuers, Journal, ListenAddr, Retry, Role,
        Scope, SecretWatch, StatusWrites,
    },
    hook::Secrets,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt, api::ListParams, config::Kubeconfig, core::DynamicObject,
    runtime::wait::await_condition,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::timeout;

use super::{
    back_end::{BackEnd, Running},
    issuer::{Issuer, KEYS},
    line::Line,
    objects::{self, DEADLINE, REQUESTED_AT},
    wire::{Answer, Delivery},
};

/// A gateway with its controllers, on some back end, in a namespace of its own.
pub(crate) struct Gateway {
    running: Option<Running>,
    serving: Option<Serving>,
    config: config::Serving,
    line: Line,
    journal: TempDir,
    namespace: String,
}

impl Gateway {
    /// Starts everything; nothing where the back end cannot be had.
    pub(crate) async fn start(back_end: BackEnd) -> Option<Self> {
        let running = Running::start(back_end).await?;
        let namespace = format!("test-{}", uuid::Uuid::new_v4());
        objects::create_namespace(running.client(), &namespace).await;
        let mut gateway = Self {
            running: Some(running),
            serving: None,
            config: config(&namespace),
            line: Line::default(),
            journal: tempfile::tempdir().expect("a temporary folder"),
            namespace,
        };
        gateway.serve().await;
        Some(gateway)
    }

    /// Starts again with a journal on disk.
    pub(crate) async fn keep_journal(&mut self) {
        self.config.journal = Journal::In(self.journal.path().join("journal"));
        self.restart().await;
    }

    /// Ends the process, writes nonsense over its journal, and starts it again.
    pub(crate) async fn restart_on_a_damaged_journal(&mut self) {
        self.stop().await;
        let journal = self.journal.path().join("journal/journal.redb");
        std::fs::write(journal, "nonsense").expect("the journal is there");
        self.serve().await;
    }

    /// Whether the next start would trigger everything once.
    pub(crate) fn owes_sweep(&self) -> bool {
        self.journal.path().join("journal/sweep.owed").exists()
    }

    /// Starts again with this API budget.
    pub(crate) async fn keep_to(&mut self, api_budget: ApiBudget) {
        self.config.api_budget = api_budget;
        self.restart().await;
    }

    /// The line between the gateway and the API.
    pub(crate) fn line(&self) -> &Line {
        &self.line
    }

    /// Starts again with another entrance for deliveries.
    pub(crate) async fn enter_by(&mut self, entrance: Entrance) {
        self.config.entrance = entrance;
        self.restart().await;
    }

    /// Starts again as one that leaves the status of Receivers to another.
    pub(crate) async fn leave_status_alone(&mut self) {
        self.config.status_writes = StatusWrites::Off;
        self.restart().await;
    }

    /// Starts again with references to other namespaces refused.
    pub(crate) async fn refuse_cross_namespace_refs(&mut self) {
        self.config.cross_namespace_refs = CrossNamespaceRefs::Denied;
        self.restart().await;
    }

    /// Starts again, trusting the certificate of this issuer and asking it for Google's keys, too.
    pub(crate) async fn know(&mut self, issuer: &Issuer) {
        let file = self.journal.path().join("authority.pem");
        std::fs::write(&file, issuer.authority()).expect("a file is written");
        let keys = format!("{}{KEYS}", issuer.url());
        self.config.issuers = Issuers {
            allow_http: false,
            ca_file: Some(file),
            google_certs_url: keys.clone(),
            google_proxy_certs_url: keys,
        };
        self.restart().await;
    }

    /// Ends the process, as far as a test can, and starts it again on what was stored.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        let running = self.running.take().expect("a back end");
        self.running = Some(running.restart().await);
        self.serve().await;
    }

    /// The same, and the line is mended while nothing runs.
    pub(crate) async fn restart_on_a_mended_line(&mut self) {
        self.stop().await;
        self.line.mend();
        self.serve().await;
    }

    /// Ends everything that was started.
    pub(crate) async fn end(mut self) {
        self.stop().await;
        self.running.take().expect("a back end").end().await;
    }

    /// The namespace of the test.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A client for the API that the gateway uses.
    pub(crate) fn client(&self) -> &Client {
        self.running.as_ref().expect("a back end").client()
    }

    /// The kubeconfig that leads to the API.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        let running = self.running.as_ref().expect("a back end");
        running.kubeconfig().expect("something listens")
    }

    /// Where the API listens.
    pub(crate) fn api_address(&self) -> String {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig()).expect("a kubeconfig");
        let mut clusters = kubeconfig.clusters.into_iter();
        let cluster = clusters.find_map(|named| named.cluster);
        let url = cluster.and_then(|cluster| cluster.server).expect("a URL");
        url.trim_start_matches("https://")
            .trim_end_matches('/')
            .to_owned()
    }

    /// Applies YAML to the namespace of the test.
    pub(crate) async fn apply(&self, yaml: &str) {
        self.try_apply(yaml)
            .await
            .unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    }

    /// Applies YAML; an error when the API server refuses it.
    pub(crate) async fn try_apply(&self, yaml: &str) -> Result<(), kube::Error> {
        for object in objects::documents(yaml, &self.namespace) {
            objects::apply(self.client(), &object).await?;
        }
        Ok(())
    }

    /// Applies the catalogue's Receiver for a sender, such as `github`, and the source it names.
    pub(crate) async fn apply_catalogue(&self, sender: &str) {
        for file in ["source.yaml".to_owned(), format!("{sender}/receiver.yaml")] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("receivers")
                .join(file);
            let yaml = std::fs::read_to_string(path).expect("a manifest");
            self.apply(&yaml).await;
        }
        self.settled().await;
    }

    /// Applies YAML to a new namespace beside that of the test, and names that namespace.
    pub(crate) async fn apply_elsewhere(&self, yaml: &str) -> String {
        let namespace = format!("{}-2", self.namespace);
        objects::create_namespace(self.client(), &namespace).await;
        for object in objects::documents(yaml, &namespace) {
            objects::apply(self.client(), &object)
                .await
                .expect("the object can be applied");
        }
        namespace
    }

    /// Deletes an object.
    pub(crate) async fn delete(&self, kind: &str, name: &str) {
        objects::delete(self.client(), &self.namespace, kind, name).await;
    }

    /// Waits until every Receiver's latest generation is reconciled, for better or worse.
    pub(crate) async fn settled(&self) {
        let listed = self.receivers().list(&ListParams::default()).await;
        for receiver in listed.expect("Receivers can be listed") {
            let name = receiver.name_any();
            self.receiver_until(&name, "is reconciled", is_settled)
                .await;
        }
    }

    /// Waits until a Receiver is in some state, and returns it.
    pub(crate) async fn receiver_until(
        &self,
        name: &str,
        state: &str,
        holds: impl Fn(&Receiver) -> bool,
    ) -> Receiver {
        let condition = |receiver: Option<&Receiver>| receiver.is_some_and(&holds);
        let waiting = await_condition(self.receivers(), name, condition);
        let Ok(reached) = timeout(DEADLINE, waiting).await else {
            let object = self.receivers().get_opt(name).await;
            panic!("Receiver {name} never {state}: {object:#?}");
        };
        reached
            .expect("the Receiver can be watched")
            .expect("it exists")
    }

    /// Waits until an object is gone.
    pub(crate) async fn gone(&self, kind: &str, name: &str) {
        let api = objects::of_kind(self.client(), &self.namespace, kind).await;
        let waiting = await_condition(api, name, |object: Option<&DynamicObject>| object.is_none());
        timeout(DEADLINE, waiting)
            .await
            .unwrap_or_else(|_| panic!("{kind} {name} is still there"))
            .expect("the object can be watched");
    }

    /// The status of a Receiver.
    pub(crate) async fn status(&self, name: &str) -> ReceiverStatus {
        let receiver = self
            .receivers()
            .get(name)
            .await
            .expect("the Receiver exists");
        receiver.status.expect("it has a status")
    }

    /// A condition of a Receiver as `Status Reason`, or `absent`.
    pub(crate) async fn condition(&self, name: &str, type_: &str) -> String {
        let status = self.status(name).await;
        condition(&status, type_).map_or("absent".to_owned(), |(status, reason, _)| {
            format!("{status} {reason}")
        })
    }

    /// The message of a Receiver's Ready condition.
    pub(crate) async fn message(&self, name: &str) -> String {
        let status = self.status(name).await;
        condition(&status, "Ready").map_or(String::new(), |(_, _, message)| message)
    }

    /// The path that deliveries to a Receiver go to.
    pub(crate) async fn path(&self, name: &str) -> String {
        self.status(name)
            .await
            .webhook_path
            .expect("the Receiver has a path")
    }

    /// When an object was last triggered, if it ever was.
    pub(crate) async fn annotation(&self, kind: &str, name: &str) -> Option<String> {
        self.annotation_elsewhere(&self.namespace, kind, name).await
    }

    /// When an object of another namespace was last triggered, if it ever was.
    pub(crate) async fn annotation_elsewhere(
        &self,
        namespace: &str,
        kind: &str,
        name: &str,
    ) -> Option<String> {
        let api = objects::of_kind(self.client(), namespace, kind).await;
        let object = api.get(name).await.expect("the object exists");
        object.annotations().get(REQUESTED_AT).cloned()
    }

    /// Waits until an object has been triggered at or after a time.
    pub(crate) async fn triggered_since(&self, kind: &str, name: &str, since: Timestamp) {
        objects::triggered_since(self.client(), &self.namespace, kind, name, since).await;
    }

    /// An object as it is now.
    pub(crate) async fn object(&self, kind: &str, name: &str) -> Value {
        let api = objects::of_kind(self.client(), &self.namespace, kind).await;
        let object = api.get(name).await.expect("the object exists");
        serde_json::to_value(object).expect("JSON")
    }

    /// What a Secret holds.
    pub(crate) async fn secrets(&self, name: &str) -> Secrets {
        let secrets: Api<Secret> = Api::namespaced(self.client().clone(), &self.namespace);
        let secret = secrets.get(name).await.expect("the Secret exists");
        Secrets::of(secret.data.unwrap_or_default()).expect("it has a token")
    }

    /// A recorded request of the catalogue, addressed to a Receiver of the test.
    pub(crate) async fn recorded(&self, file: &str, receiver: &str) -> Delivery {
        Delivery::recorded(file)
            .await
            .to(&self.path(receiver).await)
    }

    /// Sends a delivery.
    pub(crate) async fn send(&self, delivery: Delivery) -> Answer {
        delivery.send(&self.authority()).await
    }

    /// Where deliveries are sent to.
    pub(crate) fn authority(&self) -> String {
        let serving = self.serving.as_ref().expect("the gateway runs");
        serving.gateway().expect("a gateway").to_string()
    }

    /// The same over HTTP/2.
    pub(crate) async fn send_over_http2(&self, delivery: Delivery) -> Answer {
        let serving = self.serving.as_ref().expect("the gateway runs");
        let gateway = serving.gateway().expect("a gateway");
        delivery.send_over_http2(&gateway.to_string()).await
    }

    /// What a probe or the metrics answer, such as `/readyz`.
    pub(crate) async fn admin(&self, path: &str) -> Answer {
        let serving = self.serving.as_ref().expect("the gateway runs");
        let mut request = Delivery::post(path, "");
        request.method = http::Method::GET;
        request.send(&serving.admin()[0].to_string()).await
    }

    /// What the operator's listener answers, such as `/deliveries`.
    pub(crate) async fn operator(&self, method: http::Method, path: &str) -> Answer {
        let mut request = Delivery::post(path, "{}").with("content-type", "application/json");
        request.method = method;
        self.ask_operator(request).await
    }

    /// What the operator's listener answers to a request.
    pub(crate) async fn ask_operator(&self, request: Delivery) -> Answer {
        let serving = self.serving.as_ref().expect("the gateway runs");
        let address = serving.operator().expect("an operator's listener");
        request.send(&address.to_string()).await
    }

    fn receivers(&self) -> Api<Receiver> {
        Api::namespaced(self.client().clone(), &self.namespace)
    }

    async fn serve(&mut self) {
        let addresses = Addresses::bind(&self.config).await.expect("free ports");
        let client = self.line.client(self.client());
        let serving =
            Serving::start(addresses, &client, &self.config).expect("the journal can be opened");
        timeout(DEADLINE, serving.readiness().ready())
            .await
            .unwrap_or_else(|_| {
                panic!("still waiting for {:?}", serving.readiness().waiting_for())
            });
        self.serving = Some(serving);
    }

    async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.end().await;
        }
    }
}

/// Everything in one process, on free ports, watching one namespace.
pub(crate) fn config(namespace: &str) -> config::Serving {
    config::Serving {
        role: Role::All,
        status_writes: StatusWrites::On,
        gateway: ListenAddr::loopback(0),
        entrance: Entrance::default(),
        admin: vec![ListenAddr::loopback(0)],
        operator: ListenAddr::loopback(0),
        scope: Scope::Namespace(namespace.to_owned()),
        cross_namespace_refs: CrossNamespaceRefs::Allowed,
        issuers: Issuers::default(),
        secret_watch: SecretWatch::Matching("reconcile.fluxcd.io/watch=Enabled".to_owned()),
        concurrent: 4,
        retry: Retry::default(),
        journal: Journal::Off,
        audit: config::AuditLog::Off,
        api_budget: ApiBudget::default(),
        receiver_rate: Rate::OF_RECEIVERS,
        is_new_cluster: true,
        leader_election: None,
    }
}

/// Whether what is known of a Receiver is about its latest generation.
fn is_settled(receiver: &Receiver) -> bool {
    let generation = receiver.metadata.generation;
    receiver.status.as_ref().is_some_and(|status| {
        status.observed_generation == generation
            || status
                .conditions
                .find("Ready")
                .is_some_and(|ready| ready.observed_generation == generation)
    })
}

fn condition(status: &ReceiverStatus, type_: &str) -> Option<(String, String, String)> {
    let found = status.conditions.find(type_)?;
    let status = format!("{:?}", found.status);
    Some((status, found.reason.clone(), found.message.clone()))
}
