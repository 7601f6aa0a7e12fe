//! Kills a control plane again and again while it is written to, and checks each time that it kept its promises:
//! `cargo bench --bench soak -- --rounds 1000`.
//!
//! It shows what survives the death of the process; whether the disk keeps what it has synced is the disk's.

mod journal;
mod judge;
mod objects;
#[path = "../support/random.rs"]
mod random;
mod round;
mod writer;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::{Instant, SystemTime},
};

use anyhow::Context as _;
use clap::Parser;

use self::{random::Random, round::Course};

/// Kills a control plane again and again while it is written to.
#[derive(Parser, Debug)]
struct Arguments {
    /// How often
    #[arg(long, default_value_t = 1000)]
    rounds: u64,
    /// What the choices follow from; the moments also depend on the machine [default: the time]
    #[arg(long)]
    seed: Option<u64>,
    /// How many write at a time
    #[arg(long, default_value_t = 6)]
    writers: usize,
    /// The process that is killed: writes into this directory
    #[arg(long, hide = true, value_name = "DIR")]
    write_into: Option<PathBuf>,
    /// Given by `cargo bench` to every program
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.write_into {
        Some(directory) => write(&arguments, directory),
        None => judge(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn write(arguments: &Arguments, directory: &std::path::Path) -> anyhow::Result<ExitCode> {
    let seed = arguments.seed.context("the seed is missing")?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(writer::run(directory, arguments.writers, seed))?;
    Ok(ExitCode::SUCCESS)
}

fn judge(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let now = || {
        SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(0, |time| time.as_secs())
    };
    let seed = arguments.seed.unwrap_or_else(now);
    let mut out = io::stdout();
    writeln!(out, "seed {seed}")?;
    let started = Instant::now();
    let mut course = Course::new(Random::new(seed), arguments.writers)?;
    for number in 1..=arguments.rounds {
        if let Err(finding) = course.round() {
            let directory = course.keep();
            writeln!(out, "round {number} of seed {seed}: {finding}")?;
            writeln!(out, "the directory is kept: {}", directory.display())?;
            return Ok(ExitCode::FAILURE);
        }
        if number % 100 == 0 {
            writeln!(out, "{number} rounds, {} s", started.elapsed().as_secs())?;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    writeln!(
        out,
        "{course}\n{} rounds in {seconds:.1} s, seed {seed}: nothing found",
        arguments.rounds
    )?;
    Ok(ExitCode::SUCCESS)
}
