//! One gateway under the whole load: warmed up, loaded, and followed until what it accepted is done.
//!
//! Writing the figures down is for `report`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{interval, sleep, timeout};

use crate::{
    arguments::Arguments,
    mix::Mix,
    pace::Pace,
    sender::{Record, Senders},
    strangers::{self, Strangers},
    subject::{Stage, Subject},
    support::{
        faults::Faults,
        ledger::Lost,
        process::{Memory, cpu},
        tally::{Budget, Tally},
    },
};

/// How often it is looked whether everything accepted is done.
const TICK: Duration = Duration::from_millis(250);
/// How long strangers may take to be all there.
const SETTLING: Duration = Duration::from_secs(3);
/// How many connections the first deliveries come on.
const WARM_UP: u16 = 8;
/// The budget that patches are compared with when none is given: Flux's defaults.
const BUDGET: Budget = Budget {
    qps: 50.0,
    burst: 300,
};

/// What was measured of one gateway.
pub(crate) struct Measured {
    /// What it is called.
    pub(crate) name: String,
    /// One for each delivery.
    pub(crate) records: Vec<Record>,
    /// From the first delivery to the last answer.
    pub(crate) took: Duration,
    /// The CPU time of the gateway meanwhile, and until everything accepted was done where that is known.
    pub(crate) gateway_cpu: Option<Duration>,
    /// The CPU time of this process meanwhile.
    pub(crate) sender_cpu: Option<Duration>,
    /// The memory of the gateway in the end.
    pub(crate) memory: Option<Memory>,
    /// What strangers were answered meanwhile.
    pub(crate) strangers: strangers::Tally,
    /// What came of what was accepted; nothing when the objects are not known.
    pub(crate) came: Option<Came>,
}

/// What came of what was accepted.
pub(crate) struct Came {
    /// What was accepted and never triggered.
    pub(crate) lost: Vec<Lost>,
    /// How long the last of it took, from the last answer.
    pub(crate) settled: Duration,
    /// What reached the API server.
    pub(crate) tally: Tally,
    /// The budget that it was compared with.
    pub(crate) budget: Budget,
}

/// Loads a gateway; the stage is what was started for it, if it was started here.
pub(crate) async fn measure(
    subject: Subject,
    mut stage: Option<Stage>,
    arguments: &Arguments,
) -> anyhow::Result<Measured> {
    let load = &arguments.load;
    let (name, process) = (subject.name.clone(), subject.process.clone());
    let mix = Mix::new(load, subject.paths.len());
    let senders = Arc::new(Senders::new(subject, mix).await?);
    senders.send(&Pace::at_once(load.warm_up), WARM_UP).await?;
    if let Some(stage) = &mut stage {
        stage.api.forget().await?;
    }
    let strangers = Strangers::come(load, senders.victim()?);
    if strangers.is_some() {
        sleep(SETTLING).await;
    }
    let gateway_cpu = || process.as_deref().and_then(cpu);
    let (gateway_before, sender_before) = (gateway_cpu(), cpu("self"));
    let began = Instant::now();
    let connections = load.in_flight.unwrap_or(load.connections);
    let sending = async {
        let records = senders.send(&Pace::begin(load), connections).await?;
        anyhow::Ok((records, began.elapsed()))
    };
    let (sent, failing) = tokio::join!(sending, fail(stage.as_mut(), arguments));
    failing?;
    let (records, took) = sent?;
    let sender_cpu = spent(sender_before, cpu("self"));
    let strangers = strangers
        .map(Strangers::go)
        .transpose()?
        .unwrap_or_default();
    let came = match &mut stage {
        Some(stage) => Some(follow(&senders, stage, arguments).await?),
        None => None,
    };
    Ok(Measured {
        name,
        records,
        took,
        gateway_cpu: spent(gateway_before, gateway_cpu()),
        sender_cpu,
        memory: process.as_deref().and_then(Memory::of),
        strangers,
        came,
    })
}

fn spent(before: Option<Duration>, after: Option<Duration>) -> Option<Duration> {
    let (before, after) = before.zip(after)?;
    Some(after.saturating_sub(before))
}

/// Makes the outage that was asked for.
async fn fail(stage: Option<&mut Stage>, arguments: &Arguments) -> anyhow::Result<()> {
    let faults = &arguments.faults;
    let (Some(stage), Some(outage)) = (stage, faults.outage) else {
        return Ok(());
    };
    sleep(faults.outage_after.get()).await;
    let away = Faults {
        outage: Some(outage),
        ..faults.steady()
    };
    stage.api.fail(away).await?;
    sleep(faults.outage_for.get()).await;
    stage.api.fail(faults.steady()).await
}

/// Waits until everything accepted is done, or for as long as that may take.
async fn follow(
    senders: &Senders,
    stage: &mut Stage,
    arguments: &Arguments,
) -> anyhow::Result<Came> {
    let budget = arguments.limits.budget().unwrap_or(BUDGET);
    let began = Instant::now();
    let mut ticks = interval(TICK);
    let mut lost = Vec::new();
    let settling = async {
        loop {
            let annotated = stage.annotated().await?;
            let targets = |receiver| stage.layout.targets(receiver);
            lost = senders.ledger.missing(targets, &annotated);
            if lost.is_empty() {
                return anyhow::Ok(());
            }
            ticks.tick().await;
        }
    };
    if let Ok(settled) = timeout(arguments.own.settle.get(), settling).await {
        settled?;
    }
    Ok(Came {
        lost,
        settled: began.elapsed(),
        tally: stage.api.count(budget).await?,
        budget,
    })
}
