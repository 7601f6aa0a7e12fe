//! The built binary: how long `hookgate demo` takes, and what `hookgate dev` weighs with a hundred Receivers.
//!
//! The Receivers are created through the Kubernetes API that `dev` serves, as a user would.

use std::{
    io::{BufRead as _, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use hookgate::api::{annotations::REQUESTED_AT, git_repository::GitRepository, receiver::Receiver};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Config,
    api::{Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::wait::await_condition,
};
use serde_json::json;

use crate::{
    figures::{Times, millis},
    process::Memory,
};

const DEMOS: usize = 10;
const RECEIVERS: usize = 100;
const CHANGES: usize = 3000;

/// Runs the demonstration several times and prints what it says of itself.
pub(crate) fn demo(out: &mut impl std::io::Write) -> anyhow::Result<()> {
    let mut times = Vec::new();
    for _ in 0..DEMOS {
        let output = hookgate().arg("demo").output()?;
        ensure!(output.status.success(), "`hookgate demo` failed");
        let text = String::from_utf8(output.stdout)?;
        let said = text.lines().find_map(|line| {
            line.strip_prefix("From the start of the process to the annotated object: ")
        });
        let said = said.and_then(|said| said.strip_suffix(" ms"));
        times.push(Duration::from_millis(
            said.context("no time was printed")?.parse()?,
        ));
    }
    let times = Times::new(times);
    let (median, longest) = (millis(times.median()), millis(times.longest()));
    writeln!(
        out,
        "\n`hookgate demo`, process start to annotated object ({DEMOS} runs)\n  median {median}, longest {longest}"
    )?;
    Ok(())
}

/// Starts `hookgate dev`, gives it Receivers, and prints the memory it takes.
pub(crate) async fn dev(out: &mut impl std::io::Write) -> anyhow::Result<()> {
    writeln!(out, "\n`hookgate dev`")?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let mut dev = Dev::start(folder.path(), &data)?;
    let id = dev.process.id().to_string();
    report(out, "with the catalogue", &id)?;
    let kubeconfig = Kubeconfig::read_from(data.join("kubeconfig"))?;
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    let client = Client::try_from(config)?;
    create(&client).await?;
    report(
        out,
        &format!("and {RECEIVERS} Receivers more, each with a Secret and a path"),
        &id,
    )?;
    change(&client).await?;
    let what =
        format!("after {CHANGES} changes of one source, which watches can follow for a while");
    report(out, &what, &id)?;
    dev.process.kill()?;
    dev.process.wait()?;
    let mut dev = Dev::start(folder.path(), &data)?;
    report(
        out,
        "the same, started again",
        &dev.process.id().to_string(),
    )?;
    dev.process.kill()?;
    dev.process.wait()?;
    Ok(())
}

fn report(out: &mut impl std::io::Write, what: &str, id: &str) -> anyhow::Result<()> {
    match Memory::of(id) {
        Some(memory) => writeln!(out, "  {what}: {memory}")?,
        None => writeln!(
            out,
            "  {what}: there is no /proc here, so memory is not measured"
        )?,
    }
    Ok(())
}

async fn create(client: &Client) -> anyhow::Result<()> {
    let secrets: Api<Secret> = Api::default_namespaced(client.clone());
    let receivers: Api<Receiver> = Api::default_namespaced(client.clone());
    let params = PostParams::default();
    for number in 0..RECEIVERS {
        let name = format!("measured-{number}");
        let secret = json!({
            "metadata": {"name": name, "labels": {"reconcile.fluxcd.io/watch": "Enabled"}},
            "stringData": {"token": format!("a token of Receiver {number}")},
        });
        secrets
            .create(&params, &serde_json::from_value(secret)?)
            .await?;
        let receiver = json!({
            "apiVersion": "notification.toolkit.fluxcd.io/v1",
            "kind": "Receiver",
            "metadata": {"name": name},
            "spec": {
                "type": "github",
                "events": ["ping", "push"],
                "secretRef": {"name": name},
                "resources": [{"kind": "GitRepository", "name": "podinfo"}],
            },
        });
        receivers
            .create(&params, &serde_json::from_value(receiver)?)
            .await?;
    }
    for number in 0..RECEIVERS {
        let has_path = |receiver: Option<&Receiver>| {
            let status = receiver.and_then(|receiver| receiver.status.as_ref());
            status.is_some_and(|status| status.webhook_path.is_some())
        };
        await_condition(receivers.clone(), &format!("measured-{number}"), has_path).await?;
    }
    Ok(())
}

/// Changes the source that the Receivers name as often as many deliveries would.
async fn change(client: &Client) -> anyhow::Result<()> {
    let sources: Api<GitRepository> = Api::default_namespaced(client.clone());
    for number in 0..CHANGES {
        let patch = json!({"metadata": {"annotations": {REQUESTED_AT: number.to_string()}}});
        let patch = Patch::Merge(patch);
        sources
            .patch("podinfo", &PatchParams::default(), &patch)
            .await?;
    }
    Ok(())
}

/// A running `hookgate dev` on free ports.
struct Dev {
    process: Child,
    /// Keeps the pipe open, so that the process never writes into nothing.
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Dev {
    /// Starts it and waits until it has said how to reach it.
    fn start(folder: &Path, data: &Path) -> anyhow::Result<Self> {
        let mut process = hookgate()
            .args(["dev", "--log-level", "warn", "--data-dir"])
            .arg(data)
            .args(["--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"])
            .args(["--admin-listen", "127.0.0.1:0"])
            .args(["--operator-listen", "127.0.0.1:0"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(process.stdout.take().context("no pipe")?).lines();
        for line in lines.by_ref() {
            if line?.starts_with("Ctrl-C") {
                return Ok(Self {
                    process,
                    _lines: lines,
                });
            }
        }
        anyhow::bail!("`hookgate dev` ended early")
    }
}

fn hookgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookgate"));
    command
        .env_remove("KUBECONFIG")
        .env_remove("HOOKGATE_DATA_DIR")
        .stdin(Stdio::null());
    command
}
