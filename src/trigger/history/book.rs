//! The deliveries themselves, bounded, and what is still to be written of them.
//!
//! Pure: the time is passed in, and nothing is asked or written here.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::{Delivery, State, revision::Observation};
use crate::{
    hook::{ReceiverRef, Target},
    trigger::journal::HistoryRows,
};

/// How many deliveries of one Receiver are kept.
const MAX_OF_RECEIVER: usize = 100;
/// How many bytes all of them take together, about.
const MAX_BYTES: usize = 8 << 20;
/// How long one is kept: GitHub redelivers for three days.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(3 * 24);
/// For how long the end of a patch is remembered for a delivery that is recorded after it.
const RECENT: SignedDuration = SignedDuration::from_secs(30);
/// Above this many remembered ends, the old ones are dropped.
const MANY_RECENT: usize = 1024;
/// What is said of a target that was pending before a restart and is not any more.
const NOT_NOTED: &str =
    "it is not pending any more; what became of it was not noted before a restart";

/// The last deliveries of each Receiver.
#[derive(Debug, Default)]
pub(super) struct Book {
    kept: BTreeMap<u64, Kept>,
    of_receiver: HashMap<ReceiverRef, VecDeque<u64>>,
    /// The deliveries of each target of which something may still come.
    open: HashMap<Arc<Target>, BTreeSet<u64>>,
    recent: HashMap<Arc<Target>, End>,
    bytes: usize,
    next: u64,
    /// Counts changes.
    version: u64,
    unwritten: BTreeSet<u64>,
    /// Deliveries that are not kept any more and still on disk.
    gone: Vec<u64>,
}

#[derive(Debug)]
struct Kept {
    delivery: Delivery,
    weight: usize,
    version: u64,
    is_written: bool,
}

/// How the last patch of a target ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// When the patch was sent.
    pub(super) sent: Timestamp,
    /// Nothing when it worked, else why it was given up.
    pub(super) given_up: Option<String>,
}

impl Book {
    /// The deliveries of a file; `is_pending` says whether a target still is. Unreadable ones are dropped.
    pub(super) fn load(
        rows: impl IntoIterator<Item = (u64, Vec<u8>)>,
        now: Timestamp,
        is_pending: impl Fn(&Target) -> bool,
    ) -> Self {
        let mut book = Self::default();
        for (id, row) in rows {
            book.next = book.next.max(id.saturating_add(1));
            match serde_json::from_slice::<Delivery>(&row) {
                Ok(delivery) if delivery.id == id => {
                    book.keep(delivery.bounded(), true);
                    book.bound(now);
                }
                Ok(_) | Err(_) => book.gone.push(id),
            }
        }
        let open: Vec<_> = book.open.keys().cloned().collect();
        for target in open.into_iter().filter(|target| !is_pending(target)) {
            book.change(&target, |state| match state {
                State::Pending { .. } => Some(State::Ended {
                    reason: NOT_NOTED.to_owned(),
                }),
                _ => None,
            });
        }
        book
    }

    /// Adds a delivery under a new number, which is given back.
    pub(super) fn add(&mut self, delivery: Delivery, now: Timestamp) -> u64 {
        let id = self.next.max(1);
        self.next = id.saturating_add(1);
        let mut delivery = Delivery { id, ..delivery }.bounded();
        let received_at = delivery.received_at;
        for triggered in &mut delivery.targets {
            let end = self.recent.get(&triggered.target);
            let end = end.filter(|end| end.sent >= received_at);
            if let (State::Pending { .. }, Some(end)) = (&triggered.state, end) {
                triggered.state = end.state();
            }
        }
        self.keep(delivery, false);
        self.bound(now);
        id
    }

    /// A patch has ended for good: it worked, or is given up. Says whether a delivery is interested.
    pub(super) fn ended(&mut self, target: &Arc<Target>, end: &End) -> bool {
        if self.recent.len() >= MANY_RECENT {
            let now = end.sent;
            self.recent
                .retain(|_, old| now.duration_since(old.sent) < RECENT);
        }
        self.recent.insert(Arc::clone(target), end.clone());
        self.change(target, |state| {
            matches!(state, State::Pending { .. }).then(|| end.state())
        })
    }

    /// A patch did not work, and is tried again.
    pub(super) fn failed(&mut self, target: &Target, why: &str) {
        self.change(target, |state| match state {
            State::Pending { reason } if reason.as_deref() != Some(why) => Some(State::Pending {
                reason: Some(why.to_owned()),
            }),
            _ => None,
        });
    }

    /// What a triggered object looks like now. Says whether there is still something to wait for.
    pub(super) fn observed(&mut self, target: &Target, observation: &Observation) -> bool {
        self.change(target, |state| match state {
            State::Triggered { at, revision: None } => Some(State::Triggered {
                at: *at,
                revision: Some(observation.revision_since(*at)?.to_owned()),
            }),
            _ => None,
        });
        self.awaits_revision(target)
    }

    /// Whether a delivery waits for the revision of a target.
    pub(super) fn awaits_revision(&self, target: &Target) -> bool {
        let ids = self.open.get(target).into_iter().flatten();
        let kept = ids.filter_map(|id| self.kept.get(id));
        kept.flat_map(|kept| &kept.delivery.targets)
            .any(|triggered| {
                *triggered.target == *target
                    && matches!(triggered.state, State::Triggered { revision: None, .. })
            })
    }

    /// Forgets what is too old, or too much.
    pub(super) fn expire(&mut self, now: Timestamp) {
        while let Some((id, oldest)) = self.kept.first_key_value() {
            let age = now.duration_since(oldest.delivery.received_at);
            if self.bytes <= MAX_BYTES && age <= MAX_AGE {
                return;
            }
            self.forget(*id);
        }
    }

