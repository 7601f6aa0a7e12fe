//! What `hookgate run` is told, and what its flags mean together.
//!
//! Spellings are those of Flux's notification-controller, so that its Deployment needs a new image and no more.

use std::{num::NonZeroU32, path::PathBuf};

use clap::{ArgAction, Args, ValueEnum};

use super::{
    ApiBudget, Cluster, CrossNamespaceRefs, Entrance, EntranceArgs, Issuers, Journal,
    LeaderElection, ListenAddr, LogEncoding, LogLevel, Logging, Retry, Role, Scope, SecretWatch,
    Serving, StatusWrites,
    flux::{DEFAULT_SECRET_SELECTOR, FluxArgs},
    values::{InvalidConfig, go_bool, interval_of_rate},
};
use crate::api::{duration::Duration, rate::Rate};

/// Flags of `hookgate run`, as given.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Which parts run
    #[arg(long, value_enum, default_value_t = Role::All)]
    role: Role,
    /// Whether the status and finalizers of Receivers are written, which a gateway alone never does, and the annotation of their last trigger; `off` beside Flux's notification-controller
    #[arg(long, value_enum, default_value_t = StatusWrites::On, value_name = "on|off")]
    receiver_status: StatusWrites,
    /// Where deliveries arrive (HTTP, or HTTPS with `--tls-cert-file`)
    #[arg(long = "receiverAddr", visible_alias = "listen", value_name = "ADDR", default_value_t = ListenAddr::AllInterfaces(9292))]
    receiver_addr: ListenAddr,
    /// Where /healthz, /readyz and /metrics are served (HTTP)
    #[arg(long, visible_alias = "admin-listen", value_name = "ADDR", default_value_t = ListenAddr::AllInterfaces(9440))]
    health_addr: ListenAddr,
    /// Where the same is served a second time, for Prometheus
    #[arg(long, value_name = "ADDR", default_value_t = ListenAddr::AllInterfaces(8080))]
    metrics_addr: ListenAddr,
    /// Where the deliveries are shown and redelivered (HTTP), for whoever reaches it: keep it on loopback and use `kubectl port-forward`
    #[arg(long, visible_alias = "operator-listen", value_name = "ADDR", default_value_t = ListenAddr::loopback(9441))]
    operator_addr: ListenAddr,
    /// Refuse targets outside the namespace of their Receiver
    #[arg(long, value_name = "BOOL", value_parser = go_bool, action = ArgAction::Set,
          num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    no_cross_namespace_refs: bool,
    /// Watch every namespace; if not, only that of `RUNTIME_NAMESPACE` or of the kubeconfig's context
    #[arg(long, value_name = "BOOL", value_parser = go_bool, action = ArgAction::Set,
          num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true")]
    watch_all_namespaces: bool,
    /// Label selector of the Secrets whose changes are acted on at once; empty for all
    #[arg(long, value_name = "SELECTOR", default_value = DEFAULT_SECRET_SELECTOR)]
    watch_configs_label_selector: String,
    /// How many Receivers are reconciled at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrent: u16,
    /// Shortest delay before a failed reconciliation is retried
    #[arg(long, value_name = "DURATION", default_value = "750ms")]
    min_retry_delay: Duration,
    /// Longest delay before a failed reconciliation is retried
    #[arg(long, value_name = "DURATION", default_value = "15m")]
    max_retry_delay: Duration,
    /// Namespace of the Lease [default: that of the kubeconfig's context or of the Pod]
    #[arg(long, value_name = "NAMESPACE", env = "RUNTIME_NAMESPACE")]
    runtime_namespace: Option<String>,
    #[command(flatten)]
    entrance: EntranceArgs,
    #[command(flatten)]
    trigger: TriggerArgs,
    #[command(flatten)]
    election: ElectionArgs,
    #[command(flatten)]
    issuers: Issuers,
    #[command(flatten)]
    cluster: Cluster,
    #[command(flatten)]
    logging: Logging,
    #[command(flatten)]
    flux: FluxArgs,
}

