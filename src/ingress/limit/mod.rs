//! Slows down clients that fail to authenticate; those that succeed are never in its way.
//!
//! Only failures count. Those at an unknown path cost the client nothing but the search for that path, so that nobody
//! can make a host send to paths that are not there until that host is refused.

mod places;
mod quota;

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use governor::{
    Quota,
    clock::{Clock, DefaultClock, Reference as _},
};

use self::{
    places::{Fingerprint, Fingerprints, Places},
    quota::Bound,
};
use super::outcome::Rejection;
use crate::hook::ReceiverRef;

/// How many failures a client network may make at one Receiver: so many at once, and then so many a second.
const AT_RECEIVER: (u32, u32) = (20, 1);
/// The same at all Receivers: more than one Receiver's bound lets through, or ten, so that only who has many paths
/// comes near it.
const ANYWHERE: (u32, u32) = (300, 10);
/// How many paths of one client network are searched for in vain.
const SEARCHES: (u32, u32) = (50, 5);
/// How long an authentic delivery keeps its network from being slowed down.
const TRUST: Duration = Duration::from_hours(1);
/// How many pairs of client network and Receiver are remembered: with five thousand failures a second, each from
/// another network, those of more than six seconds, which is more than a failure counts.
const MAX_PAIRS: usize = 32_768;
/// How many client networks are.
const MAX_NETWORKS: usize = 8_192;

/// What failed and succeeded lately, by client network; the memory it takes is that of the constants, whoever comes.
///
/// A client is the network that one party is likely to hold, at one Receiver: behind a proxy, senders share an address
/// but not a Receiver.
pub(super) struct FailureLimit<C: Clock = DefaultClock> {
    fingerprints: Fingerprints,
    at_receiver: Bound<C>,
    anywhere: Bound<C>,
    searches: Bound<C>,
    /// When whom an authentic delivery came from last, in seconds since `start`.
    proved: Places,
    start: C::Instant,
    clock: C,
}

impl Default for FailureLimit {
    fn default() -> Self {
        Self::new(DefaultClock::default())
    }
}

impl<C: Clock + Clone> FailureLimit<C> {
    fn new(clock: C) -> Self {
        let bound = |(burst, per_second): (u32, u32), clients| {
            let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
            let quota = Quota::per_second(at_least_one(per_second));
            Bound::new(quota.allow_burst(at_least_one(burst)), clients, &clock)
        };
        Self {
            fingerprints: Fingerprints::default(),
            at_receiver: bound(AT_RECEIVER, MAX_PAIRS),
            anywhere: bound(ANYWHERE, MAX_NETWORKS),
            searches: bound(SEARCHES, MAX_NETWORKS),
            proved: Places::new(MAX_PAIRS),
            start: clock.now(),
            clock,
        }
    }

    /// Refuses a client that failed too often and has not proved itself lately.
    ///
    /// A network that failed too often everywhere is refused only while nobody from it proves himself anywhere.
    pub(super) fn check(&self, address: IpAddr, receiver: &ReceiverRef) -> Result<(), Rejection> {
        let Client { network, pair } = self.client(address, receiver);
        let at_receiver = self.at_receiver.wait(pair);
        let anywhere = self.anywhere.wait(network);
        let anywhere = anywhere.filter(|_| !self.trusts(network));
        match at_receiver.max(anywhere) {
            Some(retry_after) if !self.trusts(pair) => {
                Err(Rejection::TooManyFailures { retry_after })
            }
            _ => Ok(()),
        }
    }

    /// Counts a failure.
    pub(super) fn charge(&self, address: IpAddr, receiver: &ReceiverRef) {
        let Client { network, pair } = self.client(address, receiver);
        self.at_receiver.charge(pair);
        self.anywhere.charge(network);
    }

    /// Remembers that the client proved itself.
    pub(super) fn forgive(&self, address: IpAddr, receiver: &ReceiverRef) {
        let Client { network, pair } = self.client(address, receiver);
        let now = self.seconds();
        for client in [pair, network] {
            self.proved.change(client, |_| ((), Some(now)));
        }
    }

    /// Whether a path that the client asks for, and that is not known, is to be searched for.
    pub(super) fn may_search(&self, address: IpAddr) -> bool {
        let network = self.fingerprints.of(&network(address));
        self.searches.wait(network).is_none()
    }

    /// Counts a search that found nothing; who sends to a path that has just become one is not in the way of the others.
    pub(super) fn charge_search(&self, address: IpAddr) {
        let network = self.fingerprints.of(&network(address));
        self.searches.charge(network);
    }

    fn client(&self, address: IpAddr, receiver: &ReceiverRef) -> Client {
        let network = network(address);
        Client {
            network: self.fingerprints.of(&network),
            pair: self.fingerprints.of(&(network, receiver)),
        }
    }

    fn trusts(&self, client: Fingerprint) -> bool {
        let proved = self.proved.find(client);
        proved.is_some_and(|proved| self.seconds() - proved < TRUST.as_secs())
    }

    fn seconds(&self) -> u64 {
        let since: Duration = self.clock.now().duration_since(self.start).into();
        since.as_secs()
    }
}

/// Whom a delivery is from.
struct Client {
    network: Fingerprint,
    /// The network at one Receiver.
    pair: Fingerprint,
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
mod tests;
