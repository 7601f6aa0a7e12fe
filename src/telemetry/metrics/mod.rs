//! The metrics: one clonable handle whose methods say what happened.
//!
//! Names, labels and buckets that Flux has are Flux's; no label ever holds a path, and each is bounded.

mod entrance;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets, exponential_buckets_range},
    },
    registry::Registry,
};

use self::entrance::EntranceFamilies;
pub use self::entrance::{ProxySign, RefusedConnection};
use super::live_secrets::{UsedSecret, UsedSecrets};

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const REQUEST_SECONDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// What became of one patch of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchResult {
    /// The annotation is written.
    Done,
    /// It will never work as things are.
    Refused,
    /// The API server does not allow it.
    Forbidden,
    /// It may work another time.
    Failed,
}

/// What the trigger holds at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TriggerLoad {
    /// How many targets wait for a patch or for the answer to one.
    pub pending: usize,
    /// How long the oldest of them has waited.
    pub oldest: Duration,
    /// How many targets the rate of their Receiver keeps.
    pub above_rate: usize,
    /// How many requests the API budget would let through at once.
    pub budget: u32,
}

/// All metrics of this process; clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Families>);

/// One request that is being answered; it counts as in flight until dropped.
#[derive(Debug)]
pub struct InflightRequest(Gauge);

