//! The order of what is to be sent: now, by priority and then first come; or later, by time.
//!
//! It holds names only; what is known of each target is in its slot.

use std::{collections::BTreeMap, sync::Arc};

use tokio::time::Instant;

use super::Priority;
use crate::hook::Target;

/// Targets in the order in which they are due.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    ready: BTreeMap<(Priority, u64), Arc<Target>>,
    later: BTreeMap<(Instant, u64), Arc<Target>>,
    entries: u64,
}

/// Where a target is on the agenda.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Ready(Priority, u64),
    Later(Instant, u64),
}

impl Agenda {
    /// Puts a target behind all that are ready in its priority.
    pub(super) fn ready(&mut self, priority: Priority, target: Arc<Target>) -> Place {
        self.entries += 1;
        self.ready.insert((priority, self.entries), target);
        Place::Ready(priority, self.entries)
    }

    /// Puts a target where it ripens at a time.
    pub(super) fn later(&mut self, at: Instant, target: Arc<Target>) -> Place {
        self.entries += 1;
        self.later.insert((at, self.entries), target);
        Place::Later(at, self.entries)
    }

    pub(super) fn remove(&mut self, place: Place) {
        match place {
            Place::Ready(priority, entry) => self.ready.remove(&(priority, entry)),
            Place::Later(at, entry) => self.later.remove(&(at, entry)),
        };
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
