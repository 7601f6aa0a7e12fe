//! Creating, reading and changing small objects, one after the other, and seeing the change in a watch.
//!
//! The client is in the same process, so that its CPU time is in the figures.

use std::time::Instant;

use anyhow::ensure;
use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams},
};
use serde_json::json;

use crate::{
    figures::{Times, micros},
    plane::{Plane, Way},
    process::cpu,
};

const TIMES: u32 = 2000;

/// Measures each way and prints the figures.
pub(crate) async fn measure(out: &mut impl std::io::Write) -> anyhow::Result<()> {
    writeln!(
        out,
        "\nOperations on ConfigMaps, one after the other ({TIMES} each)"
    )?;
    for way in Way::ALL {
        let plane = Plane::open(way).await?;
        let configs: Api<ConfigMap> = Api::default_namespaced(plane.client.clone());
        let mut row = |what: &str, measured: Measured| {
            writeln!(out, "  {:<7} {what:<16} {measured}", way.name())
        };
        row("create", create(&configs).await?)?;
        row("get", get(&configs).await?)?;
        row("patch to watch", follow(&configs).await?)?;
    }
    Ok(())
}

/// The figures of one operation.
struct Measured {
    times: Times,
    each: std::time::Duration,
    cpu: Option<std::time::Duration>,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = 1.0 / self.each.as_secs_f64();
        let (p50, p99) = (
            micros(self.times.median()),
            micros(self.times.percentile(99)),
        );
        write!(f, "{rate:>7.0} per second, p50 {p50}, p99 {p99}")?;
        match self.cpu {
            Some(cpu) => write!(f, ", {} of CPU each", micros(cpu)),
            None => Ok(()),
        }
    }
}

async fn times(mut act: impl AsyncFnMut(u32) -> anyhow::Result<()>) -> anyhow::Result<Measured> {
    let mut times = Vec::new();
    let (cpu_before, started) = (cpu("self"), Instant::now());
    for number in 0..TIMES {
        let began = Instant::now();
        act(number).await?;
        times.push(began.elapsed());
    }
    let each = started.elapsed() / TIMES;
    let spent = cpu_before
        .zip(cpu("self"))
        .map(|(before, after)| after.saturating_sub(before) / TIMES);
    Ok(Measured {
        times: Times::new(times),
        each,
        cpu: spent,
    })
}

async fn create(configs: &Api<ConfigMap>) -> anyhow::Result<Measured> {
    times(async |number| {
        let config = json!({"metadata": {"name": format!("x-{number}")}, "data": {"key": "value"}});
        configs
            .create(&PostParams::default(), &serde_json::from_value(config)?)
            .await?;
        Ok(())
    })
    .await
}

async fn get(configs: &Api<ConfigMap>) -> anyhow::Result<Measured> {
    times(async |number| {
        let name = format!("x-{number}");
        ensure!(
            configs.get(&name).await?.name_any() == name,
            "another was given"
        );
        Ok(())
    })
    .await
}

async fn follow(configs: &Api<ConfigMap>) -> anyhow::Result<Measured> {
    let from = configs
        .get("x-0")
        .await?
        .resource_version()
        .unwrap_or_default();
    let one = WatchParams::default().fields("metadata.name=x-0");
    let last = configs.get(&format!("x-{}", TIMES - 1)).await?;
    let revision = last.resource_version().unwrap_or(from);
    let mut events = Box::pin(configs.watch(&one, &revision).await?);
    times(async |number| {
        let patch = json!({"data": {"key": number.to_string()}});
        let changed = configs
            .patch("x-0", &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        loop {
            match events.try_next().await? {
                Some(WatchEvent::Modified(seen))
                    if seen.resource_version() == changed.resource_version() =>
                {
                    return Ok(());
                }
                Some(WatchEvent::Bookmark(_)) => {}
                other => anyhow::bail!("not the change: {other:?}"),
            }
        }
    })
    .await
}