/// Flags of what is triggered.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Triggers")]
struct TriggerArgs {
    /// Folder where it is kept what was accepted and is not done; made with mode 0700, for one process
    #[arg(long, value_name = "DIR", env = "HOOKGATE_JOURNAL_DIR", default_value_os_t = default_journal_dir())]
    journal_dir: PathBuf,
    /// Whether it is kept; `off` refuses what cannot be done at once, so that the sender must send again
    #[arg(long, value_enum, default_value_t = JournalSwitch::On, value_name = "on|off")]
    journal: JournalSwitch,
    /// How many requests a second this process may send to the Kubernetes API
    #[arg(long, value_name = "QPS", value_parser = interval_of_rate, default_value = "50")]
    kube_api_qps: std::time::Duration,
    /// How many it may save up
    #[arg(long, value_name = "N", default_value_t = ApiBudget::DEFAULT_BURST)]
    kube_api_burst: NonZeroU32,
    /// How often the deliveries of one Receiver trigger targets unless its annotation hookgate.dev/rate says: so many at once, and again so many in each second, minute or hour (600/m); those above it are taken, and their targets wait
    #[arg(long, value_name = "RATE", default_value = "1200/m")]
    receiver_rate: Rate,
}

/// Whether there is a journal.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum JournalSwitch {
    /// There is
    On,
    /// There is none
    Off,
}

/// Flags of the leader election.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Leader election")]
struct ElectionArgs {
    /// Share the work of several replicas through a Lease
    #[arg(long, value_name = "BOOL", value_parser = go_bool, action = ArgAction::Set,
          num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true")]
    enable_leader_election: bool,
    /// What this replica is called as the holder of the Lease
    #[arg(
        long,
        value_name = "NAME",
        env = "HOSTNAME",
        default_value = "hookgate"
    )]
    pod_name: String,
    /// How long the Lease is held without being renewed
    #[arg(long, value_name = "DURATION", default_value = "35s")]
    leader_election_lease_duration: Duration,
    /// How long the leader tries to renew before it gives up
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    leader_election_renew_deadline: Duration,
    /// How long to wait between tries
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    leader_election_retry_period: Duration,
}

/// What `hookgate run` does, checked.
#[derive(Clone, Debug)]
pub struct Run {
    /// Which cluster.
    pub cluster: Cluster,
    /// How much is logged.
    pub log_level: LogLevel,
    /// The shape of a log line.
    pub log_encoding: LogEncoding,
    /// Flags that were given although they have no effect, to be named in the log.
    pub without_effect: Vec<&'static str>,
    args: RunArgs,
    entrance: Entrance,
    watches_secrets: bool,
}

impl TryFrom<RunArgs> for Run {
    type Error = InvalidConfig;

    fn try_from(args: RunArgs) -> Result<Self, InvalidConfig> {
        let election = &args.election;
        in_order(
            ("--min-retry-delay", args.min_retry_delay),
            ("--max-retry-delay", args.max_retry_delay),
        )?;
        in_order(
            (
                "--leader-election-renew-deadline",
                election.leader_election_renew_deadline,
            ),
            (
                "--leader-election-lease-duration",
                election.leader_election_lease_duration,
            ),
        )?;
        in_order(
            (
                "--leader-election-retry-period",
                election.leader_election_retry_period,
            ),
            (
                "--leader-election-renew-deadline",
                election.leader_election_renew_deadline,
            ),
        )?;
        Ok(Self {
            cluster: args.cluster.clone(),
            log_level: args.logging.log_level,
            log_encoding: args.logging.log_encoding.unwrap_or(LogEncoding::Json),
            without_effect: args.flux.without_effect(),
            entrance: args.entrance.checked()?,
            watches_secrets: args.flux.watches_secrets()?,
            args,
        })
    }
}

