//! A gateway is killed at random moments under load and started again on its journal.
//!
//! Nothing is sent between the start and the moment when everything accepted before is done, so that no new delivery
//! hides that an old one was lost. An object that nobody sends to shows that no sweep hides it either.

use std::{fmt, time::Duration};

use anyhow::{Context as _, ensure};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    scene::{self, Scene, Statuses},
    support::{
        faults::{Errors, Faults, Outage},
        gateway::Gateway,
        random::Random,
    },
};

/// How many Receivers there are, each with an object.
const RECEIVERS: usize = 24;
/// The name of the journal that survives.
const JOURNAL: &str = "journal";
/// How the gateway runs.
const ARGUMENTS: [&str; 2] = ["--role=gateway", "--enable-leader-election=false"];
/// How long after the first delivery the gateway is killed, at most.
const KILL: Duration = Duration::from_millis(400);
/// How long after its start the gateway is killed, at most, before it did anything.
const EARLY_KILL: Duration = Duration::from_millis(250);
/// One round of so many begins with a start that is cut short.
const EARLY: u64 = 4;
/// One round of so many ends in order, with SIGTERM.
const ORDERLY: u64 = 16;
/// How long an orderly end may take: the grace period of a Pod.
const GRACE: Duration = Duration::from_secs(30);
/// How long everything accepted may take to be done, from when the gateway is ready.
const WITHIN: Duration = Duration::from_mins(1);

/// The rounds so far.
pub(crate) struct Rounds {
    scene: Scene,
    statuses: Statuses,
    number: u64,
    early: u64,
    orderly: u64,
    /// In how many rounds something accepted was left to do.
    with_work_left: u64,
    /// How many objects that were, in all rounds.
    work_left: usize,
    longest: Duration,
}

impl Rounds {
    /// Makes an empty journal, and Receivers when the journal is no longer new.
    pub(crate) async fn open(random: Random) -> anyhow::Result<Self> {
        let scene = Scene::open(RECEIVERS, random).await?;
        let mut gateway = scene.start(JOURNAL, &ARGUMENTS)?;
        gateway.ready().await?;
        end(gateway).await?;
        scene.fill().await?;
        Ok(Self {
            scene,
            statuses: Statuses::new(),
            number: 0,
            early: 0,
            orderly: 0,
            with_work_left: 0,
            work_left: 0,
            longest: Duration::ZERO,
        })
    }

    /// Starts, waits until what is left is done, loads and kills; fails with what was found.
    pub(crate) async fn round(&mut self) -> anyhow::Result<()> {
        self.number += 1;
        if self.scene.random.below(EARLY) == 0 {
            self.early += 1;
            let delay = self.scene.random.shorter_than(EARLY_KILL);
            let gateway = self.scene.start(JOURNAL, &ARGUMENTS)?;
            sleep(delay).await;
            gateway.kill().await?;
        }
        let mut gateway = self.scene.start(JOURNAL, &ARGUMENTS)?;
        gateway.ready().await?;
        self.settle().await?;
        let faults = choose(&mut self.scene.random);
        self.scene.api.fail(faults.clone()).await?;
        self.load_and_end(gateway)
            .await
            .with_context(|| format!("with {faults:?}"))?;
        self.scene.api.fail(Faults::default()).await?;
        let left = self.scene.missing().await?.len();
        self.work_left += left;
        self.with_work_left += u64::from(left > 0);
        Ok(())
    }

    /// Starts a last time and waits until everything accepted is done.
    pub(crate) async fn finish(&mut self) -> anyhow::Result<()> {
        let mut gateway = self.scene.start(JOURNAL, &ARGUMENTS)?;
        gateway.ready().await?;
        self.settle().await?;
        end(gateway).await
    }

    /// Leaves journal and log behind and says where they are.
    pub(crate) fn keep(self) -> std::path::PathBuf {
        self.scene.keep()
    }

    async fn settle(&mut self) -> anyhow::Result<()> {
        self.longest = self.scene.settle(WITHIN).await?.max(self.longest);
        self.scene.check_intact(JOURNAL)?;
        let swept = self.scene.untouched().await?;
        ensure!(
            swept.is_none(),
            "there was a sweep although the journal was intact"
        );
        Ok(())
    }

    async fn load_and_end(&mut self, gateway: Gateway) -> anyhow::Result<()> {
        let delay = self.scene.random.shorter_than(KILL);
        let is_orderly = self.scene.random.below(ORDERLY) == 0;
        let stop = CancellationToken::new();
        let address = gateway.address;
        let receivers = self.scene.receivers();
        let ending = async {
            sleep(delay).await;
            let ended = if is_orderly {
                end(gateway).await
            } else {
                gateway.kill().await
            };
            stop.cancel();
            ended
        };
        let sending = self.scene.send(address, &receivers, Duration::ZERO, &stop);
        let (ended, statuses) = tokio::join!(ending, sending);
        self.orderly += u64::from(is_orderly);
        scene::add(&mut self.statuses, &statuses?);
        ended
    }
}

impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rounds, {} with a start cut short, {} ended with SIGTERM; answers: {}; \
             {} rounds left something accepted to do, {} objects in all; after a start all was done in at most {:.1} s",
            self.number,
            self.early,
            self.orderly,
            scene::described(&self.statuses),
            self.with_work_left,
            self.work_left,
            self.longest.as_secs_f64(),
        )
    }
}

/// Ends a gateway in order; fails when that takes too long or is not a success.
async fn end(gateway: Gateway) -> anyhow::Result<()> {
    let status = timeout(GRACE, gateway.end()).await;
    let status = status.context("SIGTERM did not end the gateway within its grace period")??;
    ensure!(status.success(), "SIGTERM ended the gateway with {status}");
    Ok(())
}

/// What goes wrong in a round.
fn choose(random: &mut Random) -> Faults {
    let errors = |status, retry_after| Errors {
        per_mille: 500,
        status,
        retry_after,
    };
    let mut faults = Faults::default();
    match random.below(8) {
        0 | 1 => {}
        2 | 3 => faults.delay = random.shorter_than(Duration::from_millis(200)),
        4 => faults.errors = Some(errors(500, None)),
        5 => faults.errors = Some(errors(429, Some(1))),
        6 => faults.outage = Some(Outage::Refuse),
        _ => faults.outage = Some(Outage::Hang),
    }
    faults
}
