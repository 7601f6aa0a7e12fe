//! How often something may happen for one client, in a memory of fixed size.
//!
//! `governor` counts; kept is one number for each client, greater the more there was of it, so that whoever did least
//! and longest ago is forgotten first.

use std::{sync::Arc, time::Duration};

use governor::{
    NotUntil, Quota, RateLimiter, clock::Clock, middleware::NoOpMiddleware, nanos::Nanos,
    state::StateStore,
};

use super::places::{Fingerprint, Places};

type Limiter<S, C> = RateLimiter<Fingerprint, S, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// A bound for each of many clients.
pub(super) struct Bound<C: Clock> {
    charging: Limiter<Charging, C>,
    looking: Limiter<Looking, C>,
    clock: C,
}

impl<C: Clock + Clone> Bound<C> {
    /// A bound that remembers about so many clients.
    pub(super) fn new(quota: Quota, clients: usize, clock: &C) -> Self {
        let places = Arc::new(Places::new(clients));
        Self {
            charging: RateLimiter::new(quota, Charging(Arc::clone(&places)), clock.clone()),
            looking: RateLimiter::new(quota, Looking(places), clock.clone()),
            clock: clock.clone(),
        }
    }

    /// How long a client has to wait until it may do it again; nothing when it may now.
    pub(super) fn wait(&self, client: Fingerprint) -> Option<Duration> {
        let looked = self.looking.check_key(&client);
        looked.err().map(|until| self.left(&until))
    }

    /// Counts that a client did it; what is beyond the bound is not counted.
    pub(super) fn charge(&self, client: Fingerprint) {
        let _ = self.charging.check_key(&client);
    }

    fn left(&self, until: &NotUntil<C::Instant>) -> Duration {
        until.wait_time_from(self.clock.now())
    }
}

/// Places that are written to.
#[derive(Debug)]
struct Charging(Arc<Places>);

/// The same, and what is found there stays as it is.
#[derive(Debug)]
struct Looking(Arc<Places>);

impl StateStore for Charging {
    type Key = Fingerprint;

    fn measure_and_replace<T, F, E>(&self, key: &Fingerprint, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0
            .change(*key, |state| match measure(state.map(Nanos::new)) {
                Ok((allowed, next)) => (Ok(allowed), Some(next.as_u64())),
                Err(refused) => (Err(refused), None),
            })
    }
}

impl StateStore for Looking {
    type Key = Fingerprint;

    fn measure_and_replace<T, F, E>(&self, key: &Fingerprint, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let state = self.0.find(*key).map(Nanos::new);
        measure(state).map(|(allowed, _)| allowed)
    }
}
