//! What is known of one target that is not idle.
//!
//! A slot decides for its target alone; its place among the others is the queue's business.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Priority,
    agenda::{Owner, Place},
    backoff,
    rates::Turn,
};
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
    /// At whose expense it is sent next.
    pub(super) owner: Owner,
    /// Accepted, and not covered by a patch that is in flight.
    pub(super) waiting: Option<Accepted>,
    /// Before this the rate of its owner does not allow what waits to be sent.
    turn: Option<Instant>,
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
    /// The rate of its owner keeps it.
    Rate,
    /// It failed; one sign of better times may bring its next try forward.
    Failed { may_hurry: bool },
    /// The API server forbids it.
    Forbidden,
}

/// What an acceptance needs a turn of its Receiver for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing waits yet: any turn will do.
    Turn,
    /// To be sent earlier than something that waits: only a turn before then will do.
    TurnBefore(Instant),
    /// It is sent with what waits.
    Nothing,
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
        turn: Turn,
        place: Place,
    ) -> Self {
        Self {
            target,
            place: Position::Listed(place),
            priority,
            owner: turn.owner,
            waiting: Some(waiting),
            turn: Some(turn.at),
            durable: None,
            not_before: None,
            hold: match place {
                Place::Ready(..) => Hold::Pace,
                Place::Later(..) => Hold::Rate,
            },
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

    /// What one more acceptance needs a turn for.
    pub(super) fn need(&self, priority: Priority, now: Instant) -> Need {
        // The first moment that is too late for a turn that comes at once.
        let at_once = Need::TurnBefore(now + Duration::from_nanos(1));
        if self.waiting.is_none() {
            return Need::Turn;
        }
        match (self.place, self.hold) {
            (Position::InFlight(_), _) => self.turn.map_or(Need::Nothing, Need::TurnBefore),
            (Position::Listed(Place::Ready(own, ..)), _) if priority < own => at_once,
            (Position::Listed(Place::Later(planned, _)), Hold::Rate) => Need::TurnBefore(planned),
            (
                Position::Listed(Place::Later(..)),
                Hold::Failed { may_hurry: true } | Hold::Forbidden,
            ) => at_once,
            (Position::Listed(_), _) => Need::Nothing,
        }
    }

    /// One more acceptance, with the turn that it got; it is the oldest only if nothing waits yet.
    pub(super) fn accept(&mut self, accepted: Accepted, priority: Priority, turn: Option<Turn>) {
        self.priority = match self.oldest() {
            Some(_) => self.priority.min(priority),
            None => priority,
        };
        self.waiting.get_or_insert(accepted);
        if let Some(turn) = turn {
            self.turn = Some(turn.at);
            self.owner = turn.owner;
        }
    }

    /// After an acceptance that got a turn: the time for which it should be listed, when that is not the one it is
    /// listed for.
    pub(super) fn better(&self, now: Instant) -> Option<Instant> {
        let Position::Listed(place) = self.place else {
            return None;
        };
        let allowed = self.allowed(now);
        match (place, self.hold) {
            (Place::Ready(priority, ..), _) => (priority != self.priority).then_some(now),
            (Place::Later(planned, _), Hold::Pace | Hold::Rate) => {
                (planned != allowed).then_some(allowed)
            }
            (Place::Later(planned, _), Hold::Failed { .. } | Hold::Forbidden) => {
                Some(planned.min(allowed))
            }
        }
    }

    /// When pace and rate allow what waits to be sent.
    pub(super) fn allowed(&self, now: Instant) -> Instant {
        let turn = self.turn.unwrap_or(now);
        self.not_before.unwrap_or(now).max(turn)
    }

    /// Whether its rate keeps what waits from being sent.
    pub(super) fn is_above_rate(&self, now: Instant) -> bool {
        self.waiting.is_some() && self.turn.is_some_and(|turn| turn > now)
    }

    /// What keeps a target that is listed for a time, if nothing has failed.
    pub(super) fn kept_until(&self, at: Instant, now: Instant) -> Hold {
        if at > now && self.turn.is_some_and(|turn| turn >= at) {
            Hold::Rate
        } else {
            Hold::Pace
        }
    }

    /// The patch is sent, for everything that was accepted before.
    pub(super) fn start(&mut self, sent: Timestamp, now: Instant) -> Option<Place> {
        let Position::Listed(place) = self.place else {
            return None;
        };
        let covers = self.waiting.take()?;
        self.turn = None;
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
        self.turn = None;
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
