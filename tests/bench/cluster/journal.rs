//! The journal with 64 tasks that each wait for one mark after the other: what a mark costs.
//!
//! Every mark is new to the journal and has an id of its own; nothing is cleared early, as if every patch were slow.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use hookgate::{
    hook::{ReceiverRef, Target, TargetKind},
    trigger::journal::{Journal, Mark},
};
use jiff::Timestamp;

use crate::{
    figures::{Times, micros},
    process::cpu,
};

const WAITING: u64 = 64;
const TARGETS: u64 = 500;
const TAKES: Duration = Duration::from_secs(5);

/// Marks for a few seconds, and prints the figures.
pub(crate) async fn measure(out: &mut impl std::io::Write) -> anyhow::Result<()> {
    writeln!(
        out,
        "\nJournal: {WAITING} tasks mark {TARGETS} targets, each waits for its mark"
    )?;
    // Not in a file system of memory, where nothing is ever synced.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let journal = Journal::open(folder.path())?.journal;
    let number = Arc::new(AtomicU64::new(0));
    let (cpu_before, started) = (cpu("self"), Instant::now());
    let tasks = (0..WAITING).map(|_| {
        let (journal, number) = (journal.clone(), Arc::clone(&number));
        tokio::spawn(mark_for_a_while(journal, number, started + TAKES))
    });
    let mut times = Vec::new();
    for task in try_join_all(tasks).await? {
        times.extend(task?);
    }
    let elapsed = started.elapsed().as_secs_f64();
    let marks = f64::from(u32::try_from(times.len())?);
    let times = Times::new(times);
    let (median, late) = (times.median(), times.percentile(99));
    writeln!(
        out,
        "  {:.0} marks/s; a mark takes {} (median), {} (p99)",
        marks / elapsed,
        micros(median),
        micros(late)
    )?;
    if let Some((before, after)) = cpu_before.zip(cpu("self")) {
        let each = (after.saturating_sub(before)).as_secs_f64() / marks;
        writeln!(out, "  {:.1} µs of CPU time for each mark", each * 1e6)?;
    }
    Ok(())
}

async fn mark_for_a_while(
    journal: Journal,
    number: Arc<AtomicU64>,
    end: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    while Instant::now() < end {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        journal
            .mark(&target(number % TARGETS), mark(number))
            .await?;
        times.push(began.elapsed());
    }
    Ok(times)
}

fn target(number: u64) -> Target {
    Target {
        kind: TargetKind {
            group: "source.toolkit.fluxcd.io".to_owned(),
            version: "v1".to_owned(),
            kind: "GitRepository".to_owned(),
            plural: "gitrepositories".to_owned(),
        },
        namespace: "flux-system".to_owned(),
        name: format!("source-{number}"),
    }
}

fn mark(number: u64) -> Mark {
    Mark {
        requested_at: Timestamp::now(),
        receiver: ReceiverRef {
            namespace: "flux-system".to_owned(),
            name: "receiver".to_owned(),
        },
        delivery: format!("5d3f6a80-ea1b-11f0-9c2e-{number:012}"),
    }
}
