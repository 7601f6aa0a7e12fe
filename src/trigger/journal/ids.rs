//! What was seen lately, ids of deliveries or signed messages: a set bounded by count and age, and the rows that keep it
//! on disk.
//!
//! Pure: the time is passed in. An id is kept as a digest together with its Receiver, so that its length does not matter.
//! Ids that arrive together share a row, so that a transaction writes one of them however many there are.

use std::collections::{HashSet, VecDeque};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::hook::ReceiverRef;

/// How much is known, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// How many at most; the oldest go first.
    count: usize,
    /// In seconds.
    age: i64,
}

impl Bounds {
    /// Ids of deliveries: about 1.5 MiB of memory, and half of that on disk. GitHub redelivers for three days.
    pub(super) const DELIVERIES: Self = Self {
        count: 32_768,
        age: 3 * 24 * 60 * 60,
    };

    /// Messages of Receivers that refuse replays: about 3 MiB of memory if there are so many. None is too old to be
    /// replayed, but one that has signed its time is refused for that.
    pub(super) const MESSAGES: Self = Self {
        count: 65_536,
        age: i64::MAX,
    };
}

/// How many ids share a row at most.
const MAX_ROW_IDS: usize = 128;
const DIGEST_BYTES: usize = 16;
const TIME_BYTES: usize = 8;

/// What was seen, at one Receiver.
pub(super) type Digest = [u8; DIGEST_BYTES];

/// What was seen lately.
#[derive(Debug)]
pub(super) struct Ids {
    bounds: Bounds,
    known: HashSet<Digest>,
    /// Seen since the last transaction.
    fresh: Vec<Digest>,
    /// Oldest first.
    rows: VecDeque<Row>,
    /// Rows that are forgotten and still on disk.
    gone: Vec<u64>,
    next: u64,
}

#[derive(Debug)]
struct Row {
    number: u64,
    seconds: i64,
    digests: Vec<Digest>,
    is_written: bool,
}

/// What a transaction changes in the table of ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IdRows {
    /// Rows to write, by number.
    pub(super) put: Vec<(u64, Vec<u8>)>,
    /// Rows to remove.
    pub(super) remove: Vec<u64>,
}

impl Ids {
    /// Nothing was seen yet.
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            known: HashSet::new(),
            fresh: Vec::new(),
            rows: VecDeque::new(),
            gone: Vec::new(),
            next: 0,
        }
    }

    /// The ids of a file; nothing when a row is not one.
    pub(super) fn load(
        bounds: Bounds,
        rows: impl IntoIterator<Item = (u64, Vec<u8>)>,
    ) -> Option<Self> {
        let mut ids = Self::new(bounds);
        for (number, bytes) in rows {
            let row = Row::decode(number, &bytes)?;
            ids.known.extend(&row.digests);
            ids.next = number.checked_add(1)?;
            ids.rows.push_back(row);
        }
        Some(ids)
    }

    /// The numbers of the rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = u64> {
        self.rows.iter().map(|row| row.number)
    }

    /// Whether it was seen lately.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.known.contains(digest)
    }

    /// Whether it was seen lately; from now on it was.
    pub(super) fn recognise(&mut self, digest: Digest) -> bool {
        let is_new = self.known.insert(digest);
        if is_new {
            self.fresh.push(digest);
            self.bound_fresh();
        }
        !is_new
    }

    /// Whether something that was taken is not on disk.
    pub(super) fn has_unwritten(&self) -> bool {
        !self.gone.is_empty() || self.rows.back().is_some_and(|row| !row.is_written)
    }

    /// What the next transaction changes; the same again, and what is new, until it is `written`.
    pub(super) fn take(&mut self, now: Timestamp) -> IdRows {
        self.pack(now);
        self.forget_old(now);
        let unwritten = self.rows.iter().rev().take_while(|row| !row.is_written);
        let mut put: Vec<_> = unwritten.map(|row| (row.number, row.encode())).collect();
        put.reverse();
        IdRows {
            put,
            remove: self.gone.clone(),
        }
    }

    /// The transaction of the last `take` is on disk.
    pub(super) fn written(&mut self) {
        let unwritten = self.rows.iter_mut().rev().take_while(|row| !row.is_written);
        unwritten.for_each(|row| row.is_written = true);
        self.gone.clear();
    }

    /// The transaction of the last `take` failed, and what it was to bring has not been seen.
    pub(super) fn discard(&mut self) {
        while let Some(row) = self.rows.pop_back_if(|row| !row.is_written) {
            for digest in &row.digests {
                self.known.remove(digest);
            }
        }
    }

    /// The file was opened again and holds rows of these numbers, which need not be those that were thought to be there.
    pub(super) fn reconcile(&mut self, stored: impl IntoIterator<Item = u64>) {
        let mut stored: HashSet<u64> = stored.into_iter().collect();
        let mut is_written = true;
        for row in &mut self.rows {
            // Unwritten rows are the last ones: what comes after a missing row is written again.
            is_written &= stored.remove(&row.number) && row.is_written;
            row.is_written = is_written;
        }
        self.gone = stored.into_iter().collect();
    }

    /// Moves the fresh ids into rows; one that is not written yet is filled up first.
    fn pack(&mut self, now: Timestamp) {
        let last = self.rows.back_mut().filter(|row| !row.is_written);
        if let Some(row) = last {
            let room = MAX_ROW_IDS.saturating_sub(row.digests.len());
            let fits = room.min(self.fresh.len());
            row.digests.extend(self.fresh.drain(..fits));
        }
        let fresh = std::mem::take(&mut self.fresh);
        for digests in fresh.chunks(MAX_ROW_IDS) {
            self.rows.push_back(Row {
                number: self.next,
                seconds: now.as_second(),
                digests: digests.to_vec(),
                is_written: false,
            });
            self.next = self.next.saturating_add(1);
        }
    }

    fn forget_old(&mut self, now: Timestamp) {
        let oldest = now.as_second().saturating_sub(self.bounds.age);
        while let Some(row) = self.rows.front() {
            if row.seconds >= oldest && self.known.len() <= self.bounds.count {
                return;
            }
            for digest in &row.digests {
                self.known.remove(digest);
            }
            if row.is_written {
                self.gone.push(row.number);
            }
            self.rows.pop_front();
        }
    }

    /// While nothing can be written, nothing takes the fresh ones away: the newest are kept.
    fn bound_fresh(&mut self) {
        if self.fresh.len() > self.bounds.count {
            let old: Vec<_> = self.fresh.drain(..self.bounds.count / 2).collect();
            for digest in &old {
                self.known.remove(digest);
            }
        }
    }
}

