//! Measures the embedded control plane, the binary around it, and the journal: `cargo bench --bench cluster`.
//!
//! It prints figures and judges none; memory and CPU time are read from `/proc`, so only on Linux.

mod binary;
mod crowd;
#[path = "../support/figures.rs"]
mod figures;
mod journal;
mod operations;
mod plane;
#[path = "../support/process.rs"]
mod process;
mod start;
mod watchers;

use std::{
    io,
    process::{Command, ExitCode},
};

use anyhow::ensure;
use clap::{Parser, ValueEnum};

use self::plane::Way;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Start to serving, and memory when empty
    Start,
    /// Many watchers of one large object
    Watchers,
    /// Create, get, and patch to watch
    Operations,
    /// Get, patch and delete one object of many
    Crowd,
    /// `hookgate demo`
    Demo,
    /// `hookgate dev` with many Receivers
    Dev,
    /// Marks that wait for the disk together
    Journal,
}

impl Part {
    const ALL: [Self; 7] = [
        Self::Start,
        Self::Watchers,
        Self::Operations,
        Self::Crowd,
        Self::Demo,
        Self::Dev,
        Self::Journal,
    ];
}

/// Measures the embedded control plane and the binary around it.
#[derive(Parser, Debug)]
struct Arguments {
    /// Only these parts
    parts: Vec<Part>,
    /// A process that is measured: opens a control plane, asks it something and ends
    #[arg(long, hide = true)]
    start: Option<Way>,
    /// Measures the parts in this very process
    #[arg(long, hide = true)]
    here: bool,
    /// Given by `cargo bench` to every program
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = io::Write::write_fmt(&mut io::stderr(), format_args!("error: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    // The only one in the process, so it cannot have been chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if let Some(way) = arguments.start {
        return runtime.block_on(start::once(way));
    }
    let parts = if arguments.parts.is_empty() {
        &Part::ALL[..]
    } else {
        &arguments.parts
    };
    for part in parts {
        if arguments.here {
            runtime.block_on(measure(*part))?;
        } else {
            // In a process of its own, so that no part is measured with the memory of another.
            let name = part
                .to_possible_value()
                .map(|value| value.get_name().to_owned());
            let process = Command::new(std::env::current_exe()?)
                .arg("--here")
                .args(name)
                .status()?;
            ensure!(process.success(), "{part:?} could not be measured");
        }
    }
    Ok(())
}

async fn measure(part: Part) -> anyhow::Result<()> {
    let out = &mut io::stdout();
    match part {
        Part::Start => start::measure(out),
        Part::Watchers => watchers::measure(out).await,
        Part::Operations => operations::measure(out).await,
        Part::Crowd => crowd::measure(out).await,
        Part::Demo => binary::demo(out),
        Part::Dev => binary::dev(out).await,
        Part::Journal => journal::measure(out).await,
    }
}
