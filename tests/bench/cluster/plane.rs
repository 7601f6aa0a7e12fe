//! Control planes to measure: in memory, on disk, and on disk behind HTTPS.
//!
//! They are opened as `hookgate dev` opens its own, but without definitions and without anything that uses them.

use clap::ValueEnum;
use hookgate::cluster::{Embedded, Listener, Options, Storage};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Where a control plane keeps its objects and how it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// In memory, in process.
    Memory,
    /// On disk, in process.
    Disk,
    /// On disk, over HTTPS on loopback.
    Https,
}

impl Way {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Memory, Self::Disk, Self::Https];

    /// As it is written in arguments.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Https => "https",
        }
    }
}

/// A running control plane in a folder of its own.
pub(crate) struct Plane {
    /// Itself.
    pub(crate) embedded: Embedded,
    /// The client that goes the way that was asked for.
    pub(crate) client: Client,
    _folder: TempDir,
}

impl Plane {
    /// Opens an empty one.
    pub(crate) async fn open(way: Way) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let storage = match way {
            Way::Memory => Storage::Memory,
            Way::Disk | Way::Https => Storage::Directory(folder.path().to_owned()),
        };
        let embedded = Embedded::open(&Options { storage })?;
        let client = match way {
            Way::Memory | Way::Disk => embedded.client(),
            Way::Https => {
                let listener = Listener::bind("127.0.0.1:0".parse()?, folder.path()).await?;
                let kubeconfig = Kubeconfig::read_from(listener.kubeconfig())?;
                tokio::spawn(listener.serve(embedded.clone(), CancellationToken::new()));
                let options = KubeConfigOptions::default();
                Client::try_from(Config::from_custom_kubeconfig(kubeconfig, &options).await?)?
            }
        };
        Ok(Self {
            embedded,
            client,
            _folder: folder,
        })
    }
}
