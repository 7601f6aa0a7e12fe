//! The task behind the history: writes it now and then, and looks for the revisions that came of triggers.
//!
//! It looks at one object at a time, and only with requests that triggers leave over.

use std::time::Duration;

use tokio::{
    select,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{History, NotDurable, Observation};
use crate::trigger::{
    Shared, budget::Budget, failure::Failure, journal::Journal, request::Requests,
};

/// How long a change may stay in memory only.
const WRITE_INTERVAL: Duration = Duration::from_secs(5);
/// How long to wait when the API budget has nothing to spare.
const NO_BUDGET_PAUSE: Duration = Duration::from_secs(1);

/// Follows the deliveries of a history until `stop`, then writes it a last time.
pub(in crate::trigger) async fn follow(shared: &Shared, stop: CancellationToken) {
    let Shared {
        history,
        requests,
        budget,
        journal,
        ..
    } = shared;
    let follow = async {
        tokio::join!(
            keep_written(history, journal),
            keep_looking(history, requests, budget)
        )
    };
    stop.run_until_cancelled(follow).await;
    write(history, journal).await;
}

async fn keep_written(history: &History, journal: &Journal) {
    loop {
        sleep(WRITE_INTERVAL).await;
        write(history, journal).await;
    }
}

async fn write(history: &History, journal: &Journal) {
    let rows = history.lock().book.rows();
    if rows.is_empty() {
        return;
    }
    match journal.keep(rows.clone()).await {
        Ok(()) | Err(NotDurable::Off) => {}
        Err(error) => {
            history.lock().book.not_written(rows);
            tracing::debug!(%error, "the history is in memory only for now");
        }
    }
}

async fn keep_looking(history: &History, requests: &Requests, budget: &Budget) {
    loop {
        let due = history.lock().lookups.due();
        select! {
            () = at(due) => look(history, requests, budget).await,
            () = history.0.lookup.notified() => {}
        }
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Looks at the object that is due.
async fn look(history: &History, requests: &Requests, budget: &Budget) {
    let now = Instant::now();
    if !budget.spare(now) {
        return sleep(NO_BUDGET_PAUSE).await;
    }
    let Some(target) = history.lock().lookups.next(now) else {
        return;
    };
    match requests.object(&target).await {
        Ok(Some(object)) => history.observed(&target, Some(&Observation::of(&object))),
        Err(Failure::Transient { .. }) => {}
        Ok(None) | Err(_) => history.observed(&target, None),
    }
}
