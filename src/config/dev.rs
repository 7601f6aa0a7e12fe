//! What `hookgate dev` is told.
//!
//! The folders are named here and opened by `cli`.

use std::path::PathBuf;

use clap::Args;

use super::{EntranceArgs, InvalidConfig, Issuers, Journal, ListenAddr, Logging, Serving};

/// Flags of `hookgate dev`.
#[derive(Args, Clone, Debug)]
pub struct Dev {
    /// Folder for the database, the journal, the certificates and the kubeconfig; created with mode 0700
    #[arg(long, value_name = "DIR", env = "HOOKGATE_DATA_DIR", default_value_os_t = default_data_dir())]
    pub data_dir: PathBuf,
    /// Where deliveries arrive (HTTP, or HTTPS with `--tls-cert-file`)
    #[arg(long, value_name = "ADDR", default_value_t = ListenAddr::loopback(9292))]
    pub listen: ListenAddr,
    /// Where the Kubernetes API is served (HTTPS)
    #[arg(long, value_name = "ADDR", default_value_t = ListenAddr::loopback(6443))]
    pub api_listen: ListenAddr,
    /// Where /healthz, /readyz and /metrics are served (HTTP)
    #[arg(long, value_name = "ADDR", default_value_t = ListenAddr::loopback(9440))]
    pub admin_listen: ListenAddr,
    /// Where the deliveries are shown and redelivered (HTTP); for whoever reaches it
    #[arg(long, value_name = "ADDR", default_value_t = ListenAddr::loopback(9441))]
    pub operator_listen: ListenAddr,
    /// Folder of manifests to load, one folder per sender [default: ./receivers, or else the catalogue in the binary]
    #[arg(long, value_name = "DIR")]
    pub receivers: Option<PathBuf>,
    /// How deliveries come in.
    #[command(flatten)]
    pub entrance: EntranceArgs,
    /// How the keys of issuers are fetched.
    #[command(flatten)]
    pub issuers: Issuers,
    /// How to log.
    #[command(flatten)]
    pub logging: Logging,
}

impl Dev {
    /// The serving part of the flags: everything in one process, every namespace, no lease.
    pub fn serving(&self) -> Result<Serving, InvalidConfig> {
        let journal = Journal::In(self.data_dir.join("journal"));
        Ok(Serving {
            entrance: self.entrance.checked()?,
            issuers: self.issuers.clone(),
            audit: self.logging.audit_log(),
            ..Serving::alone(
                self.listen,
                self.admin_listen,
                self.operator_listen,
                journal,
            )
        })
    }
}

/// The data directory of this user: under `XDG_DATA_HOME`, else `~/.local/share`, else here.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the module that reads the environment"
)]
pub(super) fn default_data_dir() -> PathBuf {
    let folder = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    folder("XDG_DATA_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".local/share")))
        .map_or_else(|| PathBuf::from(".hookgate"), |data| data.join("hookgate"))
}
