//! One object among few and among many: whether a change, a look or a deletion costs more when there are more.
//!
//! In memory and in process, so that no disk and no network hides the difference.

use std::time::Instant;

use anyhow::ensure;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::{
    figures::{Times, micros},
    plane::{Plane, Way},
    process::{Memory, megabytes},
};

const CROWDS: [u32; 3] = [100, 10_000, 50_000];
const TIMES: u32 = 500;

/// Measures each crowd and prints the figures.
pub(crate) async fn measure(out: &mut impl std::io::Write) -> anyhow::Result<()> {
    writeln!(
        out,
        "\nOne object among many, in memory, one request after the other ({TIMES} each)"
    )?;
    for crowd in CROWDS {
        let plane = Plane::open(Way::Memory).await?;
        let configs: Api<ConfigMap> = Api::default_namespaced(plane.client.clone());
        for number in 0..crowd + TIMES {
            let config =
                json!({"metadata": {"name": format!("x-{number}")}, "data": {"key": "value"}});
            configs
                .create(&PostParams::default(), &serde_json::from_value(config)?)
                .await?;
        }
        let get = get(&configs, crowd).await?;
        let patch = patch(&configs, crowd).await?;
        let listed = patch_while_listed(&configs, crowd).await?;
        let delete = delete(&configs, crowd).await?;
        writeln!(
            out,
            "  of {crowd:>5}: get {get}; patch {patch}; patch while others list {listed}; delete {delete}"
        )?;
        if let Some(memory) = Memory::of("self") {
            let resident = megabytes(memory.resident);
            writeln!(out, "           {resident} MB resident with all of them")?;
        }
    }
    Ok(())
}

async fn times(mut act: impl AsyncFnMut(u32) -> anyhow::Result<()>) -> anyhow::Result<String> {
    let mut times = Vec::new();
    for number in 0..TIMES {
        let began = Instant::now();
        act(number).await?;
        times.push(began.elapsed());
    }
    let times = Times::new(times);
    let (p50, p99) = (micros(times.median()), micros(times.percentile(99)));
    Ok(format!("p50 {p50} p99 {p99}"))
}

async fn get(configs: &Api<ConfigMap>, crowd: u32) -> anyhow::Result<String> {
    times(async |number| {
        let name = format!("x-{}", number * crowd / TIMES);
        ensure!(configs.get(&name).await?.name_any() == name, "another");
        Ok(())
    })
    .await
}

async fn patch(configs: &Api<ConfigMap>, crowd: u32) -> anyhow::Result<String> {
    times(async |number| {
        let patch = json!({"data": {"key": format!("{number} of {crowd}")}});
        let name = format!("x-{}", number * crowd / TIMES);
        configs
            .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    })
    .await
}

/// Patches while a page of a list is made in another thread, again and again.
async fn patch_while_listed(configs: &Api<ConfigMap>, crowd: u32) -> anyhow::Result<String> {
    let reader = configs.clone();
    let reading = tokio::spawn(async move {
        let page = ListParams::default().labels("no=such").limit(1);
        while reader.list(&page).await.is_ok() {}
    });
    let measured = times(async |number| {
        let patch = json!({"data": {"key": format!("{number} while listed of {crowd}")}});
        let name = format!("x-{}", number * crowd / TIMES);
        configs
            .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    })
    .await;
    reading.abort();
    measured
}

async fn delete(configs: &Api<ConfigMap>, crowd: u32) -> anyhow::Result<String> {
    times(async |number| {
        let name = format!("x-{}", crowd + number);
        configs.delete(&name, &DeleteParams::default()).await?;
        Ok(())
    })
    .await
}
