//! All objects, in memory for readers and on disk for the next start, under one resourceVersion.
//!
//! Readers hold a lock only to take a reference, never during a write to disk. It knows no kinds.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use serde_json::Value;
use tokio::sync::watch;

pub(crate) use self::{
    disk::WriteError,
    log::{Event, Expired},
    transaction::Transaction,
};
use self::{
    disk::{Contents, Disk},
    log::Log,
    writer::Writer,
};
use super::object::{GroupResource, Object, ObjectName};

mod disk;
mod log;
#[cfg(test)]
mod tests;
mod transaction;
mod writer;

/// Where the objects are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In memory, gone when the last handle is.
    Memory,
    /// In a database in this directory, which is made when it is missing.
    Directory(PathBuf),
}

/// Why the stored objects could not be opened; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made.
    #[error("cannot make the data directory `{path}`: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file cannot be read or written.
    #[error("cannot use the database `{path}`: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has it open.
    #[error(
        "the database `{path}` is in use by another process; stop that one or choose another data directory"
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A later version of this program wrote it.
    #[error(
        "the database `{path}` was written by a newer version (format {found}, this one knows {known}); use that version or another data directory"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: u64,
        /// The newest format that is understood.
        known: u64,
    },
    /// The file is not what was written.
    #[error(
        "the database `{path}` is damaged and was left as it is: {detail}; restore a copy or choose another data directory"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The namespaces that are always there cannot be stored.
    #[error("cannot create the initial namespaces in the database: {detail}")]
    Namespaces {
        /// What went wrong.
        detail: String,
    },
}

/// The objects of one type by namespace and name.
pub(crate) type Objects = BTreeMap<ObjectName, Arc<Object>>;

/// The objects of one type at one moment.
pub(crate) struct Snapshot {
    /// The resourceVersion of that moment.
    pub(crate) revision: u64,
    /// The objects.
    pub(crate) objects: Arc<Objects>,
}

/// All objects.
pub(crate) struct Store {
    /// Whoever holds the lock is the only writer.
    writer: Mutex<Writer>,
    state: RwLock<State>,
}

struct State {
    revision: u64,
    collections: HashMap<GroupResource, Collection>,
}

struct Collection {
    objects: Arc<Objects>,
    log: Log,
    /// Told of every change, by its revision.
    latest: watch::Sender<u64>,
}

impl Collection {
    fn new(revision: u64) -> Self {
        Self {
            objects: Arc::default(),
            log: Log::new(revision),
            latest: watch::Sender::new(revision),
        }
    }
}

impl Store {
    /// Opens the stored objects; changes from before are forgotten, so that older watches must list again.
    pub(crate) fn open(storage: &Storage) -> Result<Self, OpenError> {
        let memory = Path::new(":memory:");
        let (path, (disk, contents)) = match storage {
            Storage::Memory => (memory, Disk::in_memory()?),
            Storage::Directory(directory) => (directory.as_path(), Disk::in_directory(directory)?),
        };
        let state = load(contents).map_err(|detail| disk::damaged(path, &detail))?;
        Ok(Self {
            writer: Mutex::new(Writer::Open(disk)),
            state: RwLock::new(state),
        })
    }

    /// One object as it is now.
    pub(crate) fn object(
        &self,
        resource: &GroupResource,
        name: &ObjectName,
    ) -> Option<Arc<Object>> {
        self.read(|state| state.collections.get(resource)?.objects.get(name).cloned())
    }

    /// The objects of a type as they are now.
    pub(crate) fn snapshot(&self, resource: &GroupResource) -> Snapshot {
        self.read(|state| Snapshot {
            revision: state.revision,
            objects: state
                .collections
                .get(resource)
                .map(|known| Arc::clone(&known.objects))
                .unwrap_or_default(),
        })
    }

