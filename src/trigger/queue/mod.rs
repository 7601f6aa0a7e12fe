//! The set of targets that are due: which is sent next, what a delivery may expect, and what an answer means.
//!
//! Pure: the time and the randomness are passed in, and nothing is sent, written or waited for here.

mod accept;
mod agenda;
mod backoff;
mod gate;
mod rates;
mod slot;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use tokio::time::Instant;

pub(super) use self::accept::{Acceptance, Claimant, Start};
use self::{
    agenda::{Agenda, Place},
    gate::{Gate, Passage},
    rates::{Rates, Turn},
    slot::{Accepted, Hold, Position, Slot},
};
use super::failure::{Failure, Fault};
use crate::hook::Target;

/// How many patches are in flight at once.
pub(super) const MAX_IN_FLIGHT: usize = 8;

/// What comes first when not everything can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Priority {
    /// Somebody pushed.
    Delivery,
    /// Something may have been missed.
    Sweep,
}

/// The present, on the clock that runs and on the one that tells the date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Now {
    pub(super) instant: Instant,
    pub(super) date: Timestamp,
}

/// One patch to send.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) target: Arc<Target>,
    /// The value to write.
    pub(super) sent: Timestamp,
    is_probe: bool,
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A patch can be sent.
    Send,
    /// Nothing before then.
    At(Instant),
    /// Nothing before something changes.
    Nothing,
}

/// What the end of a patch sets off.
#[derive(Debug)]
pub(super) struct Ended<W> {
    /// Those who learn how it ended.
    pub(super) told: Vec<W>,
    /// Whether the marks up to the time of sending are done with.
    pub(super) is_cleared: bool,
}

/// What the queue holds at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// How many targets wait for a patch or for the answer to one.
    pub(super) pending: usize,
    /// Since when the oldest of them does.
    pub(super) oldest: Option<Instant>,
    /// How many of them the rate of their Receiver keeps.
    pub(super) above_rate: usize,
}

/// The targets that are not idle; `W` is what tells somebody who waits.
#[derive(Debug)]
pub(super) struct Queue<W> {
    slots: HashMap<Arc<Target>, Slot<W>>,
    agenda: Agenda,
    rates: Rates,
    gate: Gate,
    in_flight: usize,
    /// Until when there is no budget for what is ready.
    starved_until: Option<Instant>,
    /// How many targets failed and may be tried early.
    may_hurry: usize,
    last_stamp: Timestamp,
}

impl<W> Queue<W> {
    pub(super) fn new() -> Self {
        Self {
            slots: HashMap::new(),
            agenda: Agenda::default(),
            rates: Rates::new(),
            gate: Gate::Open,
            in_flight: 0,
            starved_until: None,
            may_hurry: 0,
            last_stamp: Timestamp::UNIX_EPOCH,
        }
    }

    /// Takes over a mark that is on disk from before.
    pub(super) fn restore(
        &mut self,
        target: Target,
        requested_at: Timestamp,
        priority: Priority,
        now: Now,
    ) {
        self.last_stamp = self.last_stamp.max(requested_at);
        let accepted = Accepted {
            stamp: requested_at,
            at: now.instant,
        };
        let (target, turn) = (Arc::new(target), Turn::at_once(now.instant));
        let target = self.insert(target, priority, accepted, turn, now.instant);
        self.written(&target, requested_at);
    }

    /// Remembers somebody who waits for the patch that answers an acceptance, until some time.
    pub(super) fn wait(&mut self, accepted: &Acceptance, until: Instant, now: Instant, tell: W) {
        if let Some(slot) = self.slots.get_mut(&accepted.target) {
            slot.wait(accepted.stamp, until, now, tell);
        }
    }

    /// The mark of an acceptance is on disk.
    pub(super) fn written(&mut self, target: &Target, stamp: Timestamp) {
        if let Some(slot) = self.slots.get_mut(target) {
            slot.written(stamp);
        }
    }

    /// Why the last patch of a target did not work.
    pub(super) fn trouble(&self, target: &Target) -> Option<&Failure> {
        self.slots.get(target)?.trouble.as_ref()
    }

