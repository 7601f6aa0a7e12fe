//! The journal: the durable set of what is pending, in one file that one thread writes.
//!
//! It does not know what a mark leads to, and when; that is for the queue.

mod entry;
mod error;
mod file;
mod folder;
mod ids;
mod ledger;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use jiff::Timestamp;
use tokio::sync::oneshot;
use uuid::Uuid;

pub(super) use self::ledger::HistoryRows;
pub use self::{
    entry::{Entry, Unreadable},
    error::{NotDurable, OpenError},
};
use self::{
    file::JournalFile,
    folder::Folder,
    ids::{Bounds, Ids},
    ledger::Ledger,
    writer::Writer,
};
use crate::hook::{MessageDigest, ReceiverRef, Target};

/// What is pending for one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When the delivery was accepted.
    pub requested_at: Timestamp,
    /// Whose delivery it was.
    pub receiver: ReceiverRef,
    /// Its id.
    pub delivery: String,
}

/// The marks on disk, the ids of deliveries, and what was signed before; clones are handles to the same, and the last one closes it.
#[derive(Clone)]
pub struct Journal {
    replica: Uuid,
    kept: Kept,
    /// The note that a sweep is owed.
    sweep_owed: Option<PathBuf>,
}

#[derive(Clone)]
enum Kept {
    /// In the file.
    OnDisk(Arc<Writer>),
    /// Nothing but what was seen, in memory.
    Off(Arc<Mutex<Seen>>),
}

/// What was seen, where nothing is on disk.
struct Seen {
    ids: Ids,
    messages: Ids,
}

/// A journal, and what was in it.
#[derive(Debug)]
pub struct Opened {
    /// The journal.
    pub journal: Journal,
    /// What was pending when it was last written.
    pub marks: Vec<(Target, Mark)>,
    /// The rows of the history, by number.
    pub history: Vec<(u64, Vec<u8>)>,
    /// Where it came from.
    pub origin: Origin,
    /// Whether it was made anew, now or before, and no sweep has ended since; see [`Journal::swept`].
    pub owes_sweep: bool,
}

/// Where an opened journal came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was there, and in order.
    Continued,
    /// There was none.
    New,
    /// It was damaged.
    Replaced {
        /// Where the damaged file is now.
        damaged: PathBuf,
    },
}

impl Journal {
    /// Opens the journal of a directory, which is made when it is missing; a damaged file is moved aside and replaced.
    pub fn open(directory: &Path) -> Result<Opened, OpenError> {
        let folder = Folder::hold(directory)?;
        let (file, contents, origin) = JournalFile::open(&folder, Uuid::new_v4())?;
        let marks: Vec<_> = contents.marks.into_iter().collect();
        let (sweep_owed, owes_sweep) = (folder.sweep_owed(), folder.owes_sweep());
        let ledger = Ledger::new(marks.clone(), contents.ids, contents.messages);
        let writer = Writer::start(folder, file, contents.replica, ledger)?;
        let journal = Self {
            replica: contents.replica,
            kept: Kept::OnDisk(Arc::new(writer)),
            sweep_owed: Some(sweep_owed),
        };
        Ok(Opened {
            journal,
            marks,
            history: contents.history,
            origin,
            owes_sweep,
        })
    }

    /// A journal that keeps no mark.
    #[must_use]
    pub fn off() -> Opened {
        let journal = Self {
            replica: Uuid::new_v4(),
            kept: Kept::Off(Arc::new(Mutex::new(Seen {
                ids: Ids::new(Bounds::DELIVERIES),
                messages: Ids::new(Bounds::MESSAGES),
            }))),
            sweep_owed: None,
        };
        Opened {
            journal,
            marks: Vec::new(),
            history: Vec::new(),
            origin: Origin::New,
            owes_sweep: false,
        }
    }

    /// Who this is: the same for as long as the file lives.
    #[must_use]
    pub fn replica(&self) -> Uuid {
        self.replica
    }

