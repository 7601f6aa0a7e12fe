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

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use kube::{Api, ResourceExt, runtime::wait::await_condition};
    use serde_json::json;
    use tokio::time::timeout;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        api::{annotations::REQUESTED_AT, git_repository::GitRepository},
        hook::{Closed, Entry, Listing},
        telemetry::Metrics,
        trigger::{
            Targets, WatchScope,
            journal::Journal,
            tests::{
                embedded::{cluster, publish, refusing, repositories},
                plenty,
            },
        },
    };

    async fn triggered(repositories: Api<GitRepository>, name: &str) {
        let is_triggered = |object: Option<&GitRepository>| {
            object.is_some_and(|object| object.annotations().contains_key(REQUESTED_AT))
        };
        let triggered = await_condition(repositories, name, is_triggered);
        timeout(Duration::from_mins(10), triggered)
            .await
            .expect("in time")
            .unwrap();
    }

    fn shut(table: &HookTable, name: &str, shut: impl Fn(&Listing) -> Listing) {
        let receiver = ReceiverRef {
            namespace: "default".to_owned(),
            name: name.to_owned(),
        };
        let listing = table.listing(&receiver).unwrap();
        table.publish(&receiver, &shut(&listing));
    }

    /// Time that passes while the control plane works counts for nothing here: whatever is late is swept later.
    #[tokio::test(start_paused = true)]
    async fn everything_is_swept_that_is_not_suspended_and_what_is_forbidden_later() {
        let cluster = cluster().await;
        let forbids = Arc::new(AtomicBool::new(true));
        let forbidding = Arc::clone(&forbids);
        let client = refusing(cluster.clone(), move |request| {
            let is_list = request.uri().path().ends_with("/gitrepositories");
            (is_list && forbidding.load(Ordering::SeqCst)).then_some(403)
        });
        let table = HookTable::default();
        let named = json!([{"kind": "GitRepository", "name": "web"}]);
        publish(&table, "tokenless", &named);
        shut(&table, "tokenless", |listing| Listing {
            paths: Vec::new(),
            entry: Entry::Pathless(Arc::clone(listing.entry.hook().unwrap())),
            ..listing.clone()
        });
        let missing = json!([{"kind": "GitRepository", "name": "missing"}]);
        publish(&table, "suspended", &missing);
        shut(&table, "suspended", |listing| Listing {
            entry: Entry::Closed(Closed::Suspended),
            ..listing.clone()
        });
        let labelled =
            json!([{"kind": "GitRepository", "name": "*", "matchLabels": {"app": "shop"}}]);
        publish(&table, "labelled", &labelled);
        let targets = Targets::new(client.clone(), table.clone(), WatchScope::Cluster);
        tokio::spawn(targets.clone().run(CancellationToken::new()));
        let folder = tempfile::tempdir().unwrap();
        let opened = Journal::open(folder.path()).unwrap();
        let trigger = Trigger::new(client, targets, opened, plenty(), Metrics::new());
        let dispatching = trigger.clone();
        tokio::spawn(async move { dispatching.dispatch().await });
        let sweep = Sweep::new(trigger, table);
        sweep.run().await.unwrap();
        triggered(repositories(&cluster), "web").await;
        let owed: Vec<_> = sweep
            .owed()
            .iter()
            .map(|(owed, _)| owed.name.clone())
            .collect();
        assert_eq!(owed, ["labelled"]);
        forbids.store(false, Ordering::SeqCst);
        tokio::select! {
            () = triggered(repositories(&cluster), "api") => {}
            () = sweep.catch_up() => panic!("it goes on for ever"),
        }
    }
}
