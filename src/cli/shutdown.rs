//! Runs a command until it is done or the process is asked to end.
//!
//! What a command has started is joined by the command itself; nothing is torn down here.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs `command` on a new runtime; its token is cancelled at the first SIGINT or SIGTERM.
///
/// A second signal ends the process at once, because the handler is gone by then.
pub(super) fn until_signal<F>(command: impl FnOnce(CancellationToken) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let listener = tokio::spawn(cancel_on_signal(stop.clone())?);
        let result = command(stop).await;
        listener.abort();
        result
    })
}

fn cancel_on_signal(
    stop: CancellationToken,
) -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("ending");
        stop.cancel();
    })
}