    /// The marks of the sweep that a new journal asks for are on disk, so that the next start need not sweep.
    pub fn swept(&self) {
        if let Some(note) = &self.sweep_owed
            && let Err(error) = std::fs::remove_file(note)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the next start sweeps again");
        }
    }

    /// Puts a mark and the id of its delivery into the next transaction; resolves when it is on disk, or withdrawn.
    pub fn mark(
        &self,
        target: &Target,
        mark: Mark,
    ) -> impl Future<Output = Result<(), NotDurable>> + Send + 'static + use<> {
        let (waiter, told) = oneshot::channel();
        let gathered = match &self.kept {
            Kept::OnDisk(writer) => writer.gather(|ledger| ledger.mark(target, mark, waiter)),
            Kept::Off(seen) => {
                let id = ids::digest(&mark.receiver, mark.delivery.as_bytes());
                lock(seen).ids.recognise(id);
                Err(NotDurable::Off)
            }
        };
        async move {
            gathered?;
            told.await.unwrap_or(Err(NotDurable::Closed))
        }
    }

    /// Forgets the mark of a target if it is not newer than `up_to`; never waits.
    ///
    /// A mark that is not written yet is withdrawn; one that is goes with the next transaction, at the latest after a second.
    pub fn clear(&self, target: &Target, up_to: Timestamp) {
        let Kept::OnDisk(writer) = &self.kept else {
            return;
        };
        let withdrawn = writer.gather(|ledger| ledger.clear(target, up_to, Instant::now()));
        for waiter in withdrawn.into_iter().flatten() {
            // Whoever has stopped waiting does not want to know.
            let _ = waiter.send(Ok(()));
        }
    }

    /// Whether the Receiver has had a delivery of this id lately; from now on it has, on disk at the latest after a second.
    #[must_use]
    pub fn recognise(&self, receiver: &ReceiverRef, delivery: &str) -> bool {
        let id = ids::digest(receiver, delivery.as_bytes());
        match &self.kept {
            Kept::OnDisk(writer) => writer
                .gather(|ledger| ledger.recognise(id, Instant::now()))
                .unwrap_or_default(),
            Kept::Off(seen) => lock(seen).ids.recognise(id),
        }
    }

    /// Whether a message of the Receiver may not come again.
    #[must_use]
    pub fn has_seen(&self, receiver: &ReceiverRef, message: &MessageDigest) -> bool {
        let message = ids::digest(receiver, message.as_bytes());
        match &self.kept {
            Kept::OnDisk(writer) => writer
                .gather(|ledger| ledger.has_seen(&message))
                .unwrap_or_default(),
            Kept::Off(seen) => lock(seen).messages.has(&message),
        }
    }

    /// Puts a message that may not come again into the next transaction; resolves when it is on disk.
    ///
    /// If it cannot be written it may come again. Without a file it is known as long as the process lives.
    pub async fn see(
        &self,
        receiver: &ReceiverRef,
        message: &MessageDigest,
    ) -> Result<(), NotDurable> {
        let message = ids::digest(receiver, message.as_bytes());
        let writer = match &self.kept {
            Kept::OnDisk(writer) => writer,
            Kept::Off(seen) => {
                lock(seen).messages.recognise(message);
                return Ok(());
            }
        };
        let (waiter, told) = oneshot::channel();
        writer.gather(|ledger| ledger.see(message, waiter))?;
        told.await.unwrap_or(Err(NotDurable::Closed))
    }

    /// Puts rows of the history into the next transaction, and removes those without content; resolves when it is on disk.
    ///
    /// Rows that could not be written are not tried again.
    pub(super) async fn keep(&self, rows: HistoryRows) -> Result<(), NotDurable> {
        let Kept::OnDisk(writer) = &self.kept else {
            return Err(NotDurable::Off);
        };
        let (waiter, told) = oneshot::channel();
        writer.gather(|ledger| ledger.keep(rows, waiter))?;
        told.await.unwrap_or(Err(NotDurable::Closed))
    }

    /// Writes all that rides along with the next transaction now; for shutdown.
    pub async fn flush(&self) -> Result<(), NotDurable> {
        let Kept::OnDisk(writer) = &self.kept else {
            return Ok(());
        };
        let (waiter, told) = oneshot::channel();
        writer.gather(|ledger| ledger.flush(waiter))?;
        told.await.unwrap_or(Err(NotDurable::Closed))
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal")
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
