//! A thousand watchers of one large object: the memory they take, and whether they share what they are sent.
//!
//! They call the service that every door calls, so that no client's copies are counted.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::future::join_all;
use hookgate::cluster::Embedded;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use tower::ServiceExt as _;

use crate::{
    plane::{Plane, Way},
    process::{Memory, cpu, forget_peak, megabytes},
};

const WATCHERS: usize = 1000;
const BYTES: usize = 500_000;
const CHANGES: u32 = 5;

/// Opens the watches in this process, changes the object, and prints the figures.
pub(crate) async fn measure(out: &mut impl std::io::Write) -> anyhow::Result<()> {
    writeln!(
        out,
        "\n{WATCHERS} watchers of one object of {BYTES} bytes, {CHANGES} changes"
    )?;
    let plane = Plane::open(Way::Memory).await?;
    let configs: Api<ConfigMap> = Api::default_namespaced(plane.client.clone());
    let large = json!({"metadata": {"name": "large"}, "data": {"large": "x".repeat(BYTES)}});
    let created = configs
        .create(&PostParams::default(), &serde_json::from_value(large)?)
        .await?;
    let revision = created.resource_version().unwrap_or_default();
    let before = Memory::of("self");
    let opening = (0..WATCHERS).map(|_| watch(&plane.embedded, &revision));
    let mut watchers = join_all(opening)
        .await
        .into_iter()
        .collect::<anyhow::Result<Vec<_>>>()?;
    if let (Some(before), Some(after)) = (before, Memory::of("self")) {
        let each = after.resident.saturating_sub(before.resident) * 1024 / WATCHERS as u64;
        writeln!(out, "  each waiting watcher: {each} bytes resident")?;
    }
    forget_peak();
    let before = (Memory::of("self"), cpu("self"));
    for change in 0..CHANGES {
        let patch = json!({"metadata": {"annotations": {"change": change.to_string()}}});
        configs
            .patch("large", &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        // All lines are held at once, as the watches of slow clients hold them.
        let lines = join_all(watchers.iter_mut().map(line)).await;
        let lines = lines.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let places: BTreeSet<usize> = lines.iter().map(|line| line.as_ptr().addr()).collect();
        let (held, copies) = (lines.len(), places.len());
        writeln!(
            out,
            "  change {change}: {held} lines held, their objects are in {copies} place(s) in memory"
        )?;
    }
    if let ((Some(memory), Some(cpu_before)), Some(after), Some(cpu_after)) =
        (before, Memory::of("self"), cpu("self"))
    {
        let growth = after.peak.saturating_sub(memory.resident);
        let copies = WATCHERS * BYTES / 1_000_000;
        let spent = cpu_after.saturating_sub(cpu_before) / (CHANGES * u32::try_from(WATCHERS)?);
        writeln!(
            out,
            "  peak growth {} MB ({WATCHERS} copies would be {copies} MB); {} µs of CPU for each line",
            megabytes(growth),
            spent.as_micros()
        )?;
    }
    Ok(())
}

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, std::convert::Infallible>;

async fn watch(embedded: &Embedded, revision: &str) -> anyhow::Result<Body> {
    let uri =
        format!("/api/v1/namespaces/default/configmaps?watch=true&resourceVersion={revision}");
    let request = Request::get(uri).body(Full::<Bytes>::default())?;
    Ok(embedded.clone().oneshot(request).await?.into_body())
}

/// The chunk with the object of the next line; the others are small.
async fn line(body: &mut Body) -> anyhow::Result<Bytes> {
    let mut object = Bytes::new();
    loop {
        let frame = body
            .frame()
            .await
            .ok_or_else(|| anyhow::anyhow!("the watch ended"))?;
        let Ok(chunk) = frame?.into_data() else {
            continue;
        };
        let is_end = chunk.ends_with(b"\n");
        if chunk.len() > object.len() {
            object = chunk;
        }
        if is_end {
            return Ok(object);
        }
    }
}
