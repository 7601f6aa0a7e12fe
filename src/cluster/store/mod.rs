//! All objects, in memory for readers and on disk for the next start, under one resourceVersion.
//!
//! Readers share the state of one moment and take no lock. It knows no kinds.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use self::{disk::Disk, state::State, writer::Writer};
pub(crate) use self::{
    disk::WriteError,
    log::{Event, Expired},
    objects::Objects,
    transaction::Transaction,
};
use super::object::{GroupResource, Object, ObjectName};

mod dependents;
mod disk;
mod draft;
mod log;
mod objects;
mod state;
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

/// The objects of one type at one moment.
pub(crate) struct Snapshot {
    /// The resourceVersion of that moment.
    pub(crate) revision: u64,
    /// The objects.
    pub(crate) objects: Objects,
}

/// All objects.
pub(crate) struct Store {
    /// Whoever holds the lock is the only one to change objects.
    writer: Mutex<Writer>,
    state: ArcSwap<State>,
}

impl Store {
    /// Opens the stored objects; changes from before are forgotten, so that older watches must list again.
    pub(crate) fn open(storage: &Storage) -> Result<Self, OpenError> {
        let memory = Path::new(":memory:");
        let (path, (disk, contents)) = match storage {
            Storage::Memory => (memory, Disk::in_memory()?),
            Storage::Directory(directory) => (directory.as_path(), Disk::in_directory(directory)?),
        };
        let state = State::load(contents).map_err(|detail| disk::damaged(path, &detail))?;
        Ok(Self {
            writer: Mutex::new(Writer::Open(disk)),
            state: ArcSwap::from_pointee(state),
        })
    }

    /// One object as it is now.
    pub(crate) fn object(
        &self,
        resource: &GroupResource,
        name: &ObjectName,
    ) -> Option<Arc<Object>> {
        self.state.load().object(resource, name)
    }

    /// The objects of a type as they are now.
    pub(crate) fn snapshot(&self, resource: &GroupResource) -> Snapshot {
        let state = self.state.load();
        Snapshot {
            revision: state.revision,
            objects: state.objects(resource),
        }
    }

    /// The objects of a type as they were at `revision`, as far back as the log remembers.
    pub(crate) fn snapshot_at(
        &self,
        resource: &GroupResource,
        revision: u64,
    ) -> Result<Snapshot, Expired> {
        let state = self.state.load_full();
        let mut objects = state.objects(resource);
        let mut undone = HashSet::new();
        if let Some(known) = state.collection(resource) {
            for event in known.log.after(revision)? {
                // What the first change found is what was there.
                if undone.insert(&event.name) {
                    let previous = event.previous.clone();
                    objects.put(&event.name, previous.map(|record| Arc::new(record.into())));
                }
            }
        }
        Ok(Snapshot { revision, objects })
    }

    /// The latest change of anything.
    pub(crate) fn revision(&self) -> u64 {
        self.state.load().revision
    }

    /// Wakes at every change of objects of a type; ends when the type goes or the store closes.
    pub(crate) fn subscribe(&self, resource: &GroupResource) -> Option<watch::Receiver<u64>> {
        let state = self.state.load();
        Some(state.collection(resource)?.latest.subscribe())
    }

    /// At most `most` wanted changes of a type after `revision`, and the revision they lead up to.
    pub(crate) fn events_after(
        &self,
        resource: &GroupResource,
        revision: u64,
        most: usize,
        is_wanted: impl Fn(&Event) -> bool,
    ) -> Result<(Vec<Arc<Event>>, u64), Expired> {
        let state = self.state.load_full();
        let known = state.collection(resource).ok_or(Expired)?;
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
    }

    /// Starts a change; others wait until it is committed or dropped.
    pub(crate) fn begin(&self) -> Result<Transaction<'_>, WriteError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.state.load_full();
        writer.make_ready(state.revision)?;
        Ok(Transaction::new(self, writer, state))
    }

    /// Makes a type known, so that it can be watched before it has objects.
    pub(crate) fn declare(&self, resource: &GroupResource) {
        self.change(|state| state.declare(resource));
    }

    /// Lets go of the database and ends all watches. Reads go on, changes are refused.
    pub(crate) fn close(&self) {
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = Writer::Closed;
        self.change(State::end_watches);
    }

    /// Puts the next state in the place of this one; `change` is called again when another was faster.
    fn change(&self, change: impl Fn(&mut State)) {
        self.state.rcu(|state| {
            let mut next = State::clone(state);
            change(&mut next);
            next
        });
    }
}
