//! `hookgate dev`: everything on this machine, with its state kept in a data directory.
//!
//! It runs no workloads; what a Receiver triggers is annotated, and the reconcilers of later parts act on it.

use std::{fmt::Write as _, time::Duration};

use kube::{Api, Client, ResourceExt, api::ListParams, runtime::wait::await_condition};
use tokio_util::sync::CancellationToken;

use super::{catalogue, local::Local, logging, output};
use crate::{
    api::{
        condition::READY,
        receiver::{Receiver, ReceiverType},
    },
    config::{self, LogEncoding},
};

/// How long the Receivers that were loaded may take to be reconciled before they are listed as they are.
const SETTLED_DEADLINE: Duration = Duration::from_secs(5);

/// Serves until `stop`.
pub(super) async fn run(dev: config::Dev, stop: CancellationToken) -> anyhow::Result<()> {
    let encoding = dev.logging.log_encoding.unwrap_or(LogEncoding::Console);
    logging::start(dev.logging.log_level, encoding)?;
    let Some(local) = stop.run_until_cancelled(start(&dev)).await else {
        return Ok(());
    };
    local?.until(stop).await
}

async fn start(dev: &config::Dev) -> anyhow::Result<Local> {
    let manifests = catalogue::manifests(dev.receivers.as_deref())?;
    let serving = dev.serving()?;
    let local = Local::start(&dev.data_dir, dev.api_listen, &serving, &manifests).await?;
    let receivers = settled(&local.client).await?;
    let scheme = serving.entrance.scheme();
    output::write(&welcome(dev, scheme, &local, &receivers))?;
    Ok(local)
}

/// All Receivers, once each is reconciled or has had its time.
async fn settled(client: &Client) -> anyhow::Result<Vec<Receiver>> {
    let all: Api<Receiver> = Api::all(client.clone());
    let waiting = async {
        for receiver in all.list(&ListParams::default()).await? {
            let namespace = receiver.namespace().unwrap_or_default();
            let api: Api<Receiver> = Api::namespaced(client.clone(), &namespace);
            await_condition(api, &receiver.name_any(), is_settled).await?;
        }
        anyhow::Ok(())
    };
    if let Ok(waited) = tokio::time::timeout(SETTLED_DEADLINE, waiting).await {
        waited?;
    }
    Ok(all.list(&ListParams::default()).await?.items)
}

/// Whether the controller has said something of the Receiver as it is now; a Receiver that is gone counts.
fn is_settled(receiver: Option<&Receiver>) -> bool {
    receiver.is_none_or(|receiver| {
        let generation = receiver.metadata.generation;
        let status = receiver.status.as_ref();
        status
            .and_then(|status| status.conditions.find(READY))
            .is_some_and(|ready| ready.observed_generation == generation)
    })
}

/// What a user needs to go on: addresses, the hooks, and one line to try.
fn welcome(dev: &config::Dev, scheme: &str, local: &Local, receivers: &[Receiver]) -> String {
    let gateway = local
        .serving
        .gateway()
        .map_or_else(String::new, |address| format!("{scheme}://{address}"));
    let mut text = format!(
        "Kubernetes API  {}\n  kubectl --kubeconfig {} get receivers -A\n",
        local.api,
        local.kubeconfig.display()
    );
    for address in local.serving.admin() {
        let _ = writeln!(text, "Probes          http://{address}/readyz");
    }
    if let Some(address) = local.serving.operator() {
        let server = if address.port() == 9441 {
            String::new()
        } else {
            format!(" --server http://{address}")
        };
        let _ = writeln!(text, "Deliveries      hookgate deliveries{server}");
    }
    text.push_str("Hooks\n");
    for receiver in receivers {
        let _ = writeln!(text, "  {}", hook_line(receiver, &gateway));
    }
    if receivers.is_empty() {
        text.push_str("  none yet\n");
    }
    // A certificate is for the name that hosts use, not for loopback.
    let line = line_to_try(dev, &gateway, receivers).filter(|_| scheme == "http");
    if let Some(line) = line {
        let _ = writeln!(text, "Try\n  {line}");
    }
    let folder = dev.data_dir.display();
    let _ = writeln!(text, "Ctrl-C ends it; what is stored stays in {folder}");
    text
}

/// A command that sends a recorded push to a Receiver that is there; nothing when none is of the right type.
fn line_to_try(dev: &config::Dev, gateway: &str, receivers: &[Receiver]) -> Option<String> {
    let github = receivers
        .iter()
        .find(|receiver| receiver.spec.type_ == ReceiverType::Github)?;
    Some(format!(
        "hookgate receiver send receivers/github/push.http --receiver {} --url {gateway} --data-dir '{}'",
        name(github),
        dev.data_dir.display()
    ))
}

fn name(receiver: &Receiver) -> String {
    let namespace = receiver.namespace().unwrap_or_default();
    format!("{namespace}/{}", receiver.name_any())
}

fn hook_line(receiver: &Receiver, gateway: &str) -> String {
    let name = name(receiver);
    let status = receiver.status.as_ref();
    if let Some(path) = status.and_then(|status| status.webhook_path.as_deref()) {
        return format!("{name}  {gateway}{path}");
    }
    let ready = status.and_then(|status| status.conditions.find(READY));
    let why = ready.map_or("not reconciled yet", |ready| ready.message.as_str());
    format!("{name}  no hook: {why}")
}
