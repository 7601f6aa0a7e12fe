//! What `hookgate receiver send` is told.
//!
//! Whether the request is accepted is for the gateway to say.

use std::path::PathBuf;

use clap::Args;

use super::{Connection, ReceiverName};

/// Flags of `hookgate receiver send`.
#[derive(Args, Clone, Debug)]
pub struct Send {
    /// A recorded request: request line, headers, an empty line, the body; those of the catalogue, such as receivers/github/push.http, are built in
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The Receiver to sign for [default: the one at the recorded path, else the only one of the type that FILE's folder names]
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub receiver: Option<ReceiverName>,
    /// A file with a token of the issuer, for the types `gcr` and `generic-oidc`, which nobody else can sign for
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Where to send it; without a path, the Receiver's own is added
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9292")]
    pub url: String,
    /// The cluster to ask.
    #[command(flatten)]
    pub connection: Connection,
}
