//! What `hookgate receiver list` is told.
//!
//! What is said of each Receiver is for `cli` to say.

use clap::{Args, ValueEnum};

use super::{Connection, namespace_name};

/// Flags of `hookgate receiver list`.
#[derive(Args, Clone, Debug)]
pub struct List {
    /// Those of all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Those of this namespace [default: that of the kubeconfig's context]
    #[arg(short, long, value_name = "NAMESPACE", value_parser = namespace_name, conflicts_with = "all_namespaces")]
    pub namespace: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = ListOutput::Table)]
    pub output: ListOutput,
    /// The cluster to ask.
    #[command(flatten)]
    pub connection: Connection,
}

/// How Receivers are printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOutput {
    /// One line each
    Table,
    /// One longer line each
    Wide,
    /// Their names
    Name,
    /// The objects
    Json,
    /// The objects
    Yaml,
}
