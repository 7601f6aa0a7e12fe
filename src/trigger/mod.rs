//! From a selection to annotated objects, such that nothing that was accepted is lost.
//!
//! What is pending is a set of targets, kept in the journal; one task sends the patches, within an API budget.

mod audit;
mod budget;
mod claim;
mod denied;
mod departure;
mod dispatch;
mod failure;
pub mod history;
pub mod journal;
mod last_triggers;
mod once;
mod presence;
mod queue;
mod report;
mod request;
mod sweep;
mod targets;

pub use audit::{Audit, AuditError, AuditSink};
pub use budget::Budget;
pub use once::{Claimed, Once};
pub use presence::{Presence, PresenceSettings};
pub use report::{Entry, Outcome, Report, Subject, Verdict};
pub use sweep::Sweep;
pub use targets::{Targets, WatchScope};

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};

use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use self::{
    claim::Claim,
    denied::Denied,
    failure::Failure,
    history::{Delivery, History},
    journal::{Journal, Mark, NotDurable, Opened},
    last_triggers::LastTriggers,
    once::UnderWay,
    queue::{Claimant, Now, Priority, Queue, Start},
    request::Requests,
};
use crate::{
    api::rate::Rate,
    hook::{HookTable, MessageDigest, ReceiverRef, Selector, Target},
    telemetry::{Metrics, TriggerLoad},
};

/// How long an answer waits for a patch when it need not, because a mark is on disk or soon will be.
const PATIENCE: Duration = Duration::from_millis(250);

/// Stands in a mark for the id of a delivery when there was none.
const SWEEP: &str = "";

/// What one delivery asks for.
#[derive(Clone, Copy, Debug)]
pub struct Order<'d> {
    /// Whose delivery it is.
    pub receiver: &'d ReceiverRef,
    /// Its id.
    pub delivery: &'d str,
    /// What it selects.
    pub selectors: &'d [Selector],
    /// How often deliveries of this Receiver trigger targets; what is above it waits. Nothing holds up an operator.
    pub rate: Option<Rate>,
}

/// Annotates targets; clones share what is pending.
#[derive(Clone)]
pub struct Trigger(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue<oneshot::Sender<Outcome>>>,
    /// Something may be due earlier than the dispatcher knows.
    changed: Notify,
    requests: Requests,
    targets: Targets,
    journal: Journal,
    history: History,
    under_way: UnderWay,
    budget: Budget,
    denied: Denied,
    last_triggers: LastTriggers,
    audit: OnceLock<Audit>,
    metrics: Metrics,
    ending: CancellationToken,
}

