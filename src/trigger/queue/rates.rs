//! How many targets each Receiver may have triggered, and when the next: a token bucket for each that is busy.
//!
//! Pure. A bucket that is full again is forgotten, so that there are no more than Receivers that have sent lately.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use super::Claimant;
use crate::{api::rate::Rate, hook::ReceiverRef, trigger::budget::Bucket};

/// How many buckets there may be before full ones are looked for.
const FEW: usize = 64;

/// The buckets of all Receivers that have sent lately.
#[derive(Debug)]
pub(super) struct Rates {
    buckets: HashMap<Arc<ReceiverRef>, Bucket>,
    /// With so many buckets, full ones are looked for.
    many: usize,
}

impl Rates {
    pub(super) fn new() -> Self {
        Self {
            buckets: HashMap::new(),
            many: FEW,
        }
    }

    /// Takes a turn for one target, the next that there is, and says when it is; none if that is not before `limit`.
    pub(super) fn turn(
        &mut self,
        claimant: Claimant<'_>,
        limit: Option<Instant>,
        now: Instant,
    ) -> Option<Turn> {
        let Some((receiver, rate)) = claimant.receiver.zip(claimant.rate) else {
            let is_in_time = limit.is_none_or(|limit| now < limit);
            return is_in_time.then_some(Turn::at_once(now));
        };
        let (owner, bucket) = self.bucket(receiver, rate, now);
        if limit.is_some_and(|limit| bucket.next_turn(now) >= limit) {
            return None;
        }
        Some(Turn {
            at: bucket.reserve(now),
            owner: Some(owner),
        })
    }

    /// The bucket of a Receiver; a new rate begins with a full one.
    fn bucket(
        &mut self,
        receiver: &ReceiverRef,
        rate: Rate,
        now: Instant,
    ) -> (Arc<ReceiverRef>, &mut Bucket) {
        if self.buckets.len() >= self.many {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            self.many = FEW.max(2 * self.buckets.len());
        }
        let known = self.buckets.get_key_value(receiver);
        let owner = known.map_or_else(
            || Arc::new(receiver.clone()),
            |(owner, _)| Arc::clone(owner),
        );
        let bucket = self.buckets.entry(Arc::clone(&owner));
        let bucket = bucket.or_insert_with(|| Bucket::new(rate));
        if bucket.rate() != rate {
            *bucket = Bucket::new(rate);
        }
        (owner, bucket)
    }
}

/// When a target may be sent, and at whose expense.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) at: Instant,
    /// Nobody's where no rate applies.
    pub(super) owner: Option<Arc<ReceiverRef>>,
}

impl Turn {
    /// The turn of somebody whom no rate holds.
    pub(super) fn at_once(now: Instant) -> Self {
        Self {
            at: now,
            owner: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn receiver(name: &str) -> ReceiverRef {
        ReceiverRef {
            namespace: "apps".to_owned(),
            name: name.to_owned(),
        }
    }

    fn claimant<'r>(receiver: &'r ReceiverRef, rate: &str) -> Claimant<'r> {
        Claimant::sender(receiver, Some(rate.parse().unwrap()))
    }

    #[test]
    fn turns_come_at_once_and_then_at_the_rate() {
        let (mut rates, now, ci) = (Rates::new(), Instant::now(), receiver("ci"));
        let mut turn = |limit| rates.turn(claimant(&ci, "3/s"), limit, now);
        let waits: Vec<_> = (0..6)
            .map(|_| (turn(None).unwrap().at - now).as_millis())
            .collect();
        assert_eq!(waits, [0, 0, 0, 333, 666, 999]);
        let next = now + Duration::from_nanos(333_333_333) * 4;
        assert!(turn(Some(next)).is_none(), "not before then");
        let later = Some(next + Duration::from_nanos(1));
        assert_eq!(turn(later).unwrap().at, next, "it was not taken");
    }

    #[test]
    fn each_receiver_has_turns_of_its_own_and_a_new_rate_begins_anew() {
        let (mut rates, now) = (Rates::new(), Instant::now());
        let (ci, other) = (receiver("ci"), receiver("other"));
        let mut at = |receiver, rate| rates.turn(claimant(receiver, rate), None, now).unwrap().at;
        assert_eq!(at(&ci, "1/m"), now);
        assert_eq!(at(&ci, "1/m"), now + Duration::from_mins(1));
        assert_eq!(at(&other, "1/m"), now);
        assert_eq!(at(&ci, "2/m"), now);
    }

    #[test]
    fn without_a_rate_it_is_always_ones_turn() {
        let (mut rates, now) = (Rates::new(), Instant::now());
        for _ in 0..1000 {
            let turn = rates.turn(Claimant::sweep(), None, now).unwrap();
            assert_eq!((turn.at, turn.owner), (now, None));
        }
        assert_eq!(rates.buckets.len(), 0);
    }

    #[test]
    fn a_receiver_that_is_quiet_takes_no_memory() {
        let (mut rates, mut now) = (Rates::new(), Instant::now());
        for index in 0..100_000 {
            now += Duration::from_millis(10);
            rates.turn(claimant(&receiver(&index.to_string()), "10/s"), None, now);
            assert!(rates.buckets.len() <= FEW, "{}", rates.buckets.len());
        }
    }
}
