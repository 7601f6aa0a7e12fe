//! The sweep: every target of every Receiver is triggered once, because some accepted delivery may have been lost.
//!
//! It comes behind all deliveries and within the budget; what it cannot select yet is tried again until it can.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::{NotDurable, Trigger, failure::Failure};
use crate::hook::{HookTable, ReceiverRef, Selector};

/// How long a sweep waits for the first list of a kind.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long until it is tried again to select what could not be selected.
const RETRY_DELAY: Duration = Duration::from_secs(30);

/// Sweeps, and remembers what it still owes.
#[derive(Debug)]
pub struct Sweep {
    trigger: Trigger,
    table: HookTable,
    owed: Mutex<Vec<Owed>>,
    owes: Notify,
}

/// A selection that could not be made.
type Owed = (ReceiverRef, Selector);

impl Sweep {
    /// Makes a sweep of what the hooks in `table` select, also of those whose token is not known.
    #[must_use]
    pub fn new(trigger: Trigger, table: HookTable) -> Self {
        Self {
            trigger,
            table,
            owed: Mutex::default(),
            owes: Notify::new(),
        }
    }

    /// Marks every target once; returns when the marks are on disk, and [`Sweep::catch_up`] knows of the rest.
    pub async fn run(&self) -> Result<(), NotDurable> {
        let mut all = Vec::new();
        for (hook, _) in self.table.hooks() {
            let selectors = hook.selection().selectors.iter();
            all.extend(selectors.map(|selector| (hook.receiver().clone(), selector.clone())));
        }
        let count = self.mark(all).await?;
        tracing::info!(targets = count, "everything is triggered once");
        Ok(())
    }

    /// Tries again, for ever, to mark what could not be selected.
    pub async fn catch_up(&self) {
        loop {
            self.owes.notified().await;
            sleep(RETRY_DELAY).await;
            let owed = std::mem::take(&mut *self.owed());
            if let Err(reason) = self.mark(owed.clone()).await {
                tracing::warn!(%reason, "the rest of a sweep waits");
                self.owe(owed);
            }
        }
    }

    /// Marks what is selected, each target once; says how many there are.
    async fn mark(&self, selections: Vec<Owed>) -> Result<usize, NotDurable> {
        let deadline = Instant::now() + PATIENCE;
        let selecting = selections.into_iter().map(async |(receiver, selector)| {
            let targets = self.trigger.0.targets.select(&selector, deadline).await;
            (receiver, selector, targets)
        });
        let (mut seen, mut marks, mut owed) = (HashSet::new(), Vec::new(), Vec::new());
        for (receiver, selector, targets) in join_all(selecting).await {
            match targets {
                Ok(targets) => {
                    let fresh = targets
                        .into_iter()
                        .filter(|target| seen.insert(target.clone()));
                    marks.extend(fresh.map(|target| (target, receiver.clone())));
                }
                Err(Failure::Refused { reason }) => {
                    tracing::warn!(%receiver, reason, "not part of the sweep");
                }
                Err(failure) => {
                    tracing::warn!(%receiver, reason = failure.reason(), "swept later");
                    owed.push((receiver, selector));
                }
            }
        }
        self.trigger.sweep(marks).await?;
        self.owe(owed);
        Ok(seen.len())
    }

    fn owe(&self, owed: Vec<Owed>) {
        if !owed.is_empty() {
            self.owed().extend(owed);
            self.owes.notify_one();
        }
    }

    fn owed(&self) -> std::sync::MutexGuard<'_, Vec<Owed>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
