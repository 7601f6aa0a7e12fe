//! Loads a gateway with signed deliveries and says what they cost and what became of them:
//! `cargo bench --bench load -- --rate 1000`.
//!
//! It prints; it fails only when an accepted delivery triggered nothing, or a limit that was given was exceeded.
//! CPU time and memory are read from `/proc`, so only on Linux.

mod arguments;
mod bare;
mod measure;
mod mix;
mod pace;
mod report;
mod sender;
mod strangers;
mod subject;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "other benches need the rest")]
mod support;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser;
use mimalloc::MiMalloc;

use self::{arguments::Arguments, bare::Bare, report::Report, subject::Subject, support::front};

/// As in hookgate, so that the bare server is at no disadvantage.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(failures) if failures.is_empty() => ExitCode::SUCCESS,
        Ok(failures) => {
            for failure in failures {
                let _ = writeln!(io::stderr(), "error: {failure}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<Vec<String>> {
    // The only one in the process, so it cannot have been chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // One thread, so that what is measured has the other processors.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if arguments.bare_server {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(bare::serve())?;
        return Ok(Vec::new());
    }
    if arguments.front {
        runtime.block_on(front::run(arguments.own.cluster.as_deref()))?;
        return Ok(Vec::new());
    }
    runtime.block_on(load_all(arguments))
}

/// Loads one gateway after the other in the same way; returns what was lost or exceeded.
async fn load_all(arguments: &Arguments) -> anyhow::Result<Vec<String>> {
    let mut failures = Vec::new();
    let others = arguments.other.url.len();
    if others == 0 || arguments.other.own {
        let (subject, stage) = Subject::own(arguments).await?;
        let measured = measure::measure(subject, Some(stage), arguments).await?;
        failures.append(&mut print(&measured, arguments)?);
    }
    if arguments.other.bare {
        let bare = Bare::start().await?;
        let subject = Subject::bare(&bare, arguments)?;
        let measured = measure::measure(subject, None, arguments).await?;
        failures.append(&mut print(&measured, arguments)?);
    }
    for place in 0..others {
        let subject = Subject::other(arguments, place).await?;
        let measured = measure::measure(subject, None, arguments).await?;
        failures.append(&mut print(&measured, arguments)?);
    }
    Ok(failures)
}

fn print(measured: &measure::Measured, arguments: &Arguments) -> anyhow::Result<Vec<String>> {
    let report = Report {
        measured,
        arguments,
    };
    writeln!(io::stdout(), "{report}")?;
    Ok(report.failures())
}
