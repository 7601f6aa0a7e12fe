//! Starts the parts that serve, from one validated description: gateway, controllers, probes.
//!
//! The same for `dev`, `demo`, `run` and the tests; which cluster is served is decided by whoever made the client.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::bail;
use kube::Client;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::budgeted;
use crate::{
    config::{self, ListenAddr, SecretWatch, StatusWrites},
    hook::{self, HookTable, Policy},
    ingress::{BindError, Gateway, Listener, Readiness, admin_router},
    reconcile::{
        ReceiverController, ReceiverOptions, ReceiverStatusWriting, Scope,
        leader::{self, LeaseSettings},
    },
    telemetry::Metrics,
    trigger::{
        Budget, Rate, Targets, Trigger, WatchScope,
        journal::{Journal, OpenError, Opened, Origin},
    },
};

/// The name of the Lease that replicas compete for.
const LEASE_NAME: &str = "hookgate-leader-election";

/// The addresses of a process, bound and not served yet, so that a port in use is known before anything is opened.
#[derive(Debug)]
pub struct Addresses {
    gateway: Option<Listener>,
    admin: Vec<Listener>,
}

/// Parts that serve until they are told to end.
#[derive(Debug)]
pub struct Serving {
    gateway: Option<SocketAddr>,
    admin: Vec<SocketAddr>,
    readiness: Readiness,
    trigger: Trigger,
    /// Each ends only when it is told to; the names are for messages.
    parts: JoinSet<&'static str>,
    stop_parts: CancellationToken,
    /// Outlives the gateway, whose deliveries wait for it.
    dispatcher: JoinSet<&'static str>,
    /// What must outlive the parts: the lease, then the probes.
    election: TaskTracker,
    stop_election: CancellationToken,
    probes: TaskTracker,
    stop_probes: CancellationToken,
}

impl Addresses {
    /// Binds everything that `config` wants to listen on.
    pub async fn bind(config: &config::Serving) -> Result<Self, BindError> {
        let gateway = if config.role.has_gateway() {
            Some(bind(config.gateway).await?)
        } else {
            None
        };
        let mut admin = Vec::new();
        for address in &config.admin {
            admin.push(bind(*address).await?);
        }
        Ok(Self { gateway, admin })
    }
}

/// The same settings in the words of the controller.
fn receiver_options(config: &config::Serving) -> ReceiverOptions {
    ReceiverOptions {
        scope: match &config.scope {
            config::Scope::AllNamespaces => Scope::Cluster,
            config::Scope::Namespace(namespace) => Scope::Namespace(namespace.clone()),
        },
        policy: Policy {
            cross_namespace_refs: match config.cross_namespace_refs {
                config::CrossNamespaceRefs::Allowed => hook::CrossNamespaceRefs::Allowed,
                config::CrossNamespaceRefs::Denied => hook::CrossNamespaceRefs::Denied,
            },
        },
        secret_selector: match &config.secret_watch {
            SecretWatch::Matching(selector) => Some(selector.clone()),
            SecretWatch::Off => None,
        },
        status: match config.status_writes {
            StatusWrites::On => ReceiverStatusWriting::On,
            StatusWrites::Off => ReceiverStatusWriting::Off,
        },
        concurrency: config.concurrent,
        min_retry_delay: config.retry.min_delay,
        max_retry_delay: config.retry.max_delay,
    }
}

/// How far the watches of targets reach.
fn watch_scope(scope: &config::Scope) -> WatchScope {
    match scope {
        config::Scope::AllNamespaces => WatchScope::Cluster,
        config::Scope::Namespace(_) => WatchScope::Namespace,
    }
}

/// Opens the journal of a process that has something to keep in it.
fn open_journal(config: &config::Serving) -> Result<Opened, OpenError> {
    let folder = match &config.journal {
        config::Journal::In(folder) if config.role.has_gateway() => folder,
        config::Journal::In(_) | config::Journal::Off => return Ok(Journal::off()),
    };
    let opened = Journal::open(folder)?;
    let folder = folder.display();
    match &opened.origin {
        Origin::Continued => tracing::info!(%folder, "journal opened"),
        Origin::New => tracing::info!(%folder, "journal made"),
        Origin::Replaced { damaged } => {
            tracing::error!(%folder, damaged = %damaged.display(), "the journal was damaged; it is moved aside, and what was in it may be lost");
        }
    }
    Ok(opened)
}

async fn bind(address: ListenAddr) -> Result<Listener, BindError> {
    match (Listener::bind(address.socket_addr()).await, address) {
        // IPv6 is turned off, or an IPv4 socket is in the way: the second error tells which.
        (Err(_), ListenAddr::AllInterfaces(port)) => {
            Listener::bind((Ipv4Addr::UNSPECIFIED, port).into()).await
        }
        (bound, _) => bound,
    }
}

impl Serving {
    /// Starts the parts that `config` names, on `addresses`, against the cluster of `client`.
    pub fn start(
        addresses: Addresses,
        client: &Client,
        config: &config::Serving,
    ) -> Result<Self, OpenError> {
        let metrics = Metrics::new();
        let table = HookTable::default();
        let budget = Budget::new(Rate {
            interval: config.api_budget.interval,
            burst: config.api_budget.burst,
        });
        let journal = open_journal(config)?;
        let budgeted = budgeted::client(client, &budget);
        let targets = Targets::new(budgeted.clone(), table.clone(), watch_scope(&config.scope));
        let mut serving = Self {
            gateway: addresses.gateway.as_ref().map(Listener::address),
            admin: addresses.admin.iter().map(Listener::address).collect(),
            readiness: Readiness::default(),
            trigger: Trigger::new(
                client.clone(),
                targets.clone(),
                journal,
                budget,
                metrics.clone(),
            ),
            parts: JoinSet::new(),
            stop_parts: CancellationToken::new(),
            dispatcher: JoinSet::new(),
            election: TaskTracker::new(),
            stop_election: CancellationToken::new(),
            probes: TaskTracker::new(),
            stop_probes: CancellationToken::new(),
        };
        let leading = serving.start_election(client, config);
        let synced = serving.start_receivers(&budgeted, config, &table, &metrics, leading);
        if let Some(listener) = addresses.gateway {
            serving.start_targets(targets, synced);
            serving.start_dispatcher();
            serving.start_notices(table.clone());
            serving.start_gateway(listener, &budgeted, table, metrics.clone());
        }
        // Last, when all that readiness waits for is known: somebody may have asked already.
        serving.start_probes(addresses.admin, &metrics);
        Ok(serving)
    }

