//! The API server is away for long: everything is accepted meanwhile, and done afterwards.
//!
//! For the first half of the outage connections are refused, for the second half they hang.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    scene::{self, Scene},
    support::{
        faults::{Faults, Outage},
        process::{Memory, megabytes},
        random::Random,
    },
};

/// How many Receivers there are, each with an object.
const RECEIVERS: usize = 100;
/// How long each sender waits between two deliveries.
const GAP: Duration = Duration::from_millis(100);
/// How long everything accepted may take to be done after the outage.
const WITHIN: Duration = Duration::from_mins(1);
/// How long deliveries come before and after the outage.
const AROUND: Duration = Duration::from_secs(2);

/// Takes the API server away for a while.
pub(crate) async fn run(
    out: &mut impl Write,
    duration: Duration,
    random: Random,
) -> anyhow::Result<()> {
    let mut scene = Scene::open(RECEIVERS, random).await?;
    let done = endure(out, &mut scene, duration).await;
    done.with_context(|| format!("journal and log are kept: {}", scene.keep().display()))
}

async fn endure(out: &mut impl Write, scene: &mut Scene, duration: Duration) -> anyhow::Result<()> {
    scene.fill().await?;
    let mut gateway = scene.start(
        "journal",
        &["--role=gateway", "--enable-leader-election=false"],
    )?;
    gateway.ready().await?;
    let receivers = scene.receivers();
    let process = gateway.id()?;
    for outage in [None, Some(Outage::Refuse), Some(Outage::Hang), None] {
        let faults = Faults {
            outage,
            ..Faults::default()
        };
        scene.api.fail(faults).await?;
        let stop = CancellationToken::new();
        let began = Instant::now();
        let waiting = async {
            let while_away = duration / 2;
            sleep(outage.map_or(AROUND, |_| while_away)).await;
            stop.cancel();
        };
        let sending = scene.send(gateway.address, &receivers, GAP, &stop);
        let ((), statuses) = tokio::join!(waiting, sending);
        let statuses = statuses?;
        let kind = outage.map_or("in reach", |outage| match outage {
            Outage::Refuse => "away, connections refused",
            Outage::Hang => "away, requests hang",
        });
        let memory = Memory::of(&process).map_or(String::new(), |memory| {
            format!("; {} MB resident", megabytes(memory.resident))
        });
        writeln!(
            out,
            "  API server {kind}, {:.0} s: {}{memory}",
            began.elapsed().as_secs_f64(),
            scene::described(&statuses)
        )?;
        scene::expect_only(&statuses, &[200, 202])?;
    }
    let settled = scene.settle(WITHIN).await?;
    writeln!(
        out,
        "  everything accepted was done {:.1} s after the last delivery",
        settled.as_secs_f64()
    )?;
    gateway.kill().await
}
