//! What is known of one target that is not idle.
//!
//! A slot decides for its target alone; its place among the others is the queue's business.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Priority, agenda::Place, backoff};
use crate::{hook::Target, trigger::failure::Failure};

/// The least time between two patches of one target, from start to start.
pub(super) const PACE: Duration = Duration::from_secs(1);
/// The first delay after a failure of this target.
const FIRST_DELAY: Duration = Duration::from_millis(50);
/// The longest delay, and the one after a refusal that somebody can lift.
const LONGEST_DELAY: Duration = Duration::from_mins(15);

#[derive(Debug)]
pub(super) struct Slot<W> {
    pub(super) target: Arc<Target>,
    pub(super) place: Position,
    pub(super) priority: Priority,
    /// Accepted, and not covered by a patch that is in flight.
    pub(super) waiting: Option<Accepted>,
    /// The newest mark on disk that has not been cleared.
    durable: Option<Timestamp>,
    /// Before this the pace does not allow another patch.
    pub(super) not_before: Option<Instant>,
    pub(super) hold: Hold,
    failures: u32,
    pub(super) trouble: Option<Failure>,
    pub(super) waiters: Vec<Waiter<W>>,
}

/// Where a target is between acceptance and patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    Listed(Place),
    InFlight(Flight),
}

/// A patch on its way, and the oldest acceptance that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flight {
    pub(super) sent: Timestamp,
    pub(super) covers: Accepted,
}

/// The oldest acceptance that has not been answered by a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) stamp: Timestamp,
    pub(super) at: Instant,
}

/// Why a target that waits is not sent yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// It is its turn, or the pace keeps it.
    Pace,
    /// It failed; one sign of better times may bring its next try forward.
    Failed { may_hurry: bool },
    /// The API server forbids it.
    Forbidden,
}

/// Somebody who wants to know what comes of an acceptance.
#[derive(Debug)]
pub(super) struct Waiter<W> {
    stamp: Timestamp,
    until: Instant,
    tell: W,
}

impl<W> Slot<W> {
    pub(super) fn new(
        target: Arc<Target>,
        priority: Priority,
        waiting: Accepted,
        place: Place,
    ) -> Self {
        Self {
            target,
            place: Position::Listed(place),
            priority,
            waiting: Some(waiting),
            durable: None,
            not_before: None,
            hold: Hold::Pace,
            failures: 0,
            trouble: None,
            waiters: Vec::new(),
        }
    }

    /// Whether a mark on disk outlives the patch that is in flight.
    pub(super) fn is_durable(&self) -> bool {
        match self.place {
            Position::Listed(_) => self.durable.is_some(),
            Position::InFlight(flight) => self.durable.is_some_and(|mark| mark > flight.sent),
        }
    }

    /// A mark of this time is on disk; one that no acceptance needs any more has been cleared since.
    pub(super) fn written(&mut self, mark: Timestamp) {
        if self.oldest().is_some_and(|oldest| mark >= oldest.stamp) {
            self.durable = self.durable.max(Some(mark));
        }
    }

    /// The oldest acceptance that has not been answered by a patch.
    pub(super) fn oldest(&self) -> Option<Accepted> {
        match self.place {
            Position::InFlight(flight) => Some(flight.covers),
            Position::Listed(_) => self.waiting,
        }
    }

    /// One more acceptance; it is the oldest only if nothing waits yet.
    pub(super) fn accept(&mut self, accepted: Accepted, priority: Priority) {
        self.priority = match self.oldest() {
            Some(_) => self.priority.min(priority),
            None => priority,
        };
        self.waiting.get_or_insert(accepted);
    }

    /// After an acceptance: the time for which it should be listed, when that is not the one it is listed for.
    pub(super) fn earlier(&self, now: Instant) -> Option<Instant> {
        let Position::Listed(place) = self.place else {
            return None;
        };
        let allowed = self.not_before.unwrap_or(now);
        match (place, self.hold) {
            (Place::Ready(priority, _), _) => (priority != self.priority).then_some(now),
            (Place::Later(..), Hold::Pace) => (allowed <= now).then_some(now),
            (Place::Later(planned, _), Hold::Failed { may_hurry }) => {
                may_hurry.then(|| planned.min(allowed))
            }
            (Place::Later(planned, _), Hold::Forbidden) => Some(planned.min(allowed)),
        }
    }

    /// The patch is sent, for everything that was accepted before.
    pub(super) fn start(&mut self, sent: Timestamp, now: Instant) -> Option<Place> {
        let Position::Listed(place) = self.place else {
            return None;
        };
        let covers = self.waiting.take()?;
        self.place = Position::InFlight(Flight { sent, covers });
        self.not_before = Some(now + PACE);
        Some(place)
    }

    /// The patch ended the marks it covers, for better or worse.
    pub(super) fn clear(&mut self, sent: Timestamp) {
        self.durable = self.durable.filter(|mark| *mark > sent);
        self.hold = Hold::Pace;
        self.failures = 0;
        self.trouble = None;
    }

    /// The patch did not work: what it covers waits again; gives the delay.
    pub(super) fn put_back(&mut self, flight: Flight, failure: &Failure, jitter: f64) -> Duration {
        self.waiting = Some(flight.covers);
        self.trouble = Some(failure.clone());
        match failure {
            Failure::Refused { .. } | Failure::Forbidden { .. } => {
                self.hold = Hold::Forbidden;
                backoff::delay(1, LONGEST_DELAY, LONGEST_DELAY, jitter)
            }
            Failure::Transient { retry_after, .. } => {
                let had_hurried = self.hold == Hold::Failed { may_hurry: false };
                self.hold = Hold::Failed {
                    may_hurry: !had_hurried,
                };
                self.failures = self.failures.saturating_add(1);
                let own = backoff::delay(self.failures, FIRST_DELAY, LONGEST_DELAY, jitter);
                own.max(retry_after.unwrap_or_default().min(LONGEST_DELAY))
            }
        }
    }

    /// Remembers somebody who waits until some time; those whose time is over are forgotten when there are many.
    pub(super) fn wait(&mut self, stamp: Timestamp, until: Instant, now: Instant, tell: W) {
        if self.waiters.len() == self.waiters.capacity() {
            self.waiters.retain(|waiter| waiter.until > now);
        }
        self.waiters.push(Waiter { stamp, until, tell });
    }

    /// Takes those whose acceptance is covered by a patch of that time.
    pub(super) fn take_covered(&mut self, sent: Timestamp) -> Vec<W> {
        self.take_waiters(|waiter| waiter.stamp <= sent)
    }

    /// Takes those who do not wait long enough to see a patch at that time.
    pub(super) fn take_hopeless(&mut self, next: Instant) -> Vec<W> {
        self.take_waiters(|waiter| waiter.until < next)
    }

    fn take_waiters(&mut self, is_taken: impl FnMut(&mut Waiter<W>) -> bool) -> Vec<W> {
        self.waiters
            .extract_if(.., is_taken)
            .map(|waiter| waiter.tell)
            .collect()
    }
}
