//! A dispatcher, an API server and a clock that are values, to run hours of traffic in no time.
//!
//! Only the queue and the budget are the real ones.

use std::{collections::HashMap, num::NonZeroU32, time::Duration};

use super::*;
use crate::{
    api::rate::Rate,
    hook::ReceiverRef,
    trigger::{budget::Budget, tests::target},
};

pub(super) type Answer = Result<(), Failure>;

/// How the API server answers a target at a time, and how long that takes.
type Server = Box<dyn FnMut(&Target, Duration) -> (Duration, Answer)>;

pub(super) struct Simulation {
    pub(super) queue: Queue<u32>,
    pub(super) now: Duration,
    start: Instant,
    budget: Budget,
    server: Server,
    flights: Vec<(Duration, Attempt, Answer)>,
    /// Each request, when it was sent.
    pub(super) sent: Vec<(Duration, Arc<Target>)>,
    /// What each object was annotated with last, and when that was sent.
    pub(super) annotated: HashMap<Arc<Target>, (Timestamp, Duration)>,
    pub(super) most_in_flight: usize,
}

impl Simulation {
    pub(super) fn new(
        per_second: u32,
        burst: u32,
        server: impl FnMut(&Target, Duration) -> (Duration, Answer) + 'static,
    ) -> Self {
        Self {
            queue: Queue::new(),
            now: Duration::ZERO,
            start: Instant::now(),
            budget: Budget::new(Rate {
                interval: Duration::from_secs(1) / per_second,
                burst: NonZeroU32::new(burst).unwrap(),
            }),
            server: Box::new(server),
            flights: Vec::new(),
            sent: Vec::new(),
            annotated: HashMap::new(),
            most_in_flight: 0,
        }
    }

    pub(super) fn deliver(&mut self, name: &str) -> Acceptance {
        self.deliver_from("ci", None, name)
    }

    /// A delivery to a Receiver that may have a rate.
    pub(super) fn deliver_from(
        &mut self,
        receiver: &str,
        rate: Option<&str>,
        name: &str,
    ) -> Acceptance {
        let (receiver, now) = (receiver_ref(receiver), self.at());
        let rate = rate.map(|rate| rate.parse().unwrap());
        let claimant = Claimant::sender(&receiver, rate);
        self.queue.accept(&target(name), claimant, now)
    }

    /// Lets time pass until a moment, with everything that happens on the way.
    pub(super) fn run_until(&mut self, end: Duration) {
        loop {
            let wake = self.dispatch();
            let answer = self.flights.iter().map(|(at, ..)| *at).min();
            let Some(next) = wake.into_iter().chain(answer).min().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            self.answer();
        }
    }

    /// Sends all that can be sent, and says when there may be more.
    fn dispatch(&mut self) -> Option<Duration> {
        loop {
            let now = self.at();
            match self.queue.next(now.instant) {
                Next::Nothing => return None,
                Next::At(at) => return Some(at - self.start),
                Next::Send => {}
            }
            if let Err(turn) = self.budget.take(now.instant) {
                self.queue.starve(turn);
                return Some(turn - self.start);
            }
            let attempt = self.queue.start(now).expect("something can be sent");
            let (took, answer) = (self.server)(&attempt.target, self.now);
            self.sent.push((self.now, Arc::clone(&attempt.target)));
            self.flights.push((self.now + took, attempt, answer));
            self.most_in_flight = self.most_in_flight.max(self.flights.len());
        }
    }

    fn answer(&mut self) {
        let now = self.at();
        let ended: Vec<_> = self
            .flights
            .extract_if(.., |(at, ..)| *at <= self.now)
            .collect();
        for (at, attempt, answer) in ended {
            self.queue.finish(&attempt, &answer, now.instant, 0.5);
            if answer.is_ok() {
                self.annotated.insert(attempt.target, (attempt.sent, at));
            }
        }
    }

    pub(super) fn pending(&self) -> usize {
        self.queue.load(self.at().instant).pending
    }

    pub(super) fn at(&self) -> Now {
        let since = jiff::SignedDuration::try_from(self.now).unwrap();
        Now {
            instant: self.start + self.now,
            date: Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24) + since,
        }
    }

    /// The most requests in any window of this length.
    pub(super) fn most_within(&self, window: Duration, of: Option<&str>) -> usize {
        let times: Vec<_> = self
            .sent
            .iter()
            .filter(|(_, target)| of.is_none_or(|name| target.name == name))
            .map(|(at, _)| *at)
            .collect();
        let within = |(index, start): (usize, &Duration)| {
            times[index..].partition_point(|at| *at < *start + window)
        };
        times.iter().enumerate().map(within).max().unwrap_or(0)
    }
}

pub(super) fn receiver_ref(name: &str) -> ReceiverRef {
    ReceiverRef {
        namespace: "apps".to_owned(),
        name: name.to_owned(),
    }
}

pub(super) fn failed(fault: Fault, retry_after: Option<Duration>) -> Answer {
    Err(Failure::Transient {
        fault,
        reason: "not now".to_owned(),
        retry_after,
    })
}

pub(super) fn forbidden() -> Answer {
    Err(Failure::Forbidden {
        reason: "not you".to_owned(),
    })
}

pub(super) fn refused() -> Answer {
    Err(Failure::Refused {
        reason: "not there".to_owned(),
    })
}
