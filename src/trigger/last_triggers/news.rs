//! Which Receivers have something new to be told, and when: pure.
//!
//! Several gateways tell the same Receivers, so that what one of them told counts for all.

use std::{collections::HashMap, time::Duration};

use jiff::SignedDuration;
use tokio::time::Instant;

use crate::{api::last_trigger::LastTrigger, hook::ReceiverRef};

/// The shortest time between two writes to one Receiver.
const INTERVAL: Duration = Duration::from_mins(1);

/// How long deliveries are gathered before the first of them is told.
const GATHERING: Duration = Duration::from_secs(1);

/// How far ahead the clock of another gateway may be; what is written further ahead was not written by one.
const CREDIBLE: SignedDuration = SignedDuration::from_hours(1);

/// The Receivers that triggered something in the last minute, or have news.
#[derive(Debug, Default)]
pub(super) struct News(HashMap<ReceiverRef, Item>);

#[derive(Debug)]
struct Item {
    /// What is to be told.
    last: Option<LastTrigger>,
    /// When it may be told, or this is forgotten.
    due: Instant,
    /// What the Receiver said when one looked last.
    heard: Heard,
}

/// What a Receiver says, as far as one has looked.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    NotYet,
    This(Option<LastTrigger>),
}

impl News {
    /// A Receiver triggered something: says whether there is something to do earlier than was known.
    pub(super) fn note(&mut self, receiver: &ReceiverRef, last: LastTrigger, now: Instant) -> bool {
        if let Some(item) = self.0.get_mut(receiver) {
            let is_newer = item.last.as_ref().is_none_or(|known| known.at <= last.at);
            if is_newer {
                item.last = Some(last);
            }
            return false;
        }
        let item = Item {
            last: Some(last),
            due: now + GATHERING,
            heard: Heard::NotYet,
        };
        self.0.insert(receiver.clone(), item);
        true
    }

    /// When the next is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.values().map(|item| item.due).min()
    }

    /// What is to be told now, given what the Receiver says.
    ///
    /// It is put off for another minute if the Receiver was told by somebody else meanwhile.
    pub(super) fn next(
        &mut self,
        now: Instant,
        says: impl Fn(&ReceiverRef) -> Option<LastTrigger>,
    ) -> Option<(ReceiverRef, LastTrigger)> {
        let first = self.0.iter_mut().min_by_key(|(_, item)| item.due);
        let (receiver, item) = first.filter(|(_, item)| item.due <= now)?;
        let receiver = receiver.clone();
        let said = says(&receiver);
        let is_older = |last: &LastTrigger| {
            said.as_ref().is_some_and(|said| {
                let ahead = said.at.duration_since(last.at);
                !ahead.is_negative() && ahead < CREDIBLE
            })
        };
        let Some(last) = item.last.take_if(|last| !is_older(last)) else {
            self.0.remove(&receiver);
            return None;
        };
        item.due = now + INTERVAL;
        let was_told = item.was_told(said, &last);
        if was_told {
            item.last = Some(last);
            return None;
        }
        item.heard = Heard::This(Some(last.clone()));
        Some((receiver, last))
    }

    /// It did not work, and is told in a minute unless there is something newer by then.
    pub(super) fn again(&mut self, receiver: &ReceiverRef, last: LastTrigger) {
        if let Some(item) = self.0.get_mut(receiver) {
            item.last.get_or_insert(last);
        }
    }
}

