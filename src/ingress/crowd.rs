//! Whether all clients seem to be one, as they do behind a proxy that nobody named: a limit for one client would then
//! keep out all.
//!
//! Only proven deliveries tell, so that a stranger cannot free himself of a limit; what is limited is not known here.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tracing::warn;

use super::{caller::Caller, limit::network};
use crate::{
    hook::ReceiverRef,
    telemetry::{Metrics, ProxySign},
};

/// To how many Receivers a network must bring proven deliveries to be taken for that of a proxy.
const FEWEST_RECEIVERS: usize = 3;
/// Of how many in ten pairs of network and Receiver that must be the network, if it does not say that it is a proxy.
const OF_TEN: usize = 9;
/// For how long a proven delivery tells of its network.
const WINDOW: Duration = Duration::from_hours(24);
/// How often proofs are looked through for those that are too old.
const TIDY_INTERVAL: Duration = Duration::from_mins(1);
/// How many pairs of network and Receiver are remembered; of more, the half that was proven last.
const MAX_PAIRS: usize = 1024;

/// Watches where proven deliveries come from.
pub(super) struct Crowd {
    /// Whether the operator named proxies, so that addresses are those of clients.
    proxies_are_named: bool,
    metrics: Metrics,
    books: Mutex<Books>,
    told: [AtomicBool; 2],
}

impl Crowd {
    pub(super) fn new(proxies_are_named: bool, metrics: Metrics) -> Self {
        Self {
            proxies_are_named,
            metrics,
            books: Mutex::new(Books::new(Instant::now())),
            told: Default::default(),
        }
    }

    /// A sender has proven itself.
    pub(super) fn note(&self, caller: &Caller, receiver: &ReceiverRef) {
        let network = network(caller.address);
        self.books()
            .note(network, receiver, caller.is_disbelieved, Instant::now());
        if caller.is_disbelieved && self.tell(ProxySign::UntrustedForwardedFor) {
            let peer = caller.address;
            warn!(%peer, "deliveries have X-Forwarded-For from a peer that is not trusted, so that all who come through it count as one client: if it is your proxy, name its network in --trusted-proxies");
        }
    }

    /// What a limit for one client says, unless the client seems to be all of them.
    pub(super) fn unless_shared<E>(&self, client: IpAddr, limited: Result<(), E>) -> Result<(), E> {
        if limited.is_ok() || self.proxies_are_named {
            return limited;
        }
        let network = network(client);
        if !self.books().is_shared(network, Instant::now()) {
            return limited;
        }
        if self.tell(ProxySign::SharedAddress) {
            warn!(%network, "a client fails too often, and practically all deliveries come from its network: limits for one client are left aside, so that the others are not kept out; if it is that of your proxy, name it in --trusted-proxies");
        }
        Ok(())
    }

