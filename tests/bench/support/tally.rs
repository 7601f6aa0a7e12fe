//! The patches that reached the API server, and how close together they were.
//!
//! Pure: times are passed in. All are kept, so that every window can be looked at afterwards.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};

const SECOND: Duration = Duration::from_secs(1);

/// A rate and a burst, as of `--kube-api-qps` and `--kube-api-burst`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Budget {
    /// How many a second.
    pub(crate) qps: f64,
    /// How many at once.
    pub(crate) burst: u32,
}

/// Every patch since the beginning, in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    patches: Vec<(Duration, usize)>,
    /// A number for each path, which names an object.
    objects: HashMap<String, usize>,
    others: u64,
    under_way: u64,
    most_under_way: u64,
}

/// What there is to say of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// How many patches.
    pub(crate) patches: u64,
    /// Of how many objects.
    pub(crate) objects: u64,
    /// The most in any second.
    pub(crate) in_a_second: usize,
    /// The most of one object in any second.
    pub(crate) of_one_in_a_second: usize,
    /// The most that waited for their answers at one time.
    pub(crate) at_once: u64,
    /// The burst that would have let all of them through at the rate of the budget.
    pub(crate) burst: u32,
    /// How many other requests there were.
    pub(crate) others: u64,
}

impl Arrivals {
    /// Counts a patch of the object that `path` names, `at` being the time since the beginning.
    pub(crate) fn patch(&mut self, at: Duration, path: &str) {
        let next = self.objects.len();
        let object = *self.objects.entry(path.to_owned()).or_insert(next);
        self.patches.push((at, object));
        self.under_way += 1;
        self.most_under_way = self.most_under_way.max(self.under_way);
    }

    /// Counts the end of a patch.
    pub(crate) fn patched(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Counts a request that is no patch.
    pub(crate) fn other(&mut self) {
        self.others += 1;
    }

    /// Forgets all but what is under way.
    pub(crate) fn forget(&mut self) {
        *self = Self {
            under_way: self.under_way,
            most_under_way: self.under_way,
            ..Self::default()
        };
    }

    /// Sums up.
    pub(crate) fn tally(&self, budget: Budget) -> Tally {
        let mut of_one: Vec<Vec<Duration>> = vec![Vec::new(); self.objects.len()];
        for (at, object) in &self.patches {
            of_one[*object].push(*at);
        }
        let all: Vec<Duration> = self.patches.iter().map(|(at, _)| *at).collect();
        let of_one = of_one.iter().map(|times| most_in_a_second(times));
        Tally {
            patches: all.len() as u64,
            objects: self.objects.len() as u64,
            in_a_second: most_in_a_second(&all),
            of_one_in_a_second: of_one.max().unwrap_or(0),
            at_once: self.most_under_way,
            burst: burst_needed(&all, budget.qps),
            others: self.others,
        }
    }
}

/// The most times in any window of one second; the second itself no longer belongs to it.
fn most_in_a_second(times: &[Duration]) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, at) in times.iter().enumerate() {
        while times[first] + SECOND <= *at {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

/// The smallest bucket, filled at `qps`, that never runs dry when one token is taken at each time.
fn burst_needed(times: &[Duration], qps: f64) -> u32 {
    let (mut missing, mut most, mut before) = (0_f64, 0_f64, Duration::ZERO);
    for at in times {
        let filled = at.saturating_sub(before).as_secs_f64() * qps;
        missing = (missing - filled).max(0.0) + 1.0;
        most = most.max(missing);
        before = *at;
    }
    // The smallest whole number that is not below it; a search, since floats have no checked conversion.
    let mut whole = 0;
    while f64::from(whole) < most {
        whole += 1;
    }
    whole
}
