//! Which entry a path leads to, in parts that change one by one, so that ten thousand Receivers do not cost
//! ten thousand copies of all of them.
//!
//! Readers take no lock; who may change it, and in which order, is for the table to say.

use std::collections::HashMap;

use arc_swap::ArcSwap;

use super::{path::HookPath, table::Claim};

/// How many parts there are: one for each value of the first byte of a path's digest, which spreads evenly.
const PARTS: usize = 256;

/// The entry of each path.
pub(super) struct Lookup(Vec<ArcSwap<HashMap<HookPath, Claim>>>);

impl Default for Lookup {
    fn default() -> Self {
        Self((0..PARTS).map(|_| ArcSwap::default()).collect())
    }
}

impl Lookup {
    /// What a path leads to.
    pub(super) fn find(&self, path: &HookPath) -> Option<Claim> {
        self.part(path)?.load().get(path).cloned()
    }

    /// Lets a path lead to something, or nowhere.
    pub(super) fn set(&self, path: HookPath, claim: Option<&Claim>) {
        let Some(part) = self.part(&path) else {
            return;
        };
        part.rcu(|entries| {
            let mut next = HashMap::clone(entries);
            match claim {
                Some(claim) => next.insert(path, claim.clone()),
                None => next.remove(&path),
            };
            next
        });
    }

    fn part(&self, path: &HookPath) -> Option<&ArcSwap<HashMap<HookPath, Claim>>> {
        self.0.get(usize::from(path.first_byte()))
    }
}
