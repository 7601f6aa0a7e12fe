//! What `hookgate deliveries` is told.
//!
//! Which gateway is asked is an address here; whether it answers is for `cli` to find out.

use clap::{Args, Subcommand, ValueEnum};

use super::ReceiverName;

/// Flags of `hookgate deliveries`.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Deliveries {
    /// What to do instead of listing.
    #[command(subcommand)]
    pub action: Option<DeliveriesAction>,
    /// Which gateway to ask.
    #[command(flatten)]
    pub server: OperatorServer,
    /// Only those of one Receiver
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub receiver: Option<ReceiverName>,
    /// How many to list
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub limit: u16,
    /// Go on with those that come and change
    #[arg(short, long)]
    pub watch: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// What else can be done with deliveries.
#[derive(Subcommand, Clone, Debug)]
pub enum DeliveriesAction {
    /// Trigger the targets of a delivery again
    Redeliver {
        /// Its number, or the id that the sender gave it
        id: String,
        /// Which gateway to ask.
        #[command(flatten)]
        server: OperatorServer,
    },
}

/// Where the operator's listener of a gateway is.
#[derive(Args, Clone, Debug)]
pub struct OperatorServer {
    /// The operator's listener of the gateway; in a cluster, after `kubectl port-forward POD 9441`
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9441")]
    pub server: String,
}

/// How deliveries are printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// One line each
    Table,
    /// Everything that is known of them
    Json,
}
