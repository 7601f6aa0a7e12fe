//! When each delivery is due: at a constant rate, or as soon as another is answered.
//!
//! In an open loop the time at which a delivery was due counts, not that at which it could be sent:
//! a gateway that stalls is charged for all that should have come meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use crate::arguments::Load;

/// The schedule that all connections share.
#[derive(Debug)]
pub(crate) struct Pace {
    began: Instant,
    next: AtomicU64,
    /// How many deliveries there are at most.
    total: u64,
    /// When a load without a number ends.
    until: Option<Instant>,
    beat: Option<Beat>,
}

/// The rate of an open loop.
#[derive(Debug)]
struct Beat {
    gap: Duration,
    /// One permit for each delivery that is due and not taken.
    due: Semaphore,
}

impl Pace {
    /// Begins a load now.
    pub(crate) fn begin(load: &Load) -> Arc<Self> {
        let began = Instant::now();
        let until = began + load.duration.get();
        let is_open = load.in_flight.is_none();
        let pace = Arc::new(Self {
            began,
            next: AtomicU64::new(0),
            total: load.deliveries.unwrap_or(u64::MAX),
            until: load.deliveries.is_none().then_some(until),
            beat: is_open.then(|| Beat {
                gap: Duration::from_secs(1) / load.rate,
                due: Semaphore::new(0),
            }),
        });
        if is_open {
            let beating = Arc::clone(&pace);
            thread::spawn(move || beating.beat());
        }
        pace
    }

    /// So many deliveries at once, as fast as they are answered.
    pub(crate) fn at_once(deliveries: u64) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            next: AtomicU64::new(0),
            total: deliveries,
            until: None,
            beat: None,
        })
    }

    /// Waits until the next delivery is due, and says which it is and since when it has been; none at the end.
    pub(crate) async fn next(&self) -> Option<(u64, Instant)> {
        let due = match &self.beat {
            Some(beat) => {
                beat.due.acquire().await.ok()?.forget();
                None
            }
            None => Some(Instant::now()),
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = due.unwrap_or_else(|| self.due(number));
        self.includes(number, due).then_some((number, due))
    }

    fn includes(&self, number: u64, due: Instant) -> bool {
        number < self.total && self.until.is_none_or(|until| due < until)
    }

    /// When a delivery of an open loop is due.
    fn due(&self, number: u64) -> Instant {
        let gap = self.beat.as_ref().map_or(Duration::ZERO, |beat| beat.gap);
        let late = gap.as_nanos().saturating_mul(u128::from(number));
        self.began + Duration::from_nanos(u64::try_from(late).unwrap_or(u64::MAX))
    }

    /// Lets deliveries become due, each at its time; a thread of its own, for timers of the runtime are coarse.
    fn beat(&self) {
        let Some(Beat { due, .. }) = &self.beat else {
            return;
        };
        let mut number = 0;
        loop {
            let at = self.due(number);
            if !self.includes(number, at) {
                // All who wait are to see that it is over.
                due.add_permits(usize::from(u16::MAX));
                return;
            }
            let wait = at.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                due.add_permits(1);
                number += 1;
            } else {
                thread::park_timeout(wait);
            }
        }
    }
}
