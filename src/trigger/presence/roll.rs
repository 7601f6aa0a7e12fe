//! Who is gone for good: what one replica has seen of the others' Leases. Pure.
//!
//! Only time in which this replica itself could renew counts, so that an outage of the API makes nobody gone.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// How many durations a Lease must stay unrenewed.
const PATIENCE: u32 = 3;

/// The Lease of another replica, as it was just read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) name: String,
    /// Changes with every renewal.
    pub(super) version: String,
    /// How long it promises to hold without being renewed.
    pub(super) duration: Duration,
}

/// What is known of the other replicas.
#[derive(Debug)]
pub(super) struct Roll {
    /// No more than this counts from one look to the next.
    longest_step: Duration,
    looked: Option<Instant>,
    others: HashMap<String, Sighting>,
}

#[derive(Debug)]
struct Sighting {
    version: String,
    /// For how long it was watched without a renewal.
    unrenewed: Duration,
}

impl Roll {
    /// A roll that is looked at every `period`.
    pub(super) fn new(period: Duration) -> Self {
        Self {
            longest_step: period * 2,
            looked: None,
            others: HashMap::new(),
        }
    }

    /// Takes over what was read just after this replica renewed its own Lease; says whose Leases have expired for good.
    pub(super) fn look(&mut self, leases: Vec<Seen>, now: Instant) -> Vec<String> {
        let since = self.looked.map_or(Duration::ZERO, |looked| now - looked);
        let step = since.min(self.longest_step);
        self.looked = Some(now);
        let before = std::mem::take(&mut self.others);
        let mut gone = Vec::new();
        for lease in leases {
            let known = before.get(&lease.name);
            let unrenewed = match known {
                Some(known) if known.version == lease.version => known.unrenewed + step,
                _ => Duration::ZERO,
            };
            if unrenewed >= lease.duration * PATIENCE {
                gone.push(lease.name.clone());
            }
            let version = lease.version;
            self.others
                .insert(lease.name, Sighting { version, unrenewed });
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Duration = Duration::from_secs(35);
    const PERIOD: Duration = Duration::from_secs(10);

    fn lease(name: &str, version: u64) -> Seen {
        Seen {
            name: name.to_owned(),
            version: version.to_string(),
            duration: DURATION,
        }
    }

    #[test]
    fn a_lease_that_is_not_renewed_expires_for_good() {
        let (mut roll, start) = (Roll::new(PERIOD), Instant::now());
        let mut gone_at = None;
        for tick in 0..20 {
            let now = start + PERIOD * tick;
            let gone = roll.look(vec![lease("live", u64::from(tick)), lease("dead", 1)], now);
            if !gone.is_empty() && gone_at.is_none() {
                assert_eq!(gone, ["dead"]);
                gone_at = Some(now - start);
            }
        }
        assert_eq!(
            gone_at,
            Some(PERIOD * 11),
            "the first look after three durations"
        );
    }

    #[test]
    fn time_in_which_nothing_could_be_renewed_does_not_count() {
        let (mut roll, start) = (Roll::new(PERIOD), Instant::now());
        roll.look(vec![lease("other", 1)], start);
        let after = start + Duration::from_hours(24);
        assert!(roll.look(vec![lease("other", 1)], after).is_empty());
        assert!(
            roll.look(vec![lease("other", 2)], after + PERIOD)
                .is_empty()
        );
    }

    #[test]
    fn what_is_gone_and_comes_again_starts_anew() {
        let (mut roll, start) = (Roll::new(PERIOD), Instant::now());
        for tick in 0..10 {
            roll.look(vec![lease("other", 1)], start + PERIOD * tick);
        }
        roll.look(vec![], start + PERIOD * 10);
        assert!(
            roll.look(vec![lease("other", 1)], start + PERIOD * 11)
                .is_empty()
        );
    }

    /// A world of replicas whose clocks are one, with a fate for each tick.
    struct World {
        random: u64,
        /// What each Lease says, by replica.
        leases: Vec<u64>,
        rolls: Vec<Roll>,
        died: Vec<Option<Instant>>,
    }

    impl World {
        fn new(seed: u64, replicas: usize) -> Self {
            Self {
                random: seed,
                leases: vec![0; replicas],
                rolls: (0..replicas).map(|_| Roll::new(PERIOD)).collect(),
                died: vec![None; replicas],
            }
        }

        fn below(&mut self, limit: u64) -> u64 {
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (self.random >> 33) % limit
        }

        /// One period in which the API is there: everybody alive renews, then looks, in some order.
        fn tick(&mut self, now: Instant) -> Vec<(usize, usize)> {
            let mut gone = Vec::new();
            let first = usize::try_from(self.below(100)).unwrap();
            for turn in 0..self.leases.len() {
                let own = (first + turn) % self.leases.len();
                if self.died[own].is_some() {
                    continue;
                }
                self.leases[own] += 1;
                let others = self
                    .leases
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| *other != own);
                let seen = others
                    .map(|(other, version)| lease(&other.to_string(), *version))
                    .collect();
                let found = self.rolls[own].look(seen, now);
                gone.extend(found.iter().map(|name| (own, name.parse().unwrap())));
            }
            gone
        }
    }

    #[test]
    fn only_the_dead_are_gone_and_all_of_them_whatever_the_outages() {
        for seed in 0..500 {
            let mut world = World::new(seed, 4);
            let mut now = Instant::now();
            let mut up_since_death = [Duration::ZERO; 4];
            for _ in 0..400 {
                now += match world.below(20) {
                    0 => Duration::from_secs(30 + world.below(3600)),
                    _ => PERIOD,
                };
                if world.below(100) == 0 {
                    let dead = usize::try_from(world.below(4)).unwrap();
                    let survivors = world.died.iter().filter(|died| died.is_none()).count();
                    if survivors > 1 {
                        world.died[dead].get_or_insert(now);
                    }
                }
                let found = world.tick(now);
                for (_, gone) in &found {
                    assert!(world.died[*gone].is_some(), "seed {seed}: {gone} is alive");
                }
                for (replica, died) in world.died.iter().enumerate() {
                    up_since_death[replica] += if died.is_some() {
                        PERIOD
                    } else {
                        Duration::ZERO
                    };
                    let is_overdue = up_since_death[replica] > DURATION * PATIENCE + PERIOD * 2;
                    let is_found = found.iter().any(|(_, gone)| *gone == replica);
                    assert!(
                        !is_overdue || is_found,
                        "seed {seed}: {replica} is not found"
                    );
                }
            }
        }
    }
}
