//! The file of a database that is being made: under another name and without a sync, until its first change is in it.
//!
//! A crash before leaves no database, and one after leaves it with that change; there is no half of one. On a busy
//! disk each sync takes its time, and the library asks for seven before the first change.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{DatabaseError, StorageBackend, backends::FileBackend};

/// What is left to do until a new database is there.
pub(super) struct Draft {
    file: File,
    path: PathBuf,
    is_synced: Arc<AtomicBool>,
}

impl Draft {
    /// Begins with an empty file at `path`, which is locked by whoever has this one open.
    pub(super) fn new(file: File, path: PathBuf) -> io::Result<Self> {
        file.set_len(0)?;
        Ok(Self {
            file,
            path,
            is_synced: Arc::default(),
        })
    }

    /// What the database library writes to.
    pub(super) fn backend(&self) -> Result<Backend, DatabaseError> {
        let file = self.file.try_clone().map_err(redb::StorageError::Io)?;
        Ok(Backend {
            file: FileBackend::new(file)?,
            is_synced: Arc::clone(&self.is_synced),
        })
    }

    /// Makes all that was written durable, under the name `path`; from then on every sync is done.
    pub(super) fn finish(&self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        let directory = path.parent().unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()?;
        self.is_synced.store(true, Ordering::Release);
        Ok(())
    }
}

/// A file that is not synced while it is a draft.
#[derive(Debug)]
pub(super) struct Backend {
    file: FileBackend,
    is_synced: Arc<AtomicBool>,
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.is_synced.load(Ordering::Acquire) {
            self.file.sync_data()
        } else {
            Ok(())
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}
