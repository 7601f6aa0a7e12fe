//! The API budget of the process: a token bucket whose clock is passed in, and the handle that all clients share.
//!
//! It counts requests and sends none; who may go first when it is empty is for those who draw.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::api::rate::Rate;

/// How many turns are kept for triggers at most.
const MAX_KEPT: usize = 8;

/// The requests that this process may still send; clones share them.
///
/// Over any time `t` no more than `burst + t / interval` requests are let through.
#[derive(Clone)]
pub struct Budget(Arc<Mutex<Shares>>);

impl Budget {
    /// Makes a full budget.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self(Arc::new(Mutex::new(Shares::new(rate))))
    }

    /// Waits for one request's turn; those who wait are served in the order in which they came, and leave every other
    /// turn to triggers that wait too.
    pub async fn draw(&self) {
        let now = Instant::now();
        let turn = self.shares().draw(now);
        if turn > now {
            sleep_until(turn).await;
        }
    }

    /// Takes one request for a trigger, or says when there will be one, which is kept for it until then.
    pub(super) fn take(&self, now: Instant) -> Result<(), Instant> {
        self.shares().take(now)
    }

    /// Takes one request for work that can wait, provided that more than half of what can be saved up is there.
    pub(super) fn spare(&self, now: Instant) -> bool {
        let bucket = &mut self.shares().bucket;
        bucket.tokens(now) > bucket.rate.burst.get() / 2 && bucket.take(now).is_ok()
    }

    /// How many requests could be sent at once.
    pub(super) fn tokens(&self, now: Instant) -> u32 {
        self.shares().bucket.tokens(now)
    }

    fn shares(&self) -> MutexGuard<'_, Shares> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Budget")
            .field(&self.shares().bucket.rate)
            .finish()
    }
}

/// A token bucket, and who may draw from it when it is empty.
#[derive(Debug)]
struct Shares {
    bucket: Bucket,
    /// Turns that are kept for triggers.
    kept: VecDeque<Instant>,
    /// Whether triggers want more turns than are kept for them.
    wants_more: bool,
}

impl Shares {
    fn new(rate: Rate) -> Self {
        Self {
            bucket: Bucket::new(rate),
            kept: VecDeque::new(),
            wants_more: false,
        }
    }

    fn take(&mut self, now: Instant) -> Result<(), Instant> {
        // A turn that nobody took is not saved up.
        let interval = self.bucket.rate.interval;
        while self
            .kept
            .front()
            .is_some_and(|turn| *turn + interval <= now)
        {
            self.kept.pop_front();
        }
        if self.kept.front().is_some_and(|turn| *turn <= now) {
            self.kept.pop_front();
            return Ok(());
        }
        if self.bucket.take(now).is_ok() {
            return Ok(());
        }
        self.wants_more = true;
        if let Some(turn) = self.kept.front() {
            return Err(*turn);
        }
        let turn = self.bucket.reserve(now);
        self.kept.push_back(turn);
        Err(turn)
    }

    fn draw(&mut self, now: Instant) -> Instant {
        let turn = self.bucket.reserve(now);
        if self.wants_more && self.kept.len() < MAX_KEPT {
            self.wants_more = false;
            self.kept.push_back(self.bucket.reserve(now));
        }
        turn
    }
}

