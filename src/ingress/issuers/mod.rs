//! The keys of issuers that Receivers trust: fetched when a delivery needs them, and kept.
//!
//! Whoever asks, and however often, an issuer is asked once at a time and at most once every ten seconds; while it does
//! not answer, the keys that were fetched before are used. What a key proves is for `hook` to say.

mod fetch;
mod kept;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustls::pki_types::CertificateDer;
use tokio::{sync::watch, time::Instant};
use tracing::{info, warn};

use self::{
    fetch::Fetcher,
    kept::{Harvest, Kept, Plan},
};
use crate::{
    hook::{HookTable, IssuerKeys, KeyRequest, KeySource, PlainIssuers},
    telemetry::Metrics,
};

/// How keys of issuers are fetched.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// Whether they may be fetched without TLS.
    pub plain_issuers: PlainIssuers,
    /// Certificate authorities to trust besides those of the system.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Where Google publishes the keys that it signs with RS256.
    pub google_certs_url: String,
    /// Where Google publishes the keys that it signs with ES256.
    pub google_proxy_certs_url: String,
}

/// Nobody can tell now whether a token is right: its issuer gives no keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the keys of the issuer {issuer} cannot be fetched; see the warning of the fetch")]
pub(super) struct KeysUnavailable {
    pub(super) issuer: String,
    pub(super) retry_after: Duration,
}

/// The issuers of all Receivers.
pub struct Issuers {
    fetcher: Arc<Fetcher>,
    table: HookTable,
    metrics: Metrics,
    asked: Mutex<HashMap<KeySource, Arc<Issuer>>>,
}

struct Issuer {
    source: KeySource,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Kept,
    /// Ends with the fetch that is under way.
    fetch: Option<Fetch>,
}

type Fetch = watch::Receiver<()>;

/// What to judge a token by.
enum Decided {
    Keys(Arc<IssuerKeys>),
    /// What is known when this ends.
    After(Fetch),
}

impl Issuers {
    /// Knows no keys yet; those of issuers that no Receiver of `table` names are forgotten.
    #[must_use]
    pub fn new(settings: IssuerSettings, table: HookTable, metrics: Metrics) -> Self {
        Self {
            fetcher: Arc::new(Fetcher::new(settings)),
            table,
            metrics,
            asked: Mutex::default(),
        }
    }

    /// The keys to judge a token by; fetched if there are none, or none that could tell.
    pub(super) async fn keys(
        &self,
        request: &KeyRequest,
    ) -> Result<Arc<IssuerKeys>, KeysUnavailable> {
        let issuer = self.issuer(request.source());
        let unavailable = |retry_after| KeysUnavailable {
            issuer: request.source().to_string(),
            retry_after,
        };
        let mut fetch = match self.decide(&issuer, request).map_err(unavailable)? {
            Decided::Keys(keys) => return Ok(keys),
            Decided::After(fetch) => fetch,
        };
        // It changes nothing and ends when the fetch does.
        let _ = fetch.changed().await;
        let answer = issuer.state().kept.answer(request, Instant::now());
        answer.map_err(unavailable)
    }

    fn issuer(&self, source: &KeySource) -> Arc<Issuer> {
        let asked = self.asked.lock();
        let mut asked = asked.unwrap_or_else(PoisonError::into_inner);
        if let Some(issuer) = asked.get(source) {
            return Arc::clone(issuer);
        }
        let hooks = self.table.hooks();
        let named: HashSet<_> = hooks.iter().flat_map(|(hook, _)| hook.issuers()).collect();
        asked.retain(|source, _| match source {
            KeySource::Discovered(issuer) => named.contains(issuer),
            KeySource::Google | KeySource::GoogleProxy => true,
        });
        let issuer = Arc::new(Issuer {
            source: source.clone(),
            state: Mutex::default(),
        });
        asked.insert(source.clone(), Arc::clone(&issuer));
        issuer
    }

    /// Decides what to do and, if that is to fetch, begins, so that nobody else does.
    fn decide(&self, issuer: &Arc<Issuer>, request: &KeyRequest) -> Result<Decided, Duration> {
        let mut state = issuer.state();
        let is_fetching = state.under_way().is_some();
        match state.kept.plan(request, Instant::now(), is_fetching) {
            Plan::Use(keys) => Ok(Decided::Keys(keys)),
            Plan::UseAndFetch(keys) => {
                self.fetch(issuer, &mut state);
                Ok(Decided::Keys(keys))
            }
            Plan::Fetch => Ok(Decided::After(self.fetch(issuer, &mut state))),
            Plan::Wait(retry_after) => Err(retry_after),
        }
    }

    /// Fetches, unless somebody does already; it goes on when those who wait for it are gone.
    fn fetch(&self, issuer: &Arc<Issuer>, state: &mut State) -> Fetch {
        if let Some(fetch) = state.under_way() {
            return fetch.clone();
        }
        let known = state.kept.begin(Instant::now());
        let (end, fetch) = watch::channel(());
        state.fetch = Some(fetch.clone());
        let (issuer, fetcher) = (Arc::clone(issuer), Arc::clone(&self.fetcher));
        let metrics = self.metrics.clone();
        tokio::spawn(async move {
            let mut harvest = Harvest::default();
            let outcome = fetcher.fetch(&issuer.source, known, &mut harvest).await;
            metrics.issuer_fetch(outcome.is_ok());
            let keys = harvest.keys.as_ref().map(|keys| keys.document.count());
            match outcome {
                Ok(()) => info!(issuer = %issuer.source, keys, "keys of an issuer fetched"),
                Err(error) => {
                    warn!(issuer = %issuer.source, %error, "cannot fetch the keys of an issuer");
                }
            }
            let mut state = issuer.state();
            state.kept.end(harvest, Instant::now());
            state.fetch = None;
            drop(state);
            drop(end);
        });
        fetch
    }
}

impl Issuer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The fetch that is under way; one that failed without an end is none.
    fn under_way(&self) -> Option<&Fetch> {
        let fetch = self.fetch.as_ref();
        fetch.filter(|fetch| fetch.has_changed().is_ok())
    }
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Issuers")
    }
}

#[cfg(test)]
mod tests;
