//! Why a journal cannot be opened, and why a mark is not on disk; in words for the operator.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why a journal cannot be opened; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or read.
    #[error("cannot use the journal directory `{path}`: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file in it cannot be read or written.
    #[error("cannot use the journal `{path}`: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something else has the name.
    #[error("`{path}` is not {expected}: remove it, or choose another journal directory")]
    Kind {
        /// The name.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// Somebody else made it, and could read or change it.
    #[error(
        "`{path}` belongs to user {owner} and this process runs as user {own}: choose another journal directory, such as a folder inside this one, which is made when it is missing"
    )]
    Owner {
        /// The directory or file.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// The user id of this process.
        own: u32,
    },
    /// Another process has it open.
    #[error(
        "the journal directory `{path}` is in use by another process: stop that one, or choose another journal directory"
    )]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// A later version of this program wrote it.
    #[error(
        "the journal `{path}` was written by a newer version (format {found}, this one knows {known}): use that version, or another journal directory"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: u64,
        /// The newest format that is understood.
        known: u64,
    },
    /// A new file cannot be filled.
    #[error("cannot write the new journal `{path}`: {detail}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        detail: String,
    },
    /// The thread that writes cannot be started.
    #[error("cannot start the thread that writes the journal: {0}")]
    Thread(#[source] io::Error),
}

/// Why something is not on disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDurable {
    /// There is no journal.
    #[error("the journal is turned off")]
    Off,
    /// There is no room; writing is tried again with what comes next.
    #[error("the disk of the journal `{0}` is full: make room on it, or give it a larger one")]
    Full(Arc<str>),
    /// The disk failed; writing is tried again with what comes next.
    #[error("the journal cannot be written: {0}")]
    Io(Arc<str>),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

impl NotDurable {
    /// What the system says of a file.
    pub(super) fn of_file(path: &Path, error: &io::Error) -> Self {
        let is_full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
        if is_full {
            Self::Full(path.display().to_string().into())
        } else {
            Self::Io(error.to_string().into())
        }
    }
}

impl From<OpenError> for NotDurable {
    /// Why the journal cannot be opened again.
    fn from(error: OpenError) -> Self {
        match &error {
            OpenError::File { path, source } => Self::of_file(path, source),
            _ => Self::Io(error.to_string().into()),
        }
    }
}
