//! Which Kubernetes cluster to talk to.
//!
//! Reading the kubeconfig and building a client from it is done by `cli`.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

/// Flags that choose a cluster.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Cluster")]
pub struct Cluster {
    /// Kubeconfig files to merge [default: the Pod's own cluster, then ~/.kube/config]
    #[arg(long, env = "KUBECONFIG", value_name = "PATHS")]
    pub kubeconfig: Option<OsString>,
    /// Context of the kubeconfig to use [default: its current context]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

impl Cluster {
    /// The kubeconfig files that were named, separated as in `PATH`; none when the default applies.
    #[must_use]
    pub fn kubeconfig_paths(&self) -> Vec<PathBuf> {
        self.kubeconfig
            .iter()
            .flat_map(std::env::split_paths)
            .filter(|path| !path.as_os_str().is_empty())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_names_between_separators_are_no_files() {
        let check = |given: Option<&str>, expected: &[&str]| {
            let cluster = Cluster {
                kubeconfig: given.map(OsString::from),
                context: None,
            };
            let paths: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(cluster.kubeconfig_paths(), paths, "{given:?}");
        };
        check(None, &[]);
        check(Some(""), &[]);
        check(Some("a:"), &["a"]);
        check(Some("a:b"), &["a", "b"]);
    }
}
