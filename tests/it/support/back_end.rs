//! The Kubernetes APIs that every behaviour is shown on.
//!
//! The embedded ones differ in where objects are kept and how they are reached; the last one is not ours at all.

use std::path::PathBuf;

use hookgate::{
    cli::install,
    cluster::{Embedded, Listener, Options, Storage},
};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::api_server;

/// Which Kubernetes API a behaviour is shown on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackEnd {
    /// The embedded control plane, in memory and in process.
    Memory,
    /// The embedded control plane behind its HTTPS listener.
    Https,
    /// The embedded control plane on disk.
    Disk,
    /// A real API server.
    ApiServer,
}

/// A running back end.
pub(crate) enum Running {
    /// One of the embedded ones.
    Embedded(Box<Control>),
    /// The shared API server.
    ApiServer(Client),
}

/// An embedded control plane, and how it is reached.
pub(crate) struct Control {
    back_end: BackEnd,
    plane: Embedded,
    client: Client,
    door: Option<Door>,
    folder: TempDir,
}

/// The HTTPS listener of a control plane.
struct Door {
    serving: JoinHandle<()>,
    stop: CancellationToken,
}

impl Running {
    /// Starts a back end with the definitions installed; nothing where it cannot be had.
    pub(crate) async fn start(back_end: BackEnd) -> Option<Self> {
        let running = Self::open(back_end).await?;
        if let Self::Embedded(control) = &running {
            install::crds(&control.client)
                .await
                .expect("the definitions can be installed");
        }
        Some(running)
    }

    /// Starts a back end as it comes; nothing where it cannot be had.
    pub(crate) async fn open(back_end: BackEnd) -> Option<Self> {
        if back_end == BackEnd::ApiServer {
            return api_server::client().await.map(Self::ApiServer);
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let control = Control::open(back_end, folder).await;
        Some(Self::Embedded(Box::new(control)))
    }

    /// The kubeconfig that leads here, where something listens.
    pub(crate) fn kubeconfig(&self) -> Option<PathBuf> {
        match self {
            Self::Embedded(control) => {
                let door = control.door.as_ref();
                door.map(|_| control.folder.path().join("kubeconfig"))
            }
            Self::ApiServer(_) => api_server::kubeconfig(),
        }
    }

    /// The client that everything uses.
    pub(crate) fn client(&self) -> &Client {
        match self {
            Self::Embedded(control) => &control.client,
            Self::ApiServer(client) => client,
        }
    }

    /// Closes what keeps its objects on disk and opens it again; the others just go on.
    pub(crate) async fn restart(self) -> Self {
        match self {
            Self::Embedded(control) if control.back_end == BackEnd::Disk => {
                let folder = control.close().await;
                Self::Embedded(Box::new(Control::open(BackEnd::Disk, folder).await))
            }
            other => other,
        }
    }

    /// Ends what was started.
    pub(crate) async fn end(self) {
        if let Self::Embedded(control) = self {
            control.close().await;
        }
    }
}

impl Control {
    async fn open(back_end: BackEnd, folder: TempDir) -> Self {
        let storage = match back_end {
            BackEnd::Disk => Storage::Directory(folder.path().to_owned()),
            _ => Storage::Memory,
        };
        let plane = Embedded::open(&Options { storage }).expect("the control plane opens");
        let (client, door) = if back_end == BackEnd::Https {
            let (client, door) = Door::open(&plane, &folder).await;
            (client, Some(door))
        } else {
            (plane.client(), None)
        };
        Self {
            back_end,
            plane,
            client,
            door,
            folder,
        }
    }

    async fn close(self) -> TempDir {
        if let Some(door) = self.door {
            door.stop.cancel();
            door.serving.await.expect("the listener ends");
        }
        self.plane.close();
        self.folder
    }
}

impl Door {
    async fn open(plane: &Embedded, folder: &TempDir) -> (Client, Self) {
        let address = "127.0.0.1:0".parse().expect("an address");
        let listener = Listener::bind(address, folder.path())
            .await
            .expect("a free port");
        let kubeconfig = Kubeconfig::read_from(listener.kubeconfig()).expect("a kubeconfig");
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let client = Client::try_from(config.expect("a usable kubeconfig")).expect("a client");
        let stop = CancellationToken::new();
        let serving = tokio::spawn(listener.serve(plane.clone(), stop.clone()));
        (client, Self { serving, stop })
    }
}
