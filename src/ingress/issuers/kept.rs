//! What is kept of the keys of one issuer, and when they are fetched again.
//!
//! Plain state that is told the time; it fetches nothing itself.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::hook::{Discovery, IssuerKeys, KeyRequest};

/// The shortest time between two fetches from one issuer, whoever asks for them.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);
/// How long keys are used while the issuer does not answer; after that they may have been withdrawn long ago.
const LONGEST_OUTAGE: Duration = Duration::from_hours(7 * 24);

/// A document and for how long it need not be fetched again.
#[derive(Clone, Debug)]
pub(super) struct Fresh<T> {
    pub(super) document: T,
    pub(super) lifetime: Duration,
}

/// What one fetch came to.
#[derive(Debug, Default)]
pub(super) struct Harvest {
    /// The discovery document, if it was fetched.
    pub(super) discovery: Option<Fresh<Discovery>>,
    /// The keys, if they could be fetched.
    pub(super) keys: Option<Fresh<IssuerKeys>>,
}

/// What is kept of one issuer.
#[derive(Debug, Default)]
pub(super) struct Kept {
    discovery: Option<(Discovery, Instant)>,
    keys: Option<Keys>,
    last_fetch: Option<Instant>,
    has_failed: bool,
}

#[derive(Debug)]
struct Keys {
    set: Arc<IssuerKeys>,
    fresh_until: Instant,
    fetched: Instant,
}

/// What to do for a delivery.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plan {
    /// Judge it by these keys.
    Use(Arc<IssuerKeys>),
    /// The same, and fetch newer ones for others.
    UseAndFetch(Arc<IssuerKeys>),
    /// Fetch, or wait for the fetch that is under way.
    Fetch,
    /// Nobody can tell before this time is over.
    Wait(Duration),
}

impl Kept {
    /// What to do for a delivery that needs keys.
    pub(super) fn plan(&self, request: &KeyRequest, now: Instant, is_fetching: bool) -> Plan {
        let wait = self.last_fetch.map_or(Duration::ZERO, |last_fetch| {
            (last_fetch + INTERVAL).saturating_duration_since(now)
        });
        let may_fetch = is_fetching || wait.is_zero();
        let Some(known) = self.known(now) else {
            return if may_fetch {
                Plan::Fetch
            } else {
                Plan::Wait(wait)
            };
        };
        let (is_fresh, keys) = (now < known.fresh_until, Arc::clone(&known.set));
        match (keys.suffice_for(request), may_fetch) {
            (true, _) if is_fresh => Plan::Use(keys),
            (true, true) if self.has_failed => Plan::UseAndFetch(keys),
            (_, true) => Plan::Fetch,
            (false, false) if self.has_failed => Plan::Wait(wait),
            (_, false) => Plan::Use(keys),
        }
    }

    /// What can be said after a fetch, without another.
    pub(super) fn answer(
        &self,
        request: &KeyRequest,
        now: Instant,
    ) -> Result<Arc<IssuerKeys>, Duration> {
        let known = self.known(now).map(|known| &known.set);
        let known = known.filter(|keys| !self.has_failed || keys.suffice_for(request));
        known.cloned().ok_or(INTERVAL)
    }

    /// A fetch begins; says what is known of where the keys are.
    pub(super) fn begin(&mut self, now: Instant) -> Option<Discovery> {
        self.last_fetch = Some(now);
        let known = self.discovery.as_ref();
        known
            .filter(|(_, fresh_until)| now < *fresh_until)
            .map(|(discovery, _)| discovery.clone())
    }

    /// A fetch has ended.
    pub(super) fn end(&mut self, harvest: Harvest, now: Instant) {
        self.has_failed = harvest.keys.is_none();
        if let Some(fresh) = harvest.discovery {
            self.discovery = Some((fresh.document, now + fresh.lifetime));
        }
        if let Some(fresh) = harvest.keys {
            self.keys = Some(Keys {
                set: Arc::new(fresh.document),
                fresh_until: now + fresh.lifetime,
                fetched: now,
            });
        }
    }

    fn known(&self, now: Instant) -> Option<&Keys> {
        let keys = self.keys.as_ref();
        keys.filter(|keys| now.duration_since(keys.fetched) < LONGEST_OUTAGE)
    }
}
