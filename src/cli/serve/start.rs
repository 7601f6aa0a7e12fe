//! Starts each part of a serving process: what it needs, when it is ready, and what ends it.
//!
//! Which parts there are, and in which order they end, is not decided here.

use std::{sync::Arc, time::Duration};

use kube::Client;
use tokio::{sync::watch, time::sleep};

use super::{
    Serving,
    settings::{lease, proxies, receiver_options},
};
use crate::{
    config::{self, Role, StatusWrites},
    hook::HookTable,
    ingress::{Gateway, Listener, SecretUses, Tls, admin_router, operator_router},
    reconcile::{ReceiverController, leader},
    telemetry::Metrics,
    trigger::{Presence, Sweep, Targets, journal::Journal},
};

/// How long until a sweep that could not be written to disk is tried again.
const SWEEP_RETRY_DELAY: Duration = Duration::from_secs(10);

impl Serving {
    pub(super) fn start_probes(&self, listeners: Vec<Listener>, metrics: &Metrics) {
        for listener in listeners {
            let router = admin_router(metrics.clone(), self.readiness.clone());
            self.probes
                .spawn(listener.serve(router, self.stop_probes.clone()));
        }
    }

    /// Competes for the Lease where there is one; a gateway never leads.
    ///
    /// A process that only reconciles ends with its leadership, so that nothing of it goes on without.
    pub(super) fn start_election(
        &mut self,
        client: &Client,
        config: &config::Serving,
    ) -> watch::Receiver<bool> {
        if config.role == Role::Gateway {
            return leader::never();
        }
        let Some(settings) = lease(config) else {
            return leader::always();
        };
        let (leading, is_leading) = watch::channel(false);
        let stop = self.stop_election.clone();
        self.election
            .spawn(leader::elect(client.clone(), settings, leading, stop));
        if config.role == Role::Reconcilers {
            let (mut leading, stop) = (is_leading.clone(), self.stop_parts.clone());
            self.parts.spawn(async move {
                let lost = async {
                    leading.wait_for(|leading| *leading).await?;
                    leading.wait_for(|leading| !leading).await.map(drop)
                };
                stop.run_until_cancelled(lost).await;
                "leadership of this process"
            });
        }
        is_leading
    }

    pub(super) fn start_receivers(
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

    /// Watches what Receivers select by labels; ready, and becoming true, when that is known for all of them.
    pub(super) fn start_targets(
        &mut self,
        targets: Targets,
        mut synced: watch::Receiver<bool>,
    ) -> watch::Receiver<bool> {
        let gate = self.readiness.gate("targets");
        let stop = self.stop_parts.clone();
        let (known, is_known) = watch::channel(false);
        self.parts.spawn(async move {
            let opened = async {
                if synced.wait_for(|synced| *synced).await.is_ok() {
                    targets.settled().await;
                    gate.open();
                    known.send_replace(true);
                }
            };
            tokio::join!(
                targets.clone().run(stop.clone()),
                stop.run_until_cancelled(opened)
            );
            "watch of targets"
        });
        is_known
    }

    /// Shows the presence of this gateway, and looks after those that are gone.
    pub(super) fn start_presence(
        &mut self,
        mut presence: Presence,
        sweep: Arc<Sweep>,
        mut known: watch::Receiver<bool>,
    ) {
        let stop = self.stop_parts.clone();
        self.presence = Some(tokio::spawn(async move {
            let attending = async {
                if known.wait_for(|known| *known).await.is_ok() {
                    presence.attend(&sweep).await;
                }
            };
            stop.run_until_cancelled(attending).await;
            presence
        }));
    }

    /// Triggers everything once if the journal asks for it, and what a sweep could not select when it can.
    pub(super) fn start_sweep(
        &mut self,
        sweep: Arc<Sweep>,
        owed: Option<Journal>,
        mut known: watch::Receiver<bool>,
    ) {
        let stop = self.stop_parts.clone();
        let sweeping = async move {
            if let Some(journal) = owed
                && known.wait_for(|known| *known).await.is_ok()
            {
                while let Err(reason) = sweep.run().await {
                    tracing::warn!(%reason, "the sweep is not on disk yet");
                    sleep(SWEEP_RETRY_DELAY).await;
                }
                journal.swept();
            }
            sweep.catch_up().await;
        };
        self.parts.spawn(async move {
            stop.run_until_cancelled(sweeping).await;
            "sweep"
        });
    }

    pub(super) fn start_dispatcher(&mut self) {
        let trigger = self.trigger.clone();
        self.dispatcher.spawn(async move {
            trigger.dispatch().await;
            "dispatcher"
        });
    }

    /// Gives up soon what the watches say is gone.
    pub(super) fn start_departures(&mut self) {
        let (trigger, stop) = (self.trigger.clone(), self.stop_parts.clone());
        self.parts.spawn(async move {
            stop.run_until_cancelled(trigger.follow_departures()).await;
            "following of departures"
        });
    }

    /// Tells Receivers which of their targets may not be triggered.
    pub(super) fn start_notices(&mut self, table: HookTable) {
        let (trigger, stop) = (self.trigger.clone(), self.stop_parts.clone());
        self.parts.spawn(async move {
            let telling = trigger.tell_denied(&table);
            stop.run_until_cancelled(telling).await;
            "notices of denied targets"
        });
    }

    /// Tells Receivers which delivery last triggered something, unless their status is another's to write.
    pub(super) fn start_last_triggers(&mut self, config: &config::Serving, table: HookTable) {
        if config.status_writes == StatusWrites::Off {
            return;
        }
        let (trigger, stop) = (self.trigger.clone(), self.stop_parts.clone());
        self.parts.spawn(async move {
            let telling = trigger.tell_last_triggers(&table);
            stop.run_until_cancelled(telling).await;
            "notices of last triggers"
        });
    }

    pub(super) fn start_operator(&mut self, listener: Listener, uses: SecretUses) {
        let stop = self.stop_parts.clone();
        let trigger = self.trigger.clone();
        let router = operator_router(trigger, uses, listener.address(), stop.clone());
        self.parts.spawn(async move {
            listener.serve(router, stop).await;
            "operator's listener"
        });
    }

    /// The listener of the gateway as it is exposed: over TLS, whose files are followed, and behind proxies.
    pub(super) fn entrance(
        &mut self,
        listener: Listener,
        config: &config::Serving,
        tls: Option<Tls>,
        metrics: &Metrics,
    ) -> Listener {
        let listener = listener.behind(proxies(config)).counted_by(metrics.clone());
        let Some(tls) = tls else {
            return listener;
        };
        let (stop, following) = (self.stop_parts.clone(), tls.clone().follow_files());
        self.parts.spawn(async move {
            stop.run_until_cancelled(following).await;
            "watch of the files for TLS"
        });
        listener.with_tls(tls)
    }

    pub(super) fn start_gateway(&mut self, listener: Listener, gateway: Gateway) {
        let gate = self.readiness.gate("gateway");
        let stop = self.stop_parts.clone();
        self.parts.spawn(async move {
            gate.open();
            listener.serve(gateway.into_router(), stop).await;
            "gateway"
        });
    }
}
