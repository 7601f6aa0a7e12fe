//! Runs a command until it is done or the process is asked to end.
//!
//! What a command has started is joined by the command itself; nothing is torn down here.

use anyhow::{Context, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs `command` on a new runtime; its token is cancelled at the first SIGINT or SIGTERM.
///
/// A second signal does not wait for what the command still has to end.
pub(super) fn until_signal<F>(command: impl FnOnce(CancellationToken) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        survive_file_limit()?;
        let stop = CancellationToken::new();
        let mut command = Box::pin(command(stop.clone()));
        tokio::select! {
            done = &mut command => return done,
            () = signals.next() => stop.cancel(),
        }
        tracing::info!("ending");
        tokio::select! {
            done = command => done,
            () = signals.next() => bail!("asked to end twice: ended before everything was done"),
        }
    })
}

/// Makes a file that reaches the limit of its size (`ulimit -f`) an error of one write, as a full disk is, not the end.
fn survive_file_limit() -> anyhow::Result<()> {
    // SIGXFSZ; listening replaces its action for as long as the process runs.
    let limit = signal(SignalKind::from_raw(25)).context("cannot listen for SIGXFSZ")?;
    drop(limit);
    Ok(())
}

/// The signals that ask a process to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
