//! Any sequence of marks, clears, writes that work, fail or half work, and crashes keeps what was acknowledged.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use super::{
    super::ledger::{Batch, Due, Ledger},
    super::*,
    mark, target, time,
};

fn ids() -> Ids {
    Ids::new(Bounds::DELIVERIES)
}

fn messages() -> Ids {
    Ids::new(Bounds::MESSAGES)
}

/// A source of choices that can be repeated.
struct Choices(u64);

impl Choices {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// A waiter is the target and the time of its mark; `None` waits for a flush.
type Waiter = Option<(Target, i64)>;

/// What the outside knows: the journal is driven, and its file is a map.
struct World {
    ledger: Ledger<Waiter>,
    file: HashMap<Target, Mark>,
    /// Whether the file may hold a write that failed.
    is_doubtful: bool,
    in_flight: Option<Batch<Waiter>>,
    /// Marks that were acknowledged and not cleared since.
    acknowledged: BTreeSet<(Target, i64)>,
    /// Marks that were asked for, acknowledged or not.
    asked: BTreeSet<(Target, i64)>,
    /// Cleared before they were acknowledged: they may be acknowledged and need not be kept.
    cleared: BTreeSet<(Target, i64)>,
    /// Whether nothing was lost in a crash: neither an acknowledgement nor the wish to clear.
    is_exact: bool,
    clock: i64,
    now: Instant,
}

impl World {
    fn new() -> Self {
        Self {
            ledger: Ledger::new([], ids(), messages()),
            file: HashMap::new(),
            is_doubtful: false,
            in_flight: None,
            acknowledged: BTreeSet::new(),
            asked: BTreeSet::new(),
            cleared: BTreeSet::new(),
            is_exact: true,
            clock: 0,
            now: Instant::now(),
        }
    }

    fn step(&mut self, choices: &mut Choices) {
        let target = target(&choices.below(3).to_string());
        self.clock += 1;
        match choices.below(9) {
            0..=2 => self.mark(
                &target,
                self.clock - i64::try_from(choices.below(3)).unwrap(),
            ),
            3 | 4 => self.clear(
                &target,
                self.clock - i64::try_from(choices.below(4)).unwrap(),
            ),
            5 | 6 if self.in_flight.is_none() => self.begin(),
            5 | 6 => self.end(true, true),
            7 => self.end(false, choices.below(2) == 0),
            _ if choices.below(4) == 0 => self.crash(choices.below(2) == 0),
            _ => self.ledger.flush(None),
        }
    }

    fn mark(&mut self, target: &Target, at: i64) {
        self.asked.insert((target.clone(), at));
        self.cleared.remove(&(target.clone(), at));
        self.ledger
            .mark(target, mark(at), Some((target.clone(), at)));
        assert_eq!(self.ledger.due(), Due::Now);
    }

    fn clear(&mut self, target: &Target, up_to: i64) {
        let is_cleared = |(of, at): &(Target, i64)| of == target && *at <= up_to;
        self.acknowledged.retain(|mark| !is_cleared(mark));
        self.cleared
            .extend(self.asked.iter().filter(|mark| is_cleared(mark)).cloned());
        for withdrawn in self.ledger.clear(target, time(up_to), self.now) {
            let withdrawn = withdrawn.expect("a flush is not withdrawn");
            assert!(
                is_cleared(&withdrawn),
                "{withdrawn:?} waits for a newer mark"
            );
        }
        assert_ne!(self.ledger.due(), Due::Never);
    }

    /// The writer takes a batch; after a failure it first amends the file.
    fn begin(&mut self) {
        let batch = self.ledger.take(time(self.clock));
        if self.is_doubtful && !batch.is_empty() {
            for (target, mark) in self.ledger.differences(&self.file, &ids(), &messages()) {
                apply(&mut self.file, target, mark);
            }
            self.is_doubtful = false;
        }
        self.in_flight = Some(batch);
    }

    fn end(&mut self, is_written: bool, is_applied: bool) {
        let Some(batch) = self.in_flight.take() else {
            return;
        };
        if is_written || is_applied {
            for (target, mark) in &batch.marks {
                apply(&mut self.file, target.clone(), mark.clone());
            }
        }
        self.is_doubtful |= !is_written && !batch.is_empty();
        let is_written = is_written || batch.is_empty();
        for told in self
            .ledger
            .settle(batch, is_written, self.now)
            .into_iter()
            .flatten()
        {
            if is_written && !self.cleared.contains(&told) {
                self.acknowledged.insert(told);
            }
        }
        self.check();
    }

