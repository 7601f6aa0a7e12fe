//! The audit record: who triggered what, one line of JSON for each delivery whose sender is proven and for each
//! redelivery that an operator asked for.
//!
//! It is written and never read here. A thread of its own writes it, so that no delivery waits for a disk; what cannot be
//! written is counted and told, and not kept back.

mod line;

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use self::line::line;
use super::{history::Delivery, report::Report};
use crate::telemetry::Metrics;

/// How many bytes of lines may wait to be written.
const MAX_WAITING_BYTES: usize = 16 << 20;
/// How often it is said at most that lines are lost.
const COMPLAINT_INTERVAL: Duration = Duration::from_mins(1);

/// Where the audit record goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditSink {
    /// To the end of a file, which is opened anew when it was moved away.
    File(PathBuf),
    /// To standard output.
    Stdout,
}

/// The audit record cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the audit record to `{}`: {source}", path.display())]
pub struct AuditError {
    path: PathBuf,
    source: io::Error,
}

/// The audit record of this process, until it is dropped.
#[derive(Debug)]
pub struct Audit {
    lines: Mutex<Option<Sender<Vec<u8>>>>,
    waiting: Arc<AtomicUsize>,
    metrics: Metrics,
    thread: Option<JoinHandle<()>>,
}

impl Audit {
    /// Opens it and starts the thread that writes it.
    pub fn open(sink: AuditSink, metrics: Metrics) -> Result<Self, AuditError> {
        let path = match &sink {
            AuditSink::File(path) => path.clone(),
            AuditSink::Stdout => PathBuf::from("/dev/stdout"),
        };
        let failed = |source| AuditError {
            path: path.clone(),
            source,
        };
        let output = Output::open(sink).map_err(failed)?;
        let (lines, written) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let thread = thread::Builder::new().name("audit".to_owned()).spawn({
            let (waiting, metrics) = (Arc::clone(&waiting), metrics.clone());
            move || write_all(output, &written, &waiting, &metrics)
        });
        Ok(Self {
            lines: Mutex::new(Some(lines)),
            waiting,
            metrics,
            thread: Some(thread.map_err(failed)?),
        })
    }

    /// Adds a line for a delivery and what it triggered.
    pub(super) fn record(&self, delivery: &Delivery, report: &Report) {
        let line = line(delivery, report);
        let length = line.len();
        let is_room = self.waiting.load(Ordering::Relaxed) + length <= MAX_WAITING_BYTES;
        self.waiting.fetch_add(length, Ordering::Relaxed);
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let is_taken = is_room && lines.as_ref().is_some_and(|lines| lines.send(line).is_ok());
        if !is_taken {
            self.waiting.fetch_sub(length, Ordering::Relaxed);
            self.metrics.audit_lines_lost(1);
        }
    }
}

impl Drop for Audit {
    /// Waits until everything is written.
    fn drop(&mut self) {
        let lines = self.lines.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(lines.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by itself.
            let _ = thread.join();
        }
    }
}

fn write_all(
    mut output: Output,
    lines: &Receiver<Vec<u8>>,
    waiting: &AtomicUsize,
    metrics: &Metrics,
) {
    let mut last_complaint = None::<Instant>;
    while let Ok(line) = lines.recv() {
        let written = output.append(&line);
        waiting.fetch_sub(line.len(), Ordering::Relaxed);
        let Err(error) = written else {
            continue;
        };
        metrics.audit_lines_lost(1);
        if last_complaint.is_none_or(|last| last.elapsed() > COMPLAINT_INTERVAL) {
            last_complaint = Some(Instant::now());
            tracing::error!(%error, "the audit record is not complete: it cannot be written");
        }
    }
}

/// What the lines are written to.
#[derive(Debug)]
enum Output {
    File { path: PathBuf, file: File },
    Stdout,
}

impl Output {
    fn open(sink: AuditSink) -> io::Result<Self> {
        Ok(match sink {
            AuditSink::File(path) => Self::File {
                file: open(&path)?,
                path,
            },
            AuditSink::Stdout => Self::Stdout,
        })
    }

    /// Writes a whole line at once, so that none is ever mixed with another.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::File { path, file } => {
                if is_moved(path, file) {
                    *file = open(path)?;
                }
                file.write_all(line)
            }
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(line)?;
                stdout.flush()
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

/// Whether the path leads to another file than the one that is open.
fn is_moved(path: &Path, file: &File) -> bool {
    let (Ok(there), Ok(open)) = (path.metadata(), file.metadata()) else {
        return true;
    };
    (there.dev(), there.ino()) != (open.dev(), open.ino())
}

#[cfg(test)]
mod tests;
