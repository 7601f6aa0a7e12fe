//! From a selection to annotated objects: each target has one patch in flight and one pending mark.
//!
//! Nothing is kept on disk yet, and what failed is for the sender to send again.

mod failure;
pub mod journal;
mod report;
mod request;
mod schedule;
mod targets;

pub use report::{Entry, Outcome, Report, Verdict};
pub use targets::{Targets, WatchScope};

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::task::TaskTracker;

use self::{
    failure::Failure,
    report::Subject,
    request::Requests,
    schedule::{Next, Schedule},
};
use crate::{
    hook::{Selector, Target},
    telemetry::{Metrics, PatchResult},
};

/// How many requests this process has in flight to the API server at once.
const MAX_IN_FLIGHT: usize = 32;
/// How often a patch is sent in one round: once, and once more when that may help.
const MAX_ATTEMPTS: u32 = 2;
/// How long to wait before the second attempt when the API server does not say.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// A longer wait than this is not obeyed: the sender has given up by then.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Annotates targets; clones share the targets' schedules.
#[derive(Clone)]
pub struct Trigger(Arc<Shared>);

struct Shared {
    requests: Requests,
    targets: Targets,
    metrics: Metrics,
    permits: Semaphore,
    tasks: TaskTracker,
    /// Only targets that are not idle.
    slots: Mutex<HashMap<Target, Slot>>,
}

/// One target that is not idle.
struct Slot {
    schedule: Schedule,
    /// When the last of those who wait gives up: nothing is tried again after it.
    deadline: Instant,
    progress: watch::Sender<Progress>,
}

/// How far the patches of one target are.
#[derive(Clone, Debug, Default)]
struct Progress {
    ended_round: u64,
    outcome: Option<Outcome>,
}

impl Trigger {
    /// Makes a trigger that patches with this client, which should not retry by itself.
    #[must_use]
    pub fn new(client: kube::Client, targets: Targets, metrics: Metrics) -> Self {
        Self(Arc::new(Shared {
            requests: Requests::new(client),
            targets,
            metrics,
            permits: Semaphore::new(MAX_IN_FLIGHT),
            tasks: TaskTracker::new(),
            slots: Mutex::default(),
        }))
    }

    /// Annotates everything selected, and reports what is known of it at the deadline.
    ///
    /// The work goes on when the caller stops waiting, and patches in flight are ended even after the deadline.
    pub async fn trigger(&self, selectors: &[Selector], deadline: Instant) -> Report {
        let work = self
            .clone()
            .select_and_annotate(selectors.to_vec(), deadline);
        self.0.tasks.spawn(work).await.unwrap_or_else(|_| {
            let given_up = |selector: &Selector| Entry {
                selector: selector.clone(),
                outcome: Outcome::Unfinished {
                    reason: format!("the work on `{}` was stopped", Subject(selector)),
                    retry_after: None,
                },
            };
            Report {
                entries: selectors.iter().map(given_up).collect(),
            }
        })
    }

