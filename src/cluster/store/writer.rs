//! The one that writes to disk, and how it goes on after a write that failed, such as on a full disk.
//!
//! A failed write may have reached the disk all the same. Nobody was told so, and it is undone before the next one.

use std::path::PathBuf;

use super::disk::{Disk, Entry, WriteError};

/// The database, or what became of it.
pub(super) enum Writer {
    /// It can be written.
    Open(Disk),
    /// A write failed, and it is not known what of it is there.
    Doubtful(Doubt),
    /// The store was closed.
    Closed,
}

/// A write that failed.
pub(super) struct Doubt {
    path: PathBuf,
    /// Whether it was the first one ever, so that there may be no file.
    is_first: bool,
    /// The revision that the write would have led to.
    revision: u64,
    /// What was there before it.
    undo: Vec<Entry>,
}

impl Writer {
    /// Opens the database again if the last write failed; it holds the changes up to `revision` then, and no others.
    pub(super) fn make_ready(&mut self, revision: u64) -> Result<(), WriteError> {
        match self {
            Self::Open(_) => Ok(()),
            Self::Closed => Err(WriteError::Closed),
            Self::Doubtful(doubt) => {
                let (mut disk, contents) = match doubt.path.parent() {
                    Some(directory) if doubt.is_first => Disk::in_directory(directory)?,
                    _ => Disk::reopen(&doubt.path)?,
                };
                if contents.revision == doubt.revision {
                    disk.write(revision, &doubt.undo)?;
                } else if contents.revision != revision {
                    return Err(WriteError::Foreign);
                }
                *self = Self::Open(disk);
                tracing::info!("the database can be written again");
                Ok(())
            }
        }
    }

    /// Writes entries and the revision that they lead to, all or nothing; `undo` makes what is there now.
    pub(super) fn write(
        &mut self,
        revision: u64,
        entries: &[Entry],
        undo: impl FnOnce() -> Vec<Entry>,
    ) -> Result<(), WriteError> {
        let Self::Open(disk) = self else {
            return Err(WriteError::Closed);
        };
        let written = disk.write(revision, entries);
        if let Err(error) = &written {
            tracing::error!(%error, "changes are refused until the database can be written again");
            let doubt = Doubt {
                path: disk.path().to_owned(),
                is_first: disk.is_draft(),
                revision,
                undo: undo(),
            };
            // After an error, the database library does nothing more with what it has open.
            *self = Self::Doubtful(doubt);
        }
        written
    }
}
