//! The flags that a Deployment of Flux's notification-controller passes, so that it keeps working unchanged.
//!
//! A flag that cannot be honoured is refused, or its `--help` says that it has no effect; none is swallowed in silence.

use clap::{ArgAction, Args};

use super::values::{InvalidConfig, go_bool};
use crate::api::duration::Duration;

/// The Secrets that are watched unless told otherwise.
pub(super) const DEFAULT_SECRET_SELECTOR: &str = "reconcile.fluxcd.io/watch=Enabled";

/// Feature gates and flags of the other half of notification-controller.
#[derive(Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "Flux compatibility")]
pub(super) struct FluxArgs {
    /// Comma-separated NAME=BOOL; only `DisableConfigWatchers` has an effect, unknown names are refused
    #[arg(long, value_name = "GATES", value_delimiter = ',')]
    feature_gates: Vec<String>,
    /// Refused when true: hook paths are credentials and stay out of metrics
    #[arg(long, value_name = "BOOL", value_parser = go_bool, action = ArgAction::Set,
          num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    export_http_path_metrics: bool,
    /// No effect: events are received by Flux's notification-controller
    #[arg(long, value_name = "ADDR")]
    events_addr: Option<String>,
    /// No effect: belongs to events
    #[arg(long, value_name = "DURATION")]
    rate_limit_interval: Option<Duration>,
    /// No effect: belongs to Providers
    #[arg(long, value_name = "N")]
    token_cache_max_size: Option<u64>,
    /// No effect: belongs to Providers
    #[arg(long, value_name = "DURATION")]
    token_cache_max_duration: Option<Duration>,
    /// No effect: belongs to Providers
    #[arg(long, value_name = "NAME")]
    default_service_account: Option<String>,
    /// No effect: a leader that ends always gives the Lease back
    #[arg(long, value_name = "BOOL", value_parser = go_bool, action = ArgAction::Set,
          num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    leader_election_release_on_cancel: Option<bool>,
}

impl FluxArgs {
    /// Whether the Secrets of Receivers are watched at all.
    pub(super) fn watches_secrets(&self) -> Result<bool, InvalidConfig> {
        if self.export_http_path_metrics {
            return Err(InvalidConfig::Refused {
                flag: "--export-http-path-metrics",
                reason: "the path of a hook is a credential and must not become a metric label; remove the flag",
            });
        }
        let mut watches = true;
        for gate in &self.feature_gates {
            let unknown = || InvalidConfig::UnknownFeatureGate(gate.clone());
            let (name, value) = gate.split_once('=').ok_or_else(unknown)?;
            let value = go_bool(value).map_err(|_| unknown())?;
            match name {
                "DisableConfigWatchers" => watches = !value,
                "CacheSecretsAndConfigMaps" | "ObjectLevelWorkloadIdentity" => {}
                _ => return Err(unknown()),
            }
        }
        Ok(watches)
    }

    /// The flags that were given although they have no effect, to be named once in the log.
    pub(super) fn without_effect(&self) -> Vec<&'static str> {
        [
            (self.events_addr.is_some(), "--events-addr"),
            (self.rate_limit_interval.is_some(), "--rate-limit-interval"),
            (
                self.token_cache_max_size.is_some(),
                "--token-cache-max-size",
            ),
            (
                self.token_cache_max_duration.is_some(),
                "--token-cache-max-duration",
            ),
            (
                self.default_service_account.is_some(),
                "--default-service-account",
            ),
            (
                self.leader_election_release_on_cancel == Some(false),
                "--leader-election-release-on-cancel=false",
            ),
        ]
        .into_iter()
        .filter_map(|(given, flag)| given.then_some(flag))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::annotations::{WATCH_ENABLED, WATCH_LABEL};

    #[test]
    fn the_default_selector_is_the_watch_label() {
        assert_eq!(
            DEFAULT_SECRET_SELECTOR,
            format!("{WATCH_LABEL}={WATCH_ENABLED}")
        );
    }

    #[test]
    fn unknown_feature_gates_are_refused() {
        let check = |gates: &[&str], expected: Option<bool>| {
            let flux = FluxArgs {
                feature_gates: gates.iter().map(ToString::to_string).collect(),
                ..FluxArgs::default()
            };
            assert_eq!(flux.watches_secrets().ok(), expected, "{gates:?}");
        };
        check(&[], Some(true));
        check(&["CacheSecretsAndConfigMaps=true"], Some(true));
        check(&["DisableConfigWatchers=true"], Some(false));
        check(&["DisableConfigWatchers=false"], Some(true));
        check(&["DisableConfigWatchers"], None);
        check(&["DisableConfigWatchers=perhaps"], None);
        check(&["Sharding=true"], None);
    }
}
