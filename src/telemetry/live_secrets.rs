//! When each live secret of each Receiver was last used, as a metric that is asked for when the metrics are shown.
//!
//! Its labels are names; which secrets there are is for whoever is asked.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::gauge::ConstGauge,
    registry::Unit,
};

/// A live set of secrets that has been used.
#[derive(Clone, Debug, PartialEq)]
pub struct UsedSecret {
    /// The namespace of the Receiver.
    pub namespace: String,
    /// The name of the Receiver.
    pub name: String,
    /// The name of the set.
    pub secret: String,
    /// When it last proved a delivery, in seconds since 1970.
    pub last_used: f64,
}

/// Asks what secrets were used; clones share what they ask.
#[derive(Clone, Default)]
pub(super) struct UsedSecrets(Arc<OnceLock<Ask>>);

type Ask = Box<dyn Fn() -> Vec<UsedSecret> + Send + Sync>;

#[derive(Clone, Debug, EncodeLabelSet)]
struct Labels {
    namespace: String,
    name: String,
    secret: String,
}

impl UsedSecrets {
    /// Only the first call counts.
    pub(super) fn observe(&self, used: impl Fn() -> Vec<UsedSecret> + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(used));
    }
}

impl Collector for UsedSecrets {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(used) = self.0.get() else {
            return Ok(());
        };
        let mut family = encoder.encode_descriptor(
            "hookgate_live_secret_last_used_timestamp",
            "When a live secret of a Receiver last proved a delivery, since 1970",
            Some(&Unit::Seconds),
            ConstGauge::new(0.0).metric_type(),
        )?;
        for UsedSecret {
            namespace,
            name,
            secret,
            last_used,
        } in used()
        {
            let labels = Labels {
                namespace,
                name,
                secret,
            };
            ConstGauge::new(last_used).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for UsedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UsedSecrets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn only_what_there_is_when_one_looks_is_shown() {
        let metrics = Metrics::new();
        let name = "hookgate_live_secret_last_used_timestamp_seconds";
        assert!(!metrics.encode().contains(name));
        let used = |secret: &str| UsedSecret {
            namespace: "apps".to_owned(),
            name: "web".to_owned(),
            secret: secret.to_owned(),
            last_used: 1_800_000_000.5,
        };
        let looks = std::sync::atomic::AtomicUsize::new(0);
        metrics.observe_secrets(move || {
            let names = [&["current", "previous"][..], &["current"]];
            let look = looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            names[look].iter().map(|name| used(name)).collect()
        });
        let line = |secret| {
            format!("{name}{{namespace=\"apps\",name=\"web\",secret=\"{secret}\"}} 1800000000.5\n")
        };
        let text = metrics.encode();
        assert!(
            text.contains(&line("current")) && text.contains(&line("previous")),
            "{text}"
        );
        let text = metrics.encode();
        assert!(
            text.contains(&line("current")) && !text.contains(&line("previous")),
            "{text}"
        );
    }
}