    /// Everything in memory goes; a write in flight may have reached the disk.
    fn crash(&mut self, is_applied: bool) {
        if let Some(batch) = self.in_flight.take().filter(|_| is_applied) {
            for (target, mark) in batch.marks {
                apply(&mut self.file, target, mark);
            }
        }
        self.check();
        self.ledger = Ledger::new(self.file.clone(), ids(), messages());
        self.is_doubtful = false;
        self.is_exact = false;
    }

    /// Every acknowledged mark is covered by one in the file that is as new, and nothing in it was never asked for.
    fn check(&self) {
        for (target, at) in &self.acknowledged {
            let stored = self.file.get(target).map(|mark| mark.requested_at);
            assert!(
                stored >= Some(time(*at)),
                "{target} {at} is lost: {stored:?}"
            );
        }
        for (target, stored) in &self.file {
            let is_it =
                |(of, at): &&(Target, i64)| of == target && time(*at) == stored.requested_at;
            assert!(
                self.asked.iter().any(|mark| is_it(&mark)),
                "{target} is invented"
            );
        }
    }

    /// With a disk that works, the file ends up with the newest acknowledged marks and no others.
    fn check_settled(&mut self) {
        self.end(true, true);
        for _ in 0..2 {
            self.begin();
            self.end(true, true);
        }
        let mut newest = HashMap::new();
        for (target, at) in &self.acknowledged {
            newest.insert(target.clone(), time(*at));
        }
        let stored: HashMap<_, _> = self
            .file
            .iter()
            .map(|(of, mark)| (of.clone(), mark.requested_at))
            .collect();
        if self.is_exact && !self.is_doubtful {
            assert_eq!(stored, newest);
        }
        assert_eq!(self.ledger.due(), Due::Never);
    }
}

fn apply(file: &mut HashMap<Target, Mark>, target: Target, mark: Option<Mark>) {
    match mark {
        Some(mark) => file.insert(target, mark),
        None => file.remove(&target),
    };
}

#[test]
fn nothing_acknowledged_is_ever_lost() {
    for seed in 0..3000 {
        let mut choices = Choices(seed);
        let mut world = World::new();
        for _ in 0..60 {
            world.step(&mut choices);
        }
        world.check_settled();
    }
}

#[test]
fn marks_collapse_to_the_newest_and_all_are_told() {
    let now = Instant::now();
    let mut ledger = Ledger::new([], ids(), messages());
    for at in [2, 5, 3] {
        ledger.mark(&target("web"), mark(at), at);
    }
    let batch = ledger.take(time(9));
    assert_eq!(batch.marks, [(target("web"), Some(mark(5)))]);
    assert_eq!(ledger.settle(batch, true, now), [2, 5, 3]);
    ledger.mark(&target("web"), mark(4), 4);
    let batch = ledger.take(time(9));
    assert_eq!(batch.marks, [], "a newer one is there");
    assert_eq!(ledger.settle(batch, true, now), [4]);
}

#[test]
fn a_withdrawn_mark_costs_no_write() {
    let now = Instant::now();
    let mut ledger = Ledger::new([], ids(), messages());
    ledger.mark(&target("web"), mark(1), 1);
    assert_eq!(ledger.clear(&target("web"), time(0), now), [0; 0]);
    assert_eq!(ledger.clear(&target("web"), time(1), now), [1]);
    assert_eq!(ledger.due(), Due::At(now + Duration::from_secs(1)));
    let batch = ledger.take(time(9));
    assert_eq!(batch.marks, []);
    assert_eq!(batch.ids.put.len(), 1, "its id is kept");
    let _ = ledger.settle(batch, true, now);
    assert_eq!(ledger.due(), Due::Never);
}

#[test]
fn a_clear_while_its_mark_is_written_comes_after_it() {
    let now = Instant::now();
    let mut ledger = Ledger::new([], ids(), messages());
    ledger.mark(&target("web"), mark(1), 1);
    let writing = ledger.take(time(9));
    assert_eq!(ledger.clear(&target("web"), time(1), now), [0; 0]);
    assert_eq!(ledger.settle(writing, true, now), [1]);
    assert_eq!(ledger.take(time(9)).marks, [(target("web"), None)]);
}

#[test]
fn a_clear_survives_a_write_that_failed() {
    let now = Instant::now();
    let mut ledger: Ledger<()> = Ledger::new([(target("web"), mark(1))], ids(), messages());
    let _ = ledger.clear(&target("web"), time(1), now);
    let failed = ledger.take(time(9));
    assert_eq!(ledger.due(), Due::Never);
    let _ = ledger.settle(failed, false, now);
    assert_ne!(ledger.due(), Due::Never, "it is tried again by itself");
    assert_eq!(ledger.take(time(9)).marks, [(target("web"), None)]);
}
