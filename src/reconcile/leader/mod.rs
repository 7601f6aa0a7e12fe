//! Which replica writes: leader election with a `Lease`, as client-go does it.
//!
//! It trusts no clock but its own: a lease has run out when it was not seen to change for its duration.

mod claimant;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

use self::claimant::Claimant;
use super::cause::cause;

/// Which lease to compete for, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSettings {
    /// The namespace of the lease.
    pub namespace: String,
    /// The name of the lease.
    pub name: String,
    /// Who holds it; it must be unique to this process, such as the pod's name and something random.
    pub identity: String,
    /// How long the others wait, after the last renewal they saw, before they take it.
    pub duration: Duration,
    /// How long this process tries to renew before it gives up leading; below `duration`.
    pub renew_deadline: Duration,
    /// How often it tries.
    pub retry_period: Duration,
}

impl LeaseSettings {
    /// Settings with the times of Flux: 35 s, 30 s and 5 s.
    #[must_use]
    pub fn new(namespace: String, name: String, identity: String) -> Self {
        Self {
            namespace,
            name,
            identity,
            duration: Duration::from_secs(35),
            renew_deadline: Duration::from_secs(30),
            retry_period: Duration::from_secs(5),
        }
    }
}

/// Leadership without a lease, for a process that is alone.
#[must_use]
pub fn always() -> watch::Receiver<bool> {
    watch::Sender::new(true).subscribe()
}

/// No leadership, for a process that has no part in it.
#[must_use]
pub fn never() -> watch::Receiver<bool> {
    watch::Sender::new(false).subscribe()
}

/// Competes for the lease until `shutdown`, then releases it; `leading` says at any time whether this process holds it.
///
/// End the work that needs the lease before `shutdown` is cancelled, or another replica may start its own meanwhile.
pub async fn elect(
    client: Client,
    settings: LeaseSettings,
    leading: watch::Sender<bool>,
    shutdown: CancellationToken,
) {
    let mut candidate = Candidate::new(client, settings);
    let campaign = candidate.campaign(&leading);
    shutdown.run_until_cancelled(campaign).await;
    if leading.send_replace(false) {
        candidate.release().await;
    }
}

struct Candidate {
    leases: Api<Lease>,
    claimant: Claimant,
}

/// What an attempt to hold the lease came to.
#[derive(Debug, PartialEq, Eq)]
enum Attempt {
    /// This process holds it.
    Held,
    /// Another one does.
    HeldBy(String),
    /// Somebody wrote it at the same time; who holds it now is for the next attempt to see.
    Contested,
}

impl Candidate {
    fn new(client: Client, settings: LeaseSettings) -> Self {
        Self {
            leases: Api::namespaced(client, &settings.namespace),
            claimant: Claimant::new(settings),
        }
    }

    /// Tries for ever; every change of leadership is published at once, also while a request hangs.
    async fn campaign(&mut self, leading: &watch::Sender<bool>) {
        let renew_deadline = self.claimant.settings.renew_deadline;
        let mut renewed: Option<Instant> = None;
        loop {
            let started = Instant::now();
            let give_up = renewed.unwrap_or(started) + renew_deadline;
            match timeout_at(give_up, self.attempt()).await {
                Ok(Ok(Attempt::Held)) => renewed = Some(started),
                Ok(Ok(Attempt::HeldBy(holder))) => {
                    tracing::debug!(holder, "another replica holds the lease");
                    renewed = None;
                }
                Ok(Ok(Attempt::Contested)) => {}
                Ok(Err(error)) => self.explain(&error),
                Err(_) => self.warn("the lease was not renewed in time"),
            }
            let deadline = renewed.map(|renewed| renewed + renew_deadline);
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                renewed = None;
            }
            publish(leading, renewed.is_some());
            let next = started + self.claimant.settings.retry_period;
            sleep_until(deadline.map_or(next, |deadline| deadline.min(next))).await;
        }
    }

    /// Takes or renews the lease if it is free, run out, or ours.
    async fn attempt(&mut self) -> Result<Attempt, kube::Error> {
        let name = self.claimant.settings.name.clone();
        let (post, now) = (PostParams::default(), Timestamp::now());
        let written = match self.leases.get_opt(&name).await? {
            None => {
                let (metadata, spec) = (ObjectMeta::default(), LeaseSpec::default());
                let lease = self.claimant.claim(metadata, &spec, now);
                self.leases.create(&post, &lease).await
            }
            Some(lease) => {
                let spec = lease.spec.unwrap_or_default();
                self.claimant.observe(&spec, Instant::now());
                if let Some(holder) = self.claimant.rival(Instant::now()) {
                    return Ok(Attempt::HeldBy(holder.to_owned()));
                }
                let lease = self.claimant.claim(lease.metadata, &spec, now);
                self.leases.replace(&name, &post, &lease).await
            }
        };
        match written {
            Ok(_) => Ok(Attempt::Held),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Attempt::Contested),
            Err(error) => Err(error),
        }
    }

    /// Gives the lease up, so that another replica need not wait for it to run out.
    async fn release(&self) {
        let give_up = Instant::now() + self.claimant.settings.retry_period;
        match timeout_at(give_up, self.give_up_lease()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.explain(&error),
            Err(_) => self.warn("the lease was not released in time"),
        }
    }

    /// Writes that nobody holds the lease, unless another replica does.
    ///
    /// A renewal that was on its way when the campaign ended may arrive between reading and writing: then it is read again.
    async fn give_up_lease(&self) -> Result<(), kube::Error> {
        let name = &self.claimant.settings.name;
        loop {
            let lease = self.leases.get(name).await?;
            let Some(lease) = self.claimant.released(lease, Timestamp::now()) else {
                return Ok(());
            };
            let post = PostParams::default();
            match self.leases.replace(name, &post, &lease).await {
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                written => return written.map(drop),
            }
        }
    }

    fn explain(&self, error: &kube::Error) {
        if matches!(error, kube::Error::Api(status) if status.code == 403) {
            self.warn("not allowed to use the lease: grant get, create and update on leases");
        } else {
            let cause = cause(error);
            self.warn(&format!("the lease could not be read or written: {cause}"));
        }
    }

    fn warn(&self, what: &str) {
        let LeaseSettings {
            namespace, name, ..
        } = &self.claimant.settings;
        tracing::warn!(lease = format!("{namespace}/{name}"), "{what}");
    }
}

fn publish(leading: &watch::Sender<bool>, is_leading: bool) {
    let has_changed = leading.send_if_modified(|current| {
        let has_changed = *current != is_leading;
        *current = is_leading;
        has_changed
    });
    match (has_changed, is_leading) {
        (true, true) => tracing::info!("this replica leads"),
        (true, false) => tracing::warn!("this replica no longer leads"),
        (false, _) => {}
    }
}

#[cfg(test)]
mod tests;