    /// The objects of a type as they were at `revision`, as far back as the log remembers.
    pub(crate) fn snapshot_at(
        &self,
        resource: &GroupResource,
        revision: u64,
    ) -> Result<Snapshot, Expired> {
        let (mut objects, undone) = self.read(|state| {
            let Some(known) = state.collections.get(resource) else {
                return Ok((Arc::default(), Vec::new()));
            };
            let undone: Vec<Arc<Event>> = known.log.after(revision)?.cloned().collect();
            Ok((Arc::clone(&known.objects), undone))
        })?;
        if !undone.is_empty() {
            let objects = Arc::make_mut(&mut objects);
            for event in undone.iter().rev() {
                put(objects, &event.name, event.previous.clone());
            }
        }
        Ok(Snapshot { revision, objects })
    }

    /// The latest change of anything.
    pub(crate) fn revision(&self) -> u64 {
        self.read(|state| state.revision)
    }

    /// Wakes at every change of objects of a type; ends when the type goes or the store closes.
    pub(crate) fn subscribe(&self, resource: &GroupResource) -> Option<watch::Receiver<u64>> {
        self.read(|state| Some(state.collections.get(resource)?.latest.subscribe()))
    }

    /// At most `most` wanted changes of a type after `revision`, and the revision they lead up to.
    pub(crate) fn events_after(
        &self,
        resource: &GroupResource,
        revision: u64,
        most: usize,
        is_wanted: impl Fn(&Event) -> bool,
    ) -> Result<(Vec<Arc<Event>>, u64), Expired> {
        self.read(|state| {
            let known = state.collections.get(resource).ok_or(Expired)?;
            if revision > state.revision {
                return Err(Expired);
            }
            let wanted = known.log.after(revision)?.filter(|event| is_wanted(event));
            let events: Vec<_> = wanted.take(most).cloned().collect();
            let reached = events
                .last()
                .filter(|_| events.len() == most)
                .map_or(state.revision, |event| event.revision);
            Ok((events, reached))
        })
    }

    /// Starts a change; others wait until it is committed or dropped.
    pub(crate) fn begin(&self) -> Result<Transaction<'_>, WriteError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = self.revision();
        writer.make_ready(revision)?;
        Ok(Transaction::new(self, writer, revision))
    }

    /// Makes a type known, so that it can be watched before it has objects.
    pub(crate) fn declare(&self, resource: &GroupResource) {
        self.change(|state| {
            let revision = state.revision;
            state
                .collections
                .entry(resource.clone())
                .or_insert_with(|| Collection::new(revision));
        });
    }

    /// Lets go of the database and ends all watches. Reads go on, changes are refused.
    pub(crate) fn close(&self) {
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = Writer::Closed;
        self.change(|state| {
            for collection in state.collections.values_mut() {
                collection.latest = watch::Sender::new(0);
            }
        });
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}

fn put(objects: &mut Objects, name: &ObjectName, object: Option<Arc<Object>>) {
    match object {
        Some(object) => objects.insert(name.clone(), object),
        None => objects.remove(name),
    };
}

fn load(contents: Contents) -> Result<State, String> {
    let mut all: HashMap<GroupResource, Objects> = HashMap::new();
    for (path, json) in contents.entries {
        let value: Value = serde_json::from_slice(&json)
            .map_err(|error| format!("`{path}` is not JSON: {error}"))?;
        let [group, plural, namespace, name] = path.split('/').collect::<Vec<_>>()[..] else {
            return Err(format!("`{path}` is not the path of an object"));
        };
        let revision = value
            .pointer("/metadata/resourceVersion")
            .and_then(Value::as_str);
        let revision: Option<u64> = revision.and_then(|text| text.parse().ok());
        let revision = revision.filter(|revision| *revision <= contents.revision);
        let revision = revision.ok_or_else(|| format!("`{path}` has no valid resourceVersion"))?;
        let object = Arc::new(Object::new(value, revision));
        all.entry(GroupResource::new(group, plural))
            .or_default()
            .insert(ObjectName::new(namespace, name), object);
    }
    let collections = all.into_iter().map(|(resource, objects)| {
        (
            resource,
            Collection {
                objects: Arc::new(objects),
                ..Collection::new(contents.revision)
            },
        )
    });
    Ok(State {
        revision: contents.revision,
        collections: collections.collect(),
    })
}
