//! What became of the last deliveries: a bounded record for the operator, kept with the journal.
//!
//! It takes part in nothing: a delivery is as good without it. What it may lose in a crash is a few seconds of itself.

mod book;
mod delivery;
mod follow;
mod lookups;
mod revision;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

pub use self::delivery::{Delivery, State, Triggered};
pub(super) use self::follow::follow;
use self::{
    book::{Book, End},
    lookups::Lookups,
    revision::Observation,
};
use super::{
    journal::NotDurable,
    report::{Entry, Outcome, Report, Subject},
};
use crate::hook::{ReceiverRef, Target};

/// The last deliveries; clones share them.
#[derive(Clone)]
pub struct History(Arc<Shared>);

struct Shared {
    state: Mutex<Inner>,
    /// The version of the book.
    version: watch::Sender<u64>,
    /// There may be an earlier object to look at.
    lookup: Notify,
}

struct Inner {
    book: Book,
    lookups: Lookups,
}

/// What changed in a history since one looked last.
#[derive(Debug)]
pub struct Changes {
    history: History,
    versions: watch::Receiver<u64>,
    receiver: Option<ReceiverRef>,
    seen: u64,
}

impl History {
    /// The history of a journal's file, given whether a target is still pending.
    pub(super) fn load(rows: Vec<(u64, Vec<u8>)>, is_pending: impl Fn(&Target) -> bool) -> Self {
        let book = Book::load(rows, Timestamp::now(), is_pending);
        let version = watch::Sender::new(book.version());
        let state = Mutex::new(Inner {
            book,
            lookups: Lookups::default(),
        });
        Self(Arc::new(Shared {
            state,
            version,
            lookup: Notify::new(),
        }))
    }

    /// Adds a delivery and what is known of its targets; gives it a number, and says which.
    pub(super) fn record(&self, delivery: Delivery, report: &Report) -> u64 {
        let mut delivery = delivery;
        for entry in &report.entries {
            match triggered(entry) {
                Some(triggered) => delivery.targets.push(triggered),
                None => delivery.notes.push(entry.to_string()),
            }
        }
        let (id, is_earlier) = self.change(|inner| {
            let now = Instant::now();
            let mut is_earlier = false;
            for target in delivery.targets.iter().filter_map(patched) {
                is_earlier |= inner.lookups.triggered(target, now);
            }
            (inner.book.add(delivery, Timestamp::now()), is_earlier)
        });
        if is_earlier {
            self.0.lookup.notify_one();
        }
        id
    }

    /// The last deliveries, newest first, and no more than `limit`.
    #[must_use]
    pub fn last(&self, receiver: Option<&ReceiverRef>, limit: usize) -> Vec<Delivery> {
        self.change(|inner| {
            inner.book.expire(Timestamp::now());
            inner.book.last(receiver).take(limit).cloned().collect()
        })
    }

    /// The delivery of a number, or else the last one of a sender's id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Delivery> {
        self.lock().book.find(id).cloned()
    }

    /// What changes from now on.
    #[must_use]
    pub fn changes(&self, receiver: Option<ReceiverRef>) -> Changes {
        let versions = self.0.version.subscribe();
        let seen = *versions.borrow();
        Changes {
            history: self.clone(),
            versions,
            receiver,
            seen,
        }
    }

    /// A patch that was sent at some time has worked.
    pub(super) fn patched(&self, target: &Arc<Target>, sent: Timestamp) {
        let end = End {
            sent,
            given_up: None,
        };
        let is_earlier = self.change(|inner| {
            inner.book.ended(target, &end) && inner.lookups.triggered(target, Instant::now())
        });
        if is_earlier {
            self.0.lookup.notify_one();
        }
    }

    /// A patch did not work and is given up.
    pub(super) fn given_up(&self, target: &Arc<Target>, sent: Timestamp, reason: &str) {
        let end = End {
            sent,
            given_up: Some(reason.to_owned()),
        };
        self.change(|inner| inner.book.ended(target, &end));
    }

    /// A patch did not work and is tried again.
    pub(super) fn failed(&self, target: &Target, reason: &str) {
        self.change(|inner| inner.book.failed(target, reason));
    }

    /// What a triggered object looks like now; nothing when it cannot be known.
    fn observed(&self, target: &Target, observation: Option<&Observation>) {
        self.change(|inner| {
            let is_open = observation.is_some_and(|seen| inner.book.observed(target, seen));
            if !is_open {
                inner.lookups.end(target);
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.lock();
        let result = change(&mut inner);
        let version = inner.book.version();
        drop(inner);
        self.0.version.send_if_modified(|last| {
            let is_later = *last < version;
            *last = version.max(*last);
            is_later
        });
        result
    }
}

impl Changes {
    /// Waits for the next changes: the deliveries that are new or changed, oldest first, each as it is now.
    pub async fn next(&mut self) -> Vec<Delivery> {
        loop {
            // The sender lives as long as the history, which is held here.
            if self
                .versions
                .wait_for(|version| *version > self.seen)
                .await
                .is_err()
            {
                return std::future::pending().await;
            }
            let inner = self.history.lock();
            let changed = inner.book.changed_since(self.seen, self.receiver.as_ref());
            let changed: Vec<_> = changed.cloned().collect();
            self.seen = inner.book.version();
            drop(inner);
            if !changed.is_empty() {
                return changed;
            }
        }
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("History")
    }
}

/// The object of an entry that is about one.
fn triggered(entry: &Entry) -> Option<Triggered> {
    let Subject::Target(target) = &entry.subject else {
        return None;
    };
    let state = match &entry.outcome {
        Outcome::Done { requested_at } => State::Triggered {
            at: requested_at.parse().ok()?,
            revision: None,
        },
        Outcome::Pending => State::Pending { reason: None },
        Outcome::NothingSelected | Outcome::LeftOut => return None,
        Outcome::Refused { reason } => State::Ended {
            reason: reason.clone(),
        },
        Outcome::Unfinished { reason, .. } => State::Unfinished {
            reason: reason.clone(),
        },
    };
    Some(Triggered {
        target: Arc::clone(target),
        state,
    })
}

fn patched(triggered: &Triggered) -> Option<&Arc<Target>> {
    matches!(triggered.state, State::Triggered { .. }).then_some(&triggered.target)
}
