//! The Lease of each gateway replica: as long as somebody renews it, its journal is in good hands.
//!
//! A replica whose Lease has expired for good may have left marks that nobody can read; another one sweeps in its place.

mod roll;

use std::{fmt, time::Duration};

use futures::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams, Preconditions},
};
use tokio::{
    select,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use uuid::Uuid;

use self::roll::{Roll, Seen};
use super::Sweep;

/// The label of all these Leases.
const LABEL: &str = "hookgate.dev/presence";
const GATEWAY: &str = "gateway";
/// What the name of a Lease begins with; the id of the journal follows.
const NAME_PREFIX: &str = "hookgate-gateway-";
/// How often a Lease is renewed in the time that it holds.
const RENEWALS: u32 = 3;
/// How long the end may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where replicas show their presence, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceSettings {
    /// The namespace of the Leases.
    pub namespace: String,
    /// What this replica is called, such as the name of its Pod.
    pub identity: String,
    /// How long a Lease holds without being renewed; after three times as long its replica is gone for good.
    pub duration: Duration,
}

/// The presence of this replica, and what it sees of the others.
pub struct Presence {
    leases: Api<Lease>,
    name: String,
    settings: PresenceSettings,
    roll: Roll,
}

impl Presence {
    /// The presence of the replica that has the journal `replica`.
    #[must_use]
    pub fn new(client: Client, settings: PresenceSettings, replica: Uuid) -> Self {
        Self {
            leases: Api::namespaced(client, &settings.namespace),
            name: format!("{NAME_PREFIX}{replica}"),
            roll: Roll::new(settings.duration / RENEWALS),
            settings,
        }
    }

    /// Renews the own Lease, and sweeps in the place of those that are gone, for ever.
    pub async fn attend(&mut self, sweep: &Sweep) {
        let period = self.settings.duration / RENEWALS;
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sweeping = FuturesUnordered::new();
        loop {
            select! {
                _ = ticks.tick() => {}
                Some(()) = sweeping.next() => continue,
            }
            let taken = match timeout(period, self.renew()).await {
                Ok(Ok(taken)) => taken,
                Ok(Err(error)) => {
                    explain(&error);
                    continue;
                }
                Err(_) => {
                    tracing::warn!(
                        lease = self.name,
                        "the presence could not be renewed in time"
                    );
                    continue;
                }
            };
            if !taken.is_empty() {
                sweeping.push(stand_in(self.leases.clone(), taken, sweep));
            }
        }
    }

    /// Takes the own Lease away when nothing is left to do; else it stays, so that another replica sweeps in time.
    pub async fn leave(self, is_done: bool) {
        if !is_done {
            tracing::warn!(
                lease = self.name,
                "some triggers are left in the journal; unless it is opened again, another replica sweeps"
            );
            return;
        }
        let params = DeleteParams::default();
        match timeout(FAREWELL, self.leases.delete(&self.name, &params)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => explain(&error),
            Err(_) => tracing::warn!(
                lease = self.name,
                "the presence of this replica could not be ended in time"
            ),
        }
    }

    /// Renews the own Lease, and takes those of others that have expired for good.
    async fn renew(&mut self) -> Result<Vec<Lease>, kube::Error> {
        let selected = ListParams::default().labels(&format!("{LABEL}={GATEWAY}"));
        let mut leases = self.leases.list(&selected).await?.items;
        let own = leases
            .iter()
            .position(|lease| lease.name_any() == self.name);
        let own = own.map(|own| leases.swap_remove(own));
        let post = PostParams::default();
        match own {
            Some(own) => {
                let own = self.renewed(own.metadata);
                self.leases.replace(&self.name, &post, &own).await?
            }
            None => {
                self.leases
                    .create(&post, &self.renewed(self.metadata()))
                    .await?
            }
        };
        let seen = leases.iter().map(|lease| self.seen(lease)).collect();
        let gone = self.roll.look(seen, Instant::now());
        leases.retain(|lease| gone.contains(&lease.name_any()));
        let mut taken = Vec::new();
        for lease in leases {
            taken.extend(self.take(lease).await?);
        }
        Ok(taken)
    }

    /// Takes the Lease of a replica that is gone, so that no third one stands in for it too, unless this one fails.
    async fn take(&self, lease: Lease) -> Result<Option<Lease>, kube::Error> {
        let name = lease.name_any();
        let renewed = self.renewed(lease.metadata);
        match self
            .leases
            .replace(&name, &PostParams::default(), &renewed)
            .await
        {
            Ok(taken) => {
                tracing::warn!(
                    lease = name,
                    "a gateway is gone for good; what it accepted may be lost, so that everything is triggered once"
                );
                Ok(Some(taken))
            }
            Err(error) if is_outdated(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn metadata(&self) -> ObjectMeta {
        ObjectMeta {
            name: Some(self.name.clone()),
            labels: Some([(LABEL.to_owned(), GATEWAY.to_owned())].into()),
            ..ObjectMeta::default()
        }
    }

    /// A Lease in the hands of this replica, from now on.
    fn renewed(&self, metadata: ObjectMeta) -> Lease {
        let seconds = self.settings.duration.as_secs().max(1);
        Lease {
            metadata,
            spec: Some(LeaseSpec {
                holder_identity: Some(self.settings.identity.clone()),
                lease_duration_seconds: Some(i32::try_from(seconds).unwrap_or(i32::MAX)),
                renew_time: Some(MicroTime(Timestamp::now())),
                ..LeaseSpec::default()
            }),
        }
    }

    fn seen(&self, lease: &Lease) -> Seen {
        // Whatever it says, it gets as much time as this replica would have.
        let seconds = lease
            .spec
            .as_ref()
            .and_then(|spec| spec.lease_duration_seconds);
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Seen {
            name: lease.name_any(),
            version: lease.resource_version().unwrap_or_default(),
            duration: seconds
                .map_or(Duration::ZERO, Duration::from_secs)
                .max(self.settings.duration),
        }
    }
}

/// Sweeps in the place of replicas that are gone, and takes their Leases away when that is on disk.
async fn stand_in(leases: Api<Lease>, taken: Vec<Lease>, sweep: &Sweep) {
    if let Err(reason) = sweep.run().await {
        tracing::warn!(%reason, "could not sweep in the place of a gateway that is gone; tried again");
        return;
    }
    for lease in taken {
        let name = lease.name_any();
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: lease.metadata.uid,
                resource_version: lease.metadata.resource_version,
            }),
            ..DeleteParams::default()
        };
        match leases.delete(&name, &params).await {
            Err(error) if !is_outdated(&error) => explain(&error),
            _ => {}
        }
    }
}

/// Its replica is back, or another one was faster.
fn is_outdated(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 404 | 409))
}

fn explain(error: &kube::Error) {
    match error {
        kube::Error::Api(status) if status.code == 403 => tracing::warn!(
            "not allowed to show the presence of this gateway: grant list, create, update and delete on leases"
        ),
        kube::Error::Api(status) => {
            tracing::warn!(
                error = status.message,
                "the presence of this gateway could not be shown"
            );
        }
        _ => tracing::warn!(
            "the presence of this gateway could not be shown: the API server could not be reached"
        ),
    }
}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Presence").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests;
