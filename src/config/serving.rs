//! What the parts that serve need to know, the same for `dev`, `demo` and `run`.
//!
//! The commands make one of these from their own flags; nothing here is read from outside.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use clap::ValueEnum;

use super::{AuditLog, Entrance, Issuers, ListenAddr, flux::DEFAULT_SECRET_SELECTOR};
use crate::api::rate::Rate;

/// One validated description of a serving process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serving {
    /// Which parts run.
    pub role: Role,
    /// Whether this process writes the status and finalizers of Receivers.
    pub status_writes: StatusWrites,
    /// Where deliveries arrive.
    pub gateway: ListenAddr,
    /// How they come in.
    pub entrance: Entrance,
    /// Where `/healthz`, `/readyz` and `/metrics` are; the same on each address.
    pub admin: Vec<ListenAddr>,
    /// Where the operator sees the deliveries of a gateway, and redelivers.
    pub operator: ListenAddr,
    /// Which namespaces are watched.
    pub scope: Scope,
    /// Whether a Receiver may name targets of other namespaces.
    pub cross_namespace_refs: CrossNamespaceRefs,
    /// How the keys of issuers are fetched.
    pub issuers: Issuers,
    /// Which Secrets are watched, so that a change is seen at once.
    pub secret_watch: SecretWatch,
    /// How many Receivers are reconciled at once.
    pub concurrent: u16,
    /// How failed reconciliations are retried.
    pub retry: Retry,
    /// Where it is kept what has been accepted and is not done.
    pub journal: Journal,
    /// Where it is recorded who triggered what.
    pub audit: AuditLog,
    /// How many requests the process may send to the API server.
    pub api_budget: ApiBudget,
    /// How often the deliveries of one Receiver trigger targets, unless it says itself.
    pub receiver_rate: Rate,
    /// Whether the cluster was made a moment ago, so that no delivery to it can have been lost.
    pub is_new_cluster: bool,
    /// How one of several replicas becomes the writer of status; without it, this process is the only one.
    pub leader_election: Option<LeaderElection>,
}

impl Serving {
    /// Everything in one process that has its control plane to itself: every namespace, and no lease.
    #[must_use]
    pub fn alone(
        gateway: ListenAddr,
        admin: ListenAddr,
        operator: ListenAddr,
        journal: Journal,
    ) -> Self {
        Self {
            role: Role::All,
            status_writes: StatusWrites::On,
            gateway,
            entrance: Entrance::default(),
            admin: vec![admin],
            operator,
            scope: Scope::AllNamespaces,
            cross_namespace_refs: CrossNamespaceRefs::Allowed,
            issuers: Issuers::default(),
            secret_watch: SecretWatch::Matching(DEFAULT_SECRET_SELECTOR.to_owned()),
            concurrent: 4,
            retry: Retry::default(),
            journal,
            audit: AuditLog::Off,
            api_budget: ApiBudget::default(),
            receiver_rate: Rate::OF_RECEIVERS,
            is_new_cluster: false,
            leader_election: None,
        }
    }
}

/// Which parts of hookgate run in a process.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The gateway and the reconcilers
    All,
    /// The exposed endpoint only; it writes nothing but annotations
    Gateway,
    /// The reconcilers only; the process ends when it loses the Lease
    Reconcilers,
}

impl Role {
    /// Whether deliveries are received.
    #[must_use]
    pub fn has_gateway(self) -> bool {
        self != Self::Reconcilers
    }
}

/// Whether the status and finalizers of Receivers are written, and the annotation of their last trigger.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusWrites {
    /// Written: the annotation by each gateway, the others by whoever holds the lease
    On,
    /// Left to another controller, such as Flux's
    Off,
}

/// Which namespaces are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    AllNamespaces,
    /// This one.
    Namespace(String),
}

/// Whether a Receiver may name targets of other namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrossNamespaceRefs {
    /// It may.
    Allowed,
    /// It may not: such a target fails.
    Denied,
}

/// Which Secrets are watched, so that a change is seen before the interval of the Receiver is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretWatch {
    /// None.
    Off,
    /// Those that match this label selector; an empty one matches all.
    Matching(String),
}

/// How failed reconciliations are retried: exponentially between these delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The first delay.
    pub min_delay: Duration,
    /// The longest delay.
    pub max_delay: Duration,
}

impl Default for Retry {
    /// 750 ms to 15 min, as Flux has it.
    fn default() -> Self {
        Self {
            min_delay: Duration::from_millis(750),
            max_delay: Duration::from_mins(15),
        }
    }
}

/// Where it is kept what has been accepted and is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Journal {
    /// Nowhere: a delivery that cannot be done at once is refused.
    Off,
    /// In this folder.
    In(PathBuf),
}

/// How many requests may be sent to the API server: so many at once, and one more in each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiBudget {
    /// The time in which one request is earned.
    pub interval: Duration,
    /// How many requests can be saved up.
    pub burst: NonZeroU32,
}

impl ApiBudget {
    /// 300 at once, as Flux has it.
    pub(super) const DEFAULT_BURST: NonZeroU32 = NonZeroU32::new(300).unwrap();
    /// 50 a second, as Flux has it.
    const DEFAULT_INTERVAL: Duration = Duration::from_millis(20);
}

impl Default for ApiBudget {
    fn default() -> Self {
        Self {
            interval: Self::DEFAULT_INTERVAL,
            burst: Self::DEFAULT_BURST,
        }
    }
}

/// How one of several replicas becomes the leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderElection {
    /// The namespace of the Lease.
    pub namespace: String,
    /// How long the Lease is held without being renewed.
    pub lease_duration: Duration,
    /// How long the leader tries to renew before it gives up.
    pub renew_deadline: Duration,
    /// How long to wait between tries.
    pub retry_period: Duration,
    /// What the holder is called, such as the name of the Pod; made unique by whoever competes.
    pub identity: String,
}