impl Row {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.seconds.to_be_bytes().to_vec();
        bytes.extend(self.digests.iter().flatten());
        bytes
    }

    fn decode(number: u64, bytes: &[u8]) -> Option<Self> {
        let (time, digests) = bytes.split_first_chunk::<TIME_BYTES>()?;
        let (digests, rest) = digests.as_chunks::<DIGEST_BYTES>();
        rest.is_empty().then(|| Self {
            number,
            seconds: i64::from_be_bytes(*time),
            digests: digests.to_vec(),
            is_written: true,
        })
    }
}

/// What is kept of an id, or of a message, of a Receiver.
pub(super) fn digest(receiver: &ReceiverRef, seen: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    for part in [
        receiver.namespace.as_bytes(),
        receiver.name.as_bytes(),
        seen,
    ] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let whole: [u8; 32] = hash.finalize().into();
    let (half, _) = whole.as_chunks::<DIGEST_BYTES>();
    half.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn receiver(name: &str) -> ReceiverRef {
        ReceiverRef {
            namespace: "apps".to_owned(),
            name: name.to_owned(),
        }
    }

    fn recognise(ids: &mut Ids, receiver_name: &str, delivery: &str) -> bool {
        ids.recognise(digest(&receiver(receiver_name), delivery.as_bytes()))
    }

    const MAX: usize = Bounds::DELIVERIES.count;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::new(seconds, 0).unwrap()
    }

    fn write(file: &mut BTreeMap<u64, Vec<u8>>, rows: IdRows) {
        file.extend(rows.put);
        for number in rows.remove {
            file.remove(&number);
        }
    }

    fn reloaded(file: &BTreeMap<u64, Vec<u8>>) -> Ids {
        Ids::load(Bounds::DELIVERIES, file.clone()).unwrap()
    }

    #[test]
    fn an_id_is_known_per_receiver_and_after_a_restart() {
        let mut ids = Ids::new(Bounds::DELIVERIES);
        assert!(!recognise(&mut ids, "a", "1"));
        assert!(recognise(&mut ids, "a", "1"));
        assert!(!recognise(&mut ids, "b", "1"));
        let mut file = BTreeMap::new();
        write(&mut file, ids.take(at(0)));
        ids.written();
        assert_eq!(file.len(), 1, "ids that come together share a row");
        let mut ids = reloaded(&file);
        assert!(recognise(&mut ids, "a", "1"));
        assert!(!recognise(&mut ids, "a", "2"));
    }

    #[test]
    fn a_failed_transaction_is_repeated() {
        let mut ids = Ids::new(Bounds::DELIVERIES);
        recognise(&mut ids, "a", "1");
        let first = ids.take(at(0)).put;
        recognise(&mut ids, "a", "2");
        let second = ids.take(at(1)).put;
        assert_eq!((first.len(), second.len()), (1, 1));
        assert!(second[0].1.starts_with(&first[0].1), "the row is filled up");
        ids.written();
        assert_eq!(ids.take(at(2)), IdRows::default());
    }

    #[test]
    fn what_could_not_be_written_can_be_forgotten() {
        let mut ids = Ids::new(Bounds::MESSAGES);
        let mut file = BTreeMap::new();
        recognise(&mut ids, "a", "1");
        write(&mut file, ids.take(at(0)));
        ids.written();
        recognise(&mut ids, "a", "2");
        ids.take(at(1));
        recognise(&mut ids, "a", "3");
        ids.discard();
        assert!(recognise(&mut ids, "a", "1"), "it was written before");
        assert!(
            recognise(&mut ids, "a", "3"),
            "it was not to be written yet"
        );
        assert!(!recognise(&mut ids, "a", "2"));
        write(&mut file, ids.take(at(2)));
        ids.written();
        assert!(!ids.has_unwritten());
        let loaded = Ids::load(Bounds::MESSAGES, file).unwrap();
        for id in ["1", "2", "3"] {
            assert!(loaded.has(&digest(&receiver("a"), id.as_bytes())), "{id}");
        }
    }

    #[test]
    fn a_message_is_known_until_there_are_too_many_newer_ones() {
        let mut ids = Ids::new(Bounds::MESSAGES);
        for number in 0..Bounds::MESSAGES.count {
            recognise(&mut ids, "a", &number.to_string());
        }
        ids.take(at(0));
        ids.written();
        assert_eq!(ids.take(at(100 * 366 * 24 * 60 * 60)), IdRows::default());
        assert!(ids.has(&digest(&receiver("a"), b"0")), "however old");
        recognise(&mut ids, "b", "0");
        ids.take(at(0));
        assert!(!ids.has(&digest(&receiver("a"), b"0")));
        assert!(ids.has(&digest(&receiver("a"), b"60000")));
    }

    #[test]
    fn count_and_age_bound_the_set_and_the_file() {
        let mut ids = Ids::new(Bounds::DELIVERIES);
        let mut file = BTreeMap::new();
        for number in 0..2 * MAX {
            recognise(&mut ids, "a", &number.to_string());
            if number % 100 == 0 {
                write(&mut file, ids.take(at(0)));
                ids.written();
            }
        }
        assert!(ids.known.len() <= MAX + 200, "{}", ids.known.len());
        assert_eq!(
            reloaded(&file).known.len() + ids.fresh.len(),
            ids.known.len()
        );
        assert!(recognise(&mut ids, "a", &(2 * MAX - 1).to_string()));
        assert!(!recognise(&mut ids, "a", "0"));

        write(&mut file, ids.take(at(Bounds::DELIVERIES.age + 1)));
        assert!(
            file.len() <= 2,
            "only what was fresh is left: {}",
            file.len()
        );
    }

    #[test]
    fn nothing_grows_while_nothing_can_be_written() {
        let mut ids = Ids::new(Bounds::DELIVERIES);
        for number in 0..MAX + 1000 {
            recognise(&mut ids, "a", &number.to_string());
        }
        assert!(ids.known.len() <= MAX + 1);
        for number in 0..2 * MAX_ROW_IDS {
            recognise(&mut ids, "b", &number.to_string());
            ids.take(at(0));
        }
        assert!(ids.known.len() <= MAX + MAX_ROW_IDS);
        assert!(ids.rows.len() <= MAX / MAX_ROW_IDS + 2);
    }

    #[test]
    fn a_file_opened_again_is_made_to_agree() {
        let mut ids = Ids::new(Bounds::DELIVERIES);
        for number in 0..3 {
            recognise(&mut ids, "a", &number.to_string());
            ids.take(at(0));
            ids.written();
        }
        ids.reconcile([1, 2, 7]);
        recognise(&mut ids, "a", "3");
        let rows = ids.take(at(0));
        assert_eq!(rows.remove, [7]);
        ids.reconcile([]);
        let numbers: Vec<_> = ids.take(at(0)).put.into_iter().map(|row| row.0).collect();
        assert_eq!(numbers, [0, 1, 2], "the file is a new one");
    }

    #[test]
    fn a_row_of_another_shape_is_refused() {
        for length in 0..64 {
            let is_row = length >= 8 && (length - 8) % 16 == 0;
            assert_eq!(
                Ids::load(Bounds::DELIVERIES, [(0, vec![0; length])]).is_some(),
                is_row,
                "{length}"
            );
        }
        assert!(Ids::load(Bounds::DELIVERIES, [(u64::MAX, vec![0; 8])]).is_none());
    }
}
