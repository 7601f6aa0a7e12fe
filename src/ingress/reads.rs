//! How often something may be read that strangers can cause to be read: a few times at once, then now and then.
//!
//! The clock is passed in; nothing is read here.

use std::time::Duration;

use tokio::time::Instant;

/// Reads that are earned one by one and saved up to a limit, kept as the moment at which all are there again.
#[derive(Debug)]
pub(super) struct Reads {
    interval: Duration,
    burst: u32,
    full_at: Option<Instant>,
}

impl Reads {
    pub(super) fn new(interval: Duration, burst: u32) -> Self {
        Self {
            interval,
            burst,
            full_at: None,
        }
    }

    /// Takes as many as there are, and no more than `wanted`; says how many.
    pub(super) fn take(&mut self, now: Instant, wanted: u32) -> u32 {
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        let missing = (full_at - now).as_nanos();
        let missing = missing.div_ceil(self.interval.as_nanos().max(1));
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let taken = self.burst.saturating_sub(missing).min(wanted);
        self.full_at = Some(full_at + self.interval.saturating_mul(taken));
        taken
    }

    /// Gives back what was taken and does not count.
    pub(super) fn give_back(&mut self, count: u32) {
        let back = self.interval.saturating_mul(count);
        self.full_at = self.full_at.and_then(|at| at.checked_sub(back));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    #[test]
    fn a_few_at_once_and_then_one_by_one() {
        let (mut reads, start) = (Reads::new(INTERVAL, 3), Instant::now());
        assert_eq!([2, 2, 2].map(|wanted| reads.take(start, wanted)), [2, 1, 0]);
        assert_eq!(reads.take(start + INTERVAL / 2, 1), 0);
        assert_eq!(reads.take(start + INTERVAL, 2), 1);
        assert_eq!(reads.take(start + INTERVAL * 100, 9), 3);
    }

    #[test]
    fn what_is_given_back_was_never_taken() {
        let (mut reads, start) = (Reads::new(INTERVAL, 1), Instant::now());
        for _ in 0..5 {
            assert_eq!(reads.take(start, 1), 1);
            reads.give_back(1);
        }
        assert_eq!([1, 1].map(|wanted| reads.take(start, wanted)), [1, 0]);
    }
}
