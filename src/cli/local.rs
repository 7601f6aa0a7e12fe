//! Everything on this machine: the embedded control plane in a folder, and the parts that serve it.
//!
//! `dev` keeps the folder and `demo` throws it away; neither knows how it is done.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use kube::Client;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    install, load,
    manifests::Manifest,
    serve::{Addresses, Serving},
};
use crate::{
    cluster::{self, Embedded, Options, Storage},
    config,
};

/// How long everything may take to serve.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// A control plane and what serves it.
pub(super) struct Local {
    /// A client of the control plane, in process.
    pub(super) client: Client,
    /// Where the Kubernetes API is, as clients on this machine write it.
    pub(super) api: String,
    /// The kubeconfig for it.
    pub(super) kubeconfig: PathBuf,
    /// The parts that serve.
    pub(super) serving: Serving,
    plane: Embedded,
    doors: TaskTracker,
    close_doors: CancellationToken,
}

impl Local {
    /// Opens the control plane in `folder`, installs the definitions, loads `manifests` and serves.
    ///
    /// The ports are tried first and the database is locked before anything else in the folder is written.
    pub(super) async fn start(
        folder: &Path,
        api: config::ListenAddr,
        serving: &config::Serving,
        manifests: &[Manifest],
    ) -> anyhow::Result<Self> {
        let addresses = Addresses::bind(serving).await?;
        let is_new_cluster = is_empty(folder);
        make_private(folder)
            .with_context(|| format!("cannot use data directory `{}`", folder.display()))?;
        let plane = Embedded::open(&Options {
            storage: Storage::Directory(folder.to_owned()),
        })?;
        let door = cluster::Listener::bind(api.socket_addr(), folder).await?;
        let (url, kubeconfig) = (door.url(), door.kubeconfig().to_owned());
        let (doors, close_doors) = (TaskTracker::new(), CancellationToken::new());
        doors.spawn(door.serve(plane.clone(), close_doors.clone()));
        let client = plane.client();
        install::crds(&client).await?;
        let loaded = load::load(&client, manifests).await?;
        tracing::info!(
            created = loaded.created,
            updated = loaded.updated,
            unchanged = loaded.unchanged,
            "manifests loaded"
        );
        let serving = config::Serving {
            is_new_cluster,
            ..serving.clone()
        };
        let local = Self {
            api: url,
            kubeconfig,
            serving: Serving::start(addresses, &client, &serving)?,
            client,
            plane,
            doors,
            close_doors,
        };
        local.ready().await?;
        Ok(local)
    }

    /// Serves until `stop`, then ends the parts, the Kubernetes API and the database, in this order.
    pub(super) async fn until(self, stop: CancellationToken) -> anyhow::Result<()> {
        let served = self.serving.until(stop).await;
        self.close_doors.cancel();
        self.doors.close();
        self.doors.wait().await;
        self.plane.close();
        served
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let readiness = self.serving.readiness();
        if tokio::time::timeout(READY_DEADLINE, readiness.ready())
            .await
            .is_err()
        {
            bail!("still waiting for: {}", readiness.waiting_for().join(", "));
        }
        Ok(())
    }
}

/// Whether a folder holds nothing, or is not there yet.
fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

/// Creates a folder that only its owner can enter, or makes an existing one so.
fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut permissions = std::fs::metadata(folder)?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(0o700);
        std::fs::set_permissions(folder, permissions)?;
    }
    Ok(())
}
