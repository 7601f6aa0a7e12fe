//! What `hookgate receiver show` is told.
//!
//! What is known of a Receiver, and where it is known, is for `cli` to find out.

use clap::{Args, ValueEnum};

use super::{super::OperatorServer, Connection, NamedReceiver};

/// Flags of `hookgate receiver show`.
#[derive(Args, Clone, Debug)]
pub struct Show {
    /// Which one.
    #[command(flatten)]
    pub receiver: NamedReceiver,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = ShowOutput::Text)]
    pub output: ShowOutput,
    /// The gateway to ask for its last deliveries.
    #[command(flatten)]
    pub server: OperatorServer,
    /// The cluster to ask.
    #[command(flatten)]
    pub connection: Connection,
}

/// How a Receiver is printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShowOutput {
    /// In words
    Text,
    /// The object
    Json,
    /// The object
    Yaml,
}
