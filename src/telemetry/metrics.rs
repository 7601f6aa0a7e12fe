//! The metrics: one clonable handle whose methods say what happened.
//!
//! Names, labels and buckets that Flux has are Flux's; no label ever holds a path, and each is bounded.

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

    /// Counts a delivery that reached a Receiver, by what became of it.
    pub fn delivery(&self, namespace: &str, name: &str, type_: &str, outcome: &'static str) {
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
    }

    /// Counts a delivery that a phase refused with an HTTP status code; also those that reached no Receiver.
    pub fn refusal(&self, phase: &'static str, code: u16) {
        self.0
            .refusals
            .get_or_create(&Refusal { phase, code })
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
    reconcile_seconds: Family<Reconciled, Histogram, fn() -> Histogram>,
    deliveries: Family<Delivery, Counter>,
    /// The labels in `deliveries` by Receiver, so that a Receiver's can be removed.
    known_deliveries: Mutex<HashMap<(String, String), HashSet<Delivery>>>,
    refusals: Family<Refusal, Counter>,
    patches: Family<Patch, Counter>,
    patch_seconds: Histogram,
    trigger_load: OnceLock<Box<dyn Fn() -> TriggerLoad + Send + Sync>>,
    pending_targets: Gauge,
    oldest_pending_seconds: Gauge<f64, AtomicU64>,
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
            reconcile_seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets_range(0.01, 1800.0, 10))
            }),
            deliveries: Family::default(),
            known_deliveries: Mutex::default(),
            refusals: Family::default(),
            patches: Family::default(),
            patch_seconds: Histogram::new(REQUEST_SECONDS),
            trigger_load: OnceLock::new(),
            pending_targets: Gauge::default(),
            oldest_pending_seconds: Gauge::default(),
            budget_tokens: Gauge::default(),
        };
        families.register_shared_with_flux();
        families.register_own();
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
        let pending = i64::try_from(load.pending).unwrap_or(i64::MAX);
        self.pending_targets.set(pending);
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
mod tests {
    use super::*;

    fn check(metrics: &Metrics, line: &str) {
        let text = metrics.encode();
        assert!(text.lines().any(|l| l == line), "no `{line}` in\n{text}");
    }

    #[test]
    fn requests_carry_the_labels_and_buckets_of_flux() {
        let metrics = Metrics::new();
        metrics.request_answered("POST", 200, Duration::from_millis(30), 0);
        for (bucket, count) in [("0.005", 0), ("0.05", 1), ("10.0", 1)] {
            let name = "gotk_receiver_http_request_duration_seconds_bucket";
            let labels = r#"service="",handler="/hook/",method="POST",code="200""#;
            check(
                &metrics,
                &format!(r#"{name}{{le="{bucket}",{labels}}} {count}"#),
            );
        }
        check(
            &metrics,
            r#"gotk_receiver_http_response_size_bytes_count{service="",handler="/hook/",method="POST",code="200"} 1"#,
        );
    }

    #[test]
    fn an_invented_method_adds_no_series() {
        let metrics = Metrics::new();
        metrics.request_answered("BREW", 405, Duration::ZERO, 0);
        metrics.request_answered("brew", 405, Duration::ZERO, 0);
        check(
            &metrics,
            r#"gotk_receiver_http_request_duration_seconds_count{service="",handler="/hook/",method="other",code="405"} 2"#,
        );
    }

    #[test]
    fn a_request_is_in_flight_until_dropped() {
        let metrics = Metrics::new();
        let line = r#"gotk_receiver_http_requests_inflight{service="",handler="/hook/"}"#;
        let (first, second) = (metrics.request_started(), metrics.request_started());
        check(&metrics, &format!("{line} 2"));
        drop(first);
        check(&metrics, &format!("{line} 1"));
        drop(second);
        check(&metrics, &format!("{line} 0"));
    }

    #[test]
    fn a_receiver_that_is_gone_leaves_no_series() {
        let metrics = Metrics::new();
        metrics.delivery("apps", "gone", "github", "done");
        metrics.delivery("apps", "gone", "github", "not wanted");
        metrics.delivery("apps", "stays", "github", "done");
        metrics.reconciliation("Receiver", "apps", "gone", Duration::ZERO);
        metrics.forget_receiver("apps", "gone");
        check(
            &metrics,
            r#"hookgate_deliveries_total{namespace="apps",name="stays",type="github",outcome="done"} 1"#,
        );
        assert!(!metrics.encode().contains("gone"), "{}", metrics.encode());
    }

    #[test]
    fn refusals_and_patches_are_counted() {
        let metrics = Metrics::new();
        metrics.refusal("authenticate", 401);
        metrics.trigger_patch(PatchResult::Done, Duration::from_millis(3));
        check(
            &metrics,
            r#"hookgate_refusals_total{phase="authenticate",code="401"} 1"#,
        );
        check(
            &metrics,
            r#"hookgate_trigger_patches_total{result="done"} 1"#,
        );
        check(&metrics, "hookgate_trigger_patch_duration_seconds_count 1");
    }

    #[test]
    fn reconciliations_use_ten_buckets_up_to_half_an_hour() {
        let metrics = Metrics::new();
        metrics.reconciliation("Receiver", "apps", "app", Duration::from_secs(1));
        let buckets = metrics
            .encode()
            .lines()
            .filter(|l| l.starts_with("gotk_reconcile_duration_seconds_bucket"))
            .count();
        assert_eq!(buckets, 11, "ten and +Inf");
        check(
            &metrics,
            r#"gotk_reconcile_duration_seconds_count{kind="Receiver",name="app",namespace="apps"} 1"#,
        );
    }
}
