//! The journal on disk: marks, ids, and who this replica is, in one database file.
//!
//! A file that is not what was written is moved aside and replaced; a file that cannot be read is an error.

use std::{
    collections::HashMap,
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
};

use jiff::Timestamp;
use redb::{
    Builder, Database, Durability, ReadOnlyTable, ReadableDatabase as _, ReadableTable as _,
    StorageError, TableDefinition, TableError, WriteTransaction, backends::FileBackend,
};
use uuid::Uuid;

use super::{
    Mark, NotDurable, OpenError, Origin, entry,
    folder::Folder,
    ids::{Bounds, IdRows, Ids},
};
use crate::hook::Target;

const FORMAT: u64 = 1;
/// In bytes; the whole journal is seldom larger.
const CACHE: usize = 2 << 20;
const META: TableDefinition<'static, &str, &str> = TableDefinition::new("meta");
const MARKS: TableDefinition<'static, &str, &str> = TableDefinition::new("marks");
const IDS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("ids");
/// Files of format 1 may be without this one.
const MESSAGES: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("messages");
/// And without this one.
const HISTORY: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("history");
const FORMAT_KEY: &str = "format";
const REPLICA_KEY: &str = "replica";
const GAVE_UP: &str = "the database library gave up within the write";

/// What a file holds.
#[derive(Debug)]
pub(super) struct Contents {
    /// Who wrote it.
    pub(super) replica: Uuid,
    /// What was pending.
    pub(super) marks: HashMap<Target, Mark>,
    /// The ids seen lately.
    pub(super) ids: Ids,
    /// The messages that may not come again.
    pub(super) messages: Ids,
    /// The rows of the history.
    pub(super) history: Vec<(u64, Vec<u8>)>,
}

/// What one transaction writes.
#[derive(Clone, Copy)]
pub(super) struct Changes<'c> {
    /// Marks to put, or to remove.
    pub(super) marks: &'c [(Target, Option<Mark>)],
    /// Rows of ids.
    pub(super) ids: &'c IdRows,
    /// Rows of messages.
    pub(super) messages: &'c IdRows,
    /// Rows of the history to put and to remove, in this order.
    pub(super) history: &'c [(u64, Option<Vec<u8>>)],
}

/// An open file.
pub(super) struct JournalFile {
    database: Database,
    path: PathBuf,
}

/// Why a file cannot be used.
enum Unusable {
    /// It is not what was written.
    Damaged(String),
    /// It is of a later version.
    Newer(u64),
    /// The database library says so.
    Database(Box<redb::Error>),
}

impl<E: Into<redb::Error>> From<E> for Unusable {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

impl JournalFile {
    /// Opens the journal of a folder, or makes one for this replica when there is none or it is damaged.
    pub(super) fn open(
        folder: &Folder,
        replica: Uuid,
    ) -> Result<(Self, Contents, Origin), OpenError> {
        let Some(file) = folder.open()? else {
            let (file, contents) = Self::create(folder, replica)?;
            return Ok((file, contents, Origin::New));
        };
        let read = catch_unwind(AssertUnwindSafe(|| Self::read(file, folder.file())));
        let detail = match read {
            Ok(Ok((file, contents))) => return Ok((file, contents, Origin::Continued)),
            Ok(Err(unusable)) => unusable.detail(folder.file())?,
            // A damaged file can make the database library panic; that is one more way to say so.
            Err(_) => "it is not a complete database".to_owned(),
        };
        let damaged = folder.move_aside(Timestamp::now())?;
        tracing::error!(
            path = %folder.file().display(),
            moved_to = %damaged.display(),
            detail,
            "the journal is damaged and starts anew; every target of every Receiver is triggered once instead"
        );
        let (file, contents) = Self::create(folder, replica)?;
        Ok((file, contents, Origin::Replaced { damaged }))
    }

    /// Writes all or nothing; durable when it returns. After an error the file must be opened again.
    pub(super) fn write(&self, changes: Changes<'_>) -> Result<(), NotDurable> {
        let written = catch_unwind(AssertUnwindSafe(|| self.try_write(changes)));
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(redb::Error::Io(source))) => Err(NotDurable::of_file(&self.path, &source)),
            Ok(Err(error)) => Err(NotDurable::Io(error.to_string().into())),
            Err(_) => Err(NotDurable::Io(GAVE_UP.into())),
        }
    }

    /// Lets go of a file after an error; the database library may panic once more.
    pub(super) fn abandon(self) {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(self.database)));
    }

    fn try_write(&self, changes: Changes<'_>) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        if !changes.marks.is_empty() {
            put_marks(&transaction, changes.marks)?;
        }
        put_rows(&transaction, IDS, changed(changes.ids))?;
        put_rows(&transaction, MESSAGES, changed(changes.messages))?;
        let history = changes
            .history
            .iter()
            .map(|(number, row)| (*number, row.as_deref()));
        put_rows(&transaction, HISTORY, history)?;
        Ok(transaction.commit()?)
    }

    fn read(file: File, path: PathBuf) -> Result<(Self, Contents), Unusable> {
        if file.metadata().map_err(StorageError::Io)?.len() == 0 {
            return Err(Unusable::Damaged("it is empty".to_owned()));
        }
        let database = builder().create_with_backend(FileBackend::new(file)?)?;
        let contents = contents(&database)?;
        Ok((Self { database, path }, contents))
    }

    fn create(folder: &Folder, replica: Uuid) -> Result<(Self, Contents), OpenError> {
        folder.owe_sweep()?;
        let draft = folder.draft()?;
        let path = folder.file();
        let made = catch_unwind(AssertUnwindSafe(|| initialise(draft, replica)));
        let database = match made {
            Ok(Ok(database)) => database,
            Ok(Err(redb::Error::Io(source))) => return Err(OpenError::File { path, source }),
            Ok(Err(error)) => {
                let detail = error.to_string();
                return Err(OpenError::Unwritable { path, detail });
            }
            Err(_) => {
                let detail = GAVE_UP.to_owned();
                return Err(OpenError::Unwritable { path, detail });
            }
        };
        folder.adopt()?;
        let contents = Contents {
            replica,
            marks: HashMap::new(),
            ids: Ids::new(Bounds::DELIVERIES),
            messages: Ids::new(Bounds::MESSAGES),
            history: Vec::new(),
        };
        Ok((Self { database, path }, contents))
    }
}

