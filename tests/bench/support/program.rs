//! A bench that needs an API server as a program: it starts itself once more to be that server.
//!
//! What is measured, and whether it failed, is for the bench.

use std::{
    future::Future,
    io::{self, Write as _},
    process::ExitCode,
};

use super::front;

/// Runs the bench, or the API server when this process is started to be that; an error is told and is the exit code.
pub(crate) fn run(is_front: bool, bench: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    match block_on(is_front, bench) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn block_on(is_front: bool, bench: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    // The only one in the process, so it cannot have been chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if is_front {
        runtime.block_on(front::run(None))
    } else {
        runtime.block_on(bench)
    }
}
