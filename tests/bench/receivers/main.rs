//! Many Receivers: how long until a gateway takes deliveries for all of them, what that weighs, and what one lookup costs:
//! `cargo bench --bench receivers`.
//!
//! It prints and judges nothing. Memory is read from `/proc`, so only on Linux.

mod lookups;
mod population;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "other benches need the rest")]
mod support;

use std::{
    ffi::OsString,
    io::{self, Write as _},
    process::{ExitCode, Stdio},
    time::Instant,
};

use clap::Parser;

use self::{
    population::Population,
    support::{
        api::Api, connection::Connection, figures::millis, gateway::Gateway, process::Memory,
        program,
    },
};

/// Measures a gateway with many Receivers.
#[derive(Parser)]
struct Arguments {
    /// How many Receivers there are
    #[arg(long, default_value_t = 10_000)]
    receivers: usize,
    /// How many of them get a delivery
    #[arg(long, default_value_t = 100)]
    deliveries: usize,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
    /// Serve the API to the bench that started this
    #[arg(long, hide = true)]
    front: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::run(arguments.front, measure(&arguments))
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    lookups::measure(&mut io::stdout())?;
    start(arguments).await
}

/// Starts a gateway in front of Receivers that are Ready, with the budget that Flux has.
async fn start(arguments: &Arguments) -> anyhow::Result<()> {
    let mut out = io::stdout();
    let population = Population {
        receivers: arguments.receivers,
    };
    let api = Api::start(None).await?;
    population.create(&api.client()?).await?;
    writeln!(
        out,
        "\n{} Receivers that are Ready, each with a Secret of its own",
        population.receivers
    )?;
    let given = ["--role=gateway", "--journal=off"].map(OsString::from);
    let began = Instant::now();
    let mut gateway = Gateway::start(api.kubeconfig(), &given, Stdio::null())?;
    gateway.ready().await?;
    let ready = millis(began.elapsed());
    writeln!(out, "  process start to readiness  {ready}")?;
    report(&mut out, "memory then", &gateway)?;

    let mut connection = Connection::open(gateway.address).await?;
    let began = Instant::now();
    for number in population.sample(arguments.deliveries) {
        let delivery = population.delivery(number, gateway.address).await?;
        let status = connection.send(delivery).await?;
        anyhow::ensure!(status.is_success(), "a delivery was answered {status}");
    }
    let took = millis(began.elapsed());
    let deliveries = arguments.deliveries;
    writeln!(
        out,
        "  {deliveries} deliveries, one after the other, each for another Receiver  {took}"
    )?;
    report(&mut out, "memory then", &gateway)
}

fn report(out: &mut impl io::Write, what: &str, gateway: &Gateway) -> anyhow::Result<()> {
    if let Some(memory) = Memory::of(&gateway.id()?) {
        writeln!(out, "  {what:<28}{memory}")?;
    }
    Ok(())
}
