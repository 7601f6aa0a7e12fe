//! Every accepted delivery leads to a patch that is sent after it, in whatever order things happen.
//!
//! Things are acceptances, patches, commits of the journal, jumps of the date, and the end of the process at any moment.

use super::*;

/// A journal in memory, with the same promises as the one on disk.
#[derive(Default)]
struct Journal {
    on_disk: HashMap<Arc<Target>, Timestamp>,
    writing: Vec<(u64, Arc<Target>, Timestamp)>,
    clearing: Vec<(Arc<Target>, Timestamp)>,
}

/// What was promised to a sender: a patch that begins after this step.
struct Promise {
    target: Arc<Target>,
    step: u64,
}

struct World {
    random: u64,
    step: u64,
    start: Instant,
    elapsed: Duration,
    date: Timestamp,
    queue: Queue<u64>,
    journal: Journal,
    flights: Vec<(u64, Attempt)>,
    promises: Vec<Promise>,
    /// The step in which the newest patch of an object that worked was begun.
    patched: HashMap<Arc<Target>, u64>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            step: 0,
            start: Instant::now(),
            elapsed: Duration::ZERO,
            date: Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(1_000_000 / 24),
            queue: Queue::new(),
            journal: Journal::default(),
            flights: Vec::new(),
            promises: Vec::new(),
            patched: HashMap::new(),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 33).unwrap() % bound
    }

    fn now(&self) -> Now {
        Now {
            instant: self.start + self.elapsed,
            date: self.date,
        }
    }

    fn act(&mut self) {
        self.step += 1;
        match self.below(20) {
            0..=6 => self.deliver(),
            7..=10 => self.send(),
            11..=14 => self.answer(),
            15..=16 => self.commit(),
            17 => {
                let wait = self.below(3000);
                self.elapsed += MILLISECOND * u32::try_from(wait).unwrap();
            }
            18 => {
                let jump = i64::try_from(self.below(100_000)).unwrap() - 50_000;
                self.date += jiff::SignedDuration::from_millis(jump);
            }
            _ => self.crash(),
        }
    }

    fn deliver(&mut self) {
        let name = format!("app-{}", self.below(3));
        let receiver = receiver_ref(&self.below(3).to_string());
        let rates = [None, Some("1/s"), Some("3/m"), Some("100/s")];
        let rate = rates[self.below(rates.len())].map(|rate| rate.parse().unwrap());
        let (claimant, now) = (Claimant::sender(&receiver, rate), self.now());
        let accepted = self.queue.accept(&target(&name), claimant, now);
        let target = Arc::clone(&accepted.target);
        if accepted.is_durable {
            let step = self.step;
            self.promises.push(Promise { target, step });
            return;
        }
        let until = now.instant + SECOND * 2;
        self.queue.wait(&accepted, until, now.instant, self.step);
        let mark = (self.step, target, accepted.stamp);
        self.journal.writing.push(mark);
    }

    fn send(&mut self) {
        let now = self.now();
        if self.queue.next(now.instant) == Next::Send {
            let attempt = self.queue.start(now).unwrap();
            self.flights.push((self.step, attempt));
        }
    }

    fn answer(&mut self) {
        if self.flights.is_empty() {
            return;
        }
        let index = self.below(self.flights.len());
        let (begun, attempt) = self.flights.remove(index);
        let answer = match self.below(6) {
            0 => failed(Fault::Request, None),
            1 => failed(Fault::Away, None),
            2 => failed(Fault::Busy, Some(SECOND)),
            3 => forbidden(),
            _ => Ok(()),
        };
        self.end(begun, &attempt, &answer);
    }

    fn end(&mut self, begun: u64, attempt: &Attempt, answer: &simulation::Answer) {
        let now = self.now();
        let ended = self.queue.finish(attempt, answer, now.instant, 0.5);
        if answer.is_ok() {
            self.patched.insert(Arc::clone(&attempt.target), begun);
        }
        if ended.is_cleared {
            let target = Arc::clone(&attempt.target);
            self.journal
                .writing
                .retain(|(_, marked, stamp)| *marked != target || *stamp > attempt.sent);
            self.journal.clearing.push((target, attempt.sent));
        }
        if answer.is_ok() {
            // A sender who was told that it is done has been promised no more than that.
            for step in ended.told {
                let target = Arc::clone(&attempt.target);
                assert!(
                    begun > step,
                    "the patch of {target} began before the delivery"
                );
            }
        }
    }

    /// One transaction: what is cleared goes, what is marked stays.
    fn commit(&mut self) {
        for (target, up_to) in self.journal.clearing.drain(..) {
            if self
                .journal
                .on_disk
                .get(&target)
                .is_some_and(|mark| *mark <= up_to)
            {
                self.journal.on_disk.remove(&target);
            }
        }
        for (step, target, stamp) in self.journal.writing.drain(..) {
            let mark = self
                .journal
                .on_disk
                .entry(Arc::clone(&target))
                .or_insert(stamp);
            *mark = stamp.max(*mark);
            self.queue.written(&target, stamp);
            self.promises.push(Promise { target, step });
        }
    }

    /// The process ends; requests on their way may have arrived or not.
    fn crash(&mut self) {
        for (begun, attempt) in std::mem::take(&mut self.flights) {
            if self.below(2) == 0 {
                self.patched.insert(attempt.target, begun);
            }
        }
        self.journal.writing.clear();
        self.journal.clearing.clear();
        self.queue = Queue::new();
        let now = self.now();
        for (target, stamp) in &self.journal.on_disk {
            let target = Target::clone(target);
            self.queue.restore(target, *stamp, Priority::Delivery, now);
        }
    }

    /// From here on everything works.
    fn settle(&mut self) {
        for _ in 0..1000 {
            self.step += 1;
            self.send();
            while let Some((begun, attempt)) = self.flights.pop() {
                self.end(begun, &attempt, &Ok(()));
            }
            self.elapsed += SECOND * 10;
        }
        self.commit();
    }

    fn check(&self) {
        assert_eq!(self.queue.load(self.now().instant).pending, 0);
        assert!(
            self.journal.on_disk.is_empty(),
            "{:?}",
            self.journal.on_disk
        );
        for Promise { target, step } in &self.promises {
            let begun = self.patched.get(target);
            assert!(
                begun.is_some_and(|begun| begun > step),
                "{target} was accepted in step {step}, and last patched by one begun in {begun:?}"
            );
        }
    }
}

#[test]
fn every_accepted_delivery_leads_to_a_patch_that_is_sent_after_it() {
    let mut promises = 0;
    for seed in 0..1000 {
        let mut world = World::new(seed);
        for _ in 0..200 {
            world.act();
        }
        world.settle();
        world.check();
        promises += world.promises.len();
    }
    assert!(promises > 20_000, "{promises}");
}
