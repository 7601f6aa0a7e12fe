//! What the load is and what is loaded, as flags.
//!
//! Defaults are the mix of deliveries that Git hosts make; nothing is measured here.

use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};
use hookgate::api::duration::Duration;

use crate::support::{
    faults::{Errors, Faults, Outage},
    objects::Layout,
    tally::Budget,
};

/// Sends signed deliveries to hookgate, or to another gateway, and says what became of them.
///
/// It fails only when an accepted delivery triggered nothing, or a limit that was given was exceeded.
#[derive(Parser, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) load: Load,
    #[command(flatten)]
    pub(crate) own: Own,
    #[command(flatten)]
    pub(crate) other: Other,
    #[command(flatten)]
    pub(crate) faults: FaultArgs,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// The process with the API server
    #[arg(long, hide = true)]
    pub(crate) front: bool,
    /// The process with the bare server
    #[arg(long, hide = true)]
    pub(crate) bare_server: bool,
    /// Given by `cargo bench` to every program
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is sent.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Load")]
pub(crate) struct Load {
    /// Deliveries a second, whatever becomes of them (open loop); times are taken from when each was due
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: u32,
    /// Instead of a rate: so many deliveries are always in flight (closed loop)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) in_flight: Option<u16>,
    /// The most connections that are open at a time in an open loop
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) connections: u16,
    /// For how long
    #[arg(long, default_value = "10s")]
    pub(crate) duration: Duration,
    /// Instead of a duration: so many deliveries
    #[arg(long, value_name = "N")]
    pub(crate) deliveries: Option<u64>,
    /// All bodies of this size, instead of the mix of 1 kB to 25 MB
    #[arg(long, value_name = "N")]
    pub(crate) bytes: Option<usize>,
    /// How many of a hundred deliveries repeat an earlier one
    #[arg(long, value_name = "PERCENT", default_value_t = 5)]
    pub(crate) duplicates: u64,
    /// How many of a hundred are badly signed
    #[arg(long, value_name = "PERCENT", default_value_t = 5)]
    pub(crate) forged: u64,
    /// How many of a hundred go to a path that nobody has
    #[arg(long, value_name = "PERCENT", default_value_t = 1)]
    pub(crate) unknown: u64,
    /// How many of a hundred come on a connection of their own
    #[arg(long, value_name = "PERCENT", default_value_t = 50)]
    pub(crate) new_connections: u64,
    /// How many sockets of strangers send a byte a second meanwhile
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) slow_sockets: u32,
    /// How many badly signed deliveries a second come from other networks meanwhile
    #[arg(long, value_name = "RATE", default_value_t = 0)]
    pub(crate) strangers: u32,
    /// Deliveries before the measurement
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) warm_up: u64,
    /// What the choices follow from
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// The gateway that is started here.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "hookgate, started here")]
pub(crate) struct Own {
    /// How many Receivers
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = positive)]
    pub(crate) receivers: usize,
    /// How many objects they trigger between them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = positive)]
    pub(crate) objects: usize,
    /// Which parts run
    #[arg(long, value_enum, default_value = "gateway")]
    pub(crate) role: Role,
    /// Whether it keeps a journal, in a folder that is made for it and thrown away
    #[arg(long, value_enum, default_value = "on", value_name = "on|off")]
    pub(crate) journal: Journal,
    /// The folder in which that is made, so that a disk can be chosen [default: the system's temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) journal_on: Option<PathBuf>,
    /// A further argument of `hookgate run`
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub(crate) gateway_arg: Vec<String>,
    /// Where its log goes [default: nowhere]
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// The cluster to use in place of the embedded control plane, by its kubeconfig
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster: Option<PathBuf>,
    /// How long everything accepted may take to be triggered, from the last answer
    #[arg(long, default_value = "60s")]
    pub(crate) settle: Duration,
}

/// The parts of hookgate that run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Gateway and reconcilers
    All,
    /// Only what deliveries need
    Gateway,
}

/// Whether what is accepted is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Journal {
    /// Before it is answered with 202
    On,
    /// Never: what cannot be done at once is refused
    Off,
}

/// Gateways that run already.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Another gateway")]
pub(crate) struct Other {
    /// The hook of a gateway that runs already, of a Receiver of type `github`; can be repeated
    #[arg(long, value_name = "URL")]
    pub(crate) url: Vec<http::Uri>,
    /// The token of each hook, in the order of the URLs
    #[arg(long, value_name = "TOKEN")]
    pub(crate) secret: Vec<String>,
    /// The process of each gateway, whose CPU time and memory are read, in the order of the URLs
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Vec<u32>,
    /// Load hookgate before them, in the same way
    #[arg(long)]
    pub(crate) own: bool,
    /// Load, after hookgate and in the same way, a server that only reads the body and computes its HMAC
    #[arg(long)]
    pub(crate) bare: bool,
}

/// What goes wrong between hookgate and the API server.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Faults of the API server")]
pub(crate) struct FaultArgs {
    /// How much later each request is passed on
    #[arg(long, value_name = "DURATION")]
    delay: Option<Duration>,
    /// How many of a thousand requests fail
    #[arg(long, value_name = "PER MILLE", default_value_t = 0)]
    errors: u64,
    /// The status of those that fail
    #[arg(long, value_name = "STATUS", default_value_t = 500, value_parser = clap::value_parser!(u16).range(400..600))]
    error_status: u16,
    /// The `Retry-After` of those that fail
    #[arg(long, value_name = "SECONDS")]
    retry_after: Option<u64>,
    /// An outage
    #[arg(long, value_enum)]
    pub(crate) outage: Option<Outage>,
    /// When the outage begins, from the beginning of the load
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    pub(crate) outage_after: Duration,
    /// How long the outage takes
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(crate) outage_for: Duration,
}

/// What must not be exceeded.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// API budget: told to hookgate and checked
    #[arg(long, value_name = "QPS", requires = "kube_api_burst")]
    kube_api_qps: Option<f64>,
    /// API budget at once: told to hookgate and checked
    #[arg(long, value_name = "N", requires = "kube_api_qps")]
    kube_api_burst: Option<u32>,
    /// The most patches of one object in any second
    #[arg(long, value_name = "N")]
    pub(crate) most_of_one: Option<usize>,
    /// The most patches that wait for their answers at one time
    #[arg(long, value_name = "N")]
    pub(crate) most_at_once: Option<u64>,
}

impl Own {
    /// How many of what there is.
    pub(crate) fn layout(&self) -> Layout {
        Layout {
            receivers: self.receivers,
            objects: self.objects,
        }
    }
}

impl FaultArgs {
    /// What goes wrong all the time.
    pub(crate) fn steady(&self) -> Faults {
        let errors = Errors {
            per_mille: self.errors,
            status: self.error_status,
            retry_after: self.retry_after,
        };
        Faults {
            delay: self.delay.map(Duration::get).unwrap_or_default(),
            errors: (self.errors > 0).then_some(errors),
            outage: None,
        }
    }
}

impl Limits {
    /// The budget that was given.
    pub(crate) fn budget(&self) -> Option<Budget> {
        let (qps, burst) = self.kube_api_qps.zip(self.kube_api_burst)?;
        Some(Budget { qps, burst })
    }
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("not a number: {error}")),
    }
}
