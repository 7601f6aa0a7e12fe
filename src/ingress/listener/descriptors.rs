//! What the accept loop does about descriptors: it leaves half of them to everything else, and lives through their end.

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Resource, getrlimit},
};
use tokio::time::Instant;
use tracing::warn;

/// How long nothing more is said of an `accept` that fails.
const SILENCE: Duration = Duration::from_secs(10);

/// What is said of an `accept` that fails, which is not much: it may fail a hundred times a second.
#[derive(Default)]
pub(super) struct FailedAccepts(Mutex<Option<Instant>>);

impl FailedAccepts {
    /// Says it, unless it was said lately.
    pub(super) fn note(&self, error: &io::Error) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() >= SILENCE) {
            *said = Some(Instant::now());
            warn!(%error, "cannot accept a connection; idle ones make room where that helps");
        }
    }
}

/// Whether the process, or the machine, can open nothing more until something is closed.
pub(super) fn have_run_out(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}

/// How many connections may be open: `most`, or half of what the process may open if that is less.
pub(super) fn room(most: usize) -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    limit.map_or(most, |limit| most.min(limit / 2))
}