    /// Waits until every patch has ended; for shutdown, after the last delivery.
    pub async fn drain(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    async fn select_and_annotate(self, selectors: Vec<Selector>, deadline: Instant) -> Report {
        let seen = Mutex::new(HashSet::new());
        let entries = selectors
            .into_iter()
            .map(|selector| self.annotate_all(selector, &seen, deadline));
        Report {
            entries: join_all(entries).await.into_iter().flatten().collect(),
        }
    }

    async fn annotate_all(
        &self,
        selector: Selector,
        seen: &Mutex<HashSet<Target>>,
        deadline: Instant,
    ) -> Vec<Entry> {
        let targets = self.0.targets.select(&selector, deadline).await;
        let outcome = match targets {
            Ok(targets) if targets.is_empty() => Outcome::NothingSelected,
            Ok(targets) => {
                let first_time = targets.into_iter().filter(|target| claim(seen, target));
                return join_all(first_time.map(|target| self.annotate(target, deadline))).await;
            }
            Err(failure) => failure.into(),
        };
        let entry = Entry { selector, outcome };
        tracing::warn!(%entry, "nothing to trigger");
        vec![entry]
    }

    async fn annotate(&self, target: Target, deadline: Instant) -> Entry {
        let (round, mut progress) = self.request(&target, deadline);
        let ended = progress.wait_for(|progress| progress.ended_round >= round);
        let outcome = match timeout_at(deadline, ended).await {
            Ok(Ok(progress)) => progress.outcome.clone(),
            Ok(Err(_)) | Err(_) => None,
        };
        Entry {
            outcome: outcome.unwrap_or_else(|| Outcome::Unfinished {
                reason: format!("`{target}` was not patched in time"),
                retry_after: None,
            }),
            selector: Selector::Named(target),
        }
    }

    /// Marks a target, starts work on it when it was idle, and says which round to wait for.
    fn request(&self, target: &Target, deadline: Instant) -> (u64, watch::Receiver<Progress>) {
        let mut slots = self.0.slots();
        if let Some(slot) = slots.get_mut(target) {
            slot.deadline = slot.deadline.max(deadline);
            return (slot.schedule.request(), slot.progress.subscribe());
        }
        let mut slot = Slot {
            schedule: Schedule::new(),
            deadline,
            progress: watch::Sender::default(),
        };
        let waiting = (slot.schedule.request(), slot.progress.subscribe());
        slots.insert(target.clone(), slot);
        self.0
            .tasks
            .spawn(self.clone().work_until_idle(target.clone()));
        waiting
    }

    async fn work_until_idle(self, target: Target) {
        let mut due = Some(Instant::now());
        while let Some(at) = due {
            sleep_until(at).await;
            let _permit = self.0.permits.acquire().await;
            self.0.start(&target);
            let started = Instant::now();
            let result = self.0.requests.patch(&target).await;
            self.0.record(&target, &result, started.elapsed());
            due = self.0.end(&target, result);
        }
    }
}

impl Shared {
    fn slots(&self) -> MutexGuard<'_, HashMap<Target, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, target: &Target) {
        if let Some(slot) = self.slots().get_mut(target) {
            slot.schedule.start();
        }
    }

    /// Ends an attempt: says when the next one is due, or forgets the target.
    fn end(&self, target: &Target, result: Result<String, Failure>) -> Option<Instant> {
        let mut slots = self.slots();
        let slot = slots.get_mut(target)?;
        let not_before = Instant::now() + pause_after(&result);
        if slot.is_worth_another_try(&result, not_before) {
            slot.schedule.retry();
            return Some(not_before);
        }
        let (ended_round, next) = slot.schedule.end();
        slot.progress.send_replace(Progress {
            ended_round,
            outcome: Some(match result {
                Ok(requested_at) => Outcome::Done { requested_at },
                Err(failure) => failure.into(),
            }),
        });
        match next {
            Next::Due => Some(not_before),
            Next::Idle => {
                slots.remove(target);
                None
            }
        }
    }

    fn record(&self, target: &Target, result: &Result<String, Failure>, took: Duration) {
        let counted = match result {
            Ok(requested_at) => {
                tracing::info!(object = %target, requested_at, "triggered");
                PatchResult::Done
            }
            Err(Failure::Refused { reason }) => {
                tracing::warn!(object = %target, reason, "cannot be triggered");
                PatchResult::Refused
            }
            Err(Failure::Transient { reason, .. }) => {
                tracing::warn!(object = %target, reason, "not triggered this time");
                PatchResult::Failed
            }
        };
        self.metrics.trigger_patch(counted, took);
    }
}

impl Slot {
    fn is_worth_another_try(&self, result: &Result<String, Failure>, at: Instant) -> bool {
        matches!(result, Err(Failure::Transient { .. }))
            && self.schedule.attempts() < MAX_ATTEMPTS
            && at < self.deadline
    }
}

impl fmt::Debug for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trigger")
    }
}

fn pause_after<T>(result: &Result<T, Failure>) -> Duration {
    match result {
        Ok(_) | Err(Failure::Refused { .. }) => Duration::ZERO,
        Err(Failure::Transient { retry_after, .. }) => {
            retry_after.unwrap_or(RETRY_PAUSE).min(MAX_PAUSE)
        }
    }
}

/// Whether this is the first selection of the delivery that names the target.
fn claim(seen: &Mutex<HashSet<Target>>, target: &Target) -> bool {
    seen.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(target.clone())
}

#[cfg(test)]
mod tests;