impl Run {
    /// The serving part, given the namespace that the chosen cluster access is for.
    #[must_use]
    pub fn serving(&self, access_namespace: &str) -> Serving {
        let args = &self.args;
        let namespace = args.runtime_namespace.as_deref().filter(|n| !n.is_empty());
        let namespace = namespace.unwrap_or(access_namespace);
        let mut admin = vec![args.health_addr, args.metrics_addr];
        admin.dedup();
        Serving {
            role: args.role,
            status_writes: args.receiver_status,
            gateway: args.receiver_addr,
            entrance: self.entrance.clone(),
            admin,
            operator: args.operator_addr,
            scope: if args.watch_all_namespaces {
                Scope::AllNamespaces
            } else {
                Scope::Namespace(namespace.to_owned())
            },
            cross_namespace_refs: if args.no_cross_namespace_refs {
                CrossNamespaceRefs::Denied
            } else {
                CrossNamespaceRefs::Allowed
            },
            issuers: args.issuers.clone(),
            secret_watch: if self.watches_secrets {
                SecretWatch::Matching(args.watch_configs_label_selector.clone())
            } else {
                SecretWatch::Off
            },
            concurrent: args.concurrent,
            retry: Retry {
                min_delay: args.min_retry_delay.get(),
                max_delay: args.max_retry_delay.get(),
            },
            journal: args.trigger.journal(),
            audit: args.logging.audit_log(),
            api_budget: ApiBudget {
                interval: args.trigger.kube_api_qps,
                burst: args.trigger.kube_api_burst,
            },
            receiver_rate: args.trigger.receiver_rate,
            is_new_cluster: false,
            leader_election: args.election.leader_election(namespace),
        }
    }
}

impl TriggerArgs {
    fn journal(&self) -> Journal {
        match self.journal {
            JournalSwitch::On => Journal::In(self.journal_dir.clone()),
            JournalSwitch::Off => Journal::Off,
        }
    }
}

impl ElectionArgs {
    fn leader_election(&self, namespace: &str) -> Option<LeaderElection> {
        self.enable_leader_election.then(|| LeaderElection {
            namespace: namespace.to_owned(),
            lease_duration: self.leader_election_lease_duration.get(),
            renew_deadline: self.leader_election_renew_deadline.get(),
            retry_period: self.leader_election_retry_period.get(),
            identity: self.pod_name.clone(),
        })
    }
}

/// A folder under the one for temporary files, which is a volume of its own in Flux's Deployment.
fn default_journal_dir() -> PathBuf {
    std::env::temp_dir().join("hookgate")
}

