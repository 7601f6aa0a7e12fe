//! The binary under test as a process of its own: `hookgate run` on free ports of loopback.
//!
//! Its log goes where the bench wants it; what it logs is not read here.

use std::{
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use http::{Request, StatusCode};
use tokio::{
    process::{Child, Command},
    time::{interval, timeout},
};

use super::connection::Connection;

/// How long it may take to be ready; ten thousand Receivers need most of it.
const DEADLINE: Duration = Duration::from_mins(2);
/// How often it is asked whether it is ready.
const TICK: Duration = Duration::from_millis(5);

/// A running gateway.
pub(crate) struct Gateway {
    process: Child,
    /// Where deliveries go.
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
}

impl Gateway {
    /// Starts it with these arguments besides, its log going to `log`.
    pub(crate) fn start(
        kubeconfig: &Path,
        arguments: &[OsString],
        log: Stdio,
    ) -> anyhow::Result<Self> {
        let (address, admin) = free_addresses()?;
        let process = Command::new(env!("CARGO_BIN_EXE_hookgate"))
            .args(["run", "--listen", &address.to_string()])
            .args(["--health-addr", &admin.to_string()])
            .args(["--metrics-addr", &admin.to_string()])
            .args(["--operator-addr", "127.0.0.1:0"])
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(arguments)
            .env_remove("RUNTIME_NAMESPACE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self {
            process,
            address,
            admin,
        })
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<()> {
        let mut ticks = interval(TICK);
        let ready = async {
            loop {
                ticks.tick().await;
                if let Some(status) = self.process.try_wait()? {
                    bail!("`hookgate run` ended: {status}; its log says why");
                }
                if self.is_ready().await.unwrap_or(false) {
                    return Ok(());
                }
            }
        };
        let ready = timeout(DEADLINE, ready).await;
        ready.context("`hookgate run` is not ready in time; its log says why")?
    }

    async fn is_ready(&self) -> anyhow::Result<bool> {
        let request = Request::get("/readyz").body(http_body_util::Full::default())?;
        let mut connection = Connection::open(self.admin).await?;
        Ok(connection.send(request).await? == StatusCode::OK)
    }

    /// The id of the process, as `/proc` knows it.
    pub(crate) fn id(&self) -> anyhow::Result<String> {
        Ok(self.process.id().context("it has ended")?.to_string())
    }

    /// Asks it to end, with `SIGTERM`, and waits until it has.
    pub(crate) async fn end(mut self) -> anyhow::Result<ExitStatus> {
        let asked = Command::new("kill")
            .args(["-s", "TERM", &self.id()?])
            .status()
            .await?;
        ensure!(asked.success(), "`kill` failed");
        Ok(self.process.wait().await?)
    }

    /// Kills it with `SIGKILL` and waits for the end.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }
}

/// Two addresses that were free a moment ago, on a loopback host of this process:
/// outgoing connections, which may take any port of 127.0.0.1, cannot take one of them.
fn free_addresses() -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let [_, b, c, d] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, b | 0b1000_0000, c, d);
    let first = TcpListener::bind((host, 0))?;
    let second = TcpListener::bind((host, 0))?;
    Ok((first.local_addr()?, second.local_addr()?))
}