impl Unusable {
    /// What is wrong with a damaged file; an error for one that may be in order.
    fn detail(self, path: PathBuf) -> Result<String, OpenError> {
        match self {
            Self::Damaged(detail) => Ok(detail),
            Self::Newer(found) => Err(OpenError::Newer {
                path,
                found,
                known: FORMAT,
            }),
            Self::Database(error) => match *error {
                redb::Error::DatabaseAlreadyOpen => Err(OpenError::Locked { path }),
                redb::Error::Io(source) if is_from_the_system(&source) => {
                    Err(OpenError::File { path, source })
                }
                other => Ok(other.to_string()),
            },
        }
    }
}

fn contents(database: &Database) -> Result<Contents, Unusable> {
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(META)?;
    let format = word(&meta, FORMAT_KEY)?;
    match format.parse() {
        Ok(FORMAT) => {}
        Ok(newer) if newer > FORMAT => return Err(Unusable::Newer(newer)),
        _ => return Err(Unusable::Damaged(format!("its format is `{format}`"))),
    }
    let replica = Uuid::parse_str(&word(&meta, REPLICA_KEY)?);
    let mut marks = HashMap::new();
    for line in transaction.open_table(MARKS)?.iter()? {
        let (key, value) = line?;
        let read = entry::decode(key.value(), value.value());
        let (target, mark) = read.map_err(|error| Unusable::Damaged(error.to_string()))?;
        marks.insert(target, mark);
    }
    let ids = Ids::load(Bounds::DELIVERIES, rows(&transaction.open_table(IDS)?)?);
    let later = |table| match transaction.open_table(table) {
        Err(TableError::TableDoesNotExist(_)) => Ok(Vec::new()),
        table => rows(&table?),
    };
    let messages = Ids::load(Bounds::MESSAGES, later(MESSAGES)?);
    let history = later(HISTORY)?;
    let unreadable = |what: &str| Unusable::Damaged(format!("its {what} cannot be read"));
    Ok(Contents {
        replica: replica.map_err(|error| Unusable::Damaged(error.to_string()))?,
        marks,
        ids: ids.ok_or_else(|| unreadable("ids"))?,
        messages: messages.ok_or_else(|| unreadable("messages"))?,
        history,
    })
}

fn rows(table: &ReadOnlyTable<u64, &'static [u8]>) -> Result<Vec<(u64, Vec<u8>)>, Unusable> {
    let mut rows = Vec::new();
    for row in table.iter()? {
        let (number, row) = row?;
        rows.push((number.value(), row.value().to_owned()));
    }
    Ok(rows)
}

fn word(meta: &ReadOnlyTable<&str, &str>, key: &str) -> Result<String, Unusable> {
    let found = meta.get(key)?;
    let found = found.ok_or_else(|| Unusable::Damaged(format!("it has no {key}")))?;
    Ok(found.value().to_owned())
}

fn put_marks(
    transaction: &WriteTransaction,
    marks: &[(Target, Option<Mark>)],
) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(MARKS)?;
    for (target, mark) in marks {
        match mark {
            Some(mark) => {
                if let Some(entry) = entry::encode(target, mark) {
                    table.insert(entry.key.as_str(), entry.value.as_str())?;
                }
            }
            None => {
                if let Some(key) = entry::key(target) {
                    table.remove(key.as_str())?;
                }
            }
        }
    }
    Ok(())
}

/// Every checksum is looked at when a file is opened: a journal is small, and one that has lost a mark is no use.
fn builder() -> Builder {
    let mut builder = Database::builder();
    builder
        .set_cache_size(CACHE)
        .set_check_integrity_on_open(true);
    builder
}

/// The rows to put, and then those to remove.
fn changed(rows: &IdRows) -> impl Iterator<Item = (u64, Option<&[u8]>)> {
    let put = rows.put.iter();
    let put = put.map(|(number, row)| (*number, Some(row.as_slice())));
    put.chain(rows.remove.iter().map(|number| (*number, None)))
}

fn put_rows<'r>(
    transaction: &WriteTransaction,
    table: TableDefinition<'static, u64, &'static [u8]>,
    rows: impl Iterator<Item = (u64, Option<&'r [u8]>)>,
) -> Result<(), redb::Error> {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let mut table = transaction.open_table(table)?;
    for (number, row) in rows {
        match row {
            Some(row) => table.insert(number, row)?,
            None => table.remove(number)?,
        };
    }
    Ok(())
}

fn initialise(file: File, replica: Uuid) -> Result<Database, redb::Error> {
    let database = builder().create_with_backend(FileBackend::new(file)?)?;
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(FORMAT_KEY, FORMAT.to_string().as_str())?;
        meta.insert(REPLICA_KEY, replica.to_string().as_str())?;
        transaction.open_table(MARKS)?;
        transaction.open_table(IDS)?;
    }
    transaction.commit()?;
    Ok(database)
}

/// Whether the error is one of the system and not the database library's word for nonsense in the file.
fn is_from_the_system(error: &io::Error) -> bool {
    // Nonsense can also become an impossible position in the file.
    error.raw_os_error().is_some() && error.kind() != io::ErrorKind::InvalidInput
}
