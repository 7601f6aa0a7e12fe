//! Starts the parts that serve, from one validated description: gateway, controllers, probes.
//!
//! The same for `dev`, `demo`, `run` and the tests; which cluster is served is decided by whoever made the client.

mod settings;
mod start;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::bail;
use futures::future::OptionFuture;
use kube::Client;
use tokio::{
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::settings::{budget, open_audit, open_journal, presence, proxies, tls, watch_scope};
pub(super) use self::settings::{issuers, plain_issuers};
use super::budgeted;
use crate::{
    config::{self, ListenAddr},
    hook::HookTable,
    ingress::{BindError, Gateway, Issuers, Listener, Readiness, SecretUses},
    telemetry::Metrics,
    trigger::{Presence, Sweep, Targets, Trigger},
};

/// How long deliveries and reconciliations may take to end, also when the API server does not answer.
const PARTS_DEADLINE: Duration = Duration::from_secs(10);
/// How long the Lease may take to be given up.
const ELECTION_DEADLINE: Duration = Duration::from_secs(3);

/// The addresses of a process, bound and not served yet, so that a port in use is known before anything is opened.
#[derive(Debug)]
pub struct Addresses {
    gateway: Option<Listener>,
    admin: Vec<Listener>,
    operator: Option<Listener>,
}

/// Parts that serve until they are told to end.
#[derive(Debug)]
pub struct Serving {
    gateway: Option<SocketAddr>,
    admin: Vec<SocketAddr>,
    operator: Option<SocketAddr>,
    readiness: Readiness,
    trigger: Trigger,
    /// Each ends only when it is told to; the names are for messages.
    parts: JoinSet<&'static str>,
    stop_parts: CancellationToken,
    /// Outlives the gateway, whose deliveries wait for it.
    dispatcher: JoinSet<&'static str>,
    /// Ended when it is known whether anything is left in the journal.
    presence: Option<JoinHandle<Presence>>,
    /// What must outlive the parts: the lease, then the probes.
    election: TaskTracker,
    stop_election: CancellationToken,
    probes: TaskTracker,
    stop_probes: CancellationToken,
}

impl Addresses {
    /// Binds everything that `config` wants to listen on.
    pub async fn bind(config: &config::Serving) -> Result<Self, BindError> {
        let (mut gateway, mut operator) = (None, None);
        if config.role.has_gateway() {
            gateway = Some(bind(config.gateway).await?);
            operator = Some(bind(config.operator).await?);
        }
        let mut admin = Vec::new();
        for address in &config.admin {
            admin.push(bind(*address).await?);
        }
        Ok(Self {
            gateway,
            admin,
            operator,
        })
    }

    /// Where the probes and metrics will be; who asks there is answered when they are served.
    pub fn admin(&self) -> impl Iterator<Item = SocketAddr> {
        self.admin.iter().map(Listener::address)
    }
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
    ) -> anyhow::Result<Self> {
        let issuers = issuers(&config.issuers)?;
        let (metrics, table, budget) = (Metrics::new(), HookTable::default(), budget(config));
        let tls = tls(config, &metrics)?;
        let audit = open_audit(config, &metrics)?;
        let opened = open_journal(config)?;
        let journal = opened.journal.clone();
        let owed = opened.owes_sweep.then(|| journal.clone());
        let budgeted = budgeted::client(client, &budget);
        let targets = Targets::new(budgeted.clone(), table.clone(), watch_scope(&config.scope));
        let patching = client.clone();
        let trigger = Trigger::new(patching, targets.clone(), opened, budget, metrics.clone());
        if let Some(audit) = audit {
            trigger.keep_audit(audit);
        }
        let mut serving = Self {
            gateway: addresses.gateway.as_ref().map(Listener::address),
            admin: addresses.admin.iter().map(Listener::address).collect(),
            operator: addresses.operator.as_ref().map(Listener::address),
            readiness: Readiness::default(),
            trigger,
            parts: JoinSet::new(),
            stop_parts: CancellationToken::new(),
            dispatcher: JoinSet::new(),
            presence: None,
            election: TaskTracker::new(),
            stop_election: CancellationToken::new(),
            probes: TaskTracker::new(),
            stop_probes: CancellationToken::new(),
        };
        let uses = SecretUses::new(table.clone());
        let observed = uses.clone();
        metrics.observe_secrets(move || observed.used());
        let leading = serving.start_election(client, config);
        let synced = serving.start_receivers(&budgeted, config, &table, &metrics, leading);
        if let Some(listener) = addresses.gateway {
            let listener = serving.entrance(listener, config, tls, &metrics);
            let known = serving.start_targets(targets, synced);
            serving.start_dispatcher();
            serving.start_departures();
            serving.start_notices(table.clone());
            serving.start_last_triggers(config, table.clone());
            let sweep = Arc::new(Sweep::new(serving.trigger.clone(), table.clone()));
            if let Some(settings) = presence(config) {
                let presence = Presence::new(client.clone(), settings, journal.replica());
                serving.start_presence(presence, Arc::clone(&sweep), known.clone());
            }
            serving.start_sweep(sweep, owed, known);
            let issuers = Issuers::new(issuers, table.clone(), metrics.clone());
            let (trigger, metrics) = (serving.trigger.clone(), metrics.clone());
            let gateway = Gateway::new(table, trigger, budgeted, issuers, metrics, uses.clone());
            let gateway = gateway.behind(&proxies(config));
            serving.start_gateway(listener, gateway.with_rate(config.receiver_rate));
        }
        if let Some(listener) = addresses.operator {
            serving.start_operator(listener, uses);
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

    /// Where the deliveries are shown; nothing when this process has no gateway.
    #[must_use]
    pub fn operator(&self) -> Option<SocketAddr> {
        self.operator
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

    /// Ends deliveries and reconciliations first, then patches in flight, the Leases, and the probes last.
    ///
    /// Each has a deadline, so that it ends within half a minute even if the API server does not answer.
    pub async fn end(mut self) {
        self.stop_parts.cancel();
        let ended = async { while self.parts.join_next().await.is_some() {} };
        if timeout(PARTS_DEADLINE, ended).await.is_err() {
            tracing::warn!("what does not end in time is cut off");
            self.parts.shutdown().await;
        }
        self.trigger.end();
        while self.dispatcher.join_next().await.is_some() {}
        if let Some(Ok(presence)) = OptionFuture::from(self.presence).await {
            presence.leave(self.trigger.is_done()).await;
        }
        self.stop_election.cancel();
        self.election.close();
        // What is not given up in time runs out.
        let _ = timeout(ELECTION_DEADLINE, self.election.wait()).await;
        self.stop_probes.cancel();
        self.probes.close();
        self.probes.wait().await;
    }
}
