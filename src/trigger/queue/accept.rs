//! What becomes of one more acceptance of a target: whether it is news, and when its patch may start.
//!
//! It decides for one target; what is sent first is for the agenda.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Now, Priority, Queue,
    rates::Turn,
    slot::{Accepted, Hold, Need},
};
use crate::{
    api::rate::Rate,
    hook::{ReceiverRef, Target},
};

/// Who wants a target triggered.
#[derive(Clone, Copy, Debug)]
pub(in crate::trigger) struct Claimant<'r> {
    pub(super) priority: Priority,
    pub(super) receiver: Option<&'r ReceiverRef>,
    pub(super) rate: Option<Rate>,
}

impl<'r> Claimant<'r> {
    /// A delivery to a Receiver, which is held to its rate if it has one.
    pub(in crate::trigger) fn sender(receiver: &'r ReceiverRef, rate: Option<Rate>) -> Self {
        Self {
            priority: Priority::Delivery,
            receiver: Some(receiver),
            rate,
        }
    }

    /// A sweep.
    pub(in crate::trigger) fn sweep() -> Self {
        Self {
            priority: Priority::Sweep,
            receiver: None,
            rate: None,
        }
    }
}

/// When the patch of something accepted starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::trigger) enum Start {
    /// Now, so that waiting for it is worth while.
    Now,
    /// When other things allow it.
    Later,
    /// When the rate of its Receiver allows it, and nothing else may keep it now.
    AtRate,
}

/// What came of an acceptance.
#[derive(Clone, Debug)]
pub(in crate::trigger) struct Acceptance {
    pub(in crate::trigger) target: Arc<Target>,
    /// When it was accepted; a patch with this or a later time answers it.
    pub(in crate::trigger) stamp: Timestamp,
    /// Whether a mark on disk stands for it already.
    pub(in crate::trigger) is_durable: bool,
    pub(in crate::trigger) start: Start,
    /// Whether there may be something to send earlier than before.
    pub(in crate::trigger) is_news: bool,
}

impl Start {
    fn of(may_start: bool, is_above_rate: bool) -> Self {
        match (may_start, is_above_rate) {
            (_, true) => Self::AtRate,
            (true, false) => Self::Now,
            (false, false) => Self::Later,
        }
    }
}

impl<W> Queue<W> {
    /// Marks a target: its next patch is sent after this, and when the rate of the claimant allows it.
    pub(in crate::trigger) fn accept(
        &mut self,
        target: &Target,
        claimant: Claimant<'_>,
        now: Now,
    ) -> Acceptance {
        let accepted = self.accepted(now);
        let is_healthy = self.is_healthy(now.instant);
        let Some(slot) = self.slots.get_mut(target) else {
            return self.accept_idle(target, claimant, accepted, now.instant);
        };
        let turn = match slot.need(claimant.priority, now.instant) {
            Need::Turn => self.rates.turn(claimant, None, now.instant),
            Need::TurnBefore(limit) => self.rates.turn(claimant, Some(limit), now.instant),
            Need::Nothing => None,
        };
        let was_idle = slot.oldest().is_none() || slot.hold == Hold::Forbidden;
        let may_start = slot.not_before.is_none_or(|at| at <= now.instant);
        let (is_durable, has_turn) = (slot.is_durable(), turn.is_some());
        slot.accept(accepted, claimant.priority, turn);
        let better = slot.better(now.instant).filter(|_| has_turn);
        let is_prompt = was_idle && may_start && has_turn && is_healthy;
        let start = Start::of(is_prompt, slot.is_above_rate(now.instant));
        let target = Arc::clone(&slot.target);
        if let Some(at) = better {
            self.list_anew(&target, at, now.instant);
        }
        Acceptance {
            target,
            stamp: accepted.stamp,
            is_durable,
            start,
            is_news: better.is_some(),
        }
    }

    fn accept_idle(
        &mut self,
        target: &Target,
        claimant: Claimant<'_>,
        accepted: Accepted,
        now: Instant,
    ) -> Acceptance {
        let turn = self.rates.turn(claimant, None, now);
        let turn = turn.unwrap_or(Turn::at_once(now));
        let is_above_rate = turn.at > now;
        let target = Arc::new(target.clone());
        let target = self.insert(target, claimant.priority, accepted, turn, now);
        Acceptance {
            target,
            stamp: accepted.stamp,
            is_durable: false,
            start: Start::of(self.is_healthy(now), is_above_rate),
            is_news: true,
        }
    }
}
