//! The database file: every change is durable before it is acknowledged.
//!
//! It stores JSON under paths and knows nothing of Kubernetes.

use std::{
    fmt,
    fs::{DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use redb::{
    Builder, Database, DatabaseError, Durability, ReadableDatabase as _, ReadableTable as _,
    TableDefinition, backends::FileBackend,
};

use super::{OpenError, draft::Draft};

const FORMAT: u64 = 1;
const FILE: &str = "cluster.redb";
const DRAFT: &str = "cluster.redb.new";
const CACHE: usize = 2 << 20;
const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");
const OBJECTS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("objects");

/// Why a change was not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The database was closed.
    #[error("the control plane is shutting down")]
    Closed,
    /// The disk is full, or failed.
    #[error("the change could not be written to disk: {0}")]
    Disk(#[source] Box<redb::Error>),
    /// The database library gave up within the write.
    #[error("the change could not be written to disk: the database failed")]
    Panic,
    /// After a write that failed, the database cannot be opened again.
    #[error("changes cannot be written to disk: {0}")]
    Reopen(#[from] OpenError),
    /// After a write that failed, somebody else changed the database.
    #[error(
        "changes cannot be written to disk: another process has written to the database; restart this one"
    )]
    Foreign,
}

impl WriteError {
    fn disk(error: impl Into<redb::Error>) -> Self {
        Self::Disk(Box::new(error.into()))
    }
}

/// What the database holds when it is opened.
pub(super) struct Contents {
    /// The last change ever acknowledged.
    pub(super) revision: u64,
    /// Every path and its JSON.
    pub(super) entries: Vec<(String, Vec<u8>)>,
}

/// One path and its JSON, or nothing when it goes.
pub(super) type Entry = (String, Option<Bytes>);

/// An open database, locked against other processes.
pub(super) struct Disk {
    database: Database,
    path: PathBuf,
    /// There until the first change is written.
    draft: Option<Draft>,
}

impl Disk {
    /// A database in memory, for tests and demonstrations.
    pub(super) fn in_memory() -> Result<(Self, Contents), OpenError> {
        let backend = redb::backends::InMemoryBackend::new();
        let make = || builder().create_with_backend(backend);
        open(make, Path::new(":memory:"))
    }

    /// The database of a directory, readable by its owner only.
    ///
    /// The directory is made when it is missing. So is the database, but its file appears with its first change.
    pub(super) fn in_directory(directory: &Path) -> Result<(Self, Contents), OpenError> {
        let unreadable = |source| OpenError::Directory {
            path: directory.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(unreadable)?;
        let path = directory.join(FILE);
        match open_file(&path, false) {
            Ok(file) => open_existing(file, &path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(directory, &path),
            Err(source) => Err(OpenError::File { path, source }),
        }
    }

    /// The database of a file that was made before.
    pub(super) fn reopen(path: &Path) -> Result<(Self, Contents), OpenError> {
        let file = open_file(path, false).map_err(|source| OpenError::File {
            path: path.to_owned(),
            source,
        });
        open_existing(file?, path)
    }

    /// Where the file is, or will be.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing was ever written, so that there is no file yet.
    pub(super) fn is_draft(&self) -> bool {
        self.draft.is_some()
    }

    /// Writes entries and the revision that they lead to, all or nothing; durable when it returns.
    pub(super) fn write(&mut self, revision: u64, entries: &[Entry]) -> Result<(), WriteError> {
        let written = catch_unwind(AssertUnwindSafe(|| self.try_write(revision, entries)));
        written
            .map_err(|_| WriteError::Panic)?
            .map_err(WriteError::disk)?;
        if let Some(draft) = &self.draft {
            draft
                .finish(&self.path)
                .map_err(|source| WriteError::disk(redb::Error::Io(source)))?;
            self.draft = None;
        }
        Ok(())
    }

    fn try_write(&self, revision: u64, entries: &[Entry]) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut objects = transaction.open_table(OBJECTS)?;
            for (path, json) in entries {
                match json {
                    Some(json) => objects.insert(path.as_str(), json.as_ref())?,
                    None => objects.remove(path.as_str())?,
                };
            }
            transaction.open_table(META)?.insert("revision", revision)?;
        }
        Ok(transaction.commit()?)
    }
}

/// Wraps a cause that says that the file holds something else than it should.
pub(super) fn damaged(path: &Path, detail: &dyn fmt::Display) -> OpenError {
    OpenError::Damaged {
        path: path.to_owned(),
        detail: detail.to_string(),
    }
}

fn open_file(path: &Path, is_new: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(is_new)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn open_existing(file: File, path: &Path) -> Result<(Disk, Contents), OpenError> {
    let make = || builder().create_with_backend(FileBackend::new(file)?);
    open(make, path)
}

fn open(
    make: impl FnOnce() -> Result<Database, DatabaseError>,
    path: &Path,
) -> Result<(Disk, Contents), OpenError> {
    // A damaged file can make the database library panic; that is one more way to say `damaged`.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        read(make().map_err(|error| refusal(path, error))?, path)
    }));
    opened.unwrap_or_else(|_| Err(damaged(path, &"it is not a complete database")))
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    builder
}