    /// Where deliveries arrive; nothing when this process has no gateway.
    #[must_use]
    pub fn gateway(&self) -> Option<SocketAddr> {
        self.gateway
    }

    /// Where the probes and metrics are.
    #[must_use]
    pub fn admin(&self) -> &[SocketAddr] {
        &self.admin
    }

    /// What tells whether everything serves.
    #[must_use]
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Serves until `stop`, then ends everything in order; it is an error when a part ends by itself.
    pub async fn until(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let ended = tokio::select! {
            () = stop.cancelled() => None,
            part = self.parts.join_next() => part,
            Some(part) = self.dispatcher.join_next() => Some(part),
        };
        self.end().await;
        match ended {
            None => Ok(()),
            Some(Ok(part)) => bail!("the {part} ended by itself"),
            Some(Err(panic)) => bail!("a part of the process failed: {panic}"),
        }
    }

    /// Ends deliveries and reconciliations first, then patches in flight, the lease, and the probes last.
    pub async fn end(mut self) {
        self.stop_parts.cancel();
        while self.parts.join_next().await.is_some() {}
        self.trigger.end();
        while self.dispatcher.join_next().await.is_some() {}
        self.stop_election.cancel();
        self.election.close();
        self.election.wait().await;
        self.stop_probes.cancel();
        self.probes.close();
        self.probes.wait().await;
    }

    fn start_probes(&self, listeners: Vec<Listener>, metrics: &Metrics) {
        for listener in listeners {
            let router = admin_router(metrics.clone(), self.readiness.clone());
            self.probes
                .spawn(listener.serve(router, self.stop_probes.clone()));
        }
    }

    /// Competes for the lease where there is one to compete for.
    fn start_election(&self, client: &Client, config: &config::Serving) -> watch::Receiver<bool> {
        let Some(election) = &config.leader_election else {
            return leader::always();
        };
        let settings = LeaseSettings {
            namespace: election.namespace.clone(),
            name: LEASE_NAME.to_owned(),
            identity: format!("{}_{}", election.identity, uuid::Uuid::new_v4()),
            duration: election.lease_duration,
            renew_deadline: election.renew_deadline,
            retry_period: election.retry_period,
        };
        let (leading, is_leading) = watch::channel(false);
        let stop = self.stop_election.clone();
        self.election
            .spawn(leader::elect(client.clone(), settings, leading, stop));
        is_leading
    }

    fn start_receivers(
        &mut self,
        client: &Client,
        config: &config::Serving,
        table: &HookTable,
        metrics: &Metrics,
        leading: watch::Receiver<bool>,
    ) -> watch::Receiver<bool> {
        let gate = self.readiness.gate("receivers");
        let controller = ReceiverController::new(
            client.clone(),
            table.clone(),
            metrics.clone(),
            leading,
            receiver_options(config),
        );
        let (synced, mut opening) = (controller.synced(), controller.synced());
        let stop = self.stop_parts.clone();
        self.parts.spawn(async move {
            let opened = async {
                if opening.wait_for(|synced| *synced).await.is_ok() {
                    gate.open();
                }
            };
            tokio::join!(controller.run(stop), opened);
            "receiver controller"
        });
        synced
    }

    /// Watches what Receivers select by labels; ready when that is known for all of them.
    fn start_targets(&mut self, targets: Targets, mut synced: watch::Receiver<bool>) {
        let gate = self.readiness.gate("targets");
        let stop = self.stop_parts.clone();
        self.parts.spawn(async move {
            let opened = async {
                if synced.wait_for(|synced| *synced).await.is_ok() {
                    targets.settled().await;
                    gate.open();
                }
            };
            tokio::join!(
                targets.clone().run(stop.clone()),
                stop.run_until_cancelled(opened)
            );
            "watch of targets"
        });
    }

    fn start_dispatcher(&mut self) {
        let trigger = self.trigger.clone();
        self.dispatcher.spawn(async move {
            trigger.dispatch().await;
            "dispatcher"
        });
    }

    /// Tells Receivers which of their targets may not be triggered.
    fn start_notices(&mut self, table: HookTable) {
        let (trigger, stop) = (self.trigger.clone(), self.stop_parts.clone());
        self.parts.spawn(async move {
            let telling = trigger.tell_denied(&table);
            stop.run_until_cancelled(telling).await;
            "notices of denied targets"
        });
    }

    fn start_gateway(
        &mut self,
        listener: Listener,
        client: &Client,
        table: HookTable,
        metrics: Metrics,
    ) {
        let gate = self.readiness.gate("gateway");
        let gateway = Gateway::new(table, self.trigger.clone(), client.clone(), metrics);
        let stop = self.stop_parts.clone();
        self.parts.spawn(async move {
            gate.open();
            listener.serve(gateway.into_router(), stop).await;
            "gateway"
        });
    }
}
