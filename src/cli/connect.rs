//! Builds the client for the cluster that was chosen: kubeconfig files, the Pod's own cluster, or the user's default.
//!
//! Staying connected is the client's business, not decided here.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
    core::GroupVersionKind,
    discovery::oneshot,
};

use crate::config::{Cluster, Connection};

/// A client for `cluster`; the cluster is not asked anything yet.
pub(super) async fn client(cluster: &Cluster) -> anyhow::Result<Client> {
    let paths = cluster.kubeconfig_paths();
    let options = KubeConfigOptions {
        context: cluster.context.clone(),
        ..KubeConfigOptions::default()
    };
    let config = if !paths.is_empty() {
        let named = join(&paths);
        from_files(&paths, &options)
            .await
            .map_err(one_line)
            .with_context(|| format!("cannot use kubeconfig `{named}`"))?
    } else if let (None, Ok(pod)) = (&cluster.context, Config::incluster()) {
        pod
    } else {
        Config::from_kubeconfig(&options)
            .await
            .map_err(one_line)
            .context("cannot find a cluster; name one with `--kubeconfig`, or try `hookgate dev`, which needs none")?
    };
    let server = config.cluster_url.to_string();
    Client::try_from(config).with_context(|| format!("cannot make a client for `{server}`"))
}

/// A client for the cluster that a command run by hand means: that of `hookgate dev` where it has been.
pub(super) async fn client_of(connection: &Connection) -> anyhow::Result<Client> {
    let dev = connection.data_dir.join("kubeconfig");
    client(&connection.cluster(dev.is_file().then_some(dev))).await
}

/// Fails unless the cluster answers and serves Receivers.
pub(super) async fn check_receivers_are_served(client: &Client) -> anyhow::Result<()> {
    client
        .apiserver_version()
        .await
        .context("the Kubernetes API does not answer")?;
    let kind = GroupVersionKind::gvk("notification.toolkit.fluxcd.io", "v1", "Receiver");
    match oneshot::pinned_kind(client, &kind).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code != 404 => {
            Err(kube::Error::Api(status)).context("cannot ask the cluster whether it has Receivers")
        }
        Err(_) => bail!(
            "the cluster has no Receivers; install them with `hookgate crds | kubectl apply -f -`"
        ),
    }
}

async fn from_files<P: AsRef<Path>>(
    paths: &[P],
    options: &KubeConfigOptions,
) -> Result<Config, KubeconfigError> {
    let kubeconfig = paths
        .iter()
        .try_fold(Kubeconfig::default(), |merged, path| {
            merged.merge(Kubeconfig::read_from(path)?)
        })?;
    Config::from_custom_kubeconfig(kubeconfig, options).await
}

/// The parser quotes the lines around a mistake, and a kubeconfig is full of credentials.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is the argument of map_err"
)]
fn one_line(error: KubeconfigError) -> anyhow::Error {
    let text = error.to_string();
    anyhow!("{}", text.lines().next().unwrap_or_default().to_owned())
}

fn join<P: AsRef<Path>>(paths: &[P]) -> String {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.as_ref().display().to_string())
        .collect();
    paths.join(", ")
}
