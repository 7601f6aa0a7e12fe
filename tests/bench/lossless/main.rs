//! Kills gateways and takes the API server away, and checks that every delivery answered 2xx led to an annotation at
//! least as new as the delivery: `cargo bench --bench lossless -- --rounds 500`.
//!
//! It shows what survives the death of the process; whether the disk keeps what it has synced is the disk's.

mod outage;
mod replicas;
mod rounds;
mod scene;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "other benches need the rest")]
mod support;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::{Instant, SystemTime},
};

use clap::Parser;
use hookgate::api::duration::Duration;

use self::{
    rounds::Rounds,
    support::{program, random::Random},
};

/// Kills gateways and takes the API server away, and checks that nothing accepted is lost.
#[derive(Parser, Debug)]
struct Arguments {
    /// How often a gateway is killed under load and started again on its journal
    #[arg(long, default_value_t = 500)]
    rounds: u64,
    /// How long the API server is away
    #[arg(long, default_value = "10m")]
    outage: Duration,
    /// How often one of two gateways is killed and its journal thrown away
    #[arg(long, default_value_t = 3)]
    replicas: u64,
    /// What the choices follow from; the moments also depend on the machine [default: the time]
    #[arg(long)]
    seed: Option<u64>,
    /// The process with the API server
    #[arg(long, hide = true)]
    front: bool,
    /// Given by `cargo bench` to every program
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::run(arguments.front, judge(&arguments))
}

async fn judge(arguments: &Arguments) -> anyhow::Result<()> {
    let now = || {
        SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(0, |time| time.as_secs())
    };
    let seed = arguments.seed.unwrap_or_else(now);
    let out = &mut io::stdout();
    writeln!(out, "seed {seed}")?;
    if arguments.rounds > 0 {
        kill(out, arguments.rounds, seed).await?;
    }
    if !arguments.outage.get().is_zero() {
        writeln!(out, "\nAn outage of {}", arguments.outage)?;
        outage::run(out, arguments.outage.get(), Random::new(seed)).await?;
    }
    if arguments.replicas > 0 {
        writeln!(out, "\nTwo gateways")?;
        replicas::run(out, arguments.replicas, Random::new(seed)).await?;
    }
    writeln!(out, "\nseed {seed}: nothing accepted was lost")?;
    Ok(())
}

async fn kill(out: &mut impl io::Write, rounds: u64, seed: u64) -> anyhow::Result<()> {
    let started = Instant::now();
    writeln!(out, "\nKilled under load, {rounds} times")?;
    let mut course = Rounds::open(Random::new(seed)).await?;
    for number in 1..=rounds {
        let mut done = course.round().await;
        if done.is_ok() && number == rounds {
            done = course.finish().await;
        }
        if let Err(finding) = done {
            let folder = course.keep();
            anyhow::bail!(
                "round {number} of seed {seed}: {finding:#}; journal and log are kept: {}",
                folder.display()
            );
        }
        if number % 50 == 0 {
            writeln!(out, "  {number} rounds, {} s", started.elapsed().as_secs())?;
        }
    }
    writeln!(out, "  {course}")?;
    Ok(())
}
