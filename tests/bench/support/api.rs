//! The API server of a bench, in a process of its own, and the doors to it.
//!
//! What that process does is in `front`; here it is started, told and asked.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use kube::{Client, Config};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::{
    faults::{Faults, Order, Reply},
    tally::{Budget, Tally},
};

/// How long the process may take to serve, and to carry out an order.
const DEADLINE: Duration = Duration::from_mins(1);

/// The flag with which a bench starts itself to be that process.
pub(crate) const FLAG: &str = "--front";

/// A running API server with a faulty door.
pub(crate) struct Api {
    orders: ChildStdin,
    replies: Lines<BufReader<ChildStdout>>,
    direct: SocketAddr,
    kubeconfig: PathBuf,
    _folder: TempDir,
    _process: Child,
}

impl Api {
    /// Starts the process: the embedded control plane, or what this kubeconfig leads to.
    pub(crate) async fn start(cluster: Option<&Path>) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(FLAG)
            .args(cluster.map(|path| format!("--cluster={}", path.display())))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let orders = process.stdin.take().context("no pipe")?;
        let mut replies = BufReader::new(process.stdout.take().context("no pipe")?).lines();
        let Reply::Serving { direct, faulty } = reply(&mut replies).await? else {
            bail!("the API server says something else");
        };
        let folder = tempfile::tempdir()?;
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, leading_to(faulty))?;
        Ok(Self {
            orders,
            replies,
            direct,
            kubeconfig,
            _folder: folder,
            _process: process,
        })
    }

    /// A client for which nothing goes wrong.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let config = Config::new(format!("http://{}", self.direct).parse()?);
        Ok(Client::try_from(config)?)
    }

    /// The kubeconfig that leads through the faults.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Lets these faults happen from now on.
    pub(crate) async fn fail(&mut self, faults: Faults) -> anyhow::Result<()> {
        self.tell(&Order::Fail(faults)).await.map(drop)
    }

    /// Lets the count begin anew.
    pub(crate) async fn forget(&mut self) -> anyhow::Result<()> {
        self.tell(&Order::Forget).await.map(drop)
    }

    /// What was patched since then.
    pub(crate) async fn count(&mut self, budget: Budget) -> anyhow::Result<Tally> {
        match self.tell(&Order::Count(budget)).await? {
            Reply::Counted(tally) => Ok(tally),
            other => bail!("the API server says something else: {other:?}"),
        }
    }

    async fn tell(&mut self, order: &Order) -> anyhow::Result<Reply> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        self.orders.write_all(&line).await?;
        self.orders.flush().await?;
        reply(&mut self.replies).await
    }
}

async fn reply(replies: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<Reply> {
    let line = timeout(DEADLINE, replies.next_line()).await;
    let line = line.context("the API server does not answer in time")??;
    let line = line.context("the API server ended")?;
    Ok(serde_json::from_str(&line)?)
}

fn leading_to(address: SocketAddr) -> String {
    format!(
        "clusters: [{{name: bench, cluster: {{server: 'http://{address}'}}}}]\n\
         users: [{{name: bench, user: {{}}}}]\n\
         contexts: [{{name: bench, context: {{cluster: bench, user: bench}}}}]\n\
         current-context: bench\n"
    )
}
