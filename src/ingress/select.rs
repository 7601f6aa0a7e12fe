//! The phase select for hooks with filters: what the watches know of the objects, and what the expressions say of them.
//!
//! Bodies are parsed and expressions evaluated away from the async threads, a few at a time; what they mean is `hook`'s.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::{Instant, timeout_at},
};
use tracing::warn;

use super::{Gateway, body::Received, outcome::Outcome};
use crate::{
    hook::{
        Authentic, Candidate, Hook, Judgement, ReceiverRef, Selector, Uninterpretable, Unjudged,
    },
    trigger::{Entry, Outcome as Became, Subject},
};

/// How many bodies may be in memory as trees at once, each of another Receiver.
const MAX_TREES: usize = 4;
/// How much of the time that a sender waits is kept for the triggers.
const KEPT_FOR_TRIGGERS: Duration = Duration::from_millis(500);
/// How long filters may take at least, however late the body came.
const MINIMUM: Duration = Duration::from_millis(250);

/// What a delivery triggers.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// What to trigger.
    pub(super) selectors: Vec<Selector>,
    /// What is not to be triggered, and why.
    pub(super) entries: Vec<Entry>,
}

/// Lets a few bodies at a time be filtered, and one of each Receiver, so that a costly filter holds up its own only.
pub(super) struct Filtering {
    places: Arc<Semaphore>,
    turns: Mutex<HashMap<ReceiverRef, Arc<Semaphore>>>,
}

impl Default for Filtering {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MAX_TREES)),
            turns: Mutex::default(),
        }
    }
}

impl Filtering {
    /// Waits for the turn of the Receiver, and then for a place.
    async fn place(
        &self,
        receiver: &ReceiverRef,
    ) -> Result<[OwnedSemaphorePermit; 2], AcquireError> {
        let turn = self.turn(receiver).acquire_owned().await?;
        let place = Arc::clone(&self.places).acquire_owned().await?;
        Ok([turn, place])
    }

    fn turn(&self, receiver: &ReceiverRef) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Who has a turn, or waits for one, holds it.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        let turn = turns.entry(receiver.clone());
        Arc::clone(turn.or_insert_with(|| Arc::new(Semaphore::new(1))))
    }
}

/// What a proven delivery triggers; an outcome when that cannot be known.
pub(super) async fn choose(
    gateway: &Gateway,
    hook: &Arc<Hook>,
    authentic: Authentic,
    received: Received,
    deadline: Instant,
) -> Result<Choice, Outcome> {
    let mut choice = Choice::default();
    if !hook.is_filtered() {
        choice.selectors.clone_from(&hook.selection().selectors);
        return Ok(choice);
    }
    let until = (deadline - KEPT_FOR_TRIGGERS).max(Instant::now() + MINIMUM);
    let candidates = candidates(gateway, hook, until, &mut choice).await;
    let judged = judged(gateway, hook, authentic, received, candidates, until).await?;
    for (candidate, judgement) in judged {
        let outcome = match judgement {
            Judgement::Wanted => {
                choice.selectors.push(Selector::Named(candidate.target));
                continue;
            }
            Judgement::LeftOut => Became::LeftOut,
            Judgement::Failed { reason } => {
                warn!(target = %candidate.target, reason, "the filters cannot tell");
                Became::Refused { reason }
            }
        };
        choice.entries.push(Entry {
            subject: Subject::Target(candidate.target.into()),
            outcome,
        });
    }
    Ok(choice)
}

/// The objects that filters have to judge; what has none is chosen already.
async fn candidates(
    gateway: &Gateway,
    hook: &Hook,
    until: Instant,
    choice: &mut Choice,
) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for (position, selector) in hook.selection().selectors.iter().enumerate() {
        if !hook.filters(position) {
            choice.selectors.push(selector.clone());
            continue;
        }
        match gateway.trigger.candidates(selector, until).await {
            Ok(found) => candidates.extend(found.into_iter().map(|(target, metadata)| Candidate {
                selector: position,
                target,
                metadata,
            })),
            Err(entry) => choice.entries.push(entry),
        }
    }
    candidates
}

async fn judged(
    gateway: &Gateway,
    hook: &Arc<Hook>,
    authentic: Authentic,
    received: Received,
    candidates: Vec<Candidate>,
    until: Instant,
) -> Result<Vec<(Candidate, Judgement)>, Outcome> {
    let place = timeout_at(until, gateway.filtering.place(hook.receiver())).await;
    let Ok(Ok(place)) = place else {
        warn!(receiver = %hook.receiver(), "too many deliveries are being filtered");
        return Err(Outcome::BUSY);
    };
    let hook = Arc::clone(hook);
    let work = spawn_blocking(move || {
        let body = received.kept().unwrap_or_default();
        let is_over = || Instant::now() >= until;
        let judgements = hook.judge(&authentic, &received.headers, body, &candidates, &is_over);
        drop(place);
        if judgements == Err(Unjudged::Interrupted) {
            warn!(receiver = %hook.receiver(), "the filters took too long");
        }
        judgements.map(|judgements| candidates.into_iter().zip(judgements).collect::<Vec<_>>())
    });
    match work.await {
        Ok(Ok(judged)) => Ok(judged),
        Ok(Err(Unjudged::Malformed(malformed))) => Err(Outcome::NotUnderstood(
            Uninterpretable::Malformed(malformed),
        )),
        Ok(Err(Unjudged::Interrupted)) | Err(_) => Err(Outcome::BUSY),
    }
}
