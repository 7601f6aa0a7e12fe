//! Slows down clients that fail to authenticate; those that succeed are never in its way.
//!
//! Only failures at a known path count: a path that nobody has cannot be used up by a stranger.

use std::{
    collections::HashMap,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock as _};

use super::outcome::Rejection;
use crate::hook::ReceiverRef;

/// How many failures a client may make at once.
const BURST: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// How often it may fail after that.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(1).unwrap();
/// How long an authentic delivery keeps its network from being slowed down.
const TRUST: Duration = Duration::from_hours(1);
/// How many pairs of client and Receiver are remembered.
const MAX_CLIENTS: usize = 10_000;

/// A client network at one Receiver: behind a proxy, senders share an address but not a Receiver.
type Client = (IpAddr, ReceiverRef);

pub(super) struct FailureLimit {
    failures: DefaultKeyedRateLimiter<Client>,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    /// Until when a client is refused.
    blocked: HashMap<Client, Instant>,
    /// When a client last proved itself.
    trusted: HashMap<Client, Instant>,
}

impl Default for FailureLimit {
    fn default() -> Self {
        let quota = Quota::per_second(PER_SECOND).allow_burst(BURST);
        Self {
            failures: DefaultKeyedRateLimiter::keyed(quota),
            books: Mutex::default(),
        }
    }
}

impl FailureLimit {
    /// Refuses a client that failed too often and has not proved itself lately.
    pub(super) fn check(&self, address: IpAddr, receiver: &ReceiverRef) -> Result<(), Rejection> {
        let books = self.books();
        if books.blocked.is_empty() {
            return Ok(());
        }
        let client = (network(address), receiver.clone());
        let now = Instant::now();
        let left = books
            .blocked
            .get(&client)
            .map(|until| until.saturating_duration_since(now));
        match left.filter(|left| !left.is_zero()) {
            Some(retry_after) if !books.trusts(&client, now) => {
                Err(Rejection::TooManyFailures { retry_after })
            }
            _ => Ok(()),
        }
    }

    /// Counts a failure.
    pub(super) fn charge(&self, address: IpAddr, receiver: &ReceiverRef) {
        let client = (network(address), receiver.clone());
        if self.failures.len() >= MAX_CLIENTS {
            self.failures.retain_recent();
            self.failures.shrink_to_fit();
        }
        if self.failures.len() >= MAX_CLIENTS {
            return;
        }
        if let Err(until) = self.failures.check_key(&client) {
            let wait = until.wait_time_from(self.failures.clock().now());
            self.books().block(client, Instant::now() + wait);
        }
    }

    /// Remembers that the client proved itself.
    pub(super) fn forgive(&self, address: IpAddr, receiver: &ReceiverRef) {
        let client = (network(address), receiver.clone());
        self.books().trust(client, Instant::now());
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn trusts(&self, client: &Client, now: Instant) -> bool {
        self.trusted
            .get(client)
            .is_some_and(|proved| now.duration_since(*proved) < TRUST)
    }

    fn block(&mut self, client: Client, until: Instant) {
        if self.blocked.len() >= MAX_CLIENTS {
            let now = Instant::now();
            self.blocked.retain(|_, until| *until > now);
        }
        if self.blocked.len() < MAX_CLIENTS {
            self.blocked.insert(client, until);
        }
    }

    fn trust(&mut self, client: Client, now: Instant) {
        if self.trusted.len() >= MAX_CLIENTS && !self.trusted.contains_key(&client) {
            self.trusted
                .retain(|_, proved| now.duration_since(*proved) < TRUST);
        }
        if self.trusted.len() < MAX_CLIENTS || self.trusted.contains_key(&client) {
            self.trusted.insert(client, now);
        }
    }
}

/// The network that one party is likely to hold: /24 of IPv4, /64 of IPv6.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(name: &str) -> ReceiverRef {
        ReceiverRef {
            namespace: "default".to_owned(),
            name: name.to_owned(),
        }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn exhausted(client: &str, name: &str) -> FailureLimit {
        let limit = FailureLimit::default();
        for _ in 0..=BURST.get() {
            assert!(limit.check(address(client), &receiver(name)).is_ok());
            limit.charge(address(client), &receiver(name));
        }
        limit
    }

    #[test]
    fn too_many_failures_block_the_network_at_that_receiver_only() {
        let limit = exhausted("192.0.2.1", "a");
        for (client, name, blocked) in [
            ("192.0.2.1", "a", true),
            ("192.0.2.250", "a", true),
            ("::ffff:192.0.2.9", "a", true),
            ("192.0.3.1", "a", false),
            ("192.0.2.1", "b", false),
        ] {
            assert_eq!(
                limit.check(address(client), &receiver(name)).is_err(),
                blocked,
                "{client} {name}"
            );
        }
    }

    #[test]
    fn a_client_that_proved_itself_is_not_blocked() {
        let limit = exhausted("2001:db8::1", "a");
        assert!(limit.check(address("2001:db8::2"), &receiver("a")).is_err());
        limit.forgive(address("2001:db8::3"), &receiver("a"));
        assert!(limit.check(address("2001:db8::1"), &receiver("a")).is_ok());
    }
}
