//! Which marks are on disk, and which changes go there next.
//!
//! Pure: it is told what became of a write, and gives back whom to tell; it neither waits nor writes.
//! Changes gather in a map keyed by target, so that they are bounded by the number of targets, not of deliveries.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    Mark,
    ids::{self, Digest, IdRows, Ids},
};
use crate::hook::Target;

/// How long a change that nobody waits for may stay in memory.
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// Rows of the history by number; nothing for one that goes.
pub(crate) type HistoryRows = Vec<(u64, Option<Vec<u8>>)>;

/// What is on disk, and what will be; `W` is somebody who waits.
#[derive(Debug)]
pub(super) struct Ledger<W> {
    /// The marks of the file, as far as is known.
    durable: HashMap<Target, Mark>,
    changes: HashMap<Target, Change<W>>,
    /// Who waits for everything so far.
    flushes: Vec<W>,
    ids: Ids,
    /// The messages that may not come again.
    messages: Ids,
    /// Rows of the history that are to be written.
    history: HistoryRows,
    /// Since when a change waits that nobody waits for.
    delayed_since: Option<Instant>,
    waiting: usize,
}

/// What happens to the mark of one target.
#[derive(Debug)]
struct Change<W> {
    /// Forget a mark that is not newer.
    clear: Option<Timestamp>,
    mark: Option<Mark>,
    waiters: Vec<W>,
}

/// When the next transaction is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// Somebody waits for it.
    Now,
    /// Nobody does.
    At(Instant),
    /// There is nothing to write.
    Never,
}

/// One transaction.
#[derive(Debug)]
pub(super) struct Batch<W> {
    /// Marks to put, or to remove.
    pub(super) marks: Vec<(Target, Option<Mark>)>,
    /// Rows of ids to put and to remove.
    pub(super) ids: IdRows,
    /// Rows of messages.
    pub(super) messages: IdRows,
    /// Rows of the history to put and to remove, in this order.
    pub(super) history: HistoryRows,
    /// Whom to tell how it went.
    pub(super) waiters: Vec<W>,
    clears: Vec<(Target, Timestamp)>,
}

impl<W> Ledger<W> {
    /// Begins with what a file holds.
    pub(super) fn new(
        marks: impl IntoIterator<Item = (Target, Mark)>,
        ids: Ids,
        messages: Ids,
    ) -> Self {
        Self {
            durable: marks.into_iter().collect(),
            changes: HashMap::new(),
            flushes: Vec::new(),
            ids,
            messages,
            history: Vec::new(),
            delayed_since: None,
            waiting: 0,
        }
    }

    /// Gathers a mark; of several for one target the newest is written, and all who wait are told.
    pub(super) fn mark(&mut self, target: &Target, mark: Mark, waiter: W) {
        // A mark of a sweep belongs to no delivery.
        if !mark.delivery.is_empty() {
            let id = ids::digest(&mark.receiver, mark.delivery.as_bytes());
            self.ids.recognise(id);
        }
        let change = match self.changes.get_mut(target) {
            Some(change) => change,
            None => self.changes.entry(target.clone()).or_default(),
        };
        change.mark = newest(change.mark.take(), Some(mark));
        change.waiters.push(waiter);
        self.waiting += 1;
    }

    /// Gathers that marks up to a time are not needed; gives back who waited for one that need not be written any more.
    #[must_use]
    pub(super) fn clear(&mut self, target: &Target, up_to: Timestamp, now: Instant) -> Vec<W> {
        let change = match self.changes.get_mut(target) {
            Some(change) => change,
            // A mark that is being written is not known to be on disk yet, so that every target counts.
            None => self.changes.entry(target.clone()).or_default(),
        };
        change.clear = change.clear.max(Some(up_to));
        self.delayed_since.get_or_insert(now);
        if change
            .mark
            .as_ref()
            .is_none_or(|mark| mark.requested_at > up_to)
        {
            return Vec::new();
        }
        change.mark = None;
        let withdrawn = std::mem::take(&mut change.waiters);
        self.waiting -= withdrawn.len();
        withdrawn
    }

    /// Whether the Receiver has had a delivery of this id lately; from now on it has.
    pub(super) fn recognise(&mut self, id: Digest, now: Instant) -> bool {
        let is_known = self.ids.recognise(id);
        if !is_known {
            self.delayed_since.get_or_insert(now);
        }
        is_known
    }

    /// Whether a message may not come again.
    pub(super) fn has_seen(&self, message: &Digest) -> bool {
        self.messages.has(message)
    }

