//! The order of what is to be sent: now, by priority and then in rounds; or later, by time.
//!
//! It holds names only; what is known of each target is in its slot.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use tokio::time::Instant;

use super::Priority;
use crate::hook::{ReceiverRef, Target};

/// Who wants a target; nobody in particular is one owner, too.
pub(super) type Owner = Option<Arc<ReceiverRef>>;

/// Targets in the order in which they are due.
///
/// Those that are ready are sent in rounds, and each owner has one target in a round: whoever has many ready holds up
/// nobody who has few.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    ready: BTreeMap<(Priority, u64, u64), Arc<Target>>,
    later: BTreeMap<(Instant, u64), Arc<Target>>,
    entries: u64,
    /// The last round of each owner that has something ready, and perhaps of others.
    rounds: HashMap<(Priority, Owner), u64>,
    /// The round that is being sent, by priority.
    round: BTreeMap<Priority, u64>,
}

/// Where a target is on the agenda.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Ready(Priority, u64, u64),
    Later(Instant, u64),
}

impl Agenda {
    /// Puts a target into the next round of its owner, behind all that are in that round.
    pub(super) fn ready(
        &mut self,
        priority: Priority,
        owner: &Owner,
        target: Arc<Target>,
    ) -> Place {
        self.entries += 1;
        let current = self.round.get(&priority).copied().unwrap_or_default();
        let last = self.rounds.entry((priority, owner.clone()));
        let last = last.or_insert(current);
        let round = current.max(*last + 1);
        *last = round;
        self.ready.insert((priority, round, self.entries), target);
        Place::Ready(priority, round, self.entries)
    }

    /// Puts a target where it ripens at a time.
    pub(super) fn later(&mut self, at: Instant, target: Arc<Target>) -> Place {
        self.entries += 1;
        self.later.insert((at, self.entries), target);
        Place::Later(at, self.entries)
    }

    pub(super) fn remove(&mut self, place: Place) {
        match place {
            Place::Ready(priority, round, entry) => self.ready.remove(&(priority, round, entry)),
            Place::Later(at, entry) => self.later.remove(&(at, entry)),
        };
        if self.ready.is_empty() {
            self.rounds.clear();
        }
    }

    /// Removes a target that is sent, and goes on to its round.
    pub(super) fn send(&mut self, place: Place) {
        if let Place::Ready(priority, round, _) = place {
            self.round.insert(priority, round);
        }
        self.remove(place);
    }

    /// Takes the first target whose time has come.
    pub(super) fn take_ripe(&mut self, now: Instant) -> Option<Arc<Target>> {
        let first = self.later.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// The first of those that are ready.
    pub(super) fn first_ready(&self) -> Option<&Arc<Target>> {
        self.ready.values().next()
    }

    /// Those that ripen later, the next first.
    pub(super) fn ripening(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.later.values()
    }

    /// When the next target ripens.
    pub(super) fn next_ripe(&self) -> Option<Instant> {
        self.later.keys().next().map(|(at, _)| *at)
    }
}
