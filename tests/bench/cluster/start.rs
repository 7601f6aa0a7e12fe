//! From the start of a process to the first answer of an empty control plane, and the memory it then takes.
//!
//! Each start is a process of its own, so that nothing is warm but the page cache.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, api::ListParams};

use crate::{
    figures::{Times, millis},
    plane::{Plane, Way},
    process::{Memory, megabytes},
};

const STARTS: usize = 50;

/// Starts control planes of each kind and prints the figures.
pub(crate) fn measure(out: &mut impl std::io::Write) -> anyhow::Result<()> {
    writeln!(
        out,
        "\nStart to serving, and memory when empty ({STARTS} processes each)"
    )?;
    for way in Way::ALL {
        let mut whole = Vec::new();
        let mut opening = Vec::new();
        let mut memory = Vec::new();
        for _ in 0..STARTS {
            let started = Instant::now();
            let (opened, resident) = start(way)?;
            whole.push(started.elapsed());
            opening.push(opened);
            memory.push(resident);
        }
        memory.sort_unstable();
        let (whole, opening) = (Times::new(whole), Times::new(opening));
        writeln!(
            out,
            "  {:<7} process to first answer: median {}, longest {}; opening to first answer: median {}, longest {}; resident: median {} MB, most {} MB",
            way.name(),
            millis(whole.median()),
            millis(whole.longest()),
            millis(opening.median()),
            millis(opening.longest()),
            megabytes(memory[STARTS / 2]),
            megabytes(memory[STARTS - 1]),
        )?;
    }
    Ok(())
}

/// Starts one process; returns its own time and its resident memory in kB, 0 where that is not known.
fn start(way: Way) -> anyhow::Result<(Duration, u64)> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--start", way.name()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let pipe = child.stdout.take().context("no pipe")?;
    std::io::BufRead::read_line(&mut std::io::BufReader::new(pipe), &mut line)?;
    ensure!(child.wait()?.success(), "the process failed");
    let mut numbers = line.split_whitespace().map(str::parse::<u64>);
    let mut number = || {
        numbers
            .next()
            .context("a number is missing")?
            .context("not a number")
    };
    Ok((Duration::from_micros(number()?), number()?))
}

/// The process that is started: opens a control plane, asks it something, and says how long that took.
pub(crate) async fn once(way: Way) -> anyhow::Result<()> {
    let started = Instant::now();
    let plane = Plane::open(way).await?;
    let namespaces: Api<Namespace> = Api::all(plane.client.clone());
    let listed = namespaces.list(&ListParams::default()).await?;
    let elapsed = started.elapsed().as_micros();
    ensure!(!listed.items.is_empty(), "there are no namespaces");
    let resident = Memory::of("self").map_or(0, |memory| memory.resident);
    writeln!(std::io::stdout(), "{elapsed} {resident}")?;
    Ok(())
}