fn in_order(
    (low, low_value): (&'static str, Duration),
    (high, high_value): (&'static str, Duration),
) -> Result<(), InvalidConfig> {
    if low_value <= high_value {
        return Ok(());
    }
    Err(InvalidConfig::OutOfOrder {
        low,
        low_value: low_value.to_string(),
        high,
        high_value: high_value.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::AuditLog;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        run: RunArgs,
    }

    fn parse(flags: &[&str]) -> Result<Run, String> {
        let words = ["hookgate"].iter().chain(flags);
        let command = Command::try_parse_from(words).map_err(|error| error.to_string())?;
        Run::try_from(command.run).map_err(|error| error.to_string())
    }

    #[test]
    fn the_flags_of_a_flux_deployment_are_accepted() {
        let run = parse(&[
            "--watch-all-namespaces",
            "--log-level=info",
            "--log-encoding=json",
            "--enable-leader-election",
            "--receiverAddr=:9292",
            "--health-addr=:9440",
            "--metrics-addr=:8080",
            "--events-addr=:9090",
            "--no-cross-namespace-refs=true",
            "--watch-configs-label-selector=team=a",
            "--concurrent=8",
            "--kube-api-qps=20.0",
            "--kube-api-burst=100",
            "--feature-gates=CacheSecretsAndConfigMaps=true,DisableConfigWatchers=false",
        ])
        .unwrap();
        let serving = run.serving("flux-system");
        assert_eq!(serving.scope, Scope::AllNamespaces);
        assert_eq!(serving.cross_namespace_refs, CrossNamespaceRefs::Denied);
        assert_eq!(
            serving.secret_watch,
            SecretWatch::Matching("team=a".to_owned())
        );
        assert_eq!(serving.concurrent, 8);
        assert_eq!(serving.leader_election.unwrap().namespace, "flux-system");
        let ApiBudget { interval, burst } = serving.api_budget;
        assert_eq!((interval.as_millis(), burst.get()), (50, 100));
        assert_eq!(run.without_effect, ["--events-addr"]);
    }

    #[test]
    fn a_receiver_has_the_rate_that_is_given_or_the_default() {
        let rate = |flags| parse(flags).unwrap().serving("").receiver_rate;
        assert_eq!(rate(&[]), Rate::OF_RECEIVERS);
        assert_eq!(rate(&["--receiver-rate=2/s"]), "2/s".parse().unwrap());
        let told = parse(&["--receiver-rate=2"]).unwrap_err();
        assert!(told.contains("such as `600/m`"), "{told}");
    }

    #[test]
    fn a_namespaced_process_keeps_to_the_runtime_namespace() {
        let run = parse(&[
            "--watch-all-namespaces=false",
            "--runtime-namespace",
            "tenant",
            "--enable-leader-election=false",
        ]);
        let serving = run.unwrap().serving("default");
        assert_eq!(serving.scope, Scope::Namespace("tenant".to_owned()));
        assert_eq!(serving.leader_election, None);
    }

    #[test]
    fn the_journal_is_on_unless_it_is_turned_off() {
        let journal = |flags: &[&str]| parse(flags).unwrap().serving("default").journal;
        assert_eq!(journal(&[]), Journal::In(default_journal_dir()));
        assert_eq!(
            journal(&["--journal-dir=/data/journal"]),
            Journal::In("/data/journal".into())
        );
        assert_eq!(
            journal(&["--journal=off", "--journal-dir=/data"]),
            Journal::Off
        );
    }

    #[test]
    fn the_audit_record_is_kept_where_it_is_wanted() {
        let audit = |flags: &[&str]| parse(flags).unwrap().serving("default").audit;
        assert_eq!(audit(&[]), AuditLog::Off);
        assert_eq!(audit(&["--audit-log="]), AuditLog::Off);
        assert_eq!(audit(&["--audit-log=-"]), AuditLog::Stdout);
        let file = AuditLog::File("/data/audit".into());
        assert_eq!(audit(&["--audit-log=/data/audit"]), file);
    }

    #[test]
    fn keys_of_issuers_are_fetched_over_https_only_unless_told_otherwise() {
        let issuers = |flags: &[&str]| parse(flags).unwrap().serving("default").issuers;
        assert_eq!(issuers(&[]), Issuers::default());
        assert!(!Issuers::default().allow_http);
        let told = issuers(&["--oidc-allow-http", "--oidc-ca-file=/etc/issuer/ca.crt"]);
        assert!(told.allow_http);
        assert_eq!(told.ca_file, Some("/etc/issuer/ca.crt".into()));
    }

    #[test]
    fn bad_flags_are_refused_by_name() {
        let check = |flags: &[&str], named: &str| {
            let error = parse(flags).unwrap_err();
            assert!(error.contains(named), "{flags:?}: {error}");
        };
        check(&["--role=everything"], "--role");
        check(&["--receiverAddr=9292"], "--receiverAddr");
        check(&["--concurrent=0"], "--concurrent");
        check(&["--kube-api-qps=0"], "--kube-api-qps");
        check(&["--kube-api-burst=0"], "--kube-api-burst");
        check(&["--journal=maybe"], "--journal");
        check(&["--min-retry-delay=1h"], "--max-retry-delay");
        check(
            &["--leader-election-renew-deadline=1m"],
            "--leader-election-lease-duration",
        );
        check(
            &["--export-http-path-metrics"],
            "--export-http-path-metrics",
        );
        check(&["--feature-gates=Magic=true"], "Magic");
    }
}
