//! What `hookgate receiver verify` is told.
//!
//! Whether the request would be accepted is for `ingress` to say.

use std::{net::IpAddr, path::PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::{Connection, ReceiverName};
use crate::config::Issuers;

/// Flags of `hookgate receiver verify`.
#[derive(Args, Clone, Debug)]
pub struct Verify {
    /// A recorded request: request line, headers, an empty line, the body; those of the catalogue, such as receivers/github/push.http, are built in
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The Receiver it is for [default: the one at the recorded path, else the only one of the type that FILE's folder names, else the only one]
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub receiver: Option<ReceiverName>,
    /// Take the Receiver and its Secret from this file of YAML instead of a cluster
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// When it arrives, in RFC 3339, for senders that sign the time [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// The address it comes from, for Receivers that list the networks of their clients [default: one that may send]
    #[arg(long, value_name = "ADDRESS")]
    pub client: Option<IpAddr>,
    /// Refuse targets outside the namespace of their Receiver, as a gateway with this flag does
    #[arg(long)]
    pub no_cross_namespace_refs: bool,
    /// How the keys of an issuer are fetched, for senders that one vouches for.
    #[command(flatten)]
    pub issuers: Issuers,
    /// The cluster to ask.
    #[command(flatten)]
    pub connection: Connection,
}