impl Trigger {
    /// Makes a trigger that takes over what a journal holds; nothing is sent before [`Trigger::dispatch`] runs.
    ///
    /// The client should neither retry by itself nor draw from the budget.
    #[must_use]
    pub fn new(
        client: kube::Client,
        targets: Targets,
        opened: Opened,
        budget: Budget,
        metrics: Metrics,
    ) -> Self {
        let pending: HashSet<_> = opened.marks.iter().map(|(target, _)| target).collect();
        let history = History::load(opened.history, |target| pending.contains(target));
        let mut queue = Queue::new();
        for (target, mark) in opened.marks {
            let priority = if mark.delivery == SWEEP {
                Priority::Sweep
            } else {
                Priority::Delivery
            };
            queue.restore(target, mark.requested_at, priority, now());
        }
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            changed: Notify::new(),
            requests: Requests::new(client),
            targets,
            journal: opened.journal,
            history,
            under_way: UnderWay::default(),
            budget,
            denied: Denied::default(),
            last_triggers: LastTriggers::default(),
            audit: OnceLock::new(),
            metrics,
            ending: CancellationToken::new(),
        });
        let observed = Arc::downgrade(&shared);
        shared.metrics.observe_trigger(move || load(&observed));
        Self(shared)
    }

    /// Marks everything selected, and reports what is known of it when the sender need not wait any longer.
    ///
    /// Each target is annotated after this call or is still being worked on; only `Unfinished` ones may be lost.
    pub async fn accept(&self, order: Order<'_>, deadline: Instant) -> Report {
        if let [Selector::Named(target)] = order.selectors {
            let claim = self.claim(target, &order, deadline);
            return Report {
                is_above_rate: claim.is_above_rate(),
                entries: vec![claim.settle(&self.0, deadline).await],
            };
        }
        self.accept_many(&order, deadline).await
    }

    /// The objects that a selector selects, each with its metadata in JSON; an entry that says why when there are none.
    pub async fn candidates(
        &self,
        selector: &Selector,
        deadline: Instant,
    ) -> Result<Vec<(Target, Arc<str>)>, Entry> {
        let found = self.0.targets.candidates(selector, deadline).await;
        match nothing_selected(selector, &found) {
            Some(entry) => Err(entry),
            None => Ok(found.unwrap_or_default()),
        }
    }

    /// Marks targets that may have missed a delivery; they are annotated when no delivery waits. Returns when all are on disk.
    pub async fn sweep(
        &self,
        targets: impl IntoIterator<Item = (Target, ReceiverRef)>,
    ) -> Result<(), NotDurable> {
        let mark = |(target, receiver): (Target, ReceiverRef)| {
            let mut queue = self.0.queue();
            let acceptance = queue.accept(&target, Claimant::sweep(), now());
            let mark = Mark {
                requested_at: acceptance.stamp,
                receiver,
                delivery: SWEEP.to_owned(),
            };
            let written = (!acceptance.is_durable).then(|| self.0.journal.mark(&target, mark));
            drop(queue);
            async move {
                if let Some(written) = written {
                    written.await?;
                    let mut queue = self.0.queue();
                    queue.written(&acceptance.target, acceptance.stamp);
                }
                Ok(())
            }
        };
        let marks: Vec<_> = targets.into_iter().map(mark).collect();
        self.0.changed.notify_one();
        try_join_all(marks).await.map(drop)
    }

    /// Sends what is due, until the trigger is told to end, what can be done soon is done, and the journal is written.
    pub async fn dispatch(&self) {
        let ended = CancellationToken::new();
        let dispatch = async {
            dispatch::run(&self.0).await;
            ended.cancel();
        };
        tokio::join!(dispatch, history::follow(&self.0, ended.clone()));
        if let Err(failure) = self.0.journal.flush().await {
            tracing::warn!(reason = %failure, "what was cleared last may be triggered again after the next start");
        }
    }

    /// Tells the Receivers in `table` which of their targets may not be triggered, for ever.
    pub async fn tell_denied(&self, table: &HookTable) {
        denied::run(&self.0, table).await;
    }

    /// Tells the Receivers in `table` which delivery last triggered something, for ever.
    pub async fn tell_last_triggers(&self, table: &HookTable) {
        last_triggers::run(&self.0, table).await;
    }

    /// Tries targets at once that wait after a failure and that the watches say are gone, for ever.
    pub async fn follow_departures(&self) {
        departure::run(&self.0).await;
    }

    /// Whether nothing is pending.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.0.queue().load(Instant::now()).pending == 0
    }

    /// Writes what is recorded from now on to an audit record too; there is no second one.
    pub fn keep_audit(&self, audit: Audit) {
        let _ = self.0.audit.set(audit);
    }

    /// Keeps a delivery and what became of it for the operator; gives it a number in the history, and says which.
    #[must_use]
    pub fn record(&self, delivery: Delivery, report: &Report) -> u64 {
        if let Some(audit) = self.0.audit.get() {
            audit.record(&delivery, report);
        }
        self.0.last_triggers.note(&delivery, report);
        self.0.history.record(delivery, report)
    }

    /// What became of the last deliveries.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.0.history
    }

    /// Whether the Receiver has had a delivery of this id lately; from now on it has.
    #[must_use]
    pub fn recognise(&self, receiver: &ReceiverRef, delivery: &str) -> bool {
        self.0.journal.recognise(receiver, delivery)
    }

    /// Lets one of all deliveries go on that bring what was signed only once, if it was not there before.
    pub async fn once(
        &self,
        receiver: &ReceiverRef,
        message: &MessageDigest,
        deadline: Instant,
    ) -> Once {
        let Shared {
            under_way, journal, ..
        } = &*self.0;
        under_way.once(journal, receiver, message, deadline).await
    }

    /// Tells the dispatcher to end; what it leaves stays in the journal.
    pub fn end(&self) {
        self.0.ending.cancel();
    }

    /// Named targets first, since they need no answer of the API server.
    async fn accept_many(&self, order: &Order<'_>, deadline: Instant) -> Report {
        let mut seen = HashSet::new();
        let (mut claims, mut entries) = (Vec::new(), Vec::new());
        let mut selected = Vec::new();
        for (index, selector) in order.selectors.iter().enumerate() {
            match selector {
                Selector::Named(target) if !seen.contains(target) => {
                    seen.insert(target.clone());
                    claims.push((index, self.claim(target, order, deadline)));
                }
                Selector::Named(_) => {}
                Selector::Labelled { .. } => {
                    selected.push(async move {
                        (
                            index,
                            selector,
                            self.0.targets.select(selector, deadline).await,
                        )
                    });
                }
            }
        }
        for (index, selector, targets) in join_all(selected).await {
            match nothing_selected(selector, &targets) {
                Some(entry) => entries.push((index, entry)),
                None => {
                    for target in targets.into_iter().flatten() {
                        if !seen.contains(&target) {
                            claims.push((index, self.claim(&target, order, deadline)));
                            seen.insert(target);
                        }
                    }
                }
            }
        }
        let is_above_rate = claims.iter().any(|(_, claim)| claim.is_above_rate());
        let settled = claims
            .into_iter()
            .map(async |(index, claim)| (index, claim.settle(&self.0, deadline).await));
        entries.extend(join_all(settled).await);
        entries.sort_by_key(|(index, _)| *index);
        Report {
            entries: entries.into_iter().map(|(_, entry)| entry).collect(),
            is_above_rate,
        }
    }

    /// Marks one target, in the queue and, unless that is done, in the journal.
    fn claim(&self, target: &Target, order: &Order<'_>, deadline: Instant) -> Claim {
        let now = now();
        // The journal is told under the lock, so that a mark never comes after its clearing.
        let mut queue = self.0.queue();
        let claimant = Claimant::sender(order.receiver, order.rate);
        let acceptance = queue.accept(target, claimant, now);
        let is_prompt = acceptance.start == Start::Now;
        if acceptance.is_durable && !is_prompt {
            return Claim::settled(acceptance);
        }
        let (tell, told) = oneshot::channel();
        queue.wait(&acceptance, deadline, now.instant, tell);
        let mark = || Mark {
            requested_at: acceptance.stamp,
            receiver: order.receiver.clone(),
            delivery: order.delivery.to_owned(),
        };
        let written = (!acceptance.is_durable).then(|| self.0.journal.mark(target, mark()));
        drop(queue);
        if acceptance.is_news {
            self.0.changed.notify_one();
        }
        let patience = is_prompt.then(|| now.instant + PATIENCE);
        Claim::open(acceptance, told, written, patience)
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue<oneshot::Sender<Outcome>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trigger")
    }
}

fn now() -> Now {
    Now {
        instant: Instant::now(),
        date: Timestamp::now(),
    }
}

/// The entry of a selection that gives no target, and why.
fn nothing_selected<T>(selector: &Selector, targets: &Result<Vec<T>, Failure>) -> Option<Entry> {
    let outcome = match targets {
        Ok(targets) if !targets.is_empty() => return None,
        Ok(_) => Outcome::NothingSelected,
        Err(failure) => failure.clone().into(),
    };
    let entry = Entry {
        subject: Subject::Selection(selector.clone()),
        outcome,
    };
    tracing::warn!(%entry, "nothing to trigger");
    Some(entry)
}

/// What the metrics show; nothing once the trigger is gone.
fn load(shared: &Weak<Shared>) -> TriggerLoad {
    let Some(shared) = shared.upgrade() else {
        return TriggerLoad::default();
    };
    let now = Instant::now();
    let load = shared.queue().load(now);
    TriggerLoad {
        pending: load.pending,
        oldest: load.oldest.map_or(Duration::ZERO, |oldest| now - oldest),
        above_rate: load.above_rate,
        budget: shared.budget.tokens(now),
    }
}

#[cfg(test)]
mod tests;