    /// Gathers a message that may not come again; it may if this is not written.
    pub(super) fn see(&mut self, message: Digest, waiter: W) {
        self.messages.recognise(message);
        self.flush(waiter);
    }

    /// Gathers rows of the history.
    pub(super) fn keep(&mut self, rows: HistoryRows, waiter: W) {
        self.history.extend(rows);
        self.flush(waiter);
    }

    /// Gathers somebody who waits for all that has been gathered or taken so far.
    pub(super) fn flush(&mut self, waiter: W) {
        self.flushes.push(waiter);
        self.waiting += 1;
    }

    /// When the next transaction is due.
    pub(super) fn due(&self) -> Due {
        match self.delayed_since {
            _ if self.waiting > 0 => Due::Now,
            Some(since) => Due::At(since + LONGEST_DELAY),
            None => Due::Never,
        }
    }

    /// Takes what has gathered; `settle` must be told what became of it before the next is taken.
    pub(super) fn take(&mut self, now: Timestamp) -> Batch<W> {
        self.delayed_since = None;
        self.waiting = 0;
        let mut batch = Batch {
            marks: Vec::with_capacity(self.changes.len()),
            ids: self.ids.take(now),
            messages: self.messages.take(now),
            history: std::mem::take(&mut self.history),
            waiters: std::mem::take(&mut self.flushes),
            clears: Vec::new(),
        };
        for (target, change) in self.changes.drain() {
            let durable = self.durable.get(&target);
            let kept =
                durable.filter(|mark| change.clear.is_none_or(|clear| mark.requested_at > clear));
            let next = match (kept, change.mark) {
                (Some(kept), Some(mark)) if kept.requested_at > mark.requested_at => {
                    Some(kept.clone())
                }
                (kept, mark) => mark.or_else(|| kept.cloned()),
            };
            batch.waiters.extend(change.waiters);
            if let Some(clear) = change.clear {
                batch.clears.push((target.clone(), clear));
            }
            if next.as_ref() != durable {
                batch.marks.push((target, next));
            }
        }
        batch
    }

    /// Notes whether a batch is on disk, and gives back whom to tell.
    pub(super) fn settle(&mut self, batch: Batch<W>, is_written: bool, now: Instant) -> Vec<W> {
        if is_written {
            for (target, mark) in batch.marks {
                match mark {
                    Some(mark) => self.durable.insert(target, mark),
                    None => self.durable.remove(&target),
                };
            }
            self.ids.written();
            self.messages.written();
        } else {
            self.messages.discard();
            self.regain(batch.clears, now);
        }
        batch.waiters
    }

    /// What makes the marks of a file that was opened again those that were acknowledged.
    pub(super) fn differences(
        &mut self,
        stored: &HashMap<Target, Mark>,
        stored_ids: &Ids,
        stored_messages: &Ids,
    ) -> Vec<(Target, Option<Mark>)> {
        self.ids.reconcile(stored_ids.rows());
        self.messages.reconcile(stored_messages.rows());
        let targets: HashSet<_> = self.durable.keys().chain(stored.keys()).collect();
        let differing = targets
            .into_iter()
            .filter(|target| self.durable.get(target) != stored.get(target));
        differing
            .map(|target| (target.clone(), self.durable.get(target).cloned()))
            .collect()
    }

    /// Takes back what was to be cleared by a write that failed; its marks are not taken back, for whoever waited is told.
    fn regain(&mut self, clears: Vec<(Target, Timestamp)>, now: Instant) {
        for (target, clear) in clears {
            let change = self.changes.entry(target).or_default();
            change.clear = change.clear.max(Some(clear));
        }
        let has_unwritten = self.ids.has_unwritten() || self.messages.has_unwritten();
        if !self.changes.is_empty() || has_unwritten {
            self.delayed_since.get_or_insert(now);
        }
    }
}

impl<W> Batch<W> {
    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        let has_no = |rows: &IdRows| *rows == IdRows::default();
        self.marks.is_empty()
            && has_no(&self.ids)
            && has_no(&self.messages)
            && self.history.is_empty()
    }
}

impl<W> Default for Change<W> {
    fn default() -> Self {
        Self {
            clear: None,
            mark: None,
            waiters: Vec::new(),
        }
    }
}

fn newest(old: Option<Mark>, new: Option<Mark>) -> Option<Mark> {
    match (old, new) {
        (Some(old), Some(new)) if old.requested_at > new.requested_at => Some(old),
        (old, new) => new.or(old),
    }
}
