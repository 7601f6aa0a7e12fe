//! When to look at which triggered object for the revision that came of it.
//!
//! Pure: one look a few seconds after the patch, then ever less often, and none after some minutes.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::hook::Target;

const FIRST: Duration = Duration::from_secs(3);
const LONGEST: Duration = Duration::from_mins(1);
const GIVE_UP: Duration = Duration::from_mins(10);

/// The objects to look at; bounded by the number of targets.
#[derive(Debug, Default)]
pub(super) struct Lookups(HashMap<Arc<Target>, Lookup>);

#[derive(Debug)]
struct Lookup {
    at: Instant,
    pause: Duration,
    give_up: Instant,
}

impl Lookups {
    /// An object was triggered. Says whether it is to be looked at earlier than was known.
    pub(super) fn triggered(&mut self, target: &Arc<Target>, now: Instant) -> bool {
        let (at, give_up) = (now + FIRST, now + GIVE_UP);
        if let Some(lookup) = self.0.get_mut(target) {
            let is_earlier = at < lookup.at;
            *lookup = Lookup {
                at: at.min(lookup.at),
                pause: FIRST,
                give_up,
            };
            return is_earlier;
        }
        let lookup = Lookup {
            at,
            pause: FIRST,
            give_up,
        };
        self.0.insert(Arc::clone(target), lookup);
        true
    }

    /// When the next look is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.values().map(|lookup| lookup.at).min()
    }

    /// An object whose look is due; the next one is later.
    pub(super) fn next(&mut self, now: Instant) -> Option<Arc<Target>> {
        let next = self.0.iter_mut().min_by_key(|(_, lookup)| lookup.at);
        let (target, lookup) = next.filter(|(_, lookup)| lookup.at <= now)?;
        let target = Arc::clone(target);
        lookup.pause = (lookup.pause * 2).min(LONGEST);
        lookup.at = now + lookup.pause;
        if lookup.at > lookup.give_up {
            self.0.remove(&target);
        }
        Some(target)
    }

    /// Nothing is to be learned of an object any more.
    pub(super) fn end(&mut self, target: &Target) {
        self.0.remove(target);
    }
}
