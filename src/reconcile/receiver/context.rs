//! What the steps share: the client, the table, the roster, and whether this replica may write.
//!
//! Each method is one step with its bookkeeping; the rules are in the step's own file.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::channel::mpsc;
use jiff::Timestamp;
use kube::{
    Client, Resource,
    api::ObjectMeta,
    runtime::{controller::Action, watcher::Event},
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    ReceiverOptions, ReceiverStatusWriting,
    act::{Standing, act, shadowed},
    decide::{Decision, Outcome, stored},
    load::{Reading, load},
    record::Record,
    roster::Roster,
    watch::Guarded,
};
use crate::{
    api::{annotations::LAST_TRIGGER, duration, last_trigger::LastTrigger},
    hook::{HookTable, ReceiverRef},
    reconcile::cause::cause,
    telemetry::Metrics,
};

/// How long Secrets may take to be read before a Receiver is served without: most are read by then, and an outage that
/// comes now does no harm.
const PATIENCE: Duration = Duration::from_secs(1);
/// A connection that hangs must not hold a Receiver for ever.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// A set of secrets is taken out when its end is surely over; what it proves ends on time without that.
const AFTER_AN_END: Duration = Duration::from_millis(10);
const DEFAULT_INTERVAL: duration::Duration = duration::Duration::new(Duration::from_mins(10));

/// What the steps share.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) table: HookTable,
    pub(super) metrics: Metrics,
    pub(super) leading: watch::Receiver<bool>,
    pub(super) options: ReceiverOptions,
    pub(super) roster: Mutex<Roster>,
    /// Whether the first list was received.
    pub(super) is_listed: watch::Sender<bool>,
    pub(super) synced: watch::Sender<bool>,
    /// Receivers that are due because of what happened to another one.
    pub(super) nudge: mpsc::UnboundedSender<ReceiverRef>,
}

impl Context {
    pub(super) fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the roster and the table up to date with what is watched; says which Receivers are due.
    pub(super) fn follow(&self, event: &Event<Guarded>) -> Vec<ReceiverRef> {
        if let Event::InitApply(object) | Event::Apply(object) = event {
            let last = last_trigger(object.meta());
            let receiver = ReceiverRef::of(object.meta());
            self.table.hear_last_trigger(&receiver, last);
        }
        let mut roster = self.roster();
        let (due, gone) = match event {
            Event::Init => {
                roster.begin_list();
                return Vec::new();
            }
            Event::InitApply(object) => {
                let policy = self.options.policy;
                roster.list(object.meta(), || stored(object, policy));
                return Vec::new();
            }
            Event::InitDone => {
                let listed = roster.end_list();
                for (receiver, listing) in &listed.stored {
                    self.table.publish(receiver, listing);
                }
                self.is_listed.send_replace(true);
                (listed.changed, listed.gone)
            }
            Event::Apply(object) if roster.apply(object.meta()) => {
                (vec![ReceiverRef::of(object.meta())], vec![])
            }
            Event::Apply(_) => return Vec::new(),
            Event::Delete(object) => (vec![], vec![ReceiverRef::of(object.meta())]),
        };
        for receiver in &gone {
            roster.remove(receiver);
            let (_, affected) = act(&self.table, receiver, None);
            self.nudge(affected);
            let ReceiverRef { namespace, name } = receiver;
            self.metrics.forget_receiver(namespace, name);
        }
        self.publish_sync(&mut roster);
        due
    }

    /// Waits a moment after the first list, and then no longer for Secrets of Receivers that can be served without.
    pub(super) async fn believe(&self) {
        // The other end lives as long as this.
        let _ = self.is_listed.subscribe().wait_for(|listed| *listed).await;
        sleep(PATIENCE).await;
        let mut roster = self.roster();
        roster.believe();
        self.publish_sync(&mut roster);
    }

    pub(super) async fn load(&self, object: &Guarded) -> Reading {
        match &object.0 {
            Ok(receiver) if receiver.metadata.deletion_timestamp.is_none() => {
                timeout(STEP_TIMEOUT, load(&self.client, receiver))
                    .await
                    .unwrap_or_else(|_| Reading::Unreadable {
                        message: "the API server did not answer in time".to_owned(),
                    })
            }
            _ => Reading::NotNamed,
        }
    }

