//! Two gateways; one is killed with work left and its disk is thrown away: the other sweeps.
//!
//! An outage of the API server, in which both are alive and neither can be seen, must not make them sweep.

use std::{io::Write, time::Duration};

use anyhow::{Context as _, ensure};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    scene::{self, Scene},
    support::{
        faults::{Faults, Outage},
        gateway::Gateway,
        random::Random,
    },
};

/// How many Receivers there are, each with an object.
const RECEIVERS: usize = 120;
/// How long after the first delivery a gateway is killed, at least, and how much longer at most.
const KILL: (Duration, Duration) = (Duration::from_millis(600), Duration::from_millis(900));
/// How long an outage lasts that must not lead to a sweep: several times the life of a Lease.
const AWAY: Duration = Duration::from_secs(12);
const AWAY_FROM_ALL: Faults = Faults {
    delay: Duration::ZERO,
    errors: None,
    outage: Some(Outage::Refuse),
};
/// How long it may take until everything accepted is done.
const WITHIN: Duration = Duration::from_mins(1);
/// Short Leases, so that a dead replica is noticed soon.
const ARGUMENTS: [&str; 6] = [
    "--role=gateway",
    "--enable-leader-election=true",
    "--runtime-namespace=default",
    "--leader-election-lease-duration=2s",
    "--leader-election-renew-deadline=1500ms",
    "--leader-election-retry-period=500ms",
];

/// Kills one of two gateways so many times.
pub(crate) async fn run(out: &mut impl Write, times: u64, random: Random) -> anyhow::Result<()> {
    let mut scene = Scene::open(RECEIVERS, random).await?;
    let done = kill(out, &mut scene, times).await;
    done.with_context(|| format!("journals and logs are kept: {}", scene.keep().display()))
}

async fn kill(out: &mut impl Write, scene: &mut Scene, times: u64) -> anyhow::Result<()> {
    let survivor = start(scene, "survivor").await?;
    scene.fill().await?;
    for number in 1..=times {
        let name = format!("victim-{number}");
        let victim = start(scene, &name).await?;
        // Its journal is new, so it sweeps; that must be over before anything is told from it.
        scene.quiet().await?;
        if number == 1 {
            stay(scene).await?;
        }
        let statuses = load_and_kill(scene, victim).await?;
        scene.lose(&name)?;
        let left = scene.missing().await?.len();
        let settled = scene.settle(WITHIN).await?;
        writeln!(
            out,
            "  gateway {number}, killed and its journal thrown away: {}; {left} objects were left to do, all done {:.1} s later",
            scene::described(&statuses),
            settled.as_secs_f64()
        )?;
        ensure!(left > 0, "nothing was left to do: the kill shows nothing");
    }
    survivor.kill().await
}

async fn start(scene: &Scene, name: &str) -> anyhow::Result<Gateway> {
    let pod = format!("--pod-name={name}");
    let mut arguments = ARGUMENTS.to_vec();
    arguments.push(&pod);
    let mut gateway = scene.start(name, &arguments)?;
    gateway.ready().await?;
    Ok(gateway)
}

/// Takes the API server away from both for a while; neither may take the other for dead.
async fn stay(scene: &mut Scene) -> anyhow::Result<()> {
    let before = scene.untouched().await?;
    scene.api.fail(AWAY_FROM_ALL).await?;
    sleep(AWAY).await;
    scene.api.fail(Faults::default()).await?;
    sleep(AWAY).await;
    ensure!(
        scene.untouched().await? == before,
        "an outage of the API server led to a sweep"
    );
    Ok(())
}

/// The API server is away meanwhile, so that all that is accepted is left to do.
async fn load_and_kill(scene: &mut Scene, victim: Gateway) -> anyhow::Result<scene::Statuses> {
    scene.api.fail(AWAY_FROM_ALL).await?;
    let (least, more) = KILL;
    let delay = least + scene.random.shorter_than(more);
    let stop = CancellationToken::new();
    let address = victim.address;
    let receivers = scene.receivers();
    let killing = async {
        sleep(delay).await;
        let killed = victim.kill().await;
        stop.cancel();
        killed
    };
    let sending = scene.send(address, &receivers, Duration::ZERO, &stop);
    let (killed, statuses) = tokio::join!(killing, sending);
    killed?;
    scene.api.fail(Faults::default()).await?;
    statuses
}