    /// Counts a sign; true when it is the first of its kind.
    fn tell(&self, sign: ProxySign) -> bool {
        self.metrics.proxy_sign(sign);
        let [forwarded, shared] = &self.told;
        let told = match sign {
            ProxySign::UntrustedForwardedFor => forwarded,
            ProxySign::SharedAddress => shared,
        };
        !told.swap(true, Ordering::Relaxed)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Books {
    proofs: HashMap<(IpAddr, ReceiverRef), Proof>,
    /// What the proofs of each network come to.
    networks: HashMap<IpAddr, Sum>,
    tidied: Instant,
}

#[derive(Clone, Copy)]
struct Proof {
    at: Instant,
    is_forwarded: bool,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    receivers: usize,
    forwarded: usize,
}

impl Sum {
    fn add(&mut self, proof: Proof) {
        self.receivers += 1;
        self.forwarded += usize::from(proof.is_forwarded);
    }
}

impl Books {
    fn new(now: Instant) -> Self {
        Self {
            proofs: HashMap::new(),
            networks: HashMap::new(),
            tidied: now,
        }
    }

    fn note(&mut self, network: IpAddr, receiver: &ReceiverRef, is_forwarded: bool, now: Instant) {
        let pair = (network, receiver.clone());
        let proof = Proof {
            at: now,
            is_forwarded,
        };
        if let Some(known) = self.proofs.get_mut(&pair) {
            let has_changed = known.is_forwarded != is_forwarded;
            *known = proof;
            if has_changed {
                self.recount();
            }
            return;
        }
        if self.proofs.len() >= MAX_PAIRS {
            self.make_room();
        }
        self.proofs.insert(pair, proof);
        self.networks.entry(network).or_default().add(proof);
    }

    /// Whether a network brings practically all that is proven, or says that it speaks for others, for several Receivers.
    fn is_shared(&mut self, network: IpAddr, now: Instant) -> bool {
        if now.duration_since(self.tidied) >= TIDY_INTERVAL {
            self.tidied = now;
            let is_recent = |proof: &Proof| now.duration_since(proof.at) < WINDOW;
            self.proofs.retain(|_, proof| is_recent(proof));
            self.recount();
        }
        let sum = self.networks.get(&network).copied().unwrap_or_default();
        let is_nearly_all = sum.receivers * 10 >= self.proofs.len() * OF_TEN;
        sum.forwarded >= FEWEST_RECEIVERS || sum.receivers >= FEWEST_RECEIVERS && is_nearly_all
    }

    /// Forgets the half that was proven first.
    fn make_room(&mut self) {
        let mut times: Vec<_> = self.proofs.values().map(|proof| proof.at).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        self.proofs.retain(|_, proof| proof.at > median);
        self.recount();
    }

    fn recount(&mut self) {
        self.networks.clear();
        for ((network, _), proof) in &self.proofs {
            self.networks.entry(*network).or_default().add(*proof);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(name: usize) -> ReceiverRef {
        ReceiverRef {
            namespace: "default".to_owned(),
            name: name.to_string(),
        }
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, last, 0])
    }

    const PROXY: u8 = 1;

    /// Proven deliveries from a network for so many Receivers.
    fn proven(books: &mut Books, network: u8, receivers: usize, is_forwarded: bool, now: Instant) {
        for name in 0..receivers {
            books.note(address(network), &receiver(name), is_forwarded, now);
        }
    }

    #[test]
    fn a_network_that_brings_all_deliveries_of_several_receivers_is_shared() {
        let now = Instant::now();
        let mut books = Books::new(now);
        for receivers in 1..FEWEST_RECEIVERS {
            proven(&mut books, PROXY, receivers, false, now);
            assert!(!books.is_shared(address(PROXY), now), "{receivers}");
        }
        proven(&mut books, PROXY, FEWEST_RECEIVERS, false, now);
        assert!(books.is_shared(address(PROXY), now));
        assert!(!books.is_shared(address(2), now), "it proved nothing");
    }

    #[test]
    fn one_busy_receiver_is_not_several() {
        let now = Instant::now();
        let mut books = Books::new(now);
        for _ in 0..100 {
            proven(&mut books, PROXY, 1, true, now);
        }
        assert!(!books.is_shared(address(PROXY), now));
    }

    #[test]
    fn where_clients_have_networks_of_their_own_none_is_shared() {
        let now = Instant::now();
        let mut books = Books::new(now);
        proven(&mut books, 1, 20, false, now);
        proven(&mut books, 2, 3, false, now);
        assert!(!books.is_shared(address(1), now));
        assert!(!books.is_shared(address(2), now));
        proven(&mut books, 1, 40, false, now);
        assert!(books.is_shared(address(1), now), "practically all");
    }

    #[test]
    fn a_network_that_says_it_is_a_proxy_need_not_bring_all() {
        let now = Instant::now();
        let mut books = Books::new(now);
        proven(&mut books, 1, 5, true, now);
        proven(&mut books, 2, 5, true, now);
        proven(&mut books, 3, 5, false, now);
        let shared = [1, 2, 3].map(|network| books.is_shared(address(network), now));
        assert_eq!(shared, [true, true, false]);
        proven(&mut books, 1, 5, false, now);
        assert!(!books.is_shared(address(1), now), "it no longer says so");
    }

    #[test]
    fn what_was_proven_long_ago_tells_nothing() {
        let now = Instant::now();
        let mut books = Books::new(now);
        proven(&mut books, PROXY, 5, true, now);
        assert!(books.is_shared(address(PROXY), now + WINDOW / 2));
        assert!(!books.is_shared(address(PROXY), now + WINDOW));
        assert!(books.proofs.is_empty() && books.networks.is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_latest() {
        let now = Instant::now();
        let mut books = Books::new(now);
        for index in 0..10 * MAX_PAIRS {
            let at = now + Duration::from_millis(index.try_into().unwrap());
            books.note(address(PROXY), &receiver(index), false, at);
            assert!(books.proofs.len() <= MAX_PAIRS);
        }
        let last = (address(PROXY), receiver(10 * MAX_PAIRS - 1));
        assert!(books.proofs.contains_key(&last));
        let sums = books.networks.values().map(|sum| sum.receivers);
        assert_eq!(sums.sum::<usize>(), books.proofs.len());
    }

    fn crowd(proxies_are_named: bool) -> Crowd {
        let crowd = Crowd::new(proxies_are_named, Metrics::new());
        let caller = Caller {
            address: address(PROXY),
            is_disbelieved: false,
            certificate: crate::ingress::tls::ClientCertificate::NotAskedFor,
        };
        for name in 0..FEWEST_RECEIVERS {
            crowd.note(&caller, &receiver(name));
        }
        crowd
    }

    #[test]
    fn a_limit_steps_aside_for_a_shared_address_and_is_counted() {
        let crowd = crowd(false);
        let client = IpAddr::from([192, 0, PROXY, 77]);
        assert_eq!(crowd.unless_shared(client, Err("limited")), Ok(()));
        assert_eq!(
            crowd.unless_shared(address(2), Err("limited")),
            Err("limited")
        );
        let metrics = crowd.metrics.encode();
        let counted = "hookgate_unnamed_proxy_signs_total{sign=\"shared-address\"} 1";
        assert!(metrics.contains(counted), "{metrics}");
    }

    #[test]
    fn a_limit_holds_where_proxies_are_named() {
        let limited = crowd(true).unless_shared(address(PROXY), Err("limited"));
        assert_eq!(limited, Err("limited"));
    }
}
