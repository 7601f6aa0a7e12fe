//! A further process of the gateway under test, with its own journal and its own line to the API.
//!
//! Its Leases run out within seconds, so that what others do then can be seen.

use std::time::Duration;

use hookgate::{
    cli::serve::{Addresses, Serving},
    config::{self, Journal, LeaderElection, Role},
};
use kube::Client;
use tempfile::TempDir;
use tokio::time::timeout;

use super::{
    gateway,
    line::Line,
    wire::{Answer, Delivery},
};

/// How long it may take to be ready.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running process.
pub(crate) struct Replica {
    pub(crate) serving: Serving,
    pub(crate) line: Line,
    _journal: TempDir,
}

impl Replica {
    /// Starts a process of some role for the Receivers of one namespace.
    pub(crate) async fn start(client: &Client, namespace: &str, role: Role) -> Self {
        let replica = Self::begin(client, namespace, role).await;
        let readiness = replica.serving.readiness();
        let ready = timeout(DEADLINE, readiness.ready()).await;
        ready.unwrap_or_else(|_| panic!("still waiting for {:?}", readiness.waiting_for()));
        replica
    }

    /// The same without waiting until it is ready.
    pub(crate) async fn begin(client: &Client, namespace: &str, role: Role) -> Self {
        let (line, journal) = (Line::default(), tempfile::tempdir().expect("a folder"));
        let config = config(namespace, role, &journal);
        let addresses = Addresses::bind(&config).await.expect("free ports");
        let client = line.client(client);
        let serving = Serving::start(addresses, &client, &config).expect("a new journal");
        Self {
            serving,
            line,
            _journal: journal,
        }
    }

    /// Sends a delivery.
    pub(crate) async fn send(&self, delivery: Delivery) -> Answer {
        let gateway = self.serving.gateway().expect("a gateway");
        delivery.send(&gateway.to_string()).await
    }

    /// Ends it in order.
    pub(crate) async fn end(self) {
        self.serving.end().await;
    }
}

fn config(namespace: &str, role: Role, journal: &TempDir) -> config::Serving {
    config::Serving {
        role,
        journal: Journal::In(journal.path().join("journal")),
        leader_election: Some(LeaderElection {
            namespace: namespace.to_owned(),
            lease_duration: Duration::from_secs(2),
            renew_deadline: Duration::from_millis(1500),
            retry_period: Duration::from_millis(300),
            identity: "replica".to_owned(),
        }),
        ..gateway::config(namespace)
    }
}