impl Item {
    /// Whether somebody else told the Receiver since one looked, or at the first look less than a minute ago.
    fn was_told(&mut self, said: Option<LastTrigger>, last: &LastTrigger) -> bool {
        let was_told = match &self.heard {
            Heard::This(heard) => said.is_some() && *heard != said,
            Heard::NotYet => said
                .as_ref()
                .is_some_and(|said| last.at.duration_since(said.at).unsigned_abs() < INTERVAL),
        };
        self.heard = Heard::This(said);
        was_told
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn receiver() -> ReceiverRef {
        ReceiverRef {
            namespace: "apps".to_owned(),
            name: "ci".to_owned(),
        }
    }

    fn last(second: i64) -> LastTrigger {
        let at = Timestamp::from_second(1_800_000_000 + second).unwrap();
        LastTrigger::new(at, &second.to_string(), "push")
    }

    /// A gateway that looks every second; what the Receiver says is shared by all gateways.
    struct Gateway {
        news: News,
        start: Instant,
        written: Vec<(i64, LastTrigger)>,
    }

    impl Gateway {
        fn new() -> Self {
            Self {
                news: News::default(),
                start: Instant::now(),
                written: Vec::new(),
            }
        }

        fn instant(&self, second: i64) -> Instant {
            self.start + Duration::from_secs(second.unsigned_abs())
        }

        fn push(&mut self, second: i64) {
            self.news
                .note(&receiver(), last(second), self.instant(second));
        }

        fn look(&mut self, second: i64, said: &mut Option<LastTrigger>) {
            let now = self.instant(second);
            if let Some((_, last)) = self.news.next(now, |_| said.clone()) {
                self.written.push((second, last.clone()));
                *said = Some(last);
            }
        }

        fn seconds(&self) -> Vec<i64> {
            self.written.iter().map(|(second, _)| *second).collect()
        }
    }

    #[test]
    fn the_first_trigger_is_told_soon_and_the_last_of_a_minute_after_it() {
        let (mut gateway, mut said) = (Gateway::new(), None);
        for second in 0..200 {
            if second < 30 {
                gateway.push(second);
            }
            gateway.look(second, &mut said);
        }
        assert_eq!(gateway.written, [(1, last(1)), (61, last(29))]);
        assert!(gateway.news.0.is_empty(), "nothing is remembered for ever");
        assert_eq!(gateway.news.due(), None);
    }

    #[test]
    fn a_busy_receiver_is_told_once_a_minute_by_all_gateways_together() {
        let (mut one, mut other, mut said) = (Gateway::new(), Gateway::new(), None);
        for second in 0..3600 {
            one.push(second);
            other.push(second);
            one.look(second, &mut said);
            other.look(second, &mut said);
        }
        let mut all = [one.seconds(), other.seconds()].concat();
        all.sort_unstable();
        assert!(
            all.windows(2).all(|pair| pair[1] - pair[0] >= 59),
            "{all:?}"
        );
        assert!((59..=61).contains(&all.len()), "{all:?}");
    }

    #[test]
    fn a_gateway_that_starts_does_not_repeat_what_was_told_a_moment_ago() {
        let (mut gateway, mut said) = (Gateway::new(), Some(last(-10)));
        gateway.push(0);
        for second in 0..100 {
            gateway.look(second, &mut said);
        }
        assert_eq!(gateway.seconds(), [61]);
    }

    #[test]
    fn nothing_older_replaces_what_is_told() {
        let (mut gateway, mut said) = (Gateway::new(), Some(last(5)));
        gateway.push(0);
        gateway.look(1, &mut said);
        assert!(gateway.written.is_empty() && gateway.news.0.is_empty());
        let mut invented = Some(last(10_000_000));
        gateway.push(2);
        gateway.look(3, &mut invented);
        assert_eq!(invented, Some(last(2)), "nobody can have told that");
    }

    #[test]
    fn what_failed_is_told_a_minute_later_unless_there_is_something_newer() {
        let mut gateway = Gateway::new();
        gateway.push(0);
        let told = |gateway: &mut Gateway, second| {
            let now = gateway.instant(second);
            gateway.news.next(now, |_| None).map(|(_, last)| last)
        };
        assert_eq!(told(&mut gateway, 1), Some(last(0)));
        gateway.news.again(&receiver(), last(0));
        assert_eq!(told(&mut gateway, 60), None);
        assert_eq!(told(&mut gateway, 61), Some(last(0)));
        gateway.push(62);
        gateway.news.again(&receiver(), last(0));
        assert_eq!(told(&mut gateway, 121), Some(last(62)));
    }
}
