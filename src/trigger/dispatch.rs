//! The one task that sends patches: takes what is due, within the budget, and feeds the answers back.
//!
//! It decides nothing; what is due and what an answer means is the queue's business.

use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::{
    select,
    time::{Instant, sleep_until},
};

use super::{
    Outcome, Shared,
    failure::Failure,
    now,
    queue::{Attempt, Next},
    request,
};
use crate::telemetry::PatchResult;

/// How long the end may take: patches in flight, and what is due and can be sent.
const ENDING: Duration = Duration::from_secs(10);

/// What the dispatcher does next.
enum Step {
    Send(Attempt),
    /// Wait for a change, or until then.
    Wait(Option<Instant>),
}

/// Sends until the trigger ends.
pub(super) async fn run(shared: &Shared) {
    let mut in_flight = FuturesUnordered::new();
    let mut give_up = None;
    loop {
        match step(shared) {
            Step::Send(attempt) => in_flight.push(send(shared, attempt)),
            Step::Wait(_) if give_up.is_some() && shared.queue().is_settled() => return,
            Step::Wait(until) => {
                let is_ending = give_up.is_some();
                select! {
                    Some(()) = in_flight.next() => {}
                    () = shared.changed.notified() => {}
                    () = at(until) => {}
                    () = at(give_up), if is_ending => return,
                    () = shared.ending.cancelled(), if !is_ending => {
                        give_up = Some(Instant::now() + ENDING);
                    }
                }
            }
        }
    }
}

fn step(shared: &Shared) -> Step {
    let now = now();
    let mut queue = shared.queue();
    match queue.next(now.instant) {
        Next::Send => match shared.budget.take(now.instant) {
            Ok(()) => queue
                .start(now)
                .map_or(Step::Wait(Some(now.instant)), Step::Send),
            Err(turn) => {
                queue.starve(turn);
                Step::Wait(Some(turn))
            }
        },
        Next::At(instant) => Step::Wait(Some(instant)),
        Next::Nothing => Step::Wait(None),
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Sends one patch and tells everybody what came of it.
async fn send(shared: &Shared, attempt: Attempt) {
    let started = Instant::now();
    let result = shared.requests.patch(&attempt.target, attempt.sent).await;
    let ended_at = Instant::now();
    record(shared, &attempt, &result, ended_at - started);
    let ended = {
        let mut queue = shared.queue();
        let ended = queue.finish(&attempt, &result, ended_at, jitter());
        if ended.is_cleared {
            shared.journal.clear(&attempt.target, attempt.sent);
        }
        ended
    };
    shared.denied.note(&attempt.target, &result);
    for waiter in ended.told {
        // Whoever has stopped waiting does not want to know.
        let _ = waiter.send(outcome(&attempt, &result));
    }
}

fn outcome(attempt: &Attempt, result: &Result<(), Failure>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done {
            requested_at: request::annotation(attempt.sent),
        },
        Err(failure) => failure.clone().into(),
    }
}

fn record(shared: &Shared, attempt: &Attempt, result: &Result<(), Failure>, took: Duration) {
    let target = &attempt.target;
    let counted = match result {
        Ok(()) => {
            tracing::info!(object = %target, requested_at = %attempt.sent, "triggered");
            shared.history.patched(target, attempt.sent);
            PatchResult::Done
        }
        Err(Failure::Refused { reason }) => {
            tracing::warn!(object = %target, reason, "cannot be triggered, and is given up");
            shared.history.given_up(target, attempt.sent, reason);
            PatchResult::Refused
        }
        Err(Failure::Forbidden { reason }) => {
            tracing::warn!(object = %target, reason, "must not be triggered; tried again later");
            shared.history.failed(target, reason);
            PatchResult::Forbidden
        }
        Err(Failure::Transient { reason, .. }) => {
            tracing::warn!(object = %target, reason, "not triggered this time; tried again");
            shared.history.failed(target, reason);
            PatchResult::Failed
        }
    };
    shared.metrics.trigger_patch(counted, took);
}

/// Between 0 and 1; without a source of randomness, the middle.
fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}