    /// Says what there is to do.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        self.ripen(now);
        if self.in_flight >= MAX_IN_FLIGHT {
            return Next::Nothing;
        }
        let ripe = self.agenda.next_ripe();
        match self.gate.passage(now) {
            Passage::Free if self.agenda.first_ready().is_some() => Next::Send,
            Passage::Probe if self.probe().is_some() => Next::Send,
            Passage::At(until) if self.probe().is_some() => Next::At(until),
            Passage::Behind => Next::Nothing,
            _ => ripe.map_or(Next::Nothing, Next::At),
        }
    }

    /// Starts the patch that [`Queue::next`] said can be sent.
    pub(super) fn start(&mut self, now: Now) -> Option<Attempt> {
        let target = match self.gate.passage(now.instant) {
            Passage::Free => self.agenda.first_ready(),
            Passage::Probe => self.probe(),
            Passage::At(_) | Passage::Behind => None,
        };
        let target = Arc::clone(target?);
        let sent = self.stamp(now.date);
        let slot = self.slots.get_mut(&target)?;
        let place = slot.start(sent, now.instant)?;
        if slot.hold == (Hold::Failed { may_hurry: true }) {
            slot.hold = Hold::Pace;
            self.may_hurry -= 1;
        }
        self.agenda.send(place);
        self.in_flight += 1;
        self.starved_until = None;
        Some(Attempt {
            target,
            sent,
            is_probe: self.gate.pass(),
        })
    }

    /// There is no budget before then.
    pub(super) fn starve(&mut self, until: Instant) {
        self.starved_until = Some(until);
    }

    /// A patch has been answered, or not; gives what that sets off.
    pub(super) fn finish(
        &mut self,
        attempt: &Attempt,
        result: &Result<(), Failure>,
        now: Instant,
        jitter: f64,
    ) -> Ended<W> {
        self.in_flight -= 1;
        self.tell_gate(attempt.is_probe, result, now, jitter);
        let ended = match result {
            Ok(()) | Err(Failure::Refused { .. }) => self.clear(attempt, now),
            Err(failure) => self.put_back(attempt, failure, now, jitter),
        };
        if result.is_ok() {
            self.hurry(now);
        }
        ended
    }

    /// The targets whose last patch was forbidden.
    pub(super) fn forbidden(&self) -> HashSet<Arc<Target>> {
        let is_forbidden =
            |slot: &&Slot<W>| matches!(slot.trouble, Some(Failure::Forbidden { .. }));
        let forbidden = self.slots.values().filter(is_forbidden);
        forbidden.map(|slot| Arc::clone(&slot.target)).collect()
    }

    /// The targets that wait for their next try after a failure.
    pub(super) fn held(&self) -> Vec<Arc<Target>> {
        let has_failed =
            |slot: &&Slot<W>| matches!(slot.hold, Hold::Failed { .. } | Hold::Forbidden);
        let is_held = |slot: &&Slot<W>| slot.waiting.is_some() && has_failed(slot);
        let held = self.slots.values().filter(is_held);
        held.map(|slot| Arc::clone(&slot.target)).collect()
    }

    /// Tries a target now that waits after a failure.
    pub(super) fn bring_to_now(&mut self, target: &Arc<Target>, now: Instant) {
        self.list_anew(target, now, now);
    }

    /// Whether nothing waits for its turn, and requests can be sent.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.is_healthy(now) && self.agenda.first_ready().is_none()
    }

    /// Whether everything that can be done soon is done.
    pub(super) fn is_settled(&self) -> bool {
        let is_soon = |slot: &Slot<W>| match slot.place {
            Position::InFlight(_) => true,
            Position::Listed(_) => slot.waiting.is_some() && slot.hold == Hold::Pace,
        };
        self.in_flight == 0 && (self.gate != Gate::Open || !self.slots.values().any(is_soon))
    }

    /// What the queue holds.
    pub(super) fn load(&self, now: Instant) -> Load {
        let pending = || self.slots.values().filter_map(Slot::oldest);
        let is_above_rate = |slot: &&Slot<W>| slot.is_above_rate(now);
        Load {
            pending: pending().count(),
            oldest: pending().map(|accepted| accepted.at).min(),
            above_rate: self.slots.values().filter(is_above_rate).count(),
        }
    }

    /// Each time is later than all that were given out, whatever the date does.
    fn stamp(&mut self, date: Timestamp) -> Timestamp {
        let after_last = self
            .last_stamp
            .checked_add(jiff::SignedDuration::from_nanos(1))
            .unwrap_or(self.last_stamp);
        self.last_stamp = date.max(after_last);
        self.last_stamp
    }

    fn accepted(&mut self, now: Now) -> Accepted {
        Accepted {
            stamp: self.stamp(now.date),
            at: now.instant,
        }
    }

    /// Whether a patch that is due would be sent at once.
    fn is_healthy(&self, now: Instant) -> bool {
        self.gate == Gate::Open && self.starved_until.is_none_or(|until| until <= now)
    }

    fn insert(
        &mut self,
        target: Arc<Target>,
        priority: Priority,
        accepted: Accepted,
        turn: Turn,
        now: Instant,
    ) -> Arc<Target> {
        let place = if turn.at <= now {
            let agenda = &mut self.agenda;
            agenda.ready(priority, &turn.owner, Arc::clone(&target))
        } else {
            self.agenda.later(turn.at, Arc::clone(&target))
        };
        let slot = Slot::new(Arc::clone(&target), priority, accepted, turn, place);
        self.slots.insert(Arc::clone(&target), slot);
        target
    }

    /// Something worked: what failed before may work too.
    fn hurry(&mut self, now: Instant) {
        if self.may_hurry == 0 {
            return;
        }
        let failed = |slot: &&Slot<W>| slot.hold == Hold::Failed { may_hurry: true };
        let failed: Vec<_> = self
            .slots
            .values()
            .filter(failed)
            .map(|slot| Arc::clone(&slot.target))
            .collect();
        for target in failed {
            self.list_anew(&target, now, now);
        }
    }

    /// Moves a target that is on the agenda to another time; after a failure that is a try before its time.
    fn list_anew(&mut self, target: &Arc<Target>, at: Instant, now: Instant) {
        let Some(slot) = self.slots.get_mut(target) else {
            return;
        };
        let Position::Listed(place) = slot.place else {
            return;
        };
        slot.hold = match slot.hold {
            Hold::Failed { may_hurry } => {
                self.may_hurry -= usize::from(may_hurry);
                Hold::Failed { may_hurry: false }
            }
            Hold::Pace | Hold::Rate | Hold::Forbidden => slot.kept_until(at, now),
        };
        self.agenda.remove(place);
        slot.place = Position::Listed(list(&mut self.agenda, slot, at, now));
    }

    /// What has become due becomes ready, and what has rested is forgotten.
    fn ripen(&mut self, now: Instant) {
        while let Some(target) = self.agenda.take_ripe(now) {
            let Some(slot) = self.slots.get_mut(&target) else {
                continue;
            };
            if slot.waiting.is_none() {
                self.slots.remove(&target);
                continue;
            }
            if slot.hold == (Hold::Failed { may_hurry: true }) {
                self.may_hurry -= 1;
            }
            slot.hold = Hold::Pace;
            let place = self.agenda.ready(slot.priority, &slot.owner, target);
            slot.place = Position::Listed(place);
        }
    }

    /// The target that may find out whether the API server is back.
    fn probe(&self) -> Option<&Arc<Target>> {
        let may_try = |target: &&Arc<Target>| {
            let slot = self.slots.get(*target);
            slot.is_some_and(|slot| matches!(slot.hold, Hold::Failed { .. }))
        };
        let mut ripening = self.agenda.ripening();
        self.agenda.first_ready().or_else(|| ripening.find(may_try))
    }

    fn tell_gate(
        &mut self,
        is_probe: bool,
        result: &Result<(), Failure>,
        now: Instant,
        jitter: f64,
    ) {
        match result {
            Err(Failure::Transient {
                fault: Fault::Busy,
                retry_after,
                ..
            }) => self.gate.busy(is_probe, *retry_after, now),
            Err(Failure::Transient {
                fault: Fault::Away,
                retry_after,
                ..
            }) => self.gate.away(is_probe, *retry_after, now, jitter),
            _ => self.gate.answered(is_probe),
        }
    }

    /// The marks that the patch covers are done with; what came meanwhile is next, or the target rests.
    fn clear(&mut self, attempt: &Attempt, now: Instant) -> Ended<W> {
        let mut told = Vec::new();
        if let Some(slot) = self.slots.get_mut(&attempt.target) {
            slot.clear(attempt.sent);
            told = slot.take_covered(attempt.sent);
            let at = slot.allowed(now);
            slot.hold = slot.kept_until(at, now);
            let place = if slot.waiting.is_some() {
                list(&mut self.agenda, slot, at, now)
            } else {
                self.agenda.later(at, Arc::clone(&slot.target))
            };
            slot.place = Position::Listed(place);
        }
        Ended {
            told,
            is_cleared: true,
        }
    }

    fn put_back(
        &mut self,
        attempt: &Attempt,
        failure: &Failure,
        now: Instant,
        jitter: f64,
    ) -> Ended<W> {
        let mut told = Vec::new();
        if let Some(slot) = self.slots.get_mut(&attempt.target)
            && let Position::InFlight(flight) = slot.place
        {
            let delay = slot.put_back(flight, failure, jitter);
            let at = match self.gate.passage(now) {
                Passage::At(until) => until.max(now + delay),
                _ => now + delay,
            };
            told = if slot.hold == Hold::Forbidden {
                slot.take_covered(self.last_stamp)
            } else {
                slot.take_hopeless(at)
            };
            slot.place = Position::Listed(list(&mut self.agenda, slot, now + delay, now));
            if slot.hold == (Hold::Failed { may_hurry: true }) {
                self.may_hurry += 1;
            }
        }
        Ended {
            told,
            is_cleared: false,
        }
    }
}

/// Puts a target on the agenda for a time that may have come.
fn list<W>(agenda: &mut Agenda, slot: &Slot<W>, at: Instant, now: Instant) -> Place {
    let target = Arc::clone(&slot.target);
    if at <= now {
        agenda.ready(slot.priority, &slot.owner, target)
    } else {
        agenda.later(at, target)
    }
}

#[cfg(test)]
mod tests;
