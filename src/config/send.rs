//! What `hookgate receiver send` is told.
//!
//! Which Receiver is meant when none is named is decided by `cli`, which can read the cluster.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

use super::{Cluster, ReceiverName, dev::default_data_dir};

/// Flags of `hookgate receiver send`.
#[derive(Args, Clone, Debug)]
pub struct Send {
    /// A recorded request: request line, headers, an empty line, the body; those of the catalogue, such as receivers/github/push.http, are built in
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The Receiver to sign for [default: the one at the recorded path, else the only one of the type that FILE's folder names]
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub receiver: Option<ReceiverName>,
    /// Where to send it; without a path, the Receiver's own is added
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9292")]
    pub url: String,
    /// Data directory of the `hookgate dev` whose kubeconfig is used when --kubeconfig is not given and it exists
    #[arg(long, value_name = "DIR", env = "HOOKGATE_DATA_DIR", default_value_os_t = default_data_dir())]
    pub data_dir: PathBuf,
    /// Kubeconfig files to merge [default: that of `hookgate dev`, then KUBECONFIG, then ~/.kube/config]
    #[arg(long, value_name = "PATHS")]
    pub kubeconfig: Option<OsString>,
    /// Context of the kubeconfig to use [default: its current context]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

impl Send {
    /// The cluster to ask, given whether `hookgate dev` has left a kubeconfig in its data directory.
    #[must_use]
    pub fn cluster(&self, dev_kubeconfig: Option<PathBuf>) -> Cluster {
        Cluster {
            kubeconfig: self
                .kubeconfig
                .clone()
                .or_else(|| dev_kubeconfig.map(OsString::from))
                .or_else(kubeconfig_of_environment),
            context: self.context.clone(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the module that reads the environment"
)]
fn kubeconfig_of_environment() -> Option<OsString> {
    std::env::var_os("KUBECONFIG")
}