    /// The last deliveries, newest first.
    pub(super) fn last<'b>(
        &'b self,
        receiver: Option<&'b ReceiverRef>,
    ) -> impl Iterator<Item = &'b Delivery> {
        let is_wanted =
            move |kept: &&Kept| receiver.is_none_or(|wanted| kept.delivery.receiver == *wanted);
        let kept = self.kept.values().rev().filter(is_wanted);
        kept.map(|kept| &kept.delivery)
    }

    /// The deliveries that changed after a version, oldest first.
    pub(super) fn changed_since<'b>(
        &'b self,
        version: u64,
        receiver: Option<&'b ReceiverRef>,
    ) -> impl Iterator<Item = &'b Delivery> {
        let is_wanted = move |kept: &&Kept| {
            kept.version > version
                && receiver.is_none_or(|wanted| kept.delivery.receiver == *wanted)
        };
        self.kept
            .values()
            .filter(is_wanted)
            .map(|kept| &kept.delivery)
    }

    /// How many changes there were.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The delivery of a number, or else the last one of a sender's id.
    pub(super) fn find(&self, id: &str) -> Option<&Delivery> {
        let by_number = id.parse().ok().and_then(|id: u64| self.kept.get(&id));
        by_number.map(|kept| &kept.delivery).or_else(|| {
            let mut newest_first = self.last(None);
            newest_first.find(|delivery| delivery.delivery == id)
        })
    }

    /// What has to be written; nothing of it is noted as written.
    pub(super) fn rows(&mut self) -> HistoryRows {
        let gone = self.gone.drain(..).map(|id| (id, None));
        let mut rows: HistoryRows = gone.collect();
        for id in std::mem::take(&mut self.unwritten) {
            if let Some(kept) = self.kept.get_mut(&id) {
                kept.is_written = true;
                rows.push((id, serde_json::to_vec(&kept.delivery).ok()));
            }
        }
        rows
    }

    /// Rows that were taken and are not on disk after all.
    ///
    /// Should one be there all the same, it is dropped at the latest when the file is loaded.
    pub(super) fn not_written(&mut self, rows: HistoryRows) {
        for (id, row) in rows {
            match self.kept.get_mut(&id) {
                Some(kept) => {
                    kept.is_written = false;
                    self.unwritten.insert(id);
                }
                None if row.is_none() => self.gone.push(id),
                None => {}
            }
        }
    }

    fn keep(&mut self, delivery: Delivery, is_written: bool) {
        let (id, weight) = (delivery.id, delivery.weight());
        let open = delivery
            .targets
            .iter()
            .filter(|triggered| triggered.state.is_open());
        for triggered in open {
            let target = Arc::clone(&triggered.target);
            self.open.entry(target).or_default().insert(id);
        }
        match self.of_receiver.get_mut(&delivery.receiver) {
            Some(ids) => ids.push_back(id),
            None => drop(
                self.of_receiver
                    .insert(delivery.receiver.clone(), [id].into()),
            ),
        }
        self.bytes += weight;
        self.version += 1;
        if !is_written {
            self.unwritten.insert(id);
        }
        let kept = Kept {
            delivery,
            weight,
            version: self.version,
            is_written,
        };
        self.kept.insert(id, kept);
    }

    /// Changes the state of a target in all deliveries of which something may still come.
    fn change(&mut self, target: &Target, change: impl Fn(&State) -> Option<State>) -> bool {
        let Some(ids) = self.open.get_mut(target) else {
            return false;
        };
        let (mut is_changed, version) = (false, self.version + 1);
        let (kept, unwritten) = (&mut self.kept, &mut self.unwritten);
        ids.retain(|id| {
            let Some(kept) = kept.get_mut(id) else {
                return false;
            };
            let mut is_open = false;
            let of_target = kept
                .delivery
                .targets
                .iter_mut()
                .filter(|of| *of.target == *target);
            for triggered in of_target {
                if let Some(mut state) = change(&triggered.state) {
                    state.cut();
                    triggered.state = state;
                    kept.version = version;
                    unwritten.insert(*id);
                    is_changed = true;
                }
                is_open |= triggered.state.is_open();
            }
            is_open
        });
        if ids.is_empty() {
            self.open.remove(target);
        }
        self.version += u64::from(is_changed);
        is_changed
    }

    fn bound(&mut self, now: Timestamp) {
        let newest = self.kept.last_key_value();
        if let Some((_, newest)) = newest
            && let Some(ids) = self.of_receiver.get(&newest.delivery.receiver)
            && ids.len() > MAX_OF_RECEIVER
            && let Some(id) = ids.front().copied()
        {
            self.forget(id);
        }
        self.expire(now);
    }

    fn forget(&mut self, id: u64) {
        let Some(kept) = self.kept.remove(&id) else {
            return;
        };
        self.bytes -= kept.weight;
        self.unwritten.remove(&id);
        if kept.is_written {
            self.gone.push(id);
        }
        if let Some(ids) = self.of_receiver.get_mut(&kept.delivery.receiver) {
            match ids.front() {
                Some(first) if *first == id => drop(ids.pop_front()),
                _ => ids.retain(|other| *other != id),
            }
            if ids.is_empty() {
                self.of_receiver.remove(&kept.delivery.receiver);
            }
        }
        for triggered in &kept.delivery.targets {
            if let Some(ids) = self.open.get_mut(&triggered.target) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.open.remove(&triggered.target);
                }
            }
        }
    }
}

impl End {
    fn state(&self) -> State {
        match &self.given_up {
            None => State::Triggered {
                at: self.sent,
                revision: None,
            },
            Some(reason) => State::Ended {
                reason: reason.clone(),
            },
        }
    }
}
