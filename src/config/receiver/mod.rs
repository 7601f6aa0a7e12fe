//! What the commands under `hookgate receiver` are told.
//!
//! Which cluster is meant, and which Receiver when none is named, is decided by `cli`, which can look.

mod list;
mod new;
mod rotate;
mod send;
mod show;
mod verify;

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

pub use list::{List, ListOutput};
pub use new::{MatchLabel, New, TargetName};
pub use rotate::Rotate;
pub use send::Send;
pub use show::{Show, ShowOutput};
pub use verify::Verify;

use super::{Cluster, InvalidConfig, ReceiverName, dev::default_data_dir, values::namespace_name};

/// Flags that choose the cluster of a command that is run by hand.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Cluster")]
pub struct Connection {
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

impl Connection {
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

/// A Receiver that is named on the command line.
#[derive(Args, Clone, Debug)]
pub struct NamedReceiver {
    /// The Receiver
    #[arg(value_name = "[NAMESPACE/]NAME")]
    pub name: String,
    /// Its namespace [default: that of the kubeconfig's context]
    #[arg(short, long, value_name = "NAMESPACE", value_parser = namespace_name)]
    pub namespace: Option<String>,
}

impl NamedReceiver {
    /// The whole name, given the namespace that counts when none is named.
    pub fn within(&self, default_namespace: &str) -> Result<ReceiverName, InvalidConfig> {
        let misnamed = || InvalidConfig::Misnamed(self.name.clone());
        if !self.name.contains('/') {
            let namespace = self.namespace.as_deref().unwrap_or(default_namespace);
            let whole = format!("{namespace}/{}", self.name);
            return whole.parse().map_err(|_| misnamed());
        }
        let whole: ReceiverName = self.name.parse().map_err(|_| misnamed())?;
        match &self.namespace {
            Some(namespace) if *namespace != whole.namespace => Err(misnamed()),
            _ => Ok(whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(name: &str, namespace: Option<&str>) -> Option<String> {
        let named = NamedReceiver {
            name: name.to_owned(),
            namespace: namespace.map(ToOwned::to_owned),
        };
        let whole = named.within("default").ok()?;
        Some(whole.to_string())
    }

    #[test]
    fn a_receiver_is_named_with_its_namespace_or_beside_it() {
        for (name, namespace, expected) in [
            ("ci", None, Some("default/ci")),
            ("ci", Some("apps"), Some("apps/ci")),
            ("apps/ci", None, Some("apps/ci")),
            ("apps/ci", Some("apps"), Some("apps/ci")),
            ("apps/ci", Some("other"), None),
            ("apps/", None, None),
            ("CI", None, None),
            ("", None, None),
        ] {
            let found = whole(name, namespace);
            assert_eq!(found.as_deref(), expected, "{name:?} in {namespace:?}");
        }
    }
}