/// Begins a database, unless another process has begun or made one.
fn create(directory: &Path, path: &Path) -> Result<(Disk, Contents), OpenError> {
    let unwritable = |source| OpenError::File {
        path: path.to_owned(),
        source,
    };
    let name = directory.join(DRAFT);
    let file = open_file(&name, true).map_err(unwritable)?;
    file.try_lock().map_err(|_| OpenError::Locked {
        path: path.to_owned(),
    })?;
    if path.exists() {
        // Another process was faster, and let go of it since. What is locked here may be the very file.
        drop(file);
        return open_existing(open_file(path, false).map_err(unwritable)?, path);
    }
    let draft = Draft::new(file, name).map_err(unwritable)?;
    let make = || builder().create_with_backend(draft.backend()?);
    let (disk, contents) = open(make, path)?;
    Ok((
        Disk {
            draft: Some(draft),
            ..disk
        },
        contents,
    ))
}

fn refusal(path: &Path, error: DatabaseError) -> OpenError {
    let path_buf = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::Locked { path: path_buf },
        DatabaseError::UpgradeRequired(found) => OpenError::Newer {
            path: path_buf,
            found: found.into(),
            known: FORMAT,
        },
        DatabaseError::Storage(redb::StorageError::Io(source))
            if source.kind() != io::ErrorKind::InvalidData =>
        {
            OpenError::File {
                path: path_buf,
                source,
            }
        }
        other => damaged(path, &other),
    }
}

fn read(database: Database, path: &Path) -> Result<(Disk, Contents), OpenError> {
    let disk = Disk {
        database,
        path: path.to_owned(),
        draft: None,
    };
    let contents = contents(&disk.database, path).map_err(|error| match error {
        ReadError::Database(error) => damaged(path, &error),
        ReadError::Open(error) => error,
    })?;
    Ok((disk, contents))
}

enum ReadError {
    Database(Box<redb::Error>),
    Open(OpenError),
}

impl<E: Into<redb::Error>> From<E> for ReadError {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

fn contents(database: &Database, path: &Path) -> Result<Contents, ReadError> {
    let transaction = database.begin_read()?;
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(redb::TableError::TableDoesNotExist(_)) => return initialise(database),
        Err(error) => return Err(error.into()),
    };
    let found = meta.get("format")?.map_or(0, |value| value.value());
    match found {
        FORMAT => {}
        0 => return Err(ReadError::Open(damaged(path, &"it has no format version"))),
        _ => {
            return Err(ReadError::Open(OpenError::Newer {
                path: path.to_owned(),
                found,
                known: FORMAT,
            }));
        }
    }
    let revision = meta.get("revision")?.map_or(0, |value| value.value());
    let mut entries = Vec::new();
    for entry in transaction.open_table(OBJECTS)?.iter()? {
        let (path, json) = entry?;
        entries.push((path.value().to_owned(), json.value().to_vec()));
    }
    Ok(Contents { revision, entries })
}

fn initialise(database: &Database) -> Result<Contents, ReadError> {
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert("format", FORMAT)?;
    transaction.open_table(OBJECTS)?;
    transaction.commit()?;
    Ok(Contents {
        revision: 0,
        entries: Vec::new(),
    })
}