/// A token bucket, kept as the one moment at which it is full again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    rate: Rate,
    full_at: Option<Instant>,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            full_at: None,
        }
    }

    /// Takes a token that is there, or says when one is.
    fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let (turn, full_at) = self.next(now);
        if turn > now {
            return Err(turn);
        }
        self.full_at = Some(full_at);
        Ok(())
    }

    /// Takes a token even if it has still to be earned, and says when that is.
    pub(super) fn reserve(&mut self, now: Instant) -> Instant {
        let (turn, full_at) = self.next(now);
        self.full_at = Some(full_at);
        turn
    }

    /// What it was made for.
    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// When there is a token that is not taken yet.
    pub(super) fn next_turn(&self, now: Instant) -> Instant {
        self.next(now).0
    }

    /// Whether nothing has been taken that is not earned again.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.full_at.is_none_or(|at| at <= now)
    }

    fn tokens(&self, now: Instant) -> u32 {
        let missing = self
            .full_at
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let missing = missing
            .as_nanos()
            .div_ceil(self.rate.interval.as_nanos().max(1));
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        self.rate.burst.get().saturating_sub(missing)
    }

    /// When the next token can be spent, and when the bucket is full after that.
    fn next(&self, now: Instant) -> (Instant, Instant) {
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + self.rate.interval;
        let saved = self.rate.interval.saturating_mul(self.rate.burst.get());
        (full_at.checked_sub(saved).unwrap_or(now).max(now), full_at)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn rate(interval_millis: u64, burst: u32) -> Rate {
        Rate {
            interval: Duration::from_millis(interval_millis),
            burst: NonZeroU32::new(burst).unwrap(),
        }
    }

    /// Draws as fast as it goes for `seconds`, and says when each token came.
    fn drain(rate: Rate, seconds: u64) -> Vec<Duration> {
        let start = Instant::now();
        let (mut bucket, mut now, mut taken) = (Bucket::new(rate), start, Vec::new());
        while now < start + Duration::from_secs(seconds) {
            match bucket.take(now) {
                Ok(()) => taken.push(now - start),
                Err(at) => now = at,
            }
        }
        taken
    }

    #[test]
    fn no_window_has_more_than_the_burst_and_what_was_earned_in_it() {
        let rate = rate(20, 300);
        let taken = drain(rate, 20);
        assert_eq!(taken.len(), 300 + 50 * 20 - 1);
        for (first, start) in taken.iter().enumerate() {
            for (count, end) in (1_u128..).zip(&taken[first..]) {
                let window = end.saturating_sub(*start);
                let earned = window.as_nanos() / rate.interval.as_nanos();
                assert!(
                    count <= 300 + earned,
                    "{count} between {start:?} and {end:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_used_is_saved_up_to_the_burst() {
        let (mut bucket, now) = (Bucket::new(rate(20, 3)), Instant::now());
        assert_eq!(bucket.tokens(now), 3);
        for left in [2, 1, 0] {
            bucket.take(now).unwrap();
            assert_eq!(bucket.tokens(now), left);
        }
        let refused = bucket.take(now).unwrap_err();
        assert_eq!(refused - now, Duration::from_millis(20));
        assert_eq!(bucket.tokens(refused), 1);
        assert_eq!(bucket.tokens(now + Duration::from_mins(1)), 3);
    }

    #[test]
    fn triggers_get_every_other_turn_however_many_others_wait() {
        let (interval, start) = (Duration::from_millis(20), Instant::now());
        let mut shares = Shares::new(rate(20, 1));
        let mut waiting: Vec<Instant> = (0..8).map(|_| shares.draw(start)).collect();
        let (mut taken, mut drawn) = (0, 0);
        for tick in 0..1000_u32 {
            let now = start + interval * tick;
            for turn in &mut waiting {
                if *turn <= now {
                    drawn += 1;
                    *turn = shares.draw(now);
                }
            }
            while shares.take(now).is_ok() {
                taken += 1;
            }
        }
        assert!(taken + drawn <= 1001, "{taken} and {drawn}");
        assert!(taken >= 450, "{taken} and {drawn}");
        assert!(drawn >= 450, "{taken} and {drawn}");
    }

    #[test]
    fn a_turn_that_no_trigger_took_is_not_saved_up() {
        let (interval, start) = (Duration::from_millis(20), Instant::now());
        let mut shares = Shares::new(rate(20, 1));
        shares.take(start).unwrap();
        let turn = shares.take(start).unwrap_err();
        assert_eq!(turn, start + interval);
        assert_eq!(shares.take(turn), Ok(()));
        let late = shares.take(turn).unwrap_err() + interval;
        assert_eq!(shares.take(late), Ok(()), "what was earned meanwhile");
        assert!(shares.take(late).is_err());
    }

    #[test]
    fn those_who_wait_are_served_in_their_order_and_before_those_who_do_not() {
        let (mut bucket, now) = (Bucket::new(rate(20, 1)), Instant::now());
        let turns = [(); 3].map(|()| (bucket.reserve(now) - now).as_millis());
        assert_eq!(turns, [0, 20, 40]);
        let later = now + Duration::from_millis(20);
        assert_eq!((bucket.take(later).unwrap_err() - now).as_millis(), 60);
    }
}