impl Metrics {
    /// Makes an empty registry with every metric hookgate has.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Families::new()))
    }

    /// Counts a request on the ingress as in flight until the answer is dropped.
    #[must_use]
    pub fn request_started(&self) -> InflightRequest {
        let gauge = self
            .0
            .requests_inflight
            .get_or_create_owned(&Server::default());
        gauge.inc();
        InflightRequest(gauge)
    }

    /// Records an answered request on the ingress: its method, status code, time taken and bytes of answer body.
    pub fn request_answered(&self, method: &str, code: u16, took: Duration, answer_bytes: u64) {
        let labels = Request {
            service: "",
            handler: HANDLER,
            method: bounded_method(method),
            code,
        };
        self.0
            .request_seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
        #[expect(
            clippy::cast_precision_loss,
            reason = "a size above 2^53 bytes is not answered"
        )]
        self.0
            .response_bytes
            .get_or_create(&labels)
            .observe(answer_bytes as f64);
    }

    /// Counts lines of the audit record that could not be written.
    pub fn audit_lines_lost(&self, lines: u64) {
        self.0.audit_lines_lost.inc_by(lines);
    }

    /// Says how many bytes of bodies are in memory.
    pub fn body_bytes(&self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.0.body_bytes.set(bytes);
    }

    /// Counts a delivery that reached a Receiver, by what became of it.
    ///
    /// `is_there` tells whether the Receiver still is; it is asked after a series is made, so that none outlives it.
    pub fn delivery(
        &self,
        namespace: &str,
        name: &str,
        type_: &str,
        outcome: &'static str,
        is_there: impl FnOnce() -> bool,
    ) {
        let labels = Delivery {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            r#type: type_.to_owned(),
            outcome,
        };
        if let Some(count) = self.0.deliveries.get(&labels) {
            count.inc();
            return;
        }
        self.0
            .known_deliveries()
            .entry((labels.namespace.clone(), labels.name.clone()))
            .or_default()
            .insert(labels.clone());
        self.0.deliveries.get_or_create(&labels).inc();
        if !is_there() {
            self.forget_receiver(namespace, name);
        }
    }

    /// Counts a delivery that a phase refused with an HTTP status code; also those that reached no Receiver.
    pub fn refusal(&self, phase: &'static str, code: u16) {
        self.0
            .refusals
            .get_or_create(&Refusal { phase, code })
            .inc();
    }

    /// Counts a fetch of the keys of an issuer.
    pub fn issuer_fetch(&self, is_done: bool) {
        let result = if is_done { "done" } else { "failed" };
        self.0
            .issuer_fetches
            .get_or_create(&IssuerFetch { result })
            .inc();
    }

    /// Records one patch of one target and the time the API server took.
    pub fn trigger_patch(&self, result: PatchResult, took: Duration) {
        self.0.patches.get_or_create(&Patch::from(result)).inc();
        self.0.patch_seconds.observe(took.as_secs_f64());
    }

    /// Asks for the load of the trigger whenever the metrics are shown; only the first call counts.
    pub fn observe_trigger(&self, load: impl Fn() -> TriggerLoad + Send + Sync + 'static) {
        let _ = self.0.trigger_load.set(Box::new(load));
    }

    /// Asks which secrets were used, and when, whenever the metrics are shown; only the first call counts.
    pub fn observe_secrets(&self, used: impl Fn() -> Vec<UsedSecret> + Send + Sync + 'static) {
        self.0.used_secrets.observe(used);
    }

    /// Records one reconciliation of one object.
    pub fn reconciliation(&self, kind: &'static str, namespace: &str, name: &str, took: Duration) {
        self.0
            .reconcile_seconds
            .get_or_create(&Reconciled {
                kind,
                name: name.to_owned(),
                namespace: namespace.to_owned(),
            })
            .observe(took.as_secs_f64());
    }

    /// Removes every series of a Receiver that is gone.
    pub fn forget_receiver(&self, namespace: &str, name: &str) {
        self.0.reconcile_seconds.remove(&Reconciled {
            kind: "Receiver",
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        });
        let key = (namespace.to_owned(), name.to_owned());
        let known = self.0.known_deliveries().remove(&key).unwrap_or_default();
        for labels in known {
            self.0.deliveries.remove(&labels);
        }
    }

    /// All metrics in the `OpenMetrics` text format; its content type is [`CONTENT_TYPE`].
    #[must_use]
    pub fn encode(&self) -> String {
        self.0.sample();
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.0.registry) {
            Ok(()) => text,
            Err(fmt::Error) => String::new(),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Drop for InflightRequest {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Flux labels every request with this, so that no path appears.
const HANDLER: &str = "/hook/";

struct Families {
    registry: Registry,
    request_seconds: Family<Request, Histogram, fn() -> Histogram>,
    response_bytes: Family<Request, Histogram, fn() -> Histogram>,
    requests_inflight: Family<Server, Gauge>,
    body_bytes: Gauge,
    audit_lines_lost: Counter,
    reconcile_seconds: Family<Reconciled, Histogram, fn() -> Histogram>,
    deliveries: Family<Delivery, Counter>,
    /// The labels in `deliveries` by Receiver, so that a Receiver's can be removed.
    known_deliveries: Mutex<HashMap<(String, String), HashSet<Delivery>>>,
    refusals: Family<Refusal, Counter>,
    issuer_fetches: Family<IssuerFetch, Counter>,
    patches: Family<Patch, Counter>,
    patch_seconds: Histogram,
    used_secrets: UsedSecrets,
    entrance: EntranceFamilies,
    trigger_load: OnceLock<Box<dyn Fn() -> TriggerLoad + Send + Sync>>,
    pending_targets: Gauge,
    oldest_pending_seconds: Gauge<f64, AtomicU64>,
    above_rate: Gauge,
    budget_tokens: Gauge,
}

impl Families {
    fn new() -> Self {
        let mut families = Self {
            registry: Registry::default(),
            request_seconds: Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS)),
            response_bytes: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(100.0, 10.0, 8))
            }),
            requests_inflight: Family::default(),
            body_bytes: Gauge::default(),
            audit_lines_lost: Counter::default(),
            reconcile_seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets_range(0.01, 1800.0, 10))
            }),
            deliveries: Family::default(),
            known_deliveries: Mutex::default(),
            refusals: Family::default(),
            issuer_fetches: Family::default(),
            patches: Family::default(),
            patch_seconds: Histogram::new(REQUEST_SECONDS),
            used_secrets: UsedSecrets::default(),
            entrance: EntranceFamilies::default(),
            trigger_load: OnceLock::new(),
            pending_targets: Gauge::default(),
            oldest_pending_seconds: Gauge::default(),
            above_rate: Gauge::default(),
            budget_tokens: Gauge::default(),
        };
        families.register_shared_with_flux();
        families.register_own();
        families.entrance.register(&mut families.registry);
        families.register_load();
        families
    }

    fn register_shared_with_flux(&mut self) {
        self.registry.register(
            "gotk_receiver_http_request_duration_seconds",
            "How long requests to the receiver took",
            self.request_seconds.clone(),
        );
        self.registry.register(
            "gotk_receiver_http_response_size_bytes",
            "How large the answers of the receiver were",
            self.response_bytes.clone(),
        );
        self.registry.register(
            "gotk_receiver_http_requests_inflight",
            "How many requests to the receiver are being answered",
            self.requests_inflight.clone(),
        );
        self.registry.register(
            "gotk_reconcile_duration_seconds",
            "How long the reconciliation of an object took",
            self.reconcile_seconds.clone(),
        );
    }

    fn register_own(&mut self) {
        self.registry.register(
            "hookgate_deliveries",
            "Deliveries that reached a Receiver, by what became of them",
            self.deliveries.clone(),
        );
        self.registry.register(
            "hookgate_refusals",
            "Deliveries that a phase refused, by HTTP status code",
            self.refusals.clone(),
        );
        self.registry.register(
            "hookgate_issuer_fetches",
            "Fetches of the keys of OpenID Connect issuers, by result",
            self.issuer_fetches.clone(),
        );
        self.registry.register(
            "hookgate_audit_lost_lines",
            "Lines of the audit record that could not be written",
            self.audit_lines_lost.clone(),
        );
        self.registry.register(
            "hookgate_trigger_patches",
            "Patches of targets, by result",
            self.patches.clone(),
        );
        self.registry.register(
            "hookgate_trigger_patch_duration_seconds",
            "How long the API server took to patch a target",
            self.patch_seconds.clone(),
        );
    }

    fn register_load(&mut self) {
        self.registry.register(
            "hookgate_body_bytes",
            "Bytes of bodies that are in memory, of 64 MiB that there may be",
            self.body_bytes.clone(),
        );
        let used = Box::new(self.used_secrets.clone());
        self.registry.register_collector(used);
        self.registry.register(
            "hookgate_trigger_pending_targets",
            "Targets that wait for a patch or for the answer to one",
            self.pending_targets.clone(),
        );
        self.registry.register(
            "hookgate_trigger_oldest_pending_seconds",
            "How long the oldest pending target has waited",
            self.oldest_pending_seconds.clone(),
        );
        self.registry.register(
            "hookgate_trigger_above_rate_targets",
            "Pending targets that wait because deliveries of their Receiver are above its rate",
            self.above_rate.clone(),
        );
        self.registry.register(
            "hookgate_trigger_budget_tokens",
            "Requests that the API budget would let through at once",
            self.budget_tokens.clone(),
        );
    }

    /// Takes the values that change with time.
    fn sample(&self) {
        let Some(load) = self.trigger_load.get() else {
            return;
        };
        let load = load();
        let count = |targets: usize| i64::try_from(targets).unwrap_or(i64::MAX);
        self.pending_targets.set(count(load.pending));
        self.above_rate.set(count(load.above_rate));
        self.oldest_pending_seconds.set(load.oldest.as_secs_f64());
        self.budget_tokens.set(i64::from(load.budget));
    }

    fn known_deliveries(
        &self,
    ) -> std::sync::MutexGuard<'_, HashMap<(String, String), HashSet<Delivery>>> {
        self.known_deliveries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    service: &'static str,
    handler: &'static str,
    method: &'static str,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Server {
    service: &'static str,
    handler: &'static str,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            service: "",
            handler: HANDLER,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconciled {
    kind: &'static str,
    name: String,
    namespace: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Delivery {
    namespace: String,
    name: String,
    r#type: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    phase: &'static str,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IssuerFetch {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Patch {
    result: &'static str,
}

impl From<PatchResult> for Patch {
    fn from(result: PatchResult) -> Self {
        let result = match result {
            PatchResult::Done => "done",
            PatchResult::Refused => "refused",
            PatchResult::Forbidden => "forbidden",
            PatchResult::Failed => "failed",
        };
        Self { result }
    }
}

fn bounded_method(method: &str) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}

#[cfg(test)]
mod tests;
