//! Tells Receivers, in an annotation, which delivery last triggered something.
//!
//! It comes last in line: it leaves only with requests that everything else leaves over, and nothing waits for it.

mod news;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    select,
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use self::news::News;
use super::{
    Shared,
    failure::Failure,
    history::Delivery,
    report::{Outcome, Report},
};
use crate::{api::last_trigger::LastTrigger, hook::HookTable};

/// How long to wait when something else is due, or the API budget has nothing to spare.
const PAUSE: Duration = Duration::from_secs(1);

/// The last delivery of each Receiver that triggered something, until it is told.
#[derive(Debug, Default)]
pub(super) struct LastTriggers {
    noted: Notify,
    news: Mutex<News>,
}

impl LastTriggers {
    /// Takes note of a delivery, provided that it triggered something.
    pub(super) fn note(&self, delivery: &Delivery, report: &Report) {
        let is_triggered = report
            .entries
            .iter()
            .any(|entry| matches!(entry.outcome, Outcome::Done { .. } | Outcome::Pending));
        if !is_triggered {
            return;
        }
        let last = LastTrigger::new(delivery.received_at, &delivery.delivery, &delivery.event);
        if self.news().note(&delivery.receiver, last, Instant::now()) {
            self.noted.notify_one();
        }
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the Receivers in `table`, for ever.
pub(super) async fn run(shared: &Shared, table: &HookTable) {
    let last_triggers = &shared.last_triggers;
    loop {
        let due = last_triggers.news().due();
        select! {
            () = at(due) => tell(shared, table).await,
            () = last_triggers.noted.notified() => {}
        }
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Tells the one that is due, if there is nothing better to do.
async fn tell(shared: &Shared, table: &HookTable) {
    let now = Instant::now();
    if !shared.queue().is_idle(now) || !shared.budget.spare(now) {
        return sleep(PAUSE).await;
    }
    let heard = |receiver: &_| table.last_trigger(receiver);
    let Some((receiver, last)) = shared.last_triggers.news().next(now, heard) else {
        return;
    };
    let Some(annotation) = last.annotation() else {
        return;
    };
    match shared.requests.tell_last(&receiver, &annotation).await {
        Ok(()) => tracing::debug!(%receiver, "told the last trigger"),
        Err(Failure::Transient { reason, .. }) => {
            tracing::debug!(%receiver, reason, "could not tell the last trigger this time");
            shared.last_triggers.news().again(&receiver, last);
        }
        Err(failure) => {
            tracing::debug!(%receiver, reason = failure.reason(), "could not tell the last trigger");
        }
    }
}

#[cfg(test)]
mod tests;
