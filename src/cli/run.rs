//! `hookgate run`: gateway and reconcilers against a Kubernetes cluster.
//!
//! It changes nothing in the cluster before it serves; definitions are installed by the chart or by `hookgate crds`.

use tokio_util::sync::CancellationToken;

use super::{
    connect, logging,
    serve::{Addresses, Serving},
};
use crate::config;

/// Serves until `stop`.
pub(super) async fn run(run: config::Run, stop: CancellationToken) -> anyhow::Result<()> {
    match stop.run_until_cancelled(start(&run)).await {
        Some(serving) => serving?.until(stop).await,
        None => Ok(()),
    }
}

/// Begins to log only when the cluster has answered, so that a command that cannot start says one sentence.
async fn start(run: &config::Run) -> anyhow::Result<Serving> {
    let client = connect::client(&run.cluster).await?;
    let serving = run.serving(client.default_namespace());
    let addresses = Addresses::bind(&serving).await?;
    connect::check_receivers_are_served(&client).await?;
    logging::start(run.log_level, run.log_encoding)?;
    for flag in &run.without_effect {
        tracing::warn!(
            flag,
            "this flag has no effect in hookgate; see `hookgate run --help`"
        );
    }
    let serving = Serving::start(addresses, &client, &serving)?;
    tracing::info!(gateway = ?serving.gateway(), admin = ?serving.admin(), operator = ?serving.operator(), "serving");
    Ok(serving)
}
