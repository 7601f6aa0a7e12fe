//! Looks for the hook of a path that nobody knows, in Secrets whose changes are not watched.
//!
//! A new token makes a new path, and of a Secret without the watch label the controller would learn only at the
//! interval. A stranger's paths cause reads too, so their number is bounded for the whole process, whatever comes in.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use tokio::{
    sync::{Mutex, Semaphore},
    time::{Instant, timeout},
};
use uuid::Uuid;

use super::{reads::Reads, reread::SecretReader};
use crate::hook::{HookPath, HookTable, ReceiverRef};

/// The time in which one read is earned, a tenth of what the API budget is by default.
const INTERVAL: Duration = Duration::from_millis(200);
/// How many of them can be saved up: the most Secrets that one search can read.
const BURST: u32 = 100;
/// How many Secrets are read at once.
const CONCURRENCY: usize = 8;
/// How many deliveries may wait for a search; to others their path stays unknown.
const MAX_WAITING: usize = 256;
/// How long a delivery may wait, which leaves its sender enough patience for the rest.
const DEADLINE: Duration = Duration::from_secs(1);

pub(super) struct Search {
    table: HookTable,
    waiting: Semaphore,
    progress: Mutex<Progress>,
}

struct Progress {
    reads: Reads,
    /// The last Receiver whose Secret was read; the next search goes on after it.
    last: Option<ReceiverRef>,
}

impl Search {
    pub(super) fn new(table: HookTable) -> Self {
        let progress = Progress {
            reads: Reads::new(INTERVAL, BURST),
            last: None,
        };
        Self {
            table,
            waiting: Semaphore::new(MAX_WAITING),
            progress: Mutex::new(progress),
        }
    }

    /// Reads Secrets that may have changed unseen, until `path` leads somewhere or none is left to read for now.
    pub(super) async fn look_for(&self, path: &str, secrets: &SecretReader) {
        let (Some(_), Ok(_waiting)) = (HookPath::parse(path), self.waiting.try_acquire()) else {
            return;
        };
        // What was read in time is in the table, and the next search goes on from there.
        let _ = timeout(DEADLINE, self.read(path, secrets)).await;
    }

    /// A path to look for in vain, where nobody may know that another leads somewhere.
    pub(super) fn path_of_nobody() -> String {
        let half = || Uuid::new_v4().simple();
        format!("/hook/{}{}", half(), half())
    }

    async fn read(&self, path: &str, secrets: &SecretReader) {
        let is_found = || self.table.locate(path, Timestamp::now()).is_some();
        let mut progress = self.progress.lock().await;
        if is_found() {
            return;
        }
        let allowed = progress.reads.take(Instant::now(), BURST);
        if allowed == 0 {
            return;
        }
        let hooks = self.table.unwatched(progress.last.as_ref(), allowed);
        // To look which Secrets there are costs something too.
        let spent = u32::try_from(hooks.len()).map_or(allowed, |read| read.max(1));
        progress.reads.give_back(allowed - spent);
        if let Some(last) = hooks.last() {
            progress.last = Some(last.receiver().clone());
        }
        let mut reading = stream::iter(hooks)
            .map(|hook| async move { secrets.refresh(&hook).await })
            .buffer_unordered(CONCURRENCY);
        while let Some(is_changed) = reading.next().await {
            if is_changed && is_found() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