    /// Acts unless the Receiver is gone meanwhile, so that no hook outlives its Receiver.
    pub(super) fn act(&self, receiver: &ReceiverRef, decision: &mut Decision) -> Option<Standing> {
        let mut roster = self.roster();
        if !roster.contains(receiver) {
            return None;
        }
        let (standing, affected) = act(&self.table, receiver, decision.listing.as_ref());
        if let Outcome::Ready { set_problems, .. } = &mut decision.outcome {
            set_problems.extend(shadowed(&self.table, receiver));
        }
        roster.remember(receiver, decision.remembered.clone());
        if roster.note(receiver, &decision.outcome) {
            tell(receiver, &decision.outcome);
        }
        roster.settle(receiver);
        self.publish_sync(&mut roster);
        self.nudge(affected);
        Some(standing)
    }

    /// Records while this replica leads; says whether it went well.
    pub(super) async fn record(
        &self,
        object: &Guarded,
        decision: &Decision,
        standing: &Standing,
    ) -> bool {
        let mut leading = self.leading.clone();
        if self.options.status == ReceiverStatusWriting::Off || !*leading.borrow() {
            return true;
        }
        let record = Record {
            object,
            outcome: &decision.outcome,
            refusals: decision.refusals(),
            standing,
            interval: interval(object),
        };
        let written = tokio::select! {
            biased;
            Ok(_) = leading.wait_for(|leading| !leading) => return true,
            written = timeout(STEP_TIMEOUT, record.write(&self.client)) => written,
        };
        let receiver = ReceiverRef::of(object.meta());
        match written {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => {
                tracing::warn!(%receiver, error = cause(&error), "the status could not be written");
            }
            Err(_) => tracing::warn!(%receiver, "the status could not be written in time"),
        }
        false
    }

    pub(super) fn next(
        &self,
        object: &Guarded,
        decision: &Decision,
        is_recorded: bool,
        now: Timestamp,
    ) -> Action {
        let end = decision.next_end(now).map(|end| {
            let left = now.duration_until(end).unsigned_abs();
            left.saturating_add(AFTER_AN_END)
        });
        let delay = self.next_run(object, &decision.outcome, is_recorded);
        let next = delay.into_iter().chain(end).min();
        next.map_or_else(Action::await_change, Action::requeue)
    }

    fn next_run(&self, object: &Guarded, outcome: &Outcome, is_recorded: bool) -> Option<Duration> {
        let receiver = ReceiverRef::of(object.meta());
        let mut roster = self.roster();
        let is_worth_a_retry = match outcome {
            Outcome::TokenNotFound { .. } => true,
            Outcome::Ready { doubt, .. } => doubt.is_some(),
            Outcome::Deleting | Outcome::Suspended | Outcome::Stalled { .. } => false,
        };
        if is_worth_a_retry || !is_recorded {
            let (min, max) = (self.options.min_retry_delay, self.options.max_retry_delay);
            return Some(roster.fail(&receiver, min, max));
        }
        roster.succeed(&receiver);
        outcome.due_after(interval(object).get())
    }

    fn publish_sync(&self, roster: &mut Roster) {
        if roster.is_synced() && !self.synced.send_replace(true) {
            tracing::info!(receivers = self.table.len(), "the table of hooks is filled");
        }
    }

    fn nudge(&self, receivers: Vec<ReceiverRef>) {
        for receiver in receivers {
            // The other end is gone at shutdown only, when nothing is due any more.
            let _ = self.nudge.unbounded_send(receiver);
        }
    }
}

fn interval(object: &Guarded) -> duration::Duration {
    let receiver = object.0.as_ref().ok();
    receiver
        .and_then(|receiver| receiver.spec.interval)
        .unwrap_or(DEFAULT_INTERVAL)
}

/// What a gateway, this one or another, says of the last trigger.
fn last_trigger(metadata: &ObjectMeta) -> Option<LastTrigger> {
    let annotations = metadata.annotations.as_ref()?;
    LastTrigger::parse(annotations.get(LAST_TRIGGER)?)
}

/// Logs what became of a Receiver, without its path.
fn tell(receiver: &ReceiverRef, outcome: &Outcome) {
    match outcome {
        Outcome::Deleting => tracing::info!(%receiver, "the Receiver is being deleted"),
        Outcome::Suspended => tracing::info!(%receiver, "the Receiver is suspended"),
        Outcome::Ready {
            doubt,
            set_problems,
            ..
        } => {
            match doubt {
                None => tracing::info!(%receiver, "the Receiver is ready"),
                Some(doubt) => {
                    tracing::warn!(%receiver, doubt, "the Receiver goes on with the token read before");
                }
            }
            for problem in set_problems {
                tracing::warn!(%receiver, %problem, "some live secrets cannot be used");
            }
        }
        Outcome::Stalled { problems, .. } => {
            tracing::warn!(%receiver, problems, "the Receiver is invalid");
        }
        Outcome::TokenNotFound { message, .. } => {
            tracing::warn!(%receiver, reason = message, "the Receiver has no token");
        }
    }
}
